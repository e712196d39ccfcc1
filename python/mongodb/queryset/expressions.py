# SPDX-License-Identifier: Apache-2.0
"""What `aggregate()` can compute without a pipeline, and values that the store computes."""

from __future__ import annotations

import datetime
from collections.abc import Iterator
from typing import Any

from mongodb.errors import InvalidQueryError, NotSupportedError
from mongodb.queryset._expression import Expression, depth_above
from mongodb.queryset.lookups import db_path, resolve

__all__ = ["Aggregate", "Avg", "Combined", "Count", "F", "Max", "Min", "Sum"]


class Aggregate:
    """A value over all documents of a queryset; None when there is none."""

    operator = ""
    empty: Any = None

    def __init__(self, field: str) -> None:
        if not isinstance(field, str):
            raise TypeError(f"{type(self).__name__} takes the name of a field")
        self.field = field

    @property
    def default_name(self) -> str:
        """The key of the result when none is given: `age__sum`."""
        return f"{self.field}__{type(self).__name__.lower()}"

    def accumulator(self, document: Any) -> dict[str, Any]:
        """Return the accumulator of a $group stage."""
        return {self.operator: _path(document, self)}

    def of_each(self, document: Any) -> dict[str, Any]:
        """Return the expression over one document's values: those of its list."""
        return {self.operator: _path(document, self)}

    def of_groups(self, document: Any) -> dict[str, Any]:
        """Return the accumulator over a group's documents and what their lists have."""
        return {self.operator: self.of_each(document)}

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.field!r})"


class Sum(Aggregate):
    """The sum of the numbers."""

    operator = "$sum"


class Avg(Aggregate):
    """The mean of the numbers."""

    operator = "$avg"

    def of_groups(self, document: Any) -> dict[str, Any]:
        if holds_lists(document, self.field):
            raise NotSupportedError(f"{self!r} of groups goes through no lists")
        return {self.operator: _path(document, self)}


class Min(Aggregate):
    """The least value."""

    operator = "$min"


class Max(Aggregate):
    """The greatest value."""

    operator = "$max"


class Count(Aggregate):
    """How many documents have a value; `Count("*")` counts all."""

    empty = 0

    def accumulator(self, document: Any) -> dict[str, Any]:
        if self.field in ("*", "pk") or self.field == document._meta.get("id_field"):
            return {"$sum": 1}
        path = _path(document, self)
        return {"$sum": {"$cond": [{"$gt": [path, None]}, 1, 0]}}

    def of_each(self, document: Any) -> dict[str, Any]:
        if self.field in ("*", "pk") or self.field == document._meta.get("id_field"):
            return {"$literal": 1}
        path = _path(document, self)
        one = {"$cond": [{"$gt": [path, None]}, 1, 0]}
        return {"$cond": [{"$isArray": [path]}, {"$size": path}, one]}

    def of_groups(self, document: Any) -> dict[str, Any]:
        return {"$sum": self.of_each(document)}


class Computed(Expression):
    """A value that the store computes from a document: arithmetic makes others of it."""

    def __add__(self, other: Any) -> Combined:
        return Combined("$add", self, other)

    def __radd__(self, other: Any) -> Combined:
        return Combined("$add", other, self)

    def __sub__(self, other: Any) -> Combined:
        return Combined("$subtract", self, other)

    def __rsub__(self, other: Any) -> Combined:
        return Combined("$subtract", other, self)

    def __mul__(self, other: Any) -> Combined:
        return Combined("$multiply", self, other)

    def __rmul__(self, other: Any) -> Combined:
        return Combined("$multiply", other, self)

    def __truediv__(self, other: Any) -> Combined:
        return Combined("$divide", self, other)

    def __rtruediv__(self, other: Any) -> Combined:
        return Combined("$divide", other, self)

    def __mod__(self, other: Any) -> Combined:
        return Combined("$mod", self, other)

    def __pow__(self, other: Any) -> Combined:
        return Combined("$pow", self, other)

    def __neg__(self) -> Combined:
        return Combined("$multiply", self, -1)


class F(Computed):
    """The value of another field of the same document, by its name or path: `F("address__zip")`."""

    def __init__(self, name: str) -> None:
        if not isinstance(name, str) or not name:
            raise TypeError(f"F takes the name of a field, not {name!r}")
        self.name = name

    def to_expression(self, document: Any) -> Any:
        path = _path(document, self)
        if any(part.isdigit() for part in path.split(".")):
            raise InvalidQueryError(f"F({self.name!r}): a position in a list has no expression")
        return path

    def names(self) -> Iterator[str]:
        yield self.name

    def __repr__(self) -> str:
        return f"F({self.name!r})"


class Combined(Computed):
    """Two values and what is done with them."""

    def __init__(self, operator: str, left: Any, right: Any) -> None:
        self.operator = operator
        self.sides = (left, right)
        self.depth = depth_above(self.sides, "arithmetic of F() is")

    def to_expression(self, document: Any) -> Any:
        return {self.operator: [_operand(document, one) for one in self.sides]}

    def names(self) -> Iterator[str]:
        for one in self.sides:
            if isinstance(one, Expression):
                yield from one.names()

    def __repr__(self) -> str:
        return f"<{self.sides[0]!r} {self.operator} {self.sides[1]!r}>"


def _path(document: Any, named: Aggregate | F) -> str:
    """Return the expression of a field: never a variable such as $$ROOT, which is all fields."""
    name = named.field if isinstance(named, Aggregate) else named.name
    finder = getattr(document, "expression_path", None)
    path = db_path(document, name) if finder is None else finder(name)
    if any(part[:1] == "$" for part in path.split(".")):
        raise InvalidQueryError(f"{named!r}: no part of a path begins with $")
    return f"${path}"


def holds_lists(document: Any, name: str) -> bool:
    """Whether a path goes through a list."""
    names = name.replace("__", ".").split(".")
    for end in range(1, len(names) + 1):
        try:
            field = resolve(document, names[:end])[1]
        except InvalidQueryError:
            return True  # through references: there may be many
        if field is not None and field.kind == "list":
            return True
    return False


def _operand(document: Any, value: Any) -> Any:
    if isinstance(value, Expression):
        return value.to_expression(document)
    if isinstance(value, datetime.timedelta):  # dates count milliseconds
        return {"$literal": value // datetime.timedelta(milliseconds=1)}
    return {"$literal": value}
