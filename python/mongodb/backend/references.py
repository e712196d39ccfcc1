# SPDX-License-Identifier: Apache-2.0
"""Foreign keys, checked when a transaction ends: the rows that it wrote name rows that are there,
and nothing names the rows that it removed."""

from __future__ import annotations

import datetime
from collections.abc import Iterable
from typing import Any

from mongodb.backend.errors import IntegrityError, ProgrammingError
from mongodb.backend.plan.prepare import Prepared
from mongodb.backend.plan.scope import TableInfo
from mongodb.backend.sql import nodes as n
from mongodb.backend.uniques import Uniques, deferred

__all__ = ["References"]

_MANY = 5_000  # values per look-up


class References:
    """What one connection's transaction must answer for."""

    def __init__(self, connection: Any) -> None:
        self.connection = connection
        self.enabled = True
        self._named: dict[tuple[str, str], set[Any]] = {}  # (table, key): values that rows name
        self._gone: dict[tuple[str, str], set[Any]] = {}  # (table, column): values removed
        self._whole: set[str] = set()  # tables of which every row is to be looked at
        self.uniques = Uniques(connection)

    def __bool__(self) -> bool:
        return bool(self._named or self._gone or self._whole or self.uniques)

    def forget(self) -> None:
        """Answer for nothing any more: the transaction has ended."""
        self._clear()
        self.uniques.forget()

    def _clear(self) -> None:
        self._named.clear()
        self._gone.clear()
        self._whole.clear()

    def set(self, names: tuple[str, ...], late: bool) -> None:
        """Carry out SET CONSTRAINTS: check at the end of the transaction, or now and from now on.

        Foreign keys are checked now, and again at the end.
        """
        wanted = {name for name in names if name.upper() != "ALL"}
        for table in self.connection.tables.names() if wanted else ():
            info = self.connection.tables.get(table)
            wanted -= {*deferred(info), *info.meta.get("keys", {})}
        if wanted:
            told = ", ".join(sorted(wanted))
            raise ProgrammingError(f"SET CONSTRAINTS: there is no deferrable constraint {told}")
        self.uniques.set(names, late)
        if not late:
            self._check_keys()

    def concerned(self, prepared: Prepared) -> bool:
        """Whether an insert, update or delete of a table's rows may break a foreign key, or a
        unique constraint that is checked late."""
        if prepared.table is None:
            return False
        if prepared.late is None:
            prepared.late = bool(deferred(prepared.table)) and prepared.kind != "delete"
        if prepared.late:
            return True
        if not self.enabled or not self.connection.foreign_keys:
            return False
        if prepared.breaks is None:
            prepared.breaks = self._may_break(prepared.table, prepared.node)
        return prepared.breaks

    def names(self, prepared: Prepared, row: dict[str, Any]) -> list[dict[str, Any]] | None:
        """Return the rows that a new row names, as the engine's insert wants them; None when one is
        named by another column than its primary key, or more is to be looked at."""
        if not self.concerned(prepared):
            return []
        if prepared.late:
            return None
        if prepared.names is None:
            assert prepared.table is not None
            prepared.names = self._by_primary_key(prepared.table)
        if prepared.names is False:
            return None
        assert isinstance(prepared.names, list)
        return [
            {"coll": table, "_id": row[path]}
            for path, table in prepared.names
            if row.get(path) is not None
        ]

    def _by_primary_key(self, info: TableInfo) -> list[tuple[str, str]] | bool:
        found = []
        for key in info.meta.get("keys", {}).values():
            parent = self.connection.tables.get(key["table"])
            plain = len(key["columns"]) == 1 and list(key["to"]) == [parent.pk]
            if not plain or parent.pk in parent.micros:
                return False
            found.append((info.path(key["columns"][0]), parent.name))
        return found

    def _may_break(self, info: TableInfo, node: n.Node | None) -> bool:
        own = {key["columns"][0] for key in info.meta.get("keys", {}).values()}
        if isinstance(node, n.Insert) and not node.update:
            return bool(own)  # nothing names a row that was not there
        others = self.connection.tables.referencing(info.name)
        if isinstance(node, n.Delete):
            return bool(others)
        named = own | {child.meta["keys"][name]["to"][0] for child, name in others}
        if isinstance(node, n.Update):
            return not named.isdisjoint(column for column, _ in node.changes)
        return bool(named)

    # What is written

    def written(self, info: TableInfo, documents: Iterable[dict[str, Any]]) -> None:
        """Note rows that were inserted."""
        self.uniques.written(info, documents)
        if not self.enabled or not self.connection.foreign_keys:
            return
        for name, key in info.meta.get("keys", {}).items():
            path = info.path(key["columns"][0])
            values = {_hashable(one.get(path)) for one in documents} - {None}
            if values:
                self._named.setdefault((info.name, name), set()).update(values)

    def changed(self, info: TableInfo, query: Any, changes: Any) -> None:
        """Note an update, before it is sent; `changes` are the new values by path."""
        self.uniques.changed(info, changes)
        if not self.enabled or not self.connection.foreign_keys:
            return
        for name, key in info.meta.get("keys", {}).items():
            path = info.path(key["columns"][0])
            if path not in changes:
                continue
            value = changes[path]
            if isinstance(value, dict) and "$literal" in value:
                value = value["$literal"]
            if isinstance(value, (dict, list)):
                self._whole.add(info.name)
            elif value is not None:
                self._named.setdefault((info.name, name), set()).add(_hashable(value))
        for child, name in self.connection.tables.referencing(info.name):
            column = child.meta["keys"][name]["to"][0]
            if info.path(column) in changes:
                self._note_gone(info, column, query)

    def removed(self, info: TableInfo, query: Any) -> None:
        """Note a delete, before it is sent."""
        if not self.enabled or not self.connection.foreign_keys:
            return
        for child, name in self.connection.tables.referencing(info.name):
            self._note_gone(info, child.meta["keys"][name]["to"][0], query)

    def _note_gone(self, info: TableInfo, column: str, query: Any) -> None:
        path = info.path(column)
        if list(query) == [path] and set(query[path]) <= {"$in", "$eq"}:
            values = [*query[path].get("$in", ()), *([query[path]["$eq"]] if "$eq" in query[path]
                                                     else [])]  # fmt: skip
        else:
            rows = self.connection.documents(
                {"find": info.name, "filter": query, "projection": {path: 1}}
            )
            values = [row.get(path) for row in rows]
        gone = {_hashable(value) for value in values} - {None}
        if gone:
            self._gone.setdefault((info.name, column), set()).update(gone)

    def whole(self, table: str) -> None:
        """Have every row of a table looked at."""
        if self.connection.foreign_keys:
            self._whole.add(table)

    # What is so

    def check(self) -> None:
        """Look whether all holds; IntegrityError names the first that does not."""
        self.uniques.check()
        self._check_keys()

    def _check_keys(self) -> None:
        if not (self._named or self._gone or self._whole):
            return
        tables = self.connection.tables
        named, gone, whole = dict(self._named), dict(self._gone), set(self._whole)
        self._clear()
        for table in whole:
            info = tables.get(table)
            for name, key in info.meta.get("keys", {}).items():
                path = info.path(key["columns"][0])
                group = [{"$group": {"_id": f"${path}"}}]
                rows = self.connection.documents(
                    {"aggregate": table, "pipeline": group, "cursor": {}}
                )
                values = {_hashable(row["_id"]) for row in rows} - {None}
                named.setdefault((table, name), set()).update(values)
        for (table, name), values in named.items():
            info = tables.get(table)
            key = info.meta.get("keys", {}).get(name)
            if key is not None:
                parent = tables.get(key["table"])
                missing = values - self._present(parent, key["to"][0], values)
                self._refuse(info, name, key, missing)
        for (table, column), values in gone.items():
            children = [(info, name) for info, name in tables.referencing(table)
                        if info.meta["keys"][name]["to"][0] == column]  # fmt: skip
            if children:
                missing = values - self._present(tables.get(table), column, values)
                for info, name in children:
                    self._refuse(info, name, info.meta["keys"][name], missing)

    def _present(self, info: TableInfo, column: str, values: set[Any]) -> set[Any]:
        path = info.path(column)
        listed = list(values)
        found: set[Any] = set()
        for at in range(0, len(listed), _MANY):
            rows = self.connection.documents({
                "find": info.name, "filter": {path: {"$in": listed[at : at + _MANY]}},
                "projection": {path: 1, **({} if path == "_id" else {"_id": 0})},
            })  # fmt: skip
            found.update(_hashable(row.get(path)) for row in rows)
        return found

    def _refuse(self, info: TableInfo, name: str, key: Any, missing: set[Any]) -> None:
        """Raise IntegrityError when a row still names what is not there."""
        path = info.path(key["columns"][0])
        listed = list(missing)
        for at in range(0, len(listed), _MANY):
            command = {"find": info.name, "filter": {path: {"$in": listed[at : at + _MANY]}},
                       "limit": 1}  # fmt: skip
            for row in self.connection.documents(command):
                raise IntegrityError(
                    f"FOREIGN KEY constraint failed: {name}: the row of {info.name} with primary "
                    f"key {row['_id']!r} has {key['columns'][0]} = {row[path]!r}, which no "
                    f"{key['table']}.{key['to'][0]} is"
                )


def _hashable(value: Any) -> Any:
    if isinstance(value, datetime.datetime):  # as it is stored
        return value.replace(microsecond=value.microsecond // 1000 * 1000, tzinfo=None)
    return repr(value) if isinstance(value, (dict, list)) else value
