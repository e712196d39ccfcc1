# SPDX-License-Identifier: Apache-2.0
"""Which names a query may use, and the paths of documents they stand for."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from mongodb.backend.sql import nodes as n

__all__ = [
    "MICRO", "US", "Language", "PlanError", "Planner", "Scope", "Source", "TableInfo",
    "Unsupported", "is_name",
]  # fmt: skip

MICRO = ("datetime(6)", "time(6)")  # types whose values have microseconds
US = "__us"  # the field below which the microseconds beside dates are


def is_name(key: object) -> bool:
    """Whether a field's name can stand in a dotted path."""
    return isinstance(key, str) and key != "" and "." not in key and not key.startswith("$")


class PlanError(Exception):
    """A statement that cannot be planned: an unknown name, or what MongoDB has no word for."""


class Unsupported(PlanError):
    """A feature that is not there, in a statement that is otherwise right."""


@dataclass(slots=True)
class TableInfo:
    """What is known of a collection: the column that is kept as `_id`, and types by column."""

    name: str
    pk: str | None
    types: dict[str, str] = field(default_factory=dict)
    # whether `types` names every column
    whole: bool = False
    required: set[str] = field(default_factory=set)  # columns that are NOT NULL
    shapes: dict[str, Any] = field(default_factory=dict)  # what is within arrays and documents
    # what stands beside the columns, by kind, as the collection's validator keeps it: checks, keys
    # (foreign ones), defaults, generated, primary (of several columns), indexes, comments
    meta: dict[str, Any] = field(default_factory=dict)
    computed: list[dict[str, Any]] = field(default_factory=list)  # stages that every write ends in
    micros: dict[str, str] = field(default_factory=dict)  # dates with microseconds: path
    derived: bool = False  # a query's rows: dates with microseconds are one number in them

    def path(self, column: str) -> str:
        """Return the field that holds a column."""
        return "_id" if column == self.pk else column

    def columns(self) -> list[str]:
        """Return the columns in their order."""
        return list(self.types)

    def bare(self) -> list[str]:
        """Return the fields that are null in a row whose statement does not name them."""
        defaults = self.meta.get("defaults", {})
        return [
            self.path(column)
            for column, type_ in self.types.items()
            if column != self.pk and type_ != "json" and column not in defaults
        ]


@dataclass(slots=True)
class Source:
    """One source of rows under its alias; `prefix` is where its documents are within a row."""

    alias: str
    info: TableInfo
    prefix: str = ""
    optional: bool = False  # of a left join


@dataclass(frozen=True, slots=True)
class Language:
    """The parts of the plan's language, which call each other: values hold conditions, conditions
    hold queries, queries hold values."""

    value: Callable[[Scope, n.Node], Any]
    case: Callable[..., Any]
    plan_select: Callable[..., Any]


class Planner:
    """What the parts of one statement share."""

    def __init__(self, table: Callable[[str], TableInfo], language: Language) -> None:
        self.table = table
        self.language = language
        self.before: list[Any] = []  # queries that run first; templates name them R(i)
        self.memo: dict[Any, Any] = {}  # queries that run first, by their trees
        self.kinds: dict[Any, str | None] = {}  # queries within: their values' type in MICRO
        self._temporary = 0

    def temporary(self, kind: str) -> str:
        """Return a field name that no column has."""
        self._temporary += 1
        return f"__{kind}{self._temporary}"


class Scope:
    """The sources of one query, and those of the queries around it."""

    def __init__(self, planner: Planner, parent: Scope | None = None) -> None:
        self.planner = planner
        self.parent = parent
        self.sources: dict[str, Source] = {}
        self.replaced: dict[n.Node, str] = {}  # nodes whose value a stage before has made
        self.lets: dict[str, str] = {}  # an outer value: the variable that carries it here
        self.stages: list[dict[str, Any]] = []
        self.lookups: dict[Any, str] = {}  # queries within: the field of their rows
        self.grouped = False
        self.nested = False  # its rows are a source of another query
        # the place of a $group of all rows, and what it should have made of none
        self.of_nothing: tuple[int, dict[str, Any]] | None = None

    def value(self, node: n.Node) -> Any:
        """Return the expression of a value."""
        return self.planner.language.value(self, node)

    def add(self, source: Source) -> None:
        self.sources[source.alias] = source

    def find(self, column: n.Column) -> Source | None:
        """Return the source of a column among this query's own."""
        if column.table is not None:
            return self.sources.get(column.table)
        known = [s for s in self.sources.values() if column.name in s.info.types]
        if known:
            return known[0]
        loose = [s for s in self.sources.values() if not s.info.whole]
        return loose[0] if loose else None

    def reference(self, column: n.Column) -> str:
        """Return the expression of a column: `$path` here, `$$variable` of a query around."""
        if column in self.replaced:
            return self.replaced[column]
        source = self.find(column)
        if source is not None:
            info = source.info
            if info.whole and column.name not in info.types and column.name != info.pk:
                raise PlanError(f"no such column: {column.table or info.name}.{column.name}")
            return f"${source.prefix}{info.path(column.name)}"
        if self.parent is None:
            name = f"{column.table}.{column.name}" if column.table else column.name
            raise PlanError(f"no such column: {name}")
        return self._let(self.parent.reference(column))

    def _let(self, outer: str) -> str:
        if outer not in self.lets:
            self.lets[outer] = f"v{len(self.lets)}"
        return f"$${self.lets[outer]}"

    def sibling(self, column: n.Column) -> str | None:
        """Return the expression of what is beside a column, where it still is in two fields."""
        if column in self.replaced:
            return None
        source = self.find(column)
        if source is not None:
            beside = column.name in source.info.micros
            return f"${source.prefix}{US}.{column.name}" if beside else None
        outer = None if self.parent is None else self.parent.sibling(column)
        return None if outer is None else self._let(outer)

    def micro(self, column: n.Column) -> str | None:
        """Return the type of a column that has microseconds."""
        source = self.find(column)
        if source is None:
            return None if self.parent is None else self.parent.micro(column)
        type_ = source.info.types.get(column.name)
        held = source.info.derived and type_ in MICRO
        return type_ if held or column.name in source.info.micros else None

    def path(self, node: n.Node) -> str | None:
        """Return the path of a node that is a field of the row here, else None."""
        if node in self.replaced or isinstance(node, n.Column):
            text = self.replaced.get(node) or self.reference(node)  # type: ignore[arg-type]
            if isinstance(text, str) and text.startswith("$") and not text.startswith("$$"):
                return text[1:]
        elif isinstance(node, n.Func) and node.name == "PATH":
            above = self.path(node.args[0])
            keys = [getattr(key, "value", None) for key in node.args[1:]]
            if above is not None and all(map(is_name, keys)):
                return ".".join((above, *keys))
        return None

    def type_of(self, node: n.Node) -> str | None:
        """Return the declared type of a column, where it is known."""
        if isinstance(node, n.Column):
            scope: Scope | None = self
            while scope is not None:
                source = scope.find(node)
                if source is not None:
                    return source.info.types.get(node.name)
                scope = scope.parent
        if isinstance(node, n.Cast):
            return node.type
        return None
