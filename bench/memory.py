# SPDX-License-Identifier: Apache-2.0
"""Memory: documents that are held, and the peak of iterating 100,000. A process for each."""

import gc
import json
import os
import pathlib
import subprocess
import sys
from collections.abc import Callable
from typing import Any

HELD = 10_000
ITERATED = 100_000
PAGE = os.sysconf("SC_PAGE_SIZE")


def resident() -> int:
    gc.collect()
    return int(pathlib.Path("/proc/self/statm").read_text().split()[1]) * PAGE


def largest() -> int:
    """The most that was ever resident of this process, in KiB."""
    status = pathlib.Path("/proc/self/status").read_text()
    return int(status.split("VmHWM:")[1].split()[0])


def touch(person: Any) -> int:
    if isinstance(person, dict):
        return len(person["name"]) + person["age"] + person["level"]
    return len(person.name) + person.age + person.level


def source(who: str, uri: str) -> Callable[[int], Any]:
    """What gives an iterator over so many documents of one contender; no cache is kept."""
    if who == "pymongo":
        import pymongo

        client = pymongo.MongoClient(uri)
        return lambda count: client.bench.memory.find().limit(count)
    from models import declare

    if who == "mongoengine":
        import mongoengine as odm
    else:
        import mongodb as odm
    odm.connect("bench", host=uri)
    person = declare(odm, "memory").Person
    return lambda count: person.objects.limit(count).no_cache()


def measure(who: str, uri: str) -> dict[str, int]:
    """In a child: bytes for each document held, untouched and touched, then the peak."""
    find = source(who, uri)
    for person in find(200):
        touch(person)
    del person
    before = resident()
    people = list(find(HELD))
    held = resident() - before
    for person in people:
        touch(person)
    touched = resident() - before
    return {"held": held // HELD, "touched": touched // HELD}


def peak(who: str, uri: str) -> dict[str, int]:
    """In a child: how much the largest size exceeds that before the iteration."""
    find = source(who, uri)
    for person in find(200):
        touch(person)
    before = largest()
    for person in find(ITERATED):
        touch(person)
    return {"peak": largest() - before}


def child(task: str, who: str, uri: str) -> dict[str, int]:
    command = [sys.executable, __file__, task, who, uri]
    return json.loads(subprocess.run(command, check=True, stdout=subprocess.PIPE).stdout)


def rows(uri: str, folder: str, rounds: int) -> list[dict[str, Any]]:
    import pymongo
    from support import make_document

    from mongodb._core import Client

    store = f"docstore://{folder}/memory.docstore"
    raw = pymongo.MongoClient(uri)
    raw.bench.drop_collection("memory")
    client = Client(store)
    for at in range(0, ITERATED, 10_000):
        documents = [make_document(number) for number in range(at, at + 10_000)]
        raw.bench.memory.insert_many(documents)
        client.run("bench", {"insert": "memory", "documents": documents})
    client.close()
    where = {"mongod": uri, "embedded": store, "pymongo": uri, "mongoengine": uri}
    found = {
        who: {**child("held", who, address), **child("peak", who, address)}
        for who, address in where.items()
    }
    raw.bench.drop_collection("memory")

    def row(work: str, ours: str, peer: str, what: str, target: float) -> dict[str, Any]:
        unit, size = ("MB", 1024.0) if what == "peak" else ("B", 1.0)
        digits = ".1f" if what == "peak" else ",.0f"
        mine, other = found[ours][what] / size, found[peer][what] / size
        return {
            "work": work,
            "ours": f"{mine:{digits}} {unit}",
            "peer": f"{peer} {other:{digits}} {unit}",
            "ratio": other / max(mine, 0.1),
            "target": target,
        }

    return [
        row(
            "resident memory of a document held, mongod; PyMongo dict",
            "mongod",
            "pymongo",
            "held",
            1,
        ),
        row("the same; MongoEngine", "mongod", "mongoengine", "held", 1),
        row("the same, 3 fields read; PyMongo dict", "mongod", "pymongo", "touched", 1),
        row("the same, 3 fields read; MongoEngine", "mongod", "mongoengine", "touched", 1),
        row("peak of iterating 100,000, mongod; PyMongo", "mongod", "pymongo", "peak", 1),
        row("the same; MongoEngine", "mongod", "mongoengine", "peak", 1),
        row("the same, embedded; PyMongo", "embedded", "pymongo", "peak", 1),
    ]


if __name__ == "__main__":
    run = {"held": measure, "peak": peak}[sys.argv[1]]
    print(json.dumps(run(sys.argv[2], sys.argv[3])))
