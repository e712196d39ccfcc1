# SPDX-License-Identifier: Apache-2.0
"""Validators that stores check writes by, made from classes."""

import datetime
import decimal
import logging
import uuid
from collections.abc import Iterator
from typing import Any

import pytest
from bson import DBRef, Int64, ObjectId
from pymongo.errors import WriteError

import mongodb
from mongodb import Document, EmbeddedDocument, OperationError, get_db
from mongodb._json_schema import apply_validator, declared_validator, json_schema, same_validator
from mongodb.connection import get_connection_handle
from mongodb.errors import InvalidDocumentError
from mongodb.fields import (
    BinaryField,
    BooleanField,
    DateTimeField,
    DecimalField,
    DictField,
    DynamicField,
    EmbeddedDocumentField,
    FloatField,
    GenericReferenceField,
    IntField,
    ListField,
    MapField,
    ReferenceField,
    StringField,
    UUIDField,
)  # fmt: skip


class CheckedPart(EmbeddedDocument):
    n = IntField(required=True, db_field="number")
    inner = EmbeddedDocumentField("self")


class CheckedPlain(Document):
    code = StringField(primary_key=True)


class CheckedAll(Document):
    name = StringField(required=True, max_length=5, db_field="title")
    kind = StringField(choices=["a", "b"])
    count = IntField(min_value=0, max_value=9)
    real = FloatField()
    price = DecimalField()
    on = BooleanField()
    at = DateTimeField()
    raw = BinaryField()
    key = UUIDField()
    part = EmbeddedDocumentField(CheckedPart)
    parts = ListField(EmbeddedDocumentField(CheckedPart))
    tags = ListField(StringField())
    loose = DictField()
    counts = MapField(IntField())
    plain = ReferenceField(CheckedPlain)
    linked = ReferenceField(CheckedPlain, dbref=True)
    anything = GenericReferenceField()
    any = DynamicField()
    meta = {"json_schema": True}


class CheckedPointer(Document):
    here = ReferenceField(CheckedPlain, required=True)
    there = ReferenceField("self")


class CheckedAnimal(Document):
    name = StringField(required=True)
    meta = {"allow_inheritance": True, "json_schema": True}


class CheckedDog(CheckedAnimal):
    trick = StringField(required=True)


@pytest.fixture
def connected(store_uri: str) -> Iterator[None]:
    mongodb.connect("checked", host=store_uri)
    try:
        yield
    finally:
        for cls in (CheckedPlain, CheckedAll, CheckedAnimal):
            cls.drop_collection()
        mongodb.disconnect_all()


def test_what_documents_save_fits_and_what_others_write_is_checked(connected: None) -> None:
    plain = CheckedPlain(code="p").save()
    whole = CheckedAll(
        name="n", kind="a", count=3, real=1.5, price=decimal.Decimal("1.5"), on=True,
        at=datetime.datetime(2020, 1, 1), raw=b"x", key=uuid.uuid4(),
        part=CheckedPart(n=1, inner=CheckedPart(n=2)), parts=[CheckedPart(n=3)], tags=["x"],
        loose={"x": [1]}, counts={"x": 1}, plain=plain, linked=plain, anything=plain, any=3,
    ).save()  # fmt: skip
    CheckedAll(name="m").save()
    whole.count, whole.kind = 9, None
    whole.save()
    raw = get_db().checked_all
    for right in ({"real": 3}, {"count": Int64(4)}, {"unknown": 1}, {"kind": None}, {"any": "x"}):
        raw.insert_one({"title": "r", **right})
    for wrong in (
        {"title": 3}, {"title": "too long"}, {"title": None}, {"kind": "c"}, {"count": -1},
        {"count": 10}, {"count": "1"}, {"count": 1.5}, {"on": 1}, {"at": "now"}, {"part": {}},
        {"part": {"number": "x"}}, {"parts": [{"number": 1}, {}]}, {"tags": [1]}, {"tags": "x"},
        {"loose": 1}, {"counts": {"x": "y"}}, {"plain": ObjectId()}, {"linked": "p"},
    ):  # fmt: skip
        with pytest.raises(WriteError, match="Document failed validation"):
            raw.insert_one({"title": "w", **wrong})
    raw.insert_one({"title": "r", "linked": DBRef("checked_plain", "p")})
    with pytest.raises(OperationError, match="failed validation") as failed:
        CheckedAll.objects(name="m").update(__raw__={"$set": {"count": 99}})
    assert failed.value.code == 121


def test_a_required_reference_is_not_null() -> None:
    told = json_schema(CheckedPointer)["properties"]
    assert told["here"] == {"bsonType": ["string"]}
    assert told["there"] == {"bsonType": ["objectId", "null"]}


class CheckedOwner(Document):
    name = StringField()


class CheckedPet(Document):
    """Of classes whose key is made by itself."""

    owner = ReferenceField(CheckedOwner)
    must = ReferenceField(CheckedOwner, required=True)
    friends = ListField(ReferenceField("self"))
    meta = {"json_schema": True}


def test_references_to_documents_with_keys_made_by_themselves(connected: None) -> None:
    CheckedPet.drop_collection()
    owner = CheckedOwner(name="Ada").save()
    pet = CheckedPet(must=owner).save()
    CheckedPet(owner=owner, must=owner, friends=[pet]).save()
    stored = get_db()[CheckedPet._get_collection_name()]
    for wrong in ({}, {"must": None}, {"must": "x"}, {"must": owner.pk, "owner": "x"},
                  {"must": owner.pk, "friends": [5]}):  # fmt: skip
        with pytest.raises(WriteError, match="failed validation"):
            stored.insert_one(wrong)
    stored.insert_one({"must": owner.pk, "owner": None, "friends": []})
    assert CheckedPet.objects.count() == 3


def test_each_class_of_a_collection_has_its_own_fields(connected: None) -> None:
    CheckedAnimal(name="Tom").save()
    CheckedDog(name="Rex", trick="roll").save()
    raw = get_db().checked_animal
    raw.insert_one({"_cls": "CheckedAnimal", "name": "x"})
    for wrong in ({"_cls": "CheckedAnimal.CheckedDog", "name": "x"}, {"_cls": "Other", "name": "x"},
                  {"_cls": "CheckedAnimal.CheckedDog", "trick": "x"}):  # fmt: skip
        with pytest.raises(WriteError):
            raw.insert_one(wrong)


def test_what_is_there_keeps_its_validator_until_it_is_applied(
    connected: None, caplog: pytest.LogCaptureFixture
) -> None:
    get_db().checked_all.insert_one({"title": 3})
    handle: Any = get_connection_handle()
    with caplog.at_level(logging.WARNING, "mongodb"):
        assert CheckedAll.objects.count() == 1
    assert "documents schema --apply" in caplog.text
    assert not same_validator(declared_validator(CheckedAll) or {}, handle.collection_options(
        "checked_all"))  # fmt: skip
    apply_validator(CheckedAll, handle)
    assert same_validator(declared_validator(CheckedAll) or {}, handle.collection_options(
        "checked_all"))  # fmt: skip
    with pytest.raises(WriteError):
        get_db().checked_all.insert_one({"title": 3})

    class CheckedWrong(Document):
        meta = {"json_schema": "maybe"}

    with pytest.raises(InvalidDocumentError, match="maybe"):
        CheckedWrong().save()
    with pytest.raises(InvalidDocumentError, match="has no meta"):
        apply_validator(CheckedPlain, handle)


class CheckedWarned(Document):
    n = IntField()
    meta = {"json_schema": "warn"}


class CheckedTop(Document):
    n = IntField()
    meta = {"allow_inheritance": True, "json_schema": True}


class CheckedLow(CheckedTop):
    low = IntField()


def test_the_kinds_of_a_collection_are_its_classes_that_have_documents() -> None:
    found = declared_validator(CheckedLow)
    assert found == declared_validator(CheckedTop)  # whoever is used first makes the same
    assert found is not None and found["validationAction"] == "error"
    kinds = found["validator"]["$jsonSchema"]["anyOf"]
    assert [one["properties"]["_cls"]["enum"] for one in kinds] == [
        ["CheckedTop"], ["CheckedTop.CheckedLow"],
    ]  # fmt: skip


def test_a_class_of_its_own_says_nothing_of_kinds() -> None:
    found = declared_validator(CheckedWarned)
    assert found is not None and found["validationAction"] == "warn"
    assert found["validator"]["$jsonSchema"].keys() == {"bsonType", "properties"}


def test_a_collection_that_has_the_validator_is_not_warned_of(
    mongod: str, caplog: pytest.LogCaptureFixture
) -> None:
    for turn in range(2):
        mongodb.connect("checked_twice", host=mongod)
        try:
            with caplog.at_level(logging.WARNING, "mongodb"):
                CheckedWarned(n=turn).save()
            assert get_db()["checked_warned"].options()["validationAction"] == "warn"
        finally:
            if turn:
                get_db().client.drop_database("checked_twice")
            mongodb.disconnect()
    assert not caplog.records
