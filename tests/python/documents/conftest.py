# SPDX-License-Identifier: Apache-2.0
"""A store in memory, for what no kind of store can change."""

from collections.abc import Iterator

import pytest

import mongodb


@pytest.fixture
def memory() -> Iterator[None]:
    """The default connection to an empty store in memory."""
    mongodb.connect("memory", host="docstore://:memory:")
    try:
        yield
        mongodb.connect().run({"dropDatabase": 1})
    finally:
        mongodb.disconnect_all()
