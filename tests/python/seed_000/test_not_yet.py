# SPDX-License-Identifier: Apache-2.0
"""Blocks on files, places and generic references say what is missing, in a sentence."""

from typing import Any

import pytest

from mongodb.errors import NotSupportedError


@pytest.mark.parametrize(
    ("heading", "what"),
    [
        ("File Fields", "FileField"),
        ("GridFS File Handling", "FileField"),
        ("Geospatial Queries", "PointField"),
        ("Complex Fields", "GenericReferenceField"),
        ("Indexing", "PointField"),
    ],
)
def test_block_is_refused_by_name(seed: Any, heading: str, what: str) -> None:
    with pytest.raises(NotSupportedError, match=f"{what} is not supported yet: .+") as refused:
        seed.run(heading)
    assert refused.value.code == 238


def test_geographic_lookup_is_refused(seed: Any) -> None:
    seed.run("3. Define a Document")
    with pytest.raises(NotSupportedError, match="geographic"):
        seed.names["User"].objects.filter(age__near=[1, 2])._query  # noqa: B018
