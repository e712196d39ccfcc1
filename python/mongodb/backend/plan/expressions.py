# SPDX-License-Identifier: Apache-2.0
"""Values: columns, arithmetic, CASE, CAST, calls. NULL in, NULL out."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from mongodb.backend.plan import functions, micros, paths
from mongodb.backend.plan.bind import P, R
from mongodb.backend.plan.predicates import condition, truth
from mongodb.backend.plan.scope import PlanError, Scope
from mongodb.backend.plan.subqueries import lookup
from mongodb.backend.sql import nodes as n

__all__ = ["case", "value"]

_CONDITIONS = (n.And, n.Or, n.Not, n.Compare, n.IsNull, n.In, n.Between, n.Match, n.Exists)


def value(scope: Scope, node: n.Node) -> Any:
    """Return the aggregation expression of a value."""
    found = scope.replaced.get(node)
    if found is not None:
        return found
    if isinstance(node, n.Column):
        return micros.column(scope, node)
    if isinstance(node, n.Param):
        return {"$literal": P(node.at)}
    if isinstance(node, n.Literal):
        plain = node.value is None or isinstance(node.value, (bool, int, float))
        return node.value if plain else {"$literal": node.value}
    if isinstance(node, n.IsNull):
        return condition(scope, node)
    if isinstance(node, _CONDITIONS):
        return condition(scope, node) if isinstance(node, n.Exists) else truth(scope, node)
    if isinstance(node, n.Binary):
        return _binary(scope, node)
    if isinstance(node, n.Unary):
        arg = value(scope, node.arg)
        if node.op == "-":
            return {"$multiply": [arg, -1]}
        return functions.call("BITNOT", [arg])
    if isinstance(node, n.Case):
        return case(scope, node, micros.wide if micros.kind(scope, node) else value)
    if isinstance(node, n.Cast):
        if micros.kind(scope, node) or micros.kind(scope, node.arg):
            return micros.cast(scope, node)
        return functions.cast(value(scope, node.arg), node.type)
    if isinstance(node, n.Func):
        return _call(scope, node)
    if isinstance(node, n.SubSelect):
        field = lookup(scope, node.select, one=True)
        if isinstance(field, R):
            return {"$literal": functions.first_of(field)}
        return {"$first": f"${field}.c0"}
    if isinstance(node, n.Tuple):
        return [value(scope, item) for item in node.items]
    raise PlanError(f"{type(node).__name__} is not a value")


_ARITHMETIC = {"+": "$add", "-": "$subtract", "*": "$multiply"}


def _binary(scope: Scope, node: n.Binary) -> Any:
    left, right = value(scope, node.left), value(scope, node.right)
    if node.op in _ARITHMETIC:
        return {_ARITHMETIC[node.op]: [left, right]}
    if node.op == "/":
        return functions.divide(left, right)
    if node.op == "%":
        return functions.call("MOD", [left, right])
    if node.op == "^":
        return functions.call("POWER", [left, right])
    if node.op == "||":
        return {"$concat": [micros.text(scope, node.left), micros.text(scope, node.right)]}
    names = {"&": "BITAND", "|": "BITOR", "#": "BITXOR", "<<": "BITLEFTSHIFT",
             ">>": "BITRIGHTSHIFT"}  # fmt: skip
    return functions.call(names[node.op], [left, right])


def case(scope: Scope, node: n.Case, made: Callable[[Scope, n.Node], Any]) -> Any:
    """Return the expression of a CASE whose outcomes `made` makes."""
    otherwise = None if node.otherwise is None else made(scope, node.otherwise)
    branches = [
        {"case": condition(scope, when), "then": made(scope, then)} for when, then in node.whens
    ]
    if len(branches) == 1:
        return {"$cond": [branches[0]["case"], branches[0]["then"], otherwise]}
    return {"$switch": {"branches": branches, "default": otherwise}}


def _call(scope: Scope, node: n.Func) -> Any:
    if node.over is not None:
        raise PlanError(f"the window function {node.name} cannot be used here")
    if node.name in functions.AGGREGATES and not (
        node.name in ("MAX", "MIN") and len(node.args) > 1
    ):
        raise PlanError(f"misuse of aggregate: {node.name}()")
    if node.name == "ARRAY_ROWS":
        return paths.rows(scope, node)
    if any(micros.kind(scope, arg) for arg in node.args):
        return micros.call(scope, node)
    args = [value(scope, arg) for arg in node.args]
    return functions.call(node.name, args, node.args)
