# SPDX-License-Identifier: Apache-2.0
"""Lookups and orders through references, by keys and by $lookup."""

import itertools
import random
from collections.abc import Iterator
from typing import Any

import pytest

import mongodb
from mongodb import (
    Document,
    EmbeddedDocument,
    F,
    InvalidQueryError,
    NotSupportedError,
    Q,
    query_counter,
)
from mongodb.connection import get_connection_handle
from mongodb.fields import (
    CachedReferenceField,
    EmbeddedDocumentField,
    EmbeddedDocumentListField,
    GenericReferenceField,
    IntField,
    LazyReferenceField,
    ListField,
    MapField,
    ReferenceField,
    StringField,
)
from mongodb.queryset import joins


class JoinTown(Document):
    name = StringField(db_field="n")


class JoinPress(Document):
    key = StringField(primary_key=True)
    town = ReferenceField(JoinTown, db_field="t")


class JoinWriter(Document):
    name = StringField()
    age = IntField()
    type = StringField()
    press = ReferenceField(JoinPress)
    meta = {"allow_inheritance": True}


class JoinPoet(JoinWriter):
    verses = IntField()


class JoinNote(EmbeddedDocument):
    by = ReferenceField(JoinWriter)
    text = StringField()


class JoinBook(Document):
    title = StringField()
    year = IntField()
    writer = ReferenceField(JoinWriter, db_field="w")
    others = ListField(ReferenceField(JoinWriter))
    old = ReferenceField(JoinWriter, dbref=True)
    lazy = LazyReferenceField(JoinWriter)
    copied = CachedReferenceField(JoinWriter, fields=["name"])
    notes = EmbeddedDocumentListField(JoinNote)
    roles = MapField(ReferenceField(JoinWriter))
    anything = GenericReferenceField()
    meta = {"indexes": ["year"]}


@pytest.fixture
def shelf(store_uri: str) -> Iterator[dict[str, Any]]:
    """Three writers of two presses in two towns, and books of each."""
    mongodb.connect("joins", host=store_uri)
    try:
        york, leeds = JoinTown(name="York").save(), JoinTown(name="Leeds").save()
        north = JoinPress(key="north", town=york).save(force_insert=True)
        south = JoinPress(key="south", town=leeds).save(force_insert=True)
        ada = JoinWriter(name="Ada", age=36, type="x", press=north).save()
        bob = JoinWriter(name="Bob", age=50, press=south).save()
        eve = JoinPoet(name="Eve", age=20, verses=3, press=north).save()
        gone = JoinWriter(name="Gone").save()
        for title, year, writer in (("a", 1, ada), ("b", 2, bob), ("e", 3, eve), ("g", 4, gone)):
            others = [one for one in (ada, bob, eve) if one is not writer]
            JoinBook(
                title=title, year=year, writer=writer, others=others, old=writer, lazy=writer,
                copied=writer, notes=[JoinNote(by=writer, text=title)], roles={"x": writer},
                anything=writer,
            ).save()  # fmt: skip
        gone.delete()
        JoinBook(title="n", year=5).save()
        yield {"ada": ada, "bob": bob, "eve": eve}
    finally:
        for cls in (JoinTown, JoinPress, JoinWriter, JoinBook):
            cls.drop_collection()
        mongodb.disconnect_all()


@pytest.fixture(params=["keys", "lookup"])
def way(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """Either of the two ways for all that is asked."""
    if request.param == "lookup":
        monkeypatch.setattr(joins, "KEYS", -1)
    return str(request.param)


def titles(*conditions: Any, **lookups: Any) -> str:
    return "".join(sorted(JoinBook.objects(*conditions, **lookups).scalar("title")))


def test_lookups_lead_through_references_of_each_kind(shelf: Any, way: str) -> None:
    command = JoinBook.objects(writer__name="Ada").as_command()
    assert ("aggregate" in command) == (way == "lookup")
    for field in ("writer", "old", "lazy", "copied", "notes__by", "roles__x"):
        assert titles(**{f"{field}__name": "Ada"}) == "a", field
        assert titles(**{f"{field}__age__gte": 36}) == "ab", field
        assert titles(**{f"{field}__press__town__name": "York"}) == "ae", field
        assert titles(**{f"{field}__press__key": "south"}) == "b", field
    assert titles(others__name="Ada") == "beg"
    assert titles(others__name="Bob", others__age=50) == "aeg"
    assert titles(others__name="Bob", others__age=36) == ""
    assert titles(writer__verses=3) == "e"
    assert titles(writer__type="x") == "a"
    assert titles(writer__name="Nobody") == ""


def test_conditions_combine(shelf: Any, way: str) -> None:
    assert titles(writer__name="Ada", year=1) == "a"
    assert titles(writer__name="Ada", year=2) == ""
    assert titles(Q(writer__name="Ada") | Q(year=2)) == "ab"
    assert titles(~Q(writer__name="Ada")) == "begn"
    assert titles(Q(writer__age__lt=40) & ~Q(writer__name="Ada")) == "e"
    assert titles(Q(writer__age__lt=40, others__name="Eve") | Q(year__gt=4)) == "an"
    assert "".join(JoinBook.objects.exclude(writer__name__in=["Ada", "Bob"]).order_by("year")
                   .scalar("title")) == "egn"  # fmt: skip
    assert titles(writer__name__ne="Ada") == "be"  # of the documents that there are
    assert titles(writer__name__startswith="A", __raw__={"title": {"$in": ["a", "b"]}}) == "a"
    assert JoinBook.objects(writer__name="Ada").filter(writer__age=36).count() == 1


def test_all_that_a_queryset_does_goes_through_references(shelf: Any, way: str) -> None:
    found = JoinBook.objects(writer__age__gte=36)
    assert (found.count(), found.exists(), found[:1].count(True)) == (2, True, 1)
    assert found.order_by("-year").first().title == "b"
    assert found.only("title").get(year=1).writer.name == "Ada"
    assert sorted(found.distinct("year")) == [1, 2]
    assert sorted(one["title"] for one in found.as_pymongo()) == ["a", "b"]
    assert found.sum("year") == 3
    assert found.aggregate([{"$count": "n"}]).next()["n"] == 2
    assert set(found.in_bulk()) == {one.pk for one in found}
    assert found.to_json().count('"title"') == 2
    assert found.get(year=1) in found
    assert found.explain()["ok"] == 1
    assert found.update(inc__year=10) == 2
    assert sorted(found.scalar("year")) == [11, 12]
    assert found.order_by("year").update_one(set__title="first") == 1
    assert found.order_by("year").first().title == "first"
    assert found.order_by("-year").modify(set__title="last", new=True).year == 12
    assert found.filter(year=12).delete() == 1
    assert JoinBook.objects.count() == 4
    assert found.skip(0).limit(5).delete() == 1


def test_orders_lead_through_references(shelf: Any) -> None:
    books = JoinBook.objects(year__lte=3)

    def order(*keys: str) -> str:
        return "".join(books.order_by(*keys).scalar("title"))

    assert (order("writer__name"), order("-writer__name")) == ("abe", "eba")
    assert (order("writer__age"), order("-writer.age")) == ("eab", "bae")
    assert order("writer__press__town__name", "-writer__age") == "bae"
    assert order("old__age") == order("lazy__age") == order("notes__by__age") == "eab"
    assert "".join(books.order_by("writer__age").reverse()[:2].scalar("title")) == "ba"
    assert books.order_by("writer__age").first().writer == shelf["eve"]
    assert books.order_by("writer__age").last().writer == shelf["bob"]
    assert books.latest("writer__age").title == "b"
    assert books.order_by("-writer__age").only("title").first().year == 2
    assert books.order_by("writer__age").update_one(set__title="young") == 1
    assert books.order_by("writer__age").modify(remove=True).title == "young"
    assert books.order_by("writer__age").count() == 2
    first = books.order_by("writer__age").as_pymongo().first()
    assert not [name for name in first if name.startswith("__")]
    with pytest.raises(InvalidQueryError, match="nope"):
        books.order_by("writer__nope")


def test_too_many_keys_and_less_to_read_are_left_to_lookup(
    shelf: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    def piped(**lookups: Any) -> bool:
        return "aggregate" in JoinBook.objects(**lookups).as_command()

    assert not piped(writer__age__gte=0)
    JoinWriter.objects.insert([JoinWriter(name="more", age=1) for _ in range(20)])
    assert not piped(writer__name="Ada")  # all books are read in either way
    assert piped(writer__name="Ada", year=1)  # one book and its writer, or all writers
    assert titles(writer__name="Ada", year=1) == "a"
    assert not piped(writer__pk=shelf["ada"].pk, year=1)
    monkeypatch.setattr(joins, "KEYS", 2)
    assert piped(writer__age__gte=0) and titles(writer__age__gte=0) == "abe"
    assert not piped(writer__age__gte=50)
    monkeypatch.setattr(joins, "_MOST_KEYS", 3)
    with pytest.raises(InvalidQueryError, match="more than 3 documents"):
        list(JoinBook.objects(writer__age__gte=0).fields(slice__others=1))


def test_both_ways_give_what_plain_python_finds(
    shelf: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    chance = random.Random(7)
    books = list(JoinBook.objects)

    def writers(book: Any, field: str) -> list[Any]:
        value = book.notes[0].by if field == "notes__by" and book.notes else getattr(
            book, field, None)  # fmt: skip
        many = value if isinstance(value, list) else [value]
        alive = [one for one in many if one in shelf.values()]
        return [shelf[name] for name in shelf for one in alive if one.pk == shelf[name].pk]

    def condition() -> tuple[Any, Any]:
        field = chance.choice(["writer", "others", "old", "notes__by"])
        if chance.random() < 0.3:
            year = chance.randrange(6)
            return Q(year__gt=year), lambda book: book.year > year
        if chance.random() < 0.5:
            age = chance.choice([10, 30, 40, 60])
            return (Q(**{f"{field}__age__gt": age}),
                    lambda book: any(one.age > age for one in writers(book, field)))  # fmt: skip
        town = chance.choice(["York", "Leeds", "Hull"])
        return (Q(**{f"{field}__press__town__name": town}),
                lambda book: any(one.press.town.name == town
                                 for one in writers(book, field)))  # fmt: skip

    for _ in range(25):
        asked, holds = condition()
        for _ in range(chance.randrange(3)):
            more, also = condition()
            how = chance.randrange(3)
            before = holds
            if how == 0:
                asked, holds = asked & more, lambda b, x=before, y=also: x(b) and y(b)
            elif how == 1:
                asked, holds = asked | more, lambda b, x=before, y=also: x(b) or y(b)
            else:
                asked, holds = asked & ~more, lambda b, x=before, y=also: x(b) and not y(b)
        expected = "".join(sorted(book.title for book in books if holds(book)))
        for keys, upto in itertools.product((10_000, -1), (None, 3)):
            monkeypatch.setattr(joins, "KEYS", keys)
            found = JoinBook.objects(asked).order_by("title")
            assert "".join(found[:upto].scalar("title")) == expected[:upto], repr(asked)
            assert found.count() == len(expected)


def test_mistakes_are_told(shelf: Any) -> None:
    with pytest.raises(InvalidQueryError, match="JoinWriter has no field 'nam'"):
        titles(writer__nam="Ada")
    with pytest.raises(InvalidQueryError, match="documents of any class"):
        titles(anything__name="Ada")
    with pytest.raises(InvalidQueryError, match=r"F\(\)"):
        titles(writer__name=F("title"))
    with pytest.raises(InvalidQueryError, match="another collection"):
        JoinBook.objects.update(set__writer__name="x")
    with pytest.raises(mongodb.LookUpError, match="another collection"):
        JoinBook.objects.only("writer__name")
    with pytest.raises(NotSupportedError, match="order through a reference"):
        list(JoinBook.objects.order_by("writer__name").fields(slice__others=1))


def test_references_into_another_connection_go_by_keys(
    shelf: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    class JoinFar(Document):
        name = StringField()
        meta = {"db_alias": "join_far"}

    class JoinNear(Document):
        far = ReferenceField(JoinFar)

    mongodb.connect("far", host="docstore://:memory:", alias="join_far")
    JoinNear.drop_collection()
    JoinNear(far=JoinFar(name="x").save()).save()
    JoinNear(far=JoinFar(name="y").save()).save()
    monkeypatch.setattr(joins, "KEYS", -1)
    assert JoinNear.objects(far__name="x").count() == 1
    with pytest.raises(NotSupportedError, match="another connection's"):
        list(JoinNear.objects.order_by("far__name"))
    JoinNear.drop_collection()


def test_a_lookup_by_an_index_reads_what_matches(shelf: Any) -> None:
    """The other collection's index finds the keys, the own index of the reference the documents."""

    class JoinAuthor(Document):
        name = StringField()
        meta = {"indexes": ["name"]}

    class JoinPaper(Document):
        author = ReferenceField(JoinAuthor)
        meta = {"indexes": ["author"]}

    for cls in (JoinAuthor, JoinPaper):
        cls.drop_collection()
        cls.ensure_indexes()
    authors = JoinAuthor.objects.insert([JoinAuthor(name=f"a{n}") for n in range(50)])
    JoinPaper.objects.insert([JoinPaper(author=one) for one in authors])
    handle = get_connection_handle()
    command = JoinPaper.objects(author__name="a7").as_command()
    told = handle.run({"explain": command, "verbosity": "executionStats"})
    assert told["executionStats"]["totalDocsExamined"] == 1
    command = JoinAuthor.objects(name="a7").as_command()
    told = handle.run({"explain": command, "verbosity": "executionStats"})
    assert told["executionStats"]["totalDocsExamined"] == 1
    JoinAuthor.drop_collection()
    JoinPaper.drop_collection()


def test_paths_and_depths_are_fetched_a_query_for_each_collection(shelf: Any) -> None:
    def read(*names: Any, expected: int, seen: Any, **options: Any) -> None:
        books = JoinBook.objects(year__lte=3).order_by("year")
        found = list(books.select_related(*names, **options))
        with query_counter() as counter:
            seen(found)
            assert counter == 0, names
        with query_counter() as counter:
            list(books.select_related(*names, **options))
            assert counter == 1 + expected, names

    def presses(found: Any) -> None:
        assert [one.writer.press.key for one in found] == ["north", "south", "north"]

    def towns(found: Any) -> None:
        presses(found)
        assert [one.writer.press.town.name for one in found] == ["York", "Leeds", "York"]

    def others(found: Any) -> None:
        assert [len({w.name for w in one.others}) for one in found] == [2, 2, 2]
        assert [one.roles["x"].age for one in found] == [36, 50, 20]

    read("writer__press", expected=2, seen=presses)
    read("writer__press__town", "others", "roles", expected=3, seen=towns)
    read("others", "writer", "roles", "notes__by", expected=1, seen=others)
    read(3, expected=6, seen=towns)  # `anything` leads to JoinPoet too, by its own name
    read(max_depth=3, expected=6, seen=towns)
    read(expected=2, seen=others)
    read("anything", expected=2, seen=lambda found: [one.anything.name for one in found])
    with pytest.raises(InvalidQueryError, match="JoinWriter.name is no reference"):
        list(JoinBook.objects.select_related("writer__name"))


def test_related_documents_come_with_each_batch(shelf: Any) -> None:
    found = JoinBook.objects.order_by("year").batch_size(2).select_related("writer").iterator()
    with query_counter() as counter:
        assert next(found).writer.name == "Ada"
        assert counter == 2  # the first batch and its writers, not all of them
        assert [one.title for one in found] == ["b", "e", "g", "n"]


def test_references_in_maps_are_fetched_for_the_batch(shelf: Any) -> None:
    found = list(JoinBook.objects(year__lte=3))
    with query_counter() as counter:
        assert {one.roles["x"].name for one in found} == {"Ada", "Bob", "Eve"}
        assert counter == 1


class JoinFar(Document):
    name = StringField()
    meta = {"db_alias": "join_far"}


class JoinPlace(EmbeddedDocument):
    of = ReferenceField(JoinFar)


class JoinMiddle(Document):
    place = EmbeddedDocumentField(JoinPlace)


class JoinStart(Document):
    n = IntField()
    middle = ReferenceField(JoinMiddle)


def test_an_order_leads_to_no_other_connection_however_deep(memory: None) -> None:
    mongodb.connect("join_far", host="docstore://:memory:", alias="join_far")
    JoinStart(n=1).save()
    try:
        with pytest.raises(NotSupportedError, match="another connection"):
            list(JoinStart.objects.order_by("middle__place__of__name"))
    finally:
        mongodb.disconnect("join_far")


def test_an_error_of_what_is_referred_to_is_told_as_ones_own(memory: None) -> None:
    JoinStart(middle=JoinMiddle().save()).save()
    turned = JoinStart.objects(middle__place__of__exists=True)._turning(KeyError)
    assert turned.count() == 0
    wrong = JoinStart.objects(middle__place__type="no type")._turning(KeyError)
    with pytest.raises(KeyError):
        list(wrong)
