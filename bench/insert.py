# SPDX-License-Identifier: Apache-2.0
"""Insert 10,000 documents in bulk."""

from typing import Any

import pymongo
from models import declare
from support import compare, make_document

import mongodb

COUNT = 10_000


def rows(uri: str, folder: str, rounds: int) -> list[dict[str, Any]]:
    raw = pymongo.MongoClient(uri)
    mongodb.connect("bench", host=f"docstore://{folder}/insert.docstore", alias="embedded")
    classes = declare(mongodb, "insert", "embedded")

    def fresh() -> list[dict[str, Any]]:
        return [make_document(number) for number in range(COUNT)]

    def build(document: dict[str, Any]) -> Any:
        values = {key: value for key, value in document.items() if key != "_id"}
        values["address"] = classes.Address(**values["address"])
        values["orders"] = [classes.Order(**order) for order in values["orders"]]
        return classes.Person(**values)

    peers = [fresh() for _ in range(rounds + 1)]
    ours = [[build(document) for document in batch] for batch in peers]
    classes.Person.drop_collection()
    raw.bench.drop_collection("insert")
    times = compare(
        {
            "embedded": lambda: classes.Person.objects.insert(ours.pop(), load_bulk=False),
            "pymongo": lambda: raw.bench.insert.insert_many(peers.pop()),
        },
        rounds,
    )
    mongodb.disconnect("embedded")
    return [
        {
            "work": "bulk insert of 10,000 documents, embedded; PyMongo insert_many on mongod",
            "ours": f"{times['embedded'].wall / COUNT * 1e6:.1f} µs",
            "peer": f"{times['pymongo'].wall / COUNT * 1e6:.1f} µs",
            "ratio": times["pymongo"].wall / times["embedded"].wall,
            "target": 1,
        }
    ]
