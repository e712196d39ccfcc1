# SPDX-License-Identifier: Apache-2.0
"""Cursors: statements carried out, and their rows."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from bson import json_util

from mongodb.backend import grouped
from mongodb.backend.compiler import Statement
from mongodb.backend.ddl import Definitions
from mongodb.backend.errors import (
    IntegrityError,
    InterfaceError,
    NotSupportedError,
    OperationalError,
    ProgrammingError,
)
from mongodb.backend.plan.json import JSON_NULL
from mongodb.backend.plan.micros import expanded, same_row, split_change, split_documents
from mongodb.backend.plan.narrow import FEW
from mongodb.backend.plan.prepare import Hopeful, Prepared, Query
from mongodb.backend.plan.scope import US, TableInfo
from mongodb.backend.sql import nodes as n
from mongodb.backend.tables import COUNTERS
from mongodb.backend.values import (
    adapt,
    adapted,
    by_place,
    changed_rows,
    filled,
    json_nulls,
    returned,
    rows_of,
    value_at,
    without_nulls,
)

if TYPE_CHECKING:
    from mongodb.backend.dbapi import Connection

__all__ = ["Cursor", "adapt", "value_at", "without_nulls"]


_AT_ONCE = 2000  # rows that a statement reads before it returns


class Cursor:
    """Runs statements and holds their rows."""

    arraysize = 100

    def __init__(self, connection: Connection) -> None:
        self.connection = connection
        self.description: list[tuple[Any, ...]] | None = None
        self.rowcount = -1
        self.lastrowid: Any = None
        self.statement = ""
        self._rows: Iterator[tuple[Any, ...]] = iter(())
        self._source: Any = None  # documents that are still to be read
        self.closed = False

    def execute(self, sql: str, params: Sequence[Any] | Mapping[str, Any] | None = None) -> Cursor:
        """Run a statement; `%s` stands for a parameter when there are any, `%(name)s` for a named
        one."""
        if self.closed:
            raise InterfaceError("the cursor is closed")
        self.statement = sql
        if sql.startswith("EXPLAIN "):
            self.description = [("plan", None, None, None, None, None, None)]
            self._rows = iter([(self.explain(sql.removeprefix("EXPLAIN "), params),)])
            return self
        if params is not None:
            if type(params) is not tuple and isinstance(params, Mapping):
                params = by_place(sql, params)
            params = adapted(params)
        prepared = self.connection.plan(sql, params)
        if params and prepared.kind == "select":
            params = [None if one is JSON_NULL else one for one in params]
        self.description = None
        self._forget()
        run = getattr(self, f"_{prepared.kind}")
        if prepared.kind in ("insert", "update", "delete"):
            if prepared.single and self.connection.alone and self._insert_at_once(prepared, params):
                return self
            rows, parts = not _one_row(prepared), self.connection.references.concerned(prepared)
            if self.connection.is_whole(rows or parts):
                if prepared.late and self.connection.references.uniques.is_at_once(prepared.table):
                    with self.connection.undone_alone():
                        run(prepared, params or ())
                        self.connection.references.uniques.check(now=True)
                else:
                    run(prepared, params or ())
                return self
            with self.connection.statement(rows=rows):
                run(prepared, params or ())
        elif prepared.kind == "define":
            # MongoDB's transactions hold no definitions
            rows = self.connection.embedded
            if self.connection.is_whole(rows):
                run(prepared, params or ())
            else:
                with self.connection.statement(rows=rows):
                    run(prepared, params or ())
            if not self.connection.embedded:
                self.connection.references.check()
        else:
            run(prepared, params or ())
        return self

    def executemany(self, sql: str, many: Any) -> None:
        total = 0
        for params in many:
            self.execute(sql, params)
            total += max(self.rowcount, 0)
        self.rowcount = total

    # Kinds of statements

    def _results(self, before: list[Query], params: Sequence[Any]) -> list[Any]:
        results: list[Any] = []
        for query in before:
            command = query.command(params, results)
            path = query.paths[0]
            results.append([value_at(d, path) for d in self.connection.documents(command)])
        return results

    def _chosen(self, query: Query, params: Sequence[Any]) -> tuple[Query, list[Any]]:
        """The query, by keys if they are few, and what it reads before."""
        if query.by_keys is not None:
            results = self._results(query.by_keys.before, params)
            if all(len(one) <= FEW for one in results):
                return query.by_keys, results
        return query, self._results(query.before, params)

    def _documents(self, query: Query, params: Sequence[Any]) -> Iterator[dict[str, Any]]:
        return self.connection.documents(query.command(params, self._results(query.before, params)))

    def _select(self, prepared: Prepared, params: Sequence[Any]) -> None:
        query = prepared.query
        assert query is not None
        if isinstance(prepared.node, n.Select) and prepared.node.for_update:
            self.connection.lock()
        self.description = [(name, None, None, None, None, None, None) for name in query.names]
        self.rowcount = -1
        query, results = self._chosen(query, params)
        if query.count:
            count = self.connection.count(query.command(params, results))
            self._rows = iter([(count,)])
            return
        statement = self.statement
        cells: tuple[Any, ...] = ()
        if isinstance(statement, Statement) and len(statement.cells) <= len(query.paths):
            cells, statement.made = statement.cells, True
        if query.hopeful is not None:
            hoped = self._hoped(query.hopeful, params, cells, len(query.paths))
            if hoped is not None:
                self._rows = iter(hoped)
                return
        if query.grouped is not None:
            source = grouped.read(self.connection, query.grouped, params, cells, _AT_ONCE, adapt)
        else:
            columns = query.columns(cells)
            source = self.connection.rows(query.command(params, results), columns, _AT_ONCE)
        rows = next(source)
        if not rows and query.of_nothing is not None:
            command = query.of_nothing(params, results)
            rows = next(self.connection.rows(command, columns, _AT_ONCE))
        self._rows = iter(rows)
        if len(rows) == _AT_ONCE:  # the others as they are asked for
            self._source = source
            self._rows = itertools.chain(rows, itertools.chain.from_iterable(source))

    def _hoped(
        self, hopeful: Hopeful, params: Sequence[Any], cells: Any, width: int
    ) -> list[Any] | None:
        """The rows of a query that may be wrong; None when it is."""
        query = hopeful.query
        command = query.command(params, self._results(query.before, params))
        batches = self.connection.rows(command, query.columns(cells), _AT_ONCE)
        rows = list(itertools.chain.from_iterable(batches))
        there = [row for row in rows if all(row[at] is not None for at in hopeful.places)]
        if len(there) < len(rows) == hopeful.end:
            return None  # rows after them take the places of those that are left out
        shown = there[hopeful.start :]
        return shown if len(query.paths) == width else [row[:width] for row in shown]

    def _insert(self, prepared: Prepared, params: Sequence[Any]) -> None:
        node = prepared.node
        info = prepared.table
        assert isinstance(node, n.Insert)
        assert info is not None
        if prepared.rows is not None:
            documents = prepared.rows(params, ())
        elif prepared.values is not None:
            documents = list(self._documents(prepared.values, params))
        else:
            assert prepared.query is not None
            rows = rows_of(self._documents(prepared.query, params), prepared.query)
            documents = [dict(zip(prepared.changed, row, strict=True)) for row in rows]
        if node.update:
            self._upsert(prepared, node, documents)
            return
        if prepared.whole:
            self.connection.tables.give_keys(info, documents, self.connection)
            split_documents(info, documents)
        else:
            self._complete(info, documents)
        self._send(info, documents, node.ignore)
        if prepared.returning:
            self._rows = iter(returned(info, documents, prepared.returning))

    def _insert_at_once(self, prepared: Prepared, params: Sequence[Any] | None) -> bool:
        """Insert a row by one command, which looks whether its key is the next one and whether the
        rows are there that it names; False when that cannot be, and nothing is done."""
        info, connection = prepared.table, self.connection
        assert info is not None
        if not prepared.whole:
            return False
        documents = prepared.rows(params or (), ())
        one = documents[0]
        named = connection.references.names(prepared, one)
        if named is None:
            return False
        given: dict[str, Any] = {"present": named} if named else {}
        if one.get("_id") is None:
            key = connection.tables.kept_key(info)
            if key is None:
                return False
            one["_id"] = key
            given["above"] = key - 1
        command = {"insert": info.name, "documents": documents}
        if given:
            command["given"] = given
        split_documents(info, documents)
        reply = connection.run(command)
        if "n" not in reply:
            return False
        self.rowcount, self.lastrowid = reply["n"], one["_id"]
        if prepared.returning:
            self._rows = iter(returned(info, documents, prepared.returning))
        return True

    def _complete(self, info: TableInfo, documents: list[dict[str, Any]]) -> None:
        """Make documents what is to be stored of them: columns, keys, what is computed."""
        self.connection.tables.complete(info, documents, self.connection)
        without_nulls(info, documents)
        split_documents(info, documents)
        if info.computed:
            documents[:] = self._computed(info, documents)

    def _send(self, info: TableInfo, documents: list[dict[str, Any]], ignore: bool = False) -> None:
        self.connection.references.written(info, documents)
        self.rowcount = 0
        # a refused row would undo its statement, were there others in it
        alone = self.connection.autocommit and self.connection.outer() is None
        size = 1 if ignore and not alone else 1000
        for at in range(0, len(documents), size):
            command = {"insert": info.name, "documents": documents[at : at + size],
                       "ordered": not ignore}  # fmt: skip
            try:
                self.rowcount += self.connection.run(command)["n"]
            except IntegrityError as error:
                if not ignore:
                    raise
                self.rowcount += getattr(error, "n", 0)
        self.lastrowid = documents[-1].get("_id") if documents else None

    def _computed(self, info: TableInfo, documents: list[dict[str, Any]]) -> list[dict[str, Any]]:
        """Return documents with their generated columns and the computed keys of indexes."""
        out: list[dict[str, Any]] = []
        for at in range(0, len(documents), 1000):
            pipeline = [{"$documents": {"$literal": documents[at : at + 1000]}}, *info.computed]
            out += self.connection.documents({"aggregate": 1, "pipeline": pipeline, "cursor": {}})
        return out

    def _upsert(self, prepared: Prepared, node: n.Insert, documents: list[dict[str, Any]]) -> None:
        info = prepared.table
        assert info is not None
        self.connection.tables.complete(info, documents, self.connection, keys=False)
        keys = [info.path(column) for column in node.conflict]
        wanted = set(expanded(info, dict.fromkeys(keys, 1)))
        if not any(one.get("unique", "_id" in one["key"]) and set(one["key"]) in (wanted, set(keys))
                   for one in self.connection.documents({"listIndexes": info.name})):  # fmt: skip
            raise OperationalError(
                f"ON CONFLICT ({', '.join(node.conflict)}): no primary key and no unique "
                "constraint has just these columns"
            )
        changed = []
        for column, new in node.update:
            if not (isinstance(new, n.Column) and (new.table or "").upper() == "EXCLUDED"):
                raise NotSupportedError("ON CONFLICT … DO UPDATE sets columns to EXCLUDED's only")
            changed.append((info.path(column), info.path(new.name)))
        without_nulls(info, documents)
        self.rowcount = 0
        for document in documents:
            if any(document.get(key) is None for key in keys):
                alone = [document]
                self._complete(info, alone)
                self._send(info, alone)  # NULL equals nothing, another NULL neither
                continue
            update = {path: document.get(source) for path, source in changed}
            rest = {path: v for path, v in document.items() if path not in update}
            if "_id" not in document:
                rest.update(self.connection.tables.new_key(info, self.connection))
            change = split_change(info, {"$set": update})
            split_documents(info, [rest])
            rest.update({f"{US}.{name}": v for name, v in rest.pop(US, {}).items()})
            one = {
                "q": same_row(info, document, keys),
                "upsert": True,
                "u": {**change, **({"$setOnInsert": rest} if rest else {})},
            }
            self.rowcount += self.connection.run({"update": info.name, "updates": [one]})["n"]
            if info.computed:
                again = [{"q": one["q"], "u": info.computed}]
                self.connection.run({"update": info.name, "updates": again})
        self.connection.references.written(info, documents)
        if node.returning:
            found = []
            for document in documents:
                query = same_row(info, document, keys)
                if "_id" in document:
                    query = {"_id": {"$eq": document["_id"]}}
                found += self.connection.documents({"find": info.name, "filter": query, "limit": 1})
            self._rows = iter(
                returned(info, found, [info.path(column) for column in node.returning])
            )

    def _update(self, prepared: Prepared, params: Sequence[Any]) -> None:
        assert prepared.table is not None
        if prepared.write is not None:
            command = prepared.write(params, self._results(prepared.before, params))
            for update in command["updates"]:
                update["u"] = json_nulls(prepared.table, update["u"])
                update["u"] = split_change(prepared.table, update["u"])
                self._note_update(prepared.table, update)
            self.rowcount = self.connection.run(filled(command))["n"]
            return
        assert prepared.values is not None
        results = self._results(prepared.values.before, params)
        command = filled(prepared.values.command(params, results))
        rows = changed_rows(self.connection.documents(command), prepared)
        self.rowcount = 0
        for at in range(0, len(rows), 1000):
            updates: list[dict[str, Any]] = [
                {"q": {"_id": {"$eq": key}}, "u": change} for key, change in rows[at : at + 1000]
            ]
            for update in updates:
                update["u"] = split_change(prepared.table, update["u"])
                self._note_update(prepared.table, update)
            command = {"update": prepared.table.name, "updates": updates}
            self.rowcount += self.connection.run(command)["n"]

    def _note_update(self, info: TableInfo, update: dict[str, Any]) -> None:
        """Note what an update means for foreign keys, and have it compute what is computed."""
        change = update["u"]
        stages = change if isinstance(change, list) else [change]
        changes = {path: value for stage in stages for path, value in stage.get("$set", {}).items()}
        self.connection.references.changed(info, update["q"], changes)
        if not info.computed:
            return
        if not isinstance(change, list):
            change = [{"$set": {path: {"$literal": value} for path, value in changes.items()}}]
            if "$unset" in update["u"]:
                change.append({"$unset": list(update["u"]["$unset"])})
        update["u"] = [*change, *info.computed]

    def _delete(self, prepared: Prepared, params: Sequence[Any]) -> None:
        assert prepared.table is not None
        if prepared.write is not None:
            command = filled(prepared.write(params, self._results(prepared.before, params)))
        else:
            assert prepared.values is not None
            keys = [one["_id"] for one in self._documents(prepared.values, params)]
            command = {"delete": prepared.table.name,
                       "deletes": [{"q": {"_id": {"$in": keys}}, "limit": 0}]}  # fmt: skip
        counters = prepared.table.name == COUNTERS
        if counters:
            self.connection.tables.recount()
        for one in command["deletes"]:
            self.connection.references.removed(prepared.table, one["q"])
        outside = counters and not self.connection.embedded  # as they are counted
        self.rowcount = self.connection.run(command, outside=outside)["n"]

    def _define(self, prepared: Prepared, params: Sequence[Any]) -> None:
        assert prepared.node is not None
        Definitions(self.connection).run(prepared.node)

    def _command(self, prepared: Prepared, params: Sequence[Any]) -> None:
        node = prepared.node
        assert isinstance(node, n.Command)
        if node.names:
            self.connection.references.set(node.names, node.verb == "CONSTRAINTS DEFERRED")
        else:
            self.connection.control(node.verb, node.name)

    def explain(self, sql: str, params: Any = None) -> str:
        """Return the commands of a query and the store's plan of the last, as JSON."""
        params = [None if one is JSON_NULL else adapt(one) for one in params or ()]
        query = self.connection.plan(sql, params).query
        if query is None:
            raise ProgrammingError("only queries are explained")
        query, results = self._chosen(query, params)
        if query.hopeful is not None:
            query = query.hopeful.query
            results = self._results(query.before, params)
        command, more = query.command(params, results), {}
        if query.grouped is not None:
            command, more["groups"] = grouped.commands(query.grouped, params)
        if command.get("aggregate") == 1:
            return json_util.dumps({"command": command}, indent=1)
        plan = self.connection.run({"explain": command, "verbosity": "queryPlanner"})
        return json_util.dumps({"command": command, **more, "plan": plan}, indent=1)

    # Rows

    def fetchone(self) -> tuple[Any, ...] | None:
        return next(self._rows, None)

    def fetchmany(self, size: int | None = None) -> list[tuple[Any, ...]]:
        return list(itertools.islice(self._rows, size or self.arraysize))

    def fetchall(self) -> list[tuple[Any, ...]]:
        return list(self._rows)

    def __iter__(self) -> Iterator[tuple[Any, ...]]:
        return self._rows

    def close(self) -> None:
        self.closed = True
        self._forget()

    def _forget(self) -> None:
        """Have no rows, and ask for no more."""
        self._rows = iter(())
        source, self._source = self._source, None
        if source is not None:
            source.close()

    def __enter__(self) -> Cursor:
        return self

    def __exit__(self, *args: object) -> None:
        self.close()


def _one_row(prepared: Prepared) -> bool:
    """Whether a statement can only write one row: no other row is there to be undone."""
    if prepared.kind == "insert":
        node = prepared.node
        return isinstance(node, n.Insert) and len(node.rows) == 1 and not node.update
    where = getattr(prepared.node, "where", None)
    return (
        prepared.write is not None
        and isinstance(where, n.Compare)
        and where.op == "="
        and isinstance(where.left, n.Column)
        and prepared.table is not None
        and where.left.name == prepared.table.pk
    )
