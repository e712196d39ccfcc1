# SPDX-License-Identifier: Apache-2.0
"""What `manage.py check --database` says of fields."""

from __future__ import annotations

from typing import Any

from django.core import checks
from django.db import models
from django.db.backends.base.validation import BaseDatabaseValidation

__all__ = ["DatabaseValidation"]


class DatabaseValidation(BaseDatabaseValidation):
    """Refuses columns that MongoDB would take for paths or operators, and warns of keys that end
    at the millisecond."""

    def check_field(self, field: Any, **kwargs: Any) -> list[checks.CheckMessage]:
        return [*_column(field), *_moments(field)]


def _column(field: Any) -> list[checks.CheckMessage]:
    column = getattr(field, "column", None) or ""
    if not (column.startswith("$") or "." in column):
        return []
    return [
        checks.Error(
            f"the column {column!r} begins with $ or has a dot, which MongoDB takes for an "
            "operator or a path",
            hint="Give the field another db_column.",
            obj=field,
            id="mongodb.E020",
        )
    ]


def _moments(field: Any) -> list[checks.CheckMessage]:
    of_moments = isinstance(field, (models.DateTimeField, models.TimeField))
    if not (field.primary_key and of_moments):
        return []
    return [
        checks.Warning(
            "a primary key that is a date or time ends at the millisecond: two within one are "
            "the same key",
            hint="Make it a field with unique=True, which keeps microseconds, beside another key.",
            obj=field,
            id="mongodb.W021",
        )
    ]
