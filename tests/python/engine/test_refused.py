# SPDX-License-Identifier: Apache-2.0
"""What the engine does not have is refused, never left out of an answer."""

from typing import Any

import pytest

from mongodb._core import Client
from mongodb.errors import NotSupportedError

REFUSED = [
    {"findAndModify": "c", "remove": True, "fields": {"x": {"$meta": "indexKey"}}},
    {"find": "c", "filter": {"$text": {"$search": "x"}}},
    {"find": "c", "filter": {"p": {"$near": [1, 2]}}},
    {"find": "c", "filter": {"$where": "true"}},
    {"find": "c", "collation": {"locale": "fr"}},
    {"aggregate": "c", "pipeline": [{"$changeStream": {}}], "cursor": {}},
    {"createIndexes": "c", "indexes": [{"key": {"p": "2dsphere"}, "name": "p"}]},
    {"createIndexes": "c", "indexes": [{"key": {"p": "text"}, "name": "p"}]},
    {"createIndexes": "c", "indexes": [{"key": {"$**": 1}, "name": "p"}]},
    {"create": "t", "timeseries": {"timeField": "t"}},
]


@pytest.mark.parametrize("command", REFUSED, ids=lambda command: str(list(command.items())[1:]))
def test_what_is_missing_is_refused_with_its_name(command: dict[str, Any]) -> None:
    client = Client("docstore://:memory:")
    try:
        client.run("db", {"insert": "c", "documents": [{"_id": 1, "a": 2}]})
        with pytest.raises(NotSupportedError) as refused:
            client.run("db", command)
        assert refused.value.code in (115, 238) and str(refused.value)
    finally:
        client.close()
