# SPDX-License-Identifier: Apache-2.0
"""Indexes and unique constraints. What MongoDB's indexes have no words for, an expression or a
condition beyond theirs, is kept in a hidden field of each document that the index is over."""

from __future__ import annotations

import copy
import logging
from collections.abc import Callable
from typing import Any

from bson import json_util

from mongodb.backend import rules
from mongodb.backend.errors import (
    DatabaseError,
    NotSupportedError,
    OperationalError,
    ProgrammingError,
)
from mongodb.backend.plan.micros import expanded
from mongodb.backend.plan.scope import US, TableInfo
from mongodb.backend.sql import nodes as n
from mongodb.backend.uniques import refuse_equal_rows

__all__ = ["NO_SEARCH", "Indexes"]

logger = logging.getLogger("mongodb")

_OPTIONS = json_util.JSONOptions(tz_aware=False)
# what stores without Atlas Search say of its commands: unknown, not enabled, not supported
NO_SEARCH = (59, 115, 238, 31082)
_SAME_KEY = (85, 86)  # an index over the same key is there already


class Indexes:
    """The indexes of one connection's tables."""

    def __init__(self, connection: Any, save: Callable[[TableInfo], None]) -> None:
        self.connection = connection
        self.save = save

    def there(self, table: str) -> list[dict[str, Any]]:
        """Return the collection's own indexes."""
        return list(self.connection.documents({"listIndexes": table}))

    # Making

    def unique(
        self, info: TableInfo, columns: list[str], name: str | None, distinct: bool = True
    ) -> None:
        """Make a unique constraint; any number of NULLs are let in when they are distinct."""
        named = name or f"{info.name}_{'_'.join(columns)}_uniq"
        key = expanded(info, {info.path(c): 1 for c in columns})
        spec = {"name": named, "key": key, "unique": True}
        partial = self.known(info, columns) if distinct else {}
        if partial:
            spec["partialFilterExpression"] = partial
        self.make(info, spec, columns)

    def constraint(self, info: TableInfo, one: n.Constraint) -> None:
        """Make a unique constraint, which may be checked when transactions end."""
        columns = list(one.columns)
        if one.deferred is None:
            self.unique(info, columns, one.name, one.nulls_distinct)
            return
        if not self.connection.embedded:
            raise NotSupportedError(
                f"{one.name}: a server cannot check a deferrable unique constraint when its "
                "transactions end; the embedded store does. Leave out deferrable"
            )
        if not one.nulls_distinct:
            raise NotSupportedError(f"{one.name}: NULLS NOT DISTINCT cannot be deferred")
        named = one.name or f"{info.name}_{'_'.join(columns)}_uniq"
        refuse_equal_rows(self.connection, info, named, columns)
        known = info.meta.setdefault("indexes", {})
        known[named] = {"columns": columns, "unique": True, "deferred": one.deferred}
        self.save(info)
        spec = {"name": named, "key": expanded(info, {info.path(c): 1 for c in columns})}
        self.make(info, spec, columns)

    def known(self, info: TableInfo, columns: list[str]) -> dict[str, Any]:
        """Return the filter of the rows in which no column is NULL, as far as some can be."""
        return {info.path(c): {"$gte": rules.least(info.types[c])}
                for c in columns if c not in info.required and c != info.pk}  # fmt: skip

    def create(self, info: TableInfo, node: n.CreateIndex) -> None:
        """Carry out CREATE INDEX."""
        if node.spec is not None:
            spec = json_util.loads(node.spec, json_options=_OPTIONS)
            if "definition" in spec:
                self.search(info, spec)
                return
            self.connection.run({"createIndexes": info.name, "indexes": [spec]})
            return
        columns: list[Any] = []  # None stands for an expression
        key: dict[str, Any] = {}
        computed: dict[str, str] = {}
        for expr, text, descending in node.keys:
            if isinstance(expr, n.Column):
                if expr.name not in info.types:
                    raise ProgrammingError(f'no such column: "{info.name}"."{expr.name}"')
                columns.append(expr.name)
                path = info.path(expr.name)
            else:
                columns.append(None)
                path = f"{rules.HIDDEN}.{node.name}_{len(key)}"
                computed[path] = rules.stable(text)
            key[path] = -1 if descending else 1
        known = info.meta.setdefault("indexes", {})
        if node.include and node.unique:  # what covers is no part of what is unique
            known[node.name] = {"columns": [*columns, *node.include], "unique": True}
        elif node.include:
            columns += node.include
            key.update({info.path(column): 1 for column in node.include})
        spec = {"name": node.name, "key": expanded(info, key)}
        partial: dict[str, Any] = {}
        if node.unique:
            spec["unique"] = True
            if node.nulls_distinct:
                partial = self.known(info, [c for c in columns if c is not None])
                partial.update({path: {"$exists": True} for path in computed})
        if node.where is not None:
            test = rules.holds(info, node.where)
            if rules.beyond(test) or set(test) & set(partial):
                path = f"{rules.HIDDEN}.{node.name}_where"
                computed[path] = f"CASE WHEN {node.where} THEN 1 END"
                test = {path: {"$exists": True}}
            partial.update(test)
        if partial:
            spec["partialFilterExpression"] = partial
        more = {"sql": [text for _, text, _ in node.keys], "where": node.where}
        if computed:
            covered = [*columns, *node.include] if node.unique else columns
            known[node.name] = {**more, "columns": covered, "unique": node.unique,
                                "computed": computed}  # fmt: skip
            rules.compute(info)
            self.save(info)
            updates = [{"q": {}, "u": info.computed, "multi": True}]
            self.connection.run({"update": info.name, "updates": updates})
        elif node.name in known:
            self.save(info)
        self.make(info, spec, columns)

    def search(self, info: TableInfo, spec: dict[str, Any]) -> None:
        """Make an index of Atlas Search, where there is one, and note it."""
        known = info.meta.setdefault("indexes", {})
        if spec["name"] in known:
            raise ProgrammingError(f'an index "{spec["name"]}" is there already')
        known[spec["name"]] = {"columns": spec.pop("columns"), "search": dict(spec)}
        self.save(info)
        if not self.on_atlas({"createSearchIndexes": info.name, "indexes": [spec]}):
            logger.warning(
                "%s: the store has no Atlas Search: the %s index %s is not made, $%s is refused",
                info.name, spec["type"], spec["name"], spec["type"],
            )  # fmt: skip

    def on_atlas(self, command: dict[str, Any]) -> bool:
        """Run a command of Atlas Search; return whether there is one."""
        try:
            self.connection.run(command, outside=True)
        except DatabaseError as error:
            if getattr(error.__cause__, "code", None) not in NO_SEARCH:
                raise
            return False
        return True

    def make(self, info: TableInfo, spec: dict[str, Any], columns: list[str]) -> None:
        """Create an index, or note that one over the same key stands for it."""
        if list(spec["key"]) == ["_id"]:
            self.note(info, spec, columns, "_id_")
            return
        for _ in range(2):
            try:
                self.connection.run({"createIndexes": info.name, "indexes": [spec]})
                return
            except DatabaseError as error:
                code = getattr(error.__cause__, "code", None)
                if code not in _SAME_KEY:
                    raise
            same = [one for one in self.there(info.name)
                    if list(one["key"].items()) == list(spec["key"].items())]  # fmt: skip
            if not same or any(one["name"] == spec["name"] for one in same):
                raise ProgrammingError(f'an index "{spec["name"]}" is there already')
            if same[0].get("unique") or not spec.get("unique"):
                self.note(info, spec, columns, same[0]["name"])
                return
            self.connection.run({"dropIndexes": info.name, "index": same[0]["name"]})
            self.note(info, _bare(same[0]), columns, spec["name"])

    def note(self, info: TableInfo, spec: dict[str, Any], columns: list[str], twin: str) -> None:
        """Keep an index that another stands for."""
        known = info.meta.setdefault("indexes", {})
        old = known.get(spec["name"], {})
        known[spec["name"]] = {**old, "columns": columns, "twin": twin, "key": dict(spec["key"]),
                               "unique": bool(spec.get("unique")) or "deferred" in old}  # fmt: skip
        self.save(info)

    # Unmaking

    def drop(self, name: str, table: str | None, exists: bool = False) -> None:
        """Drop an index by its name."""
        found = self.find(name, table)
        if found is None:
            if exists:
                return
            raise OperationalError(f"no such index or constraint: {name}")
        info, spec = found
        known = info.meta.get("indexes", {})
        noted = known.pop(name, None)
        if spec is not None:
            self.connection.run({"dropIndexes": info.name, "index": name})
        self.promote(info, name, spec)
        if noted is None:
            return
        if "search" in noted:
            self.on_atlas({"dropSearchIndex": info.name, "name": name})
        rules.compute(info)
        self.save(info)
        gone = dict.fromkeys(noted.get("computed", {}), "")
        if gone:
            updates = [{"q": {}, "u": {"$unset": gone}, "multi": True}]
            self.connection.run({"update": info.name, "updates": updates})

    def promote(self, info: TableInfo, name: str, spec: dict[str, Any] | None) -> None:
        """Make the first of the indexes that a dropped one stood for."""
        known = info.meta.get("indexes", {})
        orphans = [one for one, what in known.items() if what.get("twin") == name]
        if not orphans or spec is None:
            return
        orphans.sort(key=lambda one: not known[one]["unique"])
        heir = known.pop(orphans[0])
        for one in orphans[1:]:
            known[one]["twin"] = orphans[0]
        made = {**_bare(spec), "name": orphans[0]}
        if not heir["unique"] or "deferred" in heir:
            made.pop("unique", None)
            made.pop("partialFilterExpression", None)
        if "deferred" in heir:
            known[orphans[0]] = {key: heir[key] for key in ("columns", "unique", "deferred")}
        self.save(info)
        self.connection.run({"createIndexes": info.name, "indexes": [made]})

    def find(self, name: str, table: str | None) -> Any:
        """Return (table, own index or None) of an index."""
        tables = [table] if table is not None else self.connection.tables.names()
        for one in tables:
            info = copy.deepcopy(self.connection.tables.get(one))
            for spec in self.there(one):
                if spec["name"] == name:
                    return info, spec
            if name in info.meta.get("indexes", {}):
                return info, None
        return None

    def columns(self, info: TableInfo, name: str) -> list[str] | None:
        """Return the columns of an index."""
        noted = info.meta.get("indexes", {}).get(name)
        if noted is not None:
            return list(noted["columns"])
        named = {info.path(column): column for column in info.types}
        for one in self.there(info.name):
            if one["name"] == name:
                return [
                    named.get(path, path) for path in one["key"] if not path.startswith(f"{US}.")
                ]
        return None

    def drop_with(self, info: TableInfo, column: str) -> None:
        """Drop the indexes that a column is part of."""
        quoted = f'"{column}"'
        for name, noted in list(info.meta.get("indexes", {}).items()):
            texts = [*noted.get("sql", ()), noted.get("where") or ""]
            if column in noted["columns"] or any(quoted in text for text in texts):
                self.drop(name, info.name)
        for one in self.there(info.name):
            if _along(one["key"], info.path(column)) and one["name"] != "_id_":
                self.drop(one["name"], info.name)

    def taken_down(self, info: TableInfo, column: str) -> list[dict[str, Any]]:
        """Drop the collection's indexes over a column; return them to put up again."""
        path = info.path(column)
        out = []
        for one in self.there(info.name):
            named = set(one["key"]) | set(one.get("partialFilterExpression", ()))
            if _along(named, path) and one["name"] != "_id_":
                self.connection.run({"dropIndexes": info.name, "index": one["name"]})
                out.append(_bare(one))
        return out

    def put_up(self, info: TableInfo, kept: list[dict[str, Any]], old: str, new: str) -> None:
        """Make indexes again over a column that has a new name or type."""
        changed = False
        for noted in info.meta.get("indexes", {}).values():
            noted["columns"] = [new if c == old else c for c in noted["columns"]]
            key = {new if p == old else p: v for p, v in noted.get("key", {}).items()}
            noted["key"] = expanded(info, key)
            for path, text in noted.get("computed", {}).items():
                noted["computed"][path] = text.replace(f'"{old}"', f'"{new}"')
            noted["sql"] = [t.replace(f'"{old}"', f'"{new}"') for t in noted.get("sql", ())]
            changed = True
        if changed and old != new:
            rules.compute(info)
            self.save(info)
        for spec in kept:
            spec["key"] = expanded(info, _moved(spec["key"], old, new))
            partial = spec.get("partialFilterExpression")
            if partial is not None:
                partial = _moved(partial, old, new)
                if spec.get("unique") and set(partial.get(new, ())) == {"$gte"}:
                    partial[new] = {"$gte": rules.least(info.types[new])}
                spec["partialFilterExpression"] = partial
            self.connection.run({"createIndexes": info.name, "indexes": [spec]})

    def nulls(self, info: TableInfo, column: str) -> None:
        """Make unique indexes anew over a column that may hold NULL from now on, or not."""
        path = info.path(column)
        known = self.known(info, [column])
        for one in self.there(info.name):
            if not one.get("unique") or path not in one["key"]:
                continue
            partial = dict(one.get("partialFilterExpression", {}))
            if set(partial.get(path, ("$gte",))) == {"$gte"}:
                partial.pop(path, None)
            spec = {**_bare(one), "partialFilterExpression": {**partial, **known}}
            if not spec["partialFilterExpression"]:
                del spec["partialFilterExpression"]
            if spec != _bare(one):
                self.connection.run({"dropIndexes": info.name, "index": one["name"]})
                self.connection.run({"createIndexes": info.name, "indexes": [spec]})

    def rename(self, info: TableInfo, old: str, new: str) -> None:
        """Give an index another name."""
        found = self.find(old, info.name)
        if found is None:
            raise OperationalError(f"no such index: {old}")
        info, spec = found
        known = info.meta.get("indexes", {})
        if old in known:
            known[new] = known.pop(old)
        for one in known.values():
            if one.get("twin") == old:
                one["twin"] = new
        search = known.get(new, {}).get("search")
        if search:
            self.on_atlas({"dropSearchIndex": info.name, "name": old})
            search["name"] = new
            self.on_atlas({"createSearchIndexes": info.name, "indexes": [search]})
        if known:
            self.save(info)
        if spec is not None:
            self.connection.run({"dropIndexes": info.name, "index": old})
            made = {**_bare(spec), "name": new}
            self.connection.run({"createIndexes": info.name, "indexes": [made]})


def _bare(spec: dict[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in spec.items() if key not in ("v", "ns")}


def _along(paths: Any, path: str) -> bool:
    """Whether a path is among others, or leads to one of them."""
    return any(one == path or one.startswith(f"{path}.") for one in paths)


def _moved(paths: Any, old: str, new: str) -> dict[str, Any]:
    """Paths at and below one, to another."""
    return {new + p[len(old) :] if p == old or p.startswith(f"{old}.") else p: value
            for p, value in paths.items()}  # fmt: skip
