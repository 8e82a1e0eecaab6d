"""`Refractr` and `AsyncRefractr`: the calls, done by httpx. What a call does is in _flow.py; the two classes differ only in
how they send and sleep, so each of their methods is its types and one line."""

from __future__ import annotations

import asyncio
import os
import time
from types import TracebackType
from typing import TYPE_CHECKING, Any, Dict, Mapping, Optional, Tuple, Type, TypedDict, TypeVar, Union, overload

import httpx

from ._flow import Caller, Flow, Pause, Send
from ._results import Account, ExtractResult, Job
from .errors import AuthenticationError

if TYPE_CHECKING:
    from pydantic import BaseModel
    from typing_extensions import Unpack

T = TypeVar("T")
M = TypeVar("M", bound="BaseModel")
Data = Dict[str, Any]
Template = Mapping[str, Any]

DEFAULT_BASE_URL = "http://127.0.0.1:8080"


class ExtractOptions(TypedDict, total=False):
    """What extract, extract_and_wait and submit take by name, beside the text and the template.

    details: also tell where each value stands, in `fields`.
    webhook_url: the service posts the finished job there too; webhooks.verify checks it, with webhooks.secret_of(api_key).
    idempotency_key: default a new one for each call; the same for all attempts of the call, so nothing is charged twice.
    timeout: seconds for the whole call, its retries and polling included; then RequestTimeoutError.
    """

    details: bool
    webhook_url: Optional[str]
    idempotency_key: Optional[str]
    timeout: float


def _settings(api_key: Optional[str], base_url: Optional[str]) -> Tuple[str, Dict[str, str]]:
    key = api_key or os.environ.get("REFRACTR_API_KEY", "")
    if not key:
        raise AuthenticationError("There is no API key: pass api_key or set REFRACTR_API_KEY.", code="api_key_missing")
    url = base_url or os.environ.get("REFRACTR_BASE_URL") or DEFAULT_BASE_URL
    return url.rstrip("/"), {"Authorization": f"Bearer {key}", "User-Agent": "refractr-python/0.1.0"}


class Refractr:
    """A blocking client; safe to share between threads. Use it as a context manager, or call close().

    api_key: default the environment's REFRACTR_API_KEY.
    base_url: default REFRACTR_BASE_URL, else http://127.0.0.1:8080.
    max_retries: of one request, on 429, 502, 503, 504 and connection faults; 0 turns them off.
    http_client: an httpx.Client of your own, for proxies or certificates; it is not closed here.
    """

    def __init__(
        self,
        api_key: Optional[str] = None,
        base_url: Optional[str] = None,
        *,
        max_retries: int = 4,
        http_client: Optional[httpx.Client] = None,
    ) -> None:
        self._url, self._headers = _settings(api_key, base_url)
        self._caller = Caller(max_retries)
        self._own = http_client is None
        self._http = http_client or httpx.Client()

    def close(self) -> None:
        """Closes the connections."""
        if self._own:
            self._http.close()

    def __enter__(self) -> Refractr:
        return self

    def __exit__(
        self, kind: Optional[Type[BaseException]], fault: Optional[BaseException], trace: Optional[TracebackType]
    ) -> None:
        self.close()

    def _run(self, flow: Flow[T]) -> T:
        try:
            step = next(flow)
            while True:
                if isinstance(step, Pause):
                    time.sleep(step.seconds)
                    step = flow.send(None)
                    continue
                try:
                    response = self._send(step)
                except httpx.TransportError as e:
                    step = flow.throw(e)
                else:
                    step = flow.send(response)
        except StopIteration as done:
            result: T = done.value
            return result

    def _send(self, step: Send) -> httpx.Response:
        headers = {**self._headers, **step.headers}
        url = self._url + step.path
        return self._http.request(step.method, url, json=step.json, headers=headers, timeout=step.timeout)

    @overload
    def extract(self, text: str, template: Type[M], **options: Unpack[ExtractOptions]) -> ExtractResult[M]: ...

    @overload
    def extract(self, text: str, template: Template, **options: Unpack[ExtractOptions]) -> ExtractResult[Data]: ...

    def extract(self, text: str, template: Any, **options: Unpack[ExtractOptions]) -> ExtractResult[Any]:
        """Fills `template` (a dict, or a Pydantic model class) from `text` (1 to 50,000 code points). Timeout: 120 s.

        options: see ExtractOptions. Raises RefractrError.
        """
        return self._run(self._caller.extract(text, template, **options))

    @overload
    def extract_and_wait(self, text: str, template: Type[M], **options: Unpack[ExtractOptions]) -> ExtractResult[M]: ...

    @overload
    def extract_and_wait(self, text: str, template: Template, **options: Unpack[ExtractOptions]) -> ExtractResult[Data]: ...

    def extract_and_wait(self, text: str, template: Any, **options: Unpack[ExtractOptions]) -> ExtractResult[Any]:
        """As extract, but no connection is held: the job is submitted, then polled from 100 ms up to every 2 s.

        Timeout: 300 s.
        """
        return self._run(self._caller.extract_and_wait(text, template, **options))

    @overload
    def submit(self, text: str, template: Type[M], **options: Unpack[ExtractOptions]) -> Job[M]: ...

    @overload
    def submit(self, text: str, template: Template, **options: Unpack[ExtractOptions]) -> Job[Data]: ...

    def submit(self, text: str, template: Any, **options: Unpack[ExtractOptions]) -> Job[Any]:
        """Hands the work in and returns at once; ask for the result with `get` or `wait`. Timeout: 60 s."""
        return self._run(self._caller.submit(text, template, **options))

    @overload
    def get(self, job: str, template: Type[M], *, timeout: float = ...) -> Job[M]: ...

    @overload
    def get(self, job: str, template: Optional[Template] = ..., *, timeout: float = ...) -> Job[Data]: ...

    @overload
    def get(self, job: Job[T], *, timeout: float = ...) -> Job[T]: ...

    def get(self, job: Union[str, Job[Any]], template: Any = None, *, timeout: Optional[float] = None) -> Job[Any]:
        """What became of a job (of `submit`, or its job_id with the model, if any). Does not raise for a failed one."""
        return self._run(self._caller.get(job, template, timeout))

    @overload
    def wait(self, job: str, template: Type[M], *, timeout: float = ...) -> ExtractResult[M]: ...

    @overload
    def wait(self, job: str, template: Optional[Template] = ..., *, timeout: float = ...) -> ExtractResult[Data]: ...

    @overload
    def wait(self, job: Job[T], *, timeout: float = ...) -> ExtractResult[T]: ...

    def wait(self, job: Union[str, Job[Any]], template: Any = None, *, timeout: Optional[float] = None) -> ExtractResult[Any]:
        """Polls a job until it is done; raises its error if it failed. Timeout: 300 s."""
        return self._run(self._caller.wait(job, template, timeout))

    def account(self, *, timeout: Optional[float] = None) -> Account:
        """Credits and limits of the key's account."""
        return self._run(self._caller.account(timeout))


class AsyncRefractr:
    """The same for asyncio: every method of `Refractr` as a coroutine. Use it as an async context manager, or await close()."""

    def __init__(
        self,
        api_key: Optional[str] = None,
        base_url: Optional[str] = None,
        *,
        max_retries: int = 4,
        http_client: Optional[httpx.AsyncClient] = None,
    ) -> None:
        self._url, self._headers = _settings(api_key, base_url)
        self._caller = Caller(max_retries)
        self._own = http_client is None
        self._http = http_client or httpx.AsyncClient()

    async def close(self) -> None:
        """As Refractr.close."""
        if self._own:
            await self._http.aclose()

    async def __aenter__(self) -> AsyncRefractr:
        return self

    async def __aexit__(
        self, kind: Optional[Type[BaseException]], fault: Optional[BaseException], trace: Optional[TracebackType]
    ) -> None:
        await self.close()

    async def _run(self, flow: Flow[T]) -> T:
        try:
            step = next(flow)
            while True:
                if isinstance(step, Pause):
                    await asyncio.sleep(step.seconds)
                    step = flow.send(None)
                    continue
                try:
                    response = await self._send(step)
                except httpx.TransportError as e:
                    step = flow.throw(e)
                else:
                    step = flow.send(response)
        except StopIteration as done:
            result: T = done.value
            return result

    async def _send(self, step: Send) -> httpx.Response:
        headers = {**self._headers, **step.headers}
        url = self._url + step.path
        return await self._http.request(step.method, url, json=step.json, headers=headers, timeout=step.timeout)

    @overload
    async def extract(self, text: str, template: Type[M], **options: Unpack[ExtractOptions]) -> ExtractResult[M]: ...

    @overload
    async def extract(self, text: str, template: Template, **options: Unpack[ExtractOptions]) -> ExtractResult[Data]: ...

    async def extract(self, text: str, template: Any, **options: Unpack[ExtractOptions]) -> ExtractResult[Any]:
        """As Refractr.extract."""
        return await self._run(self._caller.extract(text, template, **options))

    @overload
    async def extract_and_wait(self, text: str, template: Type[M], **options: Unpack[ExtractOptions]) -> ExtractResult[M]: ...

    @overload
    async def extract_and_wait(self, text: str, template: Template, **options: Unpack[ExtractOptions]) -> ExtractResult[Data]: ...

    async def extract_and_wait(self, text: str, template: Any, **options: Unpack[ExtractOptions]) -> ExtractResult[Any]:
        """As Refractr.extract_and_wait."""
        return await self._run(self._caller.extract_and_wait(text, template, **options))

    @overload
    async def submit(self, text: str, template: Type[M], **options: Unpack[ExtractOptions]) -> Job[M]: ...

    @overload
    async def submit(self, text: str, template: Template, **options: Unpack[ExtractOptions]) -> Job[Data]: ...

    async def submit(self, text: str, template: Any, **options: Unpack[ExtractOptions]) -> Job[Any]:
        """As Refractr.submit."""
        return await self._run(self._caller.submit(text, template, **options))

    @overload
    async def get(self, job: str, template: Type[M], *, timeout: float = ...) -> Job[M]: ...

    @overload
    async def get(self, job: str, template: Optional[Template] = ..., *, timeout: float = ...) -> Job[Data]: ...

    @overload
    async def get(self, job: Job[T], *, timeout: float = ...) -> Job[T]: ...

    async def get(self, job: Union[str, Job[Any]], template: Any = None, *, timeout: Optional[float] = None) -> Job[Any]:
        """As Refractr.get."""
        return await self._run(self._caller.get(job, template, timeout))

    @overload
    async def wait(self, job: str, template: Type[M], *, timeout: float = ...) -> ExtractResult[M]: ...

    @overload
    async def wait(self, job: str, template: Optional[Template] = ..., *, timeout: float = ...) -> ExtractResult[Data]: ...

    @overload
    async def wait(self, job: Job[T], *, timeout: float = ...) -> ExtractResult[T]: ...

    async def wait(self, job: Union[str, Job[Any]], template: Any = None, *, timeout: Optional[float] = None) -> ExtractResult[Any]:
        """As Refractr.wait."""
        return await self._run(self._caller.wait(job, template, timeout))

    async def account(self, *, timeout: Optional[float] = None) -> Account:
        """As Refractr.account."""
        return await self._run(self._caller.account(timeout))
