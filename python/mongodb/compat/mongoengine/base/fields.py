# SPDX-License-Identifier: Apache-2.0
"""The common bases of fields."""

from __future__ import annotations

import contextlib
import contextvars
from collections.abc import Iterator
from typing import Any

from mongodb.compat.mongoengine._beside import beside
from mongodb.errors import InvalidDocumentError
from mongodb.fields import GeoJsonBaseField, ObjectIdField
from mongodb.fields import nested as _nested
from mongodb.fields.base_field import BaseField

__all__ = ["BaseField", "ComplexBaseField", "GeoJsonBaseField", "ObjectIdField"]


class ComplexBaseField(_nested.ComplexBaseField):
    """What lists and dicts share."""

    def __init__(self, field: Any = None, **kwargs: Any) -> None:
        try:
            super().__init__(field, **kwargs)
        except InvalidDocumentError as error:
            raise TypeError(f"field argument must be a Field instance: {error}") from error


# The fields, by id, and the classes that read references as they are stored, in this context.
_unfetched: contextvars.ContextVar[frozenset[Any]] = contextvars.ContextVar(
    "mongodb_unfetched", default=frozenset()
)


def dereferences(one: Any) -> bool:
    """Whether references of a field, or in documents of a class, are fetched here."""
    return id(one) not in _unfetched.get()


def no_dereferencing_active_for_class(cls: Any) -> bool:
    """Whether references of a class's documents are read as DBRefs here."""
    return not dereferences(cls)


@contextlib.contextmanager
def _no_dereference_for_fields(*fields: Any) -> Iterator[None]:
    """Read references of these fields (or of a class's new querysets) as DBRefs."""
    token = _unfetched.set(_unfetched.get() | {id(one) for one in fields})
    try:
        yield
    finally:
        _unfetched.reset(token)


__getattr__ = beside(__name__)
