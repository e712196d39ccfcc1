# SPDX-License-Identifier: Apache-2.0
"""Which fields of a class can hold embedded documents that want something done at each save."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

from mongodb import _registry

__all__ = ["holders"]


def holders(cls: Any, wanted: Callable[[Any], bool], untyped: bool) -> frozenset[str]:
    """Return the names of the fields that can hold embedded documents of a `wanted` class.

    With `untyped`, fields that take anything count too. The answer is kept until there are new
    classes.
    """
    kept = cls.__dict__.get("_holders")
    if kept is None or kept[0] != _registry.generation():
        kept = (_registry.generation(), {})
        type.__setattr__(cls, "_holders", kept)
    if wanted not in kept[1]:
        kept[1][wanted] = frozenset(
            name for name, field in cls._fields.items() if _may_hold(field, wanted, untyped, (cls,))
        )
    return kept[1][wanted]  # type: ignore[no-any-return]


def _may_hold(field: Any, wanted: Any, untyped: bool, seen: tuple[Any, ...]) -> bool:
    inner = field
    while inner._item is not None:
        inner = inner._item
    if inner.kind == "embedded":
        classes = list(_registry.class_tree(inner.document_type))
    elif inner._generic:
        names = inner.choices or ()
        classes = [_registry.resolve(one, inner.owner_document) for one in names]
        classes = classes or list(_registry.embedded_classes())
    elif untyped and inner.kind in ("dynamic", "list", "dict"):
        classes = list(_registry.embedded_classes())
    else:
        return False
    return _any(classes, wanted, untyped, seen)


def _any(classes: Iterable[Any], wanted: Any, untyped: bool, seen: tuple[Any, ...]) -> bool:
    fresh = [cls for cls in classes if cls not in seen]
    return any(
        wanted(cls)
        or any(_may_hold(field, wanted, untyped, (*seen, *fresh)) for field in cls._fields.values())
        for cls in fresh
    )
