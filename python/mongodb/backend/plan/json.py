# SPDX-License-Identifier: Apache-2.0
"""JSON columns: documents within documents. SQL's NULL is a field that is missing, JSON's null one
that is null."""

from __future__ import annotations

import json
import re
from typing import Any

from bson import json_util

from mongodb.backend.plan.bind import Call, P
from mongodb.backend.plan.scope import PlanError

__all__ = [
    "JSON_NULL",
    "JSONNull",
    "array",
    "constant",
    "contains",
    "equal",
    "get",
    "has",
    "make",
    "text",
]


class JSONNull:
    """A parameter that is JSON's null, not SQL's NULL."""

    def __repr__(self) -> str:
        return "JSON_NULL"


JSON_NULL = JSONNull()
_OPTIONS = json_util.JSONOptions(tz_aware=False)


def _plain(key: Any) -> Any:
    if isinstance(key, dict) and "$literal" in key:
        key = key["$literal"]
    if isinstance(key, P):
        raise PlanError("the keys of a JSON path are constants")
    if isinstance(key, str) and key.startswith('"'):
        return json.loads(key)
    return key


def constant(text: Any) -> Any:
    """Return a JSON value that stands in the statement as text."""
    return {"$literal": json_util.loads(_plain(text), json_options=_OPTIONS)}


def get(document: Any, *keys: Any) -> Any:
    """Return the value below keys; a whole number names an element of an array too."""
    if isinstance(document, dict) and isinstance(document.get("$literal"), (P, Call)):
        return {"$literal": Call(_below, (document["$literal"], *map(_plain, keys)))}
    out = document
    for key in map(_plain, keys):
        name = str(key)
        field = {"$getField": {"field": {"$literal": name}, "input": "$$j"}}
        branches = [{"case": {"$eq": [{"$type": "$$j"}, "object"]}, "then": field}]
        if re.fullmatch(r"-?[0-9]{1,9}", name):
            element = {"$arrayElemAt": ["$$j", int(name)]}
            branches.append({"case": {"$isArray": ["$$j"]}, "then": element})
        inside = {"$switch": {"branches": branches, "default": "$$REMOVE"}}
        out = {"$let": {"vars": {"j": out}, "in": inside}}
    return out


def _below(value: Any, *keys: Any) -> Any:
    """The value below keys of a constant, which may be JSON's text."""
    if isinstance(value, str):
        try:
            value = json.loads(value)
        except ValueError:
            return None
    for key in keys:
        if isinstance(value, dict):
            value = value.get(str(key))
        elif isinstance(value, list) and str(key).lstrip("-").isdigit():
            at = int(key)
            value = value[at] if -len(value) <= at < len(value) else None
        else:
            return None
    return value


def text(document: Any, *keys: Any) -> Any:
    """Return a scalar below keys as text; NULL of objects, arrays and null."""
    value = get(document, *keys)
    branches = [
        {"case": {"$in": [{"$type": "$$v"}, ["object", "array", "missing", "null"]]}, "then": None},
        {"case": {"$eq": ["$$v", True]}, "then": "true"},
        {"case": {"$eq": ["$$v", False]}, "then": "false"},
    ]
    inside = {"$switch": {"branches": branches, "default": {"$toString": "$$v"}}}
    return {"$let": {"vars": {"v": value}, "in": inside}}


def has(document: Any, *keys: Any) -> Any:
    """Whether there is something below keys; the last one names a field only."""
    *above, last = map(_plain, keys)
    field = {"$getField": {"field": {"$literal": str(last)}, "input": "$$o"}}
    there = {"$ne": [{"$type": field}, "missing"]}
    is_object = {"$eq": [{"$type": "$$o"}, "object"]}
    return {"$let": {"vars": {"o": get(document, *above)}, "in": {"$and": [is_object, there]}}}


def has_at(document: Any, *keys: Any) -> Any:
    """Whether there is something below keys, elements of arrays too."""
    return {"$ne": [{"$type": get(document, *keys)}, "missing"]}


def equal(left: Any, right: Any) -> Any:
    """Whether two JSON values are equal: true, false, or null where one is missing."""
    present = {
        "$and": [{"$ne": [{"$type": "$$a"}, "missing"]}, {"$ne": [{"$type": "$$b"}, "missing"]}]
    }
    inside = {"$cond": [present, {"$eq": ["$$a", "$$b"]}, None]}
    return {"$let": {"vars": {"a": left, "b": right}, "in": inside}}


def make(*pairs: Any) -> Any:
    """Return an object of keys and values in turn."""
    items = [
        {"k": key, "v": {"$ifNull": [value, None]}}
        for key, value in zip(pairs[::2], pairs[1::2], strict=True)
    ]
    return {"$arrayToObject": [items]} if items else {"$literal": {}}


def array(*items: Any) -> Any:
    """Return an array of values."""
    return [{"$ifNull": [item, None]} for item in items]


def contains(left: Any, right: Any) -> Any:
    """Whether one JSON value has all that the other, a constant, has (PostgreSQL's @>)."""
    for one, other, build in ((right, left, _holds), (left, right, _held)):
        if isinstance(one, dict) and isinstance(one.get("$literal"), (P, Call)):
            made = Call(build, (one["$literal"],))
            return {"$let": {"vars": {"x": other}, "in": made}}
    raise PlanError("JSON containment needs a constant on one side")


def _holds(value: Any, at: str = "$$x", depth: int = 0) -> Any:
    """The expression: what is at `at` contains the value."""
    name = f"x{depth}"
    if isinstance(value, dict):
        tests: list[Any] = [{"$eq": [{"$type": at}, "object"]}]
        for key, inner in value.items():
            field = {"$getField": {"field": {"$literal": key}, "input": at}}
            inside = _holds(inner, f"$${name}", depth + 1)
            tests.append({"$let": {"vars": {name: field}, "in": inside}})
        return _all(tests)
    if isinstance(value, list):
        tests = [{"$isArray": [at]}]
        for inner in value:
            some = {"$map": {"input": at, "as": name, "in": _holds(inner, f"$${name}", depth + 1)}}
            tests.append({"$anyElementTrue": [some]})
        return _all(tests)
    same = {"$eq": [at, {"$literal": value}]}
    if depth:
        return same
    among = {"$cond": [{"$isArray": [at]}, {"$in": [{"$literal": value}, at]}, False]}
    return {"$or": [same, among]}  # an array contains its elements


def _held(value: Any, at: str = "$$x", depth: int = 0) -> Any:
    """The expression: what is at `at` is contained in the value."""
    name = f"x{depth}"
    if isinstance(value, dict):
        branches = [
            {
                "case": {"$eq": [f"$${name}.k", {"$literal": key}]},
                "then": _held(inner, f"$${name}.v", depth + 1),
            }
            for key, inner in value.items()
        ]
        one = {"$switch": {"branches": branches, "default": False}} if branches else False
        pairs = {"$map": {"input": {"$objectToArray": at}, "as": name, "in": one}}
        return _all([{"$eq": [{"$type": at}, "object"]}, {"$allElementsTrue": [pairs]}])
    if isinstance(value, list):
        any_of = [_held(inner, f"$${name}", depth + 1) for inner in value]
        one = {"$or": any_of} if any_of else False
        items = {"$map": {"input": at, "as": name, "in": one}}
        return _all([{"$isArray": [at]}, {"$allElementsTrue": [items]}])
    return {"$eq": [at, {"$literal": value}]}


def _all(tests: list[Any]) -> Any:
    """All of them, the later ones looked at only when the earlier hold."""
    *first, last = tests
    for test in reversed(first):
        last = {"$cond": [test, last, False]}
    return last
