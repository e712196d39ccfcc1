# SPDX-License-Identifier: Apache-2.0
"""Update keywords such as `inc__age=1` as MongoDB updates."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from mongodb import _registry
from mongodb.errors import InvalidQueryError, ValidationError
from mongodb.fields.base_field import STORING_OPERATORS, UPDATE_OPERATORS, BaseField
from mongodb.fields.nested import plain
from mongodb.queryset._expression import Expression
from mongodb.queryset.lookups import OPERATORS, _operator, filter_bson, named, resolve

__all__ = ["NAMES", "build_update", "change", "encode_update", "split"]

NAMES = {
    "set": "$set", "unset": "$unset", "inc": "$inc", "dec": "$inc", "mul": "$mul", "min": "$min",
    "max": "$max", "push": "$push", "push_all": "$push", "pull": "$pull", "pull_all": "$pullAll",
    "pop": "$pop", "add_to_set": "$addToSet", "rename": "$rename",
    "set_on_insert": "$setOnInsert", "current_date": "$currentDate",
}  # fmt: skip


def build_update(cls: Any, update: Mapping[str, Any]) -> Any:
    """Return the update document, or the pipeline that `__raw__` gives."""
    out: dict[str, Any] = {}
    for name, value in update.items():
        if name == "__raw__":
            if isinstance(value, list):
                if len(update) > 1:
                    raise InvalidQueryError("a pipeline in __raw__ stands alone")
                return value
            for op, changes in value.items():
                out.setdefault(op, {}).update(changes)
            continue
        group, path, stored = change(cls, name, value)
        out.setdefault(group, {})[path] = stored
    if not out:
        raise InvalidQueryError("an update needs at least one change, such as set__name='x'")
    return out


def encode_update(cls: Any, update: dict[str, Any]) -> Any:
    """Return the update as `_core.Raw`, or what `build_update` makes of the rare ones."""
    if any(isinstance(value, Expression) for value in update.values()):
        return _computed(cls, update)
    made = cls._schema.update(update)
    return build_update(cls, update) if made is None else made


def _computed(cls: Any, update: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Return the pipeline of an update in which the store computes values."""
    stages: dict[str, Any] = {}
    for name, value in update.items():
        op, parts = split(cls, name)
        if op not in ("set", "inc", "dec", "mul") or name == "__raw__":
            raise InvalidQueryError(f"{name}: an update with F() sets, inc, dec or mul alone")
        path, field = resolve(cls, parts)
        if any(part.isdigit() for part in path.split(".")):
            raise InvalidQueryError(f"{name}: an update with F() has no position in a list")
        if isinstance(value, Expression):
            stored = value.to_expression(cls)
        else:
            stored = {"$literal": change(cls, name, value)[2]}
        if op != "set":
            before = {"$ifNull": [f"${path}", 0]}
            operator = {"inc": "$add", "dec": "$subtract", "mul": "$multiply"}[op]
            if op == "dec" and not isinstance(value, Expression):
                operator = "$add"  # change() has turned it
            stored = {operator: [before, stored]}
        stages[path] = stored
    return [{"$set": stages}]


def split(cls: Any, name: str) -> tuple[str, list[str]]:
    """Return a keyword's operator and the parts of its path."""
    parts = name.split("__")
    op = parts.pop(0) if len(parts) > 1 and _is_operator(cls, parts) else "set"
    if parts and parts[-1] == "":
        parts.pop()
    return op, parts


def change(cls: Any, name: str, value: Any) -> tuple[str, str, Any]:
    """Return what one keyword changes: operator, path, stored value."""
    op, parts = split(cls, name)
    try:
        return NAMES[op], *_change(cls, op, parts, value)
    except ValidationError as error:
        raise named(name, error) from error
    except (TypeError, ValueError) as error:
        raise InvalidQueryError(f"{name}={value!r}: {error}") from error


def _is_operator(cls: Any, parts: list[str]) -> bool:
    return parts[0] in UPDATE_OPERATORS and not (
        parts[0] in cls._fields and cls._fields[parts[0]].lookup_member(parts[1]) is not None
    )


def _change(cls: Any, op: str, parts: list[str], value: Any) -> tuple[str, Any]:
    if op == "pull":
        return _pull(cls, parts, value)
    position = None
    if op in ("push", "push_all") and parts[-1].isdigit() and len(parts) > 1:
        position = int(parts.pop())
    path, field = resolve(cls, parts, positional=True)
    stored = _value(cls, op, field, value)
    if op == "push_all" or position is not None:
        many = stored if isinstance(stored, list) else [stored]
        stored = {"$each": many}
        if position is not None:
            stored["$position"] = position
    return path, stored


def _item(field: BaseField | None) -> BaseField | None:
    return field._item if field is not None and field.kind in ("list", "python") else None


_CHECKED = frozenset(
    "string int long float decimal bool datetime date uuid objectid binary embedded pointer".split()
)


def _check(field: BaseField, op: str, value: Any) -> None:
    """Refuse what the field would not take from a document that is saved."""
    if op not in STORING_OPERATORS or value is None:
        return
    if field.kind in _CHECKED or field._generic or field._members:
        field.validate(field.to_python(value))
    elif field._item is None:
        return
    elif field.kind != "dict" and isinstance(value, (list, tuple)):
        for one in value:
            _check(field._item, op, one)
    elif isinstance(value, Mapping):
        for one in value.values():
            _check(field._item, op, one)


def _prepare(field: BaseField | None, op: str, value: Any) -> Any:
    if field is None:
        return plain(value)
    _check(field, op, value)
    return field.prepare_query_value(op, value)


def _value(cls: Any, op: str, field: BaseField | None, value: Any) -> Any:
    if op == "unset":
        return 1
    if op == "dec":
        return -_number(value)
    if op in ("inc", "mul"):
        return (
            _prepare(field, op, value) if field is not None and field.kind == "decimal" else value
        )
    if op == "pop":
        return int(value)
    if op == "current_date":
        return value if isinstance(value, Mapping) else True
    if op == "rename":
        return resolve(cls, value.split("__"))[0] if value in cls._fields else value
    if op in ("set", "set_on_insert", "min", "max"):
        if value is None:
            return None
        longest = getattr(field, "max_length", None) if op != "min" and op != "max" else None
        if longest is not None and isinstance(value, (list, tuple)) and len(value) > longest:
            field.error(f"must have at most {longest} items, has {len(value)}")  # type: ignore[union-attr]
        return _prepare(field, op, value)
    item = _item(field)
    many = isinstance(value, (list, tuple, set, frozenset))
    if op == "push":
        return (
            [_prepare(item, op, one) for one in value]
            if many and item is None
            else (_prepare(item, op, value) if not many else _pushed(item, value))
        )
    if op in ("push_all", "pull_all"):
        if not many:
            raise TypeError(f"{op} takes a list of values")
        return [_prepare(item, op, one) for one in value]
    if many:  # add_to_set
        return {"$each": [_prepare(item, op, one) for one in value]}
    return _prepare(item, op, value)


def _pushed(item: BaseField | None, value: Any) -> Any:
    return (
        _prepare(item, "push", value)
        if item is not None and item.kind == "list"
        else [_prepare(item, "push", one) for one in value]
    )


def _number(value: Any) -> Any:
    if isinstance(value, bool) or not hasattr(value, "__neg__"):
        raise TypeError("dec takes a number")
    return value


def _pull(cls: Any, parts: list[str], value: Any) -> tuple[str, Any]:
    """Split the name at the list; the rest is a filter on its items."""
    for end in range(1, len(parts) + 1):
        path, field = resolve(cls, parts[:end], positional=True)
        if field is None or field.kind != "list":
            continue
        rest = parts[end:]
        item = field._item
        if not rest:
            if item is not None and item.kind == "embedded" and isinstance(value, Mapping):
                return path, filter_bson(item.document_type, value)
            return path, _prepare(item, "pull", value)
        if len(rest) == 1 and rest[0] in OPERATORS:
            return path, _operator(item, rest[0], value)
        if item is not None and item.kind == "embedded":
            return path, filter_bson(item.document_type, {"__".join(rest): value})
        return path, {".".join(rest): value}
    path, field = resolve(cls, parts, positional=True)
    return path, value if _registry.is_document(value) else _prepare(field, "pull", value)
