# SPDX-License-Identifier: Apache-2.0
"""explain names the stages and bounds mongod names."""

from collections.abc import Iterator
from typing import Any

import bson
import pytest

from mongodb import _core

KEPT = (
    "stage",
    "indexName",
    "direction",
    "isMultiKey",
    "indexBounds",
    "limitAmount",
    "sortPattern",
)


@pytest.fixture(scope="module")
def run(store_uri: str) -> Iterator[Any]:
    client = _core.Client(store_uri)

    def run_command(command: dict[str, Any]) -> dict[str, Any]:
        return bson.decode(client.run_raw("explained", command, check=False))

    run_command({"drop": "c"})
    docs = [{"_id": i, "a": i, "b": i % 3, "m": [i, i + 1], "d": {"x": i}} for i in range(20)]
    run_command({"insert": "c", "documents": docs})
    indexes = [
        {"key": {"a": 1, "b": -1}, "name": "ab"},
        {"key": {"m": 1}, "name": "m"},
        {"key": {"d.x": 1}, "name": "dx", "sparse": True},
    ]
    run_command({"createIndexes": "c", "indexes": indexes})
    yield run_command
    run_command({"dropDatabase": 1})
    client.close()


def stages(plan: dict[str, Any]) -> list[dict[str, Any]]:
    found = []
    while plan:
        found.append({k: plan[k] for k in KEPT if k in plan})
        plan = plan.get("inputStage", {})
    return found


def scan(name: str, bounds: dict[str, list[str]], **more: Any) -> dict[str, Any]:
    return {
        "stage": "IXSCAN",
        "indexName": name,
        "direction": "forward",
        "isMultiKey": name == "m",
        "indexBounds": bounds,
        **more,
    }


B = {"b": ["[MaxKey, MinKey]"]}
FETCH = {"stage": "FETCH"}
TABLE = {"stage": "COLLSCAN", "direction": "forward"}


@pytest.mark.parametrize(
    ("find", "expected", "found"),
    [
        ({"filter": {"_id": 5}}, [{"stage": "IDHACK"}], 1),
        ({"filter": {"zz": 1}}, [TABLE], 0),
        ({"filter": {}, "limit": 5}, [{"stage": "LIMIT", "limitAmount": 5}, TABLE], 5),
        ({"filter": {"a": 5}}, [FETCH, scan("ab", {"a": ["[5, 5]"], **B})], 1),
        ({"filter": {"a": {"$gt": 5}}}, [FETCH, scan("ab", {"a": ["(5, inf.0]"], **B})], 14),
        (
            {"filter": {"a": {"$in": [3, 1]}, "b": 1}},
            [FETCH, scan("ab", {"a": ["[1, 1]", "[3, 3]"], "b": ["[1, 1]"]})],
            1,
        ),
        (
            {"filter": {"a": {"$ne": 5}}},
            [FETCH, scan("ab", {"a": ["[MinKey, 5)", "(5, MaxKey]"], **B})],
            19,
        ),
        ({"filter": {"m": 5}}, [FETCH, scan("m", {"m": ["[5, 5]"]})], 2),
        (
            {"filter": {"m": {"$gt": 3, "$lt": 5}}},
            [FETCH, scan("m", {"m": ["[-inf.0, 5)"]})],
            2,
        ),
        ({"filter": {"d.x": {"$gte": 18}}}, [FETCH, scan("dx", {"d.x": ["[18, inf.0]"]})], 2),
        ({"filter": {"d.x": None}}, [TABLE], 0),
        (
            {"filter": {}, "sort": {"a": -1}},
            [
                FETCH,
                scan(
                    "ab",
                    {"a": ["[MaxKey, MinKey]"], "b": ["[MinKey, MaxKey]"]},
                    direction="backward",
                ),
            ],
            20,
        ),
        (
            {"filter": {}, "sort": {"b": 1}, "limit": 3},
            [{"stage": "SORT", "sortPattern": {"b": 1}, "limitAmount": 3}, TABLE],
            3,
        ),
    ],
)
def test_plans_are_named_as_mongod_names_them(
    run: Any, find: dict[str, Any], expected: list[dict[str, Any]], found: int
) -> None:
    reply = run({"explain": {"find": "c", **find}, "verbosity": "executionStats"})
    assert stages(reply["queryPlanner"]["winningPlan"]) == expected
    assert reply["executionStats"]["nReturned"] == found


def test_writes_are_planned_but_not_carried_out(run: Any) -> None:
    delete = {"delete": "c", "deletes": [{"q": {"a": 5}, "limit": 1}]}
    reply = run({"explain": delete, "verbosity": "executionStats"})
    assert reply["queryPlanner"]["winningPlan"]["stage"] == "DELETE"
    assert run({"count": "c", "query": {"a": 5}})["n"] == 1


def test_unknown_commands_are_not_explained(run: Any) -> None:
    assert run({"explain": {"foo": 1}})["code"] == 59
    assert run({"explain": {"find": "c"}, "verbosity": "x"})["code"] == 2
