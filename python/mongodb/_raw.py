# SPDX-License-Identifier: Apache-2.0
"""PyMongo's client of an embedded store. Its sessions are its own: a write through it would wait
for the transaction that this very thread has open on the file, so it is refused."""

from __future__ import annotations

import weakref
from typing import Any

from pymongo import MongoClient
from pymongo.errors import InvalidOperation

from mongodb._open_transactions import documents_transaction, models_transaction

__all__ = ["client"]


class _Client(MongoClient[Any]):
    """Knows the connection whose store it reaches."""

    _of: Any = None

    def _refuse_to_wait(self) -> None:
        handle = None if self._of is None else self._of()
        if handle is None:
            return
        inside = documents_transaction(handle)
        if inside is not None and inside.wrote:
            whose = "documents' atomic()"
        else:
            inside = models_transaction(handle)
            if inside is None or not inside.begun:
                return
            whose = "transaction.atomic()"
        raise InvalidOperation(
            f"this thread has written to the same store within {whose}, which PyMongo's client is "
            "no part of: it would wait for itself. Write by documents or models, by "
            "connection.command(…) of the backend, or after the block"
        )

    # what PyMongo calls before each write; in all its versions since 4.0

    def _retryable_write(self, *args: Any, **kwargs: Any) -> Any:
        self._refuse_to_wait()
        return super()._retryable_write(*args, **kwargs)

    def _conn_for_writes(self, *args: Any, **kwargs: Any) -> Any:
        self._refuse_to_wait()
        return super()._conn_for_writes(*args, **kwargs)


def client(handle: Any, uri: str, options: dict[str, Any]) -> Any:
    """Return PyMongo's client of a store that is served in this process."""
    made = _Client(uri, **options)
    made._of = weakref.ref(handle)
    return made
