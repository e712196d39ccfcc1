# SPDX-License-Identifier: Apache-2.0
"""An index built over documents is the one that those documents make when they come after it."""

import pathlib
import random
import threading
from typing import Any

import pytest

from mongodb import _core

SPECS: list[dict[str, Any]] = [
    {"key": {"n": 1}, "name": "n"},
    {"key": {"s": -1, "n": 1}, "name": "s_n"},
    {"key": {"tags": 1}, "name": "tags"},
    {"key": {"s": 1}, "name": "s", "sparse": True},
]


def document(draw: random.Random, number: int) -> dict[str, Any]:
    made: dict[str, Any] = {"_id": number, "n": draw.choice([draw.randrange(50), draw.random()])}
    if draw.random() < 0.8:
        made["s"] = "".join(draw.choice("ab\0é") for _ in range(draw.randrange(14)))
    if draw.random() < 0.7:
        made["tags"] = [draw.choice([1, "x", None, 2.5]) for _ in range(draw.randrange(4))]
    return made


def listed(client: _core.Client, coll: str, spec: dict[str, Any]) -> list[Any]:
    find = {"find": coll, "hint": spec["name"], "min": {k: _min() for k in spec["key"]}}
    if any(way < 0 for way in spec["key"].values()):
        del find["min"]
    command = {**find, "batchSize": 100_000}
    return client.run("db", command)["cursor"]["firstBatch"]


def _min() -> Any:
    import bson

    return bson.MinKey()


# around the number of keys that are written at a time
@pytest.mark.parametrize("count", [0, 1, 31, 32, 33, 64, 65, 1_000])
def test_a_built_index_is_the_one_that_inserts_make(tmp_path: pathlib.Path, count: int) -> None:
    draw = random.Random(count)
    documents = [document(draw, number) for number in range(count)]
    with _core.Client(f"docstore://{tmp_path}/build.docstore") as client:
        client.run("db", {"create": "built"})
        client.run("db", {"createIndexes": "grown", "indexes": SPECS})
        for coll in ("built", "grown"):
            if documents:
                client.run("db", {"insert": coll, "documents": documents})
        client.run("db", {"createIndexes": "built", "indexes": SPECS})
        for spec in SPECS:
            assert listed(client, "built", spec) == listed(client, "grown", spec)
        for coll in ("built", "grown"):
            assert client.run("db", {"validate": coll, "full": True})["valid"]


@pytest.mark.parametrize("at", [0, 1, 30, 31, 32, 33, 63, 98])
def test_a_duplicate_is_named_wherever_it_stands(tmp_path: pathlib.Path, at: int) -> None:
    with _core.Client(f"docstore://{tmp_path}/build.docstore") as client:
        documents = [{"_id": number, "n": number} for number in range(100)]
        documents[at + 1]["n"] = at
        random.Random(at).shuffle(documents)
        client.run("db", {"insert": "c", "documents": documents})
        unique = {"key": {"n": 1}, "name": "n", "unique": True}
        command = {"createIndexes": "c", "indexes": [unique]}
        for _ in range(2):  # what was written is undone
            refused = client.run("db", command, check=False)
            assert (refused["code"], refused["keyValue"]) == (11000, {"n": at})
        client.run("db", {"delete": "c", "deletes": [{"q": {"_id": at + 1}, "limit": 1}]})
        client.run("db", command)
        assert client.run("db", {"validate": "c", "full": True})["valid"]


def test_current_op_tells_how_far_a_build_is(tmp_path: pathlib.Path) -> None:
    with _core.Client(f"docstore://{tmp_path}/build.docstore") as client:
        for first in range(0, 30_000, 5_000):
            documents = [
                {"_id": number, "a": list(range(number, number + 20))}
                for number in range(first, first + 5_000)
            ]
            client.run("db", {"insert": "c", "documents": documents})
        command = {"createIndexes": "c", "indexes": [{"key": {"a": 1}, "name": "a"}]}
        build = threading.Thread(target=client.run, args=("db", command))
        found = []
        read = 0
        build.start()
        while build.is_alive():
            listed = client.run("admin", {"currentOp": 1, "progress": {"$exists": True}})
            found += listed["inprog"]
            # who reads is not held up
            read += client.run("db", {"count": "c"})["n"] == 30_000
        build.join()
    assert read > 1
    assert {op["msg"].split(":")[1] for op in found} >= {" scanning collection Index Build"}
    assert all(op["progress"]["done"] <= op["progress"]["total"] for op in found)
    scans = [op["progress"] for op in found if op["msg"].startswith("Index Build: scanning")]
    assert {scan["total"] for scan in scans} == {30_000}
