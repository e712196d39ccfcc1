# SPDX-License-Identifier: Apache-2.0
"""Documents: what is stored, what changed, what is loaded."""

import copy
import datetime
import decimal
import enum
import gc
import os
import pickle
import random
import sys
import uuid
from typing import Any

import bson
import pytest

import mongodb
from mongodb import (
    CASCADE,
    DENY,
    NULLIFY,
    PULL,
    Document,
    DynamicDocument,
    EmbeddedDocument,
    get_db,
    query_counter,
)
from mongodb.errors import (
    FieldDoesNotExist,
    InvalidDocumentError,
    NotUniqueError,
    OperationError,
    SaveConditionError,
    ValidationError,
)
from mongodb.fields import (
    BaseField,
    BinaryField,
    BooleanField,
    DateField,
    DateTimeField,
    Decimal128Field,
    DecimalField,
    DictField,
    DynamicField,
    EmbeddedDocumentField,
    EmbeddedDocumentListField,
    EnumField,
    FloatField,
    GenericEmbeddedDocumentField,
    IntField,
    ListField,
    LongField,
    MapField,
    ReferenceField,
    SequenceField,
    SortedListField,
    StringField,
    UUIDField,
)


class ThingPart(EmbeddedDocument):
    a = IntField()
    b = StringField(db_field="bb")


class Thing(Document):
    name = StringField(db_field="n")
    number = IntField()
    real = FloatField()
    inner = EmbeddedDocumentField(ThingPart)
    inners = ListField(EmbeddedDocumentField(ThingPart))
    tags = ListField(StringField())
    extra = DictField()
    counts = MapField(IntField())
    anything = DynamicField()
    maybe = StringField(null=True)
    made = DateTimeField(default=lambda: datetime.datetime(2020, 1, 1))


def test_fields_are_stored_in_declared_order_and_none_is_left_out(connected: str) -> None:
    thing = Thing(number=1, name="x").save()
    assert list(get_db().thing.find_one().items()) == [
        ("_id", thing.id), ("n", "x"), ("number", 1), ("inners", []), ("tags", []),
        ("extra", {}), ("counts", {}), ("maybe", None), ("made", datetime.datetime(2020, 1, 1)),
    ]  # fmt: skip


def test_reading_changes_nothing(connected: str) -> None:
    get_db().thing.insert_one(
        {
            "n": "x",
            "number": 2.0,
            "tags": ["a"],
            "inner": {"a": bson.Int64(1)},
            "anything": {"k": [1.0]},
        }
    )
    thing = Thing.objects.get()
    for name in thing:
        getattr(thing, name)
    assert thing.inner.a == 1 and thing._changed_fields == []
    with query_counter() as counter:
        thing.save()
    assert counter == 0


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        (lambda t: setattr(t, "name", "y"), ({"n": "y"}, {})),
        (lambda t: setattr(t, "name", None), ({}, {"n": 1})),
        (lambda t: setattr(t, "name", "x"), ({}, {})),
        (lambda t: t.tags.append("c"), ({"tags": ["a", "b", "c"]}, {})),
        (lambda t: t.tags.__setitem__(1, "z"), ({"tags.1": "z"}, {})),
        (lambda t: t.tags.clear(), ({"tags": []}, {})),
        (lambda t: setattr(t.inner, "b", "new"), ({"inner.bb": "new"}, {})),
        (lambda t: setattr(t.inner, "a", None), ({}, {"inner.a": 1})),
        (lambda t: setattr(t.inners[1], "a", 9), ({"inners.1.a": 9}, {})),
        (lambda t: t.extra["k"].update(d=2), ({"extra.k.d": 2}, {})),
        (lambda t: t.extra.pop("k"), ({"extra": {}}, {})),
        (lambda t: t.extra.update({"a.b": 1}), ({"extra": {"k": {"c": 1}, "a.b": 1}}, {})),
        (lambda t: t.counts.update(y=2), ({"counts.y": 2}, {})),
        (lambda t: setattr(t, "inner", ThingPart(a=1, b="t")), ({"inner.bb": "t"}, {})),
        (lambda t: t.__setattr__("anything", {"x": 1}), ({"anything": {"x": 1}}, {})),
    ],
)
def test_the_smallest_update_is_sent(connected: str, change: Any, expected: Any) -> None:
    thing = Thing(
        name="x", inner=ThingPart(a=1, b="s"), inners=[ThingPart(a=1), ThingPart(a=2)],
        tags=["a", "b"],
        extra={"k": {"c": 1}}, counts={"x": 1},
    ).save()  # fmt: skip
    for one in (thing, Thing.objects.get()):
        before = get_db().thing.find_one()
        change(one)
        assert one._delta() == expected
        one.save()
        assert one._delta() == ({}, {})
        assert bson.encode(get_db().thing.find_one()) == bson.encode(one.to_mongo())
        get_db().thing.replace_one({"_id": one.id}, before)


def test_a_default_that_was_only_read_is_not_stored(connected: str) -> None:
    get_db().thing.insert_one({"n": "x"})
    thing = Thing.objects.get()
    assert thing.tags == [] and thing.made == datetime.datetime(2020, 1, 1)
    thing.save()
    assert list(get_db().thing.find_one()) == ["_id", "n"]
    thing.tags.append("a")
    thing.save()
    assert get_db().thing.find_one()["tags"] == ["a"]


class Defaulted(Document):
    name = StringField()
    settings = DictField(default=lambda: {"public": True})


def test_a_default_that_was_read_is_stored_whole_when_it_changes(connected: str) -> None:
    get_db().defaulted.insert_one({"name": "x"})
    one = Defaulted.objects.get()
    assert one.settings == {"public": True}
    one.name = "y"
    one.save()
    assert "settings" not in get_db().defaulted.find_one()
    one.settings["dark"] = True
    one.save()
    assert get_db().defaulted.find_one()["settings"] == {"public": True, "dark": True}


def test_unknown_stored_fields_are_kept(connected: str) -> None:
    get_db().thing.insert_one({"n": "x", "later": [1]})
    thing = Thing.objects.get()
    thing.name = "y"
    thing.save()
    assert get_db().thing.find_one()["later"] == [1]
    with pytest.raises(FieldDoesNotExist, match="nope"):
        Thing(nope=1)


def test_partly_loaded_documents_keep_the_rest(connected: str) -> None:
    Thing(name="x", number=1, tags=["a"]).save()
    thing = Thing.objects.exclude("tags").get()
    thing.tags.append("b")
    thing.save()
    assert get_db().thing.find_one()["tags"] == ["a", "b"]
    thing = Thing.objects.only("number").get()
    thing.number = 2
    thing.save()
    with query_counter() as counter:
        assert (thing.name, thing.tags, counter) == ("x", ["a", "b"], 1)


def test_save_of_a_deleted_document_inserts_it_whole(connected: str) -> None:
    thing = Thing(name="x", number=1).save()
    get_db().thing.delete_many({})
    thing.number = 2
    thing.save()
    assert get_db().thing.find_one()["n"] == "x"
    get_db().thing.delete_many({})
    with pytest.raises(SaveConditionError):
        thing.save(save_condition={"number": 1})


def test_save_condition(connected: str) -> None:
    thing = Thing(name="x", number=1).save()
    thing.name = "y"
    with pytest.raises(SaveConditionError):
        thing.save(save_condition={"number__gt": 5})
    assert thing.save(save_condition={"number": 1}).reload().name == "y"


def test_copies_are_independent_and_equal(connected: str) -> None:
    thing = Thing(name="x", inner=ThingPart(a=1), tags=["a"]).save()
    thing.tags.append("b")
    for twin in (pickle.loads(pickle.dumps(thing)), copy.copy(thing), copy.deepcopy(thing)):
        assert twin == thing and twin.tags == ["a", "b"] and twin._delta() == thing._delta()
        twin.tags.append("c")
        assert thing.tags == ["a", "b"]
    new = pickle.loads(pickle.dumps(Thing(name="n")))
    assert new._created and new.name == "n" and new.id is None
    assert Thing.from_json(thing.to_json()).to_mongo() == thing.to_mongo()
    assert len({thing, Thing.objects.get()}) == 1 and ThingPart(a=1) == ThingPart(a=1) != ThingPart(
        a=2
    )


class Color(enum.Enum):
    RED = "red"


class Typed(Document):
    big = LongField()
    exact = DecimalField(precision=2)
    text = DecimalField(force_string=True)
    dec = Decimal128Field()
    key = UUIDField()
    keytext = UUIDField(binary=False)
    data = BinaryField(max_bytes=4)
    color = EnumField(Color)
    day = DateField()
    flag = BooleanField()
    ordered = SortedListField(IntField())
    generic = GenericEmbeddedDocumentField()
    many = EmbeddedDocumentListField(ThingPart)


def test_types_come_back_as_they_went(connected: str) -> None:
    key = uuid.uuid4()
    Typed(big=1, exact="1.005", text="2.50", dec="1.5", key=key, keytext=str(key), data=b"abcd",
          color=Color.RED, day="2024-02-29", flag=True, ordered=[3, 1], generic=ThingPart(a=1),
          many=[ThingPart(a=1), ThingPart(a=2)]).save()  # fmt: skip
    raw = get_db().typed.find_one()
    assert type(raw["big"]) is bson.Int64 and raw["text"] == "2.50" and raw["color"] == "red"
    assert raw["key"].subtype == 4 and raw["keytext"] == str(key) and raw["ordered"] == [1, 3]
    assert raw["generic"] == {"a": 1, "_cls": "ThingPart"}
    found = Typed.objects.get()
    assert found.exact == decimal.Decimal("1.01") and found.text == decimal.Decimal("2.50")
    assert found.dec == bson.Decimal128("1.5") and found.key == key and found.keytext == key
    assert found.color is Color.RED and found.day == datetime.date(2024, 2, 29)
    assert found.generic == ThingPart(a=1) and found.many.filter(a=2) == [ThingPart(a=2)]
    found.many.create(a=3)
    found.many.filter(a=1).delete()
    found.save()
    assert [one.a for one in Typed.objects.get().many] == [2, 3]
    assert Typed.objects(key=key, exact=decimal.Decimal("1.01"), color=Color.RED).count() == 1
    with pytest.raises(ValidationError):
        Typed(data=b"abcde").save()


def test_older_spellings_of_decimals_and_uuids_are_read(connected: str) -> None:
    key = uuid.uuid4()
    get_db().typed.insert_one({"exact": 1.5, "key": bson.Binary(key.bytes, 3)})
    found = Typed.objects.get()
    assert (found.exact, found.key) == (decimal.Decimal("1.50"), key)
    found.save()
    assert get_db().typed.find_one()["exact"] == 1.5


class Upper(BaseField):
    def to_python(self, value: Any) -> Any:
        return value.lower()

    def to_mongo(self, value: Any) -> Any:
        return value.upper()

    def validate(self, value: Any, clean: bool = True) -> None:
        if not value.isalpha():
            self.error("letters only")


class Shout(StringField):
    def to_mongo(self, value: Any) -> Any:
        return f"{value}!"


class Own(Document):
    word = Upper()
    cry = Shout()
    words = ListField(Upper())


def test_a_field_class_of_ones_own_falls_back_to_python(connected: str) -> None:
    Own(word="ab", cry="hey", words=["x"]).save()
    raw = get_db().own.find_one()
    assert (raw["word"], raw["cry"], raw["words"]) == ("AB", "hey!", ["X"])
    found = Own.objects.get(word="ab")
    assert (found.word, found.words) == ("ab", ["x"])
    with pytest.raises(ValidationError, match="letters only") as caught:
        Own(words=["x", "1"]).save()
    assert caught.value.to_dict() == {"words": {1: "letters only"}}


class Animal(Document):
    name = StringField()
    meta = {"allow_inheritance": True}


class Dog(Animal):
    breed = StringField()


class Cat(Animal):
    lives = IntField(default=9)


class Owner(Document):
    pet = ReferenceField(Animal)
    pets = ListField(ReferenceField("Animal"))


def test_inheritance_shares_a_collection(connected: str) -> None:
    dog = Dog(name="d", breed="b").save()
    Cat(name="c").save()
    Animal(name="a").save()
    assert [type(one) for one in Animal.objects.order_by("name")] == [Animal, Cat, Dog]
    assert Dog.objects.count() == 1 and Dog.objects.get().breed == "b"
    assert get_db().animal.find_one({"name": "d"})["_cls"] == "Animal.Dog"
    assert [type(one) for one in Animal.objects.only("name").order_by("-name")][0] is Dog
    assert Animal.objects(breed="b").get() == dog
    Owner(pet=dog, pets=[dog]).save()
    owner = Owner.objects.get()
    assert type(owner.pet) is Dog and owner.pets[0].breed == "b"
    with pytest.raises(ValueError, match="may not be subclassed"):
        type("Sub", (Thing,), {})


class Loose(DynamicDocument):
    name = StringField()


def test_dynamic_documents_take_any_field(connected: str) -> None:
    loose = Loose(name="n", age=3)
    loose.tags = ["a"]
    loose.save()
    found = Loose.objects.get(age=3, tags="a")
    assert (found.age, found.tags) == (3, ["a"])
    found.tags.append("b")
    del found.age
    assert found._delta() == ({"tags": ["a", "b"]}, {"age": 1})
    found.save()
    assert Loose.objects.get().to_dict() == {"id": loose.id, "name": "n", "tags": ["a", "b"]}
    with pytest.raises(AttributeError):
        _ = found.age


class Author(Document):
    name = StringField()


class Book(Document):
    title = StringField()
    author = ReferenceField(Author, reverse_delete_rule=CASCADE)
    editor = ReferenceField(Author, reverse_delete_rule=NULLIFY)
    friends = ListField(ReferenceField(Author, reverse_delete_rule=PULL))
    patron = ReferenceField(Author, reverse_delete_rule=DENY, dbref=True)


def test_reverse_delete_rules(connected: str) -> None:
    a, b, c, d = (Author(name=name).save() for name in "abcd")
    Book(title="1", author=a, editor=b, friends=[b, c], patron=d).save()
    b.delete()
    book = Book.objects.get()
    assert book.editor is None and book.friends == [c]
    assert get_db().book.find_one()["patron"] == bson.DBRef("author", d.id)
    assert book.patron == d and book.patron.name == "d"
    with pytest.raises(OperationError, match="DENY"):
        d.delete()
    Author.objects(name="a").delete()
    assert Book.objects.count() == 0
    with pytest.raises(InvalidDocumentError):
        type("Bad", (EmbeddedDocument,), {"a": ReferenceField(Author, reverse_delete_rule=CASCADE)})


def test_references_are_fetched_for_the_whole_batch(connected: str) -> None:
    authors = [Author(name=str(i)).save() for i in range(5)]
    for i in range(20):
        Book(title=str(i), author=authors[i % 5], friends=[authors[0], authors[i % 3]]).save()
    with query_counter() as counter:
        assert {book.author.pk for book in Book.objects} == {a.pk for a in authors}
        assert counter == 1
    with query_counter() as counter:
        assert sum(len(b.author.name) + len(b.friends[1].name) for b in Book.objects) == 40
        assert counter == 2
    with query_counter() as counter:
        books = list(Book.objects.select_related("author", "friends"))
        assert counter <= 3 and [b.friends[1].name for b in books] and counter <= 3
    assert Book.objects.no_dereference().first().author == authors[0].id
    gone = authors[1]
    get_db().author.delete_one({"_id": gone.id})
    book = Book.objects(title="1").get()
    assert book.author.id == gone.id
    with pytest.raises(Author.DoesNotExist):
        _ = book.author.name


class Numbered(Document):
    id = SequenceField(primary_key=True)
    code = StringField(unique=True, sparse=True)
    a = StringField(unique_with="b")
    b = StringField()


def test_sequences_and_unique_fields(connected: str) -> None:
    assert [Numbered(a=str(i)).save().pk for i in range(2)] == [1, 2]
    Numbered(code="x", a="2", b="1").save()
    with pytest.raises(NotUniqueError) as caught:
        Numbered(code="x", a="3").save()
    assert caught.value.details["keyPattern"] == {"code": 1}
    with pytest.raises(NotUniqueError):
        Numbered(a="2", b="1").save()
    assert Numbered.objects.get(pk=1).a == "0" and Numbered.objects(id__gte=2).count() == 2


def test_modify_update_and_reload(connected: str) -> None:
    thing = Thing(name="x", number=1).save()
    assert thing.modify({"number": 1}, inc__number=1, set__name="y") is True
    assert (thing.number, thing.name, thing._delta()) == (2, "y", ({}, {}))
    assert thing.modify({"number": 1}, inc__number=1) is False
    thing.update(push__tags="a", set__inner__a=3)
    thing.reload()
    assert thing.tags == ["a"] and thing.inner.a == 3
    thing.name = "z"
    thing.reload("tags")
    assert thing.name == "z" and thing._delta() == ({"n": "z"}, {})


def test_a_forked_process_opens_its_own_connection(connected: str) -> None:
    Thing(name="parent").save()
    child = os.fork()
    if child == 0:
        code = 1
        try:
            Thing(name="child").save()
            code = 0 if Thing.objects.count() == 2 else 2
        finally:
            os._exit(code)
    assert os.waitpid(child, 0)[1] == 0
    assert {thing.name for thing in Thing.objects} == {"parent", "child"}


def test_nothing_leaks(connected: str) -> None:
    def work(times: int) -> None:
        for i in range(times):
            thing = Thing(
                name=f"n{i}", inner=ThingPart(a=i), inners=[ThingPart(a=1)], tags=["a"]
            ).save()
            thing.tags.append("b")
            thing.inner.b = "x"
            thing.save()
            found = Thing.objects.get(pk=thing.pk)
            found.to_dict(), found.to_json(), found._data, pickle.loads(pickle.dumps(found))
            list(Thing.objects(number=None).only("name").limit(3))
            try:
                Thing(number="many", tags=3).save()
            except ValidationError as error:
                str(error)
            found.delete()

    def blocks() -> int:
        gc.collect()
        return sys.getallocatedblocks()

    work(100)
    before, objects = blocks(), len(gc.get_objects())
    work(400)
    after = blocks()
    assert len(gc.get_objects()) - objects < 100
    assert after - before < 1000  # a leak of one block per document would be 400 and more each


def test_clean_runs_before_validation_and_names_its_field(connected: str) -> None:
    class Cleaned(Document):
        name = StringField(required=True)

        def clean(self) -> None:
            if self.name is None:
                self.name = "made"
            elif self.name == "bad":
                raise ValidationError("not this one", field_name="name")

    assert Cleaned().save().name == "made"
    with pytest.raises(ValidationError) as caught:
        Cleaned(name="bad").save()
    assert caught.value.to_dict() == {"name": "not this one"}
    assert Cleaned(name="bad").save(clean=False).pk is not None


def test_bulk_insert(connected: str) -> None:
    things = [Thing(name=str(i)) for i in range(500)]
    assert Thing.objects.insert(things) == things
    things[3].number = 5
    things[3].save()
    assert Thing.objects.count() == 500 and Thing.objects(number=5).get() == things[3]
    assert Thing.objects.in_bulk([things[0].pk]) == {things[0].pk: things[0]}
    assert len(Thing.objects.insert([Thing(), Thing()], load_bulk=False)) == 2
    with pytest.raises(NotUniqueError):
        Thing.objects.insert([Thing(id=things[0].id)])
    with pytest.raises(OperationError, match="saved, not inserted"):
        Thing.objects.insert(things[0])


def test_get_or_create_and_update_or_create(connected: str) -> None:
    first, created = Thing.objects.get_or_create(name="x", defaults={"number": 1})
    assert created and first.number == 1
    again, created = Thing.objects.get_or_create(name="x", defaults={"number": 2})
    assert not created and again == first and again.number == 1
    changed, created = Thing.objects.update_or_create(name="x", defaults={"number": 3})
    assert not created and Thing.objects.get(name="x").number == 3 and changed == first


def test_async_twins(connected: str) -> None:
    import asyncio

    async def main() -> list[str]:
        await Thing(name="a").asave()
        await Thing.objects.acreate(name="b")
        assert await Thing.objects.acount() == 2
        assert (await Thing.objects.aget(name="a")).name == "a"
        assert await Thing.objects(name="c").afirst() is None
        return [thing.name async for thing in Thing.objects.order_by("name")]

    assert asyncio.run(main()) == ["a", "b"]


def test_django_settings_connect(connected: str, tmp_path: Any) -> None:
    from mongodb.apps import register_settings

    register_settings([{"alias": "one", "NAME": "x", "HOST": connected}, {"alias": "two", "db": "y",
                      "host": connected}])  # fmt: skip
    assert get_db("one").name == "x" and get_db("two").name == "y"
    mongodb.disconnect("one")
    with pytest.raises(mongodb.ConnectionFailure):
        get_db("one")


def test_init_signals_come_for_loaded_documents_too(connected: str) -> None:
    from mongodb.signals import post_init

    Thing(name="x").save()
    seen: list[Any] = []

    @post_init.connect
    def note(sender: Any, document: Any, **kwargs: Any) -> None:
        seen.append((sender, document.name))

    try:
        assert Thing.objects.get().name == "x"
        Thing(name="y")
        assert seen == [(Thing, "x"), (Thing, "y")]
    finally:
        post_init.disconnect(note)
    Thing.objects.get()
    assert len(seen) == 2


def test_a_class_with_its_own_init_runs_it_when_loaded(connected: str) -> None:
    class Counted(Document):
        name = StringField()

        def __init__(self, *args: Any, **kwargs: Any) -> None:
            super().__init__(*args, **kwargs)
            self.upper = (self.name or "").upper()

    Counted(name="x").save()
    assert Counted.objects.get().upper == "X"


def test_lists_of_scalars_values_and_dicts(connected: str) -> None:
    Thing(name="a", number=1, inner=ThingPart(a=5)).save()
    Thing(name="b", number=2).save()
    things = Thing.objects.order_by("name")
    assert list(things.scalar("name")) == ["a", "b"]
    assert list(things.values_list("name", "inner__a")) == [("a", 5), ("b", None)]
    assert list(things.values("number")) == [{"number": 1}, {"number": 2}]
    assert [one["n"] for one in things.as_pymongo()] == ["a", "b"]
    assert sorted(things.distinct("number")) == [1, 2]
    assert things.distinct("inner") == [ThingPart(a=5)]
    assert (things.sum("number"), things.average("number")) == (3, 1.5)
    assert things.item_frequencies("name") == {"a": 1.0, "b": 1.0}
    assert Thing.objects.from_json(things.to_json())[1].name == "b"
    assert "find" in things.as_command() and things.explain()["ok"] == 1


def test_updates_through_a_queryset(connected: str) -> None:
    Thing(name="a", number=1, tags=["x"], inners=[ThingPart(a=1)]).save()
    things = Thing.objects(name="a")
    assert things.update(inc__number=2, push__tags="y", set__inner__b="s") == 1
    assert things.update(pull__inners__a=1, add_to_set__tags=["y", "z"]) == 1
    thing = things.get()
    assert (thing.number, thing.tags, thing.inner.b, thing.inners) == (3, ["x", "y", "z"], "s", [])
    assert things.modify(new=True, dec__number=1).number == 2
    assert things.modify(set__number=9).number == 2
    result = Thing.objects(name="c").update_one(upsert=True, full_result=True, set__number=1)
    assert result.upserted_id is not None and result.matched_count == 0
    assert Thing.objects(name="d").upsert_one(set__number=4).name == "d"
    assert things.modify(remove=True).number == 9 and things.count() == 0
    with pytest.raises(mongodb.InvalidQueryError, match="no field"):
        things.update(set__nope=1)
    with pytest.raises(mongodb.InvalidQueryError, match="refers to"):
        Book.objects.update(set__author__name="x")


def test_capped_options_are_checked(connected: str) -> None:
    class Log(Document):
        text = StringField()
        meta = {"max_documents": 10, "max_size": 5000}

    Log(text="x").save()
    assert get_db().log.options() == {"capped": True, "size": 5120, "max": 10}

    class Log2(Document):
        text = StringField()
        meta = {"collection": "log", "max_documents": 20, "max_size": 5000}

    with pytest.raises(mongodb.InvalidCollectionError, match="drop it"):
        Log2(text="x").save()


def test_odd_bytes_are_refused_or_read_and_reading_changes_nothing() -> None:
    from mongodb import _core

    good = bson.encode(
        {"_id": bson.ObjectId("0" * 24), "n": "abc", "number": 5, "real": 1.5, "tags": ["a", "b"],
         "inner": {"a": 1, "bb": "x"}, "inners": [{"a": 1}, {"a": 2}], "extra": {"a": {"b": [1]}},
         "counts": {"k": 1}, "anything": {"q": [1, {"z": 2}]},
         "made": datetime.datetime(2020, 1, 1)}
    )  # fmt: skip
    chance = random.Random(7)
    accepted = 0
    for _ in range(3000):
        data = bytearray(good)
        for _ in range(chance.randint(1, 3)):
            data[chance.randrange(len(data))] = chance.randrange(256)
        try:
            thing = _core.document(Thing, bytes(data))
        except ValueError:
            continue
        accepted += 1
        for name in Thing._fields:
            try:
                getattr(thing, name)
            except (ValueError, TypeError, OverflowError, bson.errors.InvalidBSON):
                continue
        assert thing._changes() is None, bytes(data)
        assert len(thing._encode()) > 4
    assert accepted > 100


def test_documents_inside_themselves_are_an_error() -> None:
    class Node(EmbeddedDocument):
        child = EmbeddedDocumentField("self")

    class Tree(Document):
        root = EmbeddedDocumentField(Node)

    node = Node()
    node.child = node
    with pytest.raises(ValueError, match="root.child.child"):
        Tree(root=node)._encode()
    for call in (Tree(root=node).validate, Tree(root=node).to_dict):
        with pytest.raises(RecursionError):
            call()


def test_misuse_of_the_core_is_an_error() -> None:
    from mongodb import _core

    thing = Thing()
    for call in (
        lambda: _core.hollow(thing, 1),
        lambda: _core.hollow(ThingPart, 1),
        lambda: _core.hollow(int, 1),
        lambda: _core.document(Document, b"\5\0\0\0\0"),
        lambda: _core.document(Thing, b"\6\0\0\0\0"),
        lambda: _core.Batch(Thing._schema, b""),
        lambda: _core.Batch(Thing._schema, bson.encode({"0": 1})),
        lambda: thing._get(99),
        lambda: thing._load(b"x"),
        lambda: setattr(thing, "_mask", b""),
        lambda: setattr(thing, "_extra", 1),
        lambda: Thing.__dict__["name"].__get__(Author()),
        lambda: _core.insert_command("c", [1], {}, 0),
    ):
        with pytest.raises((TypeError, ValueError, IndexError)):
            call()
