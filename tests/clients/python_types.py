"""What a type checker must know of the Python client; checked by mypy --strict, never run."""

from typing import Any, Dict, Optional

from pydantic import BaseModel
from refractr import AsyncRefractr, ExtractResult, Job, Refractr
from typing_extensions import assert_type


class Invoice(BaseModel):
    number: Optional[str]


def blocking(client: Refractr) -> None:
    assert_type(client.extract("t", Invoice), ExtractResult[Invoice])
    assert_type(client.extract("t", Invoice).data.number, Optional[str])
    assert_type(client.extract("t", {"number": None}).data, Dict[str, Any])
    assert_type(client.extract_and_wait("t", Invoice), ExtractResult[Invoice])
    assert_type(client.extract("t", Invoice, details=True, webhook_url=None, timeout=3), ExtractResult[Invoice])
    client.extract("t", Invoice, detail=True)  # type: ignore[call-overload]
    job = client.submit("t", Invoice)
    assert_type(job, Job[Invoice])
    assert_type(client.get(job), Job[Invoice])
    assert_type(client.wait(job), ExtractResult[Invoice])
    assert_type(client.wait("id", Invoice), ExtractResult[Invoice])
    assert_type(client.get("id"), Job[Dict[str, Any]])


async def with_asyncio(client: AsyncRefractr) -> None:
    assert_type(await client.extract("t", Invoice), ExtractResult[Invoice])
    assert_type(await client.wait(await client.submit("t", {"a": None})), ExtractResult[Dict[str, Any]])
