# SPDX-License-Identifier: Apache-2.0
"""What `_core.Schema` asks of Python: a keyword's meaning once, and values of foreign types."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from mongodb.errors import InvalidQueryError
from mongodb.fields.base_field import BaseField
from mongodb.queryset.lookups import _condition, parse
from mongodb.queryset.lookups import resolve as _resolve
from mongodb.queryset.updates import NAMES, _item, change, split

__all__ = ["change", "condition", "filter_key", "raw", "update_key"]

condition = _condition

# (path, field, operator, negated, native, group, what condition() gets)
_Key = tuple[str, BaseField | None, str, bool, bool, str | None, Any]


def _native(field: BaseField | None) -> bool:
    """Whether the field converts values as its kind does, so that C may do it."""
    while field is not None:
        if field.kind == "python" or any(
            field._overrides(name)
            for name in ("prepare_query_value", "to_python", "to_mongo", "_check_choice_free")
        ):
            return False
        field = field._item
    return True


def filter_key(cls: Any, name: str) -> _Key:
    """Return what a keyword of `filter()` means."""
    lookup = parse(cls, name)
    path, field, op, negated = lookup
    return path, field, op or "", negated, _native(field), None, lookup


_CHANGES = {
    "set": "stored", "set_on_insert": "stored", "min": "value", "max": "value", "push": "item",
    "add_to_set": "item", "inc": "number", "mul": "number", "dec": "less", "unset": "unset",
    "current_date": "now",
}  # fmt: skip


def update_key(cls: Any, name: str) -> _Key:
    """Return what a keyword of `update()` means; "" as operator leaves it to `change`."""
    op, parts = split(cls, name)
    how = _CHANGES.get(op, "")
    if op in ("push", "add_to_set") and parts[-1].isdigit():
        how = ""  # a position, or an item of the list
    if not how:
        return "", None, "", False, False, NAMES[op], None
    path, field = _resolve(cls, parts, positional=True)
    native = _native(field)
    if how == "item":
        field = _item(field)
    elif how == "number":
        native = native and (field is None or field.kind != "decimal")
    return path, field, how, False, native, NAMES[op], None


def raw(value: Any) -> Any:
    """Return the document that `__raw__` gives."""
    if not isinstance(value, Mapping):
        raise InvalidQueryError("__raw__ takes a filter document")
    return value
