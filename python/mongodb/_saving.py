# SPDX-License-Identifier: Apache-2.0
"""How documents are saved: inserts, changes, versions, and what they refer to."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from bson.raw_bson import RawBSONDocument

from mongodb import _core, _registry
from mongodb._cached import sync, watchers
from mongodb._fetching import complete
from mongodb._identity import own_filter
from mongodb._rollback import note
from mongodb._stamps import stamp
from mongodb.errors import (
    MongoError,
    OperationError,
    SaveConditionError,
    StaleDocumentError,
)
from mongodb.signals import post_save, pre_save, pre_save_post_validation

__all__ = [
    "cascade_save",
    "concern_of",
    "documents_in",
    "forget_stored",
    "partly_inserted",
    "save",
    "stamp_all",
    "take_back_keys",
    "validate_all",
]


_CASCADING = frozenset("cascade clean force_insert signal_kwargs validate write_concern".split())
_CONCERN = frozenset({"w", "j", "wtimeout", "fsync"})


def concern_of(given: Mapping[str, Any]) -> Any:
    """Return the write concern that keywords name: `write_concern=` or its parts."""
    unknown = given.keys() - _CONCERN - {"write_concern"}
    if unknown:
        raise TypeError(f"delete() has no argument {', '.join(sorted(unknown))}")
    parts = {key: value for key, value in given.items() if key in _CONCERN}
    return {**(given.get("write_concern") or {}), **parts}


def save(doc: Any, *, force_insert: bool, validate: bool, clean: bool, write_concern: Any,
         cascade: bool | None, cascade_kwargs: Any, seen: Any, save_condition: Any,
         signal_kwargs: dict[str, Any]) -> Any:  # fmt: skip
    """Insert or update; see Document.save."""
    cls = type(doc)
    if doc._hollow and not (save_condition or force_insert):
        return doc  # nothing of it was read, so nothing can have changed
    pre_save.send(cls, document=doc, **signal_kwargs)
    created = force_insert or _is_new(doc)
    record = note(doc)
    stamp(doc, created, record)
    if validate:
        doc._validate(clean, everything=created)
        created = force_insert or _is_new(doc)  # clean() may have given it another key
    pre_save_post_validation.send(cls, document=doc, created=created, **signal_kwargs)
    unknown = set(cascade_kwargs or ()) - _CASCADING
    if unknown:
        raise TypeError(f"cascade_kwargs takes {', '.join(sorted(_CASCADING))}, not {unknown}")
    wanted = cls._meta.get("cascade") if cascade is None else cascade
    if wanted or (cascade is None and cascade_kwargs):
        options = {"force_insert": force_insert, "validate": validate, "clean": clean,
                   "write_concern": write_concern, **dict(cascade_kwargs or {})}  # fmt: skip
        cascade_save(doc, seen or set(), options)
    handle, collection = doc._home()
    copies = [] if created else watchers(cls)
    told = post_save.has_receivers_for(cls)
    names = doc._unsaved_fields() if copies or told else []
    changed = {path.split(".")[0] for path in names} if copies else set()
    if created:
        if save_condition is not None:
            raise OperationError("save_condition is for documents that are in the store already")
        _insert(doc, handle, collection, force_insert, write_concern, record)
    else:
        created = _update(doc, handle, collection, save_condition, write_concern, record)
    if changed:
        sync(doc, copies, changed)
    if told:
        _tell(doc, created, names, signal_kwargs)
    return doc


def _tell(doc: Any, created: bool, saved: list[str], signal_kwargs: dict[str, Any]) -> None:
    """Send post_save; meanwhile the document names the fields that were saved."""
    before = doc.__dict__.get("_saved_fields")
    doc.__dict__["_saved_fields"] = saved
    try:
        post_save.send(type(doc), document=doc, created=created, **signal_kwargs)
    finally:
        if before is None:
            doc.__dict__.pop("_saved_fields", None)
        else:
            doc.__dict__["_saved_fields"] = before


def stamp_all(docs: list[Any]) -> list[Any]:
    """Set what documents about to be inserted get by themselves. Return those that got a key."""
    cls: Any = None
    keyed = []
    for doc in docs:
        if type(doc) is not cls:
            cls = type(doc)
            key = cls._meta["id_field"]
            made = cls._fields[key].auto_created
        record = note(doc)
        stamp(doc, True, record)
        if made and getattr(doc, key) is None:
            setattr(doc, key, _core.object_id())
            if record is not None:
                record.give(doc._schema.index(key), getattr(doc, key))
            keyed.append(doc)
    return keyed


def partly_inserted(docs: list[Any], error: MongoError, ordered: bool) -> None:
    """Take those documents as stored that an insert stored before or beside the refused ones."""
    refused = {one["index"] for one in error.details.get("writeErrors") or ()}
    if not refused and "writeConcernError" not in error.details:
        return
    end = min(refused) if ordered and refused else len(docs)
    for at, doc in enumerate(docs[:end]):
        if at not in refused:
            doc._load(doc._encode(), keep=True, trusted=True)
            doc._mask = None


def take_back_keys(docs: list[Any]) -> None:
    """Take the key that was made for an insert from the documents that were not inserted."""
    for doc in docs:
        if doc._created:
            doc.pk = None


def validate_all(docs: list[Any]) -> None:
    """Validate new documents; one that C finds nothing suspicious in is done."""
    cls: Any = None
    for doc in docs:
        if type(doc) is not cls:
            cls = type(doc)
            plain = cls.clean is cls._plain_clean and not cls._cleans_inside()
        if not plain or doc._suspects(True):
            doc._validate(True, everything=True)


def _is_new(doc: Any) -> bool:
    """Whether saving inserts: also a stored document that was given another key, or none."""
    return bool(doc._created or doc.pk is None or (doc._stored() is not None and doc._moved()))


def _insert(doc: Any, handle: Any, collection: str, force: bool, concern: Any,
            record: Any) -> None:  # fmt: skip
    cls = type(doc)
    name = cls._meta["id_field"]
    field = cls._fields[name]
    given = doc.pk is not None
    # A key of one's own names the document: saving such a one again replaces it, as in MongoEngine.
    # One with a version replaces only what it has read, which is nothing.
    keyed = cls._version is None and (not field.auto_created or cls._keys_name_documents)
    again = cls._keys_name_documents and doc._created  # switched to another collection
    replaces = given and not force and keyed and (doc._stored() is None or again)
    if doc._stored() is not None:
        complete(doc)
    if not given and field.kind == "objectid":
        doc.pk = _core.object_id()
        if record is not None:
            record.give(doc._schema.index(name), doc.pk)
    elif field.kind == "objectid" and isinstance(doc.pk, str):
        doc.pk = field.to_python(doc.pk)  # equal to the one that is read back
    try:
        data = doc._encode()
        if replaces:
            handle.update(collection, {"q": own_filter(doc), "u": doc._replacement(data),
                                       "upsert": True}, concern)  # fmt: skip
        else:
            handle.insert(collection, [RawBSONDocument(data)], concern)
    except BaseException:
        if not given:
            doc.pk = None
        raise
    doc._load(data, keep=True, trusted=True)
    doc._mask = None


def _update(doc: Any, handle: Any, collection: str, condition: Any, concern: Any,
            record: Any) -> bool:  # fmt: skip
    """Send the changes. Return whether the document had to be inserted again."""
    version = type(doc)._version
    if version is not None and doc._changes() is not None:
        _update_version(doc, handle, collection, version, condition, concern, record)
        return False
    changes = doc._changes()
    if changes is None and condition is None:
        return False
    query = own_filter(doc)
    if condition is not None:
        query = {"$and": [query, doc._qs().filter(**condition)._matching()]}
    if changes is None:
        found = handle.count(collection, query)
    else:
        update = {"q": query, "u": RawBSONDocument(changes)}
        told = (concern or {}).get("w") != 0  # else nobody says whether it was there
        reply = handle.update(collection, update, concern)
        found = reply["n"] if told else 1
    if not found and condition is not None:
        raise SaveConditionError("the document in the store does not match save_condition")
    if not found:
        if doc._mask is not None:
            raise type(doc).DoesNotExist(
                f"{type(doc).__name__} {doc.pk!r} is no longer in the store, and only part of it "
                "was loaded"
            )
        data = doc._encode()
        handle.insert(collection, [RawBSONDocument(data)], concern)
    else:
        data = doc._encode()
    doc._load(data, keep=True, trusted=True)
    return not found


def _update_version(doc: Any, handle: Any, collection: str, version: str, condition: Any,
                    concern: Any, record: Any) -> None:  # fmt: skip
    """Send the changes to the version that the document has, and count it."""
    if doc._mask is not None and not doc._mask[list(doc._fields).index(version)]:
        raise OperationError(
            f"{type(doc).__name__} {doc.pk!r} was loaded without its version: reload() it"
        )
    before = getattr(doc, version)
    stored_name = type(doc)._db_field_map[version]
    query = {**own_filter(doc), stored_name: before}
    if condition is not None:
        query = {"$and": [query, doc._qs().filter(**condition)._matching()]}
    setattr(doc, version, (before or 0) + 1)
    if record is not None:
        at = doc._schema.index(version)
        record.give(at, doc._get(at))
    try:
        found = (
            doc._changes()
        )  # None: all that was assigned, the next version too, is what was read
        changes = {"$set": {stored_name: getattr(doc, version)}}
        update = {"q": query, "u": changes if found is None else RawBSONDocument(found)}
        reply = handle.update(collection, update, concern)
        if not reply.get("n", 1):  # not told with w: 0
            raise StaleDocumentError(_stale(doc, handle, collection, before, condition))
    except BaseException:
        setattr(doc, version, before)
        raise
    doc._load(doc._encode(), keep=True, trusted=True)


def _stale(doc: Any, handle: Any, collection: str, before: Any, condition: Any) -> str:
    name = f"{type(doc).__name__} {doc.pk!r}"
    if not handle.count(collection, own_filter(doc)):
        return f"{name} is no longer in the store"
    also = ", or does not match save_condition" if condition is not None else ""
    return f"{name} was changed since version {before} was read{also}: reload() and do it again"


def cascade_save(doc: Any, seen: set[Any], options: dict[str, Any]) -> None:
    """Save referenced documents that were read and changed."""
    seen.add(id(doc))
    for at in range(len(doc._fields)):
        for one in documents_in(doc._get(at)):  # what was not read cannot have changed
            if not one._schema_embedded and id(one) not in seen and not one._hollow:
                if one._created or one._changes() is not None:
                    one.save(**{**options, "_refs": seen, "cascade": True})


def documents_in(value: Any) -> Iterator[Any]:
    """Yield the documents in a field's value."""
    if _registry.is_document(value):
        yield value
    elif isinstance(value, Mapping):
        for one in value.values():
            yield from documents_in(one)
    elif isinstance(value, (list, tuple)):
        for one in value:
            yield from documents_in(one)


def forget_stored(doc: Any) -> None:
    """Make the next save an insert of the whole document."""
    fresh = type(doc)._restore({**doc._snapshot(), "stored": None, "created": True})
    for at, name in enumerate(type(doc)._fields):
        if name != doc._meta["id_field"]:
            doc._set(at, fresh._get(at))
    doc._created = True


# Reading
