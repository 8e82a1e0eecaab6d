"""`Refractr` and `AsyncRefractr`: the calls, done by httpx. What a call does is in _flow.py."""

from __future__ import annotations

import asyncio
import os
import time
from types import TracebackType
from typing import TYPE_CHECKING, Any, Dict, Mapping, Optional, Tuple, Type, TypeVar, Union, overload

import httpx

from ._flow import Caller, Flow, Parse, Pause, Send
from ._results import Account, ExtractResult, Job
from ._template import compile_template
from .errors import AuthenticationError

if TYPE_CHECKING:
    from pydantic import BaseModel

T = TypeVar("T")
M = TypeVar("M", bound="BaseModel")
Data = Dict[str, Any]
Template = Mapping[str, Any]

DEFAULT_BASE_URL = "http://127.0.0.1:8080"
ATTEMPT_TIMEOUT_S = 40.0  # the service itself answers 504 after 30
EXTRACT_TIMEOUT_S = 120.0
WAIT_TIMEOUT_S = 300.0
POLL_TIMEOUT_S = 60.0


def _settings(api_key: Optional[str], base_url: Optional[str]) -> Tuple[str, Dict[str, str]]:
    key = api_key or os.environ.get("REFRACTR_API_KEY", "")
    if not key:
        raise AuthenticationError("There is no API key: pass api_key or set REFRACTR_API_KEY.", code="api_key_missing")
    url = base_url or os.environ.get("REFRACTR_BASE_URL") or DEFAULT_BASE_URL
    return url.rstrip("/"), {"Authorization": f"Bearer {key}", "User-Agent": "refractr-python/0.1.0"}


def _identify(job: Union[str, Job[Any]], template: Any) -> Tuple[str, Parse[Any]]:
    """A job's id and how its answer is read: by the template given now, else by the one it was submitted with."""
    if template is not None:
        return job if isinstance(job, str) else job.job_id, compile_template(template)[1]
    if isinstance(job, Job):
        return job.job_id, job.parse or (lambda data: data)
    return job, lambda data: data


def _account_of(body: Data) -> Account:
    credits = body["credits"]
    return Account(body["account_id"], body["name"], credits["available"], credits["held"], body["limits"])


class Refractr:
    """A blocking client; safe to share between threads. Use it as a context manager, or call close().

    api_key: default the environment's REFRACTR_API_KEY.
    base_url: default REFRACTR_BASE_URL, else http://127.0.0.1:8080.
    max_retries: of one request, on 429, 502, 503, 504 and connection faults; 0 turns them off.
    http_client: an httpx.Client of your own, for proxies or certificates; it is not closed here.

    timeout, everywhere: seconds for the whole call, its retries and polling included; then RequestTimeoutError.
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
        self._caller = Caller(max_retries, ATTEMPT_TIMEOUT_S)
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
    def extract(
        self, text: str, template: Type[M], *, details: bool = ..., timeout: float = ..., idempotency_key: Optional[str] = ...
    ) -> ExtractResult[M]: ...

    @overload
    def extract(
        self, text: str, template: Template, *, details: bool = ..., timeout: float = ..., idempotency_key: Optional[str] = ...
    ) -> ExtractResult[Data]: ...

    def extract(
        self,
        text: str,
        template: Any,
        *,
        details: bool = False,
        timeout: float = EXTRACT_TIMEOUT_S,
        idempotency_key: Optional[str] = None,
    ) -> ExtractResult[Any]:
        """Fills `template` (a dict, or a Pydantic model class) from `text` (1 to 50,000 code points).

        details: also tell where each value stands, in `fields`. idempotency_key: default a new one for each call; it is
        the same for all attempts of the call, so that nothing is charged twice. Raises RefractrError.
        """
        sent, parse = compile_template(template)
        return self._run(self._caller.extract(text, sent, parse, details, idempotency_key, timeout))

    @overload
    def extract_and_wait(
        self, text: str, template: Type[M], *, details: bool = ..., timeout: float = ..., idempotency_key: Optional[str] = ...
    ) -> ExtractResult[M]: ...

    @overload
    def extract_and_wait(
        self, text: str, template: Template, *, details: bool = ..., timeout: float = ..., idempotency_key: Optional[str] = ...
    ) -> ExtractResult[Data]: ...

    def extract_and_wait(
        self,
        text: str,
        template: Any,
        *,
        details: bool = False,
        timeout: float = WAIT_TIMEOUT_S,
        idempotency_key: Optional[str] = None,
    ) -> ExtractResult[Any]:
        """As extract, but no connection is held: the job is submitted, then polled from 100 ms up to every 2 s."""
        sent, parse = compile_template(template)
        return self._run(self._caller.extract_and_wait(text, sent, parse, details, idempotency_key, timeout))

    @overload
    def submit(
        self, text: str, template: Type[M], *, details: bool = ..., timeout: float = ..., idempotency_key: Optional[str] = ...
    ) -> Job[M]: ...

    @overload
    def submit(
        self, text: str, template: Template, *, details: bool = ..., timeout: float = ..., idempotency_key: Optional[str] = ...
    ) -> Job[Data]: ...

    def submit(
        self,
        text: str,
        template: Any,
        *,
        details: bool = False,
        timeout: float = POLL_TIMEOUT_S,
        idempotency_key: Optional[str] = None,
    ) -> Job[Any]:
        """Hands the work in and returns at once; ask for the result with `get` or `wait`."""
        sent, parse = compile_template(template)
        return self._run(self._caller.submit(text, sent, parse, details, idempotency_key, timeout))

    @overload
    def get(self, job: str, template: Type[M], *, timeout: float = ...) -> Job[M]: ...

    @overload
    def get(self, job: str, template: Optional[Template] = ..., *, timeout: float = ...) -> Job[Data]: ...

    @overload
    def get(self, job: Job[T], *, timeout: float = ...) -> Job[T]: ...

    def get(self, job: Union[str, Job[Any]], template: Any = None, *, timeout: float = POLL_TIMEOUT_S) -> Job[Any]:
        """What became of a job (of `submit`, or its job_id with the model, if any). Does not raise for a failed one."""
        return self._run(self._caller.get(*_identify(job, template), timeout))

    @overload
    def wait(self, job: str, template: Type[M], *, timeout: float = ...) -> ExtractResult[M]: ...

    @overload
    def wait(self, job: str, template: Optional[Template] = ..., *, timeout: float = ...) -> ExtractResult[Data]: ...

    @overload
    def wait(self, job: Job[T], *, timeout: float = ...) -> ExtractResult[T]: ...

    def wait(
        self, job: Union[str, Job[Any]], template: Any = None, *, timeout: float = WAIT_TIMEOUT_S
    ) -> ExtractResult[Any]:
        """Polls a job until it is done; raises its error if it failed."""
        return self._run(self._caller.wait(*_identify(job, template), timeout))

    def account(self, *, timeout: float = POLL_TIMEOUT_S) -> Account:
        """Credits and limits of the key's account."""
        return _account_of(self._run(self._caller.account(timeout)))


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
        self._caller = Caller(max_retries, ATTEMPT_TIMEOUT_S)
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
    async def extract(
        self, text: str, template: Type[M], *, details: bool = ..., timeout: float = ..., idempotency_key: Optional[str] = ...
    ) -> ExtractResult[M]: ...

    @overload
    async def extract(
        self, text: str, template: Template, *, details: bool = ..., timeout: float = ..., idempotency_key: Optional[str] = ...
    ) -> ExtractResult[Data]: ...

    async def extract(
        self,
        text: str,
        template: Any,
        *,
        details: bool = False,
        timeout: float = EXTRACT_TIMEOUT_S,
        idempotency_key: Optional[str] = None,
    ) -> ExtractResult[Any]:
        """As Refractr.extract."""
        sent, parse = compile_template(template)
        return await self._run(self._caller.extract(text, sent, parse, details, idempotency_key, timeout))

    @overload
    async def extract_and_wait(
        self, text: str, template: Type[M], *, details: bool = ..., timeout: float = ..., idempotency_key: Optional[str] = ...
    ) -> ExtractResult[M]: ...

    @overload
    async def extract_and_wait(
        self, text: str, template: Template, *, details: bool = ..., timeout: float = ..., idempotency_key: Optional[str] = ...
    ) -> ExtractResult[Data]: ...

    async def extract_and_wait(
        self,
        text: str,
        template: Any,
        *,
        details: bool = False,
        timeout: float = WAIT_TIMEOUT_S,
        idempotency_key: Optional[str] = None,
    ) -> ExtractResult[Any]:
        """As Refractr.extract_and_wait."""
        sent, parse = compile_template(template)
        return await self._run(self._caller.extract_and_wait(text, sent, parse, details, idempotency_key, timeout))

    @overload
    async def submit(
        self, text: str, template: Type[M], *, details: bool = ..., timeout: float = ..., idempotency_key: Optional[str] = ...
    ) -> Job[M]: ...

    @overload
    async def submit(
        self, text: str, template: Template, *, details: bool = ..., timeout: float = ..., idempotency_key: Optional[str] = ...
    ) -> Job[Data]: ...

    async def submit(
        self,
        text: str,
        template: Any,
        *,
        details: bool = False,
        timeout: float = POLL_TIMEOUT_S,
        idempotency_key: Optional[str] = None,
    ) -> Job[Any]:
        """As Refractr.submit."""
        sent, parse = compile_template(template)
        return await self._run(self._caller.submit(text, sent, parse, details, idempotency_key, timeout))

    @overload
    async def get(self, job: str, template: Type[M], *, timeout: float = ...) -> Job[M]: ...

    @overload
    async def get(self, job: str, template: Optional[Template] = ..., *, timeout: float = ...) -> Job[Data]: ...

    @overload
    async def get(self, job: Job[T], *, timeout: float = ...) -> Job[T]: ...

    async def get(self, job: Union[str, Job[Any]], template: Any = None, *, timeout: float = POLL_TIMEOUT_S) -> Job[Any]:
        """As Refractr.get."""
        return await self._run(self._caller.get(*_identify(job, template), timeout))

    @overload
    async def wait(self, job: str, template: Type[M], *, timeout: float = ...) -> ExtractResult[M]: ...

    @overload
    async def wait(self, job: str, template: Optional[Template] = ..., *, timeout: float = ...) -> ExtractResult[Data]: ...

    @overload
    async def wait(self, job: Job[T], *, timeout: float = ...) -> ExtractResult[T]: ...

    async def wait(
        self, job: Union[str, Job[Any]], template: Any = None, *, timeout: float = WAIT_TIMEOUT_S
    ) -> ExtractResult[Any]:
        """As Refractr.wait."""
        return await self._run(self._caller.wait(*_identify(job, template), timeout))

    async def account(self, *, timeout: float = POLL_TIMEOUT_S) -> Account:
        """As Refractr.account."""
        return _account_of(await self._run(self._caller.account(timeout)))
