# SPDX-License-Identifier: Apache-2.0
"""The lines of the log about commands, without what needs PyMongo's monitoring.

The logger is `mongodb.commands`. A record has, beside its text, the attributes `command` (its
name), `database`, `collection`, `duration_ms` and `shape`. Values of filters and updates are never
in it: `?` stands for them, and of errors there is the name alone.
"""

from __future__ import annotations

import json
import logging
import re
from collections.abc import Mapping
from typing import Any

__all__ = ["collection_of", "log_slow", "shape", "tell", "wants_commands"]

_log = logging.getLogger("mongodb.commands")

_NOT_SHOWN = frozenset(
    "$db lsid txnNumber autocommit startTransaction $clusterTime $readPreference cursor "
    "apiVersion apiStrict apiDeprecationErrors writeConcern readConcern ordered".split()
)
# What says how much and in which order, and no data: of a command, and as stages.
_KEPT = frozenset("sort limit skip batchSize hint projection $sort $limit $skip".split())
_COUNTED = frozenset({"documents", "indexes"})
# Within expressions, what has values again: there a text that begins with "$" names no field.
_VALUES = frozenset("$match $literal query restrictSearchWithMatch $search $vectorSearch".split())
_SHOWN = 10  # parts of a list
_LONGEST = 4000  # characters of a line
_CONTROL = re.compile("[\x00-\x1f\x7f-\x9f\u2028-\u202e\u2066-\u2069]")


def shape(command: Mapping[str, Any]) -> dict[str, Any]:
    """Return what a command asks, without the values that it asks with."""
    found: dict[str, Any] = {}
    for at, (name, value) in enumerate(command.items()):
        if at == 0 or name in _NOT_SHOWN:
            continue
        if name in _COUNTED and isinstance(value, list):
            found[name] = len(value)
        elif name in _KEPT:
            found[name] = value if name == "hint" and isinstance(value, str) else _order(value)
        elif name == "updates" and _is_list(value):
            found[name] = [_update(one) for one in value[:_SHOWN]] + ["…"] * (len(value) > _SHOWN)
        else:
            found[name] = _shape(value, name in ("pipeline", "update") and _is_list(value))
    return found


def _update(statement: Mapping[str, Any]) -> Any:
    return {k: _shape(v, k == "u" and _is_list(v)) for k, v in statement.items()}


def _is_list(value: Any) -> bool:
    return isinstance(value, (list, tuple))


def _order(value: Any) -> Any:
    """Return what sorts, cuts or projects: numbers alone say no more than that."""
    if isinstance(value, Mapping):
        return {k: _order(v) if isinstance(v, int) else _shape(v, True) for k, v in value.items()}
    return value if isinstance(value, int) else "?"


def _shape(value: Any, computes: bool = False) -> Any:
    """Return the shape of a value; `computes`: of an expression or pipeline."""
    if isinstance(value, Mapping):
        return {
            k: _order(v)
            if computes and k in _KEPT
            else _shape(v, k == "$expr" or (computes and k not in _VALUES))
            for k, v in value.items()
        }
    if _is_list(value):
        parts = [_shape(one, computes) for one in value[:_SHOWN]]
        if len(parts) > 1 and all(one == "?" for one in parts):
            return ["?", "…"]
        return parts if len(value) <= _SHOWN else [*parts, "…"]
    return value if computes and isinstance(value, str) and value[:1] == "$" else "?"


def collection_of(command: Mapping[str, Any]) -> str | None:
    """Return the collection that a command is about, None where it is about none."""
    first = next(iter(command.values()))
    return first if isinstance(first, str) else command.get("collection")


def wants_commands() -> bool:
    """Whether the log takes every command."""
    return _log.isEnabledFor(logging.DEBUG)


def tell(level: int, what: str, name: str, database: str | None, command: Mapping[str, Any] | None,
          duration_ms: float, result: str) -> None:  # fmt: skip
    """Write one line."""
    collection = None
    asked: dict[str, Any] = {}
    if command:
        collection = collection_of(command)
        asked = shape(command)
    place = ".".join(one for one in (database, collection) if one)
    text = json.dumps(asked, default=str, ensure_ascii=False) if asked else ""
    if len(text) > _LONGEST:
        text = f"{text[:_LONGEST]}…"
    line = " ".join(filter(None, (name, place, text, result)))
    _log.log(
        level, "%s%s", what, _CONTROL.sub(lambda found: ascii(found[0])[1:-1], line),
        extra={"command": name, "database": database, "collection": collection,
               "duration_ms": duration_ms, "shape": asked},
    )  # fmt: skip


def log_slow(kind: int, name: str, db: str | None, body: Mapping[str, Any] | None,
             host: str | None, port: int, micros: int, error: Any) -> None:  # fmt: skip
    """Warn of one slow command: the monitor of a `_core.Client` that nobody else listens to."""
    failed = " failed" if kind == 2 else ""
    result = f"in {micros / 1000:.1f} ms"
    tell(logging.WARNING, f"slow{failed}: ", name, db, body, micros / 1000, result)
