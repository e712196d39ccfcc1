# SPDX-License-Identifier: Apache-2.0
"""Sessions: transactions use them by themselves."""

from __future__ import annotations

from typing import Any

from mongodb.connection import get_connection_handle

__all__ = ["_get_session"]


def _get_session() -> Any:
    """Return the session of the transaction that is open on the default connection, or None."""
    return get_connection_handle().session()
