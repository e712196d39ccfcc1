# SPDX-License-Identifier: Apache-2.0
"""Matches that ignore case, by an index over LOWER() or UPPER() of the column: it narrows what is
looked at, and the match itself decides."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

from mongodb.backend.plan.scope import Scope
from mongodb.backend.sql import nodes as n

__all__ = ["key_of", "narrow"]

_INDEXED = re.compile(r'\(*(LOWER|UPPER)\("((?:[^"]|"")+)"\)\)*\Z')
_TWINS = {"k": "\u212a", "s": "\u017f"}  # letters beyond ASCII that match these without case
_MOST = 3  # such letters of a pattern that are looked up in both forms


def key_of(scope: Scope, node: n.Match) -> tuple[str, str] | None:
    """Return the field of such an index and the function it is over, None if there is none."""
    source = scope.find(node.arg) if isinstance(node.arg, n.Column) else None
    if node.kind != "ilike" or source is None or source.prefix or source.info.derived:
        return None
    for one in source.info.meta.get("indexes", {}).values():
        computed = list(one.get("computed", {}).items())
        if not computed or one.get("where") or one.get("unique"):
            continue
        path, text = computed[0]
        found = _INDEXED.match(text)
        first = path.endswith("_0")  # of the index's fields
        if first and found and found[2].replace('""', '"') == node.arg.name:  # type: ignore[attr-defined]
            return path, found[1]
    return None


def narrow(path: str, function: str, escape: str | None) -> Callable[[Any], list[Any]]:
    """Return what makes a pattern the alternatives of an $or, of which each row that matches has
    one. Rows that others wrote lack the field."""
    fold = str.lower if function == "LOWER" else str.upper  # of ASCII alone, as the store

    def make(pattern: Any) -> list[Any]:
        starts, whole = _starts(str(pattern), escape)
        starts = ["".join(fold(c) if c.isascii() else c for c in one) for one in starts]
        if whole:
            return [{path: {"$in": [None, *starts]}}]
        if not starts[0]:
            return [{}]
        ranges: list[Any] = [
            {path: {"$gte": one, "$lt": one[:-1] + chr(ord(one[-1]) + 1)}} for one in starts
        ]
        return [*ranges, {path: None}]

    return make


def _starts(pattern: str, escape: str | None) -> tuple[list[str], bool]:
    """What a text that a LIKE pattern matches can begin with, and whether it is the whole text."""
    starts, twins, at = [""], 0, 0
    while at < len(pattern):
        one = pattern[at]
        if escape and one == escape and at + 1 < len(pattern):
            at += 1
            one = pattern[at]
        elif one in "%_":
            return starts, False
        twin = _TWINS.get(one.lower())
        twins += twin is not None
        if not one.isascii() or twins > _MOST:
            return starts, False
        starts = [start + form for start in starts for form in (one, *([twin] if twin else []))]
        at += 1
    return starts, True
