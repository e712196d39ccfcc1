# SPDX-License-Identifier: Apache-2.0
"""What a $lookup has found for some values it gives again for equal ones, as if it had looked."""

import random
from collections.abc import Iterator
from typing import Any

import pytest
from bson import Decimal128, Regex

from mongodb import _core

VALUES: list[Any] = [None, 1, 1.0, Decimal128("1"), 2, "a", "b", [1, "a"], [[1]], [], {"x": 1},
                     Regex("^a"), [Regex("b")], True, "none"]  # fmt: skip
AGAIN = {"from": "far", "localField": "k", "foreignField": "k", "as": "again",
         "pipeline": [{"$project": {"n": 1}}]}  # fmt: skip
PIPELINES: list[Any] = [
    None,
    [],
    [{"$match": {"n": {"$gt": 5}}}],
    [{"$sort": {"n": -1}}, {"$limit": 2}],
    [{"$group": {"_id": "$k", "n": {"$sum": "$n"}}}, {"$sort": {"n": 1}}],
    [{"$lookup": AGAIN}],
]


@pytest.fixture
def client() -> Iterator[_core.Client]:
    with _core.Client("docstore://:memory:") as opened:
        yield opened


def some(chance: random.Random) -> dict[str, Any]:
    return {} if chance.random() < 0.1 else {"k": chance.choice(VALUES)}


@pytest.mark.parametrize("seed", range(12))
def test_rows_joined_together_are_those_joined_one_by_one(client: _core.Client, seed: int) -> None:
    chance = random.Random(seed)
    near = [{"_id": at, **some(chance)} for at in range(60)]
    far = [{"_id": at, "n": chance.randrange(10), **some(chance)} for at in range(25)]
    client.run("d", {"insert": "near", "documents": near})
    client.run("d", {"insert": "far", "documents": far})
    if seed % 2:
        client.run("d", {"createIndexes": "far", "indexes": [{"key": {"k": 1}, "name": "k"}]})
    for pipeline in PIPELINES:
        foreign = chance.choice(["k", "k", "_id"])
        stage: dict[str, Any] = {"from": "far", "localField": "k", "foreignField": foreign}
        stage["as"] = "found"
        if pipeline is not None:
            stage["pipeline"] = pipeline
        if seed % 3 == 0:
            stage["let"] = {"me": "$_id"}
            if pipeline is not None:
                stage["pipeline"] = [*pipeline, {"$set": {"me": "$$me"}}]
            else:
                del stage["let"]

        def rows(match: Any, stage: Any = stage) -> list[Any]:
            command = {"aggregate": "near", "pipeline": [match, {"$lookup": stage}], "cursor": {}}
            with client.cursor("d", command, batch_size=7) as cursor:
                return list(cursor)

        together = rows({"$match": {}})
        apart = [rows({"$match": {"_id": at}})[0] for at in range(60)]
        assert repr(together) == repr(apart)
