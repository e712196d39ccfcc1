# SPDX-License-Identifier: Apache-2.0
"""Lists and dicts of references, whose documents are fetched when the container is read."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from mongodb import _persist
from mongodb.fields.references import ReferenceField

__all__ = ["fetch_inside", "unfetched"]


def fetch_inside(field: Any, value: Any) -> None:
    """Fetch what a container refers to, one query for each class.

    Beside it, what the batch's other documents refer to is fetched. A reference whose document is
    gone becomes a DBRef.
    """
    inner = field
    while inner._item is not None:
        inner = inner._item
    waiting: dict[tuple[Any, int], list[tuple[Any, Any, Any]]] = {}
    for place, key, one in _hollow(value):
        waiting.setdefault((type(one), id(one._context)), []).append((place, key, one))
    for (cls, _), places in waiting.items():
        known = _found(cls, places[0][2]._context, [one.pk for _, _, one in places])
        for place, key, one in places:
            found = known.get(one.pk)
            if found is not None:
                if type(found) is cls:
                    one._share(found)
                else:
                    place[key] = found
            elif isinstance(inner, ReferenceField):
                place[key] = unfetched(inner, one)


def unfetched(field: Any, document: Any) -> Any:
    """Return the DBRef of a document; as it is stored, where a DBRef is."""
    return field.to_mongo(document) if field.dbref else document.to_dbref()


def _hollow(value: Any) -> Iterator[tuple[Any, Any, Any]]:
    """Yield documents of which only the key is known, with their containers and places there."""
    items = value.items() if isinstance(value, dict) else enumerate(value)
    for key, one in items:
        if isinstance(one, (dict, list)):
            yield from _hollow(one)
        elif getattr(one, "_hollow", False):
            yield value, key, one


def _found(cls: Any, context: Any, keys: list[Any]) -> dict[Any, Any]:
    if context is None:
        return {one.pk: one for one in cls._queryset().filter(pk__in=keys)}
    paths = _persist.reference_paths(context.schema.owner, cls)
    _persist.load_references(cls, [context], paths, keys)
    return {key: context.refs.get((cls, key)) for key in keys}
