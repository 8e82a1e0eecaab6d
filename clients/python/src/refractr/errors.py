"""What can go wrong, as classes.

The service's errors are told apart by their `type`; every class carries the same members, None where there is nothing to
say, so that one `except RefractrError` can log them all.
"""

from __future__ import annotations

from typing import Any, Dict, Mapping, Optional, Type


class RefractrError(Exception):
    """Base of everything this package raises.

    code: stable name of the fault, such as "document_too_long"; see doc_url.
    param: dotted path of the request's member at fault.
    request_id: names the request in the service's log; tell it when you ask for help.
    job_id: the job this is about, where there is one; it can still be polled.
    retry_after: seconds the service asked to wait.
    """

    def __init__(
        self,
        message: str,
        *,
        code: Optional[str] = None,
        param: Optional[str] = None,
        request_id: Optional[str] = None,
        doc_url: Optional[str] = None,
        status_code: Optional[int] = None,
        job_id: Optional[str] = None,
        retry_after: Optional[float] = None,
    ) -> None:
        super().__init__(message)
        self.message = message
        self.code = code
        self.param = param
        self.request_id = request_id
        self.doc_url = doc_url
        self.status_code = status_code
        self.job_id = job_id
        self.retry_after = retry_after

    def __str__(self) -> str:
        told = f"{self.message} [{self.code}]" if self.code else self.message
        return f"{told} (request {self.request_id})" if self.request_id else told


class InvalidRequestError(RefractrError):
    """The request is not understood (400, 405, 413, 415); `param` names the member."""


class AuthenticationError(RefractrError):
    """No API key, or not a valid one (401)."""


class InsufficientCreditsError(RefractrError):
    """The account has no credits left (402); the message says where to get more."""


class PermissionDeniedError(RefractrError):
    """The key may not do this (403)."""


class NotFoundError(RefractrError):
    """No such job in this account, or it is past its retention (404)."""


class ConflictError(RefractrError):
    """A request with the same Idempotency-Key was still running when all retries were used up (409)."""


class RateLimitError(RefractrError):
    """Too many requests (429), still after all retries."""


class ServiceUnavailableError(RefractrError):
    """The service or a proxy before it cannot take the request now (502, 503), still after all retries."""


class InternalServerError(RefractrError):
    """A fault of the service (5xx), or an answer that is not Refractr's."""


class APIConnectionError(RefractrError):
    """The service could not be reached, still after all retries."""


class RequestTimeoutError(RefractrError, TimeoutError):
    """The time given is up. `job_id`, where known, can be polled with `get` or `wait`."""


class TemplateError(RefractrError, TypeError):
    """A model asks for something a template cannot say; `param` names the field."""


class ResultValidationError(RefractrError, ValueError):
    """The answer does not fit the model: a required field was not in the document, or a validator refused it.

    data: the answer as the service gave it. The cause (`__cause__`) is Pydantic's own error.
    """

    def __init__(self, message: str, *, data: Dict[str, Any], job_id: Optional[str] = None) -> None:
        super().__init__(message, code="result_mismatch", job_id=job_id)
        self.data = data


class WebhookVerificationError(RefractrError, ValueError):
    """The request is not from Refractr, or too old, or its headers are missing."""


_BY_TYPE: Dict[str, Type[RefractrError]] = {
    "invalid_request_error": InvalidRequestError,
    "authentication_error": AuthenticationError,
    "payment_required": InsufficientCreditsError,
    "permission_error": PermissionDeniedError,
    "not_found_error": NotFoundError,
    "conflict_error": ConflictError,
    "rate_limit_error": RateLimitError,
    "service_unavailable": ServiceUnavailableError,
    "timeout_error": RequestTimeoutError,
    "api_error": InternalServerError,
}

# For answers without a body of ours, such as a proxy's.
_BY_STATUS: Dict[int, Type[RefractrError]] = {
    401: AuthenticationError,
    402: InsufficientCreditsError,
    403: PermissionDeniedError,
    404: NotFoundError,
    409: ConflictError,
    429: RateLimitError,
    502: ServiceUnavailableError,
    503: ServiceUnavailableError,
    504: RequestTimeoutError,
}


def error_from(
    body: Mapping[str, Any], status: int, *, retry_after: Optional[float] = None, request_id: Optional[str] = None
) -> RefractrError:
    """The error an answer tells. body: its JSON, {"error": {...}, "job_id"?}; {} where it had none."""
    told = body.get("error")
    if not isinstance(told, dict):
        told = {}
    fallback = _BY_STATUS.get(status, InvalidRequestError if 400 <= status < 500 else InternalServerError)
    return _BY_TYPE.get(str(told.get("type")), fallback)(
        str(told.get("message") or f"The service answered {status} without saying why."),
        code=told.get("code"),
        param=told.get("param"),
        request_id=told.get("request_id") or request_id,
        doc_url=told.get("doc_url"),
        status_code=status,
        job_id=body.get("job_id"),
        retry_after=retry_after,
    )
