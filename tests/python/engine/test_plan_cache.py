# SPDX-License-Identifier: Apache-2.0
"""Which plan wins, how long it is remembered, and what is told of it, as mongod does."""

from collections.abc import Callable, Iterator
from typing import Any

import bson
import pytest

from mongodb import _core

Run = Callable[[dict[str, Any]], dict[str, Any]]
SIZE = 3000
LIST = {"find": "c", "filter": {"st": "open"}, "sort": {"ts": -1}, "limit": 10}
KEYS: tuple[dict[str, Any], ...] = ({"st": 1}, {"ts": 1}, {"n": 1}, {"m": 1}, {"a": 1, "b": 1})


def index(key: dict[str, Any]) -> dict[str, Any]:
    return {"key": key, "name": "_".join(f"{k}_{v}" for k, v in key.items())}


@pytest.fixture(scope="module")
def run(store_uri: str) -> Iterator[Run]:
    client = _core.Client(store_uri)

    def run_command(command: dict[str, Any]) -> dict[str, Any]:
        return bson.decode(client.run_raw("planned", command, check=False))

    run_command({"drop": "c"})
    docs = [
        {
            "_id": i,
            "st": "open" if i % 2 else "closed",
            "ts": i,
            "n": i % 20,
            "m": [i % 5, i % 7],
            "a": i % 30,
            "b": i,
        }
        for i in range(SIZE)
    ]
    run_command({"insert": "c", "documents": docs})
    indexes = [index(key) for key in KEYS]
    assert run_command({"createIndexes": "c", "indexes": indexes})["ok"]
    yield run_command
    run_command({"dropDatabase": 1})
    client.close()


def stats(run: Run) -> list[dict[str, Any]]:
    command = {"aggregate": "c", "pipeline": [{"$planCacheStats": {}}], "cursor": {}}
    found: list[dict[str, Any]] = run(command)["cursor"]["firstBatch"]
    return found


def stages(plan: dict[str, Any]) -> list[str]:
    found = []
    while plan:
        found.append(plan["stage"])
        plan = plan.get("inputStage") or (plan.get("inputStages") or [{}])[0]
    return found


def test_a_winner_is_used_once_two_races_chose_it(run: Run) -> None:
    run({"planCacheClear": "c"})
    for active in (False, True, True):
        assert len(run(LIST)["cursor"]["firstBatch"]) == 10
        (entry,) = stats(run)
        assert entry["isActive"] is active
    assert entry["createdFromQuery"] == {
        "query": {"st": "open"},
        "sort": {"ts": -1},
        "projection": {},
    }
    assert stages(entry["cachedPlan"]) == ["LIMIT", "FETCH", "IXSCAN"]
    assert len(entry["creationExecStats"]) == len(entry["candidatePlanScores"]) == 2
    assert len(entry["queryHash"]) == len(entry["planCacheKey"]) == 8
    assert sorted(entry) == sorted(
        (
            "version queryHash planCacheKey isActive works timeOfCreation createdFromQuery "
            "cachedPlan creationExecStats candidatePlanScores indexFilterSet estimatedSizeBytes "
            "host"
        ).split()
    )


def test_the_cache_is_cleared_by_shape_and_whole(run: Run) -> None:
    run({"planCacheClear": "c"})
    run(LIST)
    run({**LIST, "sort": {"ts": 1}})
    assert len(stats(run)) == 2
    shape = {"query": {"st": "closed"}, "sort": {"ts": -1}, "projection": {}}
    assert run({"planCacheClear": "c", **shape})["ok"] == 1
    assert [e["createdFromQuery"]["sort"] for e in stats(run)] == [{"ts": 1}]
    assert run({"planCacheClear": "c"})["ok"] == 1
    assert stats(run) == []


def test_a_new_index_forgets_what_was_learned(run: Run) -> None:
    run(LIST)
    assert stats(run)
    assert run({"createIndexes": "c", "indexes": [index({"new": 1})]})["ok"]
    assert stats(run) == []
    run(LIST)
    run({"dropIndexes": "c", "index": "new_1"})
    assert stats(run) == []


def test_changes_of_other_collections_forget_nothing(run: Run) -> None:
    run({"planCacheClear": "c"})
    run(LIST)
    run(LIST)
    indexes = [index({"x": 1}), index({"y": 1})]
    for command in (
        {"create": "other"},
        {"createIndexes": "other", "indexes": indexes},
        {"insert": "other", "documents": [{"_id": 1, "x": 1}]},
        {"insert": "other", "documents": [{"_id": 2, "x": [1, 2]}]},  # turns multikey
        {"dropIndexes": "other", "index": "y_1"},
        {"collMod": "other", "validator": {"x": {"$exists": True}}},
        {"drop": "other"},
    ):
        assert run(command)["ok"], command
        (entry,) = stats(run)
        assert entry["isActive"], command


def test_a_plan_that_was_wrong_is_raced_anew(run: Run) -> None:
    run({"planCacheClear": "c"})
    rare = [{"_id": SIZE + i, "st": "rare", "ts": -1 - i} for i in range(3)]
    run({"insert": "c", "documents": rare})
    for _ in range(3):
        run(LIST)
    (entry,) = stats(run)
    assert entry["isActive"] and stages(entry["cachedPlan"]) == ["LIMIT", "FETCH", "IXSCAN"]
    found = run({**LIST, "filter": {"st": "rare"}})["cursor"]["firstBatch"]
    assert [d["_id"] for d in found] == [SIZE, SIZE + 1, SIZE + 2]
    (entry,) = stats(run)
    assert stages(entry["cachedPlan"]) == ["SORT", "FETCH", "IXSCAN"]
    run({"delete": "c", "deletes": [{"q": {"st": "rare"}, "limit": 0}]})


def test_explain_shows_the_race(run: Run) -> None:
    told = run({"explain": LIST, "verbosity": "allPlansExecution"})
    planner, executed = told["queryPlanner"], told["executionStats"]
    assert stages(planner["winningPlan"]) == ["LIMIT", "FETCH", "IXSCAN"]
    assert [stages(p) for p in planner["rejectedPlans"]] == [["SORT", "FETCH", "IXSCAN"]]
    first, second = executed["allPlansExecution"]
    assert first["score"] > second["score"]
    assert stages(first["executionStages"]) == ["LIMIT", "FETCH", "IXSCAN"]
    assert first["nReturned"] == 10
    assert executed["totalDocsExamined"] <= 20
    assert stats(run) == [] or all(e["createdFromQuery"] for e in stats(run))


# query -> its stages, documents and keys examined at most: mongod's, and as many again for ours
TABLE: tuple[tuple[dict[str, Any], list[str], int, int], ...] = (
    (LIST, ["LIMIT", "FETCH", "IXSCAN"], 20, 20),
    ({**LIST, "filter": {"st": {"$in": ["open", "closed"]}}}, ["LIMIT", "FETCH", "IXSCAN"], 10, 10),
    (
        {"find": "c", "filter": {"st": "open", "ts": {"$gte": SIZE - 10}}},
        ["FETCH", "IXSCAN"],
        10,
        10,
    ),
    (
        {"find": "c", "filter": {"ts": {"$gte": 100}}, "skip": 500, "limit": 20},
        ["LIMIT", "FETCH", "SKIP", "IXSCAN"],
        20,
        520,
    ),
    (
        {"find": "c", "filter": {"a": {"$in": [1, 2, 3]}}, "sort": {"b": 1}, "limit": 9},
        ["LIMIT", "FETCH", "SORT_MERGE", "IXSCAN"],
        9,
        12,
    ),
    (
        {"find": "c", "filter": {"a": {"$gt": 20}, "b": {"$lt": 30}}},
        ["FETCH", "IXSCAN"],
        9,
        120,
    ),
    (
        {"find": "c", "filter": {"st": "open"}, "projection": {"st": 1, "_id": 0}, "limit": 5},
        ["LIMIT", "PROJECTION_COVERED", "IXSCAN"],
        0,
        5,
    ),
    ({"count": "c", "query": {"n": {"$gte": 5, "$lt": 7}}}, ["COUNT", "COUNT_SCAN"], 0, 301),
    ({"count": "c", "query": {"m": {"$gt": 3}}}, ["COUNT", "COUNT_SCAN"], 0, 1900),
    ({"count": "c", "query": {"n": {"$in": [1, 2]}}}, ["COUNT", "IXSCAN"], 0, 302),
)


@pytest.mark.parametrize(("command", "expected", "docs", "keys"), TABLE)
def test_plans_look_at_little(
    run: Run, command: dict[str, Any], expected: list[str], docs: int, keys: int
) -> None:
    told = run({"explain": command, "verbosity": "executionStats"})
    assert stages(told["queryPlanner"]["winningPlan"]) == expected
    assert told["executionStats"]["totalDocsExamined"] <= docs
    assert told["executionStats"]["totalKeysExamined"] <= keys


@pytest.mark.parametrize(("field", "values", "docs"), [("n", 20, 20), ("m", 7, 7), ("a", 30, 30)])
def test_distinct_looks_at_each_value_once(run: Run, field: str, values: int, docs: int) -> None:
    told = run({"explain": {"distinct": "c", "key": field}, "verbosity": "executionStats"})
    assert stages(told["queryPlanner"]["winningPlan"])[-1] == "DISTINCT_SCAN"
    assert told["executionStats"]["totalDocsExamined"] <= docs
    assert told["executionStats"]["totalKeysExamined"] <= 2 * values + 1
    assert len(run({"distinct": "c", "key": field})["values"]) == values


@pytest.mark.parametrize(
    ("command", "code"),
    [
        ({"planCacheClear": "nothing"}, None),
        ({"planCacheClear": "c", "query": {}}, None),
        ({"planCacheClear": "c", "sort": {"ts": 1}}, 2),
        ({"planCacheClear": "c", "query": 4}, 2),
        ({"planCacheClear": "c", "query": {"$zz": 1}}, 2),
        ({"planCacheClear": 1}, 73),
        ({"aggregate": "nothing", "pipeline": [{"$planCacheStats": {}}], "cursor": {}}, 50933),
        ({"aggregate": "c", "pipeline": [{"$planCacheStats": {"a": 1}}], "cursor": {}}, 9),
        ({"aggregate": "c", "pipeline": [{"$planCacheStats": 1}], "cursor": {}}, 9),
        ({"find": "c", "hint": "no_1"}, 2),
        ({"find": "c", "hint": {"no": 1}}, 2),
        ({"find": "c", "hint": {"$natural": 1}, "min": {"n": 1}}, 291),
        ({"find": "c", "hint": {"n": 1}, "min": {"zz": 1}}, 51174),
        ({"find": "c", "hint": {"n": 1}, "min": {"n": 5}, "max": {"n": 1}}, 51175),
        ({"find": "c", "hint": {"n": 1}, "min": {"n": 5}, "max": {"n": 5}}, 51175),
    ],
)
def test_what_cannot_be_planned_is_mongods_error(
    run: Run, command: dict[str, Any], code: int | None
) -> None:
    assert run(command).get("code") == code
