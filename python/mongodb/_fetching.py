# SPDX-License-Identifier: Apache-2.0
"""How a document takes over what the store has: all of it, or what it has not loaded yet."""

from __future__ import annotations

from typing import Any

from mongodb._identity import own_lookups
from mongodb._paths import stored_document
from mongodb._references import find_one, load_reference
from mongodb._rollback import note

__all__ = ["complete", "fill", "fill_field", "fill_rest", "reload"]

_KEYS_AT_ONCE = 100_000


def reload(doc: Any, fields: list[str]) -> None:
    """Take over what the store has; for all fields or for some."""
    note(doc)
    beside = {} if doc._hollow else own_lookups(doc)  # a shard key tells where it is
    found = find_one(type(doc), doc, doc.pk, beside)
    if found is None:
        raise type(doc).DoesNotExist(f"{type(doc).__name__} {doc.pk!r} is not in the store")
    if fields and doc._mask is not None:
        _merge(doc, found, fields)
        for name in fields:
            doc._forget(doc._schema.index(name))
        return
    if fields:
        for name in fields:
            at = doc._schema.index(name)
            doc._put(at, found._get(at))
        touched = {name: getattr(doc, name) for name in doc._touched() if name not in fields}
        doc._load(found._stored(), keep=True, trusted=True)
        doc._reloaded = True
        for name, value in touched.items():
            setattr(doc, name, value)
    else:
        doc._load(found._stored(), trusted=True)
    doc._mask = None
    doc._context = None


def fill(doc: Any) -> None:
    """Give a document of which only the key is known its fields."""
    context = doc._context
    found = load_reference(type(doc), doc.pk, context, doc)
    if found is None:
        raise type(doc).DoesNotExist(
            f"{type(doc).__name__} {doc.pk!r} is referred to but not in "
            f"{doc._get_collection_name()}"
        )
    if type(found) is type(doc):
        doc._share(found)
    else:
        doc._load(found._stored(), keep=True, trusted=True)


def fill_rest(doc: Any) -> None:
    """Load the fields that a projection left out."""
    field = doc._fields[doc._meta["id_field"]]
    key = field.to_python(stored_document(doc._stored()).get("_id"))  # it may have another by now
    found = find_one(type(doc), doc, key)
    if found is None:
        raise type(doc).DoesNotExist(f"{type(doc).__name__} {key!r} is no longer in the store")
    _merge(doc, found, [])


def fill_field(doc: Any, at: int) -> None:
    """Load a field that a projection left out, in one query for the documents of the batch."""
    batch = doc._context
    name = list(doc._fields.values())[at].db_field
    keys = [] if batch is None else batch.lacking(name)
    if len(keys) < 2:
        fill_rest(doc)
        return
    for start in range(0, len(keys), _KEYS_AT_ONCE):
        wanted = doc._qs().clear_cls_query().clear_order().only(list(doc._fields)[at])
        wanted = wanted.raw({"_id": {"$in": keys[start : start + _KEYS_AT_ONCE]}})
        for data in wanted._replies():
            batch.fill(name, data)
    if doc._mask is not None and not doc._mask[at]:
        fill_rest(doc)  # it has another key by now, or is gone, which is told


def complete(doc: Any) -> None:
    """Load what is not loaded yet, before the document goes elsewhere."""
    if doc._hollow:
        doc._fetch()
    if doc._mask is not None:
        fill_rest(doc)


def _merge(doc: Any, found: Any, fields: list[str]) -> None:
    """Add what was not loaded and replace `fields`; others that were loaded stay as they were."""
    replaced = {doc._fields[name].db_field for name in fields}
    doc._merge(found._stored(), tuple(name.encode() for name in replaced))
    names = [field.db_field for field in doc._fields.values()]
    levels = bytes(
        2 if level == 2 and name not in replaced else 1
        for name, level in zip(names, doc._mask, strict=False)
    )
    kept = 2 in levels or (doc._dynamic and len(doc._mask) > len(names))
    doc._mask = levels + doc._mask[len(names) :] if kept else None
