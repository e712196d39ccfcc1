# SPDX-License-Identifier: Apache-2.0
"""Lookups such as `age__gte=18`: their names, and values that are not of a field's own type.

Filters are written by `_core.Schema.filter`, which asks here for what a name means, once per class.
"""

from __future__ import annotations

import contextlib
import datetime
import decimal
import re
import uuid
from collections.abc import Callable, Iterable, Mapping
from typing import Any, NamedTuple

from bson import Binary, Decimal128, Int64, ObjectId, Regex

from mongodb import _core, _registry
from mongodb._spelling import close_to
from mongodb.errors import InvalidQueryError, LookUpError, ValidationError
from mongodb.fields.base_field import BaseField
from mongodb.fields.nested import DynamicField
from mongodb.fields.scalar import STRING_OPERATORS
from mongodb.queryset import geo
from mongodb.queryset._expression import Condition, Expression
from mongodb.queryset._through import JOINS, ThroughReference
from mongodb.queryset.periods import PERIODS, period

__all__ = ["Lookup", "build_filter", "db_path", "filter_bson", "merge", "parse"]

_COMPARISON = frozenset({"ne", "gt", "gte", "lt", "lte"})
_MANY = frozenset({"in", "nin", "all"})
# Operators that a field of the documents referred to may be named as; that is what is meant then.
_AMBIGUOUS = frozenset({"size", "type", "mod", "match", "near"})
_PLAIN = frozenset({"size", "exists", "mod", "type", "not", "elemMatch", "match", "eq"})
# Django's lookups, of fields that have no member of that name: `data__year` of a dict is a key.
_DJANGO = frozenset({"isnull", "range", "year", "date"})
# Django's lookups that this one has not.
_INSTEAD = dict.fromkeys(("month", "day", "week_day", "hour"), "x__gte=... and x__lt=...")
OPERATORS = _COMPARISON | _MANY | _PLAIN | geo.OPERATORS | STRING_OPERATORS
_TYPES: dict[Any, Any] = {
    int: ["int", "long"],
    float: "double",
    str: "string",
    bool: "bool",
    bytes: "binData",
    dict: "object",
    list: "array",
    tuple: "array",
    type(None): "null",
    None: "null",
    datetime.datetime: "date",
    datetime.date: "date",
    decimal.Decimal: "decimal",
    Decimal128: "decimal",
    ObjectId: "objectId",
    Int64: "long",
    Binary: "binData",
    uuid.UUID: "binData",
    re.Pattern: "regex",
}


class InvalidLookupValue(InvalidQueryError, ValueError):
    """A value that a lookup's field cannot take; views answer as for a missing document."""


class Lookup(NamedTuple):
    """What a keyword means."""

    path: str
    field: BaseField | None
    op: str | None
    negated: bool


def resolve(cls: Any, parts: list[str], positional: bool = False) -> tuple[str, BaseField | None]:
    """Return the stored path and the field that the parts of a name lead to.

    `positional` allows `S`, the element that the filter matched.
    """
    names: list[str] = []
    field: BaseField | None = None
    for at, part in enumerate(parts):
        if names and (part.isdigit() or (positional and part == "S")):
            names.append("$" if part == "S" else part)
            field = field._item if field is not None and field.kind == "list" else field
            continue
        if not names:
            part = cls._meta.get("id_field", part) if part == "pk" else part
            field = _first(cls, part)
        else:
            if field is not None and _reference(field) is not None:
                if part in ("pk", "id", "_id") and at == len(parts) - 1:
                    continue
                key = ".$id" if _is_dbref(field) else ""
                raise ThroughReference(parts, at, ".".join(names) + key, _reference(field))
            if _copies_less(field, part):
                raise ThroughReference(parts, at, ".".join(names) + "._id", _inner(field))
            field = _next(field, part)
        if field is None:
            raise InvalidQueryError(_missing(cls, parts, at))
        names.append(field.db_field or part)
    return ".".join(names), field


def _next(field: BaseField | None, part: str) -> BaseField | None:
    """Return the field of a path's next part; an item of an untyped list can hold any."""
    if field is None:
        field = DynamicField()
    elif _holds_anything(field):
        misspelt = close_to(part, OPERATORS, 0.8)
        return None if misspelt else DynamicField().lookup_member(part)
    elif part == "_cls" and _embedded_with_class(field):
        return DynamicField()._member(part)
    return field.lookup_member(part)


def _holds_anything(field: BaseField) -> bool:
    while field.kind == "list" and field._item is not None:
        field = field._item
    return field.kind == "list"


def _embedded_with_class(field: BaseField) -> bool:
    """Whether the embedded documents are stored with the name of their class."""
    while field._item is not None:
        field = field._item
    inside: Any = getattr(field, "document_type", None) if field.kind == "embedded" else None
    return inside is not None and bool(inside._meta.get("allow_inheritance"))


def _missing(cls: Any, parts: list[str], at: int) -> str:
    wrong = parts[at]
    if not at:
        return f"{cls.__name__} has no field {wrong!r}; it has {', '.join(cls._fields)}"
    before = "__".join(parts[:at])
    above = _inner(resolve(cls, parts[:at])[1])
    if above is not None and above._of_any_class:
        return (
            f"{'__'.join(parts)}: {before} refers to documents of any class, so nothing is known "
            f"of their fields; find the documents and compare {before}__in with them"
        )
    close = close_to(wrong, OPERATORS - geo.OPERATORS)
    hint = f"did you mean {close[0]!r}?" if close else ""
    if wrong in _INSTEAD:
        hint = "write " + _INSTEAD[wrong].replace("x", before)
    return (
        f"{'__'.join(parts)}: {cls.__name__}.{'.'.join(parts[:at])} has no field {wrong!r}, and "
        f"there is no lookup {wrong!r}" + (f"; {hint}" if hint else "")
    )


def _first(cls: Any, part: str) -> BaseField | None:
    field = cls._fields.get(part)
    if field is None:
        for below in _registry.class_tree(cls):
            field = below._fields.get(part)
            if field is not None:
                return field  # type: ignore[no-any-return]
        reverse = cls._reverse_db_field_map.get(part)
        field = cls._fields.get(reverse) if reverse else None
    if field is None and (cls._dynamic or part == "_cls"):
        return DynamicField()._member(part)
    return field  # type: ignore[no-any-return]


def _inner(field: BaseField | None) -> BaseField | None:
    """Return what the items of a list are, at any depth."""
    while field is not None and field.kind == "list":
        field = field._item
    return field


def _reference(field: BaseField) -> BaseField | None:
    inner = _inner(field)
    return inner if inner is not None and inner._points else None


def _is_dbref(field: BaseField) -> bool:
    inner = _inner(field)
    return inner is not None and inner._dbref


def _copies_less(field: BaseField | None, part: str) -> bool:
    """Whether a reference keeps copies of fields, but not of this one."""
    inner: Any = _inner(field)
    if not _holds_copies(inner) or not inner.fields or part in ("pk", "id", "_id"):
        return False
    known = {name.split(".")[0] for name in inner.fields}
    below = inner.lookup_member(part)
    return below is not None and part not in known and below.db_field not in known


def db_path(cls: Any, name: str) -> str:
    """Return the stored path of a field given as `a.b`, `a__b` or by stored names."""
    parts = name.replace("__", ".").split(".")
    try:
        return resolve(cls, parts)[0]
    except InvalidQueryError as error:
        raise LookUpError(str(error)) from error


def cached_path(cls: Any, name: str) -> str:
    """Return `db_path()`, from the class's cache if it is there."""
    found: str | None = cls._paths.get(name)
    if found is None:
        found = db_path(cls, name)
        if len(cls._paths) < 4096:
            cls._paths[name] = found
    return found


def parse(cls: Any, name: str) -> Lookup:
    """Return what a keyword of `filter()` means, from the class's cache if it is there."""
    found: Lookup | None = cls._lookups.get(name)
    if found is None:
        found = _parse(cls, name)
        if len(cls._lookups) < 4096:
            cls._lookups[name] = found
    return found


def _parse(cls: Any, name: str) -> Lookup:
    parts = name.split("__")
    op: str | None = None
    negated = False
    if len(parts) > 1 and parts[-1] in OPERATORS and not _is_field(cls, parts):
        op = parts.pop()
        if op in _AMBIGUOUS and _is_named(cls, parts, op):
            parts.append(op)
            op = None
    if len(parts) > 1 and _is_django(cls, parts, op):
        op = "__".join(filter(None, (parts.pop(), op)))
    if len(parts) > 1 and parts[-1] == "":
        parts.pop()  # a field named like an operator: type__
    if len(parts) > 1 and parts[-1] == "not":
        parts.pop()
        negated = True
    if op in geo.DISTANCES:
        raise geo.DistanceMet
    path, field = resolve(cls, parts)
    if _holds_copies(field):
        path += "._id"
    return Lookup(path, field, op, negated)


def _is_django(cls: Any, parts: list[str], op: str | None) -> bool:
    """Whether the last part is a lookup of Django's, which `op` may compare."""
    last = parts[-1]
    if last not in _DJANGO or (op is not None and (op not in _COMPARISON or last not in PERIODS)):
        return False
    before = parts[:-2] if len(parts) > 2 and parts[-2] == "not" else parts[:-1]
    try:
        field = resolve(cls, before)[1]
    except InvalidQueryError:
        return False
    while field is not None and field.kind == "list":
        field = field._item
    if field is not None and (below := _reference(field)) is not None:
        return last == "isnull" or last not in below.document_type._fields  # type: ignore[attr-defined]
    return field is not None and _next(field, last) is None


def _is_named(cls: Any, parts: list[str], name: str) -> bool:
    """Whether a reference, no list of them, leads to documents with a field of that name."""
    try:
        field: Any = resolve(cls, parts)[1]
    except InvalidQueryError:
        return False
    return field is not None and field._points and name in field.document_type._fields


def _holds_copies(field: BaseField | None) -> bool:
    field = _inner(field)
    return field is not None and field.kind == "pointer" and hasattr(field, "sync_all")


def _is_field(cls: Any, parts: list[str]) -> bool:
    try:
        _, field = resolve(cls, parts)
    except InvalidQueryError:
        return False
    return field is not None and field.owner_document is not None


def filter_bson(cls: Any, lookups: Mapping[str, Any]) -> Any:
    """Return the filter for keywords as `_core.Raw`; all of them must hold."""
    try:
        return _filter_bson(cls, lookups)
    except geo.DistanceMet:
        return filter_bson(cls, geo.grouped(lookups))
    except ThroughReference:
        return _through_references(cls, lookups)
    except _PathFromValue:
        return _with_paths(cls, lookups)
    except _Computed:
        return _with_expressions(cls, lookups)


class _PathFromValue(Exception):  # noqa: N818
    """A value that is stored below the field that the keyword names."""


class _Computed(Exception):  # noqa: N818
    """A value that the store computes: the keyword is an expression, not a condition of a path."""


def split_references(
    cls: Any, lookups: Mapping[str, Any]
) -> tuple[dict[str, Any], list[tuple[ThroughReference, dict[str, Any]]]]:
    """Return the lookups of the class's own fields, and those through references.

    Of one reference they stand together: one document has to fulfil them.
    """
    own: dict[str, Any] = {}
    groups: dict[str, tuple[ThroughReference, dict[str, Any]]] = {}
    for name, value in lookups.items():
        try:
            if name != "__raw__":
                parse(cls, name)
        except geo.DistanceMet:
            pass
        except ThroughReference as way:
            if isinstance(value, Expression):
                raise InvalidQueryError(
                    f"{name}: F() compares fields of one document, not through a reference"
                ) from None
            rest = "__".join(name.split("__")[way.at :])
            groups.setdefault(way.path, (way, {}))[1][rest] = value
            continue
        own[name] = value
    return own, list(groups.values())


def _through_references(cls: Any, lookups: Mapping[str, Any]) -> Any:
    joins = JOINS.get()
    own, groups = split_references(cls, lookups)
    if joins is None:
        raise groups[0][0]
    parts = [joins.condition(way, below) for way, below in groups]
    return _core.join_filters("$and", [filter_bson(cls, own), *parts])


def _with_expressions(cls: Any, lookups: Mapping[str, Any]) -> Any:
    """Return the filter where fields are compared with what `F` names.

    As in SQL nothing compares with null; `ne` is true where one of the two is null or missing.
    """
    parts, rest = [], {}
    for name, value in lookups.items():
        if not isinstance(value, Expression):
            rest[name] = value
            continue
        lookup = parse(cls, name)
        op = "eq" if lookup.op in (None, "exact") else lookup.op
        if op not in _COMPARISON | {"eq"}:
            raise InvalidQueryError(f"{name}: {op} takes no F(); ne, gt, gte, lt and lte do")
        left, right = f"${lookup.path}", value.to_expression(cls)
        compared: Any = {f"${op}": [left, right]}
        if op != "ne":
            there = [{"$gt": [one, None]} for one in (left, right)]
            compared = {"$and": [*there, compared]}
        parts.append(_core.Raw({"$expr": {"$not": [compared]} if lookup.negated else compared}))
    return _core.join_filters("$and", [filter_bson(cls, rest), *parts])


def _with_paths(cls: Any, lookups: Mapping[str, Any]) -> Any:
    """Return the filter where values of generic references say what they are compared with."""
    parts, rest = [], {}
    for name, value in lookups.items():
        lookup = None
        if name != "__raw__":
            with contextlib.suppress(geo.DistanceMet):  # it stays with the rest
                lookup = parse(cls, name)
        if lookup is not None and lookup.op in ("in", "nin") and _some_below(lookup.field, value):
            parts.append(_core.Raw(_in_places(cls, lookup, name, value)))
            continue
        below = "" if lookup is None else _below(lookup.field, value)
        if lookup is None or not below:
            rest[name] = value
            continue
        unequal = (lookup.op in ("ne", "not")) != lookup.negated
        parts.append(_core.Raw({lookup.path + below: {"$ne": value} if unequal else value}))
    return _core.join_filters("$and", [filter_bson(cls, rest), *parts])


def _in_places(cls: Any, lookup: Lookup, name: str, values: Iterable[Any]) -> dict[str, Any]:
    """Return the condition that one of the values is where such a one is stored, or none is."""
    places: dict[str, list[Any]] = {}
    for value in values:
        places.setdefault(_below(lookup.field, value), []).append(value)
    plain = Lookup(lookup.path, lookup.field, "in", False)
    found = [
        {lookup.path + below: {"$in": some} if below else _condition(cls, plain, name, some)}
        for below, some in places.items()
    ]
    return {"$or" if (lookup.op == "in") != lookup.negated else "$nor": found}


def _some_below(field: BaseField | None, values: Any) -> bool:
    return isinstance(values, (list, tuple, set, frozenset)) and any(
        _below(field, value) for value in values
    )


def _below(field: BaseField | None, value: Any) -> str:
    while field is not None and field.kind == "list":
        field = field._item
    return "" if field is None else field._path_below(value)


def _filter_bson(cls: Any, lookups: Mapping[str, Any]) -> Any:
    if cls._schema is not None:
        try:
            return cls._schema.filter(lookups)
        except OverflowError as error:
            raise InvalidLookupValue(str(error)) from error
    parts = []  # an abstract class has no schema
    for name, value in lookups.items():
        if name == "__raw__":
            parts.append(_core.Raw(value))
        else:
            lookup = parse(cls, name)
            parts.append(_core.Raw({lookup.path: _condition(cls, lookup, name, value)}))
    return _core.join_filters("$and", parts)


def build_filter(cls: Any, lookups: Mapping[str, Any]) -> dict[str, Any]:
    """Return the filter for keywords as a dict."""
    return filter_bson(cls, lookups).decode()  # type: ignore[no-any-return]


def merge(first: Mapping[str, Any], second: Mapping[str, Any]) -> dict[str, Any]:
    """Return a filter for both: one document where they touch different things."""
    if not first or not second:
        return dict(first or second)
    common = first.keys() & second.keys()
    if not common:
        return {**first, **second}
    out = dict(first)
    late: dict[str, Any] = {}
    for key, value in second.items():
        mine: Any = out.get(key)
        if key not in common:
            out[key] = value
        elif key == "$and":
            out[key] = [*mine, *value]
        elif _operators(mine) and _operators(value) and not mine.keys() & value.keys():
            out[key] = {**mine, **value}
        else:
            late[key] = value
    if late:
        rest = out.pop("$and", [])
        out = {"$and": [*rest, out, late]} if out else {"$and": [*rest, late]}
    return out


def _operators(value: Any) -> bool:
    # $regex and $options go together and stay apart from others
    return (
        isinstance(value, dict)
        and bool(value)
        and all(isinstance(key, str) and key[:1] == "$" for key in value)
    )


def named(name: str, error: ValidationError) -> ValidationError:
    """Return the error with the keyword it is about."""
    told = ValidationError(f"{name}: {error.message}", field_name=error.field_name)
    told.errors = error.errors
    return told


def _condition(cls: Any, lookup: Lookup, name: str, value: Any) -> Any:
    op, field = lookup.op, lookup.field
    if isinstance(value, Expression):
        raise _Computed
    if op in (None, "exact", "eq", "ne", "not") and _below(field, value):
        raise _PathFromValue
    if op in ("in", "nin") and _some_below(field, value):
        raise _PathFromValue
    try:
        condition = _operator(field, op, value)
    except ValidationError as error:
        raise named(name, error) from error
    except (TypeError, ValueError, ArithmeticError, RecursionError, re.error) as error:
        raise InvalidLookupValue(f"{name}={_shown(value)}: {error}") from error
    if not lookup.negated:
        return condition
    if op in (None, "exact", "eq") or condition is None:
        return {"$ne": condition}
    if op == "isnull":
        return None
    return {"$not": condition}


def _shown(value: Any) -> str:
    try:
        text = repr(value)
    except (ValueError, RecursionError):  # a number of thousands of digits
        return f"<{type(value).__name__}>"
    return text if len(text) <= 200 else f"{text[:200]}…"


def _operator(field: BaseField | None, op: str | None, value: Any) -> Any:
    if op is None or op in ("exact", "eq"):
        if isinstance(value, (re.Pattern, Regex)):
            return _regex(value)
        value = field.prepare_query_value(None, value) if field is not None else value
        # A document without operators means itself; {"$gt": 1} is left to whoever writes it.
        return value
    if op in _COMPARISON:
        return {f"${op}": field.prepare_query_value(op, value) if field is not None else value}
    if op in _MANY:
        return {f"${op}": [_one(field, op, item) for item in _items(op, value)]}
    if op in STRING_OPERATORS:
        text = DynamicField() if field is None else field  # an item of an untyped list
        pattern = _regex(text.prepare_query_value(op, value))
        if not isinstance(pattern, Regex):
            raise TypeError(f"{op} is for text, not for a {type(field).__name__}")
        return pattern
    if op in geo.OPERATORS:
        return geo.condition(field, op, value)
    if op[:4] in PERIODS:
        return period(field, op, value)
    return _SPECIAL[op](field, value)


def _one(field: BaseField | None, op: str, value: Any) -> Any:
    if isinstance(value, (re.Pattern, Regex)):
        return _regex(value)
    if field is not None and field.kind == "list" and field._item is not None:
        whole = isinstance(value, (list, tuple)) and field._item.kind != "list"
        if whole:
            return [field._item.prepare_query_value(None, item) for item in value]
        return field._item.prepare_query_value(None, value)
    return field.prepare_query_value(None, value) if field is not None else value


def _items(op: str, value: Any) -> Iterable[Any]:
    if isinstance(value, (str, bytes, Mapping)) or _registry.is_document(value):
        raise TypeError(f"{op} takes a list of values")
    if not isinstance(value, Iterable):
        raise TypeError(f"{op} takes a list of values, not {type(value).__name__}")
    return list(value)


def _regex(value: Any) -> Any:
    if isinstance(value, re.Pattern):
        return Regex(value.pattern, value.flags & ~re.UNICODE)
    return value


def _type(field: BaseField | None, value: Any) -> Any:
    names: list[Any] = []
    for one in value if isinstance(value, (list, tuple, set)) else [value]:
        found = _TYPES.get(one, one) if not isinstance(one, list) else one
        names += found if isinstance(found, list) else [found]
    if any(isinstance(one, type) for one in names):
        raise TypeError("type takes a Python type, MongoDB's name of a type, or its number")
    return {"$type": names[0] if len(names) == 1 else names}


def _not(field: BaseField | None, value: Any) -> Any:
    if isinstance(value, (re.Pattern, Regex)):
        return {"$not": _regex(value)}
    if isinstance(value, Mapping) and _operators(dict(value)):
        return {"$not": dict(value)}
    return {"$ne": field.prepare_query_value(None, value) if field is not None else value}


def _element(field: BaseField | None, value: Any) -> Any:
    inner: Any = field
    while inner is not None and inner.kind == "list":
        inner = inner._item
    below = inner.document_type if inner is not None and inner.kind == "embedded" else None
    if isinstance(value, Condition):
        if below is None:
            raise TypeError("elemMatch takes a Q only for lists of embedded documents")
        return {"$elemMatch": value.to_bson(below)}
    if below is not None and _registry.is_document(value):
        return {"$elemMatch": dict(value.to_mongo())}
    if not isinstance(value, Mapping):
        raise TypeError("elemMatch takes a dict of lookups or a Q")
    if below is None or any(key[:1] == "$" for key in value):
        return {"$elemMatch": dict(value)}
    return {"$elemMatch": filter_bson(below, {k.replace(".", "__"): v for k, v in value.items()})}


def _size(field: BaseField | None, value: Any) -> Any:
    size = int(value)
    if size < 0:
        raise ValueError("size takes a number that is not negative")
    return {"$size": size}


def _exists(field: BaseField | None, value: Any) -> Any:
    return {"$exists": bool(value)}


def _mod(field: BaseField | None, value: Any) -> Any:
    if not isinstance(value, (list, tuple)) or len(value) != 2:
        raise TypeError("mod takes [divisor, remainder]")
    if not all(isinstance(one, (int, float, Decimal128)) for one in value) or not value[0]:
        raise ValueError("mod takes numbers, and a divisor that is not 0")
    return {"$mod": list(value)}


def _isnull(field: BaseField | None, value: Any) -> Any:
    if not isinstance(value, bool):
        raise TypeError("isnull takes True or False")
    return None if value else {"$ne": None}


def _range(field: BaseField | None, value: Any) -> Any:
    if not isinstance(value, (list, tuple)) or len(value) != 2:
        raise TypeError("range takes (first, last)")
    low, high = (_one(field, "range", one) for one in value)
    return {"$gte": low, "$lte": high}


_SPECIAL: dict[str, Callable[[BaseField | None, Any], Any]] = {
    "size": _size,
    "exists": _exists,
    "mod": _mod,
    "type": _type,
    "not": _not,
    "elemMatch": _element,
    "match": _element,
    "isnull": _isnull,
    "range": _range,
}
