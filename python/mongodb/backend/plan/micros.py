# SPDX-License-Identifier: Apache-2.0
"""Microseconds. A column of type datetime(6) or time(6) is a date, to the millisecond, and beside
it below `__us` the 1 to 999 microseconds more; without any the field is left out. So other programs
read a date, and an index over both sorts and finds by the microsecond.

Within expressions such a value is one number that sorts, groups and adds as it is: a date of so
many microseconds since 1970, as if they were milliseconds, and 10**18 more: beyond calendars."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from bson.datetime_ms import DatetimeMS

from mongodb.backend.moments import EPOCH, FAR, all_wide, joined, more_of, wide_of
from mongodb.backend.plan import dates, functions
from mongodb.backend.plan.bind import Call
from mongodb.backend.plan.dates import literal_text
from mongodb.backend.plan.scope import MICRO, US, Scope, TableInfo
from mongodb.backend.plan.subqueries import lookup
from mongodb.backend.plan.walk import constant, is_constant
from mongodb.backend.sql import nodes as n

__all__ = [
    "among", "call", "cast", "column", "compared", "expanded", "kind", "listed", "narrow", "own",
    "same_row", "split_change", "split_documents", "stored", "text", "unwidened", "wide", "widened",
]  # fmt: skip

_ZERO = DatetimeMS(FAR)


# Expressions


def widened(expr: Any) -> Any:
    """A date's expression as one number; NULL stays NULL."""
    since = {"$subtract": [expr, EPOCH]}
    return {"$add": [_ZERO, {"$multiply": [since, 1000]}]}


def _rest(expr: Any) -> Any:
    return {"$mod": [{"$toLong": expr}, 1000]}


def unwidened(expr: Any) -> Any:
    """The date, to the millisecond, of what is one number."""
    # the quotient is a double, which is right after it was rounded: it is a whole number
    whole = {"$subtract": [{"$subtract": ["$$w", _ZERO]}, _rest("$$w")]}
    ms = {"$toLong": {"$round": {"$divide": [whole, 1000]}}}
    return {"$let": {"vars": {"w": expr}, "in": {"$add": [EPOCH, ms]}}}


def stored(path: str, column: str) -> dict[str, Any]:
    """What a $set makes of a column that holds one number: the date, and what is beside it."""
    rest = {"$let": {"vars": {"r": _rest(f"${path}")}, "in": {
        "$cond": [{"$gt": ["$$r", 0]}, "$$r", "$$REMOVE"]}}}  # fmt: skip
    return {path: unwidened(f"${path}"), f"{US}.{column}": rest}


# Nodes

_SAME = frozenset("COALESCE IFNULL NULLIF GREATEST LEAST MAX MIN ANY_VALUE".split())
_OF_FIRST = frozenset("FIRST_VALUE LAST_VALUE NTH_VALUE LAG LEAD FROM_ZONE".split())
_SUMS = {"DURATION_ADD": "$add", "DURATION_SUB": "$subtract"}


def kind(scope: Scope, node: n.Node) -> str | None:
    """The type of a value that has microseconds; None: it has none."""
    if isinstance(node, n.Column):
        return scope.micro(node)
    if isinstance(node, n.Func):
        if node.name in _SAME or node.name in _SUMS:
            return _first(scope, node.args)
        if node.name in _OF_FIRST:
            return _first(scope, node.args[:1])
        if node.name == "CAST_TIME" and _first(scope, node.args[:1]):
            return "time(6)"
        return None
    if isinstance(node, n.Case):
        return _first(scope, [then for _, then in node.whens] + [node.otherwise])
    if isinstance(node, n.Cast):
        name = node.type.partition("(")[0].strip()
        if is_constant(node.arg):
            return node.type if node.type in MICRO and node.arg != n.Literal(None) else None
        if name in ("datetime", "timestamp", "time") and kind(scope, node.arg):
            return "time(6)" if name == "time" else "datetime(6)"
        return None
    if isinstance(node, n.SubSelect):
        if node.select not in scope.planner.kinds:
            lookup(scope, node.select, one=True)
        return scope.planner.kinds[node.select]
    return None


def _first(scope: Scope, nodes: Sequence[n.Node | None]) -> str | None:
    for one in nodes:
        found = None if one is None else kind(scope, one)
        if found is not None:
            return found
    return None


def own(scope: Scope, node: n.Node) -> str | None:
    """The path of what is beside a column that is a field of the row here."""
    if not isinstance(node, n.Column):
        return None
    text = scope.sibling(node)
    return None if text is None or text.startswith("$$") else text[1:]


def column(scope: Scope, node: n.Column) -> Any:
    """A column's value."""
    beside = scope.sibling(node)
    made = scope.reference(node)
    if beside is None:
        return made
    return {"$add": [*widened(made)["$add"], {"$ifNull": [beside, 0]}]}


def wide(scope: Scope, node: n.Node) -> Any:
    """A value as one number, of a date that has no microseconds too."""
    if kind(scope, node):
        return scope.value(node)
    if is_constant(node):
        known = constant(node)
        return None if known is None else {"$literal": Call(wide_of, (known,))}
    if isinstance(node, n.Case) and node not in scope.replaced:
        return scope.planner.language.case(scope, node, wide)
    if isinstance(node, n.Func) and node.name in _SAME and node not in scope.replaced:
        return functions.call(node.name, [wide(scope, arg) for arg in node.args], node.args)
    return widened(scope.value(node))


def narrow(scope: Scope, node: n.Node) -> Any:
    """A value without microseconds."""
    if not kind(scope, node):
        return scope.value(node)
    if isinstance(node, n.Column) and scope.sibling(node) is not None:
        return scope.reference(node)
    return unwidened(scope.value(node))


def _more(scope: Scope, node: n.Node) -> Any:
    """The microseconds that a value has beside its milliseconds."""
    beside = scope.sibling(node) if isinstance(node, n.Column) else None
    return _rest(scope.value(node)) if beside is None else {"$ifNull": [beside, 0]}


def call(scope: Scope, node: n.Func) -> Any:
    """A call of a function some of whose arguments have microseconds."""
    name, args = node.name, node.args
    if name in _SAME:
        return functions.call(name, [wide(scope, arg) for arg in args], args)
    if name in _SUMS:
        return {_SUMS[name]: [scope.value(arg) for arg in args]}
    if name == "DATE_DIFF":
        return {"$subtract": [wide(scope, arg) for arg in args]}
    if name == "CONCAT":
        return functions.call(name, [text(scope, arg) for arg in args], args)
    made = functions.call(name, [narrow(scope, arg) for arg in args], args)
    if name in ("FROM_ZONE", "CAST_TIME"):
        return {"$add": [*widened(made)["$add"], _more(scope, args[0])]}
    if name.endswith("_EXTRACT") and literal_text(scope.value(args[0])) == "microsecond":
        return {"$add": [made, _more(scope, args[1])]}
    return made


def cast(scope: Scope, node: n.Cast) -> Any:
    """CAST of a value with microseconds."""
    name = node.type.partition("(")[0].strip()
    if is_constant(node.arg):
        made = functions.cast(scope.value(node.arg), node.type)
        more = {"$literal": Call(more_of, (constant(node.arg),))}
        return {"$add": [*widened(made)["$add"], more]}
    if name in ("datetime", "timestamp"):
        return scope.value(node.arg)
    if name == "time":
        time = dates.to_time(narrow(scope, node.arg), [])
        return {"$add": [*widened(time)["$add"], _more(scope, node.arg)]}
    if name in ("text", "varchar", "char", "string"):
        return functions.cast(text(scope, node.arg), node.type)
    return functions.cast(narrow(scope, node.arg), node.type)


def text(scope: Scope, node: n.Node) -> Any:
    """A value as text, with the six digits of its microseconds if there are any."""
    if not kind(scope, node):
        return functions.as_text(scope.value(node))
    whole = {"$add": [{"$multiply": [{"$millisecond": "$$d"}, 1000]}, "$$u"]}
    digits = {"$substrCP": [{"$toString": {"$add": [1_000_000, whole]}}, 1, 6]}
    plain = {"$dateToString": {"date": "$$d", "format": "%Y-%m-%d %H:%M:%S"}}
    made = {"$cond": [{"$eq": [whole, 0]}, plain, {"$concat": [plain, ".", digits]}]}
    bound = {"d": narrow(scope, node), "u": _more(scope, node)}
    return {"$let": {"vars": bound, "in": dates.guard(["$$d"], made)}}


def listed(scope: Scope, node: n.In, field: Any) -> Any:
    """The values of IN as numbers: constants, or a query's rows."""
    if not isinstance(node.items, n.Select):
        values = tuple(constant(one) for one in node.items)
        return {"$literal": Call(all_wide, (values,))}
    if not isinstance(field, str):
        return {"$literal": Call(all_wide, (field,))}
    if scope.planner.kinds.get(node.items):
        return f"${field}.c0"
    return {"$map": {"input": f"${field}.c0", "in": widened("$$this")}}


# Filters


def compared(path: str, beside: str, op: str, value: Any) -> dict[str, Any]:
    """The filter of a comparison with a constant, `value` in a template."""
    if op == "=":
        return {path: {"$eq": value}, beside: {"$eq": Call(_beside, (value,))}}
    return {"$and": [Call(_range, (path, beside, op, value))]}


def among(path: str, beside: str, values: list[Any], negated: bool) -> dict[str, Any]:
    """The filter of IN with constants."""
    return {"$and": [Call(_among, (path, beside, values, negated))]}


def _beside(value: Any) -> int | None:
    return more_of(value) or None


def _range(path: str, beside: str, op: str, value: Any) -> dict[str, Any]:
    more = more_of(value)
    if op == "<>":
        other = [{path: {"$ne": value}}, {beside: {"$ne": more or None}}]
        return {path: {"$ne": None}, "$or": other}
    if op in ("is", "is not"):
        same = {path: {"$eq": value}, beside: {"$eq": more or None}}
        return same if op == "is" else {"$nor": [same]}
    if (op in ("<", ">=") and more == 0) or (op in ("<=", ">") and more == 999):
        return {path: {_PLAIN[op]: value}}
    if op in ("<", "<="):
        rest = {beside: {"$not": {"$gte" if op == "<" else "$gt": more}}}
        return {path: {"$lte": value}, "$or": [{path: {"$lt": value}}, rest]}
    rest = {beside: {_PLAIN[op]: more}}
    return {path: {"$gte": value}, "$or": [{path: {"$gt": value}}, rest]}


_PLAIN = {"<": "$lt", "<=": "$lte", ">": "$gt", ">=": "$gte"}


def _among(path: str, beside: str, values: list[Any], negated: bool) -> dict[str, Any]:
    if negated and None in values:
        return {path: {"$in": []}}
    values = [value for value in values if value is not None]
    each = [{path: value, beside: _beside(value)} for value in values]
    if negated:
        return {path: {"$ne": None}, "$nor": each} if each else {}
    if not each:
        return {path: {"$in": []}}
    return {path: {"$in": values}, "$or": each}


# Writing


def split_documents(info: TableInfo, documents: list[dict[str, Any]]) -> None:
    """Put microseconds beside the dates of new rows."""
    for column, path in info.micros.items():
        for document in documents:
            value = document.get(path)
            if isinstance(value, DatetimeMS):
                value = document[path] = joined(value)
            more = more_of(value)
            if more:
                document.setdefault(US, {})[column] = more


def same_row(info: TableInfo, document: dict[str, Any], keys: Iterable[str]) -> dict[str, Any]:
    """The filter of the row with a document's values of these fields."""
    out = {key: {"$eq": document.get(key)} for key in keys}
    for column, path in info.micros.items():
        if path in out:
            out[f"{US}.{column}"] = {"$eq": _beside(document.get(path))}
    return out


def split_change(info: TableInfo, change: Any) -> Any:
    """Put microseconds beside the dates of an update that names values."""
    if isinstance(change, list) or not info.micros:
        return change
    new, gone = change.get("$set", {}), dict(change.get("$unset", {}))
    for column, path in info.micros.items():
        if path in new:
            value = new[path] = joined(new[path])
            more = more_of(value)
            if more:
                new[f"{US}.{column}"] = more
            else:
                gone[f"{US}.{column}"] = ""
    return {**change, "$unset": gone} if gone else change


def expanded(info: TableInfo, key: dict[str, Any]) -> dict[str, Any]:
    """An index's key with what is beside its dates."""
    besides = {path: f"{US}.{column}" for column, path in info.micros.items()}
    out: dict[str, Any] = {}
    for path, way in key.items():
        if path.startswith(f"{US}."):
            continue
        out[path] = way
        if path in besides and way in (1, -1):
            out[besides[path]] = way
    return out
