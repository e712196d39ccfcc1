# SPDX-License-Identifier: Apache-2.0
"""The syntax tree of a statement. Nodes are immutable; equal text makes equal nodes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

_node = dataclass(frozen=True, slots=True)


class Node:
    """Anything of a statement."""

    __slots__ = ()


@_node
class Column(Node):
    """A column, of `table` (an alias) or of whichever source has it."""

    table: str | None
    name: str


@_node
class Star(Node):
    """`*` or `t.*` in a list of columns."""

    table: str | None = None


@_node
class Param(Node):
    """The parameter at a position."""

    at: int


@_node
class Literal(Node):
    """A value that stands in the text."""

    value: Any


@_node
class Func(Node):
    """A call; aggregates carry DISTINCT, FILTER and OVER."""

    name: str
    args: tuple[Node, ...]
    distinct: bool = False
    star: bool = False
    where: Node | None = None
    over: Window | None = None
    order_by: tuple[Order, ...] = ()


@_node
class Window(Node):
    """OVER (PARTITION BY … ORDER BY … frame)."""

    partition: tuple[Node, ...]
    order_by: tuple[Order, ...]
    frame: tuple[str, Any, Any, str | None] | None  # unit, start, end, exclusion


@_node
class Unary(Node):
    """`-x`, `+x`, `~x`."""

    op: str
    arg: Node


@_node
class Binary(Node):
    """Arithmetic, bits, text (`||`)."""

    op: str
    left: Node
    right: Node


@_node
class Compare(Node):
    """`=`, `<>`, `<`, `<=`, `>`, `>=`, `IS DISTINCT FROM` (as `is not`), `is`."""

    op: str
    left: Node
    right: Node


@_node
class And(Node):
    args: tuple[Node, ...]


@_node
class Or(Node):
    args: tuple[Node, ...]


@_node
class Not(Node):
    arg: Node


@_node
class IsNull(Node):
    """`x IS NULL`, `x IS NOT NULL`."""

    arg: Node
    negated: bool = False


@_node
class In(Node):
    """`x IN (…)`: `items` is a tuple of nodes or a Select."""

    arg: Node
    items: Any
    negated: bool = False


@_node
class Between(Node):
    arg: Node
    low: Node
    high: Node
    negated: bool = False


@_node
class Match(Node):
    """A text match; `kind` is like, ilike, regexp, iregexp, contains, icontains, startswith,
    istartswith, endswith, iendswith, iexact."""

    kind: str
    arg: Node
    pattern: Node
    negated: bool = False
    escape: str | None = "\\"


@_node
class Case(Node):
    """Searched CASE; a simple one is rewritten."""

    whens: tuple[tuple[Node, Node], ...]
    otherwise: Node | None


@_node
class Cast(Node):
    arg: Node
    type: str


@_node
class Exists(Node):
    select: Select


@_node
class SubSelect(Node):
    """A query in parentheses: its only column of its only row."""

    select: Select


@_node
class Tuple(Node):
    items: tuple[Node, ...]


@_node
class Order(Node):
    expr: Node
    descending: bool = False
    nulls: str | None = None  # first, last


@_node
class Table(Node):
    """A source of rows: a collection, a query, or rows of values."""

    name: str | None
    alias: str
    select: Select | None = None


@_node
class Join(Node):
    kind: str  # inner, left, cross
    table: Table
    on: Node | None


@_node
class Output(Node):
    """A column of a result."""

    expr: Node
    alias: str | None


@_node
class Select(Node):
    """A query; with `op`, the combination of `left` and `right`."""

    columns: tuple[Output, ...] = ()
    distinct: bool = False
    distinct_on: tuple[Node, ...] = ()
    source: Table | None = None
    joins: tuple[Join, ...] = ()
    where: Node | None = None
    group_by: tuple[Node, ...] = ()
    having: Node | None = None
    order_by: tuple[Order, ...] = ()
    limit: Node | None = None
    offset: Node | None = None
    for_update: bool = False
    op: str | None = None  # union, intersect, except
    all: bool = False
    left: Select | None = None
    right: Select | None = None
    values: tuple[tuple[Node, ...], ...] = ()


@_node
class Insert(Node):
    table: str
    columns: tuple[str, ...]
    rows: tuple[tuple[Node, ...], ...]
    select: Select | None = None
    ignore: bool = False
    conflict: tuple[str, ...] = ()
    update: tuple[tuple[str, Node], ...] = ()
    returning: tuple[str, ...] = ()


@_node
class Update(Node):
    table: str
    alias: str
    changes: tuple[tuple[str, Node], ...]
    where: Node | None


@_node
class Delete(Node):
    table: str
    alias: str
    where: Node | None


@_node
class Command(Node):
    """SAVEPOINT, RELEASE, ROLLBACK TO, BEGIN, COMMIT, ROLLBACK: `name` is the savepoint's; SET
    CONSTRAINTS: `names` are theirs."""

    verb: str
    name: str | None = None
    names: tuple[str, ...] = ()


# Definitions. What stays behind them, a check or a default, is kept as text.


@_node
class Constraint(Node):
    """`kind` is check, unique, primary or foreign."""

    kind: str
    name: str | None
    columns: tuple[str, ...]
    text: str | None = None
    table: str | None = None
    to: tuple[str, ...] = ()
    deferred: bool | None = None  # at first; None: never
    nulls_distinct: bool = True


@_node
class ColumnDef(Node):
    """A column of a table; `null` is None where the text does not say."""

    name: str
    type: str
    null: bool | None = None
    primary: bool = False
    default: str | None = None
    generated: str | None = None
    shape: str | None = None  # JSON: what holds within its arrays and documents
    constraints: tuple[Constraint, ...] = ()


@_node
class CreateTable(Node):
    table: str
    columns: tuple[ColumnDef, ...]
    constraints: tuple[Constraint, ...]
    if_not_exists: bool = False


@_node
class AlterTable(Node):
    """Changes are tuples: what, and its arguments."""

    table: str
    changes: tuple[tuple[Any, ...], ...]


@_node
class CreateIndex(Node):
    """Each key is (expression, its text, descending)."""

    name: str
    table: str
    unique: bool
    keys: tuple[tuple[Node, str, bool], ...]
    where: str | None = None
    include: tuple[str, ...] = ()
    nulls_distinct: bool = True
    spec: str | None = None  # the whole of it as createIndexes takes it, in extended JSON


@_node
class CreateView(Node):
    name: str
    select: Select


@_node
class Drop(Node):
    """`what` is table, index or view; `table` is an index's."""

    what: str
    name: str
    if_exists: bool = False
    table: str | None = None


@_node
class Comment(Node):
    """A comment on a table, or on a column of it."""

    table: str
    column: str | None
    text: str | None
