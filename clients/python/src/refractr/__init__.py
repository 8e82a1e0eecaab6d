"""Python client of Refractr: text in, the JSON you asked for out.

`Refractr` (blocking) and `AsyncRefractr` (asyncio) have the same methods; a template is a plain dict or a Pydantic model
class. Everything that goes wrong is a `RefractrError`. `webhooks.verify` checks what Refractr posts to you.
"""

from . import webhooks
from ._client import AsyncRefractr, ExtractOptions, Refractr
from ._results import Account, ExtractResult, FieldDetail, Job, ListDetail
from ._template import template_of
from .errors import (
    APIConnectionError,
    AuthenticationError,
    ConflictError,
    InsufficientCreditsError,
    InternalServerError,
    InvalidRequestError,
    NotFoundError,
    PermissionDeniedError,
    RateLimitError,
    RefractrError,
    RequestTimeoutError,
    ResultValidationError,
    ServiceUnavailableError,
    TemplateError,
    WebhookVerificationError,
)

__version__ = "0.1.0"

__all__ = [
    "APIConnectionError",
    "Account",
    "AsyncRefractr",
    "AuthenticationError",
    "ConflictError",
    "ExtractOptions",
    "ExtractOptions",
    "ExtractResult",
    "FieldDetail",
    "InsufficientCreditsError",
    "InternalServerError",
    "InvalidRequestError",
    "Job",
    "ListDetail",
    "NotFoundError",
    "PermissionDeniedError",
    "RateLimitError",
    "Refractr",
    "RefractrError",
    "RequestTimeoutError",
    "ResultValidationError",
    "ServiceUnavailableError",
    "TemplateError",
    "WebhookVerificationError",
    "template_of",
    "webhooks",
]
