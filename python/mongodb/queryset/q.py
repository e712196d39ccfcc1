# SPDX-License-Identifier: Apache-2.0
"""Conditions that combine with `&`, `|` and `~`."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from mongodb import _core
from mongodb.errors import InvalidQueryError
from mongodb.queryset._expression import Condition, Expression, depth_above
from mongodb.queryset._through import ThroughReference
from mongodb.queryset.geo import LoneDistance
from mongodb.queryset.lookups import filter_bson, split_references

__all__ = ["Q", "QNode"]

TOO_DEEP = "a condition is"


class QNode(Condition):
    """A condition."""

    AND, OR, NOT = 0, 1, 2
    depth = 1  # of conditions within conditions

    def to_query(self, document: Any) -> dict[str, Any]:
        """Return the filter for documents of the class."""
        try:
            return self.to_bson(document).decode()  # type: ignore[no-any-return]
        except ThroughReference:
            return document._queryset().filter(self)._matching().decode()  # type: ignore[no-any-return]

    def to_bson(self, document: Any) -> Any:
        """Return the same as `_core.Raw`; a class overrides one of the two."""
        if type(self).to_query is QNode.to_query:
            raise NotImplementedError
        return _core.Raw(self.to_query(document))

    @property
    def empty(self) -> bool:
        """Whether the condition always holds."""
        return False

    def _names(self) -> Iterator[str]:
        """Yield the keywords, and the names that `F()` compares with."""
        return iter(())

    def _parted(self, names: set[str]) -> tuple[QNode, QNode]:
        """Return what says nothing of these names, and the rest; both have to hold."""
        return (Q(), self) if _are_among(self._names(), names) else (self, Q())

    def _local(self, document: Any) -> QNode:
        """Return a condition without references led through, for which at least as many hold."""
        try:
            self.to_bson(document)
        except ThroughReference:
            return Q()
        return self

    def _combine(self, other: Any, operation: int) -> Any:
        if not isinstance(other, QNode):
            raise TypeError(f"a Q combines with another Q, not with {other!r}")
        if other.empty:
            return self
        if self.empty:
            return other
        return QCombination(operation, [self, other])

    def __and__(self, other: Any) -> Any:
        return self._combine(other, self.AND)

    def __or__(self, other: Any) -> Any:
        return self._combine(other, self.OR)

    def __invert__(self) -> Any:
        return QCombination(self.NOT, [self])

    def __xor__(self, other: Any) -> Any:
        raise TypeError("a Q has no ^: write (a & ~b) | (~a & b)")

    def __bool__(self) -> bool:
        return not self.empty


class Q(QNode):
    """Lookups as in `filter()`."""

    def __init__(self, *args: Any, **query: Any) -> None:
        if args and any(not isinstance(one, QNode) for one in args):
            raise TypeError("Q takes lookups as keywords")
        if args:
            self.depth = depth_above(args, TOO_DEEP)
        self.query = _lasting(query)
        self._args = args

    @classmethod
    def _of(cls, query: dict[str, Any]) -> Q:
        """Return `Q(**query)` that keeps this dict."""
        made = object.__new__(cls)
        made.query = _lasting(query)
        made._args = ()
        return made

    def _after(self, before: QNode) -> QNode:
        """Return `before & self`; self is not empty."""
        if type(before) is not Q:
            return before & self  # type: ignore[no-any-return]
        if not before.query and not before._args:
            return self
        both = object.__new__(QCombination)
        both.operation = self.AND
        both.children = [before, self]
        both.depth = 1 + max(before.depth, self.depth)
        return both

    def to_bson(self, document: Any) -> Any:
        out = filter_bson(document, self.query)
        if not self._args:
            return out
        return _core.join_filters("$and", [out, *(one.to_bson(document) for one in self._args)])

    @property
    def empty(self) -> bool:
        return not self.query and all(one.empty for one in self._args)

    def _names(self) -> Iterator[str]:
        for name, value in self.query.items():
            yield from _names_of(name, value)
        for one in self._args:
            yield from one._names()

    def _parted(self, names: set[str]) -> tuple[QNode, QNode]:
        late = {name: value for name, value in self.query.items()
                if _are_among(_names_of(name, value), names)}  # fmt: skip
        rest = {name: value for name, value in self.query.items() if name not in late}
        parts = [one._parted(names) for one in self._args]
        return Q(*(one for one, _ in parts), **rest), Q(*(one for _, one in parts), **late)

    def _local(self, document: Any) -> QNode:
        own, _ = split_references(document, self.query)
        return Q(*(one._local(document) for one in self._args), **own)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Q) and (self.query, self._args) == (other.query, other._args)

    def __hash__(self) -> int:
        return hash(tuple(sorted(self.query)))

    def __repr__(self) -> str:
        return f"Q(**{self.query!r})"


class QCombination(QNode):
    """Conditions joined by one operation."""

    def __init__(self, operation: int, children: list[QNode]) -> None:
        self.operation = operation
        self.children: list[QNode] = []
        apart: list[QNode] = []
        self.depth = 1
        for child in children:
            same = isinstance(child, QCombination) and child.operation == operation
            if same and operation != self.NOT:
                self.children += child.children  # type: ignore[attr-defined]
                self.depth = max(self.depth, child.depth)
            else:
                self.children.append(child)
                apart.append(child)
        self.depth = max(self.depth, depth_above(apart, TOO_DEEP))

    @property
    def empty(self) -> bool:
        return self.operation != self.NOT and all(child.empty for child in self.children)

    def _names(self) -> Iterator[str]:
        for child in self.children:
            yield from child._names()

    def _parted(self, names: set[str]) -> tuple[QNode, QNode]:
        if self.operation != self.AND:
            return super()._parted(names)
        parts = [child._parted(names) for child in self.children]
        return (QCombination(self.AND, [one for one, _ in parts]),
                QCombination(self.AND, [one for _, one in parts]))  # fmt: skip

    def _local(self, document: Any) -> QNode:
        if self.operation != self.AND:
            return super()._local(document)
        return QCombination(self.AND, [child._local(document) for child in self.children])

    def to_bson(self, document: Any) -> Any:
        try:
            parts = [child.to_bson(document) for child in self.children]
        except LoneDistance:
            whole = self._as_one()
            if whole is None:
                raise
            return whole.to_bson(document)
        return _core.join_filters(("$and", "$or", "$nor")[self.operation], parts)

    def _as_one(self) -> Q | None:
        """Return one Q for plain ones that must all hold: a distance finds its place."""
        plain = [one for one in self.children if isinstance(one, Q) and not one._args]
        merged = {name: value for one in plain for name, value in one.query.items()}
        apart = sum(len(one.query) for one in plain) == len(merged)
        if self.operation != self.AND or len(plain) < len(self.children) or not apart:
            return None
        return Q(**merged)

    def __eq__(self, other: object) -> bool:
        return (
            isinstance(other, QCombination)
            and self.operation == other.operation
            and self.children == other.children
        )

    def __hash__(self) -> int:
        return hash((self.operation, *self.children))

    def __repr__(self) -> str:
        if self.operation == self.NOT:
            return f"(~{self.children[0]!r})"
        return "(" + (" & ", " | ")[self.operation].join(map(repr, self.children)) + ")"


def _names_of(name: str, value: Any) -> Iterator[str]:
    if name != "__raw__":
        yield name
    if isinstance(value, Expression):
        yield from value.names()


def _are_among(found: Iterator[str], names: set[str]) -> bool:
    return any(name in names or name.split("__")[0] in names for name in found)


def _lasting(query: dict[str, Any]) -> dict[str, Any]:
    """Return the keywords with lists for iterators, which could be read only once."""
    for value in query.values():
        if hasattr(type(value), "__next__"):
            return {k: list(v) if hasattr(type(v), "__next__") else v for k, v in query.items()}
    return query


def as_q(args: tuple[Any, ...], query: dict[str, Any]) -> QNode:
    """Return one condition from what `filter()` was given."""
    node: QNode = Q._of(query)
    for one in args:
        if hasattr(one, "connector") and hasattr(one, "children"):
            try:
                one = _from_django(one)
            except RecursionError:
                raise InvalidQueryError(f"{TOO_DEEP} nested too deeply") from None
        if not isinstance(one, QNode):
            raise InvalidQueryError(f"filter() takes lookups and Q objects, not {one!r}")
        node = node & one
    return node


def _from_django(node: Any) -> QNode:
    """Return the condition that one of Django's `Q` objects states."""
    parts: list[QNode] = []
    for child in node.children:
        if isinstance(child, tuple):
            parts.append(Q(**{child[0]: child[1]}))
        elif hasattr(child, "children"):
            parts.append(_from_django(child))
        else:
            raise InvalidQueryError(f"documents have no database expressions such as {child!r}")
    if node.connector not in ("AND", "OR"):
        raise InvalidQueryError("a Q has no ^: write (a & ~b) | (~a & b)")
    found: QNode = Q()
    for part in parts:
        found = found | part if node.connector == "OR" else found & part
    return ~found if node.negated else found
