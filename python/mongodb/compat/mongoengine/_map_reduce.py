# SPDX-License-Identifier: Apache-2.0
"""Map-reduce: MongoDB's servers still run it, the embedded store has no JavaScript."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from bson import Code, ObjectId

from mongodb.compat.mongoengine.connection import get_db
from mongodb.errors import MongoError, NotSupportedError

__all__ = ["MapReduceDocument", "map_reduce"]


class MapReduceDocument:
    """One result: its `key` and `value`; `object` is the document that the key names."""

    def __init__(self, document: Any, collection: Any, key: Any, value: Any) -> None:
        self._document = document
        self._collection = collection
        self.key = key
        self.value = value

    @property
    def object(self) -> Any:
        """The document whose primary key is `key`."""
        field = self._document._fields[self._document._meta["id_field"]]
        if field.kind == "objectid" and not isinstance(self.key, ObjectId):
            try:
                return self._document.objects.with_id(ObjectId(self.key))
            except Exception as error:
                raise MongoError(f"Could not cast value as ObjectId: {self.key!r}") from error
        return self._document.objects.with_id(self.key)


def map_reduce(queryset: Any, functions: Mapping[str, Any], output: Any, limit: int | None,
               scope: Any) -> Iterator[MapReduceDocument]:  # fmt: skip
    """Run map-reduce over the documents of a queryset and yield the results."""
    if queryset._handle().embedded:
        raise NotSupportedError("map_reduce() is not supported: this store runs no JavaScript")
    collection = queryset._collection
    command: dict[str, Any] = {"mapReduce": collection.name}
    for name, function in functions.items():
        if function is not None:
            own = getattr(function, "scope", None) or {}
            command[name] = Code(queryset._javascript(str(function)), own or None)
    inline = output == "inline" or (isinstance(output, Mapping) and "inline" in output)
    out = {"inline": 1} if inline else _out(output)
    target = out.pop("target", None) if not inline else None
    command |= {"out": out, "query": queryset._query}
    if limit is not None:
        command["limit"] = limit
    if scope:
        command["scope"] = scope
    order = queryset._order_now()
    if inline:
        if order:
            command["sort"] = dict(order)
        found = collection.database.command(command)["results"]
    else:
        collection.database.command(command)
        database = collection.database if target is None else target
        found = database[next(iter(out.values()))].find()
        found = found.sort(order) if order else found
    for one in found:
        yield MapReduceDocument(queryset._document, collection, one["_id"], one["value"])


def _out(output: Any) -> dict[str, Any]:
    if isinstance(output, str):
        return {"replace": output}
    if not isinstance(output, Mapping):
        raise TypeError(f"output is a collection's name or a dict, not {output!r}")
    out = dict(output)
    alias = out.pop("db_alias", None)
    if alias is not None:
        out["target"] = get_db(alias)
        out["db"] = out["target"].name
    return out
