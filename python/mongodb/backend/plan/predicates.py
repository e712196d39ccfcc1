# SPDX-License-Identifier: Apache-2.0
"""Conditions. SQL knows true, false and unknown; a filter keeps a document or does not. So each
condition is made in two forms, «is true» and «is false», and NOT only changes the form."""

from __future__ import annotations

import functools
from typing import Any

from mongodb.backend.moments import wide_of
from mongodb.backend.plan import days, hashes, jsonpaths, lowered, micros, paths
from mongodb.backend.plan.bind import Call, P, R
from mongodb.backend.plan.functions import as_text, is_simple
from mongodb.backend.plan.patterns import dynamic, not_regex, pattern_maker
from mongodb.backend.plan.scope import Scope
from mongodb.backend.plan.subqueries import first, lookup, tuple_exists
from mongodb.backend.plan.walk import constant, is_constant
from mongodb.backend.sql import nodes as n

__all__ = ["condition", "filter_for", "truth"]

_OPPOSITE = {"<": ">=", "<=": ">", ">": "<=", ">=": "<", "=": "<>", "<>": "="}
_MIRROR = {"<": ">", "<=": ">=", ">": "<", ">=": "<=", "=": "=", "<>": "<>"}
_NAMES = {"<": "$lt", "<=": "$lte", ">": "$gt", ">=": "$gte", "=": "$eq", "<>": "$ne"}
_NEVER: dict[str, Any] = {"$expr": False}


def not_null(scope: Scope, node: n.Node) -> bool:
    """Whether a value can be seen never to be NULL."""
    if isinstance(node, n.Literal):
        return node.value is not None
    if isinstance(node, n.Param):
        return True  # NULLs are literals by now
    if isinstance(node, n.Column) and not scope.grouped:
        source = scope.find(node)
        return source is not None and not source.optional and node.name == source.info.pk
    return False


# Filters: documents of the match language


def filter_for(scope: Scope, node: n.Node, negated: bool = False) -> dict[str, Any]:
    """Return the filter that keeps the rows for which `node` is true (negated: is false)."""
    if isinstance(node, n.Not):
        return filter_for(scope, node.arg, not negated)
    if isinstance(node, (n.And, n.Or)):
        both = isinstance(node, n.And) != negated
        parts = [filter_for(scope, arg, negated) for arg in node.args]
        return _all_of(parts) if both else _any_of(parts)
    made = _leaf(scope, node, negated)
    if made is not None:
        return made
    test = condition(scope, node, negated)
    if test is True:
        return {}
    narrow = None if negated else jsonpaths.narrowing(scope, node)
    return {"$expr": test} if narrow is None else {"$and": [{"$or": narrow}, {"$expr": test}]}


def _all_of(parts: list[dict[str, Any]]) -> dict[str, Any]:
    parts = [part for part in parts if part]
    if any(part == _NEVER for part in parts):
        return _NEVER
    if not parts:
        return {}
    keys = [key for part in parts for key in part]
    if len(set(keys)) == len(keys):
        return {key: value for part in parts for key, value in part.items()}
    return parts[0] if len(parts) == 1 else {"$and": parts}


def _any_of(parts: list[dict[str, Any]]) -> dict[str, Any]:
    if any(not part for part in parts):
        return {}
    parts = [part for part in parts if part != _NEVER]
    if not parts:
        return _NEVER
    return parts[0] if len(parts) == 1 else {"$or": parts}


def _leaf(scope: Scope, node: n.Node, negated: bool) -> dict[str, Any] | None:
    """A condition on one field; None when it takes an expression."""
    if isinstance(node, n.Compare):
        return _compare_leaf(scope, node, negated)
    if isinstance(node, n.IsNull):
        path = paths.match_path(scope, node.arg)
        if path is None or paths.has_position(node.arg):
            return None
        if scope.type_of(node.arg) == "json":
            return {path: {"$exists": node.negated != negated}}
        return {path: {"$ne": None} if node.negated != negated else None}
    if isinstance(node, n.In):
        if paths.among(scope, node) is not None:
            return None
        return _in_leaf(scope, node, node.negated != negated)
    if isinstance(node, n.Between):
        return _between_leaf(scope, node, node.negated != negated)
    if isinstance(node, n.Match):
        return _match_leaf(scope, node, node.negated != negated)
    if isinstance(node, n.Literal):
        return {} if node.value is not None and bool(node.value) != negated else _NEVER
    if isinstance(node, n.Exists):
        return _exists_leaf(scope, node, negated)
    if isinstance(node, n.Func) and not paths.is_inside(node):
        return paths.leaf(scope, node, negated)
    path = scope.path(node)
    if path is not None:
        return {path: {"$in": [False, 0]} if negated else {"$nin": [None, False, 0]}}
    return None


def _compare_leaf(scope: Scope, node: n.Compare, negated: bool) -> dict[str, Any] | None:
    op, left, right = node.op, node.left, node.right
    if op in ("is", "is not"):
        path = scope.path(left)
        if path is None or not is_constant(right):
            return None
        beside = micros.own(scope, left)
        if beside is not None and right != n.Literal(None):
            word = "is" if (op == "is") != negated else "is not"
            return micros.compared(path, beside, word, constant(right))
        return {path: {"$eq" if (op == "is") != negated else "$ne": constant(right)}}
    if isinstance(left, n.Tuple) and isinstance(right, n.Tuple):
        return filter_for(scope, tuple_compare(op, left, right), negated)
    if isinstance(left, n.Tuple) and isinstance(right, n.SubSelect) and op == "=":
        return filter_for(scope, n.In(left, right.select), negated)
    if is_constant(left) and not is_constant(right):
        if paths.is_inside(right):
            return None  # what is asked is about the constant
        op, left, right = _MIRROR[op], right, left
    if not is_constant(right):
        return None
    inside = paths.is_inside(left)
    if negated and not inside:
        op = _OPPOSITE[op]
    if right == n.Literal(None):
        return _NEVER
    value = constant(right)
    if hashes.is_hash(left) and op in ("=", "<>"):
        return hashes.leaf(scope, left.args[0], left.name, value, op == "<>")  # type: ignore[attr-defined]
    if isinstance(left, n.Func) and left.name == "ARRAY_LEN" and op in ("=", "<>"):
        return paths.size(scope, left, value, op == "<>")
    if days.is_day(scope, left):
        return days.leaf(scope, op, left, value)  # type: ignore[arg-type]
    path = paths.match_path(scope, left)
    if path is None:
        return None
    beside = micros.own(scope, left)
    if beside is not None:
        return micros.compared(path, beside, op, value)
    if micros.kind(scope, left):
        value = Call(wide_of, (value,))
    if inside:
        test = {_NAMES[op]: value}
        return {path: paths.opposite(test) if negated else test}
    if op == "<>":
        return {path: {"$nin": [value, None]}}
    return {path: {_NAMES[op]: value}}


def tuple_compare(op: str, left: n.Tuple, right: n.Tuple) -> n.Node:
    """Return a comparison of rows, spelt out by columns."""
    pairs = list(zip(left.items, right.items, strict=True))
    if op == "=":
        return n.And(tuple(n.Compare("=", a, b) for a, b in pairs))
    if op == "<>":
        return n.Or(tuple(n.Compare("<>", a, b) for a, b in pairs))
    strict = op[0]
    options: list[n.Node] = []
    for i, (a, b) in enumerate(pairs):
        last = op if i == len(pairs) - 1 else strict
        same = [n.Compare("=", x, y) for x, y in pairs[:i]]
        options.append(n.And((*same, n.Compare(last, a, b))))
    return n.Or(tuple(options))


def _no_nulls(values: Any) -> list[Any]:
    return [value for value in values if value is not None]


def _operand(value: Any) -> Any:
    """A value within $in; one that looks like an operator is refused, as it would be by MongoDB."""
    if isinstance(value, dict) and any(str(key).startswith("$") for key in value):
        raise ValueError(f"{value!r} cannot be one of the values of IN: its key begins with $")
    return value


def _outside(values: Any) -> dict[str, Any]:
    """NOT IN: of nothing it is true; with a NULL among the values never."""
    values = list(values)
    if not values:
        return {"$nin": []}
    return {"$in": []} if None in values else {"$nin": [*values, None]}


def _in_leaf(scope: Scope, node: n.In, negated: bool) -> dict[str, Any] | None:
    if isinstance(node.arg, n.Tuple):
        return None if isinstance(node.items, n.Select) else filter_for(
            scope, _spell_in(node), negated
        )  # fmt: skip
    if _is_json(scope, node.arg):
        return None  # a field that is missing is no JSON null, an array none of its elements
    path = paths.match_path(scope, node.arg)
    inside = paths.is_inside(node.arg)
    beside = micros.own(scope, node.arg)
    if beside is None and micros.kind(scope, node.arg):
        return None
    if isinstance(node.items, n.Select):
        rows = first(scope, node.items)
        if rows is None or path is None or beside or scope.planner.kinds.get(node.items):
            return None
        if negated:
            return {path: {"$nin": rows} if inside else Call(_outside, (rows,))}
        return {path: {"$in": Call(_no_nulls, (rows,))}}
    if path is None or not all(is_constant(one) for one in node.items):
        return None
    values = [constant(one) for one in node.items]
    if beside is not None:
        return micros.among(path, beside, values, negated)
    if negated:
        return {path: {"$nin": values} if inside else _outside(values)}
    return {path: {"$in": [Call(_operand, (v,)) if isinstance(v, P) else v
                           for v in values if v is not None]}}  # fmt: skip


def _is_json(scope: Scope, node: n.Node) -> bool:
    return scope.type_of(node) == "json" or isinstance(node, n.Func) and node.name == "JSON_GET"


def _spell_in(node: n.In) -> n.Node:
    return n.Or(tuple(n.Compare("=", node.arg, item) for item in node.items))


def _between_leaf(scope: Scope, node: n.Between, negated: bool) -> dict[str, Any] | None:
    if days.is_day(scope, node.arg):
        ends = n.Compare(">=", node.arg, node.low), n.Compare("<=", node.arg, node.high)
        return filter_for(scope, n.And(ends), negated)
    path = scope.path(node.arg)
    if path is None or not (is_constant(node.low) and is_constant(node.high)):
        return None
    low, high = constant(node.low), constant(node.high)
    if low is None or high is None:
        return None
    beside = micros.own(scope, node.arg)
    if beside is not None:
        words = ("<", ">") if negated else (">=", "<=")
        parts = [micros.compared(path, beside, word, value)
                 for word, value in zip(words, (low, high), strict=True)]  # fmt: skip
        return _any_of(parts) if negated else _all_of(parts)
    if micros.kind(scope, node.arg):
        return None
    if negated and paths.is_inside(node.arg):
        return {path: {"$not": {"$gte": low, "$lte": high}}}
    if negated:
        return {"$or": [{path: {"$lt": low}}, {path: {"$gt": high}}]}
    return {path: {"$gte": low, "$lte": high}}


def _match_leaf(scope: Scope, node: n.Match, negated: bool) -> dict[str, Any] | None:
    path = paths.match_path(scope, node.arg)
    if path is None or not is_constant(node.pattern):
        return None
    if node.pattern == n.Literal(None):
        return _NEVER
    make = pattern_maker(node)
    if negated:
        make = not_regex(make, paths.is_inside(node.arg))
    value = constant(node.pattern)
    key = None if negated else lowered.key_of(scope, node)
    test = {path: _made(make, value)}
    if key is None:
        return test
    return {"$and": [test, {"$or": _made(lowered.narrow(*key, node.escape), value)}]}


def _made(make: Any, value: Any) -> Any:
    return Call(make, (value,)) if isinstance(value, P) else make(value)


def _exists_leaf(scope: Scope, node: n.Exists, negated: bool) -> dict[str, Any]:
    field = lookup(scope, node.select, one=True)
    if isinstance(field, R):
        return {"$expr": Call(_empty if negated else _some, (field,))}
    return {field: {"$eq" if negated else "$ne": []}}


def _some(rows: Any) -> bool:
    return len(rows) > 0


def _empty(rows: Any) -> bool:
    return len(rows) == 0


# Expressions: true or false, never unknown


def _is_sure(node: n.Node) -> bool:
    """Whether a condition is true or false, being about something within a document."""
    if isinstance(node, n.Compare):
        return node.op in _NAMES and paths.is_inside(node.left)
    return isinstance(node, (n.In, n.Between, n.Match)) and paths.is_inside(node.arg)


def condition(scope: Scope, node: n.Node, negated: bool = False) -> Any:
    """Return the expression that says whether `node` is true (negated: is false)."""

    if isinstance(node, n.Not):
        return condition(scope, node.arg, not negated)
    if isinstance(node, (n.And, n.Or)):
        both = isinstance(node, n.And) != negated
        return {"$and" if both else "$or": [condition(scope, a, negated) for a in node.args]}
    if isinstance(node, n.In):
        node = paths.among(scope, node) or node
        if isinstance(node, n.Not):
            return condition(scope, node, negated)
    each = paths.each_of(scope, node)
    if each is not None:
        made = paths.of_each(scope, each, lambda: condition(scope, node))
        return {"$not": [made]} if negated else made
    if negated and _is_sure(node):
        return {"$not": [condition(scope, node)]}
    if isinstance(node, n.Compare):
        return _compare(scope, node, negated)
    if isinstance(node, n.IsNull):
        arg = scope.value(node.arg)
        return {"$gt" if node.negated != negated else "$lte": [arg, None]}
    if isinstance(node, n.In):
        return _in(scope, node, node.negated != negated)
    if isinstance(node, n.Between):
        inside = n.And((n.Compare(">=", node.arg, node.low), n.Compare("<=", node.arg, node.high)))
        return condition(scope, inside, node.negated != negated)
    if isinstance(node, n.Match):
        return _match(scope, node, node.negated != negated)
    if isinstance(node, n.Exists):
        field = lookup(scope, node.select, one=True)
        if isinstance(field, R):
            return {"$literal": Call(_empty if negated else _some, (field,))}
        return {"$eq" if negated else "$ne": [f"${field}", []]}
    if isinstance(node, n.Literal):
        return node.value is not None and bool(node.value) != negated
    made = scope.value(node)
    if negated:
        return {"$in": [made, [False, 0]]}
    return {"$and": [{"$gt": [made, None]}, {"$not": [{"$in": [made, [False, 0]]}]}]}


TEXT = ("varchar", "char", "text")


def kinds_differ(scope: Scope, left: n.Node, right: n.Node) -> bool:
    """Whether one column is text and the other a number: SQL compares them as text."""
    types = scope.type_of(left), scope.type_of(right)
    if None in types or "" in types:
        return False
    return types[0].startswith(TEXT) != types[1].startswith(TEXT) and any(  # type: ignore[union-attr]
        word in (one or "") for one in types for word in ("int", "auto")
    )


def _compare(scope: Scope, node: n.Compare, negated: bool) -> Any:

    op, left, right = node.op, node.left, node.right
    if isinstance(left, n.Tuple) and isinstance(right, n.Tuple):
        return condition(scope, tuple_compare(op, left, right), negated)
    if isinstance(left, n.Tuple) and isinstance(right, n.SubSelect) and op == "=":
        return condition(scope, n.In(left, right.select), negated)
    value = scope.value
    if micros.kind(scope, left) or micros.kind(scope, right):
        value = functools.partial(micros.wide, scope)
    if op in ("is", "is not"):
        same = {"$eq": [{"$ifNull": [value(left), None]}, {"$ifNull": [value(right), None]}]}
        return same if (op == "is") != negated else {"$not": [same]}
    if n.Literal(None) in (left, right):
        return False
    if negated:
        op = _OPPOSITE[op]
    a, b = value(left), value(right)
    if kinds_differ(scope, left, right):
        a, b = as_text(a), as_text(b)
    bound = {name: one for name, one in (("l", a), ("r", b)) if not is_simple(one)}
    a, b = "$$l" if "l" in bound else a, "$$r" if "r" in bound else b
    test = {_NAMES[op]: [a, b]}
    # a value greater than null is none: of «a < b» the lesser, of «a > b» the greater is the test
    checks = []
    if op in ("<", "<=", "=", "<>") and not not_null(scope, left):
        checks.append({"$gt": [a, None]})
    if op in (">", ">=", "<>") and not not_null(scope, right):
        checks.append({"$gt": [b, None]})
    if not checks:
        return {_NAMES[op]: [bound.get("l", a), bound.get("r", b)]}
    whole = {"$and": [*checks, test]}
    return {"$let": {"vars": bound, "in": whole}} if bound else whole


def _in(scope: Scope, node: n.In, negated: bool) -> Any:
    if isinstance(node.arg, n.Tuple):
        if isinstance(node.items, n.Select):
            return condition(scope, tuple_exists(node), negated)
        return condition(scope, _spell_in(node), negated)
    arg = scope.value(node.arg)
    if isinstance(node.items, n.Select):
        field = lookup(scope, node.items)
        items: Any = {"$literal": field} if isinstance(field, R) else f"${field}.c0"
        if micros.kind(scope, node.arg) or scope.planner.kinds.get(node.items):
            arg, items = micros.wide(scope, node.arg), micros.listed(scope, node, field)
        return _among(scope, node.arg, arg, items, negated)
    if all(is_constant(one) for one in node.items):
        literal = {"$literal": [constant(one) for one in node.items]}
        if micros.kind(scope, node.arg):
            literal = micros.listed(scope, node, None)
        has_null = n.Literal(None) in node.items
        known: Any = {"$gt": [arg, None]}
        if _is_json(scope, node.arg):
            known = {"$ne": [{"$type": arg}, "missing"]}
            literal = {"$literal": [constant(one) for one in node.items if one != n.Literal(None)]}
        if not negated:
            test = {"$in": [arg, literal]}
            return {"$and": [known, test]} if not not_null(scope, node.arg) else test
        if has_null:
            return False
        if not node.items:
            return True
        return {"$and": [known, {"$not": [{"$in": [arg, literal]}]}]}
    return condition(scope, _spell_in(node), negated)


def _among(scope: Scope, node: n.Node, arg: Any, items: Any, negated: bool) -> Any:
    inside = {"$in": [arg, items]}
    if not negated:
        return {"$and": [{"$gt": [arg, None]}, inside]}
    null_among = {"$in": [None, items]}
    return {"$or": [
        {"$eq": [items, []]},
        {"$and": [{"$gt": [arg, None]}, {"$not": [inside]}, {"$not": [null_among]}]},
    ]}  # fmt: skip


def _match(scope: Scope, node: n.Match, negated: bool) -> Any:

    if node.pattern == n.Literal(None):
        return False
    arg = micros.text(scope, node.arg)
    known: list[Any] = [{"$gt": [scope.value(node.arg), None]}]
    if is_constant(node.pattern):
        made = constant(node.pattern)
        make = pattern_maker(node)
        test: Any = {"$regexMatch": {
            "input": arg,
            "regex": Call(lambda t: make(t)["$regex"], (made,)),
            "options": make("")["$options"],
        }}  # fmt: skip
    else:
        pattern = as_text(scope.value(node.pattern))
        known.append({"$gt": [scope.value(node.pattern), None]})
        test = dynamic(node, arg, pattern)
    # $regexMatch refuses other values than text; so look at it only where there is one
    outcome = {"$not": [test]} if negated else test
    return {"$cond": [{"$and": known}, outcome, False]}


def truth(scope: Scope, node: n.Node) -> Any:
    """Return a condition as a value: true, false or null."""
    return {"$cond": [condition(scope, node), True,
                      {"$cond": [condition(scope, node, True), False, None]}]}  # fmt: skip
