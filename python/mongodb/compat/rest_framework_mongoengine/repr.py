# SPDX-License-Identifier: Apache-2.0
"""Serializers as text."""

from __future__ import annotations

import re
from typing import Any

from rest_framework.fields import DictField, Field

from mongodb.base_document import BaseDocument
from mongodb.fields.base_field import BaseField
from mongodb.queryset import QuerySet

__all__ = [
    "dict_repr",
    "field_repr",
    "list_repr",
    "manager_repr",
    "mongo_doc_repr",
    "mongo_field_repr",
    "serializer_repr",
    "smart_repr",
]

_INDENT = "    "


def manager_repr(value: Any) -> str:
    """Return a queryset as its class's manager; nothing is read."""
    return f"{value._document.__name__}.objects"


def mongo_field_repr(value: Any) -> str:
    """Return a document's field as its class and its name."""
    cls = type(value)
    place = f"{cls.__module__.replace('.compat.mongoengine', '')}.{cls.__name__}"
    return f"<{place}: {value.name}>" if getattr(value, "name", None) else f"<{place}>"


def mongo_doc_repr(value: Any) -> str:
    """Return a document as its class and its text."""
    return f"<{type(value).__name__}: {value}>"


def smart_repr(value: Any) -> str:
    """Return an argument as text, without addresses."""
    for kind, shown in _SHOWN:
        if isinstance(value, kind):
            return shown(value)
    if isinstance(value, list | tuple) and any(isinstance(one, Field) for one in value):
        return f"[{', '.join(map(smart_repr, value))}]"
    return re.sub(r" at 0x[0-9a-f]+>", ">", repr(value))


def field_repr(field: Any, force_many: Any = False) -> str:
    """Return a field as the call that makes it; a list of serializers as one of many."""
    kwargs = {
        name: one
        for name, one in field._kwargs.items()
        if one is not None or name not in ("label", "help_text")
    }
    if force_many:
        kwargs = {name: one for name, one in kwargs.items() if name != "child"} | {"many": True}
    arguments = [smart_repr(one) for one in field._args]
    arguments += [f"{name}={smart_repr(one)}" for name, one in sorted(kwargs.items())]
    return f"{type(force_many or field).__name__}({', '.join(arguments)})"


def _lines(fields: Any, indent: int) -> list[str]:
    lines = []
    for name, field in fields.items():
        if hasattr(field, "fields"):
            text = serializer_repr(field, indent + 1)
        elif isinstance(field, DictField):
            text = dict_repr(field, indent)
        elif hasattr(field, "child"):
            text = list_repr(field, indent + 1)
        else:
            text = field_repr(field)
        lines.append(f"{_INDENT * indent}{name} = {text}")
    return lines


def serializer_repr(serializer: Any, indent: int, force_many: Any = None) -> str:
    """Return a serializer with its fields, one in a line, and its validators."""
    fields = (force_many or serializer).fields
    lines = [f"{field_repr(serializer, force_many)}:", *_lines(fields, indent)]
    if serializer.validators:
        lines.append(f"{_INDENT * indent}class Meta:")
        lines.append(f"{_INDENT * (indent + 1)}validators = {smart_repr(serializer.validators)}")
    return "\n".join(lines if fields else [*lines, "pass"])


def list_repr(serializer: Any, indent: int) -> str:
    """Return a list's field; that of serializers with their fields."""
    if hasattr(serializer.child, "fields"):
        return serializer_repr(serializer, indent, force_many=serializer.child)
    return field_repr(serializer)


def dict_repr(serializer: Any, indent: int) -> str:
    """Return a dict's field, and below it the fields of the serializer that its child is."""
    child = serializer.child
    if not hasattr(child, "fields"):
        return field_repr(serializer)
    return "\n".join([f"{field_repr(serializer)}:", *_lines(child.fields, indent + 1)])


_SHOWN: list[tuple[Any, Any]] = [
    (QuerySet, manager_repr),
    (BaseField, mongo_field_repr),
    (BaseDocument, mongo_doc_repr),
    (Field, field_repr),
]
