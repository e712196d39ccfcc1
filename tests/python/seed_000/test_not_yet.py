# SPDX-License-Identifier: Apache-2.0
"""What the embedded engine does not have yet: it says so in a sentence."""

from typing import Any

import pytest

from mongodb.errors import NotSupportedError


def test_geospatial_queries_are_refused_by_the_embedded_engine(connected: str, seed: Any) -> None:
    if not connected.startswith("docstore"):
        pytest.skip("a server has them")
    names = seed.run("Geospatial Queries")
    assert names["Location"].objects.count() == 1
    for query, word in (("nearby", "near"), ("within_area", "geoWithin")):
        with pytest.raises(NotSupportedError, match=f"{word} is not supported by this store yet"):
            list(names[query])
