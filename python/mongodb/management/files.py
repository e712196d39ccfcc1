# SPDX-License-Identifier: Apache-2.0
"""Documents in files as mongodump writes them and mongorestore reads them.

Each collection is `FOLDER/DATABASE/COLLECTION.bson`, documents one behind another, beside
`COLLECTION.metadata.json` with its options and indexes.
"""

from __future__ import annotations

import os
import pathlib
from collections.abc import Iterable, Iterator
from typing import Any

from bson import json_util
from bson.errors import InvalidId

from mongodb import _core, _registry
from mongodb.connection import get_connection_handle
from mongodb.errors import BulkWriteError, MongoError, OperationError
from mongodb.fields.base_field import BaseField
from mongodb.fields.files import FileField
from mongodb.fields.sequence import SequenceField
from mongodb.management.indexes import Place

__all__ = ["beside", "dump", "load", "stored_in"]

# What the command takes that makes a collection, and says nothing of the collection.
_NO_OPTIONS = frozenset(
    "create lsid txnNumber autocommit startTransaction writeConcern readConcern maxTimeMS".split()
)
_BYTES, _NUMBER = 16_000_000, 10_000  # of one insert


def dump(place: Place, folder: pathlib.Path) -> tuple[pathlib.Path, int]:
    """Write a collection; return its file and how many documents it has.

    The file has its name when it is whole. Errors: OSError, those of the connection.
    """
    handle = get_connection_handle(place.alias)
    name = place.collection.replace("%", "%25").replace("/", "%2F")  # as mongodump does
    target = folder / handle.name / f"{name}.bson"
    target.parent.mkdir(parents=True, exist_ok=True)
    part = target.with_suffix(".bson.part")
    number = 0
    try:
        with part.open("wb") as file:
            for batch in handle.batches({"find": place.collection, "sort": {"_id": 1}}):
                file.write(batch.documents())
                number += len(batch)
            file.flush()
            os.fsync(file.fileno())
        about = {
            "options": handle.collection_options(place.collection) or {},
            "indexes": handle.list_indexes(place.collection),
            "collectionName": place.collection,
            "type": "collection",
        }
        options = json_util.CANONICAL_JSON_OPTIONS
        target.with_suffix(".metadata.json").write_text(
            json_util.dumps(about, json_options=options)
        )
        part.replace(target)
    finally:
        part.unlink(missing_ok=True)
    return target, number


def beside(place: Place) -> list[Place]:
    """Return the collections that documents of a collection need: GridFS files, counters."""
    names: set[tuple[str, str]] = set()
    for field in _fields_of(place.classes):
        if isinstance(field, FileField):
            for kind in ("files", "chunks"):
                names.add((field.db_alias, f"{field.collection_name}.{kind}"))
        elif isinstance(field, SequenceField):
            names.add((field.db_alias or place.alias, field.collection_name))
    return [
        Place(alias, name, ())
        for alias, name in sorted(names)
        if get_connection_handle(alias).collection_options(name) is not None
    ]


def _fields_of(classes: Iterable[Any]) -> Iterator[BaseField]:
    """Yield the fields of classes, of what they embed, and of the items of lists and maps."""
    left, seen = list(classes), set()
    while left:
        cls = left.pop()
        if cls in seen:
            continue
        seen.add(cls)
        for field in cls._fields.values():
            while field is not None:
                yield field
                if field.kind == "embedded":
                    left.append(field.document_type)
                field = field._item


def stored_in(folder: pathlib.Path, database: str) -> list[pathlib.Path]:
    """Return the files of a folder that dump() or mongodump wrote for a database."""
    inside = folder / database
    return sorted((inside if inside.is_dir() else folder).glob("*.bson"))


def load(alias: str, file: pathlib.Path, replace: bool = False) -> tuple[int, int]:
    """Insert a file's documents; return how many are new and how many were there.

    With `replace` a document that is there becomes the file's; without it is left alone. Counters
    of sequences take the higher number either way. The collection and its indexes are made as the
    file beside it says, if it is there.
    Errors: OperationError names the file, and the byte of what is no document.
    """
    handle = get_connection_handle(alias)
    about = file.with_suffix(".metadata.json")
    collection = file.stem
    if about.exists():
        described = _described(about)
        collection = described.get("collectionName", collection)
        _make(handle, collection, described)
    counters = collection in _counters()
    new = there = 0
    for documents in _parts(file):
        if counters:
            made = _raise_counters(handle, collection, documents)
        elif replace:
            updates = [{"q": {"_id": _key(raw, file)}, "u": raw, "upsert": True}
                       for raw in documents]  # fmt: skip
            reply = handle.run({"update": collection, "updates": updates})
            if reply.get("writeErrors"):
                raise OperationError(f"{file}: {reply['writeErrors'][0]['errmsg']}")
            made = len(reply.get("upserted", ()))
        else:
            made = _insert(handle, collection, documents, file)
        new, there = new + made, there + len(documents) - made
    return new, there


def _described(about: pathlib.Path) -> dict[str, Any]:
    """Return what a metadata file says, in the types it has to have."""
    try:
        described = json_util.loads(about.read_text())
    except (ValueError, TypeError, RecursionError, InvalidId) as error:
        raise OperationError(f"{about}: not what mongodump writes: {error}") from error
    options = described.get("options", {}) if isinstance(described, dict) else None
    indexes = described.get("indexes", []) if isinstance(described, dict) else None
    if (
        not isinstance(options, dict)
        or not isinstance(indexes, list)
        or not all(isinstance(one, dict) and isinstance(one.get("key"), dict) for one in indexes)
        or any(name in _NO_OPTIONS or name.startswith("$") for name in options)
    ):
        raise OperationError(
            f"{about}: expected an object with the options of a collection and a list of indexes"
        )
    return described


def _key(document: Any, file: pathlib.Path) -> Any:
    found = document.decode()
    if "_id" not in found:
        raise OperationError(f"{file}: a document without _id replaces none")
    return found["_id"]


def _make(handle: Any, collection: str, described: dict[str, Any]) -> None:
    if handle.collection_options(collection) is None:
        try:
            handle.create(collection, described.get("options", {}))
        except MongoError as error:
            if error.code != 48:  # NamespaceExists: somebody was faster
                raise
    specs = [{k: v for k, v in one.items() if k != "ns"} for one in described.get("indexes", ())]
    specs = [one for one in specs if list(one["key"]) != ["_id"]]
    if specs:
        handle.create_indexes(collection, specs)


def _counters() -> set[str]:
    """Return the names of the collections that sequences count in."""
    classes = [*_registry.collection_classes(), *_registry.embedded_classes()]
    fields = (field for field in _fields_of(classes) if isinstance(field, SequenceField))
    return {SequenceField.COLLECTION_NAME, *(field.collection_name for field in fields)}


def _raise_counters(handle: Any, collection: str, documents: list[Any]) -> int:
    """Take over counters that are higher: a lower one would give a number out again."""
    found = [one.decode() for one in documents]
    updates = [{"q": {"_id": one.pop("_id")}, "u": {"$max": one}, "upsert": True}
               for one in found if one.keys() > {"_id"}]  # fmt: skip
    reply = handle.bulk_update(collection, updates) if updates else {}
    return len(reply.get("upserted", ()))


def _insert(handle: Any, collection: str, documents: list[Any], file: pathlib.Path) -> int:
    """Insert what is not there; return how many that was."""
    reply = handle.run({"insert": collection, "documents": documents, "ordered": False})
    for error in reply.get("writeErrors", ()):
        if error["code"] != 11000 or list(error.get("keyPattern", ())) != ["_id"]:
            raise BulkWriteError(f"{file}: {error['errmsg']}", code=error["code"], details=reply)
    return int(reply["n"])


def _parts(file: pathlib.Path) -> Iterator[list[Any]]:
    """Yield the documents in lists that fit a command."""
    documents: list[Any] = []
    size = at = 0
    with file.open("rb") as source:
        while head := source.read(4):
            length = int.from_bytes(head, "little")
            raw = head + source.read(max(0, length - 4)) if length <= 2 * _BYTES else b""
            try:
                if len(raw) != length or length < 5:
                    raise ValueError("the file ends within it" if raw else "no BSON document")
                document = _core.Raw(raw)
            except (ValueError, MongoError) as error:
                raise OperationError(f"{file}: byte {at}: {error}") from error
            if documents and (size + length > _BYTES or len(documents) == _NUMBER):
                yield documents
                documents, size = [], 0
            documents.append(document)
            size, at = size + length, at + length
    if documents:
        yield documents
