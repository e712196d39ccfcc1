# SPDX-License-Identifier: Apache-2.0
"""SQL's functions and casts in MongoDB's expressions: one table, a row each."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

from bson import Decimal128

from mongodb.backend.plan import dates, hashes, json, paths
from mongodb.backend.plan.bind import Call
from mongodb.backend.plan.dates import guard, literal_text
from mongodb.backend.plan.scope import PlanError, Unsupported
from mongodb.backend.sql import nodes as n

__all__ = ["AGGREGATES", "as_text", "call", "cast", "divide", "first_of", "guard"]

AGGREGATES = frozenset(
    "COUNT SUM AVG MIN MAX STDDEV_POP STDDEV_SAMP VAR_POP VAR_SAMP ANY_VALUE STRING_AGG "
    "GROUP_CONCAT ARRAY_AGG BOOL_AND BOOL_OR BIT_AND BIT_OR BIT_XOR".split()
)


def _first(rows: Any) -> Any:
    return rows[0] if rows else None


def first_of(rows: Any) -> Call:
    """Return what fills in the first of a query's values, or null."""
    return Call(_first, (rows,))


_WHOLE = ["int", "long"]


def divide(left: Any, right: Any) -> Any:
    """Return a quotient: of whole numbers the whole part, of a division by zero null."""
    return {
        "$let": {
            "vars": {"a": left, "b": right},
            "in": {
                "$cond": [
                    {"$and": [{"$gt": ["$$a", None]}, {"$gt": ["$$b", None]}, {"$ne": ["$$b", 0]}]},
                    {
                        "$cond": [
                            {
                                "$and": [
                                    {"$in": [{"$type": "$$a"}, _WHOLE]},
                                    {"$in": [{"$type": "$$b"}, _WHOLE]},
                                ]
                            },
                            {"$toLong": {"$trunc": {"$divide": ["$$a", "$$b"]}}},
                            {"$divide": ["$$a", "$$b"]},
                        ]
                    },
                    None,
                ]
            },
        }
    }


# Casts


def cast(expr: Any, type_: str) -> Any:
    """Return an expression in another type; `type_` is a column's type."""
    name, _, rest = type_.partition("(")
    sizes = [int(one) for one in rest.rstrip(")").split(",") if one.strip().isdigit()]
    make = _CASTS.get(name.strip())
    if make is None:
        raise PlanError(f"CAST to {type_} is not supported")
    return make(expr, sizes)


def _to_text(expr: Any, sizes: list[int]) -> Any:
    text: Any = {"$let": {"vars": {"v": expr}, "in": {"$switch": {
        "branches": [
            {"case": {"$eq": [{"$type": "$$v"}, "bool"]}, "then": {"$cond": ["$$v", "1", "0"]}},
            {"case": {"$eq": [{"$type": "$$v"}, "date"]}, "then": {"$dateToString": {
                "date": "$$v", "format": {"$cond": [
                    {"$eq": [{"$millisecond": "$$v"}, 0]},
                    "%Y-%m-%d %H:%M:%S", "%Y-%m-%d %H:%M:%S.%L"]}}}},
        ],
        "default": {"$toString": "$$v"},
    }}}}  # fmt: skip
    if sizes:
        text = guard([expr], {"$substrCP": [text, 0, sizes[0]]})
    return text


def as_text(expr: Any) -> Any:
    """Return an expression as text, as CAST does."""
    if isinstance(expr, dict) and ("$toString" in expr or "$concat" in expr):
        return expr
    return _to_text(expr, [])


def _number(to: str) -> Callable[[Any, list[int]], Any]:
    def make(expr: Any, sizes: list[int]) -> Any:
        return {"$convert": {"input": {"$let": {"vars": {"v": expr}, "in": {"$cond": [
            {"$eq": [{"$type": "$$v"}, "double"]},
            {"$trunc": "$$v"} if to == "long" else "$$v",
            {"$cond": [{"$and": [{"$eq": [{"$type": "$$v"}, "string"]}, to == "long"]},
                       {"$trunc": {"$convert": {"input": "$$v", "to": "double", "onError": 0}}},
                       "$$v"]},
        ]}}}, "to": to, "onError": 0}}  # fmt: skip

    return make


def _to_decimal(expr: Any, sizes: list[int]) -> Any:
    made: Any = {"$toDecimal": expr}
    return {"$round": [made, sizes[1]]} if len(sizes) > 1 else made


_whole = _number("long")
_double = _number("double")
_CASTS: dict[str, Callable[[Any, list[int]], Any]] = {
    "text": _to_text, "varchar": _to_text, "char": _to_text, "string": _to_text,
    "integer": _whole, "int": _whole, "bigint": _whole, "smallint": _whole, "signed": _whole,
    "integer unsigned": _whole, "bigint unsigned": _whole, "smallint unsigned": _whole,
    "unsigned": _whole,
    "real": _double, "double": _double, "double precision": _double, "float": _double,
    "numeric": _to_decimal, "decimal": _to_decimal,
    "bool": lambda e, s: {"$toBool": e}, "boolean": lambda e, s: {"$toBool": e},
    "date": dates.to_date, "time": dates.to_time, "datetime": dates.to_datetime,
    "timestamp": dates.to_datetime,
    "timestamp with time zone": dates.to_datetime, "json": lambda e, s: e, "objectid":
    lambda e, s: {"$toObjectId": e}, "interval": _whole,
}  # fmt: skip


def _collate(text: Any, name: Any) -> Any:
    named = literal_text(name)
    if named.upper() in ("BINARY", "SIMPLE", "C"):  # as everything is compared
        return text
    raise Unsupported(
        f"COLLATE {named}: there are no collations yet, but binary; order by or compare Lower()"
    )


# Calls


# functions that name each argument once: what is nested in others is copied by none
_USED_ONCE = frozenset(
    "ABS CEILING CEIL FLOOR EXP SIN COS TAN ATAN ATAN2 POWER POW DEGREES RADIANS COALESCE IFNULL "
    "CONCAT COLLATE JSON_GET JSON_TEXT JSON_HAS JSON_HAS_AT JSON_EQ JSON_OBJECT "
    "JSON_CONTAINS PATH EACH EACH_LEN ARRAY_LEN WHOLE ARRAY".split()
)


def is_simple(arg: Any) -> bool:
    """Whether an expression costs nothing to write again: a path, a variable, a constant."""
    return not isinstance(arg, (dict, list)) or (isinstance(arg, dict) and "$literal" in arg)


def call(name: str, args: list[Any], nodes: Sequence[n.Node] = ()) -> Any:
    """Return a call of a scalar function. Raises PlanError when there is none of that name."""
    make = _TABLE.get(name)
    if make is None:
        raise PlanError(f"no such function: {name}")
    bound: dict[str, Any] = {}
    if name not in _USED_ONCE:
        bound = {f"a{i}": arg for i, arg in enumerate(args) if not is_simple(arg)}
        args = [f"$$a{i}" if f"a{i}" in bound else arg for i, arg in enumerate(args)]
    try:
        made = make(*args)
        return {"$let": {"vars": bound, "in": made}} if bound else made
    except TypeError as error:
        if "positional argument" not in str(error):
            raise
        raise PlanError(f"wrong number of arguments to function {name}()") from None


def _op(name: str, listed: bool = False) -> Callable[..., Any]:
    """An operator that takes null for null by itself."""
    if listed:
        return lambda *args: {name: list(args)}
    return lambda arg: {name: arg}


def _text_op(name: str) -> Callable[[Any], Any]:
    return lambda arg: guard([arg], {name: arg})


def _domain(name: str, test: Callable[[Any], Any]) -> Callable[[Any], Any]:
    """A function that is undefined (NULL) outside of its domain."""
    return lambda arg: {
        "$let": {
            "vars": {"x": arg},
            "in": {"$cond": [{"$and": [{"$gt": ["$$x", None]}, test("$$x")]}, {name: "$$x"}, None]},
        }
    }


def _concat(*args: Any) -> Any:
    return {"$concat": [{"$ifNull": [_to_text(arg, []), ""]} for arg in args]}


def _substring(text: Any, start: Any, size: Any = None) -> Any:
    begin = {"$subtract": [start, 1]}
    length = {"$strLenCP": "$$t"} if size is None else {"$max": [size, 0]}
    inside = {"$substrCP": ["$$t", {"$max": [begin, 0]}, length]}
    return {"$let": {"vars": {"t": text}, "in": guard(["$$t"], inside)}}


def _left(text: Any, size: Any) -> Any:
    return guard([text, size], {"$substrCP": [text, 0, size]})


def _right(text: Any, size: Any) -> Any:
    return {
        "$let": {
            "vars": {"t": text},
            "in": guard(
                ["$$t", size],
                {
                    "$let": {
                        "vars": {"n": {"$min": [size, {"$strLenCP": "$$t"}]}},
                        "in": {
                            "$substrCP": [
                                "$$t",
                                {"$subtract": [{"$strLenCP": "$$t"}, "$$n"]},
                                "$$n",
                            ]
                        },
                    }
                },
            ),
        }
    }


def _repeat(text: Any, times: Any) -> Any:
    return {"$let": {"vars": {"t": text, "n": times}, "in": guard(["$$t", "$$n"], {"$reduce": {
        "input": {"$range": [0, {"$max": [{"$toInt": "$$n"}, 0]}]}, "initialValue": "",
        "in": {"$concat": ["$$value", "$$t"]}}})}}  # fmt: skip


def _pad(left: bool) -> Callable[..., Any]:
    def make(text: Any, size: Any, fill: Any = " ") -> Any:
        missing = {"$subtract": ["$$n", {"$strLenCP": "$$t"}]}
        many = {"$substrCP": [_repeat("$$f", {"$max": [missing, 0]}), 0, {"$max": [missing, 0]}]}
        padded = {"$concat": [many, "$$t"] if left else ["$$t", many]}
        whole = {"$cond": [{"$gt": [missing, 0]}, {"$cond": [{"$eq": ["$$f", ""]}, "", padded]},
                           {"$substrCP": ["$$t", 0, "$$n"]}]}  # fmt: skip
        return {"$let": {"vars": {"t": text, "n": size, "f": fill},
                         "in": guard(["$$t", "$$n", "$$f"], whole)}}  # fmt: skip

    return make


def _reverse(text: Any) -> Any:
    return {"$let": {"vars": {"t": text}, "in": guard(["$$t"], {"$reduce": {
        "input": {"$range": [0, {"$strLenCP": "$$t"}]}, "initialValue": "",
        "in": {"$concat": [{"$substrCP": ["$$t", "$$this", 1]}, "$$value"]}}})}}  # fmt: skip


def _trim(name: str) -> Callable[..., Any]:
    def make(text: Any, chars: Any = " ") -> Any:
        return {name: {"input": text, "chars": chars}}

    return make


def _replace(text: Any, find: Any, new: Any = "") -> Any:
    replaced = {"$replaceAll": {"input": text, "find": find, "replacement": new}}
    return guard([text, find, new], {"$cond": [{"$eq": [find, ""]}, text, replaced]})


def _position(text: Any, part: Any) -> Any:
    return guard([text, part], {"$add": [{"$indexOfCP": [text, part]}, 1]})


def _round(arg: Any, places: Any = 0) -> Any:
    """Half away from zero, as SQL does; MongoDB's $round goes to the even neighbour."""
    scaled = {"$multiply": [{"$abs": "$$x"}, {"$pow": [10, "$$p"]}]}
    up = {"$divide": [{"$floor": {"$add": [scaled, 0.5]}}, {"$pow": [10, "$$p"]}]}
    signed = {"$cond": [{"$lt": ["$$x", 0]}, {"$multiply": [up, -1]}, up]}
    kind = {"$type": "$$x"}
    return {"$let": {"vars": {"x": arg, "p": places}, "in": guard(["$$x", "$$p"], {"$switch": {
        "branches": [{"case": {"$and": [{"$in": [kind, _WHOLE]}, {"$gte": ["$$p", 0]}]},
                      "then": "$$x"}],
        "default": signed}})}}  # fmt: skip


def _mod(left: Any, right: Any) -> Any:
    return {"$let": {"vars": {"a": left, "b": right}, "in": {"$cond": [
        {"$and": [{"$gt": ["$$a", None]}, {"$gt": ["$$b", None]}, {"$ne": ["$$b", 0]}]},
        {"$mod": ["$$a", "$$b"]}, None]}}}  # fmt: skip


def _log(base: Any, number: Any) -> Any:
    return {"$let": {"vars": {"b": base, "x": number}, "in": {"$cond": [
        {"$and": [{"$gt": ["$$x", 0]}, {"$gt": ["$$b", 0]}, {"$ne": ["$$b", 1]}]},
        # $log of decimals divides by the base itself, MongoDB's too
        {"$cond": [{"$in": ["decimal", [{"$type": "$$x"}, {"$type": "$$b"}]]},
                   {"$divide": [{"$ln": "$$x"}, {"$ln": "$$b"}]},
                   {"$log": ["$$x", "$$b"]}]}, None]}}}  # fmt: skip


def _sign(arg: Any) -> Any:
    return guard([arg], {"$cmp": [arg, 0]})


def _extreme(op: str) -> Callable[..., Any]:
    """GREATEST and LEAST: NULL when any argument is."""
    return lambda *args: guard(args, {op: list(args)})


def _nullif(left: Any, right: Any) -> Any:
    return {"$cond": [{"$eq": [left, right]}, None, left]}


def _bit(python: str) -> Callable[..., Any]:
    """Bits without MongoDB 6.3's own operators: by arithmetic on 64 places."""

    def make(left: Any, right: Any) -> Any:
        bit_a = {"$mod": [{"$floor": {"$divide": ["$$a", {"$pow": [2, "$$this"]}]}}, 2]}
        bit_b = {"$mod": [{"$floor": {"$divide": ["$$b", {"$pow": [2, "$$this"]}]}}, 2]}
        a1, b1 = {"$eq": [{"$abs": bit_a}, 1]}, {"$eq": [{"$abs": bit_b}, 1]}
        test = {"and": {"$and": [a1, b1]}, "or": {"$or": [a1, b1]}, "xor": {"$ne": [a1, b1]}}
        total = {
            "$reduce": {
                "input": {"$range": [0, 53]},
                "initialValue": 0,
                "in": {
                    "$add": [
                        "$$value",
                        {
                            "$cond": [
                                test[python],
                                {
                                    "$cond": [
                                        {"$eq": ["$$this", 52]},
                                        -(2**52),
                                        {"$pow": [2, "$$this"]},
                                    ]
                                },
                                0,
                            ]
                        },
                    ]
                },
            }
        }
        return {"$let": {"vars": {"a": left, "b": right},
                         "in": guard(["$$a", "$$b"], {"$toLong": total})}}  # fmt: skip

    return make


def _shift(factor: int) -> Callable[..., Any]:
    def make(left: Any, right: Any) -> Any:
        power = {"$pow": [2, right]}
        if factor > 0:
            return guard([left, right], {"$toLong": {"$multiply": [left, power]}})
        return guard([left, right], {"$toLong": {"$floor": {"$divide": [left, power]}}})

    return make


def _coalesce(*args: Any) -> Any:
    return {"$ifNull": [*args, None]} if len(args) > 1 else args[0]


_PI = math.pi

_TABLE: dict[str, Callable[..., Any]] = {
    "ABS": _op("$abs"), "CEILING": _op("$ceil"), "CEIL": _op("$ceil"), "FLOOR": _op("$floor"),
    "EXP": _op("$exp"), "LN": _domain("$ln", lambda x: {"$gt": [x, 0]}), "LOG": _log,
    "SQRT": _domain("$sqrt", lambda x: {"$gte": [x, 0]}), "POWER": lambda a, b: {"$pow": [a, b]},
    "POW": lambda a, b: {"$pow": [a, b]}, "MOD": _mod, "ROUND": _round, "SIGN": _sign,
    "SIN": _op("$sin"), "COS": _op("$cos"), "TAN": _op("$tan"), "ATAN": _op("$atan"),
    "ASIN": _domain("$asin", lambda x: {"$and": [{"$gte": [x, -1]}, {"$lte": [x, 1]}]}),
    "ACOS": _domain("$acos", lambda x: {"$and": [{"$gte": [x, -1]}, {"$lte": [x, 1]}]}),
    "ATAN2": lambda a, b: {"$atan2": [a, b]}, "PI": lambda: _PI,
    "COT": lambda x: {"$divide": [1, {"$tan": x}]},
    "DEGREES": _op("$radiansToDegrees"), "RADIANS": _op("$degreesToRadians"),
    "RANDOM": lambda: {"$rand": {}}, "RAND": lambda: {"$rand": {}},
    "BITAND": _bit("and"), "BITOR": _bit("or"), "BITXOR": _bit("xor"),
    "BITNOT": lambda x: {"$subtract": [{"$multiply": [x, -1]}, 1]},
    "BITLEFTSHIFT": _shift(1), "BITRIGHTSHIFT": _shift(-1),
    "COALESCE": _coalesce, "IFNULL": _coalesce, "NULLIF": _nullif,
    "GREATEST": _extreme("$max"), "LEAST": _extreme("$min"), "MAX": _extreme("$max"),
    "MIN": _extreme("$min"),
    "LOWER": _text_op("$toLower"), "UPPER": _text_op("$toUpper"),
    "LENGTH": _text_op("$strLenCP"), "CHAR_LENGTH": _text_op("$strLenCP"),
    "CONCAT": _concat, "SUBSTRING": _substring, "SUBSTR": _substring, "LEFT": _left,
    "RIGHT": _right, "REPEAT": _repeat, "LPAD": _pad(True), "RPAD": _pad(False),
    "REVERSE": _reverse, "TRIM": _trim("$trim"), "LTRIM": _trim("$ltrim"),
    "RTRIM": _trim("$rtrim"), "REPLACE": _replace, "INSTR": _position, "STRPOS": _position,
    "COLLATE": _collate,
    "CURRENT_TIMESTAMP": dates.now, "NOW": dates.now,
    "CURRENT_DATE": lambda: dates.to_date("$$NOW", []),
    "DATE_EXTRACT": dates.extract, "DATETIME_EXTRACT": dates.extract,
    "TIME_EXTRACT": dates.extract,
    "DATE_TRUNC": dates.trunc, "DATETIME_TRUNC": dates.trunc, "TIME_TRUNC": dates.time_trunc,
    "FROM_ZONE": dates.from_zone, "CAST_DATE": dates.cast_date, "CAST_TIME": dates.cast_time,
    "DURATION_ADD": dates.duration("$add"),
    "DURATION_SUB": dates.duration("$subtract"), "DATE_DIFF": dates.date_diff,
    "DECIMAL": lambda text: {"$literal": Decimal128(literal_text(text))}, "JSON": json.constant,
    "JSON_GET": json.get, "JSON_TEXT": json.text, "JSON_HAS": json.has, "JSON_EQ": json.equal,
    "JSON_HAS_AT": json.has_at, "JSON_OBJECT": json.make, "JSON_CONTAINS": json.contains,
    "JSON_ARRAY": json.array, "CHR": hashes.character, "CHAR": hashes.character,
    "ASCII": hashes.code, "ORD": hashes.code,
    **{name: hashes.refuse(name) for name in hashes.HASHES},
    **paths.FUNCTIONS,
}  # fmt: skip
