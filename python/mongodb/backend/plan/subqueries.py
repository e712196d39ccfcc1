# SPDX-License-Identifier: Apache-2.0
"""Queries within queries: those that name nothing around them run first, by themselves; the others
become a $lookup whose result is a field of the row."""

from __future__ import annotations

from typing import Any

from mongodb.backend.plan.bind import R
from mongodb.backend.plan.scope import Scope
from mongodb.backend.sql import nodes as n

__all__ = ["first", "lookup", "tuple_exists"]


def first(scope: Scope, select: n.Select, one: bool = False) -> R | None:
    """Have a query run before this statement; None when it names something around it."""
    planner = scope.planner
    known = planner.memo.get(select)
    if known is not None:
        return known  # type: ignore[no-any-return]
    mark = len(planner.before)
    planned = planner.language.plan_select(planner, _limited(select) if one else select, scope)
    planner.kinds[select] = planned.kind()
    if planned.lets:
        del planner.before[mark:]
        planner.memo = {q: r for q, r in planner.memo.items() if r.at < mark}
        return None
    planner.before.append(planned)
    out = R(len(planner.before) - 1)
    planner.memo[select] = out
    return out


def _limited(select: n.Select) -> n.Select:
    if select.limit is not None or select.op or select.values:
        return select
    values = {name: getattr(select, name) for name in n.Select.__slots__}
    values["limit"] = n.Literal(1)
    return n.Select(**values)


def lookup(scope: Scope, select: n.Select, one: bool = False) -> Any:
    """Return the field that holds the rows of a query ([{c0: …}, …]), or R when it runs first."""
    ready = first(scope, select, one)
    if ready is not None:
        return ready
    known = scope.lookups.get(select)
    if known is not None:
        return known
    planner = scope.planner
    planned = planner.language.plan_select(planner, _limited(select) if one else select, scope)
    name = planner.temporary("q")
    stage: dict[str, Any] = {"pipeline": planned.stages, "as": name}
    if planned.collection is not None:
        stage = {"from": planned.collection, **stage}
    stage["let"] = {variable: outer for outer, variable in planned.lets.items()}
    scope.stages.append({"$lookup": stage})
    scope.lookups[select] = name
    return name


def tuple_exists(node: n.In) -> n.Node:
    """Return `(a, b) IN (SELECT x, y …)` as EXISTS."""
    select = node.items
    tests = tuple(
        n.Compare("=", out.expr, item)
        for out, item in zip(select.columns, node.arg.items, strict=True)  # type: ignore[attr-defined]
    )
    values = {name: getattr(select, name) for name in n.Select.__slots__}
    where = () if select.where is None else (select.where,)
    values["where"] = n.And((*where, *tests))
    return n.Exists(n.Select(**values))
