# SPDX-License-Identifier: Apache-2.0
"""Iterate 10,000 documents and touch 3 fields of each."""

from typing import Any

import mongoengine
import pymongo
from models import declare
from support import compare, make_document

import mongodb

COUNT = 10_000


def rows(uri: str, folder: str, rounds: int) -> list[dict[str, Any]]:
    raw = pymongo.MongoClient(uri)
    documents = [make_document(number) for number in range(COUNT)]
    raw.bench.drop_collection("read")
    raw.bench.read.insert_many(documents)
    mongodb.connect("bench", host=uri, alias="remote")
    mongodb.connect("bench", host=f"docstore://{folder}/read.docstore", alias="embedded")
    mongoengine.connect("bench", host=uri, alias="peer")
    remote = declare(mongodb, "read", "remote").Person
    embedded = declare(mongodb, "read", "embedded").Person
    peer = declare(mongoengine, "read", "peer").Person
    mongodb.get_db("embedded").read.insert_many(documents)

    def touch(found: Any) -> int:
        total = 0
        for person in found:
            total += len(person.name) + person.age + person.level
        return total

    def dicts() -> int:
        total = 0
        for person in raw.bench.read.find():
            total += len(person["name"]) + person["age"] + person["level"]
        return total

    times = compare(
        {
            "remote": lambda: touch(remote.objects),
            "embedded": lambda: touch(embedded.objects),
            "dicts": dicts,
            "mongoengine": lambda: touch(peer.objects),
        },
        rounds,
    )
    mongodb.disconnect("remote")
    mongodb.disconnect("embedded")

    def per(name: str) -> str:
        return f"{times[name].wall / COUNT * 1e6:.2f} µs"

    def row(work: str, ours: str, against: str, target: float) -> dict[str, Any]:
        ratio = times[against].wall / times[ours].wall
        return {
            "work": work,
            "ours": per(ours),
            "peer": f"{against} {per(against)}",
            "ratio": ratio,
            "target": target,
        }

    return [
        row(
            "iterate 10,000 from mongod, 3 fields; PyMongo to dicts",
            "remote",
            "dicts",
            4,
        ),
        row("the same; MongoEngine", "remote", "mongoengine", 30),
        row("the same from the embedded store; PyMongo from mongod", "embedded", "dicts", 10),
    ]
