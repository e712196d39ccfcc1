# SPDX-License-Identifier: Apache-2.0
"""What packages written for MongoEngine look up inside a queryset."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

__all__ = ["PrivateNames"]


class PrivateNames:
    """MongoEngine's private attributes, read from what a queryset here keeps. Nobody sets them."""

    _special: Mapping[str, Any]
    _options: Mapping[str, Any]
    _rows: Any

    @property
    def _where_clause(self) -> Any:
        return self._special.get("$where")

    @property
    def _search_text(self) -> Any:
        return self._special.get("$text", {}).get("$search")

    @property
    def _read_preference(self) -> None:
        return None

    @property
    def _read_concern(self) -> Any:
        from pymongo.read_concern import ReadConcern

        given = self._options.get("readConcern")
        return None if given is None else ReadConcern(given.get("level"))

    @property
    def _result_cache(self) -> list[Any] | None:
        return None if self._rows is None else list(self._rows.items)

    @property
    def _has_more(self) -> bool:
        return self._rows is None or not self._rows.done

    @property
    def _ordering(self) -> Any:
        order = self._order_now()  # type: ignore[attr-defined]
        return order or None
