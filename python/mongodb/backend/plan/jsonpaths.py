# SPDX-License-Identifier: Apache-2.0
"""Equality below a JSON column in words that an index over its path serves: they let through all
that is equal and perhaps more, which the expression then decides."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from typing import Any

from mongodb.backend.plan.bind import Call
from mongodb.backend.plan.scope import Scope, is_name
from mongodb.backend.plan.walk import constant, is_constant
from mongodb.backend.sql import nodes as n

__all__ = ["narrowing"]

_PLAIN = (str, int, float, bool)


def narrowing(scope: Scope, node: n.Node) -> Call | None:
    """Return what makes the alternatives of an $or, one of which holds wherever `node` is true."""
    if isinstance(node, n.In) and not isinstance(node.items, n.Select) and not node.negated:
        arg, values = node.arg, list(node.items)
    elif isinstance(node, n.Func) and node.name == "JSON_EQ":
        arg, values = node.args[0], list(node.args[1:])
    else:
        return None
    path = _path(scope, arg)
    if path is None or not values or not all(map(is_constant, values)):
        return None
    return Call(_equal(path), tuple(map(constant, values)))


def _equal(path: str) -> Callable[..., list[Any]]:
    def make(*values: Any) -> list[Any]:
        # the keys of objects may come in any order, and what is null may be missing
        if all(isinstance(one, _PLAIN) for one in values):
            return [{path: {"$in": list(values)}}]
        return [{}]

    return make


def _path(scope: Scope, node: n.Node) -> str | None:
    """The path of documents of a key below a JSON column of the rows themselves."""
    if not isinstance(node, n.Func) or node.name != "JSON_GET" or len(node.args) < 2:
        return None
    column, *keys = node.args
    if not isinstance(column, n.Column) or scope.type_of(column) != "json":
        return None
    path = scope.path(column)
    names = [_key(one) for one in keys]
    if path is None or scope.find(column) is None or None in names:
        return None
    return ".".join([path, *map(str, names)])


def _key(node: n.Node) -> str | None:
    """A key as it stands in a path; None where it would mean something else there."""
    if not isinstance(node, n.Literal) or not isinstance(node.value, (str, int)):
        return None
    key = json.loads(node.value) if isinstance(node.value, str) else node.value
    name = str(key)
    position = re.fullmatch(r"-?[0-9]+", name) is not None
    if position and (name.startswith("-") or name != str(int(name))):
        return None
    return name if is_name(name) else None
