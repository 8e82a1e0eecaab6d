"""What calls return. Plain frozen data; the client makes them, nobody else."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Callable, Dict, Generic, List, Mapping, Optional, TypeVar, Union

from .errors import RefractrError

T = TypeVar("T")


@dataclass(frozen=True)
class FieldDetail:
    """Where one value stands in the document: text[start:end], in code points; None where nothing was found."""

    value_text: Optional[str]
    start: Optional[int]
    end: Optional[int]
    confidence: Optional[float]


@dataclass(frozen=True)
class ListDetail:
    """A list's values in document order. near_misses: spans that came close to being one."""

    values: List[FieldDetail]
    near_misses: int


@dataclass(frozen=True)
class ExtractResult(Generic[T]):
    """A filled template.

    data: a dict in the template's shape, or an instance of the model that was the template.
    fields: with details, by dotted path ("buyer.name", "items[0].price"); else None.
    warnings: what a limit of the engine dropped.
    """

    data: T
    job_id: str
    latency_ms: int
    credits_charged: int
    fields: Optional[Dict[str, Union[FieldDetail, ListDetail]]] = None
    warnings: List[str] = field(default_factory=list)
    raw: Dict[str, Any] = field(default_factory=dict, repr=False)


@dataclass(frozen=True)
class Job(Generic[T]):
    """A submitted extraction. status: "pending", "success" (then `result`) or "failed" (then `error`)."""

    job_id: str
    status: str
    result: Optional[ExtractResult[T]] = None
    error: Optional[RefractrError] = None
    parse: Optional[Callable[[Dict[str, Any]], T]] = field(default=None, repr=False, compare=False)


@dataclass(frozen=True)
class Account:
    """The key's account. limits: requests_per_minute, polls_per_minute, document_chars and the rest, by name."""

    account_id: str
    name: str
    credits_available: int
    credits_held: int
    limits: Dict[str, int]


def _one(told: Mapping[str, Any]) -> FieldDetail:
    return FieldDetail(told.get("value_text"), told.get("start"), told.get("end"), told.get("confidence"))


def details_of(fields: Optional[Mapping[str, Any]]) -> Optional[Dict[str, Union[FieldDetail, ListDetail]]]:
    """metadata.fields of an answer, as classes."""
    if fields is None:
        return None
    return {
        path: ListDetail([_one(v) for v in told["values"]], int(told.get("near_misses", 0))) if "values" in told else _one(told)
        for path, told in fields.items()
    }
