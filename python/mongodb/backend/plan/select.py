# SPDX-License-Identifier: Apache-2.0
"""Queries to pipelines, in the order in which the work is least: conditions on the first source,
order where nothing hides the index, joins, the other conditions, groups, windows, the rest."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from mongodb.backend.plan import joins, micros, windows
from mongodb.backend.plan.bind import P
from mongodb.backend.plan.expressions import value
from mongodb.backend.plan.groups import group, is_aggregated
from mongodb.backend.plan.hashes import HASHES, is_hash
from mongodb.backend.plan.predicates import filter_for
from mongodb.backend.plan.scope import MICRO, PlanError, Planner, Scope, Source, TableInfo
from mongodb.backend.plan.sorting import sort_keys
from mongodb.backend.plan.walk import columns, conjuncts, replace, walk
from mongodb.backend.sql import nodes as n

__all__ = ["Planned", "plan_select"]


@dataclass(slots=True)
class Planned:
    """A pipeline; `fields` are where its columns are in the documents that come out."""

    collection: str | None
    stages: list[dict[str, Any]]
    names: list[str]
    fields: list[str]
    lets: dict[str, str] = field(default_factory=dict)
    types: list[str | None] = field(default_factory=list)
    of_nothing: list[dict[str, Any]] | None = None  # the pipeline of the rows when there are none
    after: dict[int, Any] = field(default_factory=dict)  # what makes a column of what was read
    beside: dict[int, str] = field(default_factory=dict)  # where microseconds of columns are

    def kind(self) -> str | None:
        """The type of the first column, if its values have microseconds."""
        return self.types[0] if self.types and self.types[0] in MICRO else None


def plan_select(
    planner: Planner,
    select: n.Select,
    parent: Scope | None = None,
    *,
    top: bool = False,
    named: bool = False,
) -> Planned:
    """Plan a query. `top`: its rows go to the caller, so plain columns stay where they are;
    `named`: columns come out under their names; else as c0, c1, …"""
    if select.op is not None:
        return _combined(planner, select, parent, named)
    if select.values:
        return _values(planner, select, parent, named)
    return _Query(planner, select, parent, top, named).plan()


class _Query:
    def __init__(
        self, planner: Planner, select: n.Select, parent: Scope | None, top: bool, named: bool
    ) -> None:
        self.planner = planner
        self.select = select
        self.top = top
        self.named = named
        self.scope = Scope(planner, parent)
        self.scope.nested = not top
        self.collection: str | None = None
        self.outputs: list[n.Output] = []
        self.order: list[n.Order] = []
        self.after: dict[int, Any] = {}

    def plan(self) -> Planned:
        select, scope = self.select, self.scope
        self.source()
        self.expand()
        waiting = conjuncts(select.where)
        waiting = self.filter(waiting)
        sorted_early = self.sort_early()
        sliced_early = sorted_early and not waiting and self.slice_early()
        for join in select.joins:
            joins.add(scope, join, plan_select)
            waiting = self.filter(waiting)
        if waiting:
            scope_names = ", ".join(
                sorted({c.table or c.name for w in waiting for c in columns(w)})
            )
            raise PlanError(f"no such column in the condition: {scope_names}")
        self.resolve_order()
        grouped = is_aggregated(select)
        if grouped:
            self.outputs, self.order = group(scope, select, self.outputs, self.order)
            if select.having is not None:
                test = filter_for(scope, select.having)
                if test:
                    scope.stages.append({"$match": test})
        windows.add(scope, [*(o.expr for o in self.outputs), *(o.expr for o in self.order)])
        if select.distinct and not select.distinct_on:
            return self.finish_distinct()
        if select.distinct_on:
            self.distinct_on()
        elif not sorted_early:
            self.sort(self.order)
        if not sliced_early:
            self.slice()
        return self.finish()

    # Sources

    def source(self) -> None:
        table, scope = self.select.source, self.scope
        if table is None:
            scope.stages.append({"$documents": [{}]})
            return
        if table.select is None:
            assert table.name is not None
            info = self.planner.table(table.name)
            self.collection = info.name
            scope.add(Source(table.alias, info))
            return
        inner = plan_select(self.planner, table.select, scope.parent, named=True)
        self.collection = inner.collection
        scope.stages += inner.stages
        scope.lets.update(inner.lets)
        info = TableInfo(table.alias, None, dict(zip(inner.names, inner.types, strict=False)), True,  # type: ignore[arg-type]
                         derived=True)  # fmt: skip
        scope.add(Source(table.alias, info))

    def expand(self) -> None:
        """Spell out `*` and turn ordinals of ORDER BY into what they stand for."""
        for output in self.select.columns:
            if not isinstance(output.expr, n.Star):
                self.outputs.append(output)
                continue
            tables = [self.select.source, *(join.table for join in self.select.joins)]
            for table in tables:
                if table is None or output.expr.table not in (None, table.alias):
                    continue
                self.outputs += self.all_of(table)

    def all_of(self, table: n.Table) -> list[n.Output]:
        if table.select is not None:
            source = self.scope.sources.get(table.alias)
            if source is not None:
                names = source.info.columns()
            else:
                names = plan_select(self.planner, table.select, self.scope.parent, named=True).names
        else:
            info = self.planner.table(table.name or "")
            if not info.whole:
                raise PlanError(f"SELECT * of {table.name}: its columns are not known; name them")
            names = info.columns()
        return [n.Output(n.Column(table.alias, name), name) for name in names]

    # Rows

    def filter(self, waiting: list[n.Node]) -> list[n.Node]:
        """Add the conditions whose sources are all there; return the others."""
        now, later = [], []
        for test in waiting:
            (later if self.too_early(test) else now).append(test)
        if now:
            plain = [test for test in now if not _has_query(test)]
            for tests in (plain, [test for test in now if _has_query(test)]):
                if tests:
                    made = filter_for(self.scope, n.And(tuple(tests)))
                    if made:
                        self.scope.stages.append({"$match": made})
        return later

    def too_early(self, test: n.Node) -> bool:
        """Whether a condition names a source that is still to be joined."""
        coming = {join.table.alias for join in self.select.joins} - set(self.scope.sources)
        if not coming:
            return False
        for column in columns(test):
            if column.table in coming:
                return True
            if column.table is None and self.scope.find(column) is None:
                return True
        return False

    def sort_early(self) -> bool:
        """Sort before the joins when only the first source says how: there an index can."""
        select = self.select
        if not select.joins or select.distinct or is_aggregated(select):
            return False
        mine = set(self.scope.sources)
        order = [self.ordered(one) for one in select.order_by]
        for one in order:
            if _source_of(one.expr) not in mine:
                return False
        if not order or any(_has_window(o.expr) for o in self.outputs):
            return False
        self.sort(order)
        return True

    def slice_early(self) -> bool:
        """Slice before the joins when they neither leave out rows nor add any."""
        if not all(self.is_of_one(join) for join in self.select.joins):
            return False
        self.slice()
        return True

    def is_of_one(self, join: n.Join) -> bool:
        """Whether a join is by a primary key, of no row or one, and leaves no row out. A foreign
        key that is NOT NULL may lead nowhere: whoever asks for it checks afterwards, `Hopeful`."""
        on, table = join.on, join.table
        if table.name is None or not isinstance(on, n.Compare) or on.op != "=":
            return False
        near, far = (
            (on.left, on.right) if _source_of(on.right) == table.alias else (on.right, on.left)
        )
        info = self.planner.table(table.name)
        return (
            join.kind == "left" and isinstance(near, n.Column)
            and far == n.Column(table.alias, info.pk or "")
        )  # fmt: skip

    def ordered(self, one: n.Order) -> n.Order:
        """An ordinal or the name of an output column as the expression it stands for."""
        expr = one.expr
        if isinstance(expr, n.Literal) and isinstance(expr.value, int):
            if not 1 <= expr.value <= len(self.outputs):
                raise PlanError(f"ORDER BY position {expr.value} is not in the list of columns")
            expr = self.outputs[expr.value - 1].expr
        elif isinstance(expr, n.Column) and expr.table is None:
            for output in self.outputs:
                if output.alias == expr.name:
                    expr = output.expr
                    break
        return n.Order(expr, one.descending, one.nulls)

    def resolve_order(self) -> None:
        self.order = [self.ordered(one) for one in self.select.order_by]

    def sort(self, order: list[n.Order]) -> None:
        keys = sort_keys(self.scope, order)
        if keys:
            self.scope.stages.append({"$sort": keys})

    def slice(self) -> None:
        for stage in slice_stages(self.select):
            self.scope.stages.append(stage)

    def distinct_on(self) -> None:
        self.sort(self.order)
        keys = {f"k{i}": {"$ifNull": [value(self.scope, one), None]}
                for i, one in enumerate(self.named_outputs(self.select.distinct_on))}  # fmt: skip
        self.scope.stages += [
            {"$group": {"_id": keys, "row": {"$first": "$$ROOT"}}},
            {"$replaceRoot": {"newRoot": "$row"}},
        ]
        self.sort(self.order)

    def named_outputs(self, nodes: tuple[n.Node, ...]) -> list[n.Node]:
        return [self.ordered(n.Order(node)).expr for node in nodes]

    # Columns

    def names(self) -> list[str]:
        out: list[str] = []
        for i, output in enumerate(self.outputs):
            name = output.alias
            if name is None:
                name = output.expr.name if isinstance(output.expr, n.Column) else f"c{i}"
            out.append(name)
        return out

    def fields(self) -> list[str]:
        if not self.named:
            return [f"c{i}" for i in range(len(self.outputs))]
        return self.names()

    def types(self) -> list[str | None]:
        return [_type(self.scope, output.expr) for output in self.outputs]

    def planned(self, fields: list[str]) -> Planned:
        planned = Planned(self.collection, self.scope.stages, self.names(), fields,
                          self.scope.lets, self.types())  # fmt: skip
        planned.after = self.after
        if self.scope.of_nothing is not None:
            at, document = self.scope.of_nothing
            planned.of_nothing = [{"$documents": [document]}, *self.scope.stages[at:]]
        return planned

    def finish(self) -> Planned:
        scope = self.scope
        if self.top:
            self.hash_later()
            paths = [scope.path(output.expr) for output in self.outputs]
            if all(path is not None for path in paths):
                wanted = [path for path in paths if path is not None]
                besides = {at: path for at, output in enumerate(self.outputs)
                           if (path := micros.own(scope, output.expr)) is not None}  # fmt: skip
                shape: dict[str, Any] = {
                    path: 1 for path in _shortest([*wanted, *besides.values()])
                }
                if "_id" not in shape and not any(p.startswith("_id.") for p in shape):
                    shape["_id"] = 0
                scope.stages.append({"$project": shape})
                planned = self.planned(wanted)
                planned.beside = besides
                return planned
        fields = self.fields()
        made = [value(scope, output.expr) for output in self.outputs]
        scope.stages.append({"$project": _projection(fields, made)})
        return self.planned(fields)

    def hash_later(self) -> None:
        """Ask for what is to be hashed, where a column is a hash: the rows' reader does it."""
        names = self.names()
        for at, output in enumerate(self.outputs):
            node = output.expr
            if is_hash(node) and not isinstance(node.args[0], (n.Param, n.Literal)):  # type: ignore[attr-defined]
                self.after[at] = HASHES[node.name]  # type: ignore[attr-defined]
                self.outputs[at] = n.Output(node.args[0], names[at])  # type: ignore[attr-defined]

    def finish_distinct(self) -> Planned:
        scope = self.scope
        fields = self.fields()
        made = {name: {"$ifNull": [value(scope, output.expr), None]}
                for name, output in zip(fields, self.outputs, strict=True)}  # fmt: skip
        extra = {}
        for one in self.order:
            if all(one.expr != output.expr for output in self.outputs):
                extra[one.expr] = scope.planner.temporary("s")
        inside = {f"k{i}": one for i, one in enumerate(made.values())}
        firsts = {name: {"$first": value(scope, node)} for node, name in extra.items()}
        scope.stages.append({"$group": {"_id": inside, **firsts}})
        scope.replaced = {
            **{output.expr: f"$_id.k{i}" for i, output in enumerate(self.outputs)},
            **{node: f"${name}" for node, name in extra.items()},
        }
        scope.grouped = True
        self.sort(self.order)
        self.slice()
        scope.stages.append(
            {"$project": _projection(fields, [f"$_id.k{i}" for i in range(len(fields))])}
        )
        return self.planned(fields)


def _type(scope: Scope, node: n.Node) -> str | None:
    """The type of a column of the result; of MICRO where it is one number."""
    found = micros.kind(scope, node)
    if found is not None:
        return found
    declared = scope.type_of(node)
    return declared.partition("(")[0] if declared in MICRO else declared


def _projection(fields: list[str], made: list[Any]) -> dict[str, Any]:
    shape: dict[str, Any] = {} if "_id" in fields else {"_id": 0}
    for name, expr in zip(fields, made, strict=True):
        plain = isinstance(expr, (bool, int, float)) or expr is None
        shape[name] = {"$literal": expr} if plain else expr
    return shape


def _shortest(paths: list[str]) -> list[str]:
    """Leave out paths that lie below others."""
    out: list[str] = []
    for path in sorted(set(paths)):
        if not any(path.startswith(f"{one}.") for one in out):
            out.append(path)
    return out


def _source_of(node: n.Node) -> str | None:
    """The source of a column, or of the column that a path begins at."""
    while isinstance(node, n.Func) and node.name == "PATH":
        node = node.args[0]
    return node.table if isinstance(node, n.Column) else None


def _has_query(node: n.Node) -> bool:
    return any(isinstance(child, n.Select) for child in walk(node))


def _has_window(node: n.Node) -> bool:
    return any(isinstance(one, n.Func) and one.over is not None for one in walk(node))


def slice_stages(select: n.Select) -> list[dict[str, Any]]:
    """Return the stages of OFFSET and LIMIT."""
    out: list[dict[str, Any]] = []
    offset, limit = select.offset, select.limit
    if offset is not None and offset != n.Literal(0):
        out.append({"$skip": _count(offset)})
    if limit is not None and limit != n.Literal(-1):
        if limit == n.Literal(0):
            out.append({"$match": {"$expr": False}})
        else:
            out.append({"$limit": _count(limit)})
    return out


def _count(node: n.Node) -> Any:
    if isinstance(node, n.Param):
        return P(node.at)
    if isinstance(node, n.Literal) and isinstance(node.value, int):
        return node.value
    raise PlanError("LIMIT and OFFSET take whole numbers")


def _values(planner: Planner, select: n.Select, parent: Scope | None, named: bool) -> Planned:
    scope = Scope(planner, parent)
    width = len(select.values[0])
    names = [f"column{i + 1}" for i in range(width)]
    fields = names if named else [f"c{i}" for i in range(width)]
    rows = [{field: value(scope, one) for field, one in zip(fields, row, strict=True)}
            for row in select.values]  # fmt: skip
    return Planned(None, [{"$documents": rows}], names, fields, scope.lets, [None] * width)


def _combined(planner: Planner, select: n.Select, parent: Scope | None, named: bool) -> Planned:
    """UNION, INTERSECT, EXCEPT: rows of both sides under the same fields."""
    assert select.left is not None and select.right is not None
    left = plan_select(planner, select.left, parent)
    right = plan_select(planner, select.right, parent)
    if len(left.fields) != len(right.fields):
        raise PlanError("each side of a combined query needs the same number of columns")
    lets = dict(left.lets)
    if any(lets.get(outer, name) != name for outer, name in right.lets.items()):
        raise PlanError("both sides of a combined subquery name outer columns")
    lets.update(right.lets)
    _widen(left, right)
    _widen(right, left)
    stages = list(left.stages)
    plain = select.op == "union" and select.all
    if not plain:
        stages.append({"$set": {"__side": 1}})
        right.stages.append({"$set": {"__side": 2}})
    union: dict[str, Any] = {"pipeline": right.stages}
    if right.collection is not None:
        union = {"coll": right.collection, **union}
    stages.append({"$unionWith": union})
    fields = left.fields
    if not plain:
        keys = {name: {"$ifNull": [f"${name}", None]} for name in fields}
        stages.append({"$group": {"_id": keys, "sides": {"$addToSet": "$__side"}}})
        if select.op == "intersect":
            stages.append({"$match": {"sides": {"$all": [1, 2]}}})
        elif select.op == "except":
            stages.append({"$match": {"sides": [1]}})
        stages.append({"$replaceRoot": {"newRoot": "$_id"}})
    names = left.names
    scope = Scope(planner, parent)
    scope.stages = stages
    types = {one: type_ if type_ in MICRO else ""
             for one, type_ in zip(fields, left.types, strict=False)}  # fmt: skip
    info = TableInfo("", None, {**dict.fromkeys(fields, ""), **types}, True, derived=True)  # type: ignore[dict-item]
    scope.add(Source("", info))
    order = []
    for one in select.order_by:
        order.append(n.Order(_of_union(one.expr, names, select), one.descending, one.nulls))
    keys_ = sort_keys(scope, order)
    if keys_:
        stages.append({"$sort": keys_})
    stages += slice_stages(select)
    if named:
        stages.append({"$project": _projection(names, [f"${name}" for name in fields])})
        fields = names
    elif any("$set" in stage for stage in stages):
        stages.append({"$project": {"_id": 0, **dict.fromkeys(fields, 1)}})
    return Planned(left.collection, stages, names, fields, lets, left.types)


def _widen(one: Planned, other: Planned) -> None:
    """Have the dates of one side be one number where those of the other side are."""
    for at, field_ in enumerate(one.fields):
        type_ = other.types[at] if at < len(other.types) else None
        if type_ in MICRO and one.types[at] not in MICRO:
            one.stages.append({"$set": {field_: micros.widened(f"${field_}")}})
            one.types[at] = type_


def _of_union(expr: n.Node, names: list[str], select: n.Select) -> n.Node:
    """A key of a combined query's order as one of its columns."""
    if isinstance(expr, n.Literal) and isinstance(expr.value, int):
        return n.Column("", f"c{expr.value - 1}")
    if isinstance(expr, n.Column) and expr.name in names:
        return n.Column("", f"c{names.index(expr.name)}")

    def change(node: n.Node) -> n.Node | None:
        if isinstance(node, n.Column) and node.name in names:
            return n.Column("", f"c{names.index(node.name)}")
        return None

    return replace(expr, change)  # type: ignore[no-any-return]
