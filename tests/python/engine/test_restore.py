# SPDX-License-Identifier: Apache-2.0
"""What mongodump reads and mongorestore sends back, and PyMongo's validate_collection()."""

from typing import Any

import pytest
from bson import Int64

INDEXES: list[dict[str, Any]] = [
    {"key": {"a": 1}, "name": "a_1"},
    {"key": {"b": -1, "c.d": 1}, "name": "both", "unique": True},
    {"key": {"e": 1}, "name": "e", "sparse": True, "background": True},
    {"key": {"t": 1}, "name": "t", "expireAfterSeconds": 3600},
    {"key": {"h": "hashed"}, "name": "h"},
    {"key": {"p": 1}, "name": "p", "partialFilterExpression": {"p": {"$gt": 5}}},
    {"key": {"x": 1}, "name": "x", "hidden": True},
]


def dumped(raw: Any, db: str, coll: str) -> tuple[dict[str, Any], list[dict[str, Any]]]:
    """The metadata mongodump writes: the collection's options and its indexes."""
    listed = raw(db, {"listCollections": 1, "filter": {"name": coll}, "nameOnly": False})
    indexes = raw(db, {"listIndexes": coll, "cursor": {"batchSize": 100}})
    return listed["cursor"]["firstBatch"][0], indexes["cursor"]["firstBatch"]


@pytest.mark.parametrize("options", [{}, {"capped": True, "size": 8192, "max": 50}])
def test_a_dump_is_restored_with_its_indexes(raw: Any, options: dict[str, Any]) -> None:
    raw("dumped", {"drop": "c"})
    raw("restored", {"dropDatabase": 1})
    assert raw("dumped", {"create": "c", "validator": {"a": {"$ne": 13}}, **options})["ok"]
    indexes = [index for index in INDEXES if not options or index["name"] != "t"]
    assert raw("dumped", {"createIndexes": "c", "indexes": indexes})["ok"]
    collection, found = dumped(raw, "dumped", "c")

    # mongorestore: create with the options and the index on _id, the others as they were
    # listed, with their namespace and without their version
    create = {"create": "c", **collection["options"], "idIndex": collection["idIndex"]}
    assert raw("restored", create)["ok"]
    specs = [{**index, "ns": "restored.c"} for index in found if index["name"] != "_id_"]
    for spec in specs:
        del spec["v"]
    reply = raw(
        "restored",
        {"createIndexes": "c", "indexes": specs, "ignoreUnknownIndexOptions": True},
    )
    assert reply["ok"], reply
    again, indexes_again = dumped(raw, "restored", "c")
    assert again["options"] == collection["options"]

    def bare(listed: list[dict[str, Any]]) -> list[dict[str, Any]]:
        return [{k: v for k, v in index.items() if k != "ns"} for index in listed]

    assert bare(indexes_again) == bare(found)


def test_unknown_index_options_are_ignored_only_when_asked(raw: Any) -> None:
    raw("restored", {"drop": "c"})
    spec = {"key": {"a": 1}, "name": "a_1", "unique": True, "madeBy": "an old server"}
    command = {"createIndexes": "c", "indexes": [spec]}
    assert raw("restored", command)["code"] == 197
    assert raw("restored", {**command, "ignoreUnknownIndexOptions": False})["code"] == 197
    assert raw("restored", {**command, "ignoreUnknownIndexOptions": True})["ok"]
    found = raw("restored", {"listIndexes": "c"})["cursor"]["firstBatch"][1]
    assert found == {"v": 2, "key": {"a": 1}, "name": "a_1", "unique": True}
    # what is wrong in a known option is refused all the same
    wrong = {"key": {"b": 1}, "name": "b_1", "sparse": "x", "madeBy": 1}
    command = {"createIndexes": "c", "indexes": [wrong], "ignoreUnknownIndexOptions": True}
    assert raw("restored", command)["code"] == 14


def test_validate_takes_what_drivers_send(raw: Any) -> None:
    raw("restored", {"drop": "c"})
    raw("restored", {"insert": "c", "documents": [{"_id": n, "a": n} for n in range(20)]})
    raw("restored", {"createIndexes": "c", "indexes": [{"key": {"a": 1}, "name": "a_1"}]})
    for options in (
        {},
        {"scandata": False, "full": False},  # PyMongo
        {"scandata": True, "full": True},
        {"scandata": False, "full": False, "background": True},
        {"full": True, "checkBSONConformance": True},
    ):
        reply = raw("restored", {"validate": "c", **options})
        assert (reply["ok"], reply["valid"], reply["nrecords"]) == (1, True, 20)
        assert reply["keysPerIndex"] == {"_id_": 20, "a_1": 20}
    for refused in (
        {"repair": True},
        {"background": True, "full": True},
        {"metadata": True, "full": True},
        {"background": True, "enforceFastCount": True},
    ):
        assert raw("restored", {"validate": "c", **refused})["code"] == 72


def test_pymongos_validate_collection(connected: str) -> None:
    from pymongo import MongoClient

    from mongodb import get_db

    if connected.startswith("docstore"):
        db, client = get_db(), None
    else:
        client = MongoClient(connected)
        db = client["validated"]
    db.c.insert_one({"a": 1})
    assert db.validate_collection("c")["valid"]
    assert db.validate_collection("c", full=True)["valid"]
    assert db.validate_collection("c", background=True)["valid"]
    if client is not None:
        client.close()


def test_long_numbers_of_a_dump_are_taken(raw: Any) -> None:
    raw("restored", {"drop": "c"})
    create = {"create": "c", "capped": True, "size": Int64(4096), "max": Int64(10)}
    assert raw("restored", create)["ok"]
