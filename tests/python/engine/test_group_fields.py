# SPDX-License-Identifier: Apache-2.0
"""$group reads the fields that it asks for in one walk: the groups are those of expressions that
read each field by itself."""

import datetime
import random
from typing import Any

import pytest
from bson import Decimal128, Int64, ObjectId

from mongodb import _core

NAMES = [*"abcdef", "ab", "ac", "name", "mane", "x" * 9, "x" * 8 + "y"]
TIME = datetime.datetime(2024, 5, 1)
VALUES: list[Any] = [
    None, True, 0, 1, -1, 7, 2**31 - 1, Int64(1), Int64(2**32 - 1), Int64(2**32), Int64(2**53 + 1),
    Int64(-5), Int64(-(2**40)), 0.1, 1.0, -2.5, float("inf"), Decimal128("1"), Decimal128("0.30"),
    "", "text", "texts", b"\x00\x01", [], [1, 2], [3], {}, {"a": 1}, ObjectId("0" * 24), TIME,
    TIME + datetime.timedelta(milliseconds=1),
]  # fmt: skip
OPS = ["$sum", "$avg", "$min", "$max", "$first", "$last", "$push", "$addToSet", "$stdDevPop"]


def apart(name: str) -> Any:
    """The same value, by an expression that is not just a field."""
    return {"$let": {"vars": {"v": f"${name}"}, "in": "$$v"}}


@pytest.mark.parametrize("seed", range(6))
def test_groups_by_fields_read_at_once(seed: int) -> None:
    chance = random.Random(seed)
    numbers = [one for one in VALUES if isinstance(one, (int, float)) and one is not True]
    documents = []
    for at in range(60):
        names = chance.sample(NAMES, chance.randrange(len(NAMES) + 1))
        of = chance.choice([VALUES, numbers])
        documents.append({"_id": at, **{name: chance.choice(of) for name in names}})
    with _core.Client("docstore://:memory:") as client:
        client.run("db", {"insert": "f", "documents": documents})
        for _ in range(25):
            key = chance.choice([None, "const", *NAMES[:4], "_id"])
            asked = [(chance.choice(OPS), chance.choice([*NAMES, "_id", "no", "a.a"]))
                     for _ in range(chance.choice([0, 1, 3, 6, 20]))]  # fmt: skip
            found = []
            for read in (lambda name: f"${name}", apart):
                group = {f"o{i}": {op: read(name)} for i, (op, name) in enumerate(asked)}
                field = key not in (None, "const")
                group["_id"] = read(key) if field else key
                pipeline: list[Any] = [{"$sort": {"_id": 1}}, {"$group": group}]
                reply = client.run("db", {"aggregate": "f", "pipeline": pipeline, "cursor": {}})
                found.append(reply["cursor"]["firstBatch"])
            assert repr(found[0]) == repr(found[1]), (key, asked)
