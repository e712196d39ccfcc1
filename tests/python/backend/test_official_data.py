# SPDX-License-Identifier: Apache-2.0
"""Collections as MongoDB's own Django backend leaves them: no validator, its forms of values."""

import datetime
import uuid
from collections.abc import Callable
from decimal import Decimal
from typing import Any

import pytest
from bson import Decimal128, ObjectId
from django.db import connections, models

from mongodb.backend.fields import (
    ArrayField,
    EmbeddedModelField,
    ObjectIdAutoField,
    PolymorphicEmbeddedModelArrayField,
)
from mongodb.backend.models import EmbeddedModel


@pytest.fixture
def theirs(orm: Callable[..., None]) -> Any:
    """Insert documents as they are; a server makes the collection with the first."""
    connection: Any = connections["default"]

    def insert(table: str, *documents: dict[str, Any]) -> Any:
        connection.command({"insert": table, "documents": list(documents)})
        connection.ensure_connection()
        connection.connection.tables.forget()
        return lambda: connection.documents({"find": table})

    return insert


def test_values_open_as_they_are(theirs: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    class Dog(EmbeddedModel):
        name = models.CharField(max_length=9)

        class Meta:
            app_label = "mongodb"

    class Thing(models.Model):
        id = ObjectIdAutoField(primary_key=True)
        name = models.CharField(max_length=9)
        rate = models.DecimalField(max_digits=5, decimal_places=2)
        day = models.DateField()
        hour = models.TimeField()
        at = models.DateTimeField()
        key = models.UUIDField()
        more = models.JSONField()
        tags = ArrayField(models.IntegerField())
        dog = EmbeddedModelField(Dog)
        dogs = PolymorphicEmbeddedModelArrayField([Dog])

        class Meta:
            app_label = "mongodb"

    known(monkeypatch, Thing)
    when, key = datetime.datetime(2024, 1, 2, 3, 4, 5), uuid.uuid4()
    one = {"_id": ObjectId(), "name": "x", "rate": Decimal128("1.50"), "at": when,
           "day": datetime.datetime(2024, 1, 2), "hour": datetime.datetime(1, 1, 1, 3, 4),
           "key": key.hex, "more": {"a": [None]}, "tags": [1, 2], "dog": {"name": "Rex"},
           "dogs": [{"name": "Kim", "_label": "mongodb.Dog"}]}  # fmt: skip
    read = theirs("mongodb_thing", one)
    found = Thing.objects.get(dog__name="Rex", tags__contains=[2])
    assert found.pk == one["_id"]
    assert (found.rate, found.day, found.hour) == (
        Decimal("1.50"), datetime.date(2024, 1, 2), datetime.time(3, 4)
    )  # fmt: skip
    assert found.at == when.replace(tzinfo=datetime.UTC) and found.key == key
    assert found.more == {"a": [None]} and found.dogs[0] == Dog(name="Kim")
    found.save()
    assert read() == [one]  # and what is written here reads there
    Thing.objects.create(**{f.name: getattr(found, f.name) for f in Thing._meta.fields[1:]})
    assert [{**row, "_id": 0} for row in read()] == [{**one, "_id": 0}] * 2


def test_a_key_of_its_own_beside_the_id(theirs: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    class Session(models.Model):
        code = models.CharField(max_length=9, primary_key=True)
        data = models.TextField()

        class Meta:
            app_label = "mongodb"

    known(monkeypatch, Session)
    read = theirs("mongodb_session", {"_id": ObjectId(), "code": "a", "data": "x"})
    one = Session.objects.get(pk="a")
    one.data = "y"
    one.save()
    Session.objects.create(code="b", data="z")
    assert [(row["code"], row["data"]) for row in read()] == [("a", "y"), ("b", "z")]
    assert all(isinstance(row["_id"], ObjectId) for row in read())
    one.delete()
    assert list(Session.objects.values_list("pk", flat=True)) == ["b"]


def known(monkeypatch: pytest.MonkeyPatch, model: Any) -> None:
    """Let the backend find the model by its table, as one of an installed app."""
    from django.apps import apps

    monkeypatch.setattr(apps, "get_models", lambda **options: [model])
