# SPDX-License-Identifier: Apache-2.0
"""Going through a syntax tree."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from mongodb.backend.plan.bind import P
from mongodb.backend.sql import nodes as n

__all__ = [
    "children", "columns", "conjuncts", "constant", "is_constant", "nulls_for", "replace", "walk",
]  # fmt: skip


def children(node: n.Node) -> Iterator[n.Node]:
    """Give the nodes directly below, those of queries within too."""
    for name in node.__slots__:
        yield from _nodes(getattr(node, name))


def _nodes(value: Any) -> Iterator[n.Node]:
    if isinstance(value, n.Node):
        yield value
    elif isinstance(value, tuple):
        for one in value:
            yield from _nodes(one)


def walk(node: n.Node, into_queries: bool = True) -> Iterator[n.Node]:
    """Give a node and everything below it."""
    yield node
    for child in children(node):
        if into_queries or not isinstance(child, n.Select):
            yield from walk(child, into_queries)


def is_constant(node: n.Node) -> bool:
    """Whether the value is known before the query runs."""
    return isinstance(node, (n.Param, n.Literal))


def constant(node: n.Node) -> Any:
    """Return the template of a constant."""
    return P(node.at) if isinstance(node, n.Param) else node.value  # type: ignore[attr-defined]


def columns(node: n.Node) -> list[n.Column]:
    """Return the columns named anywhere below."""
    return [one for one in walk(node) if isinstance(one, n.Column)]


def conjuncts(node: n.Node | None) -> list[n.Node]:
    """Return the conditions that must all hold."""
    if node is None:
        return []
    if isinstance(node, n.And):
        return [part for arg in node.args for part in conjuncts(arg)]
    return [node]


def replace(node: Any, change: Any) -> Any:
    """Return a copy in which `change(node)` stands for each node for which it is not None."""
    if isinstance(node, n.Node):
        found = change(node)
        if found is not None:
            return found
        values = {name: replace(getattr(node, name), change) for name in node.__slots__}
        if all(values[name] is getattr(node, name) for name in values):
            return node
        return type(node)(**values)
    if isinstance(node, tuple):
        made = tuple(replace(one, change) for one in node)
        return node if all(a is b for a, b in zip(made, node, strict=True)) else made
    return node


def nulls_for(node: n.Node, at: frozenset[int]) -> Any:
    """Return the statement with NULL in the place of the parameters at these positions."""
    return replace(
        node, lambda one: n.Literal(None) if isinstance(one, n.Param) and one.at in at else None
    )
