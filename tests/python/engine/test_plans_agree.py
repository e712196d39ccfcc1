# SPDX-License-Identifier: Apache-2.0
"""Whatever plan is chosen, a query finds what a scan of the whole collection finds."""

import datetime
import random
import re
from collections.abc import Iterator
from typing import Any

import bson
import pytest

from mongodb import _core

FIELDS = ("a", "b", "c.d", "c.e", "f")
SCALARS: tuple[Any, ...] = (
    None,
    0,
    1,
    2,
    -1,
    2.5,
    float("nan"),
    bson.Int64(2),
    bson.Decimal128("2.5"),
    "",
    "ab",
    "abc",
    "b",
    True,
    False,
    {"x": 1},
    {},
    datetime.datetime(2020, 1, 1),
    bson.ObjectId("5f0000000000000000000001"),
    bson.Binary(b"ab", 0),
    bson.MinKey(),
    bson.MaxKey(),
    bson.Regex("^ab"),
    bson.Timestamp(1, 1),
)
KEYS: tuple[dict[str, int], ...] = (
    {"a": 1},
    {"a": -1},
    {"b": 1, "a": -1},
    {"c.d": 1},
    {"c.d": 1, "c.e": 1},
    {"c": 1},
    {"f": 1, "b": 1, "a": 1},
    {"a": 1, "c.e": -1},
    {"b": -1, "f": 1},
)


def value(r: random.Random, depth: int = 0) -> Any:
    if depth < 2 and r.random() < 0.25:
        return [value(r, depth + 1) for _ in range(r.randrange(4))]
    return r.choice(SCALARS)


def document(r: random.Random, i: int, arrays: bool) -> dict[str, Any]:
    doc: dict[str, Any] = {"_id": i}
    pick = (lambda: value(r)) if arrays else (lambda: r.choice(SCALARS))
    for name in ("a", "b", "f"):
        if r.random() < 0.8:
            doc[name] = pick()
    if arrays and "a" in doc and isinstance(doc["a"], list):
        for name in ("b", "f"):  # no index over two arrays
            if isinstance(doc.get(name), list):
                doc[name] = r.choice(SCALARS)
    elif isinstance(doc.get("b"), list) and isinstance(doc.get("f"), list):
        doc["f"] = 1

    def inner() -> dict[str, Any]:
        return {k: r.choice(SCALARS) for k in ("d", "e") if r.random() < 0.8}

    flat = not any(isinstance(doc.get(k), list) for k in ("a", "b", "f"))
    if arrays and flat and r.random() < 0.4:
        doc["c"] = [r.choice((inner(), inner(), 1, None)) for _ in range(r.randrange(4))]
    elif r.random() < 0.8:
        doc["c"] = inner()
    return doc


def predicate(r: random.Random) -> Any:
    v = value(r) if r.random() < 0.3 else r.choice(SCALARS)
    plain = v if not isinstance(v, bson.Regex) else 1
    return r.choice(
        (
            lambda: v,
            lambda: {"$eq": plain},
            lambda: {r.choice(("$gt", "$gte", "$lt", "$lte")): plain},
            lambda: {"$gte": plain, "$lt": r.choice(SCALARS[:14])},
            lambda: {"$ne": plain},
            lambda: {"$in": [r.choice(SCALARS) for _ in range(r.randrange(4))]},
            lambda: {"$nin": [r.choice(SCALARS) for _ in range(r.randrange(3))]},
            lambda: {"$exists": r.random() < 0.5},
            lambda: {"$type": r.choice(("int", "number", "string", "null", "object", "array"))},
            lambda: {"$not": {r.choice(("$gt", "$lt", "$gte", "$lte")): plain}},
            lambda: {"$elemMatch": {"$gte": plain, "$lt": r.choice(SCALARS[:14])}},
            lambda: {"$all": [plain, r.choice(SCALARS[:12])]},
            lambda: {"$size": r.randrange(3)},
            lambda: re.compile(r.choice(("^a", "^ab", "b", "^ab?"))),
            lambda: {"$mod": [2, r.randrange(2)]},
        )
    )()


def query(r: random.Random, depth: int = 0) -> dict[str, Any]:
    if depth < 2 and r.random() < 0.25:
        op = r.choice(("$or", "$and", "$nor"))
        return {op: [query(r, depth + 1) for _ in range(r.randrange(1, 4))]}
    if r.random() < 0.1:
        return {"c": {"$elemMatch": {"d": predicate(r), "e": predicate(r)}}}
    return {r.choice(FIELDS): predicate(r) for _ in range(r.randrange(1, 4))}


def sort(r: random.Random) -> dict[str, int]:
    fields = r.sample(FIELDS, r.randrange(1, 3))
    return {**{f: r.choice((1, -1)) for f in fields}, "_id": 1}


@pytest.fixture
def client() -> Iterator[_core.Client]:
    client = _core.Client("docstore://:memory:")
    yield client
    client.close()


def ids(client: _core.Client, command: dict[str, Any]) -> Any:
    reply = client.run("t", {**command, "batchSize": 10_000}, check=False)
    if not reply["ok"]:
        return reply["code"]
    return [d["_id"] for d in reply["cursor"]["firstBatch"]]


@pytest.mark.parametrize("arrays", [False, True])
@pytest.mark.parametrize("seed", range(12))
def test_index_plans_find_what_a_scan_finds(client: _core.Client, seed: int, arrays: bool) -> None:
    r = random.Random(seed * 2 + arrays)
    docs = [document(r, i, arrays) for i in range(120)]
    client.run("t", {"insert": "c", "documents": docs})
    for i, key in enumerate(r.sample(KEYS, 4)):
        spec: dict[str, Any] = {"key": key, "name": f"i{i}"}
        kind = r.random()
        if kind < 0.2:
            spec["sparse"] = True
        elif kind < 0.4:
            field = r.choice(("a", "b", "f"))
            spec["partialFilterExpression"] = r.choice(
                (
                    {field: {"$exists": True}},
                    {field: {"$gt": 0}},
                    {field: {"$type": "string"}},
                    {field: {"$lte": "abc"}},
                )
            )
        client.run("t", {"createIndexes": "c", "indexes": [spec]}, check=False)
    for _ in range(150):
        command: dict[str, Any] = {"find": "c", "filter": query(r)}
        scan = ids(client, {**command, "hint": {"$natural": 1}})
        chosen = ids(client, command)
        if isinstance(scan, int):
            assert chosen == scan, command
            continue
        assert sorted(chosen) == sorted(scan), command
        counted = client.run("t", {"count": "c", "query": command["filter"]})["n"]
        assert counted == len(scan), command
        command["sort"] = sort(r)
        if r.random() < 0.5:
            command["limit"] = r.randrange(1, 20)
        assert ids(client, command) == ids(client, {**command, "hint": {"$natural": 1}}), command


def test_partial_index_on_a_type_serves_only_that_type(client: _core.Client) -> None:
    docs = [{"_id": 1, "a": "x", "b": 1}, {"_id": 2, "a": None, "b": 1}, {"_id": 3, "a": 5, "b": 1}]
    client.run("t", {"insert": "c", "documents": docs})
    partial = {"a": {"$type": "string"}}
    spec = {"key": {"b": 1}, "name": "b_1", "partialFilterExpression": partial}
    client.run("t", {"createIndexes": "c", "indexes": [spec]})
    for kind, found in (("null", [2]), ("string", [1]), ("int", [3])):
        assert ids(client, {"find": "c", "filter": {"b": 1, "a": {"$type": kind}}}) == found
