# SPDX-License-Identifier: Apache-2.0
"""Which fields a query loads."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

__all__ = ["QueryFieldList"]


class QueryFieldList:
    """Names of fields to load, or to leave out; added together, the later ones decide."""

    ONLY, EXCLUDE = 1, 0

    def __init__(
        self,
        fields: Iterable[str] | None = None,
        value: Any = ONLY,
        always_include: Iterable[str] | None = None,
        _only_called: bool = False,
    ) -> None:
        self.value = value
        self.fields = set(fields or ())
        self.always_include = set(always_include or ())
        self.slice: dict[str, Any] = {}
        self._id: Any = None
        self._only_called = _only_called

    def __add__(self, other: QueryFieldList) -> QueryFieldList:
        """Take the other list's fields over."""
        if isinstance(other.value, dict):
            self.slice.update(dict.fromkeys(other.fields, other.value))
            self.fields = self.fields or other.fields
        else:
            self._combine(other)
        if "_id" in other.fields:
            self._id = other.value
        if self.always_include:
            self._keep()
        self._only_called = self._only_called or other._only_called
        return self

    def _combine(self, other: QueryFieldList) -> None:
        only, theirs = self.value == self.ONLY, other.value == self.ONLY
        if not self.fields:
            self.fields, self.value, self.slice = other.fields, other.value, {}
        elif only and theirs:
            self.fields = self.fields | other.fields if self._only_called else other.fields
        elif not only and not theirs:
            self.fields = self.fields | other.fields
        elif only:
            self.fields = self.fields - other.fields
        else:
            self.fields, self.value = other.fields - self.fields, self.ONLY
        self.slice = {name: part for name, part in self.slice.items() if name in self.fields}

    def _keep(self) -> None:
        if self.value != self.ONLY or not self.fields:
            self.fields = self.fields - self.always_include
        elif set(self.slice) != self.fields:
            self.fields = self.fields | self.always_include

    def __bool__(self) -> bool:
        return bool(self.fields)

    def as_dict(self) -> dict[str, Any]:
        """Return the projection."""
        found: dict[str, Any] = {**dict.fromkeys(self.fields, self.value), **self.slice}
        return found if self._id is None else {**found, "_id": self._id}

    def reset(self) -> None:
        """Load all fields again."""
        self.fields, self.slice, self.value = set(), {}, self.ONLY
