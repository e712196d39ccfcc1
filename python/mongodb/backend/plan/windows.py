# SPDX-License-Identifier: Apache-2.0
"""Window functions: a $setWindowFields for each window, its values in fields of the row."""

from __future__ import annotations

import operator
from typing import Any

from mongodb.backend.plan import micros
from mongodb.backend.plan.bind import Call, P
from mongodb.backend.plan.expressions import value
from mongodb.backend.plan.predicates import condition
from mongodb.backend.plan.scope import PlanError, Scope
from mongodb.backend.plan.sorting import sort_keys
from mongodb.backend.plan.walk import walk
from mongodb.backend.sql import nodes as n

__all__ = ["add"]

_ACCUMULATORS = {"SUM": "$sum", "AVG": "$avg", "MIN": "$min", "MAX": "$max", "FIRST_VALUE":
                 "$first", "LAST_VALUE": "$last", "STDDEV_POP": "$stdDevPop", "STDDEV_SAMP":
                 "$stdDevSamp", "VAR_POP": "$stdDevPop", "VAR_SAMP": "$stdDevSamp"}  # fmt: skip
_PEERLESS = frozenset("ROW_NUMBER RANK DENSE_RANK PERCENT_RANK CUME_DIST NTILE LAG LEAD".split())


def add(scope: Scope, nodes: list[n.Node]) -> None:
    """Compute the window functions of these nodes."""
    found: dict[n.Func, None] = {}
    for node in nodes:
        for one in walk(node, into_queries=False):
            if isinstance(one, n.Func) and one.over is not None and one not in scope.replaced:
                found[one] = None
    for one in found:
        scope.replaced[one] = _window(scope, one)


def _window(scope: Scope, node: n.Func) -> Any:
    window = node.over
    assert window is not None
    planner = scope.planner
    partition = None
    if window.partition:
        partition = {f"p{i}": {"$ifNull": [value(scope, one), None]}
                     for i, one in enumerate(window.partition)}  # fmt: skip
    keys = sort_keys(scope, list(window.order_by))
    if not keys:
        name = planner.temporary("s")
        scope.stages.append({"$set": {name: 0}})
        keys = {name: 1}
    out = planner.temporary("w")
    if node.name in _PEERLESS:
        return _ranking(scope, node, partition, keys, out)
    exclusion = window.frame[3] if window.frame is not None else None
    if exclusion not in (None, "NO OTHERS"):
        return _excluding(scope, node, partition, keys, exclusion)
    frame = _frame(scope, window, partition, keys)
    arg = value(scope, node.args[0]) if node.args else 1
    if node.where is not None:
        arg = {"$cond": [condition(scope, node.where), arg, None]}
    if node.name == "COUNT":
        known = 1 if node.star else {"$cond": [{"$gt": [arg, None]}, 1, 0]}
        _stage(scope, partition, frame[0], {out: {"$sum": known, "window": frame[1]}})
        return f"${out}"
    if node.name == "NTH_VALUE":
        _stage(scope, partition, frame[0], {out: {"$push": {"$ifNull": [arg, None]},
                                                  "window": frame[1]}})  # fmt: skip
        at = {"$subtract": [value(scope, node.args[1]), 1]}
        return {"$arrayElemAt": [f"${out}", at]}
    if node.name not in _ACCUMULATORS:
        raise PlanError(f"no such window function: {node.name}")
    made = {out: {_ACCUMULATORS[node.name]: arg, "window": frame[1]}}
    if node.name == "SUM":
        some = planner.temporary("w")
        made[some] = {"$sum": {"$cond": [{"$gt": [arg, None]}, 1, 0]}, "window": frame[1]}
        _stage(scope, partition, frame[0], made)
        return {"$cond": [{"$gt": [f"${some}", 0]}, f"${out}", None]}
    _stage(scope, partition, frame[0], made)
    return {"$pow": [f"${out}", 2]} if node.name.startswith("VAR") else f"${out}"


def _excluding(
    scope: Scope, node: n.Func, partition: Any, keys: dict[str, int], exclusion: str
) -> Any:
    """A frame without some rows: all are gathered, those taken out, the others reckoned with."""
    window = node.over
    assert window is not None
    row, rows = scope.planner.temporary("w"), scope.planner.temporary("w")
    peers = _peers(scope, partition, keys)
    before = {"documents": ["unbounded", "current"]}
    _stage(scope, partition, keys, {row: {"$sum": 1, "window": before}})
    frame = _frame(scope, window, partition, keys)
    arg = {"$ifNull": [value(scope, node.args[0]), None]} if node.args else 1
    one = {"v": arg, "r": f"${row}", "p": f"${peers}"}
    _stage(scope, partition, frame[0], {rows: {"$push": one, "window": frame[1]}})
    other = {"$ne": ["$$x.p", f"${peers}"]}
    kept = {
        "CURRENT ROW": {"$ne": ["$$x.r", f"${row}"]},
        "GROUP": other,
        "TIES": {"$or": [other, {"$eq": ["$$x.r", f"${row}"]}]},
    }.get(exclusion)
    if kept is None:
        raise PlanError(f"no such exclusion: EXCLUDE {exclusion}")
    if node.where is not None:
        raise PlanError("FILTER with EXCLUDE is not supported")
    test = kept
    if node.name not in ("FIRST_VALUE", "LAST_VALUE", "NTH_VALUE") and not node.star:
        test = {"$and": [kept, {"$gt": ["$$x.v", None]}]}
    left = {"$map": {"input": {"$filter": {"input": f"${rows}", "as": "x", "cond": test}},
                     "as": "x", "in": "$$x.v"}}  # fmt: skip
    if node.name == "COUNT":
        return {"$toLong": {"$size": left}}
    if node.name == "NTH_VALUE":
        return {"$arrayElemAt": [left, {"$subtract": [value(scope, node.args[1]), 1]}]}
    op = _ACCUMULATORS.get(node.name)
    if op is None:
        raise PlanError(f"no such window function: {node.name}")
    made: Any = {op: "$$l"}
    if node.name.startswith("VAR"):
        made = {"$pow": [made, 2]}
    inside = {"$cond": [{"$eq": ["$$l", []]}, None, made]}
    return {"$let": {"vars": {"l": left}, "in": inside}}


def _stage(scope: Scope, partition: Any, keys: dict[str, int] | None, output: Any) -> None:
    stage: dict[str, Any] = {}
    if partition is not None:
        stage["partitionBy"] = partition
    if keys:
        stage["sortBy"] = keys
    scope.stages.append({"$setWindowFields": {**stage, "output": output}})


def _peers(scope: Scope, partition: Any, keys: dict[str, int]) -> str:
    """Number the distinct values of the sort keys: rows with equal keys are peers."""
    planner = scope.planner
    whole = planner.temporary("w")
    if len(keys) == 1:
        _stage(scope, partition, keys, {whole: {"$denseRank": {}}})
        return whole
    # $denseRank takes one key: a row begins a new number where a key differs from the row before
    row, before, new = (planner.temporary("w") for _ in range(3))
    scope.stages.append({"$set": {row: [{"$ifNull": [f"${key}", None]} for key in keys]}})
    _stage(scope, partition, keys, {before: {"$shift": {"output": f"${row}", "by": -1}}})
    scope.stages.append({"$set": {new: {"$cond": [{"$eq": [f"${row}", f"${before}"]}, 0, 1]}}})
    _stage(
        scope,
        partition,
        keys,
        {whole: {"$sum": f"${new}", "window": {"documents": ["unbounded", "current"]}}},
    )
    return whole


def _ranking(scope: Scope, node: n.Func, partition: Any, keys: dict[str, int], out: str) -> Any:
    planner = scope.planner
    if node.name in ("LAG", "LEAD"):
        by = 1 if len(node.args) < 2 else _constant(node.args[1])
        shift: dict[str, Any] = {
            "output": {"$ifNull": [value(scope, node.args[0]), None]},
            "by": by if node.name == "LEAD" else Call(operator.neg, (by,)),
        }
        if len(node.args) > 2:
            # the default must be a constant: where there is no such row is found out by number
            row = planner.temporary("w")
            many = planner.temporary("w")
            _stage(
                scope,
                partition,
                keys,
                {
                    out: {"$shift": shift},
                    row: {"$documentNumber": {}},
                    many: {"$sum": 1, "window": {"documents": ["unbounded", "unbounded"]}},
                },
            )
            there = ({"$gt": [f"${row}", by]} if node.name == "LAG"
                     else {"$lte": [{"$add": [f"${row}", by]}, f"${many}"]})  # fmt: skip
            made = micros.wide if micros.kind(scope, node.args[0]) else value
            return {"$cond": [there, f"${out}", made(scope, node.args[2])]}
        _stage(scope, partition, keys, {out: {"$shift": shift}})
        return f"${out}"
    row, many = planner.temporary("w"), planner.temporary("w")
    whole = {"documents": ["unbounded", "unbounded"]}
    if node.name == "ROW_NUMBER":
        _stage(scope, partition, keys, {out: {"$documentNumber": {}}})
        return {"$toLong": f"${out}"}
    if node.name == "NTILE":
        _stage(scope, partition, keys,
               {row: {"$documentNumber": {}}, many: {"$sum": 1, "window": whole}})  # fmt: skip
        return _ntile(value(scope, node.args[0]), f"${row}", f"${many}")
    peers = _peers(scope, partition, keys)
    if node.name == "DENSE_RANK":
        return {"$toLong": f"${peers}"}
    number = {peers: 1}
    up_to = planner.temporary("w")
    _stage(scope, partition, number, {
        out: {"$rank": {}}, many: {"$sum": 1, "window": whole},
        up_to: {"$sum": 1, "window": {"range": ["unbounded", 0]}}})  # fmt: skip
    if node.name == "RANK":
        return {"$toLong": f"${out}"}
    if node.name == "CUME_DIST":
        return {"$divide": [f"${up_to}", f"${many}"]}
    single = {"$subtract": [f"${many}", 1]}
    return {"$cond": [{"$lte": [f"${many}", 1]}, 0.0,
                      {"$divide": [{"$subtract": [f"${out}", 1]}, single]}]}  # fmt: skip


def _constant(node: n.Node) -> Any:
    if not isinstance(node, (n.Literal, n.Param)):
        raise PlanError("the offset of LAG and LEAD is a constant")
    return P(node.at) if isinstance(node, n.Param) else node.value


def _ntile(buckets: Any, row: str, many: str) -> Any:
    """The first buckets hold one row more when rows do not divide evenly."""
    size = {"$floor": {"$divide": [many, buckets]}}
    more = {"$mod": [many, buckets]}
    first = {"$multiply": ["$$m", {"$add": ["$$s", 1]}]}
    inside = {"$cond": [
        {"$lte": [row, first]},
        {"$ceil": {"$divide": [row, {"$add": ["$$s", 1]}]}},
        {"$add": ["$$m", {"$ceil": {"$divide": [{"$subtract": [row, first]}, "$$s"]}}]},
    ]}  # fmt: skip
    return {"$toLong": {"$let": {"vars": {"s": size, "m": more}, "in": inside}}}


def _frame(scope: Scope, window: n.Window, partition: Any, keys: dict[str, int]) -> Any:
    """Return (sort keys, window) of a frame."""
    if window.frame is None:
        if not window.order_by:
            return keys, {"documents": ["unbounded", "unbounded"]}
        return {_peers(scope, partition, keys): 1}, {"range": ["unbounded", 0]}
    unit, start, end, _ = window.frame
    bounds = [_bound(start), _bound(end)]
    if unit == "rows":
        return keys, {"documents": bounds}
    # MongoDB takes "current" for the row itself here; at a distance of 0 are all its peers
    bounds = [0 if bound == "current" else bound for bound in bounds]
    if all(bound in ("unbounded", 0) for bound in bounds):
        return {_peers(scope, partition, keys): 1}, {"range": bounds}
    return keys, {"range": bounds}


def _bound(bound: Any) -> Any:
    what, node = bound
    if what == "current":
        return "current"
    if what.startswith("unbounded"):
        return "unbounded"
    if not isinstance(node, n.Literal):
        raise PlanError("the bounds of a window's frame are constants")
    return -node.value if what == "preceding" else node.value
