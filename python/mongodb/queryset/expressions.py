# SPDX-License-Identifier: Apache-2.0
"""What `aggregate()` can compute without a pipeline."""

from __future__ import annotations

from typing import Any

from mongodb.queryset.lookups import db_path

__all__ = ["Aggregate", "Avg", "Count", "Max", "Min", "Sum"]


class Aggregate:
    """A value over all documents of a queryset; None when there is none."""

    operator = ""
    empty: Any = None

    def __init__(self, field: str) -> None:
        if not isinstance(field, str):
            raise TypeError(f"{type(self).__name__} takes the name of a field")
        self.field = field

    @property
    def default_name(self) -> str:
        """The key of the result when none is given: `age__sum`."""
        return f"{self.field}__{type(self).__name__.lower()}"

    def accumulator(self, document: Any) -> dict[str, Any]:
        """Return the accumulator of a $group stage."""
        return {self.operator: f"${db_path(document, self.field)}"}

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.field!r})"


class Sum(Aggregate):
    """The sum of the numbers."""

    operator = "$sum"


class Avg(Aggregate):
    """The mean of the numbers."""

    operator = "$avg"


class Min(Aggregate):
    """The least value."""

    operator = "$min"


class Max(Aggregate):
    """The greatest value."""

    operator = "$max"


class Count(Aggregate):
    """How many documents have a value; `Count("*")` counts all."""

    empty = 0

    def accumulator(self, document: Any) -> dict[str, Any]:
        if self.field in ("*", "pk") or self.field == document._meta.get("id_field"):
            return {"$sum": 1}
        path = f"${db_path(document, self.field)}"
        return {"$sum": {"$cond": [{"$gt": [path, None]}, 1, 0]}}
