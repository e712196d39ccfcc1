# SPDX-License-Identifier: Apache-2.0
"""All Document classes by name."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from typing import Any

from mongodb._core import Document as CoreDocument
from mongodb.errors import NotRegistered

__all__ = ["class_tree", "get_document", "is_document", "register", "resolve"]

_document_registry: dict[str, Any] = {}
_registered = itertools.count(1)
_generation = 0


def register(cls: Any) -> None:
    """Make the class known by its name; a later class of the same name replaces it."""
    global _generation
    _document_registry[cls._class_name] = cls
    _generation = next(_registered)


def generation() -> int:
    """Return a number that changes with each new class: for what is computed from all of them."""
    return _generation


def embedded_classes() -> Iterator[Any]:
    """Yield the known classes of embedded documents."""
    return (cls for cls in list(_document_registry.values()) if cls._schema_embedded)


def collection_classes() -> Iterator[Any]:
    """Yield the known classes of documents that have a collection."""
    return (cls for cls in list(_document_registry.values()) if not cls._schema_embedded)


def get_document(name: str) -> Any:
    """Return the class with that name; its own name or the one stored in `_cls`."""
    found = _document_registry.get(name)
    if found is None:
        ends = [cls for key, cls in _document_registry.items() if key.rpartition(".")[2] == name]
        found = ends[-1] if ends else None
    if found is None:
        raise NotRegistered(
            f"no Document class named {name!r} is known: import the module that defines it before "
            "it is needed"
        )
    return found


def document_class(name: str) -> Any:
    """Return the class of documents that have a collection with that name."""
    found = get_document(name)
    if not is_document_class(found):
        raise NotRegistered(f"{name} is a class of embedded documents: nothing refers to it")
    return found


def class_of_collection(collection: str) -> Any:
    """Return the class of the documents in a collection, or None."""
    for cls in list(_document_registry.values()):
        if not cls._schema_embedded and cls._get_collection_name() == collection:
            return cls
    return None


def embedded_or_none(name: str) -> Any:
    """Return the class of embedded documents with that name, or None."""
    try:
        found = get_document(name)
    except NotRegistered:
        return None
    return found if is_embedded_class(found) else None


def resolve(name: Any, owner: Any) -> Any:
    """Return the class that a field names; 'self' is its owner."""
    if not isinstance(name, str):
        return name
    return owner if name == "self" else get_document(name)


def is_document(value: Any) -> bool:
    """Tell whether the value is a document, embedded or not."""
    return isinstance(value, CoreDocument)


def is_document_class(cls: Any) -> bool:
    """Tell whether it is a class of documents that have a collection."""
    return isinstance(cls, type) and issubclass(cls, CoreDocument) and not cls._schema_embedded  # type: ignore[attr-defined]


def is_embedded_class(cls: Any) -> bool:
    """Tell whether it is a class of embedded documents."""
    return isinstance(cls, type) and issubclass(cls, CoreDocument) and cls._schema_embedded  # type: ignore[attr-defined]


def class_tree(cls: Any) -> Iterator[Any]:
    """Yield the class and all classes below it."""
    yield cls
    for name in cls._subclasses:
        found = below(cls, name)
        if found is not None and found is not cls:
            yield found


def below(cls: Any, name: str) -> Any:
    """Return the class of that name among the class and its subclasses, or None.

    A class of the same name elsewhere may have taken its place in the registry.
    """
    found = _document_registry.get(name)
    if found is not None and issubclass(found, cls):
        return found
    waiting = [cls]
    while waiting:
        one = waiting.pop()
        if one._class_name == name:
            return one
        waiting += type.__subclasses__(one)
    return None
