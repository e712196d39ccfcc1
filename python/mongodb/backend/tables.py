# SPDX-License-Identifier: Apache-2.0
"""What is known of each collection. The schema editor writes it into the collection's validator, as
a JSON schema that MongoDB enforces and other tools read: the field of each column, its SQL type as
`description`, the column kept as `_id` as `title`."""

from __future__ import annotations

from typing import Any

from bson import ObjectId

from mongodb.backend.plan.scope import TableInfo

__all__ = ["COUNTERS", "Tables"]

COUNTERS = "__counters"


class Tables:
    """The collections of one connection, looked up when first named."""

    def __init__(self, connection: Any) -> None:
        self._connection = connection
        self._known: dict[str, TableInfo] = {}
        self.version = 0

    def forget(self, name: str | None = None) -> None:
        """Look again: the schema has changed."""
        self.version += 1
        if name is None:
            self._known.clear()
        else:
            self._known.pop(name, None)

    def get(self, name: str) -> TableInfo:
        """Return what is known of a collection."""
        found = self._known.get(name)
        if found is None:
            found = self._known[name] = self._read(name)
        return found

    def _read(self, name: str) -> TableInfo:
        command = {"listCollections": 1, "filter": {"name": name}}
        batch = list(self._connection.documents(command))
        schema: dict[str, Any] = {}
        if batch:
            schema = batch[0].get("options", {}).get("validator", {}).get("$jsonSchema", {})
        types: dict[str, str] = {}
        pk = None
        whole = schema.get("description") == "django"
        for path, rule in schema.get("properties", {}).items():
            column = rule.get("title", path)
            types[column] = rule.get("description", "")
            if path == "_id":
                pk = column
        if not whole:
            from_model = _from_model(name)
            if from_model is not None:
                if from_model.pk != "_id" and batch and self._keeps_key(from_model):
                    from_model.pk = None
                return from_model
        return TableInfo(name, pk, types, whole)

    def _keeps_key(self, info: TableInfo) -> bool:
        """Whether a collection that others made has the key's column beside `_id`."""
        test = {info.pk: {"$exists": True}}
        command = {"find": info.name, "filter": test, "limit": 1, "projection": {"_id": 1}}
        return bool(list(self._connection.documents(command)))

    # Keys

    def complete(
        self,
        info: TableInfo,
        documents: list[dict[str, Any]],
        connection: Any,
        *,
        keys: bool = True,
    ) -> None:
        """Give documents the columns they lack, and a key."""
        missing = [
            info.path(column)
            for column, type_ in info.types.items()
            if column != info.pk and type_ != "json"
        ]
        for document in documents:
            for path in missing:
                document.setdefault(path, None)
        if not keys:
            return
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

    def new_key(self, info: TableInfo, connection: Any) -> dict[str, Any]:
        """Return {"_id": …} for a new row, or nothing when its key is not made here."""
        document: dict[str, Any] = {}
        kind = _key_kind(info)
        if kind == "objectid":
            document["_id"] = ObjectId()
        elif kind == "integer":
            document["_id"] = self._numbers(info, 1, connection)
        return document

    def _numbers(self, info: TableInfo, many: int, connection: Any) -> int:
        """Take whole numbers, greater than any in use, from the collection's counter."""
        top = list(connection.documents(
            {"find": info.name, "sort": {"_id": -1}, "limit": 1, "projection": {"_id": 1}}
        ))  # fmt: skip
        highest = top[0]["_id"] if top and isinstance(top[0]["_id"], int) else 0
        # a server's counter is not part of the transaction, as SQL's sequences are not
        change = {"$set": {"n": {"$add": [{"$max": [{"$ifNull": ["$n", 0]}, highest]}, many]}}}
        reply = connection.run(
            {
                "findAndModify": COUNTERS,
                "query": {"_id": info.name},
                "update": [change],
                "upsert": True,
                "new": True,
            },
            outside=not connection.handle.embedded,
        )
        return int(reply["value"]["n"]) - many + 1


def _key_kind(info: TableInfo) -> str | None:
    type_ = info.types.get(info.pk or "", "")
    if "auto" in type_:
        return "integer"
    return "objectid" if type_.lower() in ("objectid", "") else None


def _from_model(name: str) -> TableInfo | None:
    """Return what a model says of its collection, for collections without a schema of ours."""
    from django.apps import apps
    from django.db import connections

    if not apps.models_ready:
        return None
    for model in apps.get_models(include_auto_created=True):
        if model._meta.db_table == name:
            connection = next(iter(connections.all()), None)
            types = {}
            for field in model._meta.local_concrete_fields:
                types[field.column] = (field.db_type(connection) if connection else "") or ""
            return TableInfo(name, model._meta.pk.column, types)
    return None
