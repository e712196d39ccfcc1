# SPDX-License-Identifier: Apache-2.0
"""How a stored document is found again: by its key, and by the shard key it was stored with."""

from __future__ import annotations

from typing import Any

from mongodb._paths import NOTHING, stored_at, stored_document
from mongodb.queryset.lookups import db_path

__all__ = ["own_filter", "own_lookups", "stored_values"]


def _stored_key(doc: Any) -> Any:
    field = doc._fields[doc._meta["id_field"]]
    return field.to_mongo(doc.pk)


def own_filter(doc: Any) -> dict[str, Any]:
    """Return the filter that finds the document: by its shard key as it is stored, too."""
    query = {"_id": _stored_key(doc)}
    shard_key = _shard_key(doc)
    stored = doc._stored() if shard_key else None
    known = {} if stored is None else stored_document(stored)
    for name in shard_key:
        path = db_path(type(doc), name)
        value = stored_at(known, path)
        if value is NOTHING:  # new, or not loaded yet
            head = name.partition(".")[0]
            field = doc._fields[head]
            value = stored_at({field.db_field: field.to_mongo(getattr(doc, head))}, path)
        query[path] = None if value is NOTHING else value
    return query


def _shard_key(doc: Any) -> tuple[str, ...]:
    """Return the fields of the shard key beside the primary key."""
    names = doc._meta.get("shard_key") or ()
    names = (names,) if isinstance(names, str) else tuple(names)
    return tuple(name for name in names if name not in ("pk", doc._meta["id_field"]))


def own_lookups(doc: Any) -> dict[str, Any]:
    """Return the lookups that find the document."""
    found = {"pk": doc.pk}
    for name in _shard_key(doc):
        value = doc
        for part in name.split("."):
            value = getattr(value, part, None)
        found[name.replace(".", "__")] = value
    return found


def stored_values(doc: Any) -> dict[str, Any]:
    """Return the fields that have a value, as lookups."""
    values = {name: doc._get(at) for at, name in enumerate(doc._fields)}
    return {name: value for name, value in values.items() if value is not None}
