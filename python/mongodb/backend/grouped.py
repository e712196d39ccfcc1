# SPDX-License-Identifier: Apache-2.0
"""Rows and the groups that belong to them, read apart, of one snapshot, and put together again."""

from __future__ import annotations

import operator
from collections.abc import Callable, Iterator, Sequence
from typing import Any

from mongodb.backend.plan.prepare import Grouped

__all__ = ["commands", "read"]

_FEW = 20  # keys: looked up without a look at how many there are
_SCAN = 4  # reading a row by an index costs as much as so many rows one after the other
_SAMPLE = 10  # keys: how many rows name them tells of the others


def commands(grouped: Grouped, params: Sequence[Any]) -> tuple[Any, Any]:
    """Return the command of the rows, and that of all groups."""
    return grouped.rows.command(params, ()), grouped.groups.command(params, ())


def read(
    connection: Any,
    grouped: Grouped,
    params: Sequence[Any],
    cells: tuple[Any, ...],
    many: int,
    adapt: Callable[[Any], Any],
) -> Iterator[list[tuple[Any, ...]]]:
    """Give the rows, `many` at a time."""
    of_rows, of_groups = [None] * len(grouped.rows.paths), [None] * len(grouped.groups.paths)
    for (is_group, at), cell in zip(grouped.places, cells, strict=False):
        (of_groups if is_group else of_rows)[at] = cell
    command, all_groups = commands(grouped, params)
    group_columns = grouped.groups.columns(tuple(of_groups))

    def groups(match: list[Any]) -> dict[Any, tuple[Any, ...]]:
        asked = {**all_groups, "pipeline": [*match, *all_groups["pipeline"]]}
        batches = connection.rows(asked, group_columns, many)
        return {row[0]: row for batch in batches for row in batch}

    width = len(of_rows)
    pick = operator.itemgetter(*(at + width if of else at for of, at in grouped.places))
    one = len(grouped.places) == 1
    whole: dict[Any, tuple[Any, ...]] | None = None
    batches = []
    with connection.one_snapshot():  # and it is not held while the caller looks at the rows
        for batch in connection.rows(command, grouped.rows.columns(tuple(of_rows)), many):
            keys = [] if whole is not None else [adapt(row[-1]) for row in batch]
            if _all_cost_less(connection, all_groups["aggregate"], grouped.path, keys):
                whole = groups([])
            found = whole
            if found is None:
                found = groups([{"$match": {grouped.path: {"$in": keys}}}]) if keys else {}
            joined = (pick(row + found.get(row[-1], grouped.nothing)) for row in batch)
            batches.append([(value,) for value in joined] if one else list(joined))
    yield from batches


def _all_cost_less(connection: Any, table: str, path: str, keys: list[Any]) -> bool:
    """Whether to make all groups of a table at once instead of looking rows up by the keys."""
    if len(keys) <= _FEW:
        return False
    rows = connection.run({"count": table, "query": {}}, outside=True)["n"]  # of metadata
    sample = keys[:: len(keys) // _SAMPLE or 1][:_SAMPLE]
    enough = rows * len(sample) // (len(keys) * _SCAN) + 1
    counted = {"count": table, "query": {path: {"$in": sample}}, "limit": enough}
    return bool(connection.run(counted, outside=True)["n"] == enough)
