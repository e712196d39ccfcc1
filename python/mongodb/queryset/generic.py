# SPDX-License-Identifier: Apache-2.0
"""What Django's generic code asks of a manager and of a queryset beside their methods."""

from __future__ import annotations

import datetime
import zoneinfo
from collections.abc import Mapping
from typing import Any

from mongodb.errors import InvalidQueryError, NotSupportedError
from mongodb.queryset.expressions import Avg, Count, Max, Min, Sum

__all__ = ["ManagerMixin"]

_OWN = {one.__name__: one for one in (Avg, Count, Max, Min, Sum)}
_DATES = {"year": "%Y-01-01", "month": "%Y-%m-01", "day": "%Y-%m-%d"}
_TIMES = {
    **_DATES,
    "hour": "%Y-%m-%dT%H:00",
    "minute": "%Y-%m-%dT%H:%M",
    "second": "%Y-%m-%dT%H:%M:%S",
}


class _Query:
    """What a queryset computes, orders and joins in SQL: nothing."""

    annotations: Mapping[str, Any] = {}
    order_by: tuple[str, ...] = ()

    def __init__(self, queryset: Any) -> None:
        self.select_related = bool(queryset._related or queryset._depth)


class ManagerMixin:
    """Names of Django's managers, under which generic code reaches a queryset."""

    _prefetch_related_lookups: tuple[Any, ...] = ()
    _unique_values = False

    @property
    def query(self) -> Any:
        """What Django's generic code asks: that nothing is computed beside the fields."""
        return _Query(self)

    @property
    def db(self: Any) -> str:
        """The connection's alias."""
        return self._alias  # type: ignore[no-any-return]

    def get_queryset(self: Any) -> Any:
        """Return a copy, as a manager gives its queryset."""
        return self.all()

    def db_manager(self: Any, using: str | None = None, hints: Any = None) -> Any:
        """Return the querysets of a connection, as a manager does."""
        return self.using(using)

    def _clone(self: Any) -> Any:
        return self.clone()

    def complex_filter(self: Any, filter_obj: Any) -> Any:
        """Filter by a dict of lookups or by a Q."""
        if isinstance(filter_obj, Mapping):
            return self.filter(**filter_obj)
        return self.filter(filter_obj)

    def dates(self: Any, field: str, kind: str, order: str = "ASC") -> list[datetime.date]:
        """Return the years, months or days that a field's values are in, each by its first day."""
        if kind not in _DATES:
            raise InvalidQueryError(f"dates() takes {', '.join(_DATES)}, not {kind!r}")
        found = self._periods(field, _DATES[kind], "UTC", order)
        return [datetime.date.fromisoformat(text) for text in found]

    def datetimes(
        self: Any, field: str, kind: str, order: str = "ASC", tzinfo: Any = None
    ) -> list[datetime.datetime]:
        """Return the beginnings of the periods that a field's values are in, in a time zone."""
        if kind not in _TIMES:
            raise InvalidQueryError(f"datetimes() takes {', '.join(_TIMES)}, not {kind!r}")
        zone = tzinfo or datetime.UTC
        name = getattr(zone, "key", None) or _offset(zone)
        found = self._periods(field, _TIMES[kind], name, order)
        return [datetime.datetime.fromisoformat(one).replace(tzinfo=zone) for one in found]

    def _periods(self: Any, field: str, form: str, zone: str, order: str) -> list[str]:
        if order not in ("ASC", "DESC"):
            raise InvalidQueryError(f"the order is ASC or DESC, not {order!r}")
        path = self._field_path(field)
        text = {"$dateToString": {"date": f"${path}", "format": form, "timezone": zone}}
        stages = [
            {"$match": {path: {"$type": "date"}}},
            {"$group": {"_id": text}},
            {"$sort": {"_id": 1 if order == "ASC" else -1}},
        ]
        return [one["_id"] for one in self._unordered()._pipeline(stages, {})]

    def _aggregated(self: Any, named: Mapping[str, Any]) -> dict[str, Any]:
        """Return what Django's own Count, Sum, Avg, Min and Max of fields come to."""
        found: dict[str, Any] = {}
        for name, expression in named.items():
            kind = _OWN.get(type(expression).__name__)
            source = expression.get_source_expressions()[0] if kind is not None else None
            field = "*" if type(source).__name__ == "Star" else getattr(source, "name", None)
            if kind is None or field is None or getattr(expression, "distinct", False):
                raise NotSupportedError(
                    f"{name}: documents compute Count, Sum, Avg, Min and Max of a field, not "
                    f"{expression!r}"
                )
            chosen = self if expression.filter is None else self.filter(expression.filter)
            found |= chosen.aggregate(**{name: kind(field)})
        return found

    def prefetch_related(self: Any, *lookups: Any) -> Any:
        """Not supported: `select_related()` fetches what references point to."""
        if lookups and lookups != (None,):
            raise NotSupportedError("documents have no prefetch_related(): use select_related()")
        return self.clone()


def _offset(zone: Any) -> str:
    if not isinstance(zone, (datetime.timezone, zoneinfo.ZoneInfo)):
        return str(zone)
    text = datetime.datetime.now(zone).strftime("%z")
    return f"{text[:3]}:{text[3:]}"
