# SPDX-License-Identifier: Apache-2.0
"""UNION within a transaction of a server, which has no $unionWith there: each side is read by
itself, and what comes after the union works on the rows of both."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

__all__ = ["apart", "has_union"]

Read = Callable[[dict[str, Any]], Iterable[dict[str, Any]]]


def has_union(command: Any) -> bool:
    """Whether a command is a pipeline that another's rows are added to."""
    return any("$unionWith" in stage for stage in command.get("pipeline", ()))


def apart(command: dict[str, Any], read: Read) -> dict[str, Any]:
    """Return the command that goes on from the rows of both sides; `read` answers with a side's.

    A stage that reads a collection cannot come after: it would be read outside the transaction.
    """
    rows, rest = _rows(command["aggregate"], command["pipeline"], read)
    for stage in rest:
        if "$lookup" in stage:
            return command  # the server says that it cannot
    documents = {"$documents": {"$literal": rows}}
    return {**command, "aggregate": 1, "pipeline": [documents, *rest]}


def _rows(collection: Any, pipeline: list[Any], read: Read) -> tuple[list[Any], list[Any]]:
    """The rows up to the last union, and the stages after it."""
    ends = [at for at, stage in enumerate(pipeline) if "$unionWith" in stage]
    rows: list[Any] = []
    begin = 0
    for end in ends:
        stages = pipeline[begin:end]
        if begin == 0:
            rows = _read(collection, stages, read)
        elif stages:
            rows = _read(1, [{"$documents": {"$literal": rows}}, *stages], read)
        other = pipeline[end]["$unionWith"]
        rows = rows + _read(other.get("coll", 1), other.get("pipeline", []), read)
        begin = end + 1
    return rows, pipeline[begin:]


def _read(collection: Any, pipeline: list[Any], read: Read) -> list[Any]:
    command = {"aggregate": collection, "pipeline": pipeline, "cursor": {}}
    return list(read(apart(command, read) if has_union(command) else command))
