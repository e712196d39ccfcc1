# SPDX-License-Identifier: Apache-2.0
"""Text matches: the regular expressions of LIKE, of its kin and of patterns that a row holds."""

from __future__ import annotations

import re
from typing import Any

from mongodb.backend.plan.scope import PlanError
from mongodb.backend.sql import nodes as n

__all__ = ["dynamic", "like_pattern", "not_regex", "pattern_maker"]

_ANCHORS = {"contains": ("", ""), "startswith": ("^", ""), "endswith": ("", r"\z"),
            "exact": ("^", r"\z")}  # fmt: skip


def like_pattern(text: str, escape: str | None) -> str:
    """Return the regular expression of a LIKE pattern."""
    out, at = [], 0
    while at < len(text):
        one = text[at]
        if escape and one == escape and at + 1 < len(text):
            at += 1
            out.append(re.escape(text[at]))
        elif one == "%":
            out.append(".*")
        elif one == "_":
            out.append(".")
        else:
            out.append(re.escape(one))
        at += 1
    body = "".join(out)
    begin, end = "^", r"\z"
    if body.startswith(".*"):
        begin, body = "", body[2:]
    if body.endswith(".*") and not body.endswith(r"\.*"):
        end, body = "", body[:-2]
    return f"{begin}{body}{end}"


def _options(kind: str) -> str:
    return "is" if kind in ("ilike", "iregexp") or kind[0] == "i" else "s"


def _like(escape: str | None, options: str) -> Any:
    def make(text: Any) -> dict[str, Any]:
        return {"$regex": like_pattern(str(text), escape), "$options": options}

    return make


def _anchored(how: str, options: str) -> Any:
    begin, end = _ANCHORS[how]

    def make(text: Any) -> dict[str, Any]:
        return {"$regex": f"{begin}{re.escape(str(text))}{end}", "$options": options}

    return make


def _regex(options: str) -> Any:
    def make(text: Any) -> dict[str, Any]:
        return {"$regex": str(text), "$options": options}

    return make


def pattern_maker(node: n.Match) -> Any:
    options = _options(node.kind)
    kind = node.kind.removeprefix("i") if node.kind != "ilike" else "like"
    if kind == "like":
        return _like(node.escape, options)
    if kind == "regexp":
        return _regex(options.replace("s", ""))
    if kind == "glob":
        raise PlanError("GLOB is not supported: use LIKE or REGEXP")
    return _anchored(kind, options)


def not_regex(make: Any, inside: bool) -> Any:
    known: dict[str, Any] = {} if inside else {"$ne": None}
    return lambda text: {"$not": make(text), **known}


def dynamic(node: n.Match, arg: Any, pattern: Any) -> Any:
    """A pattern that is a value of the row."""
    kind = node.kind
    if kind in ("regexp", "iregexp"):
        return {"$regexMatch": {"input": arg, "regex": pattern, "options": _options(kind)[:-1]}}
    if kind in ("like", "ilike"):
        return {"$regexMatch": {"input": arg, "regex": _like_expression(pattern),
                                "options": _options(kind)}}  # fmt: skip
    if kind[0] == "i":
        arg, pattern = {"$toLower": arg}, {"$toLower": pattern}
        kind = kind[1:]
    if kind == "exact":
        return {"$eq": [arg, pattern]}
    if kind == "contains":
        return {"$gte": [{"$indexOfCP": [arg, pattern]}, 0]}
    if kind == "startswith":
        return {"$eq": [{"$indexOfCP": [arg, pattern]}, 0]}
    size = {"$strLenCP": pattern}
    start = {"$subtract": [{"$strLenCP": arg}, size]}
    return {"$and": [
        {"$gte": [start, 0]},
        {"$eq": [{"$substrCP": [arg, {"$max": [start, 0]}, size]}, pattern]},
    ]}  # fmt: skip


def _like_expression(pattern: Any) -> Any:
    """The regular expression of a LIKE pattern that the row holds."""
    for special in "\\.^$*+?()[]{}|":
        pattern = {"$replaceAll": {"input": pattern, "find": {"$literal": special},
                                   "replacement": {"$literal": "\\" + special}}}  # fmt: skip
    for sign, meaning in (("%", ".*"), ("_", ".")):
        pattern = {"$replaceAll": {"input": pattern, "find": sign, "replacement": meaning}}
    return {"$concat": ["^", pattern, r"\z"]}
