# SPDX-License-Identifier: Apache-2.0
"""Documents as mappings, as JSON, as copies: what they show and what they take along."""

import copy
import pickle
from typing import Any

import pytest
from bson import ObjectId

from mongodb import Document, DynamicDocument, EmbeddedDocument, FieldDoesNotExist
from mongodb.fields import EmbeddedDocumentField, IntField, ListField, StringField

OID = ObjectId("5f0000000000000000000001")


class ShownInside(EmbeddedDocument):
    n = IntField(db_field="nn")


class Shown(Document):
    name = StringField(db_field="nm")
    n = IntField(default=3)
    tags = ListField(StringField())
    inside = EmbeddedDocumentField(ShownInside, db_field="ins")


class Loosely(DynamicDocument):
    name = StringField()


class Lenient(Document):
    name = StringField()
    meta = {"strict": False}


@pytest.fixture(autouse=True)
def store(memory: None) -> None:
    pass


def test_fields_by_name() -> None:
    doc = Shown(name="a", id=OID)
    assert list(doc) == list(Shown._fields)
    assert len(doc) == 5 and doc and doc["name"] == "a" and doc["n"] == 3
    assert "name" in doc and "inside" not in doc and "nope" not in doc and 5 not in doc
    doc["name"] = "b"
    assert doc.name == "b"
    for call in (lambda: doc["nope"], lambda: doc.__setitem__("nope", 1)):
        with pytest.raises(KeyError):
            call()
    loose = Loosely(name="a", extra=1)
    loose["more"] = 2
    assert (loose["extra"], loose.more, len(loose), "more" in loose) == (1, 2, 4, True)
    assert Shown(_id=OID).pk == Shown(pk=OID).pk == OID
    with pytest.raises(FieldDoesNotExist):
        Shown(nope=1)
    assert not hasattr(Lenient(nope=1), "nope")


def test_the_stored_form_whole_or_in_part() -> None:
    doc = Shown(name="a", id=OID, inside=ShownInside(n=1), tags=["x"])
    whole = {"_id": OID, "nm": "a", "n": 3, "tags": ["x"], "ins": {"nn": 1}}
    assert doc.to_mongo() == whole
    assert doc.to_mongo(fields=["name", "inside.n", "tags__0"]) == {
        "_id": OID, "nm": "a", "tags": ["x"], "ins": {"nn": 1},
    }  # fmt: skip
    named = doc.to_mongo(use_db_field=False)
    assert {named["name"], named["n"]} == {"a", 3} and "nm" not in named
    assert doc.to_dict() == {"id": OID, "name": "a", "n": 3, "tags": ["x"], "inside": {"n": 1}}


def test_json_there_and_back() -> None:
    doc = Shown(name="a", id=OID)
    text = doc.to_json()
    assert '"_id": {"$oid": "5f0000000000000000000001"}' in text and '"nm": "a"' in text
    assert '"name": "a"' in doc.to_json(use_db_field=False)
    assert doc.to_json(sort_keys=True, indent=1).startswith('{\n "_id"')
    known, new = Shown.from_json(text), Shown.from_json(text, created=True)
    assert known == new == doc and (known._created, new._created) == (False, True)
    assert Shown.from_json('{"nm": "b"}')._created and Shown.from_json('{"nm": "b"}').n == 3
    new.save()
    assert Shown.objects.get() == doc
    with pytest.raises(ValueError):
        Shown.from_json("[]")


def test_what_changed_is_named_by_its_path() -> None:
    doc = Shown(name="a")
    assert set(doc._get_changed_fields()) >= {"nm", "n"} and doc._delta()[0]["nm"] == "a"
    doc.save()
    assert doc._get_changed_fields() == [] and doc._delta() == ({}, {})
    doc.name, doc.tags = "b", ["z"]
    assert sorted(doc._changed_fields) == ["nm", "tags"]
    assert doc._delta() == ({"nm": "b", "tags": ["z"]}, {})
    doc._changed_fields = []
    assert doc._get_changed_fields() == []
    doc.save()
    assert Shown.objects.get().name == "a"
    with pytest.raises(ValueError):
        doc._changed_fields = ["n"]


@pytest.mark.parametrize("how", [copy.copy, copy.deepcopy, lambda d: pickle.loads(pickle.dumps(d))])
def test_copies_know_what_is_stored_and_what_is_not(how: Any) -> None:
    doc = Shown(name="a", inside=ShownInside(n=1)).save()
    doc.n = 5
    doc.inside.n = 2
    twin = how(doc)
    assert twin == doc and twin is not doc and (twin.n, twin.inside.n) == (5, 2)
    assert sorted(twin._get_changed_fields()) == sorted(doc._get_changed_fields())
    twin.inside.n = 7
    assert doc.inside.n == 2
    twin.save()
    assert (Shown.objects.get().n, Shown.objects.get().inside.n) == (5, 7)
    new = how(Shown(name="n"))
    assert new._created and new.name == "n" and new.pk is None
    part = how(Shown.objects.only("n").get())
    assert part.n == 5 and part.name == "a"
    loose = Loosely(name="a", extra=1).save()
    loose.more = [2]
    again = how(loose)
    assert (again.extra, again.more) == (1, [2])
    again.save()
    assert Loosely.objects.get().more == [2]
    doc.note = {"kept": []}
    noted = how(doc)
    assert noted.note == {"kept": []}
    assert (noted.note["kept"] is doc.note["kept"]) == (how is copy.copy)
