# SPDX-License-Identifier: Apache-2.0
"""Sessions: transactions use them by themselves."""

from __future__ import annotations

from typing import Any

from mongodb._handle import current_transaction
from mongodb.connection import get_connection_handle

__all__ = ["_get_session"]


def _get_session() -> Any:
    """Return the session of the transaction that is open on the default connection, or None."""
    transaction = current_transaction(get_connection_handle())
    return None if transaction is None else transaction.session
