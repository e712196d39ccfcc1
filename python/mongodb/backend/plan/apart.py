# SPDX-License-Identifier: Apache-2.0
"""Aggregates over rows that name a table's rows: the groups are made of those alone, by the key
they hold, and put beside the table's rows. No row is joined."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from mongodb.backend.plan.groups import is_aggregate
from mongodb.backend.plan.scope import TableInfo
from mongodb.backend.plan.walk import columns, walk
from mongodb.backend.sql import nodes as n

__all__ = ["Apart", "apart"]

_KEYS = ("integer", "bigint", "smallint", "varchar", "char", "text", "objectid")
_AGGREGATES = ("COUNT", "SUM", "AVG", "MIN", "MAX")


@dataclass(frozen=True, slots=True)
class Apart:
    """A query as two: `rows` end in their key, `groups` begin with it."""

    rows: n.Select
    groups: n.Select
    places: list[tuple[bool, int]]  # of each output: whether it is of the groups, and which
    nothing: tuple[Any, ...]  # a group of no rows
    path: str  # the field that holds the key


def apart(select: n.Select, tables: Callable[[str], TableInfo]) -> Apart | None:
    """Return the two queries of one that groups a table's rows and joins others that name them,
    which nothing but aggregates asks for; else None."""
    source = select.source
    if (
        source is None or source.name is None or len(select.joins) != 1 or not select.group_by
        or select.having is not None or select.distinct or select.distinct_on
        or select.op is not None or select.for_update
    ):  # fmt: skip
        return None
    join, info = select.joins[0], tables(source.name)
    key = n.Column(source.alias, info.pk or "")
    held = _held(join, info, key, tables)
    if held is None or key not in select.group_by:
        return None
    others = (*select.group_by, *(one.expr for one in select.order_by), select.where)
    if not all(one is None or _is_of(one, source.alias) for one in others):
        return None
    if not all(isinstance(one, n.Column) for one in others[:-1]):  # no ordinals, no aliases
        return None
    rows: list[n.Output] = []
    groups = [n.Output(held, None)]
    places, nothing = [], []
    for output in select.columns:
        if isinstance(output.expr, n.Column) and output.expr.table == source.alias:
            places.append((False, len(rows)))
            rows.append(output)
        elif _is_plain_aggregate(output.expr, join.table.alias):
            places.append((True, len(groups)))
            groups.append(output)
            nothing.append(0 if output.expr.name == "COUNT" else None)  # type: ignore[attr-defined]
        else:
            return None
    if not nothing:
        return None
    child = tables(join.table.name or "")
    return Apart(
        n.Select(columns=(*rows, n.Output(key, None)), source=source, where=select.where,
                 order_by=select.order_by, limit=select.limit, offset=select.offset),
        n.Select(columns=tuple(groups), source=join.table, group_by=(held,)),
        places, (None, *nothing), child.path(held.name),
    )  # fmt: skip


def _held(
    join: n.Join, info: TableInfo, key: n.Column, tables: Callable[[str], TableInfo]
) -> n.Column | None:
    """The column of the joined table that holds the key; None when ON asks for anything else."""
    on = join.on
    if join.kind != "left" or join.table.name is None or not isinstance(on, n.Compare):
        return None
    near, far = on.left, on.right
    if far == key:
        near, far = far, near
    if on.op != "=" or near != key or not isinstance(far, n.Column):
        return None
    child = tables(join.table.name)
    if far.table != join.table.alias or not (info.whole and child.whole):
        return None
    types = (info.types.get(key.name) or "").lower(), (child.types.get(far.name) or "").lower()
    texts = {one.startswith(("varchar", "char", "text")) for one in types}
    ids = {one.startswith("objectid") for one in types}
    return far if all(map(_is_key, types)) and len(texts) == len(ids) == 1 else None


def _is_key(type_: str) -> bool:
    return type_.startswith(_KEYS)


def _is_of(node: n.Node, alias: str) -> bool:
    """Whether a node names this source's columns only, and holds no query."""
    return all(one.table == alias for one in columns(node)) and not any(
        isinstance(one, (n.Select, n.Star)) for one in walk(node)
    )


def _is_plain_aggregate(node: n.Node, alias: str) -> bool:
    """Whether it is an aggregate to which a row of NULLs alone, of a join, adds nothing."""
    return (
        isinstance(node, n.Func) and is_aggregate(node) and node.name in _AGGREGATES
        and not node.star and not node.order_by and isinstance(node.args[0], n.Column)
        and _is_of(node, alias)
    )  # fmt: skip
