# SPDX-License-Identifier: Apache-2.0
"""Documents inside documents."""

from __future__ import annotations

from typing import Any

from mongodb.base_document import BaseDocument
from mongodb.errors import FieldDoesNotExist
from mongodb.fields.base_field import BaseField

__all__ = ["DynamicEmbeddedDocument", "DynamicMixin", "EmbeddedDocument"]


class EmbeddedDocument(BaseDocument):
    """A document that is stored inside another one. Equal when its fields are."""

    _is_base = True
    _schema_embedded = True
    _instance: Any = None

    __hash__ = None  # type: ignore[assignment]

    def __eq__(self, other: object) -> bool:
        if isinstance(other, type(self)):
            return bool(self._encode() == other._encode()) or _values(self) == _values(other)
        return NotImplemented

    def __ne__(self, other: object) -> bool:
        return not self == other


def _values(document: Any) -> dict[str, Any]:
    return {key: value for key, value in document.to_mongo().items() if key != "_cls"}


class DynamicMixin:
    """Fields that the class does not declare, as attributes."""

    _dynamic = True
    _extra: Any
    _hollow: bool
    _fetch: Any

    def __getattr__(self, name: str) -> Any:
        if name.startswith("_"):
            raise AttributeError(name)
        try:
            value = self._unknown(name)
        except KeyError:
            value = None
        if value is None:
            raise AttributeError(f"{type(self).__name__} has no field {name!r}")
        return value

    def __setattr__(self, name: str, value: Any) -> None:
        if name.startswith("_") or hasattr(type(self), name):
            object.__setattr__(self, name, value)
            return
        if self._hollow:
            self._fetch()
        extra = self._extra or {}
        extra[name] = _no_fields(value)
        self._extra = extra

    def __delattr__(self, name: str) -> None:
        if name in type(self)._fields:  # type: ignore[attr-defined]
            setattr(self, name, None)
        elif name.startswith("_"):
            object.__delattr__(self, name)
        else:
            getattr(self, name)
            extra = self._extra or {}
            extra[name] = None
            self._extra = extra


def _no_fields(value: Any) -> Any:
    if isinstance(value, BaseField):
        raise FieldDoesNotExist("a field belongs in the class body")
    return value


class DynamicEmbeddedDocument(DynamicMixin, EmbeddedDocument):
    """An embedded document that takes any field."""

    _is_base = True
    _schema_embedded = True
    _dynamic = True
