# SPDX-License-Identifier: Apache-2.0
"""GROUP BY and aggregates: one $group; what comes after reads its fields."""

from __future__ import annotations

from typing import Any

from mongodb.backend.plan import micros
from mongodb.backend.plan.expressions import value
from mongodb.backend.plan.functions import AGGREGATES, call
from mongodb.backend.plan.predicates import condition
from mongodb.backend.plan.scope import PlanError, Scope
from mongodb.backend.plan.walk import children
from mongodb.backend.sql import nodes as n

__all__ = ["accumulate", "group", "is_aggregate", "is_aggregated"]


def is_aggregate(node: n.Node) -> bool:
    """Whether a node is a call of an aggregate, not over a window."""
    if not isinstance(node, n.Func) or node.over is not None or node.name not in AGGREGATES:
        return False
    return not (node.name in ("MAX", "MIN") and len(node.args) > 1)


def _aggregates(node: n.Node, out: dict[n.Func, None]) -> None:
    if is_aggregate(node):
        out[node] = None  # type: ignore[index]
        return
    for child in children(node):
        if not isinstance(child, n.Select):
            _aggregates(child, out)


def is_aggregated(select: n.Select) -> bool:
    """Whether a query makes groups, of all rows perhaps."""
    if select.group_by or select.having is not None:
        return True
    found: dict[n.Func, None] = {}
    for output in select.columns:
        _aggregates(output.expr, found)
    for one in select.order_by:
        _aggregates(one.expr, found)
    return bool(found)


def group(
    scope: Scope, select: n.Select, outputs: list[n.Output], order: list[n.Order]
) -> tuple[list[n.Output], list[n.Order]]:
    """Add the $group, and note in the scope where keys and aggregates are from now on."""
    keys: dict[n.Node, None] = {}
    for node in select.group_by:
        if isinstance(node, n.Literal) and isinstance(node.value, int):
            node = outputs[node.value - 1].expr
        elif isinstance(node, n.Column) and node.table is None and scope.find(node) is None:
            node = next((o.expr for o in outputs if o.alias == node.name), node)
        keys[node] = None
    after = [*(o.expr for o in outputs), *(o.expr for o in order)]
    if select.having is not None:
        after.append(select.having)
    found: dict[n.Func, None] = {}
    for node in after:
        _aggregates(node, found)
    stage: dict[str, Any] = {"_id": None}
    replaced: dict[n.Node, Any] = {key: f"$_id.g{i}" for i, key in enumerate(keys)}
    alone = next(iter(keys)) if len(keys) == 1 else None
    if isinstance(alone, n.Column) and alone not in scope.replaced:  # a field that is missing: null
        stage["_id"] = value(scope, alone)
        replaced = {alone: "$_id"}
    elif keys:
        stage["_id"] = {f"g{i}": {"$ifNull": [value(scope, key), None]}
                        for i, key in enumerate(keys)}  # fmt: skip
    for aggregate in found:
        replaced[aggregate] = accumulate(scope, aggregate, stage)
    for column in _loose(after, replaced):
        if scope.find(column) is not None:
            name = scope.planner.temporary("f")
            stage[name] = {"$first": value(scope, column)}
            replaced[column] = f"${name}"
    if not select.group_by and (scope.parent is not None or scope.nested):  # always one row
        first = {"$ifNull": [{"$first": "$row"}, {"$literal": _of_nothing(stage)}]}
        scope.stages += [{"$facet": {"row": [{"$group": stage}]}}, {"$replaceWith": first}]
    else:
        scope.stages.append({"$group": stage})
        if not select.group_by:
            scope.of_nothing = (len(scope.stages), _of_nothing(stage))
    scope.replaced = replaced
    scope.lookups = {}
    scope.grouped = True
    return outputs, order


def _loose(nodes: list[n.Node], replaced: dict[n.Node, Any]) -> list[n.Column]:
    """The columns that are neither keys nor within an aggregate."""
    out: dict[n.Column, None] = {}

    def go(node: n.Node) -> None:
        if node in replaced:
            return
        if isinstance(node, n.Column):
            out[node] = None
        for child in children(node):
            go(child)

    for node in nodes:
        go(node)
    return list(out)


def _of_nothing(stage: dict[str, Any]) -> dict[str, Any]:
    """The group of no rows at all."""
    out: dict[str, Any] = {}
    for name, accumulator in stage.items():
        if name == "_id":
            out[name] = None
            continue
        op, of = next(iter(accumulator.items()))
        counts = op == "$sum" and not isinstance(of, str)  # a sum of no column's values is NULL
        out[name] = 0 if counts else [] if op in ("$addToSet", "$push") else None
    return out


def accumulate(scope: Scope, node: n.Func, stage: dict[str, Any]) -> Any:
    """Add what an aggregate needs to a $group; return its value afterwards."""
    test = None if node.where is None else condition(scope, node.where)
    name = scope.planner.temporary("a")
    if node.star or (node.name == "COUNT" and isinstance(node.args[0], n.Literal)):
        stage[name] = {"$sum": 1 if test is None else {"$cond": [test, 1, 0]}}
        return f"${name}"
    if not node.args:
        raise PlanError(f"wrong number of arguments to function {node.name}()")
    arg = value(scope, node.args[0])
    if node.name in ("STRING_AGG", "GROUP_CONCAT") and micros.kind(scope, node.args[0]):
        arg = micros.text(scope, node.args[0])
    if test is not None:
        arg = {"$cond": [test, arg, None]}
    elif (
        not node.distinct and node.name in ("COUNT", "SUM") and _is_never_null(scope, node.args[0])
    ):
        stage[name] = {"$sum": 1 if node.name == "COUNT" else arg}
        return f"${name}"
    known = {"$gt": [arg, None]}
    if node.distinct:
        stage[name] = {"$addToSet": {"$cond": [known, arg, "$$REMOVE"]}}
        return _of_set(node.name, f"${name}")
    if node.name == "COUNT":
        stage[name] = {"$sum": {"$cond": [known, 1, 0]}}
        return f"${name}"
    if node.name == "SUM":
        stage[name] = {"$sum": arg}
        some = scope.planner.temporary("a")
        stage[some] = {"$sum": {"$cond": [known, 1, 0]}}
        return {"$cond": [{"$gt": [f"${some}", 0]}, f"${name}", None]}
    simple = {"AVG": "$avg", "MIN": "$min", "MAX": "$max", "STDDEV_POP": "$stdDevPop",
              "STDDEV_SAMP": "$stdDevSamp", "VAR_POP": "$stdDevPop", "VAR_SAMP": "$stdDevSamp",
              "BOOL_AND": "$min", "BOOL_OR": "$max", "ANY_VALUE": "$max"}  # fmt: skip
    if node.name in simple:
        stage[name] = {simple[node.name]: arg}
        squared = node.name.startswith("VAR")
        return {"$pow": [f"${name}", 2]} if squared else f"${name}"
    stage[name] = {"$push": {"$cond": [known, arg, "$$REMOVE"]}}
    if node.name == "ARRAY_AGG":
        return f"${name}"
    if node.name in _BITS:
        return _bits(node.name, f"${name}")
    between = value(scope, node.args[1]) if len(node.args) > 1 else ","
    return _joined(f"${name}", between)


def _is_never_null(scope: Scope, node: n.Node) -> bool:
    """Whether a value is a column that is NOT NULL, of a source whose rows are always there."""
    if not isinstance(node, n.Column) or node in scope.replaced:
        return False
    source = scope.find(node)
    if source is None or source.optional or not source.info.whole:
        return False
    return node.name == source.info.pk or node.name in source.info.required


def _of_set(name: str, values: str) -> Any:
    if name == "COUNT":
        return {"$size": values}
    if name in ("STRING_AGG", "GROUP_CONCAT"):
        return _joined(values, ",")
    if name == "ARRAY_AGG":
        return values
    op = {
        "SUM": "$sum",
        "AVG": "$avg",
        "MIN": "$min",
        "MAX": "$max",
        "STDDEV_POP": "$stdDevPop",
        "STDDEV_SAMP": "$stdDevSamp",
        "VAR_POP": "$stdDevPop",
        "VAR_SAMP": "$stdDevSamp",
    }.get(name)
    if name in _BITS:
        return _bits(name, values)
    if op is None:
        raise PlanError(f"{name}(DISTINCT …) is not supported")
    made: Any = {op: values}
    if name.startswith("VAR"):
        made = {"$pow": [made, 2]}
    return {"$cond": [{"$eq": [values, []]}, None, made]}


_BITS = {"BIT_AND": "BITAND", "BIT_OR": "BITOR", "BIT_XOR": "BITXOR"}


def _bits(name: str, values: Any) -> Any:
    both = call(_BITS[name], ["$$value", "$$this"])
    return {"$reduce": {"input": values, "initialValue": None, "in": {
        "$cond": [{"$eq": ["$$value", None]}, "$$this", both]}}}  # fmt: skip


def _joined(values: Any, between: Any) -> Any:
    text = {"$reduce": {
        "input": values, "initialValue": None,
        "in": {"$cond": [{"$eq": ["$$value", None]}, {"$toString": "$$this"},
                         {"$concat": ["$$value", between, {"$toString": "$$this"}]}]}}}  # fmt: skip
    return text
