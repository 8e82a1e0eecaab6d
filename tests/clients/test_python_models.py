"""Pydantic models as templates: what is asked for, and what comes back."""

import datetime
import decimal
import enum
from typing import Any, Dict, List, Literal, Optional, Union

import pytest
from pydantic import BaseModel, Field
from refractr import Refractr, ResultValidationError, TemplateError, template_of
from scripted import JOB, pending, success


class Level(str, enum.Enum):
    LOW = "low"
    HIGH = "high"


class Item(BaseModel):
    name: Optional[str]
    price: Optional[float] = Field(None, description="each, without tax")


class Party(BaseModel):
    name: str
    city: Optional[str] = None


class Invoice(BaseModel):
    number: Optional[str] = Field(description="without the #")
    count: Optional[int]
    total: Optional[decimal.Decimal]
    due: Optional[datetime.date]
    paid: bool = False
    currency: Optional[Literal["EUR", "USD"]]
    level: Optional[Level]
    anything: Any = None
    mixed: Union[int, str, None] = None
    tags: List[str]
    dates: List[datetime.date] = []
    words: list = []
    levels: List[Level] = []
    items: List[Item]
    buyer: Optional[Party] = Field(None, alias="sold_to")


TEMPLATE = {
    "number": {"$type": "string", "$description": "without the #"},
    "count": "integer", "total": "number", "due": "date", "paid": "boolean", "currency": ["EUR", "USD"],
    "level": ["low", "high"], "anything": None, "mixed": None, "tags": ["string"], "dates": ["date"], "words": [],
    "levels": [["low", "high"]],
    "items": [{"name": "string", "price": {"$type": "number", "$description": "each, without tax"}}],
    "sold_to": {"name": "string", "city": "string"},
}


def test_model_becomes_template_in_the_order_of_its_fields():
    assert template_of(Invoice) == TEMPLATE
    assert list(template_of(Invoice)) == list(TEMPLATE)


def test_answer_becomes_an_instance(server):
    server.answers = [success({
        "number": "7", "count": 2, "total": 12.5, "due": "2026-01-15", "paid": True, "currency": "EUR", "level": "low",
        "anything": 3, "mixed": "x", "tags": ["a"], "dates": ["2026-01-01"], "words": ["w"], "levels": ["high"],
        "items": [{"name": "Pen", "price": 1.5}], "sold_to": {"name": "Ann", "city": None}})]
    invoice = Refractr("dm_test", server.url).extract("t", Invoice).data
    assert server.asked[0].json["template"] == TEMPLATE
    assert isinstance(invoice, Invoice)
    assert (invoice.due, invoice.total, invoice.level) == (datetime.date(2026, 1, 15), decimal.Decimal("12.5"), Level.LOW)
    assert invoice.items == [Item(name="Pen", price=1.5)]
    assert invoice.buyer == Party(name="Ann")


def test_what_is_missing_takes_defaults(server):
    nothing = {k: [] if isinstance(v, list) and k not in ("currency", "level") else None for k, v in TEMPLATE.items()}
    server.answers = [success({**nothing, "sold_to": {"name": None, "city": None}})]
    invoice = Refractr("dm_test", server.url).extract("t", Invoice).data
    assert invoice.paid is False and invoice.buyer is None and invoice.number is None and invoice.items == []


def test_a_required_value_that_is_missing_is_told_with_the_answer(server):
    server.answers = [success({"name": None, "city": "Bonn"})]
    with pytest.raises(ResultValidationError, match="name") as told:
        Refractr("dm_test", server.url).extract("t", Party)
    assert told.value.data == {"name": None, "city": "Bonn"} and told.value.job_id == JOB


def test_a_job_keeps_its_model(server):
    server.answers = [pending(), success({"name": "Ann", "city": None}), success({"name": "Ann", "city": None})]
    client = Refractr("dm_test", server.url)
    assert client.get(client.submit("t", Party)).result.data == Party(name="Ann")
    assert client.get(JOB, Party).result.data == Party(name="Ann")


def recursive():
    class Node(BaseModel):
        child: "Optional[Node]"

    Node.model_rebuild(_types_namespace={"Node": Node, "Optional": Optional})
    return Node


def refused(annotation):
    return type("Refused", (BaseModel,), {"__annotations__": {"field": annotation}})


@pytest.mark.parametrize("make, param", [
    (lambda: refused(Dict[str, str]), "field"), (lambda: refused(bytes), "field"), (lambda: refused(Literal["one"]), "field"),
    (lambda: refused(Literal[1, 2]), "field"), (lambda: refused(List[List[str]]), "field"), (recursive, "child")])
def test_what_a_template_cannot_say_is_refused_by_name(make, param):
    with pytest.raises(TemplateError) as told:
        template_of(make())
    assert told.value.param.startswith(param)


def test_only_dicts_and_models_are_templates():
    with pytest.raises(TemplateError):
        Refractr("dm_test").extract("t", "string")
