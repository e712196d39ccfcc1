# SPDX-License-Identifier: Apache-2.0
"""Documents that containers refer to, fetched when the container is read.

Containers whose items have no field of their own hold references to any class: as DBRefs, and as
`{_cls, _ref: DBRef}`.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

from bson import DBRef

from mongodb import _persist, _registry
from mongodb.errors import NotRegistered, ValidationError
from mongodb.fields.references import ReferenceField

__all__ = ["fetch_inside", "fetch_related", "refers", "unfetched", "untyped"]


def refers(field: Any) -> bool:
    """Whether it is a reference, or holds some."""
    return bool(_innermost(field).kind in ("reference", "pointer"))


def untyped(field: Any) -> bool:
    """Whether it holds what its declaration does not name."""
    return _innermost(field).kind in ("list", "dict", "dynamic")


def _innermost(field: Any) -> Any:
    while field._item is not None:
        field = field._item
    return field


def fetch_inside(field: Any, value: Any, document: Any = None) -> None:
    """Fetch what a container refers to, one query for each class.

    Beside it, what the batch's other documents refer to is fetched. A reference whose document is
    gone becomes a DBRef; in a container without a field it stays as it is.
    """
    _fetch(_places(_innermost(field), value, document))


def fetch_related(documents: Iterable[Any]) -> None:
    """Fetch what containers of these documents refer to, one query for each class."""
    places: list[Any] = []
    for document in documents:
        for at, field in enumerate(document._fields.values()):
            if field._item is None and field.kind not in ("list", "dict", "embedded"):
                continue
            if field.kind == "embedded" or _innermost(field).kind == "embedded":
                parts = [one for one in _persist.documents_in(document._get(at)) if one is not None]
                fetch_related(one for one in parts if one._schema_embedded)
            elif refers(field) or untyped(field):
                places += _places(_innermost(field), document._get(at), document)
    _fetch(places)


def _fetch(places: Iterable[Any]) -> None:
    waiting: dict[tuple[Any, int], list[Any]] = {}
    for place in places:
        one = place[2]
        waiting.setdefault((type(one), id(one._context)), []).append(place)
    for (cls, _), found_at in waiting.items():
        known = _found(cls, found_at[0][2]._context, [one.pk for _, _, one, *_ in found_at])
        for place, key, one, inner, raw in found_at:
            found = known.get(one.pk)
            if found is not None:
                if type(found) is cls:
                    one._share(found)
                else:
                    place[key] = found
                if raw is not None:
                    place[key].__dict__["_stored_as"] = raw
            elif raw is not None:
                place[key] = raw
            elif isinstance(inner, ReferenceField):
                place[key] = unfetched(inner, one)


def unfetched(field: Any, document: Any) -> Any:
    """Return the DBRef of a document; as it is stored, where a DBRef is."""
    return field.to_mongo(document) if field.dbref else document.to_dbref()


def _places(inner: Any, value: Any, document: Any) -> list[Any]:
    """Return (container, key, document of which only the key is known, field, stored form)."""
    if not isinstance(value, (dict, list)):
        return []
    if inner.kind in ("list", "dict", "dynamic"):
        stored = None if document is None else document._stored()
        if stored is not None and b"$ref" not in stored:
            return []  # nothing in it refers to anything
        return [(*place, inner, raw) for *place, raw in _anything(value)]
    return [(*place, inner, None) for place in _hollow(value)]


def _hollow(value: Any) -> Iterator[tuple[Any, Any, Any]]:
    items = value.items() if isinstance(value, dict) else enumerate(value)
    for key, one in items:
        if isinstance(one, (dict, list)):
            yield from _hollow(one)
        elif getattr(one, "_hollow", False):
            yield value, key, one


def _anything(value: Any) -> Iterator[tuple[Any, Any, Any, Any]]:
    items = value.items() if isinstance(value, dict) else enumerate(value)
    for key, one in list(items):
        made = reference(one)
        if made is not None:
            value[key] = made
            yield value, key, made, one
        elif isinstance(one, (dict, list)):
            yield from _anything(one)


def reference(value: Any) -> Any:
    """Return the document, of which only the key is known, that a stored value refers to."""
    name = None
    if isinstance(value, dict) and isinstance(value.get("_ref"), DBRef) and "_cls" in value:
        name, value = value["_cls"], value["_ref"]
    if not isinstance(value, DBRef):
        return None
    try:
        cls = _class_of(name or value._DBRef__kwargs.get("_cls"), value.collection)
    except NotRegistered:
        return None
    if cls is None:
        return None
    field = cls._fields[cls._meta["id_field"]]
    key = field.to_python(value.id)
    try:
        field.validate(key)
    except ValidationError:
        return None
    return cls._hollow_document(key)


def _class_of(name: str | None, collection: str) -> Any:
    if name is not None:
        return _registry.document_class(name)
    return _registry.class_of_collection(collection)


def _found(cls: Any, context: Any, keys: list[Any]) -> dict[Any, Any]:
    if context is None:
        return {one.pk: one for one in cls._queryset().filter(pk__in=keys)}
    paths = _persist.reference_paths(context.schema.owner, cls)
    _persist.load_references(cls, [context], paths, keys)
    return {key: context.refs.get((cls, key)) for key in keys}
