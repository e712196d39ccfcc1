# SPDX-License-Identifier: Apache-2.0
"""What packages written for MongoEngine look up inside a queryset."""

from __future__ import annotations

from typing import Any

__all__ = ["PrivateNames"]


class PrivateNames:
    """The cursor, and what was counted."""

    _counted: int | None = None  # by count() with limit and skip, or by loading everything
    _cursor_obj: Any = None

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
