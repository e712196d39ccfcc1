# SPDX-License-Identifier: Apache-2.0
"""The lines of the log about commands, without what needs PyMongo's monitoring.

The logger is `mongodb.commands`. A record has, beside its text, the attributes `command` (its
name), `database`, `collection`, `duration_ms` and `shape`. Values of filters and updates are never
in it: `?` stands for them.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Mapping
from typing import Any

__all__ = ["log_slow", "shape", "tell", "wants_commands"]

_log = logging.getLogger("mongodb.commands")

_NOT_SHOWN = frozenset(
    "$db lsid txnNumber autocommit startTransaction $clusterTime $readPreference cursor "
    "apiVersion apiStrict apiDeprecationErrors writeConcern readConcern ordered".split()
)
# What says how much and in which order, and no data.
_KEPT = frozenset("sort limit skip batchSize hint projection $sort $limit $skip $project".split())
_COUNTED = frozenset({"documents", "indexes"})


def shape(command: Mapping[str, Any]) -> dict[str, Any]:
    """Return what a command asks, without the values that it asks with."""
    found: dict[str, Any] = {}
    for at, (name, value) in enumerate(command.items()):
        if at == 0 or name in _NOT_SHOWN:
            continue
        if name in _COUNTED and isinstance(value, list):
            found[name] = len(value)
        else:
            found[name] = value if name in _KEPT else _shape(value)
    return found


def _shape(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {k: v if k in _KEPT else _shape(v) for k, v in value.items()}
    if isinstance(value, (list, tuple)):
        parts = [_shape(one) for one in value]
        return ["?", "…"] if len(parts) > 1 and all(one == "?" for one in parts) else parts
    return value if isinstance(value, str) and value[:1] == "$" else "?"


def wants_commands() -> bool:
    """Whether the log takes every command."""
    return _log.isEnabledFor(logging.DEBUG)


def tell(level: int, what: str, name: str, database: str | None, command: Mapping[str, Any] | None,
          duration_ms: float, result: str) -> None:  # fmt: skip
    """Write one line."""
    collection = None
    asked: dict[str, Any] = {}
    if command:
        first = next(iter(command.values()))
        collection = first if isinstance(first, str) else command.get("collection")
        asked = shape(command)
    place = ".".join(one for one in (database, collection) if one)
    text = json.dumps(asked, default=str, ensure_ascii=False) if asked else ""
    _log.log(
        level, "%s%s", what, " ".join(filter(None, (name, place, text, result))),
        extra={"command": name, "database": database, "collection": collection,
               "duration_ms": duration_ms, "shape": asked},
    )  # fmt: skip


def log_slow(kind: int, name: str, db: str | None, body: Mapping[str, Any] | None,
             host: str | None, port: int, micros: int, error: Any) -> None:  # fmt: skip
    """Warn of one slow command: the monitor of a `_core.Client` that nobody else listens to."""
    failed = " failed" if kind == 2 else ""
    result = f"in {micros / 1000:.1f} ms"
    tell(logging.WARNING, f"slow{failed}: ", name, db, body, micros / 1000, result)
