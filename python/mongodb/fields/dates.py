# SPDX-License-Identifier: Apache-2.0
"""Fields that hold a moment or a day."""

from __future__ import annotations

import datetime
import re
from typing import Any

from bson.datetime_ms import DatetimeMS

from mongodb.fields.base_field import BaseField
from mongodb.fields.scalar import StringField

__all__ = ["ComplexDateTimeField", "DateField", "DateTimeField"]


def utc_now() -> datetime.datetime:
    """Return the present moment as documents have it: in UTC, without a zone."""
    return datetime.datetime.now(datetime.UTC).replace(tzinfo=None)


def parse_datetime(text: str) -> datetime.datetime | None:
    """Return the moment that a text names, or None."""
    text = text.strip()
    try:
        return datetime.datetime.fromisoformat(text)
    except ValueError:
        pass
    if not re.search(r"\d", text):
        return None
    try:  # accepts more spellings of dates when it is there; it takes long to import
        from dateutil import parser  # type: ignore[import-untyped]
    except ImportError:  # pragma: no cover
        return None
    try:
        found: datetime.datetime = parser.parse(text)
    except (TypeError, ValueError, OverflowError):
        return None
    return found


class DateTimeField(BaseField):
    """A moment, in milliseconds; naive values are UTC.

    `auto_now` sets it at every save, `auto_now_add` at the first.
    """

    kind = "datetime"

    def __init__(self, auto_now: bool = False, auto_now_add: bool = False, **kwargs: Any) -> None:
        if auto_now and auto_now_add:
            raise ValueError("auto_now and auto_now_add exclude each other")
        self.auto_now = auto_now
        self.auto_now_add = auto_now_add
        super().__init__(**kwargs)

    def now(self) -> Any:
        """Return the present moment as the field stores it."""
        now = utc_now()
        return now.replace(microsecond=now.microsecond // 1000 * 1000)

    def to_mongo(self, value: Any) -> Any:
        if value is None or isinstance(value, (datetime.datetime, DatetimeMS)):
            return value
        if isinstance(value, datetime.date):
            return datetime.datetime(value.year, value.month, value.day)
        if callable(value):
            return value()
        return parse_datetime(value) if isinstance(value, str) else None

    def to_python(self, value: Any) -> Any:
        if isinstance(value, str):
            return parse_datetime(value) or value
        return value

    def validate(self, value: Any, clean: bool = True) -> None:
        if self.to_mongo(value) is None:
            self.error(f"must be a date and time such as 2024-05-31T12:00:00, not {value!r}")

    def prepare_query_value(self, op: str | None, value: Any) -> Any:
        if value is None:
            return None
        stored = self.to_mongo(value)
        if stored is None:  # null would silently match documents without a value
            raise ValueError(f"a date such as 2024-05-31T12:00:00 is needed, not {value!r}")
        return stored


class DateField(DateTimeField):
    """A day; stored as its midnight in UTC."""

    kind = "date"

    def now(self) -> Any:
        return datetime.datetime.now(datetime.UTC).date()

    def to_mongo(self, value: Any) -> Any:
        value = super().to_mongo(value)
        if isinstance(value, datetime.datetime):
            return datetime.datetime(value.year, value.month, value.day)
        return value

    def to_python(self, value: Any) -> Any:
        value = super().to_python(value)
        return value.date() if isinstance(value, datetime.datetime) else value

    def validate(self, value: Any, clean: bool = True) -> None:
        if self.to_mongo(value) is None:
            self.error(f"must be a date such as 2024-05-31, not {value!r}")


class ComplexDateTimeField(StringField):
    """A moment in microseconds, stored as text that sorts by time."""

    kind = "python"

    def __init__(self, separator: str = ",", **kwargs: Any) -> None:
        self.separator = separator
        self.format = separator.join(("%Y", "%m", "%d", "%H", "%M", "%S", "%f"))
        super().__init__(**kwargs)

    def to_python(self, value: Any) -> Any:
        if isinstance(value, str):
            try:
                parts = [int(part) for part in value.split(self.separator)]
                return datetime.datetime(*parts)  # type: ignore[arg-type]
            except (TypeError, ValueError):
                return parse_datetime(value) or value
        return value

    def to_mongo(self, value: Any) -> Any:
        value = self.to_python(value)
        return value.strftime(self.format) if isinstance(value, datetime.datetime) else value

    def validate(self, value: Any, clean: bool = True) -> None:
        if not isinstance(self.to_python(value), datetime.datetime):
            self.error(f"must be a date and time, not {value!r}")

    def prepare_query_value(self, op: str | None, value: Any) -> Any:
        stored = self.to_mongo(value)
        if value is not None and self.to_python(stored) == stored:
            raise ValueError(f"a date such as 2024-05-31T12:00:00 is needed, not {value!r}")
        return stored
