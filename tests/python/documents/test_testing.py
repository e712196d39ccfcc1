# SPDX-License-Identifier: Apache-2.0
"""mongodb.testing: one line for a store of a test's own."""

import pytest

import mongodb
from mongodb import Document
from mongodb._snapshot import Snapshot
from mongodb.fields import IntField
from mongodb.testing import mongodb_store, store

__all__ = ["mongodb_store"]


class Sample(Document):
    n = IntField(unique=True)


def test_a_block_has_a_store_of_its_own(connected: str) -> None:
    Sample(n=1).save()
    before = mongodb.connect()
    with store() as client:
        assert Sample.objects.count() == 0
        Sample(n=1).save()
        with pytest.raises(mongodb.NotUniqueError):
            Sample(n=1).save()
        assert client.test.sample.count_documents({}) == 1
        with store():
            assert Sample.objects.count() == 0
        assert Sample.objects.count() == 1
    assert mongodb.connect() is before and Sample.objects.count() == 1


def test_a_function_has_one_at_each_call() -> None:
    @store(db="shop")
    def count() -> int:
        Sample(n=1).save()
        assert mongodb.get_db().name == "shop"
        return int(Sample.objects.count())

    assert (count(), count()) == (1, 1)
    with pytest.raises(mongodb.ConnectionFailure):
        Sample.objects.count()


def test_the_fixture(mongodb_store: object) -> None:
    assert mongodb.connect() is mongodb_store
    Sample(n=1).save()


def test_a_snapshot_brings_every_kind_of_collection_back(connected: str) -> None:
    handle, db = mongodb.connect(), mongodb.get_db()
    db.kept.insert_many([{"_id": i, "text": "x" * 1000} for i in range(3000)])
    db.empty.create_index("a")
    db.create_collection("capped", capped=True, size=4096).insert_one({"_id": 1})
    db.command({"create": "view", "viewOn": "kept", "pipeline": []})
    db.gone.insert_one({"_id": 1})
    before = Snapshot(handle)
    before.restore(handle)
    db.kept.update_many({"_id": {"$lt": 10}}, {"$set": {"text": "y"}})
    db.kept.delete_one({"_id": 2999})
    db.empty.insert_one({"_id": 1})
    db.capped.insert_one({"_id": 2})
    db.gone.drop()
    db.new.insert_one({"_id": 1})
    db.command({"create": "view2", "viewOn": "kept", "pipeline": []})
    before.restore(handle)
    assert Snapshot(handle).collections == before.collections | {"new": []}
    assert db.capped.options()["capped"] and "a_1" in db.empty.index_information()
    assert {"view", "view2"} & set(db.list_collection_names()) == {"view"}
