# SPDX-License-Identifier: Apache-2.0
"""How a cell becomes Python's value: what C makes while it reads the row, and what Python makes of
all that C does not know. A converter of Django's that is one of these carries it as `cell`."""

from __future__ import annotations

import datetime
import decimal
import functools
import uuid
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

from bson import Decimal128

from mongodb._core import Columns
from mongodb.backend.moments import joined

__all__ = [
    "ANY", "BOOL", "DATE", "DATETIME", "FLOAT", "INT", "KINDS", "NAIVE", "OF_TYPE", "PLAIN", "TIME",
    "UUID", "Cell", "columns", "decimal_cell",
]  # fmt: skip

# The order is that of columns.c.
KINDS = (
    "any", "plain", "int", "float", "bool", "datetime", "date", "time", "decimal", "uuid", "naive",
    "beside",
)  # fmt: skip


@dataclass(frozen=True, slots=True, eq=False)
class Cell:
    """A kind of columns: C's name of it, and the function that says what it does."""

    kind: str
    make: Callable[[Any], Any] | None
    places: int = -1


def _plain(value: Any) -> Any:
    return value.to_decimal() if type(value) is Decimal128 else value


def _date(value: Any) -> Any:
    value = joined(value)
    return value.date() if isinstance(value, datetime.datetime) else value


def _time(value: Any) -> Any:
    value = joined(value)
    return value.time() if isinstance(value, datetime.datetime) else value


def _datetime(value: Any) -> Any:
    value = joined(value)
    naive = isinstance(value, datetime.datetime) and value.utcoffset() is None
    return value.replace(tzinfo=datetime.UTC) if naive else value


def _float(value: Any) -> Any:
    if isinstance(value, Decimal128):
        return float(value.to_decimal())
    return float(value) if isinstance(value, (int, decimal.Decimal)) else value


def _integer(value: Any) -> Any:
    if isinstance(value, Decimal128):
        value = value.to_decimal()
    if isinstance(value, (float, decimal.Decimal)) and value == int(value):
        return int(value)
    return value


def _boolean(value: Any) -> Any:
    return bool(value) if value in (0, 1) else value


def _uuid(value: Any) -> Any:
    return uuid.UUID(value) if isinstance(value, str) else value


_CONTEXT = decimal.Context(prec=34)
_SHORT = decimal.Context(prec=15)


def _decimal(value: Any, quantum: decimal.Decimal | None) -> Any:
    if value is None:
        return None
    if isinstance(value, Decimal128):
        value = value.to_decimal()
    elif isinstance(value, float):
        value = _SHORT.plus(_CONTEXT.create_decimal_from_float(value))
    else:
        value = decimal.Decimal(value)
    return value if quantum is None else value.quantize(quantum, context=_CONTEXT)


@functools.cache
def decimal_cell(places: int | None) -> Cell:
    """Numbers with so many digits after the point; None: as stored."""
    quantum = None if places is None else decimal.Decimal(1).scaleb(-places)
    make = functools.partial(_decimal, quantum=quantum)
    return Cell("decimal", make, -1 if places is None else places)


PLAIN = Cell("plain", _plain)
INT = Cell("int", _integer)
FLOAT = Cell("float", _float)
BOOL = Cell("bool", _boolean)
DATETIME = Cell("datetime", _datetime)
DATE = Cell("date", _date)
TIME = Cell("time", _time)
UUID = Cell("uuid", _uuid)
NAIVE = Cell("naive", joined)
ANY = Cell("any", None)

# What a column's type makes of its BSON where Django has no converter, as in raw SQL.
OF_TYPE = {"": PLAIN, "decimal": PLAIN, "numeric": PLAIN, "date": DATE, "time": TIME,
           "datetime": NAIVE}  # fmt: skip


def columns(
    paths: Sequence[tuple[str, ...]],
    after: dict[int, Any],
    cells: Sequence[Cell | None] = (),
    beside: Mapping[int, tuple[str, ...]] = MappingProxyType({}),
) -> Columns:
    """How documents become rows: `after` is what a column's type has it be, a Cell or a function;
    `cells` what Django wants of it then, `beside` where its microseconds are."""
    out = []
    for at, path in enumerate(paths):
        wanted = cells[at] if at < len(cells) else None
        cell = _joined(after.get(at), wanted)
        out.append((path, KINDS.index(cell.kind), cell.places, cell.make))
    for at, path in beside.items():
        out.append((path, KINDS.index("beside"), at, None))
    return Columns(out)


def _joined(first: Any, then: Cell | None) -> Cell:
    if then is ANY:
        then = None
    if first is None:
        return then or ANY
    if not isinstance(first, Cell):
        first = Cell("any", first)
    if then is None:
        return first
    make = functools.partial(_both, first.make, then.make)
    # of a date both make the same, or one leaves it alone
    kind = then.kind if first in (PLAIN, NAIVE) or first is then else "any"
    return Cell(kind, make, then.places)


def _both(first: Any, then: Any, value: Any) -> Any:
    return then(first(value))
