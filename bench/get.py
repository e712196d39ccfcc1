# SPDX-License-Identifier: Apache-2.0
"""Get 2,000 documents by id, one at a time."""

from typing import Any

import pymongo
from models import declare
from support import compare, make_document

import mongodb

COUNT = 2_000


def rows(uri: str, folder: str, rounds: int) -> list[dict[str, Any]]:
    raw = pymongo.MongoClient(uri)
    documents = [make_document(number) for number in range(COUNT)]
    raw.bench.drop_collection("get")
    raw.bench.get.insert_many(documents)
    ids = [document["_id"] for document in documents]
    mongodb.connect("bench", host=uri, alias="remote")
    mongodb.connect("bench", host=f"docstore://{folder}/get.docstore", alias="embedded")
    remote = declare(mongodb, "get", "remote").Person
    embedded = declare(mongodb, "get", "embedded").Person
    mongodb.get_db("embedded").get.insert_many(documents)

    def ours(cls: Any) -> None:
        for key in ids:
            assert cls.objects.get(id=key).name

    def find_one() -> None:
        for key in ids:
            found = raw.bench.get.find_one({"_id": key})
            assert found is not None and found["name"]

    times = compare(
        {"remote": lambda: ours(remote), "embedded": lambda: ours(embedded), "pymongo": find_one},
        rounds,
    )
    mongodb.disconnect("remote")
    mongodb.disconnect("embedded")

    def per(name: str, what: str = "wall") -> str:
        return f"{getattr(times[name], what) / COUNT * 1e6:.0f} µs"

    peer = times["pymongo"]
    return [
        {
            "work": "get by id, mongod; PyMongo find_one",
            "ours": per("remote"),
            "peer": per("pymongo"),
            "ratio": peer.wall / times["remote"].wall,
            "target": 1,
        },
        {
            "work": "the same, CPU of the client",
            "ours": per("remote", "cpu"),
            "peer": per("pymongo", "cpu"),
            "ratio": peer.cpu / times["remote"].cpu,
            "target": 2,
        },
        {
            "work": "get by id, embedded; PyMongo on mongod",
            "ours": per("embedded"),
            "peer": per("pymongo"),
            "ratio": peer.wall / times["embedded"].wall,
            "target": 10,
        },
    ]
