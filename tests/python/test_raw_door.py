# SPDX-License-Identifier: Apache-2.0
"""PyMongo's client is no part of a transaction on the embedded store: what it writes in the same
thread would wait for the transaction, so it is refused at once."""

import pathlib
import threading
from collections.abc import Iterator
from typing import Any

import pytest
from django.db import models, transaction
from pymongo import MongoClient, UpdateOne
from pymongo.errors import InvalidOperation

import mongodb
from mongodb import Document, get_connection, get_db
from mongodb.fields import StringField


class DoorNote(Document):
    text = StringField()


@pytest.fixture(scope="module")
def both(models_on: Any, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    """A model and documents in one file, and what opens the transaction of each."""
    path: pathlib.Path = tmp_path_factory.mktemp("door") / "door.docstore"
    with models_on(f"docstore://{path}") as make:

        class DoorModel(models.Model):
            text = models.CharField(max_length=10)

            class Meta:
                app_label = "mongodb"

        make(DoorModel)
        before = mongodb.connection.set_aside("default")
        mongodb.connect("door", host=f"docstore://{path}")
        try:
            yield DoorModel
        finally:
            mongodb.disconnect()
            mongodb.connection.bring_back("default", before)


WRITES = {
    "insert": lambda db: db.raw.insert_one({"a": 1}),
    "insert many": lambda db: db.raw.insert_many([{"a": 1}, {"a": 2}]),
    "update": lambda db: db.raw.update_many({}, {"$set": {"a": 2}}),
    "delete": lambda db: db.raw.delete_many({}),
    "bulk": lambda db: db.raw.bulk_write([UpdateOne({}, {"$set": {"b": 1}}, upsert=True)]),
    "find and modify": lambda db: db.raw.find_one_and_update({}, {"$set": {"b": 1}}, upsert=True),
    "index": lambda db: db.raw.create_index("a"),
    "collection": lambda db: db.drop_collection("raw"),
}


@pytest.mark.parametrize("write", WRITES)
@pytest.mark.parametrize("kind", ["models", "documents"])
def test_a_write_within_a_transaction_is_refused_at_once(both: Any, kind: str, write: str) -> None:
    begin = {"models": transaction.atomic, "documents": mongodb.atomic}[kind]
    with begin():
        if kind == "models":
            both.objects.create(text="kept")
        else:
            DoorNote(text="kept").save()
        with pytest.raises(InvalidOperation, match="it would wait for itself"):
            WRITES[write](get_db())
        assert get_db().raw.find_one({"no": "such"}) is None  # reading waits for nobody
    stored = both.objects if kind == "models" else DoorNote.objects
    assert stored.filter(text="kept").count() > 0
    WRITES[write](get_db())


def test_a_transaction_that_only_reads_lets_it_write(both: Any) -> None:
    with transaction.atomic():
        both.objects.count()
        get_db().raw.insert_one({"read": 1})
    assert get_db().raw.count_documents({"read": 1}) == 1


def test_another_thread_waits_for_its_turn(both: Any) -> None:
    assert isinstance(get_connection(), MongoClient)
    writer = threading.Thread(target=lambda: get_db().raw.insert_one({"other": 1}))
    with transaction.atomic():
        both.objects.create(text="first")
        writer.start()
    writer.join()
    assert get_db().raw.count_documents({"other": 1}) == 1
