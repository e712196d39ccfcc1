# SPDX-License-Identifier: Apache-2.0
"""Serializers as text."""

from __future__ import annotations

from typing import Any

from rest_framework.utils.representation import (
    field_repr,
    list_repr,
    manager_repr,
    serializer_repr,
    smart_repr,
)

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


def mongo_field_repr(value: Any) -> str:
    """Return a document's field as its class and its name."""
    return f"<{type(value).__name__}: {value.name}>"


def mongo_doc_repr(value: Any) -> str:
    """Return a class of documents as its name."""
    return str(value.__name__)


def dict_repr(serializer: Any, indent: int) -> str:
    """Return a dict's field, and the serializer that its child is."""
    child = serializer.child
    if hasattr(child, "fields"):
        return f"{serializer_repr(serializer, indent, force_many=child)}"
    return str(field_repr(serializer))
