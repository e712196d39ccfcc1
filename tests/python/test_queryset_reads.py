# SPDX-License-Identifier: Apache-2.0
"""What reading through a queryset sends, in which shape it answers, and what it computes."""

import asyncio
import copy
import pickle
from collections.abc import Iterator
from typing import Any

import bson
import pytest

import mongodb
from mongodb import Document, DynamicDocument, EmbeddedDocument, get_db, signals
from mongodb._connection import Connection
from mongodb.context_managers import query_counter
from mongodb.errors import InvalidQueryError, LookUpError, NotSupportedError
from mongodb.fields import (
    EmbeddedDocumentField,
    EmbeddedDocumentListField,
    FloatField,
    IntField,
    ListField,
    ReferenceField,
    StringField,
)
from mongodb.queryset import Avg, Count, Max, Min, QuerySet, QuerySetNoCache, Sum


class Maker(Document):
    name = StringField()
    home = ReferenceField("self")


class CarPart(EmbeddedDocument):
    n = IntField()
    by = ReferenceField(Maker)


class Car(Document):
    name = StringField(db_field="nm")
    n = IntField()
    weight = FloatField()
    tags = ListField(StringField())
    sizes = ListField(IntField())
    part = EmbeddedDocumentField(CarPart)
    parts = EmbeddedDocumentListField(CarPart)
    maker = ReferenceField(Maker)
    makers = ListField(ReferenceField(Maker))
    meta = {"ordering": ["name"]}


class Loose(DynamicDocument):
    name = StringField()


@pytest.fixture(autouse=True)
def store() -> Iterator[None]:
    mongodb.connect("reads", host="docstore://:memory:")
    yield
    mongodb.connect().run({"dropDatabase": 1})
    mongodb.disconnect_all()


@pytest.fixture
def cars() -> list[Any]:
    made = [Maker(name=name).save() for name in "xy"]
    made[0].home = made[1]
    made[0].save()
    return [
        Car(name="a", n=1, weight=1.0, tags=["r"], sizes=[1, 2], part=CarPart(n=1, by=made[0]),
            parts=[CarPart(n=1), CarPart(n=2)], maker=made[0], makers=made).save(),
        Car(name="b", n=2, weight=3.0, tags=["r", "g"], sizes=[3], part=CarPart(n=2),
            maker=made[1]).save(),
        Car(name="c", n=4).save(),
    ]  # fmt: skip


@pytest.fixture
def sent(monkeypatch: pytest.MonkeyPatch) -> list[dict[str, Any]]:
    """The commands that are sent from now on, the last one first."""
    seen: list[dict[str, Any]] = []

    def noting(call: Any) -> Any:
        def noted(self: Any, command: Any, *rest: Any) -> Any:
            shown = bson.decode(command) if isinstance(command, bytes) else dict(command)
            seen.insert(0, {**shown, "batch": rest[0] if rest else 0})
            return call(self, command, *rest)

        return noted

    monkeypatch.setattr(Connection, "run", noting(Connection.run))
    monkeypatch.setattr(Connection, "cursor", noting(Connection.cursor))
    return seen


def test_the_options_of_a_queryset_go_with_each_command_that_knows_them(
    cars: Any, sent: list[dict[str, Any]]
) -> None:
    queryset = Car.objects(n__gt=0).comment("why").max_time_ms(5000)
    for call in (
        list,
        lambda q: q.count(),
        lambda q: q.distinct("n"),
        lambda q: list(q.aggregate([])),
        lambda q: q.update(n=1),
        lambda q: q.modify(n=2),
        lambda q: q.upsert_one(n=2),
        lambda q: q[:1].update(n=3),
        lambda q: q.delete(),
        lambda q: q.sum("n"),
    ):
        call(queryset)
        assert (sent[0]["comment"], sent[0]["maxTimeMS"]) == ("why", 5000)
    list(queryset.comment(None).max_time_ms(None))
    assert "comment" not in sent[0] and "maxTimeMS" not in sent[0]
    Car.objects(n=9).upsert_one(write_concern={"w": 1}, n=9)
    assert sent[0]["writeConcern"] == {"w": 1}


def test_a_hint_is_an_index_by_name_or_by_keys(cars: Any, sent: Any) -> None:
    Car.create_index(["name", "-n"], name="both")
    for hint in (["name", "-n"], [("name", 1), ("n", -1)], {"nm": 1, "n": -1}, "both"):
        queryset = Car.objects.hint(hint)
        assert len(queryset) == 3
        assert sent[0]["hint"] == ("both" if hint == "both" else {"nm": 1, "n": -1})
        for call in (
            lambda q: q.count(), lambda q: list(q.aggregate([])), lambda q: q.modify(n=5),
        ):  # fmt: skip
            call(queryset)
            assert "hint" in sent[0]
        queryset.update(n=5)
        assert "hint" in sent[0]["updates"][0]
    assert "hint" not in Car.objects.hint("both").hint().as_command()


def test_what_the_find_command_says() -> None:
    queryset = Car.objects(n=1)
    assert queryset.as_command() == {"find": "car", "filter": {"n": 1}, "sort": {"nm": 1}}
    full = (
        queryset.order_by("-n", "+name", "").only("name").skip(1).limit(2).batch_size(7)
        .allow_disk_use().timeout(False).read_concern({"level": "local"})
        .collation({"locale": "simple"})
    )  # fmt: skip
    assert full.as_command() == {
        "find": "car", "filter": {"n": 1}, "sort": {"n": -1, "nm": 1}, "projection": {"nm": 1},
        "skip": 1, "limit": 2, "batchSize": 7, "allowDiskUse": True, "noCursorTimeout": True,
        "readConcern": {"level": "local"}, "collation": {"locale": "simple"},
    }  # fmt: skip
    bare = full.allow_disk_use(False).timeout(True).read_concern(None).collation().batch_size(0)
    assert bare.skip(None).limit(None).all_fields().order_by().as_command() == {
        "find": "car", "filter": {"n": 1},
    }  # fmt: skip
    assert full._cursor_args == {
        "projection": {"nm": 1}, "sort": {"n": -1, "nm": 1}, "skip": 1, "limit": 2,
    }  # fmt: skip
    assert Car.objects.order_by(__raw__={"n": -1}).as_command()["sort"] == {"n": -1}
    assert Car.objects.order_by("$text_score").as_command()["sort"] == {
        "_text_score": {"$meta": "textScore"}
    }
    assert (Car.objects.ordered, Car.objects.order_by().ordered) == (True, False)
    assert Car.objects.where("x")._query == {"$where": "x"}
    assert Car.objects.search_text("x")._query == {"$text": {"$search": "x"}}
    french = Car.objects.search_text("x", language="fr")._query
    assert french == {"$text": {"$search": "x", "$language": "fr"}}
    assert "queryPlanner" in Car.objects.batch_size(3).explain()
    assert "executionStats" in Car.objects.explain("executionStats")
    Car.objects.read_preference("primary")
    with pytest.raises(NotSupportedError):
        Car.objects.read_preference("secondary")


def test_conditions_are_all_meant(cars: Any) -> None:
    def names(queryset: Any) -> str:
        return "".join(one.name for one in queryset)

    q = mongodb.Q
    assert names(Car.objects(n__gt=1)(n__lt=4)) == "b"
    assert names(Car.objects.raw({"n": {"$gt": 1}}).raw({"nm": "b"})) == "b"
    assert names(Car.objects(n=2).raw({"nm": "a"})) == ""
    assert names(Car.objects.exclude(n=2)) == "ac"
    assert names(Car.objects.exclude(q(n=2) | q(n=1))) == "c"
    assert names(Car.objects(n__lt=4).exclude(n=2)) == "a"
    assert names(Car.objects.exclude("weight", n=1)) == "bc"
    assert names(Car.objects(n=1).none()) == "" and names(Car.objects(q(n=1), name="b")) == ""
    with pytest.raises(InvalidQueryError):
        Car.objects.raw([{}])
    for bad in (lambda: Car.objects.order_by("nope"), lambda: Car.objects[::2]):
        with pytest.raises(InvalidQueryError):
            bad()
    for bad in (lambda: Car.objects.only("nope"), lambda: Car.objects.exclude("nope")):
        with pytest.raises(LookUpError):
            bad()


def test_fields_that_are_read_and_left_out(cars: Any) -> None:
    def projection(queryset: Any) -> Any:
        return queryset.as_command().get("projection")

    objects = Car.objects
    assert projection(objects.only("name").only("n", "name")) == {"n": 1, "nm": 1}
    assert projection(objects.only("name", "n").exclude("n")) == {"nm": 1}
    assert projection(objects.only("n").exclude("n")) == {"_id": 1}
    assert projection(objects.exclude("name").exclude("n", "name")) == {"nm": 0, "n": 0}
    assert projection(objects.exclude("name").only("n")) == {"n": 1}
    assert projection(objects.only("part", "part.n")) == {"part": 1}
    assert projection(objects.exclude("id")) is None
    assert projection(objects.fields(name=1, n=1)) == {"nm": 1, "n": 1}
    assert projection(objects.fields(name=0)) == {"nm": 0}
    chosen = objects.fields(slice__tags=1, name=1).fields(sizes={"$slice": 1})
    assert projection(chosen) == {"nm": 1, "tags": {"$slice": 1}, "sizes": {"$slice": 1}}
    assert projection(chosen.all_fields()) is None
    for bad in ({"name": 2}, {"name": {"$meta": 1}}, {"name": "x"}):
        with pytest.raises(InvalidQueryError):
            objects.fields(**bad)
    car = objects.only("part__n").first()
    with query_counter() as count:
        assert car.part.n == 1 and count == 0
        assert car.name == "a" and count == 1
    car = objects.exclude("part__n", "tags").first()
    with query_counter() as count:
        assert car.name == "a" and count == 0
        assert car.tags == ["r"] and count == 1
    assert objects.fields(slice__tags=1)[1].tags == ["r"]
    matched = objects(name="a").fields(elemMatch__parts={"n": 2}).get()
    assert [one.n for one in matched.parts] == [2]


def test_part_of_a_list_that_was_read_is_not_stored(cars: Any) -> None:
    car = Car.objects(name="b").fields(slice__tags=1).get()
    car.n = 9
    car.save()
    assert Car.objects.get(name="b").tags == ["r", "g"]
    assert Car.objects.get(name="b").n == 9


def test_positions_and_ends(cars: Any, sent: Any) -> None:
    objects = Car.objects
    assert (objects[1].name, objects.first().name, objects.last().name) == ("b", "a", "c")
    assert objects.order_by().last().name == "c" and objects.order_by("-n").last().name == "a"
    assert objects[:2].last().name == "b" and objects(n=9).last() is None
    assert objects(n=9)[:1].last() is None and objects(n=9).first() is None
    with pytest.raises(IndexError):
        objects[3]
    with pytest.raises(InvalidQueryError):
        objects[-1]
    loaded = Car.objects
    assert len(loaded) == 3
    sent.clear()
    assert (loaded[-1].name, loaded[2].name, loaded.first(), loaded.last()) == (
        "c", "c", loaded[0], loaded[2],
    )  # fmt: skip
    assert loaded.exists() and bool(loaded) and cars[0] in loaded and "x" not in loaded
    assert sent == []
    with pytest.raises(IndexError):
        loaded[3]
    loaded.rewind()
    assert len(loaded) == 3 and len(sent) == 1
    assert not objects(n=9).exists() and not objects(n=9) and objects[2:].exists()
    assert not objects[3:].exists()
    assert objects.with_id(cars[1].pk).name == "b" and objects.with_id("5" * 24) is None
    assert next(Car.objects).name == "a"


def test_get_wants_exactly_one(cars: Any, sent: Any) -> None:
    assert Car.objects.get(name="a") == cars[0]
    for call in (lambda: Car.objects.get(), lambda: Car.objects(n__gt=1).get()):
        with pytest.raises(Car.MultipleObjectsReturned):
            call()
        assert sent[0]["limit"] == 2 and "sort" not in sent[0]
    assert Car.objects[1:].limit(1).get().name == "b"
    assert Car.objects.order_by("-name").limit(1).get().name == "c"
    for call in (
        lambda: Car.objects.get(n=9),
        lambda: Car.objects.get(pk=Maker.objects.first().pk),
        lambda: Car.objects(n=2).get(pk=cars[0].pk),
    ):
        with pytest.raises(Car.DoesNotExist):
            call()
    by_key = [Car.objects.get(pk=cars[0].pk), Car.objects.get(id=str(cars[0].pk))]
    assert by_key == [cars[0]] * 2
    assert Car.objects.only("n").get(pk=cars[0].pk)._mask is not None


def test_shapes(cars: Any) -> None:
    objects = Car.objects[:2]
    assert list(objects.scalar("name")) == ["a", "b"]
    assert list(objects.values_list("name", "n")) == [("a", 1), ("b", 2)]
    assert list(objects.values("name", "n")) == [{"name": "a", "n": 1}, {"name": "b", "n": 2}]
    assert set(Car.objects.values()[0]) == set(Car._fields)
    assert list(objects.scalar("part__n")) == [1, 2]
    assert list(Car.objects.scalar("part.n"))[2] is None
    assert list(objects.scalar("parts__n")) == [[1, 2], []]
    assert list(Car.objects.scalar("sizes__0")) == [1, 3, None]
    assert list(objects.values("sizes.1")) == [{"sizes.1": 2}, {"sizes.1": None}]
    assert list(objects.scalar("parts__1__n")) == [2, None]
    assert [type(one) for one in objects.scalar("name").scalar()] == [Car, Car]
    assert [one["nm"] for one in objects.as_pymongo()] == ["a", "b"]
    assert objects.as_pymongo().first()["nm"] == "a"
    assert list(Car.objects.none().as_pymongo()) == []
    keys = [one.pk for one in cars]
    found = Car.objects.in_bulk([keys[0], cars[1], str(keys[2])])
    assert {key: one.name for key, one in found.items()} == dict(zip(keys, "abc", strict=True))
    assert Car.objects.scalar("n").in_bulk(keys[:1]) == {keys[0]: 1}
    assert Car.objects.as_pymongo().in_bulk(keys[:1])[keys[0]]["nm"] == "a"
    text = Car.objects(name="c").to_json()
    assert Car.objects.from_json(text) == [cars[2]]


def test_many_dicts_come_in_batches() -> None:
    get_db()["loose"].insert_many([{"name": str(i)} for i in range(2500)])
    assert len(list(Loose.objects.as_pymongo())) == 2500
    assert len(Loose.objects.as_pymongo()) == 2500


def test_distinct_values(cars: Any) -> None:
    assert sorted(Car.objects.distinct("tags")) == ["g", "r"]
    assert Car.objects[:1].distinct("tags") == ["r"] and Car.objects.none().distinct("n") == []
    assert sorted(Car.objects.distinct("parts.n")) == [1, 2]
    assert sorted(one.name for one in Car.objects.distinct("maker")) == ["x", "y"]
    keys = {one.pk for one in Maker.objects}
    assert set(Car.objects.as_pymongo().distinct("maker")) == keys
    assert set(Car.objects.no_dereference().distinct("maker")) == keys
    assert sorted(Car.objects.hint("_id_").distinct("n")) == [1, 2, 4]


def test_references_are_fetched_with_the_documents(cars: Any) -> None:
    for names, queries in (((), 4), (("maker",), 2), (("makers",), 2), (("part__by",), 2),
                           (("maker__home",), 3)):  # fmt: skip
        with query_counter() as count:
            found = list(Car.objects.select_related(*names))
            assert count <= queries, names
            if names in ((), ("maker",), ("maker__home",)):
                assert [one.maker.name for one in found[:2]] == ["x", "y"]
            if names in ((), ("makers",)):
                assert [one.name for one in found[0].makers] == ["x", "y"]
            if names == ("part__by",):
                assert found[0].part.by.name == "x"
            if names == ("maker__home",):
                assert found[0].maker.home.name == "y"
            assert count <= queries, names
    for wrong in ("name", "part__n", "maker__name"):
        with pytest.raises(InvalidQueryError):
            list(Car.objects.select_related(wrong))
    assert type(Car.objects.no_dereference().first().maker) is bson.ObjectId


def test_computing_over_documents(cars: Any) -> None:
    objects = Car.objects
    assert (objects.sum("n"), objects.average("n"), objects.sum("weight")) == (7, 7 / 3, 4.0)
    assert (objects.sum("sizes"), objects.average("sizes")) == (6, 2.0)
    assert (objects.sum("parts__n"), objects.sum("part__n")) == (3, 3)
    assert (objects[:1].sum("n"), objects(n=9).sum("n"), objects(n=9).average("n")) == (1, 0, 0.0)
    assert objects.none().sum("n") == 0
    assert objects.item_frequencies("tags") == {"r": 2.0, "g": 1.0}
    assert objects.item_frequencies("tags", normalize=True) == {"r": 2 / 3, "g": 1 / 3}
    assert objects.item_frequencies("n") == {1: 1.0, 2: 1.0, 4: 1.0}
    assert objects(n=4).item_frequencies("maker") == {None: 1.0}
    assert objects.aggregate(
        Sum("n"), low=Min("n"), high=Max("n"), mid=Avg("n"), all=Count("n")
    ) == {
        "n__sum": 7, "low": 1, "high": 4, "mid": 7 / 3, "all": 3,
    }  # fmt: skip
    assert objects(n=9).aggregate(all=Count("n"), total=Sum("n")) == {"all": 0, "total": None}
    with pytest.raises(InvalidQueryError):
        objects.aggregate(Sum("n"), {"$match": {}})
    with pytest.raises(InvalidQueryError):
        objects.aggregate(["$match"])


def test_pipelines_see_what_the_queryset_sees(cars: Any, sent: Any) -> None:
    group = {"$group": {"_id": None, "n": {"$sum": "$n"}}}
    for stages in (([group],), (group,), ((group,),)):
        assert [one["n"] for one in Car.objects(n__gt=1).aggregate(*stages)] == [6]
    found = Car.objects.order_by("-n").skip(1).limit(1).aggregate([{"$project": {"n": 1}}])
    assert [one["n"] for one in found] == [2]
    assert [next(iter(one)) for one in sent[0]["pipeline"]] == [
        "$sort", "$skip", "$limit", "$project",
    ]  # fmt: skip
    assert list(Car.objects.none().aggregate([group])) == []
    assert next(iter(Car.objects.none().aggregate([group])), 5) == 5
    list(Car.objects.batch_size(2).aggregate([], comment="c", allowDiskUse=True))
    assert (sent[0]["cursor"], sent[0]["comment"], sent[0]["allowDiskUse"]) == (
        {"batchSize": 2}, "c", True,
    )  # fmt: skip
    list(Car.objects.batch_size(2).aggregate([], batchSize=1, cursor={}))
    assert sent[0]["cursor"] == {"batchSize": 1} and "batchSize" not in sent[0]
    for first in ("$collStats", "$indexStats"):
        try:
            list(Car.objects(n=1).aggregate([{first: {}}, {"$limit": 1}]))
        except mongodb.MongoError:
            pass
        assert [next(iter(one)) for one in sent[0]["pipeline"]][0] == first
    with Car.objects.aggregate([]) as results:
        assert results.next()["n"] == 1
    results.close()
    with Car.objects.none().aggregate([]) as results:
        assert next(results, None) is None


def test_copies_of_querysets(cars: Any, sent: Any) -> None:
    queryset = Car.objects(n__gt=1)
    assert len(queryset) == 2
    sent.clear()
    again = pickle.loads(pickle.dumps(queryset))
    assert [one.name for one in again] == ["b", "c"] and sent == []
    for one in (copy.copy(queryset), copy.deepcopy(queryset), queryset.all(), queryset.clone()):
        assert len(one) == 2
    assert len(sent) == 4
    fresh = pickle.loads(pickle.dumps(Car.objects(n=1).fields(slice__tags=1)))
    assert [one.name for one in fresh] == ["a"]
    assert queryset.model is Car and not queryset.query.annotations


def test_a_queryset_without_a_cache_reads_each_time(cars: Any, sent: Any) -> None:
    for queryset in (Car.objects.no_cache(), QuerySetNoCache(Car)):
        sent.clear()
        assert [one.name for one in queryset] == [one.name for one in queryset] == ["a", "b", "c"]
        assert len(sent) == 2
        with pytest.raises(TypeError):
            len(queryset)
        assert cars[0] in queryset and bool(queryset)
    kept = QuerySetNoCache(Car).cache()
    sent.clear()
    assert len(kept) == 3 and [one.name for one in kept] == ["a", "b", "c"] and len(sent) == 1
    assert [one.name for one in QuerySet(Car).iterator()] == ["a", "b", "c"]


def test_a_queryset_is_shown_by_its_first_documents() -> None:
    assert repr(Car.objects) == "[]"
    Car.objects.insert([Car(name=f"{i:02}") for i in range(21)])
    assert repr(Car.objects[:20]).count("Car object") == 20
    assert repr(Car.objects).endswith(", '...(remaining elements truncated)...']")
    assert repr(Car.objects[:20])[-2:] == ">]"
    loaded = Car.objects
    list(loaded)
    assert repr(loaded) == repr(Car.objects)


def test_asynchronous_twins(cars: Any) -> None:
    async def run() -> None:
        objects = Car.objects
        assert (await objects.aget(name="a")) == cars[0]
        assert (await objects.afirst()).name == "a" and (await objects.alast()).name == "c"
        assert await objects.acount() == 3 and await objects[:2].acount(True) == 2
        assert await objects.aexists() and not await objects(n=9).aexists()
        assert await objects.aaggregate(Sum("n")) == {"n__sum": 7}
        assert [one["n"] for one in await objects.aaggregate([{"$match": {"n": 1}}])] == [1]
        for queryset in (objects, objects.no_cache()):
            assert [one.name async for one in queryset] == ["a", "b", "c"]
        assert (await objects.acreate(name="d")).name == "d"
        assert (await objects.aget_or_create(name="d"))[1] is False
        assert (await objects.aupdate_or_create(name="d", defaults={"n": 8}))[0].n == 8
        assert await objects(name="d").aupdate(n=9) == 1
        assert await objects(n=9).adelete() == 1

    asyncio.run(run())


def test_removal_with_signals_keeps_the_concern(sent: Any) -> None:
    def told(sender: Any, document: Any, **kwargs: Any) -> None: ...

    Maker(name="a").save()
    signals.pre_delete.connect(told, sender=Maker)
    try:
        Maker.objects.delete(write_concern={"w": 1})
    finally:
        signals.pre_delete.disconnect(told, sender=Maker)
    assert sent[0]["writeConcern"] == {"w": 1}


def test_an_error_of_the_store_can_be_given_another_face(cars: Any) -> None:
    def queryset() -> Any:
        return Car.objects.raw({"$nope": 1})._turning(lambda error: KeyError(error.code))

    for call in (
        list, len, lambda q: q.first(), lambda q: q.count(), lambda q: q.exists(),
        lambda q: q.distinct("n"), lambda q: list(q.aggregate([])), lambda q: q.update(n=1),
        lambda q: q.delete(), lambda q: q.modify(n=1), lambda q: list(q.as_pymongo()),
    ):  # fmt: skip
        with pytest.raises(KeyError) as caught:
            call(queryset())
        assert caught.value.args == (2,)
        assert isinstance(caught.value.__cause__, mongodb.MongoError)
    fine = Car.objects._turning(lambda error: KeyError(error.code))
    assert [one.name for one in fine] == ["a", "b", "c"] and fine.count() == 3
