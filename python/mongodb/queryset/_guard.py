# SPDX-License-Identifier: Apache-2.0
"""A connection for one queryset, whose errors become others."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

from mongodb.errors import MongoError

__all__ = ["Guard"]

_CALLS = frozenset({"count", "cursor", "delete", "find_and_modify", "first_batch", "run", "update"})


class Guard:
    """Behaves as the connection does; `turn` says what is raised for an error of the store."""

    def __init__(self, handle: Any, turn: Callable[[MongoError], Exception]) -> None:
        self._handle = handle
        self._turn = turn

    def __getattr__(self, name: str) -> Any:
        found = getattr(self._handle, name)
        if name not in _CALLS:
            return found

        def call(*args: Any, **kwargs: Any) -> Any:
            try:
                return found(*args, **kwargs)
            except MongoError as error:
                raise self._turn(error) from error

        return call

    def batches(self, *args: Any) -> Iterator[Any]:
        """Yield what the connection yields."""
        try:
            yield from self._handle.batches(*args)
        except MongoError as error:
            raise self._turn(error) from error
