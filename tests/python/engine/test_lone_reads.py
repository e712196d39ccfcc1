# SPDX-License-Identifier: Apache-2.0
"""A find by _id that is answered without a transaction gives what the same find in one gives."""

import datetime
import pathlib
import random
import uuid
from typing import Any

import bson
import pytest

from mongodb import _core

IDS: list[Any] = [
    0,
    1,
    1.0,
    -1,
    2**40,
    2**53 + 1,
    0.5,
    "",
    "a",
    "a\0b",
    True,
    None,
    b"bytes",
    uuid.UUID(int=7),
    bson.ObjectId(b"abcdefghijkl"),
    datetime.datetime(2024, 1, 2),
    bson.Timestamp(3, 4),
    bson.Decimal128("1"),
    bson.Decimal128("2.50"),
    {"a": 1},
    {"a": 1.0, "b": [1]},
    {},
]
EXTRAS: list[dict[str, Any]] = [
    {},
    {"limit": 1},
    {"limit": 0},
    {"limit": 2, "singleBatch": True},
    {"batchSize": 1},
    {"batchSize": 5, "limit": 3},
    {"maxTimeMS": 60_000},
    {"comment": "x"},
]


def encoded(value: Any) -> Any:
    return bson.Binary.from_uuid(value) if isinstance(value, uuid.UUID) else value


def ask(client: _core.Client, coll: str, key: Any, extra: dict[str, Any]) -> Any:
    command = {"find": coll, "filter": {"_id": encoded(key)}, **extra}
    reply = client.run("db", command, check=False)
    if reply["ok"]:
        reply["cursor"]["id"] = bool(reply["cursor"]["id"])
    return reply


def act(draw: random.Random, client: _core.Client, names: list[str]) -> None:
    """One random change: documents, or the catalog."""
    coll = draw.choice(names)
    key = encoded(draw.choice(IDS))
    kind = draw.randrange(12)
    if kind < 6:
        update = {"q": {"_id": key}, "u": {"$set": {"n": draw.random()}}, "upsert": True}
        client.run("db", {"update": coll, "updates": [update]}, check=False)
    elif kind < 8:
        client.run("db", {"delete": coll, "deletes": [{"q": {"_id": key}, "limit": 1}]})
    elif kind == 8:
        client.run("db", {"drop": coll}, check=False)
    elif kind == 9:
        index = {"key": {"n": 1}, "name": "n"}
        client.run("db", {"createIndexes": coll, "indexes": [index]}, check=False)
    elif kind == 10:
        other = draw.choice(names)
        rename = {"renameCollection": f"db.{coll}", "to": f"db.{other}", "dropTarget": True}
        client.run("admin", rename, check=False)
    else:
        client.run("db", {"drop": coll}, check=False)
        client.run("db", {"create": coll, "viewOn": names[0], "pipeline": []}, check=False)


@pytest.mark.parametrize("seed", range(4))
def test_lone_finds_answer_as_those_with_a_plan(tmp_path: pathlib.Path, seed: int) -> None:
    draw = random.Random(seed)
    uri = f"docstore://{tmp_path}/lone.docstore"
    names = ["a", "b", "c"]
    # each has a catalog and connections of its own
    with _core.Client(uri) as reader, _core.Client(uri) as writer:
        for _ in range(600):
            if draw.random() < 0.3:
                act(draw, draw.choice([reader, writer]), names)
            coll, key = draw.choice(names), draw.choice(IDS)
            extra = draw.choice(EXTRAS)
            # a skip is not for who answers without a plan
            assert ask(reader, coll, key, extra) == ask(reader, coll, key, {**extra, "skip": 0})


@pytest.mark.parametrize(
    "command",
    [
        {"find": "a", "filter": {"_id": 1}, "limit": -1},
        {"find": "a", "filter": {"_id": 1}, "limit": "x"},
        {"find": "a", "filter": {"_id": 1}, "batchSize": -1},
        {"find": "a", "filter": {"_id": 1}, "singleBatch": 1},
        {"find": "a", "filter": {"_id": 1}, "unknown": 1},
        {"find": "a", "filter": {"_id": 1}, "maxTimeMS": -1},
        {"find": "a", "filter": {"_id": 1}, "readConcern": {"level": "x"}},
        {"find": "a", "filter": {"_id": {"$bad": 1}}},
        {"find": "", "filter": {"_id": 1}},
        {"find": 1, "filter": {"_id": 1}},
    ],
)
def test_what_is_refused_of_a_find_is_refused_of_a_lone_one(
    tmp_path: pathlib.Path, command: dict[str, Any]
) -> None:
    with _core.Client(f"docstore://{tmp_path}/lone.docstore") as client:
        client.run("db", {"insert": "a", "documents": [{"_id": 1}]})
        assert client.run("db", {"find": "a", "filter": {"_id": 1}})["cursor"]["firstBatch"]
        assert client.run("db", command, check=False)["ok"] == 0


def test_a_lone_find_sees_what_another_process_has_written(tmp_path: pathlib.Path) -> None:
    uri = f"docstore://{tmp_path}/lone.docstore"
    with _core.Client(uri) as one, _core.Client(uri) as other:
        for number in range(50):
            other.run("db", {"insert": "a", "documents": [{"_id": number}]})
            assert ask(one, "a", number, {})["cursor"]["firstBatch"] == [{"_id": number}]
            other.run("db", {"drop": "a"})
            assert ask(one, "a", number, {})["cursor"]["firstBatch"] == []


def test_a_lone_find_knows_that_a_collection_got_another_name(tmp_path: pathlib.Path) -> None:
    uri = f"docstore://{tmp_path}/lone.docstore"
    with _core.Client(uri) as one, _core.Client(uri) as other:
        one.run("db", {"insert": "a", "documents": [{"_id": 1}]})
        for here, there in (("a", "b"), ("b", "a"), ("a", "c")):
            assert ask(one, here, 1, {})["cursor"]["firstBatch"] == [{"_id": 1}]
            other.run("admin", {"renameCollection": f"db.{here}", "to": f"db.{there}"})
            assert ask(one, here, 1, {})["cursor"]["firstBatch"] == []
