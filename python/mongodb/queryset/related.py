# SPDX-License-Identifier: Apache-2.0
"""select_related: what references point to is fetched with a batch, a query for each collection."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from mongodb import _references
from mongodb._registry import document_class
from mongodb.errors import InvalidQueryError

__all__ = ["fetch_related", "related_tree"]

# Names of fields and what is wanted of the documents there; a number: all references, so deep.
Tree = Mapping[str, Any] | int


def related_tree(names: Iterable[str], depth: int) -> Tree:
    """Return what names such as `author__publisher` ask for; without names, all references."""
    tree: dict[str, Any] = {}
    for name in names:
        below = tree
        for part in name.replace(".", "__").split("__"):
            below = below.setdefault(part, {})
    return tree or depth


def fetch_related(document: Any, batches: list[Any], tree: Tree) -> None:
    """Fetch what the documents of the batches refer to."""
    wanted: dict[Any, tuple[list[str], dict[str, Any] | int]] = {}
    _gather(document, batches, tree, "", wanted, ())
    for target, (paths, below) in wanted.items():
        found = _references.load_references(target, batches, paths)
        contexts = {id(one._context): one._context for one in found if one._context is not None}
        if below and contexts:
            fetch_related(target, list(contexts.values()), below)


def _gather(document: Any, batches: list[Any], tree: Tree, prefix: str, wanted: dict[Any, Any],
            seen: tuple[Any, ...]) -> None:  # fmt: skip
    """Collect the classes that are referred to, where, and what is wanted of their documents."""
    whole = isinstance(tree, int)
    parts = dict.fromkeys(document._fields, tree) if isinstance(tree, int) else tree
    for name, below in parts.items():
        field: Any = document._fields.get(name)
        inner, path = field, "" if field is None else prefix + field.db_field
        while inner is not None and inner._item is not None:
            path += ".*" if inner.kind == "dict" else ""
            inner = inner._item
        rest = below - 1 if isinstance(below, int) else below
        if inner is not None and inner.kind == "embedded" and (whole or below):
            if inner.document_type not in seen:
                _gather(inner.document_type, batches, below, f"{path}.", wanted,
                        (*seen, inner.document_type) if whole else seen)  # fmt: skip
        elif inner is not None and inner.kind == "pointer" and inner.document_type is None:
            for cls in _classes_at(batches, path):
                _want(wanted, cls, f"{path}._ref", rest)
        elif inner is not None and inner.kind in ("reference", "pointer"):
            key = "._id" if inner.kind == "pointer" else ""
            _want(wanted, inner.document_type, path + key, rest)
        elif not whole:
            raise InvalidQueryError(f"select_related: {document.__name__}.{name} is no reference")


def _want(wanted: dict[Any, Any], target: Any, path: str, below: Tree) -> None:
    paths, before = wanted.get(target, ([], {}))
    wanted[target] = ([*paths, path], _both(before, below))


def _both(first: Tree, second: Tree) -> Tree:
    if isinstance(first, int) or isinstance(second, int):
        numbers = [one for one in (first, second) if isinstance(one, int)]
        return max(numbers)
    out = dict(first)
    for name, below in second.items():
        out[name] = _both(out[name], below) if name in out else below
    return out


def _classes_at(batches: list[Any], path: str) -> list[Any]:
    """Return the classes that generic references name."""
    names = {name for batch in batches for name in batch.collect(f"{path}._cls")}
    return [document_class(name) for name in sorted(n for n in names if isinstance(n, str))]
