# SPDX-License-Identifier: Apache-2.0
"""annotate(): values of each document, of those that refer to it, and of groups."""

from collections.abc import Iterator
from typing import Any

import pytest

import mongodb
from mongodb import (
    Avg,
    Count,
    Document,
    EmbeddedDocument,
    F,
    InvalidQueryError,
    LookUpError,
    Max,
    Min,
    NotSupportedError,
    Q,
    Sum,
    query_counter,
)  # fmt: skip
from mongodb.fields import (
    EmbeddedDocumentField,
    EmbeddedDocumentListField,
    IntField,
    ListField,
    MapField,
    ReferenceField,
    StringField,
)


class NotedPart(EmbeddedDocument):
    price = IntField(db_field="p")


class NotedMaker(Document):
    name = StringField(db_field="n")
    age = IntField()


class NotedItem(Document):
    title = StringField()
    year = IntField(db_field="y")
    tags = ListField(StringField())
    parts = EmbeddedDocumentListField(NotedPart)
    maker = ReferenceField(NotedMaker, db_field="m")
    helpers = ListField(ReferenceField(NotedMaker))
    meta = {"ordering": ["title"]}


@pytest.fixture
def items(store_uri: str) -> Iterator[Any]:
    mongodb.connect("annotations", host=store_uri)
    try:
        ada, bob, eve = (NotedMaker(name=n, age=a).save() for n, a in
                         (("Ada", 30), ("Bob", 40), ("Eve", 50)))  # fmt: skip
        for title, year, tags, prices, maker, helpers in (
            ("a", 1, ["x", "y"], [5, 7], ada, [bob, eve]),
            ("b", 2, ["x"], [1], ada, [eve]),
            ("c", 2, [], [], bob, []),
            ("d", 3, ["y", "z", "x"], [2, 2, 2], None, [ada]),
        ):
            NotedItem(title=title, year=year, tags=tags, maker=maker, helpers=helpers,
                      parts=[NotedPart(price=n) for n in prices]).save()  # fmt: skip
        yield NotedItem.objects
    finally:
        NotedItem.drop_collection()
        NotedMaker.drop_collection()
        mongodb.disconnect_all()


def test_values_of_each_document(items: Any) -> None:
    found = list(items.annotate(
        n=Count("tags"), total=Sum("parts__price"), least=Min("parts__price"),
        mean=Avg("parts__price"), most=Max("parts.price"), later=F("year") * 10 + 1,
    ))  # fmt: skip
    assert [(one.n, one.total, one.least, one.mean, one.most, one.later) for one in found] == [
        (2, 12, 5, 6.0, 7, 11), (1, 1, 1, 1.0, 1, 21), (0, 0, None, None, None, 21),
        (3, 6, 2, 2.0, 2, 31),
    ]  # fmt: skip
    assert items.annotate(Count("tags"))[0].tags__count == 2
    found[0].title = "A"
    found[0].save()
    assert set(items.as_pymongo().get(title="A")) == {
        "_id", "title", "y", "tags", "parts", "m", "helpers"}  # fmt: skip


def test_annotations_are_filtered_ordered_and_shown(items: Any) -> None:
    counted = items.annotate(n=Count("tags"))
    assert [one.title for one in counted.filter(n__gte=2)] == ["a", "d"]
    assert [one.title for one in counted.filter(Q(n=0) | Q(title="a"))] == ["a", "c"]
    assert [one.title for one in counted.exclude(n=3).filter(year=2)] == ["b", "c"]
    assert list(counted.order_by("-n", "title").scalar("title")) == ["d", "a", "b", "c"]
    assert list(counted.order_by("-n").values("title", "n"))[:1] == [{"title": "d", "n": 3}]
    assert list(counted.values_list("n", flat=True)) == [2, 1, 0, 3]
    assert counted.filter(n__gt=1).count() == 2 and counted.count() == 4
    assert counted.filter(n__gt=2).exists() and not counted.filter(n__gt=5).exists()
    assert [one.title for one in counted.filter(year__gt=F("n"))] == ["b", "c"]
    assert [one.title for one in counted.filter(Q(year__gte=F("n") + 1) & Q(n=1))] == ["b"]
    assert counted.get(n=3).title == "d" and counted.order_by("n").first().title == "c"
    assert counted.only("title").order_by("-n")[0].n == 3
    assert counted.annotate(twice=F("n") * 2).get(title="a").twice == 4
    assert counted.aggregate(Max("n")) == {"n__max": 3}
    assert counted.filter(n=0).update(set__year=9) == 1
    assert counted.filter(n=0).delete() == 1 and items.count() == 3
    with query_counter() as counter:
        assert counted.count() == 3
        assert counter == 1


def test_documents_that_refer_here_are_counted(items: Any) -> None:
    makers = NotedMaker.objects.order_by("name")
    with pytest.raises(InvalidQueryError, match="noteditem_maker, noteditem_helpers"):
        list(makers.annotate(n=Count("noteditem")))
    found = makers.annotate(
        n=Count("noteditem_maker"), last=Max("noteditem_maker__year"), helps=Count(
            "noteditem_helpers"), tags=Sum("noteditem_helpers__year"),
    )  # fmt: skip
    with query_counter() as counter:
        assert [(one.name, one.n, one.last, one.helps, one.tags) for one in found] == [
            ("Ada", 2, 2, 1, 3), ("Bob", 1, 2, 1, 1), ("Eve", 0, None, 2, 3)]  # fmt: skip
        assert counter == 1
    assert [one.name for one in found.filter(n=0)] == ["Eve"]
    assert [one.name for one in found.order_by("-helps", "name")] == ["Eve", "Ada", "Bob"]
    ages = items.annotate(age=Max("maker__age"), name=F("maker__name"))
    assert [(one.age, getattr(one, "name", None)) for one in ages] == [
        (30, "Ada"), (30, "Ada"), (40, "Bob"), (None, None)]  # fmt: skip


def test_groups_of_values(items: Any) -> None:
    groups = items.values("year").annotate(
        n=Count("*"), labels=Count("tags"), p=Sum("parts__price")
    )
    assert list(groups.order_by("year")) == [
        {"year": 1, "n": 1, "labels": 2, "p": 12}, {"year": 2, "n": 2, "labels": 1, "p": 1},
        {"year": 3, "n": 1, "labels": 3, "p": 6}]  # fmt: skip
    assert list(items.order_by("-year").values("year").annotate(n=Count("*"))) == [
        {"year": 3, "n": 1}, {"year": 2, "n": 2}, {"year": 1, "n": 1}]  # fmt: skip
    assert groups.filter(n__gt=1).first()["year"] == 2
    assert [one["year"] for one in groups.filter(year__gt=F("n"))] == [3]
    assert groups.filter(n=1, year__gt=1).count() == 1 and groups.count() == 3
    assert groups.filter(n__gt=1).exists() and not groups.filter(n__gt=9).exists()
    assert list(groups.order_by("-n", "-year")[:2]) == list(groups.order_by("-n", "-year"))[:2]
    assert list(items.values_list("tags").annotate(Count("*")).order_by("tags"))[1:] == [
        ("x", 3), ("y", 2), ("z", 1)]  # fmt: skip
    assert [(row["maker"] and row["maker"].name, row["mean"]) for row in
            items.values("maker").annotate(mean=Avg("year")).order_by("mean")] == [
        ("Ada", 1.5), ("Bob", 2.0), (None, 3.0)]  # fmt: skip
    per = items.annotate(size=Count("tags")).values("size").annotate(n=Count("*"))
    assert list(per.order_by("size"))[0] == {"size": 0, "n": 1}
    assert groups.aggregate(Sum("n")) == {"n__sum": 4}
    with pytest.raises(InvalidQueryError, match="groups are not stored"):
        groups.update(set__year=1)
    with pytest.raises(InvalidQueryError, match="groups are not stored"):
        groups.delete()
    with pytest.raises(NotSupportedError, match="goes through no lists"):
        list(items.values("year").annotate(Avg("parts__price")))


def test_mistakes_of_annotate_are_told(items: Any) -> None:
    for wrong in ({"n": 3}, {"n": "tags"}):
        with pytest.raises(TypeError, match="takes an aggregate"):
            items.annotate(**wrong)
    with pytest.raises(TypeError, match="others by name"):
        items.annotate(F("year"))
    with pytest.raises(InvalidQueryError, match="a field's"):
        items.annotate(title=Count("tags"))
    for taken in ("pk", "save", "to_json"):
        with pytest.raises(InvalidQueryError, match="is something else"):
            items.annotate(**{taken: Count("tags")})
    for odd in ("_state", "a.b", "$a", ""):
        with pytest.raises(InvalidQueryError, match="no attribute can be named so"):
            items.annotate(**{odd: Count("tags")})
    with pytest.raises(LookUpError, match="nope"):
        list(items.annotate(n=Count("nope")))
    with pytest.raises(InvalidQueryError, match="before skip"):
        items[:2].annotate(n=Count("tags"))
    with pytest.raises(InvalidQueryError, match="no field 'nn'"):
        list(items.annotate(n=Count("tags")).filter(nn=3))


class NotedTown(EmbeddedDocument):
    zip = IntField(db_field="z")


class NotedShop(Document):
    town = EmbeddedDocumentField(NotedTown)
    at = ReferenceField("self")


class NotedSale(Document):
    n = IntField()
    shop = ReferenceField(NotedShop)
    before = ReferenceField("self")
    loose = ListField()
    lost = ReferenceField("NotedNowhere")


class NotedShelf(Document):
    by_name = MapField(ReferenceField(NotedShop))
    loose = ListField()


def test_what_lies_deep_behind_references(connected: str) -> None:
    first = NotedShop(town=NotedTown(zip=7)).save()
    second = NotedShop(town=NotedTown(zip=8), at=first).save()
    NotedSale.objects.insert([NotedSale(n=1, shop=second), NotedSale(n=2, shop=first)])
    sales = NotedSale.objects.order_by("n").annotate(zip=F("shop__town__zip"))
    assert [one.zip for one in sales] == [8, 7]
    sales = NotedSale.objects.order_by("n").annotate(zip=Max("shop__at__town__zip"))
    assert [one.zip for one in sales] == [7, None]
    # what was looked up for it is not shown
    assert all(not key.startswith("__looked") for one in sales.as_pymongo() for key in one)
    far = NotedShop.objects.order_by("pk").annotate(zip=Max("notedsale__shop__at__town__zip"))
    assert [one.zip for one in far] == [None, 7]
    shops = NotedShop.objects.order_by("pk").annotate(sold=Count("notedsale"))
    assert [one.sold for one in shops] == [1, 1]
    assert all(not key.startswith("__looked") for one in shops.as_pymongo() for key in one)


def test_who_refers_is_asked_of_the_class_itself(connected: str) -> None:
    NotedSale(n=1).save()
    assert NotedSale.objects.annotate(later=Count("notedsale")).get().later == 0
    with pytest.raises(LookUpError):  # the shop has none of that name
        list(NotedSale.objects.annotate(later=Count("shop__notedsale")))
    with pytest.raises(LookUpError):  # no field of documents by name is asked
        list(NotedShop.objects.annotate(shelves=Count("notedshelf")))


def test_groups_of_computed_values_are_counted(items: Any) -> None:
    groups = items.annotate(many=Count("tags")).values("many").annotate(n=Count("pk"))
    assert sorted((one["many"], one["n"]) for one in groups) == [(0, 1), (1, 1), (2, 1), (3, 1)]
    assert groups.count() == 4 and groups.exists()
    command = groups.as_command()
    assert command["aggregate"] == "noted_item" and command["cursor"] == {}
    assert groups.explain()
