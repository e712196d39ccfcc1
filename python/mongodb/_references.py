# SPDX-License-Identifier: Apache-2.0
"""How documents that others refer to are fetched: those of a whole batch in one query."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from mongodb.errors import ValidationError

__all__ = ["find_one", "load_reference", "load_references", "reference_paths"]


def find_one(cls: Any, doc: Any, key: Any, beside: Mapping[str, Any] | None = None) -> Any:
    """Return the document with this key, from where `doc` is kept; None when there is none.

    `beside` are further lookups that it meets.
    """
    queryset = cls._queryset() if doc is None else doc._qs()
    batch = next(queryset.filter(**{**(beside or {}), "pk": key}).limit(1)._batches(), None)
    return queryset._made(batch)[0] if batch is not None and len(batch) else None


def load_reference(cls: Any, key: Any, context: Any, doc: Any = None) -> Any:
    """Return the document a reference points to; with a batch, those of all its documents."""
    if context is None:
        return find_one(cls, doc, key)
    refs = context.refs
    place = (cls, key)
    if place not in refs:
        load_references(cls, [context], reference_paths(context.schema.owner, cls), [key])
    return refs.get(place)


def load_references(
    cls: Any, batches: list[Any], paths: list[str], also: Sequence[Any] = ()
) -> list[Any]:
    """Fetch in one query what the batches refer to at these paths."""
    field = cls._fields[cls._meta["id_field"]]
    wanted: dict[Any, None] = dict.fromkeys(also)
    for batch in batches:
        for path in paths:
            for raw in batch.collect(path):
                try:
                    key = field.to_python(raw)
                    if path.endswith("._ref"):  # of any class: the key may be another's
                        field.validate(key)
                    wanted[key] = None
                except (TypeError, ValidationError):
                    continue
    keys = [key for key in wanted if any((cls, key) not in batch.refs for batch in batches)]
    if not keys:
        return []
    found = list(cls._queryset().filter(pk__in=keys))
    for batch in batches:
        for key in keys:
            batch.refs.setdefault((cls, key), None)
        for one in found:
            batch.refs[(cls, one.pk)] = one
    return found


def reference_paths(owner: Any, target: Any) -> list[str]:
    """Return the stored paths at which documents of `owner` refer to `target`."""
    found: list[str] = []
    _walk(owner, target, "", found, (owner,))
    return found


def _walk(owner: Any, target: Any, prefix: str, found: list[str], seen: tuple[Any, ...]) -> None:
    for field in owner._fields.values():
        inner: Any = field
        path = prefix + field.db_field
        while inner._item is not None:
            path += ".*" if inner.kind == "dict" else ""
            inner = inner._item
        if inner.kind == "pointer" and inner.document_type in (None, target):
            key = "_ref" if inner.document_type is None else "_id"
            found.append(f"{path}.{key}")
        elif inner.kind == "reference" and inner.document_type is target:
            found.append(path)
        elif inner.kind == "embedded" and inner.document_type not in seen:
            below = inner.document_type
            _walk(below, target, f"{path}.", found, (*seen, below))
