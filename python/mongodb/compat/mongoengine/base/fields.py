# SPDX-License-Identifier: Apache-2.0
"""The common bases of fields."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import Any

from mongodb.fields import GeoJsonBaseField, ObjectIdField
from mongodb.fields.base import BaseField
from mongodb.fields.nested import ComplexBaseField

__all__ = ["BaseField", "ComplexBaseField", "GeoJsonBaseField", "ObjectIdField"]


@contextlib.contextmanager
def _no_dereference_for_fields(*fields: Any) -> Iterator[None]:
    """Mark fields as read without fetching; querysets of `no_dereference()` do so here."""
    before = [field._auto_dereference for field in fields]
    try:
        for field in fields:
            field._auto_dereference = False
        yield
    finally:
        for field, value in zip(fields, before, strict=True):
            field._auto_dereference = value
