"""The conversation with the service, without any input or output of its own.

Every call is a generator that yields what is to be done, a `Send` or a `Pause`, and is given the answer (or thrown the
connection's fault); _client.py does these things, blocking or with asyncio. So retries and polling are written once.
"""

from __future__ import annotations

import email.utils
import random
import time
import uuid
from dataclasses import dataclass
from typing import Any, Callable, Dict, Generator, Mapping, Optional, Tuple, TypeVar, Union

import httpx

from ._results import Account, ExtractResult, Job, details_of
from ._template import compile_template
from .errors import APIConnectionError, ConflictError, RefractrError, RequestTimeoutError, ResultValidationError, error_from

T = TypeVar("T")
Parse = Callable[[Dict[str, Any]], T]

EXTRACT_PATH = "/api/v1/extract/"
ATTEMPT_TIMEOUT_S = 40.0  # the service itself answers 504 after 30
EXTRACT_TIMEOUT_S = 120.0
WAIT_TIMEOUT_S = 300.0
CALL_TIMEOUT_S = 60.0  # of every call that asks once
ATTEMPT_TIMEOUT_S = 40.0  # the service itself answers 504 after 30
EXTRACT_TIMEOUT_S = 120.0
WAIT_TIMEOUT_S = 300.0
CALL_TIMEOUT_S = 60.0  # of every call that asks once
FIRST_POLL_S = 0.1
LAST_POLL_S = 2.0
FIRST_BACKOFF_S = 0.5
LAST_BACKOFF_S = 8.0
LONGEST_RETRY_AFTER_S = 120.0  # a service that asks for more is told about by an error, not by silence
RETRIED = frozenset({429, 502, 503, 504})


@dataclass(frozen=True)
class Send:
    """One HTTP request. timeout: seconds for it; more than the 30 after which the service answers 504."""

    method: str
    path: str
    json: Optional[Mapping[str, Any]]
    headers: Mapping[str, str]
    timeout: float


@dataclass(frozen=True)
class Pause:
    seconds: float


Flow = Generator[Union[Send, Pause], Optional[httpx.Response], T]


class Deadline:
    """The total time of one call, retries and polling included."""

    def __init__(self, seconds: float) -> None:
        self.seconds = seconds
        self.ends = time.monotonic() + seconds

    def left(self) -> float:
        return self.ends - time.monotonic()

    def up(self, job_id: Optional[str] = None) -> RequestTimeoutError:
        goes_on = " The job goes on; poll it by its job_id." if job_id else ""
        return RequestTimeoutError(f"No result within {self.seconds:g} s.{goes_on}", code="client_timeout", job_id=job_id)


def retry_after_of(response: httpx.Response) -> Optional[float]:
    """Seconds the Retry-After header asks for (RFC 9110, 10.2.3: a number or a date), or None."""
    told = response.headers.get("Retry-After", "").strip()
    if told.isascii() and told.isdigit():
        return float(told[:9])
    try:
        return max(0.0, email.utils.parsedate_to_datetime(told).timestamp() - time.time())
    except (TypeError, ValueError, IndexError, OverflowError):
        return None


def backoff(attempt: int, retry_after: Optional[float]) -> float:
    """Seconds before retry number `attempt` (from 0): at least what was asked for, else exponential; with jitter."""
    if retry_after is not None:
        return retry_after + random.uniform(0, 0.1 * retry_after + 0.05)
    return min(LAST_BACKOFF_S, FIRST_BACKOFF_S * 2.0**attempt) * random.uniform(0.5, 1.0)


def _deadline(timeout: Optional[float], default: float) -> Deadline:
    return Deadline(default if timeout is None else timeout)


def _identify(job: Union[str, Job[Any]], template: Any) -> Tuple[str, Parse[Any]]:
    """A job's id and how its answer is read: by the template given now, else by the one it was submitted with."""
    if template is not None:
        return job if isinstance(job, str) else job.job_id, compile_template(template)[1]
    if isinstance(job, Job):
        return job.job_id, job.parse or (lambda data: data)
    return job, lambda data: data


def _body_of(response: httpx.Response) -> Dict[str, Any]:
    try:
        body = response.json()
    except ValueError:
        return {}
    return body if isinstance(body, dict) else {}


def _error_of(response: httpx.Response) -> RefractrError:
    return error_from(
        _body_of(response),
        response.status_code,
        retry_after=retry_after_of(response),
        request_id=response.headers.get("X-Request-Id"),
    )


def _worth_retrying(error: RefractrError) -> bool:
    if error.status_code in RETRIED:
        return error.job_id is None  # a 504 with a job is polled instead
    # An earlier attempt of ours, whose answer was lost, is still running.
    return isinstance(error, (ConflictError, APIConnectionError))


def request(
    method: str,
    path: str,
    deadline: Deadline,
    *,
    max_retries: int,
    json: Optional[Mapping[str, Any]] = None,
    headers: Optional[Mapping[str, str]] = None,
    job_id: Optional[str] = None,
) -> Flow[Dict[str, Any]]:
    """One request with its retries; returns the JSON of a 2xx answer, raises RefractrError for all else."""
    for attempt in range(max_retries + 1):
        left = deadline.left()
        if left <= 0:
            raise deadline.up(job_id)
        error: RefractrError
        try:
            response = yield Send(method, path, json, headers or {}, min(ATTEMPT_TIMEOUT_S, left))
            assert response is not None
            if response.is_success:
                body = _body_of(response)
                if body:
                    return body
                raise error_from({}, response.status_code)
            error = _error_of(response)
        except httpx.TransportError as e:
            if deadline.left() <= 0:
                raise deadline.up(job_id) from e
            error = APIConnectionError(f"The service could not be reached: {e or type(e).__name__}.", code="connection_error")
            error.__cause__ = e
        if attempt == max_retries or not _worth_retrying(error):
            raise error
        wait = backoff(attempt, error.retry_after)
        if (error.retry_after or 0) > LONGEST_RETRY_AFTER_S or wait >= deadline.left():
            raise error
        yield Pause(wait)
    raise AssertionError("unreachable")


class Caller:
    """The calls of both clients, each a conversation that ends with the call's result.

    A template is a dict or a Pydantic model class; a timeout is the whole call's, in seconds."""

    def __init__(self, max_retries: int) -> None:
        self.max_retries = max_retries

    def _request(self, method: str, path: str, deadline: Deadline, **more: Any) -> Flow[Dict[str, Any]]:
        return request(method, path, deadline, max_retries=self.max_retries, **more)

    def _post(
        self,
        text: str,
        template: Mapping[str, Any],
        deadline: Deadline,
        *,
        wait: bool,
        details: bool = False,
        webhook_url: Optional[str] = None,
        idempotency_key: Optional[str] = None,
    ) -> Flow[Dict[str, Any]]:
        body: Dict[str, Any] = {"document_text": text, "template": template}
        if not wait:
            body["wait"] = False
        if details:
            body["details"] = True
        if webhook_url is not None:
            body["webhook_url"] = webhook_url
        # One key for all attempts: however often it is sent, the document is extracted and charged once.
        headers = {"Idempotency-Key": idempotency_key or str(uuid.uuid4())}
        return self._request("POST", EXTRACT_PATH, deadline, json=body, headers=headers)

    def extract(
        self, text: str, template: Any, *, timeout: float = EXTRACT_TIMEOUT_S, **options: Any
    ) -> Flow[ExtractResult[Any]]:
        deadline = Deadline(timeout)
        sent, parse = compile_template(template)
        try:
            body = yield from self._post(text, sent, deadline, wait=True, **options)
        except RequestTimeoutError as late:
            if not late.job_id:
                raise
            return (yield from self._poll(late.job_id, parse, deadline))
        job = _job_of(body, parse)
        return job.result or (yield from self._poll(job.job_id, parse, deadline))

    def extract_and_wait(
        self, text: str, template: Any, *, timeout: float = WAIT_TIMEOUT_S, **options: Any
    ) -> Flow[ExtractResult[Any]]:
        deadline = Deadline(timeout)
        sent, parse = compile_template(template)
        job = _job_of((yield from self._post(text, sent, deadline, wait=False, **options)), parse)
        return job.result or (yield from self._poll(job.job_id, parse, deadline))

    def submit(self, text: str, template: Any, *, timeout: float = CALL_TIMEOUT_S, **options: Any) -> Flow[Job[Any]]:
        sent, parse = compile_template(template)
        return _job_of((yield from self._post(text, sent, Deadline(timeout), wait=False, **options)), parse)

    def get(self, job: Union[str, Job[Any]], template: Any, timeout: Optional[float]) -> Flow[Job[Any]]:
        return (yield from self._get(*_identify(job, template), _deadline(timeout, CALL_TIMEOUT_S)))

    def wait(self, job: Union[str, Job[Any]], template: Any, timeout: Optional[float]) -> Flow[ExtractResult[Any]]:
        return (yield from self._poll(*_identify(job, template), _deadline(timeout, WAIT_TIMEOUT_S)))

    def account(self, timeout: Optional[float]) -> Flow[Account]:
        body = yield from self._request("GET", "/api/v1/account/", _deadline(timeout, CALL_TIMEOUT_S))
        credits = body["credits"]
        return Account(body["account_id"], body["name"], credits["available"], credits["held"], body["limits"])

    def _get(self, job_id: str, parse: Parse[T], deadline: Deadline) -> Flow[Job[T]]:
        if not job_id or not all(c.isalnum() or c == "-" for c in job_id):
            raise ValueError(f"{job_id!r} is not a job_id.")  # it becomes part of the path
        body = yield from self._request("GET", f"{EXTRACT_PATH}{job_id}/", deadline, job_id=job_id)
        return _job_of(body, parse)

    def _poll(self, job_id: str, parse: Parse[T], deadline: Deadline) -> Flow[ExtractResult[T]]:
        """Asks until the job is done: after 100 ms, then twice as long each time, up to every 2 s."""
        pause = FIRST_POLL_S
        while True:
            if pause >= deadline.left():
                raise deadline.up(job_id)
            yield Pause(pause)
            job = yield from self._get(job_id, parse, deadline)
            if job.error:
                raise job.error
            if job.result:
                return job.result
            pause = min(LAST_POLL_S, pause * 2)


def _result_of(body: Mapping[str, Any], parse: Parse[T]) -> ExtractResult[T]:
    metadata = body["metadata"]
    try:
        data = parse(body["extracted_data"])
    except ResultValidationError as e:
        e.job_id = body["job_id"]
        raise
    return ExtractResult(
        data=data,
        job_id=body["job_id"],
        latency_ms=metadata["latency_ms"],
        credits_charged=metadata["credits_charged"],
        fields=details_of(metadata.get("fields")),
        warnings=list(metadata.get("warnings", [])),
        raw=body["extracted_data"],
    )


def _job_of(body: Mapping[str, Any], parse: Parse[T]) -> Job[T]:
    """A job from any of the answers that tell about one."""
    try:
        job_id, status = str(body["job_id"]), str(body["status"])
        if status == "success":
            return Job(job_id, status, result=_result_of(body, parse), parse=parse)
        if status == "failed":
            return Job(job_id, status, error=error_from(body, 200), parse=parse)
        return Job(job_id, status, parse=parse)
    except KeyError as e:
        raise error_from({"error": {"message": f"The answer has no {e.args[0]}; is this Refractr's address?"}}, 200) from e
