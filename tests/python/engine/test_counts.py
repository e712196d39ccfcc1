# SPDX-License-Identifier: Apache-2.0
"""Counts read off an index say what a scan of the documents says."""

import datetime
import random
from typing import Any

from bson import Decimal128, Int64

from mongodb._core import Client
from mongodb.errors import OperationError

VALUES: list[Any] = [
    *[None, 0, 1, 1.0, 2, -1, Int64(3), 2.5, float("nan"), Decimal128("1"), "a", "b", ""],
    *[True, False, datetime.datetime(2020, 1, 1), {"x": 1}, [], [1, 2], [None]],
]
OPERATORS = ["$eq", "$gt", "$gte", "$lt", "$lte", "$ne", "$in", "$nin", "$exists", "$type", "$not"]
TYPES = ["int", "string", "null", "number", "bool", "object", "array"]


def condition(dice: random.Random) -> Any:
    operator = dice.choice(OPERATORS)
    if operator in ("$in", "$nin"):
        return {operator: [dice.choice(VALUES) for _ in range(dice.randint(0, 3))]}
    if operator == "$exists":
        return {operator: dice.random() < 0.5}
    if operator == "$type":
        return {operator: dice.choice(TYPES)}
    if operator == "$not":
        return {"$not": {dice.choice(["$gt", "$eq"]): dice.choice(VALUES)}}
    found = {operator: dice.choice(VALUES)}
    if dice.random() < 0.3:
        found[dice.choice(["$gt", "$lt", "$ne"])] = dice.choice(VALUES)
    return found


def test_counts_by_index_equal_counts_by_scan() -> None:
    dice = random.Random(7)
    client = Client("docstore://:memory:")
    for arrays in (False, True):
        values = VALUES if arrays else [one for one in VALUES if not isinstance(one, list)]
        documents = [
            {"_id": at, **{key: dice.choice(values) for key in "ab" if dice.random() < 0.8}}
            for at in range(300)
        ]
        plain, indexed = f"plain{arrays}", f"indexed{arrays}"
        indexes = [{"key": {"a": 1}, "name": "a"}, {"key": {"b": -1}, "name": "b"}]
        if not arrays:
            indexes.append({"key": {"a": 1, "b": -1}, "name": "ab"})
        for name in (plain, indexed):
            client.run("db", {"insert": name, "documents": documents})
        client.run("db", {"createIndexes": indexed, "indexes": indexes})
        for _ in range(2000):
            query = {
                key: condition(dice) if dice.random() < 0.8 else dice.choice(VALUES)
                for key in dice.sample("ab", dice.randint(1, 2))
            }
            try:
                expected = client.run("db", {"count": plain, "query": query})["n"]
            except OperationError:
                continue
            assert client.run("db", {"count": indexed, "query": query})["n"] == expected, query
    client.close()


def test_a_count_the_bounds_decide_fetches_nothing() -> None:
    client = Client("docstore://:memory:")
    client.run("db", {"insert": "c", "documents": [{"a": at % 10} for at in range(100)]})
    client.run("db", {"createIndexes": "c", "indexes": [{"key": {"a": 1}, "name": "a"}]})
    count = {"count": "c", "query": {"a": {"$gte": 3, "$lt": 6}}}
    told = client.run("db", {"explain": count, "verbosity": "executionStats"})
    assert told["queryPlanner"]["winningPlan"]["inputStage"]["stage"] == "COUNT_SCAN"
    assert told["executionStats"]["totalDocsExamined"] == 0
    assert client.run("db", count)["n"] == 30
    client.close()
