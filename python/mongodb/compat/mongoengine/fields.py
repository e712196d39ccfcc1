# SPDX-License-Identifier: Apache-2.0
"""Fields. Embedded documents that are read from one know their document, as `_instance`."""

from __future__ import annotations

import weakref
from typing import Any

from mongodb import fields as _fields
from mongodb.base import BaseDocument
from mongodb.fields import *  # noqa: F403

RECURSIVE_REFERENCE_CONSTANT = "self"

_RULES = {"CASCADE", "DENY", "DO_NOTHING", "NULLIFY", "PULL", "BaseField"}
__all__ = sorted(set(_fields.__all__) - _RULES)  # noqa: PLE0605


class _Binding:
    """Tells embedded documents whose they are when they are read."""

    def __get__(self, instance: Any, owner: Any = None) -> Any:
        value = super().__get__(instance, owner)  # type: ignore[misc]
        if instance is not None and value is not None and _holds_documents(self):
            _bind(value, instance)
        return value

    def __set__(self, instance: Any, value: Any) -> None:
        super().__set__(instance, value)  # type: ignore[misc]
        if _holds_documents(self):
            _bind(value, instance)


def _holds_documents(field: Any) -> bool:
    while field._item is not None:
        field = field._item
    return bool(field.kind == "embedded" or field._generic)


def _bind(value: Any, instance: Any) -> None:
    if isinstance(value, BaseDocument):
        if value._schema_embedded and value._instance is None:
            value._instance = weakref.proxy(instance)
    elif isinstance(value, (list, tuple)):
        for one in value:
            _bind(one, instance)
    elif isinstance(value, dict):
        for one in value.values():
            _bind(one, instance)


class EmbeddedDocumentField(_Binding, _fields.EmbeddedDocumentField):
    """An embedded document."""


class GenericEmbeddedDocumentField(_Binding, _fields.GenericEmbeddedDocumentField):
    """An embedded document of any class."""


class ListField(_Binding, _fields.ListField):
    """A list."""


class SortedListField(_fields.SortedListField, ListField):
    """A list that is sorted when it is stored."""


class EmbeddedDocumentListField(_fields.EmbeddedDocumentListField, ListField):
    """A list of embedded documents."""


class DictField(_Binding, _fields.DictField):
    """A dict."""


class MapField(_fields.MapField, DictField):
    """A dict whose values are of one field."""
