# SPDX-License-Identifier: Apache-2.0
"""Statements ready to run: templates of commands, made once for a text and kept by it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any

from mongodb._core import Columns
from mongodb.backend.cells import OF_TYPE, Cell, columns
from mongodb.backend.plan import micros
from mongodb.backend.plan.apart import apart
from mongodb.backend.plan.bind import Call, P, compile_template
from mongodb.backend.plan.expressions import case, value
from mongodb.backend.plan.narrow import narrowed
from mongodb.backend.plan.predicates import filter_for
from mongodb.backend.plan.scope import Language, PlanError, Planner, Scope, Source, TableInfo
from mongodb.backend.plan.select import Planned, plan_select
from mongodb.backend.plan.walk import is_constant, nulls_for
from mongodb.backend.sql import nodes as n

__all__ = ["LANGUAGE", "Grouped", "Hopeful", "Prepared", "Query", "prepare"]

LANGUAGE = Language(value, case, plan_select)
Tables = Callable[[str], TableInfo]
_KEPT = 8  # forms of one query's rows
_MOST_HOPED = 2000  # rows that are read before it is known whether they are the right ones


@dataclass(slots=True)
class Query:
    """One command that answers with rows: `paths` lead to the columns' values."""

    command: Any  # (parameters, results) -> command
    paths: list[tuple[str, ...]]
    names: list[str]
    before: list[Query]
    shape: Any  # the template, for explain
    count: bool = False  # the reply's n is the only row
    of_nothing: Any = None  # (parameters, results) -> command, for when no row comes
    after: dict[int, Any] = field(default_factory=dict)  # what makes a column of what was read
    beside: dict[int, tuple[str, ...]] = field(default_factory=dict)  # microseconds of columns
    kinds: list[str | None] = field(default_factory=list)  # types of columns
    by_keys: Query | None = None  # the same, when what it reads before are at most FEW rows each
    grouped: Grouped | None = None  # the same as two queries
    hopeful: Hopeful | None = None  # the same if its rows name what is there
    _columns: dict[Any, Columns] = field(default_factory=dict)

    def columns(self, cells: tuple[Cell | None, ...] = ()) -> Columns:
        """How the documents become rows, of cells as Django wants them."""
        found = self._columns.get(cells)
        if found is None:
            if len(self._columns) >= _KEPT:
                self._columns.clear()
            found = self._columns[cells] = columns(self.paths, self.after, cells, self.beside)
        return found


@dataclass(slots=True)
class Hopeful:
    """A query that slices before its joins, and is right when no row among those that it should
    give, or that stand before them, names what is not there."""

    query: Query  # gives all rows up to the slice's end
    places: list[int]  # of the columns that are NULL where a row names what is not there
    start: int  # of the slice
    end: int


@dataclass(slots=True)
class Grouped:
    """Rows that end in a key and groups that begin with it; the rest as of `Apart`."""

    rows: Query
    groups: Query
    places: list[tuple[bool, int]]
    nothing: tuple[Any, ...]
    path: str


@dataclass(slots=True)
class Prepared:
    """A statement: `kind` is select, insert, update, delete, define or command."""

    kind: str
    query: Query | None = None
    node: n.Node | None = None
    table: TableInfo | None = None
    write: Any = None  # (parameters, results) -> command
    rows: Any = None  # insert: (parameters, results) -> list of documents
    values: Query | None = None  # what must be read first: keys, and new values by key
    changed: list[str] = field(default_factory=list)
    before: list[Query] = field(default_factory=list)
    params: int = 0  # how many parameters its text names
    whole: bool = False  # insert: its documents lack nothing but keys
    single: bool = False  # insert: of one row, which nothing else is said of
    returning: list[str] = field(default_factory=list)  # insert: the fields of what comes back
    late: bool | None = None  # whether a unique constraint is to be checked afterwards
    breaks: bool | None = None  # whether it may break a foreign key, once somebody has looked
    # insert: the fields that hold others' primary keys, with those tables, once somebody has
    # looked; False when a foreign key leads elsewhere
    names: list[tuple[str, str]] | bool | None = None


def prepare(node: n.Node, tables: Tables, null_params: frozenset[int] = frozenset()) -> Prepared:
    """Plan a statement. `null_params` are the positions of parameters that are NULL in this call:
    they change the meaning of conditions, so they belong to what a plan is kept by."""
    if null_params and not isinstance(node, n.Insert):
        node = nulls_for(node, null_params)
    if isinstance(node, n.Select):
        return Prepared("select", query=_query(node, tables), node=node)
    if isinstance(node, n.Insert):
        return _insert(node, tables)
    if isinstance(node, n.Update):
        return _update(node, tables)
    if isinstance(node, n.Delete):
        return _delete(node, tables)
    return Prepared("command" if isinstance(node, n.Command) else "define", node=node)


def _query(select: n.Select, tables: Tables) -> Query:
    made = _one_way(select, tables)
    by_keys = narrowed(select, tables)
    if by_keys is not None:
        made.by_keys = _one_way(by_keys, tables)
    made.hopeful = _hopeful(select, tables)
    two = apart(select, tables)
    if two is not None:
        rows, groups = _one_way(two.rows, tables), _one_way(two.groups, tables)
        made.grouped = Grouped(rows, groups, two.places, two.nothing, two.path)
    return made


def _hopeful(select: n.Select, tables: Tables) -> Hopeful | None:
    """The query that slices before its joins, where these leave rows out only if a key leads
    nowhere."""
    start, end = _slice(select)
    if not 0 < end <= _MOST_HOPED or not select.order_by or select.op is not None:
        return None
    if not any(join.kind == "inner" for join in select.joins):
        return None
    outputs = list(select.columns)
    if any(isinstance(output.expr, n.Star) for output in outputs):
        return None
    joins, places = [], []
    for join in select.joins:
        info = None if join.table.name is None else tables(join.table.name)
        if join.kind == "inner":
            if info is None or info.pk is None:
                return None
            key = n.Column(join.table.alias, info.pk)
            named = [output.expr for output in outputs]
            if key not in named:  # comes with the row, and is not shown
                named.append(key)
                outputs.append(n.Output(key, None))
            places.append(named.index(key))
            join = n.Join("left", join.table, join.on)
        joins.append(join)
    changes = {"joins": tuple(joins), "columns": tuple(outputs),
               "limit": n.Literal(end), "offset": None}  # fmt: skip
    values = {name: getattr(select, name) for name in n.Select.__slots__}
    query = _one_way(n.Select(**{**values, **changes}), tables)
    stages = [next(iter(one)) for one in query.shape.get("pipeline", ())]
    if "$limit" not in stages or "$lookup" in stages[: stages.index("$limit")]:
        return None
    return Hopeful(query, places, start, end)


def _slice(select: n.Select) -> tuple[int, int]:
    """Where a query's slice starts and ends; an end of 0 when that is not known."""
    start = 0 if select.offset is None else getattr(select.offset, "value", None)
    many = getattr(select.limit, "value", None)
    if not isinstance(start, int) or not isinstance(many, int) or many < 1 or start < 0:
        return 0, 0
    return start, start + many


def _one_way(select: n.Select, tables: Tables) -> Query:
    counted = _count(select, tables)
    if counted is not None:
        return counted
    planner = Planner(tables, LANGUAGE)
    return _of_planned(plan_select(planner, select, top=True), planner)


def _of_planned(planned: Planned, planner: Planner | None) -> Query:
    command = _find(planned) or {
        "aggregate": planned.collection if planned.collection is not None else 1,
        "pipeline": planned.stages,
        "cursor": {},
    }
    before = [] if planner is None else [_of_planned(one, None) for one in planner.before]
    return Query(
        compile_template(command),
        [tuple(path.split(".")) for path in planned.fields],
        planned.names,
        before,
        command,
        after=_makers(planned),
        kinds=planned.types,
        beside={at: tuple(path.split(".")) for at, path in planned.beside.items()},
        of_nothing=None
        if planned.of_nothing is None
        else compile_template({"aggregate": 1, "pipeline": planned.of_nothing, "cursor": {}}),
    )


def _makers(planned: Planned) -> dict[int, Any]:
    """What turns a column's BSON into Python's value, where they differ."""
    out = dict(planned.after)
    for at, type_ in enumerate(planned.types):
        make = OF_TYPE.get((type_ or "").partition("(")[0])
        if make is not None:
            out.setdefault(at, make)
    return out


def _find(planned: Planned) -> dict[str, Any] | None:
    """Return a `find` when the pipeline is filter, sort, slice and plain columns."""
    if planned.collection is None:
        return None
    command: dict[str, Any] = {"find": planned.collection}
    order = ["$match", "$sort", "$skip", "$limit", "$project"]
    words = {"$match": "filter", "$sort": "sort", "$skip": "skip", "$limit": "limit",
             "$project": "projection"}  # fmt: skip
    at = 0
    for stage in planned.stages:
        op = next(iter(stage))
        if op not in order[at:]:
            return None
        at = order.index(op) + 1
        if op == "$project" and not all(v in (0, 1) for v in stage[op].values()):
            return None
        command[words[op]] = stage[op]
    return command


def _count(select: n.Select, tables: Tables) -> Query | None:
    """SELECT COUNT(*) FROM one collection: counted by an index or read off its metadata."""
    if len(select.columns) != 1 or select.joins or select.group_by or select.having is not None:
        return None
    only = select.columns[0]
    if only.expr != n.Func("COUNT", (), star=True) or select.source is None:
        return None
    if select.source.name is None or select.distinct or select.order_by:
        return None
    if select.limit is not None or select.offset is not None:
        return None
    planner = Planner(tables, LANGUAGE)
    scope = Scope(planner)
    info = tables(select.source.name)
    scope.add(Source(select.source.alias, info))
    test = {} if select.where is None else filter_for(scope, select.where)
    if scope.stages:
        return None
    command = {"count": info.name, "query": test}
    before = [_of_planned(one, None) for one in planner.before]
    return Query(
        compile_template(command), [("n",)], [only.alias or "count"], before, command, True
    )


# Writing


def _insert(node: n.Insert, tables: Tables) -> Prepared:
    info = tables(node.table)
    columns = list(node.columns) or info.columns()
    paths = [info.path(column) for column in columns]
    returning = [info.path(column) for column in node.returning]
    if node.select is not None:
        return Prepared("insert", query=_query(node.select, tables), node=node, table=info,
                        changed=paths, returning=returning)  # fmt: skip
    documents: list[dict[str, Any]] = []
    computed = any(
        not isinstance(cell, (n.Param, n.Literal)) and cell != n.Func("DEFAULT", ())
        for row in node.rows
        for cell in row
    )
    planner = Planner(tables, LANGUAGE)
    scope = Scope(planner)
    for row in node.rows:
        document: dict[str, Any] = {}
        for path, cell in zip(paths, row, strict=False):
            if cell == n.Func("DEFAULT", ()):
                continue
            if isinstance(cell, n.Param) and not (computed and path in info.micros.values()):
                document[path] = P(cell.at)
            elif isinstance(cell, n.Literal) and not computed:
                document[path] = cell.value
            else:
                document[path] = _new(info, scope, path, cell)
        documents.append(document)
    if not computed:
        whole = _complete(info, documents)
        single = len(node.rows) == 1 and not (node.update or node.ignore)
        return Prepared("insert", rows=compile_template(documents), node=node, table=info,
                        whole=whole, single=single, returning=returning)  # fmt: skip
    shaped = [
        {path: cell if isinstance(cell, (dict, str)) and not isinstance(cell, P)
         else {"$literal": cell} for path, cell in document.items()}
        for document in documents
    ]  # fmt: skip
    rows = Planned(
        None,
        [
            {"$documents": [{}]},
            *scope.stages,
            {"$project": {"rows": shaped}},
            {"$unwind": "$rows"},
            {"$replaceRoot": {"newRoot": "$rows"}},
        ],
        [],
        [],
    )
    return Prepared("insert", values=_of_planned(rows, planner), node=node, table=info,
                    returning=returning)  # fmt: skip


def _complete(info: TableInfo, documents: list[dict[str, Any]]) -> bool:
    """Give templates of rows the columns that they do not name; return whether they then lack
    nothing, whatever their parameters are."""
    defaults = info.meta.get("defaults", {})
    for document in documents:
        for path in info.bare():
            document.setdefault(path, None)
    lacking = any(info.path(column) not in one for column in defaults for one in documents)
    return not lacking and not info.computed and "json" not in info.types.values()


def _new(info: TableInfo, scope: Scope, path: str, node: n.Node) -> Any:
    """The expression of a new value: of a date with microseconds one number."""
    made = micros.wide if path in info.micros.values() else micros.narrow
    return made(scope, node)


def _target(
    node: n.Update | n.Delete, tables: Tables
) -> tuple[TableInfo, Planner, Scope, dict[str, Any]]:
    """What a change of rows is about: its collection, and the filter of its rows."""
    info = tables(node.table)
    planner = Planner(tables, LANGUAGE)
    scope = Scope(planner)
    scope.add(Source(node.alias, info))
    if node.alias != node.table:
        scope.add(Source(node.table, info))
    test = {} if node.where is None else filter_for(scope, node.where)
    return info, planner, scope, test


def _update(node: n.Update, tables: Tables) -> Prepared:
    info, planner, scope, test = _target(node, tables)
    if test:
        staged = [*scope.stages, {"$match": test}]
    else:
        staged = list(scope.stages)
    from_rows = bool(scope.stages)
    scope.stages = []
    plain = all(is_constant(new) for _, new in node.changes)
    changes: dict[str, Any] = {}
    for column, new in node.changes:
        path = info.path(column)
        if path == "_id":
            raise PlanError(f"{info.name}.{column} is the primary key: insert a new row instead")
        if info.whole and column not in info.types:
            raise PlanError(f"no such column: {column}")
        if path in info.micros.values() and (from_rows or not plain):
            changes[path] = {"$ifNull": [micros.wide(scope, new), None]}
        elif info.types.get(column) == "json" and (from_rows or not plain):
            changes[path] = _json(scope, new)
        elif isinstance(new, n.Param):
            changes[path] = P(new.at) if plain else {"$literal": P(new.at)}
        elif isinstance(new, n.Literal):
            changes[path] = new.value if plain else {"$literal": new.value}
        else:
            changes[path] = {"$ifNull": [micros.narrow(scope, new), None]}
    if scope.stages or from_rows:  # a query within names the row: read first, then write by key
        named = {f"n{i}": one for i, one in enumerate(changes.values())}
        if plain:
            named = {key: one if isinstance(one, (dict, Call)) else {"$literal": one}
                     for key, one in named.items()}  # fmt: skip
        shape: dict[str, Any] = {"_id": 1, **named}
        planned = Planned(info.name, [*staged, *scope.stages, {"$project": shape}],
                          ["_id", *named], ["_id", *named])  # fmt: skip
        return Prepared("update", values=_of_planned(planned, planner), node=node, table=info,
                        changed=list(changes))  # fmt: skip
    update: Any = {"$set": changes} if plain else [{"$set": changes}]
    held: dict[str, Any] = {}
    for column, path in info.micros.items():
        if path in changes and not plain:
            held |= micros.stored(path, column)
    if held:
        update.append({"$set": held})
    command = {"update": info.name, "updates": [{"q": test, "u": update, "multi": True}]}
    before = [_of_planned(one, None) for one in planner.before]
    return Prepared("update", write=compile_template(command), node=node, table=info,
                    before=before)  # fmt: skip


def _json(scope: Scope, node: n.Node) -> Any:
    """What a JSON column becomes: nothing for SQL's NULL, null for JSON's."""
    if isinstance(node, n.Cast):
        return _json(scope, node.arg)
    if isinstance(node, n.Case):
        otherwise = n.Literal(None) if node.otherwise is None else node.otherwise
        return case(scope, replace(node, otherwise=otherwise), _json)
    if isinstance(node, n.Param):
        return Call(_json_constant, (P(node.at),))
    if _is_json(scope, node):  # as it is stored: JSON's null is null
        return micros.narrow(scope, node)
    return {"$ifNull": [micros.narrow(scope, node), "$$REMOVE"]}


def _is_json(scope: Scope, node: n.Node) -> bool:
    """Whether a node is a JSON column, here or of a query within."""
    if isinstance(node, n.Column):
        return scope.type_of(node) == "json"
    if not isinstance(node, n.SubSelect) or len(node.select.columns) != 1:
        return False
    source, column = node.select.source, node.select.columns[0].expr
    return (
        isinstance(column, n.Column) and source is not None and source.name is not None
        and column.table == source.alias
        and scope.planner.table(source.name).types.get(column.name) == "json"
    )  # fmt: skip


def _json_constant(value: Any) -> Any:
    return "$$REMOVE" if value is None else {"$literal": value}


def _delete(node: n.Delete, tables: Tables) -> Prepared:
    info, planner, scope, test = _target(node, tables)
    if scope.stages:
        stages = [*scope.stages, {"$match": test}, {"$project": {"_id": 1}}]
        planned = Planned(info.name, stages, ["_id"], ["_id"])
        return Prepared("delete", values=_of_planned(planned, planner), node=node, table=info)
    command = {"delete": info.name, "deletes": [{"q": test, "limit": 0}]}
    before = [_of_planned(one, None) for one in planner.before]
    return Prepared("delete", write=compile_template(command), node=node, table=info,
                    before=before)  # fmt: skip
