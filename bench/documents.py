# SPDX-License-Identifier: Apache-2.0
"""What documents cost beside MongoEngine's and PyMongo's dicts, on the same mongod."""

import pathlib
import subprocess
import sys
from typing import Any

import mongoengine
import pymongo
from models import declare
from support import compare, make_document

import mongodb

COUNT = 2_000


def leaves(value: Any) -> int:
    """Read all there is in a value of PyMongo's."""
    if isinstance(value, dict):
        return sum(map(leaves, value.values()))
    if isinstance(value, list):
        return sum(map(leaves, value))
    return 1


def fields(person: Any, names: list[str], inner: list[str]) -> int:
    """Read all fields of a document, those of its embedded documents too."""
    read = 0
    for name in names:
        value = getattr(person, name)
        if hasattr(value, "_fields"):
            for part in inner:
                getattr(value, part)
                read += 1
        elif isinstance(value, list):
            for _ in value:
                read += 1
        else:
            read += 1
    return read


class Long:
    """A document of 1,000 embedded ones, of which one is changed."""

    def __init__(self, odm: Any, collection: str, alias: str) -> None:
        fields = odm.fields

        class Line(odm.EmbeddedDocument):
            sku = fields.StringField()
            quantity = fields.IntField()

        class Bill(odm.Document):
            lines = fields.ListField(fields.EmbeddedDocumentField(Line))
            meta = {"collection": collection, "db_alias": alias}

        lines = [Line(sku=f"sku-{n}", quantity=n) for n in range(1000)]
        self.bill = Bill.objects.get(pk=Bill(lines=lines).save().pk)
        self.turn = 0

    def change(self) -> None:
        for _ in range(20):
            self.turn += 1
            self.bill.lines[500].quantity = self.turn
            self.bill.save()


KEPT = """
import sys
sys.path.insert(0, sys.argv[3])
from memory import resident, source
find = source(sys.argv[1], sys.argv[2])
held = [[one for n, one in enumerate(find(20_000)) if not n % 1000] for _ in range(2)]
before = resident()
held += [[one for n, one in enumerate(find(20_000)) if not n % 1000] for _ in range(2)]
print((resident() - before) // 40)
"""


def kept_bytes(who: str, uri: str) -> int:
    """Bytes that each of 20 documents costs which are kept of 20,000, in a process of its own."""
    client: pymongo.MongoClient[Any] = pymongo.MongoClient(uri)
    if client.bench.memory.estimated_document_count() < 20_000:
        client.bench.drop_collection("memory")
        client.bench.memory.insert_many([make_document(number) for number in range(20_000)])
    here = str(pathlib.Path(__file__).parent)
    command = [sys.executable, "-c", KEPT, who, uri, here]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    return max(0, int(done.stdout))


def import_time(odm: str) -> float:
    """Seconds of CPU of an import, the least of five processes."""
    code = f"import time; a = time.process_time(); import {odm}; print(time.process_time() - a)"
    command = [sys.executable, "-c", code]
    return min(
        float(subprocess.run(command, capture_output=True, text=True, check=True).stdout)
        for _ in range(5)
    )


def rows(uri: str, folder: str, rounds: int) -> list[dict[str, Any]]:
    raw = pymongo.MongoClient(uri)
    stored = [make_document(number) for number in range(COUNT)]
    raw.bench.drop_collection("documents")
    raw.bench.documents.insert_many(stored)
    mongodb.connect("bench", host=uri, alias="documents")
    mongoengine.connect("bench", host=uri, alias="documents_peer")
    own = declare(mongodb, "documents", "documents").Person
    peer = declare(mongoengine, "documents", "documents_peer").Person
    names = [name for name in own._fields if name != "id"]
    embedded = [f for f in own._fields.values() if f.kind == "embedded"]
    inner = list(embedded[0].document_type._fields) if embedded else []
    values = [{k: v for k, v in make_document(n).items() if k != "_id"} for n in range(COUNT)]
    mine, theirs = own.objects.first(), peer.objects.first()
    turn = [0]

    def build(cls: Any) -> int:
        return len([cls(**{k: v for k, v in one.items() if k in names}) for one in values])

    def change(person: Any) -> None:
        for _ in range(300):
            turn[0] += 1
            person.visits = turn[0]
            person.save()

    def update_one() -> None:
        for _ in range(300):
            turn[0] += 1
            raw.bench.documents.update_one({"_id": stored[0]["_id"]}, {"$set": {"visits": turn[0]}})

    def querysets(cls: Any) -> None:
        for _ in range(1000):
            cls.objects.filter(age__gte=3).filter(name__ne="x").order_by("age").limit(10)

    many = {
        "mongodb": Long(mongodb, "documents_long", "documents"),
        "mongoengine": Long(mongoengine, "documents_long", "documents_peer"),
    }
    times = compare(
        {
            "queryset json": lambda: own.objects.to_json(),
            "queryset json, MongoEngine": lambda: peer.objects.to_json(),
            "json": lambda: [mine.to_json() for _ in range(1000)],
            "json, MongoEngine": lambda: [theirs.to_json() for _ in range(1000)],
            "build": lambda: build(own),
            "build, MongoEngine": lambda: build(peer),
            "leaves": lambda: sum(fields(one, names, inner) for one in own.objects),
            "leaves, dicts": lambda: sum(leaves(one) for one in raw.bench.documents.find()),
            "save": lambda: change(mine),
            "save, update_one": update_one,
            "one of 1,000": many["mongodb"].change,
            "one of 1,000, MongoEngine": many["mongoengine"].change,
            "steps": lambda: querysets(own),
            "steps, MongoEngine": lambda: querysets(peer),
        },
        rounds,
    )
    mongodb.disconnect("documents")

    def row(work: str, ours: str, against: str, target: float, number: int,
            cpu: bool = False) -> dict[str, Any]:  # fmt: skip
        taken = [times[name].cpu if cpu else times[name].wall for name in (ours, against)]
        peer_name = against.partition(", ")[2]
        return {
            "work": work,
            "ours": f"{taken[0] / number * 1e6:.2f} µs",
            "peer": f"{peer_name} {taken[1] / number * 1e6:.2f} µs",
            "ratio": taken[1] / taken[0],
            "target": target,
        }

    kept, kept_peer = (
        kept_bytes("mongodb", uri),
        kept_bytes("pymongo", uri),
    )
    imported, imported_peer = import_time("mongodb"), import_time("mongoengine")
    return [
        {
            "work": "20 documents kept of 20,000, memory of each",
            "ours": f"{kept / 1024:.1f} KB",
            "peer": f"dicts {kept_peer / 1024:.1f} KB",
            "ratio": kept_peer / max(1, kept),
            "target": 1,
        },
        {
            "work": "import of the package, CPU",
            "ours": f"{imported * 1000:.0f} ms",
            "peer": f"MongoEngine {imported_peer * 1000:.0f} ms",
            "ratio": imported_peer / imported,
            "target": 1,
        },
        row("change one of 1,000 embedded documents and save(), CPU", "one of 1,000",
            "one of 1,000, MongoEngine", 10, 20, True),
        row("a queryset's to_json(), each of 2,000", "queryset json", "queryset json, MongoEngine",
            10, COUNT),
        row("a document's to_json()", "json", "json, MongoEngine", 40, 1000),
        row("build an object of a dict, CPU", "build", "build, MongoEngine", 20, COUNT, True),
        row("iterate 2,000 and read every field", "leaves", "leaves, dicts", 1, COUNT),
        row("save() of one changed field, client CPU", "save", "save, update_one", 1, 300, True),
        row("build a queryset of 4 steps, CPU", "steps", "steps, MongoEngine", 15, 1000, True),
    ]  # fmt: skip
