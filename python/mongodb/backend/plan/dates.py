# SPDX-License-Identifier: Apache-2.0
"""Dates and times in MongoDB's expressions."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from mongodb.backend.plan.bind import P
from mongodb.backend.plan.scope import PlanError

__all__ = [
    "cast_date", "cast_time", "date_diff", "duration", "extract", "from_zone", "guard",
    "literal_text", "now", "time_trunc", "to_date", "to_datetime", "to_time", "trunc",
]  # fmt: skip


def guard(args: Sequence[Any], expr: Any) -> Any:
    """Return `expr`, or null when an argument is null."""
    tests = [{"$gt": [arg, None]} for arg in args if not _plain(arg)]
    if not tests:
        return expr
    return {"$cond": [tests[0] if len(tests) == 1 else {"$and": tests}, expr, None]}


def _plain(arg: Any) -> bool:
    return isinstance(arg, (bool, int, float, str)) and not (
        isinstance(arg, str) and arg.startswith("$")
    )


def literal_text(expr: Any) -> Any:
    if isinstance(expr, dict) and "$literal" in expr:
        return expr["$literal"]
    return expr


# Dates


def to_date(expr: Any, sizes: list[int]) -> Any:
    return {"$dateTrunc": {"date": {"$toDate": expr}, "unit": "day"}}


def to_time(expr: Any, sizes: list[int]) -> Any:
    # text may be a time alone
    date = {"$let": {"vars": {"v": expr}, "in": {"$toDate": {"$cond": [
        {"$regexMatch": {"input": {"$cond": [{"$eq": [{"$type": "$$v"}, "string"]}, "$$v", ""]},
                         "regex": "^[0-9]{1,2}:"}},
        {"$concat": ["0001-01-01T", {"$cond": [{"$eq": [{"$substrCP": ["$$v", 1, 1]}, ":"]},
                                               "0", ""]}, "$$v"]}, "$$v"]}}}}  # fmt: skip
    return {"$let": {"vars": {"d": date}, "in": guard(["$$d"], {"$dateFromParts": {
        "year": 1, "hour": {"$hour": "$$d"}, "minute": {"$minute": "$$d"},
        "second": {"$second": "$$d"}, "millisecond": {"$millisecond": "$$d"}}})}}  # fmt: skip


def to_datetime(expr: Any, sizes: list[int]) -> Any:
    return {"$toDate": expr}


def _zone(tz: Any) -> Any:
    text = literal_text(tz)
    return None if text in (None, "", "UTC") and not isinstance(text, P) else tz


def _part(date: Any, tz: Any = None) -> Any:
    zone = _zone(tz)
    return {"date": date, **({"timezone": zone} if zone is not None else {})}


def extract(what: Any, date: Any, tz: Any = None) -> Any:
    unit = literal_text(what)
    whole = _part(date, tz)
    simple = {"year": "$year", "month": "$month", "day": "$dayOfMonth", "hour": "$hour",
              "minute": "$minute", "second": "$second", "week": "$isoWeek",
              "iso_year": "$isoWeekYear", "iso_week_day": "$isoDayOfWeek",
              "week_day": "$dayOfWeek", "microsecond": "$millisecond"}  # fmt: skip
    if unit == "quarter":
        return {"$ceil": {"$divide": [{"$month": whole}, 3]}}
    if unit == "microsecond":
        return {"$multiply": [{"$millisecond": whole}, 1000]}
    if unit not in simple:
        raise PlanError(f"no such part of a date: {unit}")
    return {simple[unit]: whole}


_UNITS = frozenset("year quarter month week day hour minute second".split())


def trunc(what: Any, date: Any, tz: Any = None) -> Any:
    unit = literal_text(what)
    if unit not in _UNITS:
        raise PlanError(f"no such part of a date to begin at: {unit}")
    zone = _zone(tz)
    week = {"startOfWeek": "monday"} if unit == "week" else {}
    made: Any = {"$dateTrunc": {"date": date, "unit": unit, **week}}
    if zone is None:
        return made
    # the result is the wall clock's time in the zone, written as if it were UTC: as SQL's do
    local = {"$dateFromParts": {
        part: {f"${op}": {"date": "$$d", "timezone": zone}}
        for part, op in (("year", "year"), ("month", "month"), ("day", "dayOfMonth"),
                         ("hour", "hour"), ("minute", "minute"), ("second", "second"),
                         ("millisecond", "millisecond"))}}  # fmt: skip
    return {"$let": {"vars": {"d": date}, "in": guard(["$$d"], {
        "$dateTrunc": {"date": local, "unit": unit, **week}})}}  # fmt: skip


def from_zone(date: Any, tz: Any) -> Any:
    """Return the moment at which a clock in the zone shows a date."""
    parts = {name: {f"${op}": "$$d"} for name, op in (
        ("year", "year"), ("month", "month"), ("day", "dayOfMonth"), ("hour", "hour"),
        ("minute", "minute"), ("second", "second"), ("millisecond", "millisecond"))}  # fmt: skip
    made = {"$dateFromParts": {**parts, "timezone": tz}}
    return {"$let": {"vars": {"d": date}, "in": guard(["$$d"], made)}}


def time_trunc(what: Any, date: Any, tz: Any = None) -> Any:
    return trunc(what, date, tz)


def cast_date(date: Any, tz: Any = None) -> Any:
    return trunc({"$literal": "day"}, date, tz)


def cast_time(date: Any, tz: Any = None) -> Any:
    zone = _zone(tz)
    extra = {"timezone": zone} if zone is not None else {}
    return {"$let": {"vars": {"d": date}, "in": guard(["$$d"], {"$dateFromParts": {
        "year": 1, **{part: {f"${part}": {"date": "$$d", **extra}}
                      for part in ("hour", "minute", "second", "millisecond")}}})}}  # fmt: skip


def duration(op: str) -> Callable[..., Any]:
    """A date and microseconds, either way round, or microseconds alone."""

    def make(left: Any, right: Any) -> Any:
        def ms(one: str) -> Any:
            return {"$toLong": {"$floor": {"$divide": [one, 1000]}}}

        branches = [{"case": {"$eq": [{"$type": "$$a"}, "date"]}, "then": {op: ["$$a", ms("$$b")]}}]
        if op == "$add":
            branches.append({"case": {"$eq": [{"$type": "$$b"}, "date"]},
                             "then": {op: ["$$b", ms("$$a")]}})  # fmt: skip
        whole = {"$switch": {"branches": branches, "default": {op: ["$$a", "$$b"]}}}
        return {"$let": {"vars": {"a": left, "b": right}, "in": guard(["$$a", "$$b"], whole)}}

    return make


def date_diff(left: Any, right: Any) -> Any:
    return {"$multiply": [{"$subtract": [left, right]}, 1000]}


def now() -> Any:
    return "$$NOW"
