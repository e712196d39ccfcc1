# SPDX-License-Identifier: Apache-2.0
"""$unwind keeps of a document only what a $group right behind it reads: the same groups as when
there is a stage between that wants all."""

import random
from typing import Any

import pytest

from mongodb._core import Client
from mongodb.errors import OperationError

FIELDS = ["a", "b", "c", "in.x", "in.list", "list"]


def expression(rng: random.Random, depth: int = 0) -> Any:
    path = "$" + rng.choice(FIELDS)
    if depth > 1 or rng.random() < 0.5:
        return rng.choice([path, path, path, "$$ROOT", "$$CURRENT.a", 1, None])
    inner = [expression(rng, depth + 1) for _ in range(2)]
    mapped = {"input": "$in.list", "as": "v", "in": {"$concatArrays": [["$$v"], ["$b"]]}}
    return rng.choice(
        [
            {"$ifNull": inner},
            {"x": inner[0], "y": inner[1]},
            {"$cond": [{"$gt": inner}, "$a", {"$type": "$c"}]},
            {"$let": {"vars": {"v": inner[0]}, "in": ["$$v", "$b"]}},
            {"$map": mapped} if depth else {"$ifNull": [{"$type": "$in.list"}, inner[0]]},
            {"$getField": rng.choice(["a", "b"])},
            {"$mergeObjects": [{"q": inner[0]}, "$in"]},
            {"$setField": {"field": "n", "input": "$$ROOT", "value": inner[0]}},
        ]
    )


def document(rng: random.Random, number: int) -> dict[str, Any]:
    made: dict[str, Any] = {"_id": number, "a": rng.randrange(3)}
    made["b"] = rng.choice(["x", "y", None, [1, 2]])
    made["in"] = {"x": rng.randrange(3), "list": [1] * rng.randrange(3)}
    made["list"] = rng.choice([[], [1], [1, 2, "z"], None, 5, [{"k": 1}]])
    if rng.random() < 0.5:
        made["c"] = rng.random()
    return dict(rng.sample(list(made.items()), len(made)))


def answer(client: Client, command: dict[str, Any]) -> Any:
    try:
        return client.run("t", command)["cursor"]["firstBatch"]
    except OperationError as error:
        return error.code


@pytest.mark.parametrize("seed", range(3))
def test_groups_are_those_of_whole_documents(seed: int) -> None:
    rng = random.Random(seed)
    client = Client("docstore://:memory:")
    rows = [document(rng, number) for number in range(60)]
    client.run("t", {"insert": "d", "documents": rows})
    good = 0
    for _ in range(80):
        unwind: dict[str, Any] = {"path": "$" + rng.choice(["list", "in.list", "b"])}
        unwind["preserveNullAndEmptyArrays"] = rng.random() < 0.5
        if rng.random() < 0.3:
            unwind["includeArrayIndex"] = rng.choice(["at", "in.at"])
        picked = rng.choice(["$first", "$last", "$push", "$max", "$min"])
        top = {"sortBy": {rng.choice(["a", "in.at"]): 1, "_id": 1}, "output": expression(rng)}
        group = {
            "_id": expression(rng),
            "p": {picked: expression(rng)},
            "n": {"$sum": "$a"},
            "t": {"$top": top},
            "at": {"$push": "$at"},
        }
        answers = []
        for between in ([], [{"$addFields": {"unused": 1}}, {"$project": {"unused": 0}}]):
            stages = [{"$sort": {"_id": 1}}, {"$unwind": unwind}, *between, {"$group": group}]
            command = {"aggregate": "d", "pipeline": stages, "cursor": {"batchSize": 1000}}
            answers.append(answer(client, command))
        assert repr(answers[0]) == repr(answers[1]), group
        good += isinstance(answers[0], list)
    assert good > 40
    client.close()
