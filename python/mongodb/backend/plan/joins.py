# SPDX-License-Identifier: Apache-2.0
"""Joins: a $lookup by key, and what more ON asks within it."""

from __future__ import annotations

from typing import Any

from mongodb.backend.plan.predicates import TEXT, filter_for
from mongodb.backend.plan.scope import MICRO, Scope, Source, TableInfo
from mongodb.backend.plan.walk import columns, conjuncts
from mongodb.backend.sql import nodes as n

__all__ = ["add"]


def add(scope: Scope, join: n.Join, plan_select: Any) -> None:
    """Join a source: its row comes below a field of its own."""
    table = join.table
    left = join.kind == "left"
    field = f"__{table.alias}"
    stages: list[dict[str, Any]] = []
    if table.select is None:
        info = scope.planner.table(table.name or "")
        collection: str | None = info.name
    else:
        planned = plan_select(scope.planner, table.select, scope.parent, named=True)
        types = {name: type_ if type_ in MICRO else ""
                 for name, type_ in zip(planned.names, planned.types, strict=False)}  # fmt: skip
        info = TableInfo(table.alias, None, {**dict.fromkeys(planned.names, ""), **types}, True,  # type: ignore[dict-item]
                         derived=True)  # fmt: skip
        collection, stages = planned.collection, list(planned.stages)
    source = Source(table.alias, info, f"{field}.", optional=left)
    stage: dict[str, Any] = {} if collection is None else {"from": collection}
    tests = conjuncts(join.on)
    key = None
    if collection is not None and not stages:
        key = _key(scope, table.alias, info, tests)
    if key is not None:
        test, near, far = key
        tests = [one for one in tests if one is not test]
        stage |= {"localField": near, "foreignField": far}
        if far != "_id":
            # null joins nothing in SQL; a $lookup finds it equal to null
            tests.append(n.IsNull(_far(test, table.alias), True))
    if tests:
        inner = Scope(scope.planner, scope)
        inner.add(Source(table.alias, info))
        made = filter_for(inner, n.And(tuple(tests)))
        stages += inner.stages
        if made:
            stages.append({"$match": made})
        if inner.lets:
            stage["let"] = {variable: outer for outer, variable in inner.lets.items()}
    if stages or key is None:
        stage["pipeline"] = stages
    stage["as"] = field
    unwind: Any = f"${field}"
    if left:
        unwind = {"path": unwind, "preserveNullAndEmptyArrays": True}
    scope.stages += [{"$lookup": stage}, {"$unwind": unwind}]
    scope.add(source)


def _key(scope: Scope, alias: str, info: TableInfo, tests: list[n.Node]) -> Any:
    """Return (test, local path, foreign field) of an equality with a source that is there."""
    for test in tests:
        if not isinstance(test, n.Compare) or test.op != "=":
            continue
        for near, far in ((test.left, test.right), (test.right, test.left)):
            if not isinstance(far, n.Column) or far.table != alias:
                continue
            if isinstance(near, n.Column) and scope.find(near) is not None and near.table != alias:
                if scope.micro(near) or far.name in info.micros:
                    continue  # in two fields each
                path = scope.path(near)
                types = scope.type_of(near), info.types.get(far.name)
                texts = [(one or "").startswith(TEXT) for one in types]
                if path is not None and (None in types or texts[0] == texts[1]):
                    return test, path, info.path(far.name)
    return None


def _far(test: n.Node, alias: str) -> n.Node:
    return next(column for column in columns(test) if column.table == alias)
