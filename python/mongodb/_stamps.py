# SPDX-License-Identifier: Apache-2.0
"""What saving sets by itself: times and counters, of documents and of those inside them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import bson
from bson.raw_bson import RawBSONDocument

from mongodb import _registry
from mongodb._inside import holders

__all__ = ["stamp"]

_RAW: Any = bson.CodecOptions(document_class=RawBSONDocument)


def stamp(doc: Any, created: bool, record: Any = None) -> None:
    """Set auto_now, auto_now_add and sequences; `record` notes what was set for a rollback.

    An embedded document gets its times when it is new or differs from what is stored.
    """
    for at, _, value in _due(doc, created):
        setattr(doc, doc._fields_ordered[at], value)
        if record is not None:
            record.give(at, doc._get(at))
    places = _holders(type(doc))
    if places:
        for name in places if created else places.intersection(doc._touched()):
            _stamp_inner(doc, name, record)


def _due(doc: Any, created: bool) -> Iterator[tuple[int, Any, Any]]:
    """Yield position, present value and new value of the fields to set."""
    cls = type(doc)
    for name in cls._auto_now:
        yield cls._schema.index(name), getattr(doc, name), cls._fields[name].now()
    if created:
        if cls._version is not None:
            yield cls._schema.index(cls._version), getattr(doc, cls._version), 1
        for name in cls._auto_now_add:
            if getattr(doc, name) is None:
                yield cls._schema.index(name), None, cls._fields[name].now()
        for name in cls._generated:
            if getattr(doc, name) is None:
                yield cls._schema.index(name), None, cls._fields[name].generate()


def _stamp_inner(doc: Any, name: str, record: Any) -> None:
    stored = doc._stored()
    known: set[bytes] = set()
    if stored is not None:
        _collect(bson.decode(stored, _RAW).get(doc._fields[name].db_field), known)
    for one in _embedded_in(getattr(doc, name)):
        if _is_known(one, known):
            continue
        for at, before, value in list(_due(one, True)):
            one._set(at, value)
            if record is not None:
                record.give_inner(one, at, before, one._get(at))


def _collect(value: Any, known: set[bytes]) -> None:
    """Gather the bytes of all documents in a stored value, with and without their class."""
    if isinstance(value, RawBSONDocument):
        known.add(bytes(value.raw))
        if "_cls" in value:
            known.add(bson.encode({k: v for k, v in value.items() if k != "_cls"}))
        value = list(value.values())
    if isinstance(value, list):
        for one in value:
            _collect(one, known)


def _embedded_in(value: Any) -> list[Any]:
    """Return the embedded documents in a field's value, inner ones first.

    No recursion: what is nested too deeply, or holds itself, is the codec's to refuse.
    """
    found: list[Any] = []
    waiting = [value]
    seen: dict[int, Any] = {}
    while waiting:
        one = waiting.pop()
        if id(one) in seen:
            continue
        if _registry.is_document(one):
            seen[id(one)] = one
            if one._schema_embedded:
                found.append(one)
                waiting += [getattr(one, name) for name in _holders(type(one))]
        elif isinstance(one, (Mapping, list, tuple)):
            seen[id(one)] = one
            waiting += one.values() if isinstance(one, Mapping) else one
    return found[::-1]


def _is_known(one: Any, known: set[bytes]) -> bool:
    """Whether an embedded document is in the store as it is."""
    try:
        return bool(known) and one._encode() in known
    except ValueError:
        return False  # saving tells what is wrong, and where


def _holders(cls: Any) -> frozenset[str]:
    return holders(cls, _has_stamps, True)


def _has_stamps(cls: Any) -> bool:
    return bool(cls._auto_now or cls._auto_now_add or cls._generated)
