# SPDX-License-Identifier: Apache-2.0
"""Documents, with MongoEngine's habits where they cost nothing."""

from __future__ import annotations

from typing import Any

from mongodb import document as _document
from mongodb import embedded as _embedded
from mongodb.errors import InvalidCollectionError, NotUniqueError, OperationError

__all__ = [
    "Document",
    "DynamicDocument",
    "DynamicEmbeddedDocument",
    "EmbeddedDocument",
    "InvalidCollectionError",
    "NotUniqueError",
    "OperationError",
]


class _Habits:
    """`__unicode__`, which Python 2's projects have kept, is what `str()` gives."""

    def __str__(self) -> str:
        text: Any = getattr(self, "__unicode__", None)
        return super().__str__() if text is None else str(text())


class Document(_Habits, _document.Document):
    """A document of a collection."""

    _is_base = True


class DynamicDocument(_document.DynamicDocument, Document):
    """A document that takes any field."""

    _is_base = True
    _dynamic = True


class EmbeddedDocument(_Habits, _embedded.EmbeddedDocument):
    """A document inside another one."""

    _is_base = True
    _schema_embedded = True


class DynamicEmbeddedDocument(_embedded.DynamicEmbeddedDocument, EmbeddedDocument):
    """An embedded document that takes any field."""

    _is_base = True
    _schema_embedded = True
    _dynamic = True
