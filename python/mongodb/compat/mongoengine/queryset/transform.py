# SPDX-License-Identifier: Apache-2.0
"""Lookups and changes as MongoDB's filters and updates."""

from __future__ import annotations

from typing import Any

from mongodb import _core
from mongodb.compat.mongoengine._beside import beside
from mongodb.embedded import DynamicEmbeddedDocument
from mongodb.queryset.lookups import OPERATORS, build_filter
from mongodb.queryset.updates import build_update

__all__ = ["query", "update"]

STRING_OPERATORS = (
    "contains icontains startswith istartswith endswith iendswith exact iexact regex iregex "
    "wholeword iwholeword".split()
)
MATCH_OPERATORS = tuple(OPERATORS)


class _AnyDocument(DynamicEmbeddedDocument):
    """Takes every name."""


def query(_doc_cls: Any = None, **kwargs: Any) -> dict[str, Any]:
    """Return the filter of lookups."""
    return build_filter(_doc_cls or _AnyDocument, kwargs)


def update(_doc_cls: Any = None, **kwargs: Any) -> Any:
    """Return the update of changes."""
    return _decoded(build_update(_doc_cls or _AnyDocument, kwargs))


def _decoded(value: Any) -> Any:
    if isinstance(value, _core.Raw):
        return value.decode()
    if isinstance(value, dict):
        return type(value)((key, _decoded(one)) for key, one in value.items())
    return value


__getattr__ = beside(__name__)
