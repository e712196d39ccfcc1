# SPDX-License-Identifier: Apache-2.0
"""ORDER BY: the keys of a $sort."""

from __future__ import annotations

from typing import Any

from mongodb.backend.plan import micros
from mongodb.backend.plan.scope import Scope
from mongodb.backend.sql import nodes as n

__all__ = ["sort_keys"]


def sort_keys(scope: Scope, order: list[n.Order]) -> dict[str, int]:
    """Return the keys of a $sort; computed ones are set as fields first."""
    keys: dict[str, int] = {}
    computed: dict[str, Any] = {}
    for one in order:
        if isinstance(one.expr, (n.Literal, n.Param)):
            continue
        path = scope.path(one.expr)
        natural = "last" if one.descending else "first"
        if one.nulls is not None and one.nulls != natural:
            name = scope.planner.temporary("s")
            computed[name] = {"$cond": [{"$gt": [scope.value(one.expr), None]}, 0, 1]}
            keys[name] = 1 if one.nulls == "last" else -1
        if path is None:
            path = scope.planner.temporary("s")
            computed[path] = scope.value(one.expr)
        keys.setdefault(path, -1 if one.descending else 1)
        beside = micros.own(scope, one.expr)
        if beside is not None:
            keys.setdefault(beside, keys[path])
    if computed:
        scope.stages.append({"$set": computed})
    return keys
