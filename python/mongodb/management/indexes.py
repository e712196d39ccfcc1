# SPDX-License-Identifier: Apache-2.0
"""The indexes that document classes declare beside those that their collections have."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any, NamedTuple

from mongodb._indexes import declared_indexes, is_pending, same_keys, stored_keys
from mongodb.connection import get_connection_handle

__all__ = ["Comparison", "Place", "compare", "conflicts", "places"]

# What listIndexes says beside what was asked for, and what changes nothing in what is indexed.
_SAID = frozenset({"v", "key", "name", "ns", "background", "textIndexVersion", "weights",
                   "2dsphereIndexVersion", "default_language", "language_override"})  # fmt: skip


class Place(NamedTuple):
    """A collection and the classes whose documents are in it."""

    alias: str
    collection: str
    classes: tuple[Any, ...]

    def declared(self) -> list[tuple[Any, dict[str, Any]]]:
        """Return (class, specification) of each index; one that several declare alike, once."""
        found: list[tuple[Any, dict[str, Any]]] = []
        for cls in self.classes:
            if cls._meta.get("auto_create_index", True):
                found += [(cls, spec) for spec in declared_indexes(cls)
                          if not any(spec == other for _, other in found)]  # fmt: skip
        return found


class Comparison(NamedTuple):
    """Indexes of one collection, as specifications of createIndexes or of listIndexes."""

    there: list[dict[str, Any]]
    missing: list[tuple[Any, dict[str, Any]]]  # with the class that declares it
    pending: list[dict[str, Any]]  # those that the embedded engine cannot make
    different: list[tuple[dict[str, Any], dict[str, Any]]]  # declared, stored
    extra: list[dict[str, Any]]

    @property
    def same(self) -> bool:
        """Whether the collection has what is declared and nothing else."""
        return not (self.missing or self.different or self.extra)


def places(classes: Iterable[Any]) -> list[Place]:
    """Return where the documents of classes are, in the order of the names."""
    found: dict[tuple[str, str], list[Any]] = {}
    for cls in classes:
        name = None if cls._abstract else cls._get_collection_name()
        if isinstance(name, str):
            found.setdefault((cls._alias(), name), []).append(cls)
    return [Place(*key, tuple(found[key])) for key in sorted(found)]


def compare(place: Place) -> Comparison:
    """Ask the store; nothing is made. Errors: those of the connection."""
    handle = get_connection_handle(place.alias)
    stored = [one for one in handle.list_indexes(place.collection) if list(one["key"]) != ["_id"]]
    result = Comparison([], [], [], [], [])
    left = list(stored)
    for cls, spec in place.declared():
        twin = next((one for one in stored if _same_keys(spec, one)), None)
        if twin is None:
            if handle.embedded and is_pending(spec):
                result.pending.append(spec)
            else:
                result.missing.append((cls, spec))
            continue
        if twin in left:
            left.remove(twin)
        if _options(spec) == _options(twin):
            result.there.append(spec)
        else:
            result.different.append((spec, twin))
    result.extra.extend(left)
    return result


def conflicts(place: Place) -> Iterator[tuple[Any, Any, dict[str, Any], dict[str, Any]]]:
    """Yield pairs of classes and of their indexes that no collection can have together."""
    declared = place.declared()
    for at, (cls, spec) in enumerate(declared):
        for other, twin in declared[:at]:
            alike, named = _same_keys(spec, twin), spec["name"] == twin["name"]
            if named and (not alike or _options(spec) != _options(twin)):
                yield other, cls, twin, spec


def _same_keys(spec: dict[str, Any], stored: dict[str, Any]) -> bool:
    return same_keys(list(spec["key"].items()), stored_keys(stored))


def _options(spec: dict[str, Any]) -> dict[str, Any]:
    """Return what matters; an option that is off is as one that is not given."""
    return {k: v for k, v in spec.items() if k not in _SAID and v not in (False, None)}
