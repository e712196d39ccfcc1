# SPDX-License-Identifier: Apache-2.0
"""Which fields keep copies of other documents' fields, and bringing the copies up to date."""

from __future__ import annotations

from typing import Any

from mongodb.errors import NotRegistered

__all__ = ["sync", "watch", "watchers", "write"]

_fields: list[Any] = []


def watch(field: Any) -> None:
    """Keep the field's copies up to date from now on; a later class of that name replaces it."""
    where = (field.owner_document._class_name, field.name)
    _fields[:] = [one for one in _fields if (one.owner_document._class_name, one.name) != where]
    _fields.append(field)


def watchers(cls: Any) -> list[Any]:
    """Return the fields that keep copies of documents of the class."""
    found = []
    for field in _fields:
        try:
            if issubclass(cls, field.document_type):
                found.append(field)
        except NotRegistered:
            continue
    return found


def sync(document: Any, fields: list[Any], changed: set[str]) -> None:
    """Write what changed of a saved document to its copies."""
    for field in fields:
        son = document.to_mongo(fields=field.fields)
        wanted = {document._db_field_map.get(name.split(".")[0], name) for name in field.fields}
        names = changed & wanted if wanted else changed
        if names:
            write(field, document, {name: son[name] for name in names if name in son}, names)


def write(field: Any, document: Any, values: Any, names: set[str] | None = None) -> None:
    """Write these stored values, and the lack of the others named, to the copies."""
    owner = field.owner_document
    whole = owner._fields.get(field.name)
    values = {name: value for name, value in values.items() if name != "_id"}
    many = whole is not None and whole is not field
    place = f"{whole.db_field}.$[one]" if many else field.db_field or field.name
    update: dict[str, Any] = {}
    if values:
        update["$set"] = {f"{place}.{name}": value for name, value in values.items()}
    gone = (names or set()) - values.keys()
    if gone:
        update["$unset"] = {f"{place}.{name}": "" for name in gone}
    if update:
        filters = [{"one._id": field._key_field().to_mongo(document.pk)}] if many else None
        holders = owner.objects(**{field.name: document})
        holders.update(__raw__=update, array_filters=filters)
