# SPDX-License-Identifier: Apache-2.0
"""Words of Django's querysets on documents: what they give, and what they send."""

import asyncio
import datetime

import pytest

import mongodb
from mongodb import (
    DateField,
    DateTimeField,
    DictField,
    Document,
    DynamicDocument,
    F,
    FloatField,
    IntField,
    InvalidQueryError,
    ListField,
    OperationError,
    Q,
    StringField,
    ValidationError,
)
from mongodb.context_managers import atomic, query_counter


class Visit(Document):
    place = StringField()
    at = DateTimeField()
    day = DateField()
    seen = IntField()
    most = IntField()
    rate = FloatField()
    tags = ListField(StringField())
    extra = DictField()


class LooseVisit(DynamicDocument):
    pass


TIMES = [
    None,
    datetime.datetime(2023, 12, 31, 23, 59, 59, 999000),
    datetime.datetime(2024, 1, 1),
    datetime.datetime(2024, 2, 29, 12),
    datetime.datetime(2024, 12, 31, 23, 59, 59, 999000),
    datetime.datetime(2025, 1, 1),
]


@pytest.fixture
def visits(connected: str) -> list[Visit]:
    made = [
        Visit(place=f"p{n}", at=at, day=at and at.date(), seen=n, most=None if n == 4 else 3)
        for n, at in enumerate(TIMES)
    ]
    Visit.objects.insert(made)
    return made


COMPARED = {
    "": lambda a, b: a == b,
    "__gt": lambda a, b: a > b,
    "__gte": lambda a, b: a >= b,
    "__lt": lambda a, b: a < b,
    "__lte": lambda a, b: a <= b,
}


@pytest.mark.parametrize("field", ["at", "day"])
@pytest.mark.parametrize("op", COMPARED)
def test_year_and_date_are_ranges(visits: list[Visit], field: str, op: str) -> None:
    for year in (2022, 2023, 2024, 2025):
        found = {one.place for one in Visit.objects(**{f"{field}__year{op}": year})}
        there = [one for one in visits if one.at is not None]
        assert found == {one.place for one in there if COMPARED[op](one.at.year, year)}
    for day in (datetime.date(2024, 2, 29), datetime.date(2024, 12, 31), datetime.date(2025, 1, 2)):
        found = {one.place for one in Visit.objects(**{f"{field}__date{op}": day})}
        assert found == {one.place for one in there if COMPARED[op](one.at.date(), day)}


def test_negated_periods(visits: list[Visit]) -> None:
    assert Visit.objects(at__year__ne=2024).count() == 3
    assert Visit.objects(at__not__year=2024).count() == 3
    assert Visit.objects(~Q(at__year=2024)).count() == 3


def test_range_and_isnull(visits: list[Visit]) -> None:
    assert {one.seen for one in Visit.objects(seen__range=(1, 3))} == {1, 2, 3}
    assert {one.seen for one in Visit.objects(seen__not__range=("1", "3"))} == {0, 4, 5}
    assert Visit.objects(at__isnull=True).get().place == "p0"
    assert Visit.objects(at__isnull=False).count() == 5
    assert Visit.objects(most__not__isnull=True).count() == 5


def test_keys_of_dicts_and_dynamic_documents_named_so_are_keys(connected: str) -> None:
    Visit(extra={"year": 3, "range": 4, "date": "x", "isnull": True}).save()
    LooseVisit(data={"year": 3}, year=4).save()
    assert Visit.objects(extra__year=3, extra__range=4, extra__date="x", extra__isnull=True).count()
    assert Visit.objects(extra__year__gte=3).count() == 1
    assert LooseVisit.objects(data__year=3).count() == LooseVisit.objects(year=4).count() == 1


@pytest.mark.parametrize(
    "lookups",
    [
        {"at__year": "2024"}, {"at__year": 0}, {"at__date": "no day"}, {"at__date": 3},
        {"seen__year": 2024}, {"place__date": "2024-01-01"}, {"seen__range": 3},
        {"seen__range": (1,)}, {"seen__range": ("a", "b")}, {"seen__isnull": 1},
        {"at__month": 3}, {"at__year__in": [2024]},
    ],
)  # fmt: skip
def test_nonsense_is_refused(connected: str, lookups: dict) -> None:
    with pytest.raises(InvalidQueryError):
        list(Visit.objects(**lookups))


def test_fields_are_compared_with_fields_as_in_sql(visits: list[Visit]) -> None:
    def places(**lookups: object) -> set[int]:
        return {one.seen for one in Visit.objects(**lookups)}

    # most is 3, but missing where seen is 4
    assert places(seen__gt=F("most")) == {5}
    assert places(seen__lte=F("most")) == {0, 1, 2, 3}
    assert places(seen=F("most")) == {3}
    assert places(seen__ne=F("most")) == {0, 1, 2, 4, 5}
    assert places(seen__gte=F("most") - 1, place="p2") == {2}
    assert places(most__lt=F("seen") * 2 - 1) == {3, 5}
    assert places(at__gt=F("at") - datetime.timedelta(days=1)) == {1, 2, 3, 4, 5}
    with pytest.raises(InvalidQueryError, match="in takes no F"):
        places(seen__in=F("most"))
    with pytest.raises(mongodb.LookUpError):
        places(seen=F("mosst"))


def test_updates_are_computed_by_the_store(visits: list[Visit]) -> None:
    changed = Visit.objects(place="p5").update(
        seen=F("seen") * 2 + F("most"), rate=F("seen") / 2, place="$literal"
    )
    found = Visit.objects.get(pk=visits[5].pk)
    assert (changed, found.seen, found.rate, found.place) == (1, 13, 2.5, "$literal")
    Visit.objects(place="p1").update(inc__seen=F("most"), dec__most=1)
    assert Visit.objects.get(place="p1").seen == 4 and Visit.objects.get(place="p1").most == 2
    assert Visit.objects(place="p2").update_one(mul__seen=F("seen")) == 1
    assert Visit.objects(place="p2").get().seen == 4
    with pytest.raises(InvalidQueryError, match="sets, inc, dec or mul alone"):
        Visit.objects.update(push__tags=F("place"))


def test_order_words(visits: list[Visit]) -> None:
    ordered = Visit.objects.order_by("seen")
    assert [one.seen for one in ordered.reverse()] == [5, 4, 3, 2, 1, 0]
    assert [one.seen for one in ordered.reverse().reverse()[:2]] == [0, 1]
    assert Visit.objects.latest("at").seen == 5 and Visit.objects.earliest("seen").seen == 0
    assert Visit.objects.latest("-seen").seen == 0
    with pytest.raises(Visit.DoesNotExist):
        Visit.objects(place="none").latest("at")
    with pytest.raises(InvalidQueryError):
        Visit.objects[:3].reverse()
    with pytest.raises(InvalidQueryError):
        Visit.objects.latest()


def test_shapes(visits: list[Visit]) -> None:
    rows = list(Visit.objects.order_by("seen").values_list("place", "seen", named=True))
    assert rows[1].place == "p1" and rows[1] == ("p1", 1) and rows[0]._fields == ("place", "seen")
    one = Visit.objects.order_by("seen").values_list("place", named=True).first()
    assert one.place == "p0"
    with pytest.raises(InvalidQueryError):
        Visit.objects.values_list("place", flat=True, named=True)
    everything = Visit.objects.in_bulk()
    assert everything == {one.pk: one for one in visits}
    assert len(list(Visit.objects.iterator(chunk_size=2))) == 6


def test_a_document_is_looked_for_by_one_query(visits: list[Visit]) -> None:
    gone = Visit(place="gone").save()
    gone.delete()
    with query_counter() as counted:
        assert visits[3] in Visit.objects and gone not in Visit.objects
        assert visits[3] not in Visit.objects(seen__gt=3)
        assert counted == 3
    assert Visit() not in Visit.objects and 3 not in Visit.objects
    loaded = Visit.objects.order_by("seen")
    assert len(loaded) == 6
    with query_counter() as counted:
        assert visits[3] in loaded and loaded.contains(visits[0]) and counted == 0
    assert visits[5] not in Visit.objects.order_by("seen")[:3]
    with pytest.raises(TypeError):
        Visit.objects.contains(3)


def test_many_changed_documents_are_sent_together(visits: list[Visit]) -> None:
    many = list(Visit.objects.order_by("seen"))
    for one in many[:4]:
        one.seen += 10
        one.tags.append("new")
    many[1].place = None
    with query_counter() as counted:
        assert Visit.objects.bulk_update(many) == 4
        assert counted == 1
    assert Visit.objects.bulk_update(many) == 0  # nothing changed since
    stored = list(Visit.objects.order_by("pk"))
    assert [one.seen for one in stored] == [10, 11, 12, 13, 4, 5]
    assert stored[1].place is None and stored[0].tags == ["new"]

    many[4].seen, many[4].place, many[5].seen = 99, "kept", None
    assert Visit.objects.bulk_update(many[4:], ["seen"], batch_size=1) == 2
    stored = list(Visit.objects.order_by("pk"))
    assert stored[4].seen == 99 and stored[4].place == "p4" and stored[5].seen is None
    many[4].save()
    assert Visit.objects.get(pk=many[4].pk).place == "kept"


def test_what_bulk_update_refuses_leaves_all_as_it_was(visits: list[Visit]) -> None:
    many = list(Visit.objects.order_by("seen"))
    many[0].seen = 50
    many[1].seen = "no number"
    with pytest.raises(ValidationError):
        Visit.objects.bulk_update(many)
    with pytest.raises(OperationError):
        Visit.objects.bulk_update([many[0], Visit()])
    with pytest.raises(InvalidQueryError):
        Visit.objects.bulk_update(many, ["id"])
    with pytest.raises(InvalidQueryError):
        Visit.objects.bulk_update(many[3:], [])
    assert Visit.objects(place="p3", seen=3).count() == 1
    assert Visit.objects(seen=50).count() == 0
    visits[2].delete()
    many[2].seen = 7
    assert Visit.objects.bulk_update([many[2]]) == 0 and Visit.objects.count() == 5


def test_asynchronous_twins(visits: list[Visit]) -> None:
    async def ask() -> None:
        assert (await Visit.objects.alatest("at")).seen == 5
        assert (await Visit.objects.aearliest("seen")).seen == 0
        assert await Visit.objects.acontains(visits[1])
        assert len(await Visit.objects.ain_bulk([visits[1].pk])) == 1
        assert sorted(await Visit.objects.adistinct("seen")) == list(range(6))
        assert [one async for one in Visit.objects.order_by("seen").aiterator(2)][5].seen == 5
        visits[0].seen = 70
        assert await Visit.objects.abulk_update(visits[:2]) == 1
        assert await Visit.objects(seen=70).aupdate_one(seen=71) == 1
        assert (await Visit.objects(seen=71).amodify(new=True, inc__seen=1)).seen == 72
        made = await Visit.objects.abulk_create([Visit(seen=80), Visit(seen=81)])
        assert len(made) == 2 and await Visit.objects.acount() == 8
        assert (await Visit.objects(seen=90).aupsert_one(place="up")).place == "up"
        assert (await Visit.objects.aexplain())["queryPlanner"]

    asyncio.run(ask())


def test_async_with_atomic(connected: str) -> None:
    if not connected.startswith("docstore:"):
        Visit.objects.count()
    Visit(place="before").save()

    async def change(fail: bool) -> None:
        async with atomic():
            await Visit(place="inside").asave()
            assert await Visit.objects.acount() == 2
            if fail:
                raise LookupError

    with pytest.raises(LookupError):
        asyncio.run(change(True))
    assert Visit.objects.count() == 1
    asyncio.run(change(False))
    assert Visit.objects.count() == 2


def test_every_public_verb_has_a_twin() -> None:
    waiting = set(
        "get first last latest earliest count exists contains create insert bulk_create "
        "bulk_update update update_one upsert_one modify delete get_or_create update_or_create "
        "in_bulk distinct aggregate explain iterator".split()
    )
    assert not [name for name in waiting if not hasattr(mongodb.QuerySet, f"a{name}")]


class Loose(mongodb.DynamicDocument):
    name = mongodb.StringField()


@pytest.mark.parametrize("name", ["$ROOT", "$NOW", "$CURRENT.secret", "name.$", "more.$x"])
def test_no_name_of_a_field_reaches_a_variable(connected: str, name: str) -> None:
    Loose(name="a", secret="b").save()
    for use in (
        lambda: Loose.objects(name=mongodb.F(name)).count(),
        lambda: Loose.objects.update(copy=mongodb.F(name)),
        lambda: Loose.objects.aggregate(found=mongodb.Max(name)),
    ):
        with pytest.raises((InvalidQueryError, mongodb.LookUpError)):
            use()
    assert "copy" not in Loose.objects.get().to_mongo()
