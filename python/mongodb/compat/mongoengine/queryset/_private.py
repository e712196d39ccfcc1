# SPDX-License-Identifier: Apache-2.0
"""What packages written for MongoEngine look up inside a queryset."""

from __future__ import annotations

import copy
from typing import Any

__all__ = ["PrivateNames"]

_OF_ITS_OWN = frozenset({"_document", "_alias", "_collection_name", "_cached"})


class PrivateNames:
    """The cursor, and what was counted."""

    _counted: int | None = None  # by count() with limit and skip, or by loading everything
    _cursor_obj: Any = None
    _own_conditions = False

    @property
    def _len(self) -> int | None:
        return self._counted

    @property
    def _cursor(self) -> Any:
        """PyMongo's cursor of the query, made at its first use."""
        if self._cursor_obj is None:
            collection = self._collection  # type: ignore[attr-defined]
            concern = self._read_concern  # type: ignore[attr-defined]
            if concern is not None:
                collection = collection.with_options(read_concern=concern)
            arguments = dict(self._cursor_args)  # type: ignore[attr-defined]
            if "sort" in arguments:
                arguments["sort"] = list(arguments["sort"].items())
            self._cursor_obj = collection.find(self._query, **arguments)
        return self._cursor_obj

    @property
    def _query_obj(self) -> Any:
        """The conditions, of this queryset alone: packages take some out."""
        if not self._own_conditions:
            self._q = copy.deepcopy(self._q)  # type: ignore[has-type]
            self._own_conditions = True
        return self._q

    @property
    def _cls_query(self) -> dict[str, Any]:
        found: dict[str, Any] = self._class_filter()  # type: ignore[attr-defined]
        return found

    _initial_query = _cls_query  # as it was called before

    def _clone_into(self, other: Any) -> Any:
        """Give another queryset what this one asks for."""
        kept = {name: one for name, one in vars(other).items() if name in _OF_ITS_OWN}
        other.__dict__.update(self.clone().__dict__)  # type: ignore[attr-defined]
        other.__dict__.update(kept)
        if "_cached" not in kept:
            other.__dict__.pop("_cached", None)
        return other

    def _clone_into_qs(self, kind: Any) -> Any:
        return self._clone_into(kind(self._document, self._collection))  # type: ignore[attr-defined]

    def _has_data(self) -> bool:
        return bool(self.exists())  # type: ignore[attr-defined]

    @property
    def _query(self) -> dict[str, Any]:
        """The filter; classes in a tuple."""
        query: dict[str, Any] = super()._query  # type: ignore[misc]
        for part in (query, *query.get("$and", ())):
            classes = part.get("_cls")
            if isinstance(classes, dict) and list(classes) == ["$in"]:
                part["_cls"] = {"$in": tuple(classes["$in"])}
        return query
