# SPDX-License-Identifier: Apache-2.0
"""Groups by several keys are those that the same keys make as a list."""

import random
from collections import Counter
from typing import Any

import bson
import pytest

from mongodb import _core

VALUES: list[Any] = [
    1,
    1.0,
    bson.Int64(1),
    bson.Decimal128("1"),
    0,
    -0.0,
    float("nan"),
    None,
    "",
    "a",
    True,
    {"x": 1},
    {"x": 1.0},
    [1],
    bson.ObjectId(b"abcdefghijkl"),
]


def sizes(client: _core.Client, key: Any) -> Counter[int]:
    pipeline = [{"$group": {"_id": key, "n": {"$sum": 1}, "all": {"$push": "$_id"}}}]
    command = {"aggregate": "c", "pipeline": pipeline, "cursor": {"batchSize": 100_000}}
    found = client.run("db", command)["cursor"]["firstBatch"]
    return Counter(tuple(group["all"]) for group in found)


@pytest.mark.parametrize("seed", range(3))
def test_groups_by_documents_are_those_by_lists(seed: int) -> None:
    draw = random.Random(seed)
    with _core.Client("docstore://:memory:") as client:
        documents = [
            {
                "_id": number,
                "a": draw.choice(VALUES),
                "b": draw.choice([*VALUES, draw.randrange(900), str(draw.randrange(900))]),
            }
            for number in range(6_000)
        ]
        client.run("db", {"insert": "c", "documents": documents})
        by_lists = sizes(client, ["$a", "$b"])
        assert sizes(client, {"a": "$a", "b": "$b"}) == by_lists
        assert sizes(client, {"k": {"a": "$a", "b": "$b"}}) == by_lists
        assert sizes(client, {"a": "$a"}) == sizes(client, ["$a"])
