# SPDX-License-Identifier: Apache-2.0
"""A store for a test: `with store(): ...`, `@store()`, or the pytest fixture `mongodb_store`.

In Django's test runs nothing of this is needed: documents have test stores there.
"""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Iterator
from typing import Any

from mongodb import connection

__all__ = ["mongodb_store", "store"]


@contextlib.contextmanager
def store(alias: str = connection.DEFAULT_CONNECTION_NAME, db: str = "test") -> Iterator[Any]:
    """Connect an alias to an empty store in memory inside the block, or the decorated function.

    Gives the connection, which acts as a MongoClient. What was connected before is back afterwards.
    """
    before = connection.set_aside(alias)
    try:
        yield connection.connect(db, alias=alias, host="docstore://:memory:")
    finally:
        connection.disconnect(alias)
        connection.bring_back(alias, before)


def _fixture() -> Iterator[Any]:
    """An empty store in memory as the default connection."""
    with store() as opened:
        yield opened


if "pytest" in sys.modules:  # as pytest_plugins = ["mongodb.testing"], or imported by name
    import pytest

    mongodb_store: Any = pytest.fixture(_fixture, name="mongodb_store")
else:
    mongodb_store = None
