# SPDX-License-Identifier: Apache-2.0
"""Documents within documents, and arrays: the functions that `mongodb.backend.fields` writes.

`PATH(x, 'a', 0)` is a field or an element below x, `EACH(x, 'a')` the field of every element of the
array x, `EACH_LEN(x, 'a')` the length of that field. A condition on them is never unknown: what is
not there is not equal. A condition on EACH holds when it holds for some element.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from mongodb.backend.plan.bind import Call, P, R
from mongodb.backend.plan.scope import PlanError, Scope, is_name
from mongodb.backend.plan.subqueries import lookup
from mongodb.backend.sql import nodes as n

__all__ = [
    "FUNCTIONS", "among", "each_of", "has_position", "is_inside", "leaf", "match_path",
    "of_each", "opposite",
    "rows", "size",
]  # fmt: skip


def is_inside(node: n.Node) -> bool:
    """Whether a node is something within a document of the row."""
    return isinstance(node, n.Func) and node.name in ("PATH", "EACH", "EACH_LEN")


def match_path(scope: Scope, node: n.Node) -> str | None:
    """Return the path of a node in the match language, through arrays too, or None."""
    if node not in scope.replaced and isinstance(node, n.Func) and is_inside(node):
        if node.name == "EACH_LEN":
            return None
        above = match_path(scope, node.args[0])
        keys = [str(key) for key in _keys(node)]
        if above is not None and all(map(is_name, keys)):
            return ".".join((above, *keys))
        return None
    return scope.path(node)


def _keys(node: n.Func) -> list[Any]:
    keys = [key.value if isinstance(key, n.Literal) else None for key in node.args[1:]]
    if not keys or None in keys:
        raise PlanError(f"{node.name} takes a document and constant keys")
    return keys


def has_position(node: n.Node) -> bool:
    """Whether a path goes through an element of an array by its position.

    The match language cannot ask whether such a one is null: it takes the position for the name of
    a field of each element as well, and finds none.
    """
    while isinstance(node, n.Func) and is_inside(node):
        if any(isinstance(key, int) for key in _keys(node)):
            return True
        node = node.args[0]
    return False


def opposite(test: dict[str, Any]) -> dict[str, Any]:
    """Return the operators that hold where these do not."""
    if len(test) == 1:
        op, value = next(iter(test.items()))
        other = {"$eq": "$ne", "$ne": "$eq", "$in": "$nin", "$nin": "$in"}.get(op)
        if other is not None:
            return {other: value}
    return {"$not": test}


# Conditions that the match language has


def size(scope: Scope, node: n.Func, number: Any, negated: bool) -> dict[str, Any] | None:
    """Return the filter of ARRAY_LEN(…) = number."""
    array = node.args[0]
    path = match_path(scope, array)
    if path is None or _each(array) is not None:
        return None
    test: Any = Call(_size, (number,)) if isinstance(number, P) else _size(number)
    return {path: _negated(array, test) if negated else test}


def _size(number: Any) -> dict[str, Any]:
    whole = isinstance(number, int) and 0 <= number < 2**31
    return {"$size": number} if whole else {"$in": []}


def _negated(array: n.Node, test: Any) -> Any:
    return {"$not": test} if is_inside(array) else {"$not": test, "$ne": None}


def leaf(scope: Scope, node: n.Func, negated: bool) -> dict[str, Any] | None:
    """Return the filter of a test of an array against a constant one, where there is one."""
    make = _TESTS.get(node.name)
    if make is None or len(node.args) != 2:
        return None
    array, other = node.args
    path = match_path(scope, array)
    if path is None or _each(array) is not None or not isinstance(other, n.Param):
        return None
    test = Call(make, (P(other.at),))
    return {path: _negated(array, test) if negated else test}


def _contains(values: Sequence[Any]) -> dict[str, Any]:
    if not values:
        return {"$type": "array"}
    if None in values:
        return {"$all": [{"$elemMatch": {"$eq": value}} for value in values]}
    return {"$all": list(values)}


def _within(values: Sequence[Any]) -> dict[str, Any]:
    return {"$type": "array", "$not": {"$elemMatch": {"$nin": list(values)}}}


def _overlaps(values: Sequence[Any]) -> dict[str, Any]:
    if None in values:
        return {"$elemMatch": {"$in": list(values)}}
    return {"$in": list(values)}


_TESTS = {"ARRAY_CONTAINS": _contains, "ARRAY_WITHIN": _within, "ARRAY_OVERLAPS": _overlaps}


# Some element of an array

_ORDERS = frozenset({"=", "<>", "<", "<=", ">", ">="})


def _each(node: n.Node) -> n.Func | None:
    while isinstance(node, n.Func) and is_inside(node):
        if node.name != "PATH":
            return node
        node = node.args[0]
    return None


def each_of(scope: Scope, node: n.Node) -> n.Func | None:
    """Return the EACH(…) that a condition is about, if it is about one."""
    subject: Any = getattr(node, "left", None) or getattr(node, "arg", None)
    if isinstance(node, n.Func) and node.name == "AMONG":
        subject = node.args[0]
    if isinstance(node, n.Compare) and node.op not in _ORDERS:
        return None
    if subject is None or subject in scope.replaced:
        return None
    found = _each(subject)
    return None if found in scope.replaced else found


def among(scope: Scope, node: n.In) -> n.Node | None:
    """Return `x IN (array)` as a test of the array's items, when its only item is an array."""
    if isinstance(node.items, n.Select) or len(node.items) != 1:
        return None
    item = node.items[0]
    is_array = isinstance(item, n.Func) and item.name in ("EACH", "ARRAY")
    if isinstance(item, n.Column):
        is_array = scope.type_of(item) == "array" != scope.type_of(node.arg)
    if not is_array:
        return None
    test = n.Func("AMONG", (node.arg, item))
    return n.Not(test) if node.negated else test


def of_each(scope: Scope, each: n.Func, make: Any) -> Any:
    """Return the expression that is true when `make()` is for some element."""
    name = scope.planner.temporary("e").strip("_")
    array = scope.value(each.args[0])
    item = get(f"$${name}", *_keys(each))
    scope.replaced[each] = _length(item) if each.name == "EACH_LEN" else item
    try:
        test = make()
    finally:
        del scope.replaced[each]
    return {"$anyElementTrue": [{"$map": {"input": _array(array), "as": name, "in": test}}]}


# Values


def _array(value: Any) -> Any:
    bound = "$$a" if isinstance(value, dict) else value
    items = {"$cond": [{"$isArray": [bound]}, bound, []]}
    return {"$let": {"vars": {"a": value}, "in": items}} if bound == "$$a" else items


def _plain(key: Any) -> Any:
    return key["$literal"] if isinstance(key, dict) and "$literal" in key else key


def get(value: Any, *keys: Any) -> Any:
    """Return what is below keys: a text names a field, a whole number an element."""
    for key in map(_plain, keys):
        if isinstance(key, int):
            value = {"$arrayElemAt": [_array(value), key]}
        elif not is_name(key):
            value = {"$getField": {"field": {"$literal": key}, "input": value}}
        elif isinstance(value, str):
            value = f"{value}.{key}"
        else:
            value = {"$let": {"vars": {"d": value}, "in": f"$$d.{key}"}}
    return value


def _of_all(array: Any, *keys: Any) -> Any:
    inside = {"$ifNull": [get("$$e", *keys), None]}
    return {"$map": {"input": _array(array), "as": "e", "in": inside}}


def _length(array: Any) -> Any:
    items = {"$cond": [{"$isArray": ["$$l"]}, {"$size": _array("$$l")}, None]}
    return {"$let": {"vars": {"l": array}, "in": items}}


def _of_all_length(array: Any, *keys: Any) -> Any:
    inside = _length(get("$$e", *keys))
    return {"$map": {"input": _array(array), "as": "e", "in": inside}}


def _of_arrays(make: Any) -> Any:
    """A test of two arrays; NULL when one is none.

    MongoDB works out what is constant before it looks whether it is asked for, so the operators
    are given arrays in any case.
    """

    def test(left: Any, right: Any) -> Any:
        both = {"$and": [{"$isArray": [left]}, {"$isArray": [right]}]}
        return {"$cond": [both, make(_array(left), _array(right)), None]}

    return test


def _slice(array: Any, start: int, end: int) -> Any:
    part: Any = {"$slice": [_array(array), start, end - start]} if end > start else []
    return {"$cond": [{"$isArray": [array]}, part, None]}


def _among(value: Any, array: Any) -> Any:
    known = {"$and": [{"$gt": [value, None]}, {"$isArray": [array]}]}
    return {"$cond": [known, {"$in": [value, _array(array)]}, None]}


FUNCTIONS: dict[str, Any] = {
    "PATH": get, "EACH": _of_all, "WHOLE": lambda value: value, "AMONG": _among,
    "ARRAY": lambda *items: [{"$ifNull": [item, None]} for item in items],
    "ARRAY_LEN": _length, "EACH_LEN": _of_all_length,
    "ARRAY_SLICE": _slice,
    "ARRAY_CONTAINS": _of_arrays(lambda left, right: {"$setIsSubset": [right, left]}),
    "ARRAY_WITHIN": _of_arrays(lambda left, right: {"$setIsSubset": [left, right]}),
    "ARRAY_OVERLAPS": _of_arrays(
        lambda left, right: {"$gt": [{"$size": {"$setIntersection": [left, right]}}, 0]}
    ),
}  # fmt: skip


def rows(scope: Scope, node: n.Func) -> Any:
    """ARRAY_ROWS((SELECT …)): the items of the arrays of all its rows, as one array."""
    select = node.args[0]
    if not isinstance(select, n.SubSelect):
        raise PlanError("ARRAY_ROWS takes a query")
    found = lookup(scope, select.select)
    if isinstance(found, R):
        return {"$literal": Call(_joined, (found,))}
    joined = {"$concatArrays": ["$$value", {"$ifNull": ["$$this.c0", []]}]}
    return {"$reduce": {"input": f"${found}", "initialValue": [], "in": joined}}


def _joined(arrays: Sequence[Any]) -> list[Any]:
    return [one for array in arrays if array is not None for one in array]
