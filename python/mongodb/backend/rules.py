# SPDX-License-Identifier: Apache-2.0
"""What a table's definition says beyond types, from SQL's text to MongoDB's words: checks become
part of the validator, generated columns and computed keys of indexes stages of each write."""

from __future__ import annotations

import json
from typing import Any

from mongodb.backend.errors import ProgrammingError
from mongodb.backend.plan import micros
from mongodb.backend.plan.bind import compile_template
from mongodb.backend.plan.expressions import value
from mongodb.backend.plan.predicates import filter_for
from mongodb.backend.plan.prepare import LANGUAGE
from mongodb.backend.plan.scope import MICRO, PlanError, Planner, Scope, Source, TableInfo
from mongodb.backend.plan.walk import walk
from mongodb.backend.sql import nodes as n
from mongodb.backend.sql.parser import parse_expression

__all__ = [
    "HIDDEN", "beyond", "bson_types", "compute", "expression", "find_micros", "least", "read",
    "same_kind",
    "validator", "violated",
]  # fmt: skip

HIDDEN = "__keys"  # the field below which computed keys of indexes are
_VOLATILE = frozenset("RANDOM RAND NOW CURRENT_TIMESTAMP CURRENT_DATE CURRENT_TIME".split())
_BEYOND = ("$ne", "$nin", "$not", "$regex", "$expr", "$nor", "$or")
_KINDS = ("checks", "keys", "defaults", "generated", "primary", "indexes", "comments")


def tree(text: str) -> n.Node:
    """Return the tree of a stored expression."""
    return parse_expression(text)


def _scope(info: TableInfo) -> Scope:
    def table(name: str) -> TableInfo:
        raise PlanError("a definition cannot hold a query")

    scope = Scope(Planner(table, LANGUAGE))
    scope.add(Source(info.name, info))
    return scope


def _made(template: Any) -> Any:
    return compile_template(template)((), ())


def expression(info: TableInfo, text: str) -> Any:
    """Return the aggregation expression of a stored expression."""
    scope = _scope(info)
    out = _made(value(scope, tree(text)))
    if scope.stages:
        raise PlanError(f"a definition cannot hold a query: {text}")
    return out


def find_micros(info: TableInfo) -> None:
    """Note the columns with microseconds: a key has none, nor has what is computed."""
    others = {info.pk, *info.meta.get("generated", ())}
    for key in info.meta.get("keys", {}).values():
        others.update(key["columns"])
    info.micros = {
        column: info.path(column)
        for column, type_ in info.types.items()
        if type_ in MICRO and column not in others
    }


def _narrow(info: TableInfo, text: str) -> Any:
    """The expression of a generated column: its dates are to the millisecond."""
    return _made(micros.narrow(_scope(info), tree(text)))


def stable(text: str) -> str:
    """Return a stored expression; ProgrammingError when its value is not the row's alone."""
    for one in walk(tree(text)):
        if isinstance(one, n.Func) and one.name in _VOLATILE:
            raise ProgrammingError(f"{one.name}() changes by itself and cannot be kept: {text}")
    return text


def violated(info: TableInfo, text: str) -> dict[str, Any]:
    """Return the filter of the rows for which a check is false."""
    return _made(filter_for(_scope(info), tree(text), True))  # type: ignore[no-any-return]


def holds(info: TableInfo, text: str) -> dict[str, Any]:
    """Return the filter of the rows for which a condition is true."""
    return _made(filter_for(_scope(info), tree(text)))  # type: ignore[no-any-return]


def compute(info: TableInfo) -> None:
    """Make the stages that keep generated columns and computed keys."""
    find_micros(info)
    info.computed = []
    generated = {
        info.path(column): {"$ifNull": [_narrow(info, text), None]}
        for column, text in info.meta.get("generated", {}).items()
    }
    if generated:
        info.computed.append({"$set": generated})
    keys = {
        path: {"$ifNull": [expression(info, text), "$$REMOVE"]}
        for one in info.meta.get("indexes", {}).values()
        for path, text in one.get("computed", {}).items()
    }
    if keys:
        info.computed.append({"$set": keys})


def read(name: str, options: dict[str, Any]) -> TableInfo:
    """Return what a collection's options say of the table."""
    schema = options.get("validator", {}).get("$jsonSchema", {})
    info = TableInfo(name, None, whole=schema.get("description") == "django")
    required = set(schema.get("required", ()))
    for path, rule in schema.get("properties", {}).items():
        column = rule.get("title", path)
        info.types[column] = rule.get("description", "")
        if path == "_id":
            info.pk = column
        if path in required:
            info.required.add(column)
        shape = {word: rule[word] for word in ("items", "properties") if word in rule}
        if shape:
            info.shapes[column] = shape
    if "title" in schema:
        info.meta = json.loads(schema["title"])
    if info.whole:
        compute(info)
    return info


def validator(info: TableInfo, lengths: bool = False) -> dict[str, Any]:
    """Return the validator of a table, with the lengths of its texts if these are to be held."""
    properties: dict[str, Any] = {}
    for column, type_ in info.types.items():
        path = info.path(column)
        rule: dict[str, Any] = {"description": type_}
        if path != column:
            rule["title"] = column
        kinds = bson_types(type_)
        if column in info.required and path != "_id" and kinds:
            rule["bsonType"] = kinds
        if "unsigned" in type_:
            rule["minimum"] = 0
        if lengths and type_.startswith(("varchar(", "char(")):
            rule["maxLength"] = int(type_.partition("(")[2].rstrip(")"))
        properties[path] = {**rule, **info.shapes.get(column, {})}
    schema: dict[str, Any] = {"bsonType": "object", "description": "django",
                              "properties": properties}  # fmt: skip
    required = [info.path(c) for c in info.types if c in info.required and c != info.pk]
    if required:
        schema["required"] = required
    meta = {kind: info.meta[kind] for kind in _KINDS if info.meta.get(kind)}
    if meta:
        schema["title"] = json.dumps(meta, separators=(",", ":"))
    out: dict[str, Any] = {"$jsonSchema": schema}
    # what `minimum` says already is not said twice
    checks = [violated(info, one["sql"]) for one in info.meta.get("checks", {}).values()
              if not one.get("sign")]  # fmt: skip
    if checks:
        out["$nor"] = checks
    return out


_BSON = {
    "varchar": ["string"], "char": ["string"], "text": ["string"], "bool": ["bool"],
    "date": ["date"], "datetime": ["date"], "time": ["date"], "binary": ["binData"],
    "decimal": ["decimal", "int", "long", "double"],
    "real": ["double", "int", "long", "decimal"],
    "array": ["array"], "object": ["object"], "objectid": ["objectId"],
}  # fmt: skip


def bson_types(type_: str) -> list[str]:
    """Return the BSON types of a column's values; none when it may hold any."""
    if is_whole(type_):
        return ["int", "long", "double", "decimal"]
    return _BSON.get(type_.partition("(")[0].strip().lower(), [])


def is_whole(type_: str) -> bool:
    """Whether a type is one of whole numbers."""
    words = type_.partition("(")[0].split()
    return bool({"integer", "bigint", "smallint", "int"} & set(words))


def same_kind(old: str, new: str) -> bool:
    """Whether values of one type are values of the other as they are."""
    texts = ("varchar", "text")
    bases = {old.partition("(")[0], new.partition("(")[0]}
    if bases in ({"datetime"}, {"time"}):
        return True
    return (
        old == new or (is_whole(old) and is_whole(new)) or (old.startswith(texts) and new in texts)
    )


# The least value of a type: a partial index over values from there on leaves out null and missing,
# and the planner sees that an equality is among them.
def least(type_: str) -> Any:
    """Return the least value of a type."""
    import datetime

    from bson import Decimal128, ObjectId

    for prefix, lowest in (
        ("varchar", ""),
        ("char", ""),
        ("text", ""),
        ("bool", False),
        ("decimal", Decimal128("-Infinity")),
        ("date", datetime.datetime(1, 1, 1)),
        ("time", datetime.datetime(1, 1, 1)),
        ("objectid", ObjectId("0" * 24)),
        ("binary", b""),
        ("json", {}),
        ("array", []),
        ("object", {}),
    ):
        if type_.startswith(prefix):
            return lowest
    return float("-inf")


def beyond(test: Any) -> bool:
    """Whether a filter has words that partial indexes do not know."""
    if isinstance(test, dict):
        return any(key in _BEYOND or beyond(value) for key, value in test.items())
    return isinstance(test, list) and any(map(beyond, test))
