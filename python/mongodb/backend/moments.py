# SPDX-License-Identifier: Apache-2.0
"""Dates with microseconds as values: as one number, and as a date and what is beside it. What they
are for stands in plan/micros.py."""

from __future__ import annotations

import datetime
from collections.abc import Iterable
from typing import Any

from bson.datetime_ms import DatetimeMS

__all__ = ["EPOCH", "FAR", "all_wide", "joined", "more_of", "wide_of"]

EPOCH = datetime.datetime(1970, 1, 1)
FAR = 10**18  # 1970 as one number
_STEP = datetime.timedelta(microseconds=1)
_FIRST = FAR + (datetime.datetime.min - EPOCH) // _STEP
_LAST = FAR + (datetime.datetime.max - EPOCH) // _STEP


def wide_of(value: Any) -> Any:
    """A date as one number of microseconds; any other value as it is."""
    if isinstance(value, datetime.datetime):
        return DatetimeMS(FAR + (value.replace(tzinfo=None) - EPOCH) // _STEP)
    return value


def all_wide(values: Iterable[Any]) -> list[Any]:
    return [wide_of(value) for value in values]


def joined(value: Any, beside: Any = None) -> Any:
    """A date with its microseconds: those beside it, or those of one number."""
    if isinstance(value, DatetimeMS) and _FIRST <= int(value) <= _LAST:
        return EPOCH + datetime.timedelta(microseconds=int(value) - FAR)
    if isinstance(value, datetime.datetime) and isinstance(beside, int):
        return value + datetime.timedelta(microseconds=beside)
    return value


def more_of(value: Any) -> int:
    """The microseconds that a date has beside its milliseconds."""
    return value.microsecond % 1000 if isinstance(value, datetime.datetime) else 0
