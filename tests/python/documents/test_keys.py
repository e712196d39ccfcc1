# SPDX-License-Identifier: Apache-2.0
"""What saving does with primary keys that were assigned, changed or taken away."""

import copy
from typing import Any

import pytest
from bson import ObjectId

from mongodb import (
    BulkWriteError,
    Document,
    NotUniqueError,
    ValidationError,
    get_db,
)
from mongodb.fields import IntField, ListField, ReferenceField, SequenceField, StringField


class Keyed(Document):
    name = StringField()
    n = IntField()
    tags = ListField(StringField())


class Named(Document):
    name = StringField(primary_key=True)
    n = IntField()


class Counted(Document):
    number = SequenceField(primary_key=True)
    n = IntField()


class Unique(Document):
    name = StringField(unique=True)


class Pointing(Document):
    to = ReferenceField(Keyed)


@pytest.fixture(autouse=True)
def store(connected: str) -> None:
    pass


def stored(cls: Any) -> list[dict[str, Any]]:
    return sorted(get_db()[cls._get_collection_name()].find(), key=lambda one: str(one["_id"]))


@pytest.mark.parametrize("loaded", [False, True, "in part"])
def test_a_document_without_its_key_is_saved_as_a_copy(loaded: Any) -> None:
    doc = Keyed(name="a", n=1, tags=["x"]).save()
    if loaded:
        doc = (Keyed.objects.only("n") if loaded == "in part" else Keyed.objects).get()
    old = doc.pk
    doc.id = None
    doc.save()
    assert doc.pk is not None and doc.pk != old and not doc._created
    assert stored(Keyed) == [
        {"_id": old, "name": "a", "n": 1, "tags": ["x"]},
        {"_id": doc.pk, "name": "a", "n": 1, "tags": ["x"]},
    ]
    doc.n = 2
    doc.save()
    assert [one["n"] for one in stored(Keyed)] == [1, 2]


@pytest.mark.parametrize("changed", [False, True])
@pytest.mark.parametrize("loaded", [False, True, "in part"])
def test_a_document_with_another_key_is_a_document_of_its_own(loaded: Any, changed: bool) -> None:
    doc = Keyed(name="a", n=1).save()
    if loaded:
        doc = (Keyed.objects.only("n") if loaded == "in part" else Keyed.objects).get()
    old, new = doc.pk, ObjectId()
    doc.id = new
    if changed:
        doc.n = 5
    doc.save()
    first, second = sorted(stored(Keyed), key=lambda one: one["_id"] == new)
    assert first == {"_id": old, "name": "a", "n": 1, "tags": []}
    assert second == {"_id": new, "name": "a", "n": 5 if changed else 1, "tags": []}


def test_a_key_set_to_itself_changes_nothing() -> None:
    doc = Keyed(name="a").save()
    doc.id = ObjectId(str(doc.id))
    doc.save()
    doc.id = str(doc.id)
    doc.save()
    assert Keyed.objects.count() == 1


def test_a_key_changed_to_one_that_exists_overwrites_nothing() -> None:
    first, second = Keyed(name="a").save(), Keyed(name="b").save()
    before = stored(Keyed)
    second.id = first.id
    second.n = 9
    with pytest.raises(NotUniqueError):
        second.save()
    assert stored(Keyed) == before
    one, other = Named(name="x", n=1).save(), Named(name="y", n=2).save()
    other.name = "x"
    with pytest.raises(NotUniqueError):
        other.save()
    assert stored(Named) == [{"_id": "x", "n": 1}, {"_id": "y", "n": 2}]
    assert one == Named.objects.get(name="x")


def test_an_assigned_key_does_not_replace_a_stored_document() -> None:
    first = Keyed(name="a", n=1).save()
    second = Keyed(name="b")
    second.id = first.id
    for doc in (second, Keyed(id=first.id), Keyed(pk=str(first.id), name="c")):
        with pytest.raises(NotUniqueError):
            doc.save()
        assert doc._created and doc.pk == first.pk
    assert stored(Keyed) == [{"_id": first.pk, "name": "a", "n": 1, "tags": []}]
    fresh = Keyed(id=ObjectId(), name="d").save()
    assert Keyed.objects.get(pk=fresh.pk).name == "d"


def test_a_key_of_ones_own_names_the_document_to_replace() -> None:
    Named(name="x", n=1).save()
    Named(name="x", n=2).save()
    assert stored(Named) == [{"_id": "x", "n": 2}]
    with pytest.raises(NotUniqueError):
        Named(name="x", n=3).save(force_insert=True)
    doc = Named.objects.get()
    doc.name = "y"
    doc.save()
    assert stored(Named) == [{"_id": "x", "n": 2}, {"_id": "y", "n": 2}]
    doc.name = None
    with pytest.raises(ValidationError, match="name: is required"):
        doc.save()


def test_a_counted_key_is_counted_again() -> None:
    doc = Counted(n=1).save()
    doc.number = None
    doc.save()
    assert stored(Counted) == [{"_id": 1, "n": 1}, {"_id": 2, "n": 1}]


def test_a_copy_can_be_stored() -> None:
    doc = Keyed(name="a").save()
    clone = copy.copy(Keyed.objects.get())
    clone.pk = None
    clone.save()
    assert Keyed.objects.count() == 2 and clone.pk != doc.pk


def test_a_document_that_is_referred_to_can_be_copied() -> None:
    Pointing(to=Keyed(name="a", n=1).save()).save()
    target = Pointing.objects.get().to
    target.id = None
    target.save()
    assert [one["name"] for one in stored(Keyed)] == ["a", "a"]


def test_a_failed_insert_keeps_no_key() -> None:
    Unique(name="a").save()
    doc = Unique(name="a")
    with pytest.raises(NotUniqueError):
        doc.save()
    assert doc.pk is None and doc._created
    doc.name = "b"
    doc.save()
    assert Unique.objects.count() == 2


@pytest.mark.parametrize("ordered", [True, False])
def test_a_failed_insert_of_many_knows_which_are_stored(ordered: bool) -> None:
    Unique(name="b").save()
    docs = [Unique(name=name) for name in "abc"]
    with pytest.raises((NotUniqueError, BulkWriteError)):
        Unique.objects.insert(docs, ordered=ordered)
    assert [doc._created for doc in docs] == [False, True, ordered]
    assert [doc.pk is None for doc in docs] == [False, True, ordered]
    docs[1].name = "d"
    for doc in docs:
        doc.save()
    assert sorted(one.name for one in Unique.objects) == ["a", "b", "c", "d"]


def test_a_refused_insert_of_many_keeps_no_keys() -> None:
    docs = [Keyed(name="a"), Keyed(name=5)]
    with pytest.raises(ValidationError):
        Keyed.objects.insert(docs)
    assert [doc.pk for doc in docs] == [None, None]


def test_a_document_loaded_in_part_goes_elsewhere_whole() -> None:
    Keyed(name="a", n=1, tags=["x"]).save()
    Keyed.objects.only("n").get().switch_collection("keyed_copy").save(force_insert=True)
    (found,) = get_db()["keyed_copy"].find({}, {"_id": 0})
    assert found == {"name": "a", "n": 1, "tags": ["x"]}


def test_a_write_that_no_answer_is_wanted_of(connected: str) -> None:
    class Quiet(Document):
        name = StringField()

    quiet = Quiet(name="x").save()
    concern = {"w": 0}
    quiet.name = "y"
    quiet.save(write_concern=concern)
    Quiet.objects.update(name="z", write_concern=concern)
    assert Quiet.objects.get().name == "z" and Quiet.objects.count() == 1
    quiet.delete(w=0)
    assert Quiet.objects.count() == 0
