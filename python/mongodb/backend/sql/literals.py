# SPDX-License-Identifier: Apache-2.0
"""Constants that have no sign of their own in SQL: TIMESTAMP('…'), BYTES('…')."""

from __future__ import annotations

import datetime

from bson import ObjectId

from mongodb.backend.sql import nodes as n

__all__ = ["TYPED"]

_YEAR_1 = datetime.date(1, 1, 1)


def _timestamp(text: str) -> n.Node:
    value = datetime.datetime.fromisoformat(text)
    if value.tzinfo is not None:
        value = value.astimezone(datetime.UTC).replace(tzinfo=None)
    return n.Literal(value)


def _date(text: str) -> n.Node:
    return n.Literal(datetime.datetime.fromisoformat(text))


def _time(text: str) -> n.Node:
    return n.Literal(datetime.datetime.combine(_YEAR_1, datetime.time.fromisoformat(text)))


TYPED = {
    "TIMESTAMP": _timestamp,
    "DATE": _date,
    "TIME": _time,
    "BYTES": lambda text: n.Literal(bytes.fromhex(text)),
    "OBJECTID": lambda text: n.Literal(ObjectId(text)),
    "JSON": lambda text: n.Func("JSON", (n.Literal(text),)),
}
