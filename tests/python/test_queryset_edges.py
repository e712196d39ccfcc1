# SPDX-License-Identifier: Apache-2.0
"""Querysets at the edges: inserted copies, collations of ids, parts of documents, pickles."""

import copy
import pickle
from collections.abc import Iterator
from typing import Any

import pytest
from pymongo.read_concern import ReadConcern

import mongodb
from mongodb import (
    Document,
    DoesNotExist,
    EmbeddedDocument,
    NotUniqueError,
    OperationError,
)
from mongodb.context_managers import query_counter
from mongodb.errors import InvalidQueryError
from mongodb.fields import (
    DynamicField,
    EmbeddedDocumentField,
    EmbeddedDocumentListField,
    GenericReferenceField,
    IntField,
    ListField,
    ReferenceField,
    StringField,
)
from mongodb.queryset._origin import Origin


class EdgeItem(EmbeddedDocument):
    name = StringField()
    n = IntField()


class EdgeHead(EmbeddedDocument):
    title = StringField()
    words = ListField(StringField())


class EdgeDoc(Document):
    name = StringField()
    n = IntField()
    numbers = ListField(IntField())
    items = EmbeddedDocumentListField(EdgeItem)
    head = EmbeddedDocumentField(EdgeHead)
    data = DynamicField()
    author = ReferenceField("EdgeAnimal")


class EdgeWord(Document):
    word = StringField(primary_key=True)
    other = StringField()
    n = IntField(default=0)
    thing = ReferenceField(EdgeDoc)
    things = ListField(ListField(ReferenceField(EdgeDoc)))
    anything = GenericReferenceField()


class EdgeAnimal(Document):
    name = StringField()
    meta = {"allow_inheritance": True}


class EdgeDog(EdgeAnimal):
    pass


CLASSES: list[Any] = [EdgeDoc, EdgeWord, EdgeAnimal]


@pytest.fixture(autouse=True)
def store() -> Iterator[None]:
    mongodb.connect("edges", host="docstore://:memory:?database=edges")
    for cls in CLASSES:
        cls.drop_collection()
    yield
    mongodb.disconnect()


def test_a_loaded_document_without_its_key_is_inserted_as_a_copy() -> None:
    first = EdgeDoc(name="a").save()
    loaded = EdgeDoc.objects.get(name="a")
    with pytest.raises(OperationError):
        EdgeDoc.objects.insert(loaded)
    loaded.id = None
    EdgeDoc.objects.insert(loaded)
    assert loaded.id not in (None, first.id)
    assert EdgeDoc.objects.count() == 2


def test_the_first_insert_makes_the_indexes() -> None:
    class EdgeUnique(Document):
        name = StringField(unique=True)
        meta = {"auto_create_index": True}

    with pytest.raises(NotUniqueError):
        EdgeUnique.objects.insert([EdgeUnique(name="a"), EdgeUnique(name="a")])


def test_an_unordered_insert_goes_on_after_a_refused_document() -> None:
    taken = EdgeWord(word="a").save()
    assert taken.pk == "a"
    docs = [EdgeWord(word=word) for word in ("b", "a", "c")]
    with pytest.raises(NotUniqueError):
        EdgeWord.objects.insert(docs, ordered=False)
    assert [one.pk for one in EdgeWord.objects.order_by("pk")] == ["a", "b", "c"]
    more = [EdgeWord(word=word) for word in ("d", "a", "e")]
    with pytest.raises(NotUniqueError):
        EdgeWord.objects.insert(more, ordered=True)
    assert [one.pk for one in EdgeWord.objects.order_by("pk")] == ["a", "b", "c", "d"]


def test_a_sliced_change_with_a_collation_touches_no_other_id(mongod: str) -> None:
    mongodb.connect("edges", host=mongod, alias="edges_mongod")
    words = EdgeWord.objects.using("edges_mongod")
    words.delete()
    words.insert([EdgeWord(word=word) for word in ("a", "A", "b")])
    either = {"locale": "en", "strength": 2}  # to which "a" and "A" are equal
    chosen = words.filter(pk__in=["a", "b"]).collation(either)
    assert chosen.order_by("-pk").limit(1).update(n=1) == 1
    assert [one.pk for one in words.filter(n=1)] == ["b"]
    found = words.filter(pk="a").collation(either)
    assert found.count() == 2
    assert found.order_by("pk").limit(1).update(n=2) == 1
    assert words.filter(n=2).count() == 1
    assert found.order_by("pk").limit(1).delete() == 1
    assert words.count() == 2
    mongodb.disconnect("edges_mongod")


@pytest.fixture
def shaped() -> Any:
    return EdgeDoc(
        name="a",
        numbers=[1, 2, 3, 4],
        items=[EdgeItem(name="x", n=1), EdgeItem(name="y", n=2)],
        head=EdgeHead(title="t", words=["v", "w"]),
    ).save()


def test_what_is_loaded_in_part_is_saved_in_part(shaped: Any) -> None:
    stored = EdgeDoc.objects.get()

    def unchanged(**changed: Any) -> None:
        again = EdgeDoc.objects.get()
        for name in ("name", "numbers", "items", "head"):
            assert getattr(again, name) == changed.get(name, getattr(stored, name)), name

    one = EdgeDoc.objects.only("head.title", "n").get()
    one.n = 5
    one.save()
    unchanged()
    one = EdgeDoc.objects.exclude("head.words").get()
    one.head.title = "other"
    one.save()
    unchanged(head=EdgeHead(title="other", words=["v", "w"]))
    stored = EdgeDoc.objects.get()
    one = EdgeDoc.objects.exclude("head.words", "head", "n").get()
    assert one.name == "a"
    one.name = "b"
    one.save()
    unchanged(name="b")
    stored = EdgeDoc.objects.get()
    one = EdgeDoc.objects.fields(slice__numbers=[1, 2]).get()
    assert one.numbers == [2, 3]
    one.name = "c"
    one.save()
    unchanged(name="c")


@pytest.mark.parametrize(
    ("include", "exclude", "chosen", "levels", "paths"),
    [
        (["n", "name"], [], {}, {"_id": 1, "n": 1, "name": 1}, []),
        (["head.title"], [], {}, {"_id": 1, "head": 2}, ["ihead.title"]),
        (["head", "head.title"], [], {}, {"_id": 1, "head": 1}, []),
        (["items.$"], [], {}, {"_id": 1, "items": 2}, ["mitems", "iitems.$"]),
        (
            [],
            ["n", "name"],
            {},
            {"_id": 1, "numbers": 1, "items": 1, "head": 1, "data": 1, "author": 1},
            [],
        ),
        (
            [],
            ["head.words", "n"],
            {},
            {"_id": 1, "name": 1, "numbers": 1, "items": 1, "head": 2, "data": 1, "author": 1},
            ["xhead.words", "xn"],
        ),
        (
            [],
            ["head.words", "head"],
            {},
            {"_id": 1, "n": 1, "name": 1, "numbers": 1, "items": 1, "data": 1, "author": 1},
            [],
        ),
        (
            [],
            [],
            {"numbers": {"$slice": 1}},
            {
                "_id": 1,
                "n": 1,
                "name": 1,
                "numbers": 2,
                "items": 1,
                "head": 1,
                "data": 1,
                "author": 1,
            },
            ["snumbers"],
        ),
        ([], [], {"items": {"$elemMatch": {"n": 1}}}, {"_id": 1, "items": 2}, ["mitems"]),
    ],
)
def test_what_a_projection_loads(
    include: Any, exclude: Any, chosen: Any, levels: Any, paths: Any
) -> None:
    mask = Origin(tuple(include), tuple(exclude), chosen).mask_for(EdgeDoc)
    assert mask is not None
    names = [field.db_field for field in EdgeDoc._fields.values()]
    assert {name: level for name, level in zip(names, mask, strict=False) if level} == levels
    assert mask[len(names) :].decode().split("\0")[:-1] == paths


def test_average_goes_through_lists_and_over_plain_fields(shaped: Any) -> None:
    EdgeDoc(name="b", n=4, numbers=[10], items=[EdgeItem(n=6)]).save()
    assert EdgeDoc.objects.average("n") == 4
    assert EdgeDoc.objects.average("numbers") == 4
    assert EdgeDoc.objects.average("items.n") == 3
    assert EdgeDoc.objects.average("head.title") == 0.0
    EdgeDoc(data={"x": 3}).save()
    assert EdgeDoc.objects.average("data.x") == 3


def test_a_class_without_subclasses_is_asked_for_by_its_name() -> None:
    EdgeAnimal(name="a").save()
    EdgeDog(name="d").save()
    assert EdgeDog.objects._class_filter() == {"_cls": "EdgeAnimal.EdgeDog"}
    assert sorted(EdgeAnimal.objects._class_filter()["_cls"]["$in"]) == [
        "EdgeAnimal",
        "EdgeAnimal.EdgeDog",
    ]


def test_read_concern_is_taken_from_pymongo_and_from_a_dict() -> None:
    for given in (ReadConcern("majority"), {"level": "majority"}):
        chosen = EdgeDoc.objects.read_concern(given)
        assert chosen._read_concern == ReadConcern("majority")
    assert EdgeDoc.objects.read_concern(None)._read_concern is None
    assert EdgeDoc.objects.read_concern(ReadConcern())._read_concern is None


def test_a_pickle_and_a_copy_of_a_half_read_queryset_read_all() -> None:
    for n in range(250):
        EdgeDoc(n=n).save()
    half = EdgeDoc.objects.order_by("n")
    iterator = iter(half)
    assert next(iterator).n == 0
    assert half._has_more
    for other in (pickle.loads(pickle.dumps(half)), copy.copy(half), copy.deepcopy(half)):
        assert [one.n for one in other] == list(range(250))
    assert len(list(half)) == 250 and not half._has_more
    whole = pickle.loads(pickle.dumps(half))
    EdgeDoc.objects.delete()
    assert len(whole) == 250
    assert half._ordering == [("n", 1)] and EdgeDoc.objects._ordering is None
    assert EdgeDoc.objects._result_cache is None and len(half._result_cache or ()) == 250


def test_only_a_key_is_looked_up_as_one() -> None:
    EdgeWord(word="a", other="b").save()
    EdgeWord(word="b", other="c").save()
    assert EdgeWord.objects.get(other="b").pk == "a"
    assert EdgeWord.objects.get(pk="b").other == EdgeWord.objects.get(word="b").other == "c"
    animal, dog = EdgeAnimal(name="a").save(), EdgeDog(name="d").save()
    with pytest.raises(DoesNotExist):
        EdgeDog.objects.get(pk=animal.pk)
    assert type(EdgeAnimal.objects.get(pk=dog.pk)) is EdgeDog


def test_values_without_a_cache_and_flat_values() -> None:
    for n in range(25):
        EdgeDoc(n=n, name="x").save()
    assert 7 in EdgeDoc.objects.no_cache().scalar("n")
    assert 70 not in EdgeDoc.objects.no_cache().scalar("n")
    assert sorted(EdgeDoc.objects.values_list("n", flat=True)) == list(range(25))
    with pytest.raises(InvalidQueryError):
        EdgeDoc.objects.values_list("n", "name", flat=True)
    shown = repr(EdgeDoc.objects.order_by("n"))
    first = list(EdgeDoc.objects.order_by("n")[:20])
    assert shown == repr(first)[:-1] + ", '...(remaining elements truncated)...']"
    assert repr(EdgeDoc.objects.order_by("n")[:20]) == repr(first)
    numbers = EdgeDoc.objects.scalar("n").in_bulk([one.pk for one in first])
    assert sorted(numbers.values()) == list(range(20))


def test_related_documents_are_fetched_through_lists_and_on() -> None:
    animal = EdgeAnimal(name="a").save()
    doc = EdgeDoc(name="d", author=animal).save()
    EdgeWord(word="w", thing=doc, things=[[doc]], anything=doc).save()
    EdgeWord(word="x").save()
    wanted = EdgeWord.objects.order_by("pk").select_related("thing__author", "things__author")
    first, second = wanted.select_related("thing__author", "things", "anything")
    with query_counter() as counter:
        assert first.thing.author.name == "a"
        assert first.things[0][0].name == "d"
        assert first.anything.name == "d"
        assert second.thing is None
        assert counter == 0
    (first, _) = wanted
    with query_counter() as counter:
        assert first.things[0][0].author.name == "a"
        assert counter == 0


def test_lists_are_pushed_to_and_pulled_from(shaped: Any) -> None:
    def changed(**update: Any) -> Any:
        assert EdgeDoc.objects.update(**update) == 1
        return EdgeDoc.objects.get()

    assert changed(push__data__x=1).data == {"x": [1]}
    assert changed(push__data__x=[2, 3]).data == {"x": [1, [2, 3]]}
    assert changed(pull__data__x=1).data == {"x": [[2, 3]]}
    assert changed(pull__items__n=1).items == [EdgeItem(name="y", n=2)]
    assert changed(push__items=EdgeItem(name="z", n=3)).items[1].name == "z"
    assert changed(pull__items__name__in=["y"]).items == [EdgeItem(name="z", n=3)]
    assert changed(pull__items=EdgeItem(name="z", n=3)).items == []
    assert changed(pull__numbers__gt=2).numbers == [1, 2]
    assert changed(pull__numbers=1).numbers == [2]
    assert changed(pull__head__words="v").head.words == ["w"]
    assert changed(push__numbers__0=9).numbers == [9, 2]
