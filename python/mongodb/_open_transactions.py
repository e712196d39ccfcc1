# SPDX-License-Identifier: Apache-2.0
"""The transactions that are open here, by store: those of documents and those of models."""

from __future__ import annotations

import contextvars
import threading
from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

__all__ = ["current_transaction", "documents_transaction", "models", "models_transaction"]

# The transactions that documents' `atomic()` began in this context, by store.
_transactions: contextvars.ContextVar[Mapping[Any, Any]] = contextvars.ContextVar(
    "mongodb_transactions", default=MappingProxyType({})
)


class _Models(threading.local):
    """The connections of Django's backend that have a transaction in this thread, by store."""

    def __init__(self) -> None:
        self.open: dict[Any, list[Any]] = {}


models = _Models()


def documents_transaction(handle: Any) -> Any:
    """Return the transaction that documents' `atomic()` began here on the store, or None."""
    running = _transactions.get()
    return running.get(handle.store) if running else None


def models_transaction(handle: Any) -> Any:
    """Return the connection of Django's backend whose transaction this thread is in, or None.

    Of several on one file it is the one that writes, or the last.
    """
    if not models.open:
        return None
    found = models.open.get(handle.store)
    if not found:
        return None
    return next((one for one in found if one.begun), found[-1])


def current_transaction(handle: Any) -> Any:
    """Return the transaction that is open on the store here, of documents or of models."""
    return documents_transaction(handle) or models_transaction(handle)
