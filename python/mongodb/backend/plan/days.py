# SPDX-License-Identifier: Apache-2.0
"""The day of a moment, compared with a day: the moments of that day, which an index finds."""

from __future__ import annotations

import datetime
import zoneinfo
from typing import Any

from mongodb.backend.plan.bind import Call
from mongodb.backend.plan.scope import Scope
from mongodb.backend.plan.walk import constant, is_constant
from mongodb.backend.sql import nodes as n

__all__ = ["is_day", "leaf"]

_DAY = datetime.timedelta(days=1)


def is_day(scope: Scope, node: n.Node) -> bool:
    """Whether a value is the day of a moment that is a field of the row here."""
    if not isinstance(node, n.Func) or node.name != "CAST_DATE":
        return False
    column, *zone = node.args
    if not isinstance(column, n.Column) or column in scope.replaced:
        return False
    source = scope.find(column)
    return (
        source is not None and not source.info.derived and all(map(is_constant, zone))
        and source.info.types.get(column.name, "").startswith("datetime")
    )  # fmt: skip


def leaf(scope: Scope, op: str, node: n.Func, value: Any) -> dict[str, Any]:
    """The filter of the moments whose day is =, <>, <, <=, > or >= a day."""
    path = scope.path(node.args[0]) or ""
    zone = constant(node.args[1]) if len(node.args) > 1 else None
    begin, end = Call(begins, (value, zone)), Call(ends, (value, zone))
    if op == "<>":
        return {"$or": [{path: {"$lt": begin}}, {path: {"$gte": end}}]}
    tests: dict[str, Any] = {
        "=": {"$gte": begin, "$lt": end}, "<": {"$lt": begin}, "<=": {"$lt": end},
        ">": {"$gte": end}, ">=": {"$gte": begin},
    }  # fmt: skip
    return {path: tests[op]}


def begins(value: Any, zone: Any) -> Any:
    """The first moment of the first day that is not before a date."""
    if not isinstance(value, datetime.datetime):
        return value  # equal to no day
    midnight = _midnight(value)
    return _moment(midnight if midnight == value else _next(midnight), zone)


def ends(value: Any, zone: Any) -> Any:
    """The first moment of the first day that is after a date."""
    if not isinstance(value, datetime.datetime):
        return value
    return _moment(_next(_midnight(value)), zone)


def _midnight(value: datetime.datetime) -> datetime.datetime:
    return value.replace(hour=0, minute=0, second=0, microsecond=0)


def _next(midnight: datetime.datetime) -> datetime.datetime:
    try:
        return midnight + _DAY
    except OverflowError:
        return datetime.datetime.max


def _moment(midnight: datetime.datetime, zone: Any) -> datetime.datetime:
    if zone in (None, "", "UTC"):
        return midnight
    try:
        local = midnight.replace(tzinfo=_zone(str(zone)))
        return local.astimezone(datetime.UTC).replace(tzinfo=None)
    except OverflowError:
        return midnight


def _zone(name: str) -> datetime.tzinfo:
    if name[:1] in "+-":
        return datetime.datetime.strptime(name.replace(":", "")[:5], "%z").tzinfo or datetime.UTC
    return zoneinfo.ZoneInfo(name)
