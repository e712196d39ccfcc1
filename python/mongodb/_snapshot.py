# SPDX-License-Identifier: Apache-2.0
"""All documents of a test's database, and the way back to them."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from bson.raw_bson import RawBSONDocument

from mongodb._open_transactions import current_transaction
from mongodb.errors import MongoError

__all__ = ["Snapshot"]

_BATCH = 16 * 2**20  # bytes of one insert


class Snapshot:
    """The documents of every collection as they were; indexes are not part of it."""

    def __init__(self, handle: Any) -> None:
        self._hashes = _hashes(handle)
        there = _collections(handle)
        self._views = {name for name, kind, _ in there if kind == "view"}
        self.collections = {
            name: _documents(handle, name) for name, kind, _ in there if kind != "view"
        }

    def restore(self, handle: Any) -> None:
        """Bring the database back to these documents; collections that did not change are left."""
        hashes = _hashes(handle)
        if hashes is not None and hashes == self._hashes:
            return
        there = {name: (kind, options) for name, kind, options in _collections(handle)}
        for name in there.keys() | self.collections.keys():
            kind, options = there.get(name, ("collection", {}))
            if kind == "view":
                if name not in self._views:
                    _drop(handle, name)
                continue
            if hashes is not None and self._hashes is not None:
                same = hashes.get(name) == self._hashes.get(name)
                if same and name in there:
                    continue
            self._bring_back(handle, name, options if name in there else None)

    def _bring_back(self, handle: Any, name: str, options: dict[str, Any] | None) -> None:
        wanted = self.collections.get(name, [])
        present = [] if options is None else _documents(handle, name)
        if present == wanted:
            return
        if present and options and (options.get("capped") or "timeseries" in options):
            _drop(handle, name)
            handle.client.run(handle.name, {"create": name, **options})
        elif present:
            command = {"delete": name, "deletes": [{"q": {}, "limit": 0}]}
            handle.client.run(handle.name, command)
        for chunk in _chunks(wanted):
            documents = [RawBSONDocument(one) for one in chunk]
            handle.client.run(handle.name, {"insert": name, "documents": documents})


def _collections(handle: Any) -> list[tuple[str, str, dict[str, Any]]]:
    cursor = handle.client.cursor(handle.name, {"listCollections": 1})
    return [
        (one["name"], one.get("type", "collection"), one.get("options", {}))
        for one in cursor
        if not one["name"].startswith("system.")
    ]


def _documents(handle: Any, name: str) -> list[bytes]:
    found: list[bytes] = []
    cursor = handle.client.cursor(handle.name, {"find": name})
    for batch in cursor.raw_batches():
        array = RawBSONDocument(bytes(memoryview(batch)))
        found += [bytes(one.raw) for one in array.values()]
    return found


def _chunks(documents: list[bytes]) -> Iterator[list[bytes]]:
    chunk: list[bytes] = []
    size = 0
    for one in documents:
        if chunk and (size + len(one) > _BATCH or len(chunk) == 10_000):
            yield chunk
            chunk, size = [], 0
        chunk.append(one)
        size += len(one)
    if chunk:
        yield chunk


def _drop(handle: Any, name: str) -> None:
    handle.client.run(handle.name, {"drop": name})
    handle.ready = {key for key in handle.ready if key[1] != name}


def _hashes(handle: Any) -> dict[str, str] | None:
    """Return a server's hash of each collection; None where it is not to be had."""
    if handle.embedded or current_transaction(handle) is not None:  # dbHash would wait for its end
        return None
    try:
        return handle.client.run(handle.name, {"dbHash": 1})["collections"]  # type: ignore[no-any-return]
    except MongoError:
        return None
