# SPDX-License-Identifier: Apache-2.0
"""What is known of each collection. The schema editor writes it into the collection's validator, as
a JSON schema that MongoDB enforces and other tools read: the field of each column, its SQL type as
`description`, the column kept as `_id` as `title`."""

from __future__ import annotations

from typing import Any, NamedTuple

from bson import ObjectId

from mongodb.backend import rules
from mongodb.backend.plan.scope import PlanError, TableInfo

__all__ = ["COUNTERS", "Tables"]

COUNTERS = "__counters"
_MOST_KEPT = 32  # numbers of a counter that a connection takes at once for rows one by one


class _Kept(NamedTuple):
    """Numbers of a counter: the last that a row got, the last of all, how many there were."""

    last: int
    end: int
    size: int


class Tables:
    """The collections of one connection, looked up when first named."""

    def __init__(self, connection: Any) -> None:
        self._connection = connection
        self._known: dict[str, TableInfo] = {}
        self._references: dict[str, list[tuple[TableInfo, str]]] | None = None
        self._stale: set[str] = set()  # tables whose foreign keys are to be read again
        self._kept: dict[str, _Kept] = {}  # numbers taken for rows that are still to come
        self.version = 0
        self.changed = False  # whether definitions were made since the transaction began

    def forget(self, name: str | None = None) -> None:
        """Look again: the schema has changed."""
        self.version += 1
        self.changed = True
        self.recount()
        if name is None:
            self._known.clear()
            self._references = None
        else:
            self._known.pop(name, None)
            self._stale.add(name)

    def undone(self) -> None:
        """Look again if the transaction that ended without effect had changed the schema."""
        if self.changed:
            self.forget()

    def get(self, name: str) -> TableInfo:
        """Return what is known of a collection."""
        return self._look_up(name) or _from_model(name) or TableInfo(name, None)

    def named(self, name: str) -> TableInfo:
        """Return what a statement that names a collection must know; PlanError if it is not there.

        A model that Django does not manage stands for a collection that is still to be made.
        """
        if name == COUNTERS:
            return TableInfo(name, "_id")
        found = self._look_up(name) or _from_model(name, managed=False)
        if found is None:
            raise PlanError(f"no such table: {name}")
        return found

    def _look_up(self, name: str) -> TableInfo | None:
        found = self._known.get(name)
        if found is None:
            found = self._read(name)
            if found is not None:
                self._known[name] = found
        return found

    def _read(self, name: str) -> TableInfo | None:
        command = {"listCollections": 1, "filter": {"name": name}}
        batch = list(self._connection.documents(command))
        if not batch:
            return None
        info = rules.read(name, batch[0].get("options", {}))
        if batch[0].get("type") == "view":
            return self._view(name, batch[0]["options"])
        if not info.whole:
            from_model = _from_model(name)
            if from_model is None:
                return info
            if from_model.pk != "_id" and self._keeps_key(from_model):
                from_model.pk = None
            return from_model
        return info

    def _view(self, name: str, options: dict[str, Any]) -> TableInfo:
        shape = options["pipeline"][-1].get("$project", {}) if options["pipeline"] else {}
        source = self.get(options["viewOn"])
        named = {f"${source.path(column)}": type_ for column, type_ in source.types.items()}
        types = {column: named.get(path, "text") if isinstance(path, str) else "text"
                 for column, path in shape.items() if column != "_id"}  # fmt: skip
        return TableInfo(name, None, types, bool(types))

    def names(self) -> list[str]:
        """Return the names of the tables."""
        command = {"listCollections": 1, "nameOnly": True}
        return [one["name"] for one in self._connection.documents(command) if _is_table(one)]

    def referencing(self, name: str) -> list[tuple[TableInfo, str]]:
        """Return the foreign keys that lead to a table, as (table, name of the key)."""
        if self._references is None:
            self._references = {}
            for one in list(self._connection.documents({"listCollections": 1})):
                if _is_table(one):
                    found = self._known.get(one["name"])
                    self._refer(found or rules.read(one["name"], one.get("options", {})))
        else:
            for stale in self._stale:
                for target, known in self._references.items():
                    self._references[target] = [one for one in known if one[0].name != stale]
                info = self._look_up(stale)
                if info is not None:
                    self._refer(info)
        self._stale.clear()
        return self._references.get(name, [])

    def _refer(self, info: TableInfo) -> None:
        assert self._references is not None
        for key, what in info.meta.get("keys", {}).items():
            self._references.setdefault(what["table"], []).append((info, key))

    def _keeps_key(self, info: TableInfo) -> bool:
        """Whether a collection that others made has the key's column beside `_id`."""
        test = {info.pk: {"$exists": True}}
        command = {"find": info.name, "filter": test, "limit": 1, "projection": {"_id": 1}}
        return bool(list(self._connection.documents(command)))

    # Keys

    def recount(self) -> None:
        """Ask the counters again: they or the tables are others now."""
        self._kept.clear()

    def complete(
        self,
        info: TableInfo,
        documents: list[dict[str, Any]],
        connection: Any,
        *,
        keys: bool = True,
    ) -> None:
        """Give documents the columns they lack, and a key."""
        defaults = info.meta.get("defaults", {})
        missing = info.bare()
        for document in documents:
            for path in missing:
                document.setdefault(path, None)
        for column, text in defaults.items():
            bare = [one for one in documents if info.path(column) not in one]
            if bare:
                for one, value in zip(bare, self._default(info, text, len(bare)), strict=True):
                    one[info.path(column)] = value
        if keys:
            self.give_keys(info, documents, connection)

    def give_keys(self, info: TableInfo, documents: list[dict[str, Any]], connection: Any) -> None:
        """Give documents that have no key one."""
        bare = [one for one in documents if one.get("_id") is None]
        if not bare:
            return
        kind = _key_kind(info)
        if kind == "objectid":
            for one in bare:
                one["_id"] = ObjectId()
        elif kind == "integer":
            first = self._numbers(info, len(bare), connection)
            for at, one in enumerate(bare):
                one["_id"] = first + at

    def _default(self, info: TableInfo, text: str, many: int) -> list[Any]:
        """Return a column's default for so many rows."""
        made = rules.expression(info, text)
        if isinstance(made, dict) and "$literal" in made:
            made = made["$literal"]
        elif made is not None and not isinstance(made, (bool, int, float)):
            pipeline = [{"$documents": [{}] * many}, {"$project": {"_id": 0, "v": made}}]
            command = {"aggregate": 1, "pipeline": pipeline, "cursor": {}}
            return [one.get("v") for one in self._connection.documents(command)]
        return [made] * many

    def new_key(self, info: TableInfo, connection: Any) -> dict[str, Any]:
        """Return {"_id": …} for a new row, or nothing when its key is not made here."""
        document: dict[str, Any] = {}
        kind = _key_kind(info)
        if kind == "objectid":
            document["_id"] = ObjectId()
        elif kind == "integer":
            document["_id"] = self._numbers(info, 1, connection)
        return document

    def kept_key(self, info: TableInfo) -> int | None:
        """Take the next of the numbers that are kept for a table; None when there is none. It is
        good for a row if no greater one is in use."""
        kept = self._kept.get(info.name)
        if kept is None or kept.last == kept.end or _key_kind(info) != "integer":
            return None
        self._kept[info.name] = _Kept(kept.last + 1, kept.end, kept.size)
        return kept.last + 1

    def _numbers(self, info: TableInfo, many: int, connection: Any) -> int:
        """Take whole numbers, greater than any in use, from the collection's counter."""
        command = {"find": info.name, "sort": {"_id": -1}, "limit": 1, "singleBatch": True,
                   "projection": {"_id": 1}}  # fmt: skip
        top = connection.run(command)["cursor"]["firstBatch"]
        highest = top[0]["_id"] if top and isinstance(top[0]["_id"], int) else 0
        # a transaction that is undone gives its numbers back: there they are not kept
        alone = connection.autocommit and connection.outer() is None
        keeps = many == 1 and alone and connection.embedded
        kept = self._kept.pop(info.name, None)
        size = many
        if keeps and kept is not None and highest <= kept.last:  # nobody else inserts
            if kept.last < kept.end:
                self._kept[info.name] = kept._replace(last=kept.last + 1)
                return kept.last + 1
            size = min(2 * kept.size, _MOST_KEPT)
        # a server's counter is not part of the transaction, as SQL's sequences are not
        change = {"$set": {"n": {"$add": [{"$max": [{"$ifNull": ["$n", 0]}, highest]}, size]}}}
        reply = connection.run(
            {
                "findAndModify": COUNTERS,
                "query": {"_id": info.name},
                "update": [change],
                "upsert": True,
                "new": True,
            },
            outside=not connection.embedded,
        )
        end = int(reply["value"]["n"])
        if keeps:
            self._kept[info.name] = _Kept(end - size + 1, end, size)
        return end - size + 1


def _is_table(one: dict[str, Any]) -> bool:
    return one.get("type") != "view" and not one["name"].startswith(("system.", "__"))


def _key_kind(info: TableInfo) -> str | None:
    type_ = info.types.get(info.pk or "", "")
    if "auto" in type_:
        return "integer"
    return "objectid" if type_.lower() in ("objectid", "") else None


def _from_model(name: str, managed: bool = True) -> TableInfo | None:
    """Return what a model says of its collection, for collections without a schema of ours."""
    from django.apps import apps
    from django.db import connections

    if not apps.models_ready:
        return None
    for model in apps.get_models(include_auto_created=True):
        if model._meta.db_table == name and (managed or not model._meta.managed):
            connection = next(iter(connections.all()), None)
            types = {}
            for field in model._meta.local_concrete_fields:
                types[field.column] = (field.db_type(connection) if connection else "") or ""
            return TableInfo(name, model._meta.pk.column, types)
    return None
