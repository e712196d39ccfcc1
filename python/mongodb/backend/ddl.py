# SPDX-License-Identifier: Apache-2.0
"""Definitions carried out: tables, columns, constraints and views become collections, validators,
documents and views. `ddl_indexes` does the indexes."""

from __future__ import annotations

import copy
import json
from typing import Any

from bson import ObjectId

from mongodb.backend import rules
from mongodb.backend.ddl_indexes import Indexes
from mongodb.backend.errors import IntegrityError, NotSupportedError, ProgrammingError
from mongodb.backend.plan.functions import cast
from mongodb.backend.plan.micros import unwidened
from mongodb.backend.plan.prepare import prepare
from mongodb.backend.plan.scope import MICRO, US, PlanError, TableInfo
from mongodb.backend.sql import nodes as n
from mongodb.backend.tables import COUNTERS

__all__ = ["Definitions"]


class Definitions:
    """Carries out definitions on one connection."""

    def __init__(self, connection: Any) -> None:
        self.connection = connection
        self.tables = connection.tables
        self.indexes = Indexes(connection, self.save)

    def run(self, node: n.Node) -> None:
        """Carry out one statement."""
        if isinstance(node, n.CreateTable):
            self.create_table(node)
        elif isinstance(node, n.AlterTable):
            for what, *arguments in node.changes:
                info = self.table(node.table)
                getattr(self, what.replace(" ", "_"))(info, *arguments)
        elif isinstance(node, n.CreateIndex):
            self.indexes.create(self.table(node.table), node)
        elif isinstance(node, n.CreateView):
            self.create_view(node)
        elif isinstance(node, n.Comment):
            self.comment(node)
        elif isinstance(node, n.Drop):
            self.drop(node)

    # Tables

    def exists(self, name: str) -> bool:
        command = {"listCollections": 1, "filter": {"name": name}, "nameOnly": True}
        return bool(list(self.connection.documents(command)))

    def table(self, name: str) -> TableInfo:
        """Return what is known of a table, to be changed; ProgrammingError when there is none."""
        info: TableInfo = copy.deepcopy(self.tables.get(name))
        if not info.whole:
            if not self.exists(name):
                raise ProgrammingError(f'no such table: "{name}"')
            # of others' dates no index knows what is beside them
            types = {c: t.partition("(")[0] if t in MICRO else t for c, t in info.types.items()}
            info = TableInfo(name, info.pk, types, True)
        return info

    def children(self, name: str) -> list[tuple[TableInfo, str]]:
        """Return the foreign keys that lead to a table, to be changed."""
        return copy.deepcopy(self.tables.referencing(name))  # type: ignore[no-any-return]

    def save(self, info: TableInfo) -> None:
        """Write what is known of a table into its collection's validator."""
        self.connection.run({"collMod": info.name, "validator": self.validator(info)})
        self.tables.forget(info.name)

    def validator(self, info: TableInfo) -> dict[str, Any]:
        return rules.validator(info, self.connection.lengths)

    def create_table(self, node: n.CreateTable) -> None:
        if self.exists(node.table):
            if node.if_not_exists:
                return
            raise ProgrammingError(f'table "{node.table}" already exists')
        info = TableInfo(node.table, None, whole=True)
        constraints = list(node.constraints)
        primary = next((one for one in constraints if one.kind == "primary"), None)
        if primary is not None:
            constraints.remove(primary)
            if len(primary.columns) == 1:
                info.pk = primary.columns[0]
            else:
                info.meta["primary"] = list(primary.columns)
        for column in node.columns:
            info.types[column.name] = column.type
            if column.primary:
                info.pk = column.name
        for column in node.columns:
            self.declare(info, column)
            constraints += column.constraints
        later = [one for one in constraints if one.kind == "unique"]
        for one in constraints:
            if one.kind != "unique":
                self.note(info, one)
        rules.find_micros(info)
        self.connection.run({"create": info.name, "validator": self.validator(info)})
        self.tables.forget(info.name)
        if primary is not None and info.pk is None:
            self.indexes.unique(info, list(primary.columns), self.primary_name(info.name))
        for one in later:
            self.indexes.constraint(info, one)

    @staticmethod
    def primary_name(table: str) -> str:
        return f"{table}_pkey"

    def declare(self, info: TableInfo, column: n.ColumnDef) -> None:
        """Note a column's type and what stands behind it."""
        info.types[column.name] = column.type
        self.shape(info, column.name, column.shape)
        if column.null is False or column.primary:
            info.required.add(column.name)
        if column.default is not None:
            info.meta.setdefault("defaults", {})[column.name] = column.default
        if column.generated is not None:
            info.meta.setdefault("generated", {})[column.name] = rules.stable(column.generated)

    def note(self, info: TableInfo, one: n.Constraint) -> str:
        """Note a check or a foreign key; return its name."""
        known = info.meta.setdefault("checks" if one.kind == "check" else "keys", {})
        kind = "check" if one.kind == "check" else "fk"
        name = one.name or _free(f"{info.name}_{'_'.join(one.columns)}_{kind}", known)
        if one.kind == "check":
            known[name] = {"sql": one.text, "columns": list(one.columns)}
            if len(one.columns) == 1 and one.text == f'"{one.columns[0]}" >= 0':
                known[name]["sign"] = "unsigned" in info.types.get(one.columns[0], "")
        else:
            target = one.table or ""
            to = list(one.to)
            if not to:
                to = [(info if target == info.name else self.tables.get(target)).pk or "id"]
            known[name] = {"columns": list(one.columns), "table": target, "to": to}
        return name

    def drop(self, node: n.Drop) -> None:
        if node.what == "index":
            self.indexes.drop(node.name, node.table, node.if_exists)
            return
        if not self.exists(node.name):
            if node.if_exists:
                return
            raise ProgrammingError(f'no such {node.what}: "{node.name}"')
        self.connection.run({"drop": node.name})
        counter = {"delete": COUNTERS, "deletes": [{"q": {"_id": node.name}, "limit": 1}]}
        if node.what == "table":
            self.connection.run(counter)
            for info, name in self.children(node.name):
                if info.name != node.name:
                    del info.meta["keys"][name]
                    self.save(info)
        self.tables.forget(node.name)

    def create_view(self, node: n.CreateView) -> None:
        query = prepare(node.select, self.tables.named).query
        assert query is not None
        if query.before:
            raise NotSupportedError("a view's query cannot hold other queries on MongoDB")
        command = query.command((), ())
        stages = command.get("pipeline")
        if stages is None:
            words = {"filter": "$match", "sort": "$sort", "skip": "$skip", "limit": "$limit",
                     "projection": "$project"}  # fmt: skip
            stages = [{stage: command[word]} for word, stage in words.items() if word in command]
        source = command.get("find") or command.get("aggregate") or command.get("count")
        if not isinstance(source, str) or query.count:
            raise NotSupportedError("a view needs a table to read from")
        shape: dict[str, Any] = {name: "$" + ".".join(path)
                 for name, path in zip(query.names, query.paths, strict=True)}  # fmt: skip
        for at, name in enumerate(query.names):
            if query.kinds[at] in MICRO and at not in query.beside:
                shape[name] = unwidened(shape[name])
        stages = [*stages, {"$project": {"_id": 0, **shape}}]
        self.connection.run({"create": node.name, "viewOn": source, "pipeline": stages})
        self.tables.forget(node.name)

    def comment(self, node: n.Comment) -> None:
        info = self.table(node.table)
        known = info.meta.setdefault("comments", {})
        known[node.column or ""] = node.text
        if not node.text:
            del known[node.column or ""]
        self.save(info)

    def rename_table(self, info: TableInfo, new: str) -> None:
        old = info.name
        database = self.connection.handle.name
        self.connection.admin({"renameCollection": f"{database}.{old}", "to": f"{database}.{new}"})
        for one in list(self.connection.documents({"find": COUNTERS, "filter": {"_id": old}})):
            self.connection.run({"insert": COUNTERS, "documents": [{"_id": new, "n": one["n"]}]})
            self.connection.run(
                {"delete": COUNTERS, "deletes": [{"q": {"_id": old}, "limit": 1}]}
            )  # fmt: skip
        self.tables.forget()
        for child, name in self.children(old):
            child.meta["keys"][name]["table"] = new
            self.save(child)

    # Columns

    def update(self, info: TableInfo, query: Any, change: Any) -> None:
        """Change every row that a filter finds."""
        updates = [{"q": query, "u": change, "multi": True}]
        self.connection.run({"update": info.name, "updates": updates})

    def add_column(self, info: TableInfo, column: n.ColumnDef) -> None:
        if column.name in info.types:
            raise ProgrammingError(f'"{info.name}" has a column "{column.name}" already')
        constraints = column.constraints
        self.declare(info, column)
        if column.primary:
            self.add_key(info, column)
            return
        path = info.path(column.name)
        if column.default is not None:
            made = rules.expression(info, column.default)
            self.update(info, {}, [{"$set": {path: {"$ifNull": [made, None]}}}])
        rules.compute(info)
        if column.generated is not None:
            self.update(info, {}, info.computed)
        if column.null is False:
            self.no_nulls(info, column.name)
        for one in constraints:
            if one.kind != "unique":
                self.note(info, one)
        self.save(info)
        for one in constraints:
            if one.kind == "unique":
                self.indexes.constraint(info, one)
            elif one.kind == "foreign":
                self.connection.references.whole(info.name)

    def add_key(self, info: TableInfo, column: n.ColumnDef) -> None:
        """Add a column that is the primary key: rows are numbered."""
        if info.pk is not None or info.meta.get("primary"):
            raise ProgrammingError(f'"{info.name}" has a primary key already')
        info.pk = column.name
        self.save(info)
        if rules.is_whole(column.type):
            keys = iter(range(1, 1 << 62))
            self.rewrite(info, lambda document: {**document, "_id": next(keys)})
        elif list(self.connection.documents({"find": info.name, "limit": 1})):
            raise IntegrityError(
                f"{info.name}.{column.name}: the rows that are there have no such key"
            )

    def no_nulls(self, info: TableInfo, column: str) -> None:
        path = info.path(column)
        test = {path: {"$exists": False}} if info.types[column] == "json" else {path: None}
        found = list(self.connection.documents({"find": info.name, "filter": test, "limit": 1}))
        if found:
            raise IntegrityError(
                f"NOT NULL constraint failed: {info.name}.{column} holds NULL in some rows"
            )

    def drop_column(self, info: TableInfo, name: str, exists: bool = False) -> None:
        if name not in info.types:
            if exists:
                return
            raise ProgrammingError(f'no such column: "{info.name}"."{name}"')
        path = info.path(name)
        self.indexes.drop_with(info, name)
        if path == "_id":
            self.rewrite(info, lambda document: {**document, "_id": ObjectId()})
            info.pk = None
        info.types.pop(name)
        info.required.discard(name)
        info.shapes.pop(name, None)
        for kind in ("defaults", "generated", "comments"):
            info.meta.get(kind, {}).pop(name, None)
        for kind in ("checks", "keys"):
            known = info.meta.get(kind, {})
            for one in [one for one, what in known.items() if name in what["columns"]]:
                del known[one]
        self.save(info)
        if path != "_id":
            gone = {path: "", **({f"{US}.{name}": ""} if name in info.micros else {})}
            self.update(info, {path: {"$exists": True}}, {"$unset": gone})

    def rename_column(self, info: TableInfo, old: str, new: str) -> None:
        if old not in info.types:
            raise ProgrammingError(f'no such column: "{info.name}"."{old}"')
        if new in info.types:
            raise ProgrammingError(f'"{info.name}" has a column "{new}" already')
        old_path = info.path(old)
        kept = self.indexes.taken_down(info, old) if old_path != "_id" else []
        if info.pk == old:
            info.pk = new
        info.types = {new if c == old else c: type_ for c, type_ in info.types.items()}
        if old in info.required:
            info.required.remove(old)
            info.required.add(new)
        if old in info.shapes:
            info.shapes[new] = info.shapes.pop(old)
        for kind in ("defaults", "generated", "comments"):
            known = info.meta.get(kind, {})
            if old in known:
                known[new] = known.pop(old)
        _rename_in(info.meta, old, new)
        if old_path != "_id":
            self.connection.run({"collMod": info.name, "validator": {}})
            moved = {old_path: new}
            if old in info.micros:
                moved[f"{US}.{old}"] = f"{US}.{new}"
            self.update(info, {old_path: {"$exists": True}}, {"$rename": moved})
        rules.find_micros(info)
        self.save(info)
        self.indexes.put_up(self.table(info.name), kept, old, new)
        for child, name in self.children(info.name):
            key = child.meta["keys"][name]
            if old in key["to"]:
                key["to"] = [new if one == old else one for one in key["to"]]
                self.save(child)

    @staticmethod
    def shape(info: TableInfo, column: str, text: str | None) -> None:
        info.shapes.pop(column, None)
        if text is not None:
            info.shapes[column] = json.loads(text)

    def type(self, info: TableInfo, column: str, new: str, shape: str | None = None) -> None:
        """Change a column's type, and the values that are there."""
        old = info.types[column]
        path = info.path(column)
        anew = rules.least(old) != rules.least(new) or (old in MICRO) != (new in MICRO)
        kept = self.indexes.taken_down(info, column) if anew else []
        if not rules.same_kind(old, new):
            self.convert(info, path, new)
        if column in info.micros and new not in MICRO:
            beside = f"{US}.{column}"
            self.update(info, {beside: {"$exists": True}}, {"$unset": {beside: ""}})
        info.types[column] = new
        self.shape(info, column, shape)
        rules.compute(info)
        self.save(info)
        self.indexes.put_up(self.table(info.name), kept, column, column)

    def convert(self, info: TableInfo, path: str, new: str) -> None:
        try:
            made = cast(f"${path}", new)
        except PlanError:
            return
        # every value is converted before one is written: what cannot be leaves all as it was
        stages = [{"$match": {path: {"$ne": None}}}, {"$group": {"_id": None, "v": {"$max": made}}}]
        list(self.connection.documents({"aggregate": info.name, "pipeline": stages, "cursor": {}}))
        if path == "_id":
            shape = [{"$project": {"new": made}}]
            rows = self.connection.documents(
                {"aggregate": info.name, "pipeline": shape, "cursor": {}}
            )
            keys = {row["_id"]: row["new"] for row in rows}
            if any(type(a) is not type(b) or a != b for a, b in keys.items()):
                self.rewrite(info, lambda document: {**document, "_id": keys[document["_id"]]})
            return
        self.connection.run({"collMod": info.name, "validator": {}})
        self.update(info, {path: {"$ne": None}}, [{"$set": {path: {"$ifNull": [made, None]}}}])

    def null(self, info: TableInfo, column: str, allowed: bool) -> None:
        if allowed:
            info.required.discard(column)
        else:
            self.no_nulls(info, column)
            info.required.add(column)
        self.save(info)
        self.indexes.nulls(info, column)

    def default(self, info: TableInfo, column: str, text: str | None) -> None:
        known = info.meta.setdefault("defaults", {})
        if text is None:
            known.pop(column, None)
        else:
            known[column] = text
        self.save(info)

    # Constraints

    def add_constraint(self, info: TableInfo, one: n.Constraint) -> None:
        if one.kind == "unique":
            self.indexes.constraint(info, one)
            return
        if one.kind == "primary":
            self.add_primary(info, one)
            return
        name = self.note(info, one)
        if one.kind == "check" and one.text is not None:
            test = rules.violated(info, one.text)
            if list(self.connection.documents({"find": info.name, "filter": test, "limit": 1})):
                raise IntegrityError(
                    f"CHECK constraint failed: {name} is violated by some rows of {info.name}"
                )
        self.save(info)
        if one.kind == "foreign":
            self.connection.references.whole(info.name)

    def add_primary(self, info: TableInfo, one: n.Constraint) -> None:
        if info.pk is not None or info.meta.get("primary"):
            raise ProgrammingError(f'"{info.name}" has a primary key already')
        if len(one.columns) > 1:
            info.meta["primary"] = list(one.columns)
            info.required.update(one.columns)
            self.save(info)
            self.indexes.unique(info, list(one.columns), one.name)
            return
        column = one.columns[0]
        self.no_nulls(info, column)
        self.indexes.drop_with(info, column)

        def change(document: dict[str, Any]) -> dict[str, Any]:
            value = document.pop(column)
            return {**document, "_id": value}

        self.connection.run({"collMod": info.name, "validator": {}})
        self.rewrite(info, change)
        info.pk = column
        info.required.add(column)
        self.save(info)

    def drop_primary(self, info: TableInfo) -> None:
        column = info.pk
        if column is None:
            info.meta.pop("primary", None)
            self.save(info)
            return
        self.connection.run({"collMod": info.name, "validator": {}})
        self.rewrite(
            info, lambda document: {**document, column: document["_id"], "_id": ObjectId()}
        )
        info.pk = None
        self.save(info)

    def rewrite(self, info: TableInfo, change: Any) -> None:
        """Write every document again, its key changed."""
        documents = list(self.connection.documents({"find": info.name}))
        if not documents:
            return
        everything = [{"q": {}, "limit": 0}]
        self.connection.run({"delete": info.name, "deletes": everything})
        made = [change(document) for document in documents]
        for at in range(0, len(made), 1000):
            self.connection.run({"insert": info.name, "documents": made[at : at + 1000]})

    def drop_constraint(self, info: TableInfo, name: str, exists: bool = False) -> None:
        for kind in ("checks", "keys"):
            if name in info.meta.get(kind, {}):
                if kind == "keys":
                    self.connection.references.check()
                del info.meta[kind][name]
                self.save(info)
                return
        if info.meta.get("primary") and self.indexes.columns(info, name) == info.meta["primary"]:
            info.meta.pop("primary")
            self.save(info)
            self.indexes.drop(name, info.name, exists)
        elif info.pk is not None and name in (self.primary_name(info.name), "_id_"):
            self.drop_primary(info)
        else:
            self.indexes.drop(name, info.name, exists)

    def rename_index(self, info: TableInfo, old: str, new: str) -> None:
        self.indexes.rename(info, old, new)


def _free(name: str, known: Any) -> str:
    out, at = name, 0
    while out in known:
        at += 1
        out = f"{name}{at}"
    return out


def _rename_in(meta: dict[str, Any], old: str, new: str) -> None:
    """Name a column anew in what is kept as text, and in lists of columns."""
    quoted, renamed = f'"{old}"', f'"{new}"'
    for kind in ("checks", "keys"):
        for one in meta.get(kind, {}).values():
            one["columns"] = [new if c == old else c for c in one["columns"]]
            if "sql" in one:
                one["sql"] = one["sql"].replace(quoted, renamed)
    for column, text in meta.get("generated", {}).items():
        meta["generated"][column] = text.replace(quoted, renamed)
    if "primary" in meta:
        meta["primary"] = [new if c == old else c for c in meta["primary"]]
