# SPDX-License-Identifier: Apache-2.0
"""The documents that a queryset has loaded. Threads may share them: one loads, the others wait."""

from __future__ import annotations

import itertools
import os
import threading
from collections.abc import Callable, Iterator
from typing import Any

from mongodb.errors import OperationError

__all__ = ["Cache"]


class Cache:
    """One evaluation. It is never begun anew: who iterates it comes to its end, whatever becomes
    of the queryset meanwhile."""

    __slots__ = ("_failure", "_loading", "_lock", "_next", "_process", "_source", "_start", "done",
                 "items")  # fmt: skip

    def __init__(self, start: Callable[[], Iterator[list[Any]]]) -> None:
        self.items: list[Any] = []
        self.done = False
        self._next = itertools.count()  # the positions that take() gives out
        self._start: Callable[[], Iterator[list[Any]]] | None = start
        self._source: Iterator[list[Any]] | None = None
        self._lock = threading.RLock()
        self._loading = False
        self._failure: BaseException | None = None
        self._process = os.getpid()

    @classmethod
    def of(cls, items: list[Any]) -> Cache:
        """Return one that is complete."""
        made = cls(lambda: iter(()))
        made.items = items
        made.done = True
        made._start = None
        return made

    @property
    def usable(self) -> bool:
        """Whether reading can go on: it did not fail, and did not begin in a forked parent."""
        return self._failure is None and (self.done or self._process == os.getpid())

    def reach(self, at: int) -> bool:
        """Load until there is a document at this position; False when there is none."""
        while at >= len(self.items):
            if not self._more(at):
                return at < len(self.items)
        return True

    def _more(self, at: int) -> bool:
        """Load the next batch unless another thread just did; False at the end."""
        if self.done:
            return False
        if self._process != os.getpid():
            raise OperationError("the process was forked while the queryset was read: read it anew")
        with self._lock:
            if at < len(self.items):
                return True
            if self.done:
                return False
            self._check()
            self._loading = True
            try:
                return self._load()
            except BaseException as error:
                self._failure = error
                self._source = self._start = None
                raise
            finally:
                self._loading = False

    def _check(self) -> None:
        if self._loading:
            raise OperationError("the queryset is read by what its own documents call")
        if isinstance(self._failure, Exception):
            raise self._failure
        if self._failure is not None:
            raise OperationError("reading the queryset was interrupted: read it anew")

    def _load(self) -> bool:
        if self._source is None and self._start is not None:
            self._source = self._start()
        chunk = None if self._source is None else next(self._source, None)
        if chunk is None:
            self.done = True
            self._source = self._start = None
            return False
        self.items.extend(chunk)
        return True

    def all(self) -> list[Any]:
        """Load everything."""
        while self._more(len(self.items)):
            pass
        return self.items

    def take(self) -> Any:
        """Return the document that no take() has returned; StopIteration at the end."""
        at = next(self._next)
        if not self.reach(at):
            raise StopIteration
        return self.items[at]

    def __iter__(self) -> Iterator[Any]:
        at = 0
        while self.reach(at):
            chunk = self.items[at:]
            at += len(chunk)
            yield from chunk
