# SPDX-License-Identifier: Apache-2.0
"""A store with something of everything, and the answers of the program that made it.

    python make.py FOLDER NAME      with the build whose files are to be kept

writes NAME.docstore.xz and NAME.answers.xz. Nothing in them depends on the time.
"""

import lzma
import pathlib
import sys
from typing import Any

from bson import (
    Binary,
    Code,
    Decimal128,
    Int64,
    MaxKey,
    MinKey,
    ObjectId,
    Regex,
    Timestamp,
    decode,
    encode,
)
from bson.datetime_ms import DatetimeMS

from mongodb import _core

FAR = 4_000_000_000_000  # the year 2096: nothing expires
INDEXES = [
    {"key": {"n": 1}, "name": "n"},
    {"key": {"n": -1, "s": 1}, "name": "compound"},
    {"key": {"tags": 1}, "name": "tags"},
    {"key": {"email": 1}, "name": "email", "unique": True, "sparse": True},
    {"key": {"s": "hashed"}, "name": "hashed"},
    {
        "key": {"score": 1},
        "name": "partial",
        "unique": True,
        "partialFilterExpression": {"score": {"$gt": 100}},
    },
    {"key": {"until": 1}, "name": "ttl", "expireAfterSeconds": 3600},
    {"key": {"a.b": 1}, "name": "nested"},
]
VALIDATOR = {"$jsonSchema": {"required": ["x"], "properties": {"x": {"bsonType": "int"}}}}
QUESTIONS: list[tuple[str, dict[str, Any]]] = [
    ("shop", {"find": "things", "filter": {"n": {"$gte": 90, "$lt": 130}}, "hint": "n"}),
    ("shop", {"find": "things", "sort": {"n": -1, "s": 1}, "limit": 40, "hint": "compound"}),
    ("shop", {"find": "things", "filter": {"tags": "t3"}, "hint": "tags", "sort": {"_id": 1}}),
    ("shop", {"find": "things", "filter": {"email": "mail77"}}),
    ("shop", {"find": "things", "filter": {"s": "text 5"}, "hint": "hashed", "sort": {"_id": 1}}),
    ("shop", {"find": "things", "filter": {"score": {"$gt": 500}}, "hint": "partial"}),
    ("shop", {"find": "things", "filter": {"a.b": {"$in": [3, 4]}}, "sort": {"_id": -1}}),
    ("shop", {"find": "things", "filter": {"until": {"$gt": DatetimeMS(FAR + 290)}}}),
    ("shop", {"find": "types", "sort": {"v": 1, "_id": 1}}),
    ("shop", {"find": "types", "hint": {"$natural": -1}}),
    ("shop", {"find": "large", "projection": {"n": 1}}),
    ("shop", {"find": "checked"}),
    ("shop", {"find": "log"}),
    ("shop", {"find": "shorter", "sort": {"n": 1}}),
    ("shop", {"find": "emptied"}),
    ("shop", {"count": "things"}),
    ("shop", {"count": "types"}),
    ("shop", {"count": "large"}),
    ("shop", {"count": "log"}),
    ("shop", {"count": "emptied"}),
    ("shop", {"distinct": "things", "key": "tags"}),
    (
        "shop",
        {
            "aggregate": "things",
            "pipeline": [{"$group": {"_id": "$s", "n": {"$sum": 1}}}, {"$sort": {"_id": 1}}],
            "cursor": {},
        },
    ),
    ("shop", {"listCollections": 1}),
    ("shop", {"listIndexes": "things"}),
    ("shop", {"listIndexes": "log"}),
    ("other", {"find": "things"}),
    ("other", {"listCollections": 1}),
]


def values() -> list[Any]:
    oid = ObjectId("65a1b2c3d4e5f60718293a4b")
    long_text = "é漢" * 40
    return [
        *(None, True, False, 0, -0.0, 0.0, 1, -1, 2**31 - 1, Int64(5), Int64(2**53 + 1), 2**62),
        *(1.5, -1e300, float("inf"), float("nan"), Decimal128("1.10"), Decimal128("NaN")),
        *("", "a", "a\0b", long_text, b"\1\2\3", Binary(b"x" * 16, 4), oid),
        *(DatetimeMS(0), DatetimeMS(-1), DatetimeMS(FAR), Timestamp(1, 2), Regex("^a", "i")),
        *(MinKey(), MaxKey(), Code("f()"), Code("g(x)", {"x": 1}), [], {}, [[], {}, [1, [2]]]),
        *({"a": {"b": [{"c": None}]}}, [None, 1, "x"]),
    ]


def answers(client: _core.Client) -> bytes:
    """What the questions are answered: one document."""
    found = []
    for db, question in QUESTIONS:
        whole = {"batchSize": 1000} if "find" in question else {}
        reply = decode(client.run_raw(db, {**question, **whole}))
        cursor = reply.get("cursor")
        found.append(cursor["firstBatch"] if cursor else reply.get("values", reply.get("n")))
    return encode({"answers": found})


def thing(number: int) -> dict[str, Any]:
    made: dict[str, Any] = {
        "_id": number if number % 3 else f"id {number}",
        "n": number,
        "s": f"text {number % 17}",
        "tags": [f"t{number % 5}", f"t{number % 7}"],
        "a": [{"b": number % 9}, {"b": number % 4}],
        "until": DatetimeMS(FAR + number),
        "score": number * 2 if number > 40 else 7,
    }
    if number % 2:
        made["email"] = f"mail{number}"
    return made


def fill(client: _core.Client) -> None:
    def run(name: str, command: str, db: str = "shop", **rest: Any) -> None:
        client.run(db, {command: name, **rest})

    client.run("shop", {"createIndexes": "things", "indexes": INDEXES})
    run("things", "insert", documents=[thing(number) for number in range(300)])
    run("things", "delete", deletes=[{"q": {"n": {"$in": [10, 11, 299]}}, "limit": 0}])
    change = {"q": {"n": {"$mod": [10, 5]}}, "u": {"$set": {"s": "changed"}}, "multi": True}
    run("things", "update", updates=[change])
    run("types", "insert", documents=[{"_id": i, "v": v} for i, v in enumerate(values())])
    run("types", "createIndexes", indexes=[{"key": {"v": 1}, "name": "v"}])
    large = [{"_id": n, "n": n, "text": f"{n} " * 30_000} for n in range(3)]
    run("large", "insert", documents=large)
    run("checked", "create", validator=VALIDATOR, validationLevel="moderate")
    run("checked", "insert", documents=[{"_id": n, "x": n} for n in range(5)])
    run("log", "create", capped=True, size=4096, max=20)
    run("log", "insert", documents=[{"_id": n, "line": f"line {n}"} for n in range(50)])
    run("shorter", "create", viewOn="things", pipeline=[{"$match": {"n": {"$lt": 9}}}])
    run("emptied", "insert", documents=[{"_id": n} for n in range(10)])
    run("emptied", "delete", deletes=[{"q": {}, "limit": 0}])
    run("dropped", "insert", documents=[{"_id": n} for n in range(10)])
    run("dropped", "drop")
    run("things", "insert", db="other", documents=[{"_id": 1, "of": "another database"}])


def main(folder: str, name: str) -> None:
    path = pathlib.Path(folder) / f"{name}.docstore"
    client = _core.Client(f"docstore://{path}")
    fill(client)
    found = answers(client)
    client.close()
    for tail, data in ((".docstore", path.read_bytes()), (".answers", found)):
        (path.parent / f"{name}{tail}.xz").write_bytes(lzma.compress(data, preset=9))
    path.unlink()


if __name__ == "__main__":
    main(*sys.argv[1:])
