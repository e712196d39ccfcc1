# SPDX-License-Identifier: Apache-2.0
"""What documents of one reply do for each other: missing fields, and the reply's memory."""

import asyncio
import gc
import random
import threading
from collections.abc import Iterator
from typing import Any

import pytest
from bson.datetime_ms import DatetimeMS

import mongodb
from mongodb import Document, EmbeddedDocument, atomic, query_counter
from mongodb.errors import DoesNotExist, ValidationError
from mongodb.fields import (
    EmbeddedDocumentField,
    EmbeddedDocumentListField,
    IntField,
    ListField,
    MapField,
    ReferenceField,
    StringField,
)


class BatchPlace(EmbeddedDocument):
    street = StringField()
    zip = IntField()


class BatchOwner(Document):
    name = StringField()


class BatchThing(Document):
    number = IntField(db_field="n")
    name = StringField()
    text = StringField()
    tags = ListField(StringField())
    place = EmbeddedDocumentField(BatchPlace)
    owner = ReferenceField(BatchOwner)
    meta = {"allow_inheritance": True}


class BatchMore(BatchThing):
    extra = IntField()


def fill_store(count: int, text: str = "t") -> None:
    owners = BatchOwner.objects.insert([BatchOwner(name=f"o{n}") for n in range(5)])
    things = []
    for n in range(count):
        cls: Any = BatchMore if n % 3 == 2 else BatchThing
        values: dict[str, Any] = {"extra": n} if cls is BatchMore else {}
        things.append(cls(
            number=n, name=f"n{n}", text=text, tags=[str(n)], owner=owners[n % 5],
            place=BatchPlace(street=f"s{n}", zip=n), **values,
        ))  # fmt: skip
    BatchThing.objects.insert(things)


@pytest.fixture
def things(store_uri: str) -> Iterator[Any]:
    mongodb.connect("batches", host=store_uri)
    try:
        fill_store(12)
        yield BatchThing.objects.order_by("number")
    finally:
        BatchThing.drop_collection()
        BatchOwner.drop_collection()
        mongodb.disconnect_all()


def test_a_missing_field_is_fetched_for_the_whole_batch(things: Any) -> None:
    found = list(things.only("name"))
    with query_counter() as counter:
        assert [one.number for one in found] == list(range(12))
        assert counter == 1
        assert [one.place.zip for one in found] == list(range(12))
        assert counter == 2
        assert [one.text for one in found] == ["t"] * 12
        assert counter == 3
    found[3].number, found[4].tags = 30, []
    found[3].save()
    found[4].save()
    assert things.filter(number=30).get().name == "n3"
    assert things.filter(name="n4").get().tags == []
    deferred = list(things.exclude("text", "place.street"))
    with query_counter() as counter:
        assert {one.text for one in deferred} == {"t"}
        assert counter == 1


def test_fields_of_subclasses_and_of_documents_changed_meanwhile(things: Any) -> None:
    found = list(things.only("name"))
    gone, renamed = found[1], found[3]
    BatchThing.objects(pk=gone.pk).delete()
    renamed.number = 33
    with query_counter() as counter:
        assert [one.extra for one in found if isinstance(one, BatchMore)] == [2, 5, 8, 11]
        assert counter == 1
        assert found[0].number == 0 and renamed.number == 33 and found[11].number == 11
        assert counter == 2
    with pytest.raises(DoesNotExist):
        gone.number  # noqa: B018


def test_only_documents_that_are_still_there_are_fetched(things: Any) -> None:
    found = list(things.only("name"))
    found = found[:3]
    gc.collect()
    batch = found[0]._context
    assert sorted(batch.lacking("n")) == sorted(one.pk for one in found)
    assert [one.number for one in found] == [0, 1, 2]
    assert batch.lacking("n") == []


def test_a_date_out_of_python_s_years_is_in_no_other_field_s_way(things: Any) -> None:
    BatchThing.objects(number=3).update(__raw__={"$set": {"text": DatetimeMS(-(2**60))}})
    for wanted in (things.filter(number=3), things.filter(number__lt=5)):  # alone, and in a batch
        found = list(wanted.only("text"))[-1 if wanted.count() == 1 else 3]
        assert found.name == "n3" and found.tags == ["3"]


def test_fields_read_as_missing_stay_so_when_others_are_fetched(things: Any) -> None:
    BatchThing.objects(number=3).update(__raw__={"$unset": {"tags": 1}, "$set": {"place": 5}})
    (alone,) = things.filter(number=3).only("tags", "place__zip")
    BatchThing.objects(number=3).update(__raw__={"$set": {"tags": ["later"]}})
    assert alone.name == "n3"
    assert alone.tags == [] and alone.place is None


def test_fields_are_fetched_by_name_and_awaited(things: Any) -> None:
    found = list(things.only("name"))
    with query_counter() as counter:
        asyncio.run(found[0].afetch("number", "text"))
        assert [(one.number, one.text) for one in found] == [(n, "t") for n in range(12)]
        assert counter == 2
    assert found[0].fetch() is found[0]
    with pytest.raises(mongodb.LookUpError, match="no field 'nope'"):
        found[0].fetch("nope")


def test_threads_may_read_what_is_missing(things: Any) -> None:
    for _ in range(5):
        found = list(things.only("name"))
        seen: list[Any] = []

        def read(part: Any, seen: Any = seen) -> None:
            seen.extend((one.number, one.text, one.tags) for one in part)

        threads = [threading.Thread(target=read, args=(found[at::4],)) for at in range(4)]
        for one in threads:
            one.start()
        for one in threads:
            one.join()
        assert sorted(seen) == [(n, "t", [str(n)]) for n in range(12)]


def resident() -> int:
    with open("/proc/self/statm") as lines:
        return int(lines.read().split()[1]) * 4096


@pytest.fixture
def many(memory: None) -> None:
    fill_store(4000, "x" * 10_000)


def test_a_kept_document_does_not_keep_its_reply(many: None) -> None:
    def some() -> list[Any]:
        found = BatchThing.objects.no_cache()
        return sorted((one for one in found if one.number % 400 == 7), key=lambda one: one.number)

    held = [some() for _ in range(3)]  # what is read through leaves free memory behind
    gc.collect()
    before = resident()
    held += [some() for _ in range(3)]
    gc.collect()
    assert resident() - before < 20 * 2**20  # of 3 times 40 MB
    kept = held[-1]
    assert [one.number for one in kept] == list(range(7, 4000, 400))
    assert kept[0].text == "x" * 10_000 and kept[3].place.street == "s1207"
    with query_counter() as counter:
        assert [one.owner.name for one in kept] == [f"o{n % 5}" for n in range(7, 4000, 400)]
        assert counter < len(kept)  # one for the documents of a reply
    kept[1].text = "short"
    kept[1].save()
    assert BatchThing.objects.get(number=407).text == "short"


def test_kept_parts_and_rolled_back_documents_stay_what_they_are(many: None) -> None:
    places = [one.place for one in BatchThing.objects.order_by("number").no_cache()
              if one.number % 500 == 1]  # fmt: skip
    gc.collect()
    assert [(one.zip, one.street) for one in places] == [
        (n, f"s{n}") for n in range(1, 4000, 500)]  # fmt: skip
    found = list(BatchThing.objects.order_by("number").limit(1000).no_cache())
    first = found[0]
    with pytest.raises(ZeroDivisionError), atomic():
        first.name = "other"
        first.save()
        del found
        gc.collect()
        raise ZeroDivisionError
    assert (first.tags, first.text[:2], first.place.zip) == (["0"], "xx", 0)
    assert BatchThing.objects.get(number=0).name == "n0"


def test_documents_go_in_any_order(many: None) -> None:
    chance = random.Random(5)
    for _ in range(6):
        found = list(
            BatchThing.objects.order_by("number").only("number", "tags", "place").no_cache()
        )
        parts = [one.place for one in found if chance.random() < 0.1]
        chance.shuffle(found)
        while found:
            del found[: max(1, len(found) // chance.choice([2, 3, 9]))]
            for one in found[:3]:
                assert one.tags == [str(one.number)] and one.place.zip == one.number
        assert all(one.street == f"s{one.zip}" for one in parts)


class BatchItem(EmbeddedDocument):
    number = IntField(required=True, max_value=10)
    name = StringField()


class BatchBig(Document):
    items = EmbeddedDocumentListField(BatchItem)


@pytest.mark.parametrize("size", [10, 1000])
def test_one_of_many_embedded_documents_is_changed_alone(memory: None, size: int) -> None:
    BatchBig(items=[BatchItem(number=1, name=str(n)) for n in range(size)]).save()
    big = BatchBig.objects.get()
    big.items[5].number = 7
    assert big._suspects(False) == []  # C found nothing that Python has to judge
    assert big._delta() == ({"items.5.number": 7}, {})
    big.save()
    assert [one.number for one in BatchBig.objects.get().items][4:7] == [1, 7, 1]
    for wrong in ({"number": 11}, {"number": None}, {"name": 5}):
        big = BatchBig.objects.get()
        for name, value in wrong.items():
            setattr(big.items[6], name, value)
        with pytest.raises(ValidationError) as refused:
            big.save()
        assert list(refused.value.to_dict()["items"]) == [6]
    BatchBig.drop_collection()


class BatchTree(EmbeddedDocument):
    owner = ReferenceField(BatchOwner)
    below = EmbeddedDocumentField("self")


class BatchWood(Document):
    tree = EmbeddedDocumentField(BatchTree)
    by_name = MapField(ReferenceField(BatchOwner))
    trees = MapField(ListField(EmbeddedDocumentField(BatchTree)))


def test_references_in_maps_and_in_documents_within_their_own_kind(memory: None) -> None:
    for n in range(3):
        one, two, three = (BatchOwner(name=f"{n}{k}").save() for k in range(3))
        BatchWood(tree=BatchTree(owner=one, below=BatchTree()), by_name={"x": two},
                  trees={"y": [BatchTree(owner=three)]}).save()  # fmt: skip
    for names in ((), ("tree__owner", "by_name", "trees__owner")):
        with query_counter() as queries:
            found = [
                (wood.tree.owner.name, wood.by_name["x"].name, wood.trees["y"][0].owner.name)
                for wood in BatchWood.objects.order_by("pk").select_related(*names)
            ]
            assert found == [(f"{n}0", f"{n}1", f"{n}2") for n in range(3)]
            assert queries == 2, names
