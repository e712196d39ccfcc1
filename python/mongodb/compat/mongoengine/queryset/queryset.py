# SPDX-License-Identifier: Apache-2.0
"""Querysets, with MongoEngine's habits."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from mongodb.compat.mongoengine._loading import check_known
from mongodb.compat.mongoengine._words import unresolved
from mongodb.compat.mongoengine.base.fields import dereferences
from mongodb.errors import InvalidQueryError, LookUpError
from mongodb.fields.references import CASCADE, DENY, DO_NOTHING, NULLIFY, PULL
from mongodb.queryset import queryset as _queryset

__all__ = [
    "CASCADE",
    "DENY",
    "DO_NOTHING",
    "NULLIFY",
    "PULL",
    "QuerySet",
    "QuerySetNoCache",
]


class QuerySet(_queryset.QuerySet):
    """The documents that a query finds."""

    def __init__(self, document: Any, collection: Any = None) -> None:
        super().__init__(document, collection)
        if not dereferences(document):
            self._raw_refs = True

    @property
    def _auto_dereference(self) -> bool:
        return not self._raw_refs

    def _filter(self) -> Any:
        try:
            return super()._filter()
        except (InvalidQueryError, LookUpError) as error:
            said = unresolved(error)
            if said is error:
                raise
            raise said from error

    def get(self, *q_objs: Any, **query: Any) -> Any:
        """Return the only match."""
        document = self._document
        try:
            return super().get(*q_objs, **query)
        except document.DoesNotExist as error:
            said = f"{document._class_name} matching query does not exist."
            raise document.DoesNotExist(said) from error
        except document.MultipleObjectsReturned as error:
            said = "2 or more items returned, instead of 1"
            raise document.MultipleObjectsReturned(said) from error

    def _batches(self) -> Iterator[Any]:
        for batch in super()._batches():
            check_known(self._document, batch)
            yield batch

    def _by_key(self, value: Any) -> Any:
        found = super()._by_key(value)
        check_known(self._document, [found])
        return found


class QuerySetNoCache(QuerySet, _queryset.QuerySetNoCache):
    """A queryset that does not keep what it read."""
