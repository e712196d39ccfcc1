# SPDX-License-Identifier: Apache-2.0
"""The lookups `year` and `date`, alone or compared (`year__gte`), as ranges for an index."""

from __future__ import annotations

import datetime
from typing import Any

from mongodb.fields.base_field import BaseField
from mongodb.fields.dates import ComplexDateTimeField, DateTimeField

__all__ = ["PERIODS", "period"]

PERIODS = frozenset({"year", "date"})


def period(field: BaseField | None, op: str, value: Any) -> Any:
    """A year, or a day: from its beginning to the next one's."""
    kind, _, compared = op.partition("__")
    if kind == "year":
        if isinstance(value, bool) or not isinstance(value, int) or not 1 <= value < 9999:
            raise ValueError("year takes a number from 1 to 9998")
        begin, end = (datetime.datetime(one, 1, 1) for one in (value, value + 1))
    else:
        if isinstance(value, str):
            value = datetime.date.fromisoformat(value)
        if not isinstance(value, datetime.date):
            raise TypeError("date takes a date")
        begin = datetime.datetime(value.year, value.month, value.day)
        end = begin + datetime.timedelta(days=1)
    while field is not None and field.kind == "list":
        field = field._item
    if not isinstance(field, (DateTimeField, ComplexDateTimeField)):
        raise TypeError(f"{kind} is for dates, not for a {type(field).__name__}")
    first, after = (field.prepare_query_value("gte", one) for one in (begin, end))
    within = {"$gte": first, "$lt": after}
    conditions = {"": within, "ne": {"$not": within}, "gt": {"$gte": after}, "gte": {"$gte": first},
                  "lt": {"$lt": first}, "lte": {"$lt": after}}  # fmt: skip
    return conditions[compared]
