"""A Pydantic model class -> the service's template, and the answer -> an instance of the model.

    str -> "string", int -> "integer", float and Decimal -> "number", bool -> "boolean", date and datetime -> "date",
    Literal and Enum of strings -> a choice, Any -> null, list[X] -> a list of X, a model -> an object,
    list[Model] -> a list of records, Optional[X] -> X (every value may be missing), Field(description=) -> $description.
"""

from __future__ import annotations

import datetime
import decimal
import enum
import sys
import types
import uuid
from collections.abc import Sequence as AbstractSequence
from collections.abc import Set as AbstractSet
from typing import TYPE_CHECKING, Annotated, Any, Callable, Dict, List, Literal, Mapping, Tuple, Type, Union, get_args, get_origin

from .errors import ResultValidationError, TemplateError

if TYPE_CHECKING:
    from pydantic import BaseModel
    from pydantic.fields import FieldInfo

# bool before int: bool is a subclass of it.
_SCALARS: List[Tuple[type, str]] = [
    (bool, "boolean"),
    (int, "integer"),
    (float, "number"),
    (decimal.Decimal, "number"),
    (datetime.date, "date"),
    (str, "string"),
    (uuid.UUID, "string"),
]
_LISTS = (list, set, frozenset, AbstractSequence, AbstractSet)
_UNIONS: Tuple[Any, ...] = (Union, types.UnionType) if sys.version_info >= (3, 10) else (Union,)


def _is_model(annotation: Any) -> bool:
    return isinstance(annotation, type) and hasattr(annotation, "model_fields") and hasattr(annotation, "model_validate")


def _members(annotation: Any) -> List[Any]:
    """The alternatives of a union, without Annotated; one for everything else."""
    if get_origin(annotation) is Annotated:
        return _members(get_args(annotation)[0])
    if get_origin(annotation) in _UNIONS:
        return [inner for a in get_args(annotation) for inner in _members(a)]
    return [annotation]


def _without_none(annotation: Any) -> Any:
    """The one type a value has when it is there; Any where there are several."""
    members = [m for m in _members(annotation) if m is not type(None)]
    return members[0] if len(members) == 1 else Any


def _allows_none(annotation: Any) -> bool:
    return any(m in (None, type(None), Any) for m in _members(annotation))


def _choice(values: Tuple[Any, ...], path: str) -> List[str]:
    options = [v for v in values if v is not None]
    if len(options) < 2 or not all(isinstance(v, str) for v in options):
        raise TemplateError(f"{path}: a Literal or Enum needs two or more strings to choose from.", param=path)
    return options


def _scalar(annotation: Any, path: str) -> Any:
    if annotation is Any or annotation is object:
        return None
    if get_origin(annotation) is Literal:
        return _choice(get_args(annotation), path)
    if isinstance(annotation, type):
        if issubclass(annotation, enum.Enum):
            return _choice(tuple(member.value for member in annotation), path)
        for known, name in _SCALARS:
            if issubclass(annotation, known):
                return name
        if annotation.__module__.startswith("pydantic"):  # AnyUrl and its like are written as text
            return "string"
    raise TemplateError(f"{path}: a template cannot ask for {annotation!r}; use str, int, float, date, bool, Literal, "
                        "Enum, a list of these, or a model.", param=path)


def _item_of(annotation: Any) -> Any:
    """What a list type holds, or None where `annotation` is not one. A bare list holds Any."""
    origin = get_origin(annotation) or annotation
    if origin in _LISTS:
        return (get_args(annotation) or (Any,))[0]
    if origin is tuple and len(get_args(annotation)) == 2 and get_args(annotation)[1] is Ellipsis:
        return get_args(annotation)[0]
    return None


def _list(item: Any, path: str, seen: Tuple[Any, ...]) -> List[Any]:
    item = _without_none(item)
    if _is_model(item):
        return [_object(item, f"{path}[].", seen)]
    leaf = _scalar(item, path)
    return [] if leaf is None else [leaf]


def _leaf(annotation: Any, path: str, seen: Tuple[Any, ...]) -> Any:
    annotation = _without_none(annotation)
    if _is_model(annotation):
        return _object(annotation, f"{path}.", seen)
    item = _item_of(annotation)
    return _scalar(annotation, path) if item is None else _list(item, path, seen)


def _key(name: str, info: FieldInfo) -> str:
    """The key under which model_validate takes the field."""
    alias = info.validation_alias
    return alias if isinstance(alias, str) else name


def _object(model: Any, prefix: str, seen: Tuple[Any, ...]) -> Dict[str, Any]:
    if model in seen:
        raise TemplateError(f"{prefix[:-1]}: {model.__name__} holds itself; a template has no end there.", param=prefix[:-1])
    template: Dict[str, Any] = {}
    for name, info in model.model_fields.items():
        key = _key(name, info)
        leaf = _leaf(info.annotation, prefix + key, (*seen, model))
        # Objects have no description in a template; their members do.
        if info.description and not isinstance(leaf, dict):
            leaf = {"$type": leaf, "$description": info.description}
        template[key] = leaf
    if not template:
        raise TemplateError(f"{prefix[:-1] or model.__name__}: a model needs at least one field.", param=prefix[:-1] or None)
    return template


def template_of(model: Type[BaseModel]) -> Dict[str, Any]:
    """The template a model class stands for. Raises TemplateError, naming the field, for what a template cannot say."""
    return _object(model, "", ())


def _is_empty(value: Any) -> bool:
    if isinstance(value, dict):
        return all(_is_empty(v) for v in value.values())
    return value is None or value == []


def _fit_value(annotation: Any, value: Any) -> Any:
    inner = _without_none(annotation)
    if _is_model(inner) and isinstance(value, dict):
        if _allows_none(annotation) and _is_empty(value):
            return None
        return _fit(inner, value)
    item = _item_of(inner)
    if item is not None and isinstance(value, list):
        return [_fit_value(item, v) for v in value]
    return value


def _fit(model: Any, data: Mapping[str, Any]) -> Dict[str, Any]:
    """The answer with what is missing left out where the model has a default for it."""
    fitted: Dict[str, Any] = {}
    for name, info in model.model_fields.items():
        key = _key(name, info)
        value = _fit_value(info.annotation, data.get(key))
        if value is None and not info.is_required() and not _allows_none(info.annotation):
            continue
        fitted[key] = value
    return fitted


def _parse_model(model: Any, data: Dict[str, Any]) -> Any:
    try:
        return model.model_validate(_fit(model, data))
    except ValueError as e:
        raise ResultValidationError(f"The answer does not fit {model.__name__}: {e}", data=data) from e


def compile_template(template: Any) -> Tuple[Dict[str, Any], Callable[[Dict[str, Any]], Any]]:
    """What is sent, and what turns the answer's extracted_data into the result's data."""
    if _is_model(template):
        return template_of(template), lambda data: _parse_model(template, data)
    if isinstance(template, Mapping):
        return dict(template), lambda data: data
    raise TemplateError(f"The template must be a dict or a Pydantic model class, but is {template!r}.", param="template")
