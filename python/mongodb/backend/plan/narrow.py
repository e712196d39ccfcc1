# SPDX-License-Identifier: Apache-2.0
"""Joins begun at the selective side: conditions on a table that the first one has a key of become
keys, read first, and rows are found by them. A table that nothing else needs is not joined."""

from __future__ import annotations

from collections.abc import Callable

from mongodb.backend.plan.predicates import TEXT
from mongodb.backend.plan.scope import TableInfo
from mongodb.backend.plan.walk import columns, conjuncts, replace, walk
from mongodb.backend.sql import nodes as n

__all__ = ["FEW", "narrowed"]

FEW = 1000  # keys; with more, rows are joined as they come


def narrowed(select: n.Select, tables: Callable[[str], TableInfo]) -> n.Select | None:
    """Return the query that looks rows up by keys, of which it reads one more than FEW; None when
    no condition leads to any."""
    source = select.source
    if select.op is not None or select.values or source is None or source.name is None:
        return None
    tests, joins, changed = conjuncts(select.where), list(select.joins), False
    for join in select.joins:
        column = _key_of(join, source, tables)
        mine = [test for test in tests if _is_about(test, join.table.alias)]
        if column is None or not mine:
            continue
        changed = True
        keys = _keys(join.table, tables(join.table.name or "").pk or "", mine)
        others = [test for test in tests if test not in mine]
        if not _is_used(select, join, others):
            joins.remove(join)
            tests = others
        tests = [n.In(column, keys), *tests]
    if not changed:
        return None
    values = {name: getattr(select, name) for name in n.Select.__slots__}
    return n.Select(**{**values, "joins": tuple(joins), "where": n.And(tuple(tests))})


def _keys(table: n.Table, key: str, tests: list[n.Node]) -> n.Select:
    """The query of the keys, under an alias of its own."""
    alias = f"{table.alias} keys"

    def renamed(node: n.Node) -> n.Node | None:
        return n.Column(alias, node.name) if isinstance(node, n.Column) else None

    return n.Select(
        columns=(n.Output(n.Column(alias, key), None),), source=n.Table(table.name, alias),
        where=n.And(tuple(replace(test, renamed) for test in tests)), limit=n.Literal(FEW + 1),
    )  # fmt: skip


def _key_of(join: n.Join, source: n.Table, tables: Callable[[str], TableInfo]) -> n.Column | None:
    """The column of the first table that is equal to the joined one's primary key."""
    on = join.on
    if join.kind != "inner" or join.table.name is None or not isinstance(on, n.Compare):
        return None
    if on.op != "=" or not isinstance(on.left, n.Column) or not isinstance(on.right, n.Column):
        return None
    near, far = on.left, on.right
    if near.table == join.table.alias:
        near, far = far, near
    info, own = tables(join.table.name), tables(source.name or "")
    if near.table != source.alias or far.table != join.table.alias or far.name != info.pk:
        return None
    types = own.types.get(near.name), info.types.get(far.name)
    if None in types or len({(one or "").startswith(TEXT) for one in types}) != 1:
        return None
    return near


def _is_about(test: n.Node, alias: str) -> bool:
    named = {column.table for column in columns(test)}
    return named == {alias} and not any(isinstance(one, n.Select) for one in walk(test))


def _is_used(select: n.Select, join: n.Join, tests: list[n.Node]) -> bool:
    """Whether anything but the join and its own conditions needs the joined table."""
    others = [one for one in select.joins if one is not join]
    named = (*select.columns, *select.distinct_on, *select.group_by, *select.order_by)
    parts: list[n.Node] = [*named, *tests, *others]
    if select.having is not None:
        parts.append(select.having)
    for part in parts:
        for one in walk(part):
            if isinstance(one, n.Star) or (
                isinstance(one, n.Column) and one.table in (None, join.table.alias)
            ):
                return True
    return False
