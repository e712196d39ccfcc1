# SPDX-License-Identifier: Apache-2.0
"""Making the collections and indexes that Document classes declare, at their first use."""

from __future__ import annotations

import contextlib
import logging
from typing import Any

from mongodb import _registry
from mongodb._indexes import declared_indexes, index_name, is_pending
from mongodb._json_schema import make_validator
from mongodb._open_transactions import current_transaction
from mongodb.errors import InvalidCollectionError, MongoError

__all__ = ["INDEX_ERRORS", "make_indexes", "make_ready", "prepare_files", "prepare_known"]

_log = logging.getLogger("mongodb")

# CannotCreateIndex, IndexOptionsConflict, IndexKeySpecsConflict, CannotIndexParallelArrays,
# InvalidIndexSpecificationOption, DuplicateKey
INDEX_ERRORS = frozenset({67, 85, 86, 171, 197, 11000})


def make_ready(cls: Any, handle: Any) -> None:
    """Create the collection and indexes of a class, once per class and connection.

    A server's transaction reads from before whatever is created beside it (code 246). A class that
    is first used when the transaction has begun has its new collection created inside. The embedded
    store has one writer: there it is always inside.
    """
    key = (cls, cls._get_collection_name())
    _prepare(cls, handle, _inside(handle, key))
    handle.ready.add(key)


def _inside(handle: Any, key: Any) -> bool:
    """Whether a collection is made inside the transaction that is open here; note it if so."""
    transaction = current_transaction(handle)
    inside = transaction is not None and (
        handle.embedded
        or (transaction.begun and transaction.may_create)
        and handle.collection_options(key[1]) is None
    )
    if inside:
        transaction.levels.made(handle, key)
    return bool(inside)


def prepare_files(files: Any) -> None:
    """Create the indexes that GridFS wants, once per connection."""
    handle = files.handle
    for name, keys in (
        (files.files, {"filename": 1, "uploadDate": 1}),
        (files.chunks, {"files_id": 1, "n": 1}),
    ):
        key = ("gridfs", name)
        if key not in handle.ready:
            spec: dict[str, Any] = {"key": keys, "name": index_name(list(keys.items()))}
            if "n" in keys:
                spec["unique"] = True
            handle.create_indexes(name, [spec], inside=_inside(handle, key))
            handle.ready.add(key)


def prepare_known(handle: Any) -> None:
    """Bring the indexes of collections that exist up to date, before a transaction begins.

    What a class cannot have is told when the class is used.
    """
    if handle.prepared == _registry.generation():
        return
    handle.prepared = _registry.generation()
    waiting = [
        (cls, name)
        for cls in _registry.collection_classes()
        if isinstance(name := cls._get_collection_name(), str)
        and cls._alias() == handle.alias
        and (cls, name) not in handle.ready
    ]
    existing = handle.collection_names() if waiting else set()
    for cls, name in waiting:
        if name in existing:
            with contextlib.suppress(MongoError):
                _prepare(cls, handle, inside=False)
                handle.ready.add((cls, name))


def _prepare(cls: Any, handle: Any, inside: bool) -> None:
    meta, name = cls._meta, cls._get_collection_name()
    options = _options(cls)
    if options:
        _create(cls, handle, name, options)
    make_validator(cls, handle)
    if meta.get("auto_create_index", True):
        make_indexes(cls, handle, inside)


def make_indexes(cls: Any, handle: Any, inside: bool = False) -> None:
    """Create the declared indexes; those that the embedded engine has not yet are noted."""
    name, specs = cls._get_collection_name(), declared_indexes(cls)
    later = [spec for spec in specs if handle.embedded and is_pending(spec)]
    for spec in later:
        if (name, spec["name"]) not in handle.pending:
            _log.info("index %s of %s waits for a MongoDB server", spec["name"], name)
        handle.pending[(name, spec["name"])] = spec
    specs = [spec for spec in specs if spec not in later]
    if specs:
        handle.create_indexes(name, specs, inside=inside)


def _options(cls: Any) -> dict[str, Any]:
    """Return the options of `create` that the class declares."""
    meta = cls._meta
    options: dict[str, Any] = {}
    if meta.get("max_size") or meta.get("max_documents"):
        size = -(-(meta.get("max_size") or 10 * 2**20) // 256) * 256
        options |= {"capped": True, "size": size}
        if meta.get("max_documents"):
            options["max"] = meta["max_documents"]
    if meta.get("timeseries"):
        given = dict(meta["timeseries"])
        for key in ("timeField", "metaField"):
            if key in given:
                given[key] = cls._db_field_map.get(given[key], given[key])
        if "expireAfterSeconds" in given:  # MongoEngine has it here
            options["expireAfterSeconds"] = given.pop("expireAfterSeconds")
        options["timeseries"] = given
    if meta.get("expire_after_seconds") is not None:
        options["expireAfterSeconds"] = meta["expire_after_seconds"]
    return options


def _create(cls: Any, handle: Any, name: str, options: dict[str, Any]) -> None:
    existing = handle.collection_options(name)
    if existing is None:
        try:
            handle.create(name, options)
        except MongoError as error:
            if error.code != 48:  # NamespaceExists: somebody was faster
                raise
            existing = handle.collection_options(name)
    if existing is not None and not _within(options, existing):
        raise InvalidCollectionError(
            f"the collection {name} of {cls.__name__} exists with {existing or 'no options'}, the "
            f"class declares {options}: drop it or change the class's meta"
        )


def _within(wanted: Any, found: Any) -> bool:
    """Whether the store has what is wanted; it may have more, such as defaults."""
    if isinstance(wanted, dict):
        return isinstance(found, dict) and all(_within(wanted[k], found.get(k)) for k in wanted)
    return bool(wanted == found)
