# SPDX-License-Identifier: Apache-2.0
"""$facet lets its input through to all its pipelines, a part at a time."""

import pathlib
import random
from collections.abc import Iterator
from typing import Any

import pytest

from mongodb import _core

STAGES: list[list[dict[str, Any]]] = [
    [],
    [{"$match": {"n": {"$gt": 50}}}],
    [{"$limit": 3}],
    [{"$skip": 100}, {"$limit": 1_500}],
    [{"$sort": {"n": -1, "_id": 1}}, {"$limit": 5}],
    [{"$sort": {"n": 1, "_id": -1}}],
    [
        {"$group": {"_id": "$g", "n": {"$sum": "$n"}, "f": {"$first": "$_id"}}},
        {"$sort": {"_id": 1}},
    ],
    [{"$count": "all"}],
    [{"$sortByCount": "$g"}, {"$sort": {"count": 1, "_id": 1}}],
    [{"$unwind": "$tags"}, {"$match": {"tags": 1}}],
    [{"$bucket": {"groupBy": "$n", "boundaries": [0, 30, 60], "default": "more"}}],
    [{"$bucketAuto": {"groupBy": "$_id", "buckets": 4}}],
    [{"$project": {"twice": {"$multiply": ["$n", 2]}}}, {"$match": {"twice": 10}}],
    [
        {
            "$setWindowFields": {
                "partitionBy": "$g",
                "sortBy": {"_id": 1},
                "output": {"sum": {"$sum": "$n", "window": {"documents": [-1, 1]}}},
            }
        },
        {"$match": {"sum": {"$lt": 30}}},
        {"$sort": {"_id": 1}},
    ],
    [{"$densify": {"field": "d", "range": {"step": 1, "bounds": "full"}}}, {"$count": "n"}],
    [
        {"$lookup": {"from": "c", "localField": "_id", "foreignField": "n", "as": "x"}},
        {"$limit": 2},
    ],
    [{"$replaceRoot": {"newRoot": {"g": "$g"}}}, {"$match": {"g": 2}}, {"$limit": 40}],
    [{"$match": {"_id": {"$lt": 3}}}, {"$unionWith": {"coll": "c", "pipeline": [{"$limit": 2}]}}],
    [{"$group": {"_id": None, "all": {"$push": "$n"}}}, {"$project": {"n": {"$size": "$all"}}}],
]


@pytest.fixture(scope="module")
def client(tmp_path_factory: pytest.TempPathFactory) -> Iterator[_core.Client]:
    path: pathlib.Path = tmp_path_factory.mktemp("facet") / "facet.docstore"
    draw = random.Random(5)
    with _core.Client(f"docstore://{path}") as client:
        documents = [
            {
                "_id": number,
                "n": draw.randrange(100),
                "g": draw.randrange(7),
                "d": draw.randrange(50),
                "tags": [draw.randrange(9) for _ in range(draw.randrange(4))],
                "pad": "x" * 1_500,
            }
            for number in range(2_500)
        ]  # some more than what goes through at a time
        client.run("db", {"insert": "c", "documents": documents})
        yield client


def run(client: _core.Client, pipeline: list[dict[str, Any]]) -> list[Any]:
    command = {"aggregate": "c", "pipeline": pipeline, "cursor": {"batchSize": 10_000}}
    return client.run("db", command)["cursor"]["firstBatch"]


def without_pad(stages: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return [*stages, {"$project": {"pad": 0}}]


@pytest.mark.parametrize("at", range(len(STAGES)))
def test_a_part_gives_what_its_pipeline_gives_alone(client: _core.Client, at: int) -> None:
    others = {f"f{i}": without_pad(STAGES[i]) for i in {at, (at + 5) % len(STAGES)}}
    (facets,) = run(client, [{"$facet": others}])
    for name, stages in others.items():
        assert facets[name] == run(client, stages), name


def test_samples_and_errors_of_a_part(client: _core.Client) -> None:
    sample = [{"$sample": {"size": 700}}, {"$project": {"pad": 0}}]
    (facets,) = run(client, [{"$facet": {"s": sample, "one": [{"$limit": 1}]}}])
    assert len({found["_id"] for found in facets["s"]}) == 700
    wrong = [{"$facet": {"bad": [{"$project": {"x": {"$divide": ["$n", {"$subtract": [1, 1]}]}}}]}}]
    command = {"aggregate": "c", "pipeline": wrong, "cursor": {}}
    assert client.run("db", command, check=False)["ok"] == 0


def test_an_input_of_more_than_100_mb_goes_through(tmp_path: pathlib.Path) -> None:
    with _core.Client(f"docstore://{tmp_path}/large.docstore") as client:
        pad = "x" * 1_000_000
        for number in range(110):
            client.run("db", {"insert": "c", "documents": [{"_id": number, "pad": pad}]})
        facet = {"n": [{"$count": "n"}], "first": [{"$project": {"_id": 1}}, {"$limit": 1}]}
        assert run(client, [{"$facet": facet}]) == [{"n": [{"n": 110}], "first": [{"_id": 0}]}]
