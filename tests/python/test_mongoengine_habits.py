# SPDX-License-Identifier: Apache-2.0
"""What code written for MongoEngine does with documents."""

import copy
import pickle
from typing import Any

import bson
import pytest

from mongodb import Document, DynamicDocument, EmbeddedDocument
from mongodb.errors import ValidationError
from mongodb.fields import (
    BooleanField,
    DictField,
    DynamicField,
    EmbeddedDocumentField,
    EmbeddedDocumentListField,
    IntField,
    ListField,
    ReferenceField,
    StringField,
    UUIDField,
)


class SizedPart(EmbeddedDocument):
    size = IntField(min_value=0)
    label = StringField()


class Item(Document):
    meta = {"collection": "items"}
    name = StringField(max_length=20)
    age = IntField(min_value=0)
    tags = ListField(StringField(max_length=10))
    flag = BooleanField(default=False)
    kept = StringField(default="q", null=True)
    numbers = ListField(IntField(), default=lambda: [1, 2])
    part = EmbeddedDocumentField(SizedPart)
    parts = EmbeddedDocumentListField(SizedPart)
    uid = UUIDField()


class Loose(DynamicDocument):
    meta = {"collection": "loose"}
    name = StringField()


def stored(cls: Any, **filter: Any) -> Any:
    return cls._get_collection().find_one(filter)


def test_documents_are_sized_and_iterable(connected: str) -> None:
    part = SizedPart(size=1)
    assert list(part) == ["size", "label"]
    assert len(part) == 2
    loose = Loose(name="x", extra=1)
    assert list(loose) == ["id", "name", "extra"]
    assert len(loose) == 3


def test_a_tuple_is_a_list(connected: str) -> None:
    item = Item(name="x", tags=("a", "b")).save()
    assert item.tags == ["a", "b"]
    assert Item.objects.get(pk=item.pk).tags == ["a", "b"]
    assert Item(name="y", tags=()).tags == []
    assert Item(name="y", numbers=(1, 2, 3)).numbers == [1, 2, 3]


def test_a_tuple_for_one_value_does_not_fit(connected: str) -> None:
    for value in ((), ("a",), ("a", "b")):
        with pytest.raises(ValidationError):
            Item(name=value).validate()


def test_a_key_given_as_text_equals_the_one_read_back(connected: str) -> None:
    key = "5" * 24
    assert Item(name="x", id=key).id == bson.ObjectId(key)
    assigned = Item(name="x")
    assigned.id = key
    for item in (Item(id=key), Item(pk=key), assigned):
        item.save()
        assert item.pk == bson.ObjectId(key)
        assert item == Item.objects.get(id=key)
        item.delete()


def test_from_json_without_a_key_is_new(connected: str) -> None:
    item = Item.from_json('{"name": "z"}').save()
    assert item.pk is not None
    assert stored(Item, name="z") == {
        "_id": item.pk, "name": "z", "tags": [], "flag": False, "kept": "q", "numbers": [1, 2],
        "parts": [],
    }  # fmt: skip
    Loose.from_json('{"name": "z", "more": [1]}').save()
    assert stored(Loose, name="z")["more"] == [1]


def test_from_json_created_is_new_with_its_key(connected: str) -> None:
    text = '{"_id": {"$oid": "555555555555555555555555"}, "name": "z"}'
    Item.from_json(text).save()
    assert Item.objects.count() == 0
    Item.from_json(text, created=True).save()
    assert Item.objects.get(name="z").pk == bson.ObjectId("5" * 24)


def test_a_stored_null_shows_the_default(connected: str) -> None:
    Item._get_collection().insert_one(
        {"name": None, "tags": None, "flag": None, "numbers": None, "kept": None, "age": None}
    )
    item = Item.objects.get()
    assert (item.name, item.tags, item.flag, item.numbers) == (None, [], False, [1, 2])
    assert (item.kept, item.age) == (None, None)
    item.name = "x"
    item.save()
    after = stored(Item)
    assert after["name"] == "x"
    assert after["tags"] is None and after["flag"] is None and after["numbers"] is None
    item.numbers.append(3)
    item.save()
    assert stored(Item)["numbers"] == [1, 2, 3]
    assert Item.objects.get().to_mongo()["tags"] is None


def test_an_update_refuses_what_a_save_refuses(connected: str) -> None:
    Item(name="a", parts=[SizedPart(size=1)]).save()
    for update in (
        {"set__age": -5},
        {"name": "z" * 30},
        {"set__tags": ["x" * 20]},
        {"push__tags": "x" * 20},
        {"push_all__tags": ["x" * 20]},
        {"add_to_set__tags": ["x" * 20]},
        {"set__part__size": -1},
        {"set__part": SizedPart(size=-1)},
        {"set__parts": [SizedPart(size=-1)]},
        {"push__parts": SizedPart(size=-1)},
        {"set__uid": "no uuid"},
        {"set_on_insert__age": -1},
    ):
        with pytest.raises(ValidationError):
            Item.objects(name="a").update(**update)
    # What is no value of the field is no matter of its limits.
    assert Item.objects(name="a").update(set__age=3) == 1
    assert Item.objects(name="a").update(inc__age=-1, set__part=None) == 1
    assert Item.objects(name="a").update(set__age="7", set__tags=("x",)) == 1
    assert Item.objects.get().age == 7


def test_an_embedded_list_refuses_unknown_names(connected: str) -> None:
    item = Item(parts=[SizedPart(size=1), SizedPart(size=2)])
    assert [one.size for one in item.parts.filter(size=2)] == [2]
    for names in ({"nope": 1}, {"size__gt": 1}):
        with pytest.raises(AttributeError):
            item.parts.filter(**names)
        with pytest.raises(AttributeError):
            item.parts.exclude(**names)


def test_item_frequencies_of_empty_lists(connected: str) -> None:
    Item(tags=["x", "y"]).save()
    Item(tags=["x"]).save()
    Item(tags=[]).save()
    assert Item.objects.item_frequencies("tags") == {"x": 2, "y": 1}


class Owner(Document):
    meta = {"collection": "owners"}
    name = StringField()


class Owned(Document):
    meta = {"collection": "owned"}
    owner = ReferenceField(Owner)
    loose = ReferenceField(Loose)


def test_a_change_through_a_reference_is_saved(connected: str) -> None:
    Owned(owner=Owner(name="a").save(), loose=Loose(name="l").save()).save()
    owned = Owned.objects.get()
    owned.owner.name = "b"
    owned.owner.save()
    assert Owner.objects.get().name == "b"
    owned = Owned.objects.get()
    owned.owner.name = "c"
    owned.save(cascade=True)
    assert Owner.objects.get().name == "c"
    owned.loose.more = 1
    owned.loose.save()
    assert stored(Loose)["more"] == 1 and stored(Loose)["name"] == "l"


def test_a_change_through_a_dangling_reference_is_refused(connected: str) -> None:
    Owned(owner=Owner(id=bson.ObjectId())).save()
    owned = Owned.objects.get()
    with pytest.raises(Owner.DoesNotExist):
        owned.owner.name = "b"


def test_default_lists_and_dicts_are_not_shared(connected: str) -> None:
    class Defaults(Document):
        numbers = ListField(IntField(), default=[1])
        values = DictField(default={"a": [1]})

    one = Defaults()
    one.numbers.append(2)
    one.values["a"].append(2)
    assert Defaults().numbers == [1]
    assert Defaults().values == {"a": [1]}
    one.save()
    assert Defaults.objects.get().values == {"a": [1, 2]}


def test_copies_of_dynamic_documents_keep_their_fields(connected: str) -> None:
    new = Loose(name="a", more=[1])
    old = Loose(name="b", more=[1], gone=1).save()
    old.more.append(2)
    old.added = {"k": 1}
    del old.gone
    for make in (copy.copy, copy.deepcopy, lambda one: pickle.loads(pickle.dumps(one))):
        assert make(new).more == [1]
        clone = make(old)
        assert (clone.more, clone.added) == ([1, 2], {"k": 1})
        assert not hasattr(clone, "gone")
        clone.more.append(3)
        assert old.more == [1, 2]
    clone = copy.deepcopy(old)
    clone.save()
    assert stored(Loose) == {"_id": old.pk, "name": "b", "more": [1, 2], "added": {"k": 1}}


def test_a_missing_primary_key_is_refused(connected: str) -> None:
    class Coded(Document):
        code = StringField(primary_key=True)

    class Numbered(Document):
        number = IntField(primary_key=True)

    for cls in (Coded, Numbered):
        with pytest.raises(ValidationError):
            cls().save()
        with pytest.raises(ValidationError):
            cls.objects.insert([cls()])
        assert cls.objects.count() == 0


def test_embedded_documents_without_a_field_keep_their_class(connected: str) -> None:
    class Plain(Document):
        meta = {"collection": "plain"}
        items = ListField()
        values = DictField()
        any = DynamicField()

    Plain(items=[SizedPart(size=1)], values={"k": SizedPart(size=2)}, any=SizedPart(size=3)).save()
    part = {"size": 1, "_cls": "SizedPart"}
    assert stored(Plain)["items"] == [part]
    plain = Plain.objects.get()
    assert plain.items == [SizedPart(size=1)]
    assert plain.values == {"k": SizedPart(size=2)}
    assert plain.any == SizedPart(size=3)
    plain.any.label = "x"
    plain.save()
    assert stored(Plain)["any"] == {"size": 3, "_cls": "SizedPart", "label": "x"}
    loose = Loose(part=SizedPart(size=4), parts=[SizedPart(size=5)]).save()
    assert Loose.objects.get(pk=loose.pk).part == SizedPart(size=4)
    assert Loose.objects.get(pk=loose.pk).parts[0].size == 5
    loose.update(set__part=SizedPart(size=6))
    assert loose.reload().part.size == 6


def test_an_embedded_document_inside_itself_is_refused(connected: str) -> None:
    class Knot(EmbeddedDocument):
        any = DynamicField()

    class Knotted(Document):
        any = DynamicField()

    knot = Knot()
    knot.any = knot
    with pytest.raises(ValueError, match="any.any.any"):
        knot.to_mongo()
    knot.any = [{"deep": knot}]
    with pytest.raises(ValueError, match="any.0.deep.any.0.deep"):
        Knotted(any=knot).save()
    assert Knotted.objects.count() == 0
