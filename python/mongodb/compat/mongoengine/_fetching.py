# SPDX-License-Identifier: Apache-2.0
"""Documents that containers refer to, fetched when the container is read.

Containers whose items have no field of their own hold references to any class: as DBRefs, and as
`{_cls, _ref: DBRef}`.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

from bson import DBRef

from mongodb import _references, _registry, _saving
from mongodb.errors import NotRegistered, ValidationError
from mongodb.fields.references import ReferenceField

__all__ = ["as_dbrefs", "fetch_inside", "fetch_related", "refers", "unfetched", "untyped"]


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
            if field.kind in ("reference", "pointer"):
                one = document._get(at)
                if getattr(one, "_hollow", False):
                    places.append((_Values(document), at, one, None, None))
            elif field._item is None and field.kind not in ("list", "dict", "dynamic", "embedded"):
                continue
            elif field.kind == "embedded" or _innermost(field).kind == "embedded":
                parts = [one for one in _saving.documents_in(document._get(at)) if one is not None]
                fetch_related(one for one in parts if one._schema_embedded)
            elif field.kind == "dynamic" and reference(document._get(at)) is not None:
                raw = document._get(at)
                places.append((_Values(document), at, reference(raw), None, raw))
            elif refers(field) or untyped(field):
                places += _places(_innermost(field), document._get(at), document)
    _fetch(places)


class _Values:
    """A document's values as a container."""

    def __init__(self, document: Any) -> None:
        self.document = document

    def __setitem__(self, at: int, value: Any) -> None:
        self.document._put(at, value)


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
                    found = one
                if raw is not None:
                    found.__dict__["_stored_as"] = raw
                if found is not one or raw is not None:
                    place[key] = found
            elif raw is not None:
                place[key] = raw
            elif isinstance(inner, ReferenceField):
                place[key] = unfetched(inner, one)


def unfetched(field: Any, document: Any) -> Any:
    """Return the DBRef of a document; as it is stored, where a DBRef is."""
    return field.to_mongo(document) if field.dbref else document.to_dbref()


def as_dbrefs(field: Any, value: Any) -> Any:
    """Return a field's value with DBRefs for the documents that were not fetched."""
    inner = _innermost(field)
    if not isinstance(inner, ReferenceField):
        return value
    if isinstance(value, dict):
        return {key: as_dbrefs(inner, one) for key, one in value.items()}
    if isinstance(value, list):
        return [as_dbrefs(inner, one) for one in value]
    return unfetched(inner, value) if getattr(value, "_hollow", False) else value


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
    missing = [key for key in keys if (cls, key) not in context.refs]
    if missing:
        paths = _references.reference_paths(context.schema.owner, cls)
        _references.load_references(cls, [context], paths, missing)
    return {key: context.refs.get((cls, key)) for key in keys}
