# SPDX-License-Identifier: Apache-2.0
"""Unique constraints that are DEFERRABLE: their indexes let equal rows in, and are looked at when
the statement or the transaction ends."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from mongodb.backend.errors import IntegrityError
from mongodb.backend.plan.scope import US, TableInfo

__all__ = ["Uniques", "deferred", "refuse_equal_rows"]

_MANY = 1_000  # rows of a transaction that are looked at one by one


def deferred(info: TableInfo) -> dict[str, list[str]]:
    """Return the columns of a table's constraints that are deferrable, by name."""
    return {name: one["columns"] for name, one in info.meta.get("indexes", {}).items()
            if "deferred" in one}  # fmt: skip


class Uniques:
    """What one connection's transaction wrote under such constraints."""

    def __init__(self, connection: Any) -> None:
        self.connection = connection
        # (table, constraint): the values that rows got, None when that is not known
        self._written: dict[tuple[str, str], list[tuple[Any, ...]] | None] = {}
        self._late: dict[str | None, bool] = {}  # what SET CONSTRAINTS said of each, None: of all

    def __bool__(self) -> bool:
        return bool(self._written)

    def forget(self) -> None:
        """Answer for nothing any more: the transaction has ended."""
        self._written.clear()
        self._late.clear()

    def set(self, names: Iterable[str], late: bool) -> None:
        """Have constraints be checked when the transaction ends, or after each statement."""
        if self.connection.autocommit:
            return  # it ends with the statement
        before = self._late
        given: dict[str | None, bool] = {None if name.upper() == "ALL" else name: late
                                         for name in names}  # fmt: skip
        self._late = given if None in given else {**before, **given}
        try:
            self.check(now=True)
        except IntegrityError:
            self._late = before
            raise

    def _is_late(self, info: TableInfo, name: str) -> bool:
        at_first = info.meta["indexes"][name]["deferred"]
        return bool(self._late.get(name, self._late.get(None, at_first)))

    def is_at_once(self, info: TableInfo | None) -> bool:
        """Whether a statement that writes a table is to be checked when it ends."""
        return info is not None and not all(self._is_late(info, one) for one in deferred(info))

    def written(self, info: TableInfo, documents: Iterable[dict[str, Any]]) -> None:
        """Note rows that were inserted."""
        for name, columns in deferred(info).items():
            known = self._written.setdefault((info.name, name), [])
            if known is None:
                continue
            known += [tuple(one.get(info.path(c)) for c in columns) for one in documents]
            if len(known) > _MANY or not info.micros.keys().isdisjoint(columns):
                self._written[info.name, name] = None

    def changed(self, info: TableInfo, changes: Iterable[str]) -> None:
        """Note an update of some fields."""
        for name, columns in deferred(info).items():
            if not {info.path(c) for c in columns}.isdisjoint(changes):
                self._written[info.name, name] = None

    def check(self, now: bool = False) -> None:
        """Look whether no two rows are equal; IntegrityError names the constraint. `now` leaves out
        what is to be checked when the transaction ends."""
        for (table, name), rows in list(self._written.items()):
            info = self.connection.tables.get(table)
            columns = deferred(info).get(name)
            if now and columns is not None and self._is_late(info, name):
                continue
            if columns is not None:
                refuse_equal_rows(self.connection, info, name, columns, rows)
            del self._written[table, name]


def refuse_equal_rows(
    connection: Any,
    info: TableInfo,
    name: str,
    columns: list[str],
    rows: list[tuple[Any, ...]] | None = None,
) -> None:
    """Raise IntegrityError when two rows have the same values, of those in `rows` if they are
    known; where one is NULL no other equals it."""
    paths = [info.path(column) for column in columns]
    if rows is None:
        known = {path: {"$nin": [None]} for path in paths}
        parts = [*paths, *(f"{US}.{c}" for c in columns if c in info.micros)]
        key = {f"k{at}": f"${path}" for at, path in enumerate(parts)}
        stages = [{"$match": known}, {"$group": {"_id": key, "n": {"$sum": 1}}},
                  {"$match": {"n": {"$gt": 1}}}, {"$limit": 1}]  # fmt: skip
        command = {"aggregate": info.name, "pipeline": stages, "cursor": {}}
        equal = [list(one["_id"].values())[: len(paths)] for one in connection.documents(command)]
    else:
        equal = []
        for row in rows:
            query = {path: {"$eq": value} for path, value in zip(paths, row, strict=True)}
            counted = {"count": info.name, "query": query, "limit": 2}
            if None not in row and connection.count(counted) > 1:
                equal = [list(row)]
                break
    for values in equal:
        named = ", ".join(f"{c} = {v!r}" for c, v in zip(columns, values, strict=True))
        raise IntegrityError(
            f"UNIQUE constraint failed: {name}: more than one row of {info.name} has {named}"
        )
