# SPDX-License-Identifier: Apache-2.0
"""Functions of text that MongoDB has no operator for.

MD5(), SHA1() and their like are computed here: of a column that is asked for after the rows have
come, of a condition `MD5(column) = …` over the column's distinct values, read first. CHR() and
ASCII() know the characters up to U+FFFF, by a table that is sent along.
"""

from __future__ import annotations

import functools
import hashlib
from typing import Any

from mongodb.backend.plan.bind import Call, P, R
from mongodb.backend.plan.scope import PlanError, Scope
from mongodb.backend.plan.subqueries import first
from mongodb.backend.sql import nodes as n

__all__ = ["HASHES", "character", "code", "digest", "is_hash", "leaf", "refuse"]


def digest(name: str, value: Any) -> Any:
    """Return the digest of a text in hexadecimal, NULL of NULL."""
    if value is None:
        return None
    data = value if isinstance(value, bytes) else str(value).encode()
    return hashlib.new(name, data, usedforsecurity=False).hexdigest()


HASHES = {
    name: functools.partial(digest, name.lower())
    for name in ("MD5", "SHA1", "SHA224", "SHA256", "SHA384", "SHA512")
}


def is_hash(node: n.Node) -> bool:
    """Whether a node is a call of a hash function."""
    return isinstance(node, n.Func) and node.name in HASHES and len(node.args) == 1


def refuse(name: str) -> Any:
    """Return the function that stands in the table for a hash within another expression."""

    def make(value: Any) -> Any:
        constant = value.get("$literal") if isinstance(value, dict) else None
        if isinstance(constant, (P, Call, str)):
            return {"$literal": Call(HASHES[name], (constant,))}
        raise PlanError(
            f"MongoDB has no {name}(): it can be a column of the result, or be compared with a "
            "constant by =; compute it in Python otherwise"
        )

    return make


def leaf(scope: Scope, column: n.Node, name: str, wanted: Any, negated: bool) -> Any:
    """Return the filter of HASH(column) = wanted, or None."""
    path = scope.path(column)
    source = scope.find(column) if isinstance(column, n.Column) else None
    if path is None or source is None or not isinstance(column, n.Column) or scope.grouped:
        return None
    table = source.info.name
    select = n.Select(
        columns=(n.Output(n.Column(table, column.name), None),), distinct=True,
        source=n.Table(table, table),
    )  # fmt: skip
    rows = first(scope, select)
    if not isinstance(rows, R):
        return None
    make = functools.partial(_matching, HASHES[name], not negated)
    return {path: {"$in": Call(make, (rows, wanted))}}


def _matching(function: Any, equal: bool, values: Any, wanted: Any) -> list[Any]:
    return [v for v in values if v is not None and (function(v) == wanted) == equal]


@functools.cache
def _table() -> str:
    """The characters from 1 on; where there is none, one that no text has."""
    return "".join(chr(c) if not 0xD800 <= c < 0xE000 else "\ufdd0" for c in range(1, 0x10000))


def character(number: Any) -> Any:
    """CHR(): the character of a code."""
    constant = number.get("$literal") if isinstance(number, dict) else number
    if isinstance(constant, (P, int)):
        return {"$literal": Call(_chr, (constant,))}
    known = {"$and": [{"$gte": [number, 1]}, {"$lt": [number, 0x10000]}]}
    found = {"$substrCP": [{"$literal": _table()}, {"$subtract": [{"$toInt": number}, 1]}, 1]}
    return {"$cond": [known, found, None]}


def _chr(code: Any) -> Any:
    return None if code is None else chr(int(code))


def code(text: Any) -> Any:
    """ASCII(): the code of a text's first character."""
    constant = text.get("$literal") if isinstance(text, dict) else None
    if isinstance(constant, (P, str)):
        return {"$literal": Call(_ord, (constant,))}
    at = {"$indexOfCP": [{"$literal": _table()}, {"$substrCP": ["$$t", 0, 1]}]}
    inside = {"$cond": [{"$gt": ["$$t", None]}, {"$cond": [
        {"$eq": ["$$t", ""]}, 0, {"$add": [at, 1]}]}, None]}  # fmt: skip
    return {"$let": {"vars": {"t": text}, "in": inside}}


def _ord(text: Any) -> Any:
    return None if text is None else ord(text[0]) if text else 0
