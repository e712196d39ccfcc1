# SPDX-License-Identifier: Apache-2.0
"""Which MongoDB it is."""

from __future__ import annotations

from mongodb.connection import get_connection

__all__ = ["get_mongodb_version"]

MONGODB_34, MONGODB_36 = (3, 4), (3, 6)
MONGODB_42, MONGODB_44 = (4, 2), (4, 4)
MONGODB_50, MONGODB_60, MONGODB_70 = (5, 0), (6, 0), (7, 0)


def get_mongodb_version() -> tuple[int, ...]:
    """Return the version of the store, such as (6, 0)."""
    return tuple(get_connection().server_info()["versionArray"][:2])
