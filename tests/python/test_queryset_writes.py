# SPDX-License-Identifier: Apache-2.0
"""What creating, changing and removing through a queryset does with each of its arguments."""

from collections.abc import Iterator
from typing import Any

import pytest

import mongodb
from mongodb import (
    CASCADE,
    BulkWriteError,
    Document,
    NotUniqueError,
    OperationError,
    atomic,
    get_db,
    signals,
)
from mongodb.errors import InvalidQueryError, NotSupportedError
from mongodb.fields import IntField, ListField, ReferenceField, StringField


class WrittenThing(Document):
    name = StringField(unique=True, sparse=True)
    n = IntField()
    tags = ListField(StringField())


class WrittenAnimal(Document):
    name = StringField()
    n = IntField()
    meta = {"allow_inheritance": True}


class WrittenDog(WrittenAnimal):
    pass


class WrittenPuppy(WrittenDog):
    pass


class Quiet(Document):
    name = StringField()

    def save(self, *args: Any, **kwargs: Any) -> None:  # type: ignore[override]
        super().save(*args, **kwargs)


class WrittenLeaf(Document):
    thing = ReferenceField(WrittenThing, reverse_delete_rule=CASCADE)


@pytest.fixture(autouse=True)
def store() -> Iterator[None]:
    mongodb.connect("writes", host="docstore://:memory:")
    yield
    mongodb.connect().run({"dropDatabase": 1})
    mongodb.disconnect_all()


def rows() -> list[Any]:
    return [(one.name, one.n) for one in WrittenThing.objects.order_by("name")]


def test_create_returns_the_document_whatever_save_returns() -> None:
    made = Quiet.objects.create(name="a")
    assert isinstance(made, Quiet) and made == Quiet.objects.get()


def test_get_or_create_takes_what_somebody_else_made_meanwhile(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    queryset = WrittenThing.objects
    create = type(queryset).create

    def slow(self: Any, **values: Any) -> Any:
        if WrittenThing.objects(name="a").count() == 0:
            get_db()["written_thing"].insert_one({"name": "a", "n": 7})
        return create(self, **values)

    monkeypatch.setattr(type(queryset), "create", slow)
    found, made = WrittenThing.objects.get_or_create(name="a", defaults={"n": 1})
    assert (found.n, made) == (7, False)
    with pytest.raises(NotUniqueError):  # another one has the name, and matches no lookup
        WrittenThing.objects.get_or_create(n=5, defaults={"name": "a"})


def test_update_or_create_sets_the_defaults_of_the_case() -> None:
    first, made = WrittenThing.objects.update_or_create(name="a", defaults={"n": 1})
    assert (first.n, made) == (1, True)
    first, made = WrittenThing.objects.update_or_create(
        name="a", defaults={"n": lambda: 2}, create_defaults={"n": 3}
    )
    assert (first.n, made, rows()) == (2, False, [("a", 2)])
    second, made = WrittenThing.objects.update_or_create(
        name="b", defaults={"n": 2}, create_defaults={"n": 3}
    )
    assert (second.n, made) == (3, True)
    assert WrittenThing.objects.update_or_create(name="b") == (second, False)
    assert rows() == [("a", 2), ("b", 3)]


def test_insert_gives_back_what_it_was_given_or_the_keys() -> None:
    one, two, three, four = (WrittenThing(name=name) for name in "abcd")
    assert WrittenThing.objects.insert(one) is one
    given = [two, three]
    assert WrittenThing.objects.insert(given) == given
    assert WrittenThing.objects.insert(four, load_bulk=False) == four.pk
    five, six = WrittenThing(name="e"), WrittenThing(name="f")
    assert WrittenThing.objects.insert([five, six], load_bulk=False) == [five.pk, six.pk]
    assert WrittenThing.objects.insert([]) == []
    assert WrittenThing.objects.count() == 6


def test_insert_takes_new_documents_of_its_class_only() -> None:
    stored = WrittenThing(name="a").save()
    for wrong in (stored, [WrittenThing(name="b"), stored], [Quiet(name="b")], [{"name": "b"}]):
        with pytest.raises(OperationError):
            WrittenThing.objects.insert(wrong)
    assert rows() == [("a", None)]


def test_inserting_many_is_told_before_and_after() -> None:
    heard: list[Any] = []

    def before(sender: Any, documents: Any, **kwargs: Any) -> None:
        heard.append(("before", sender, [one.pk for one in documents], kwargs))

    def after(sender: Any, documents: Any, **kwargs: Any) -> None:
        heard.append(("after", sender, [one.pk for one in documents], kwargs))

    signals.pre_bulk_insert.connect(before)
    signals.post_bulk_insert.connect(after)
    try:
        doc = WrittenThing(name="a")
        WrittenThing.objects.insert([doc], signal_kwargs={"why": 1})
        WrittenThing.objects.insert(WrittenThing(name="b"), load_bulk=False)
    finally:
        signals.pre_bulk_insert.disconnect(before)
        signals.post_bulk_insert.disconnect(after)
    assert [one[:2] for one in heard] == [("before", WrittenThing), ("after", WrittenThing)] * 2
    assert heard[0][2:] == ([None], {"why": 1})
    assert heard[1][2:] == ([doc.pk], {"why": 1, "loaded": True})
    assert heard[3][3] == {"loaded": False}


def test_a_failed_insert_in_a_transaction_stores_none_of_its_documents() -> None:
    WrittenThing(name="b").save()
    docs = [WrittenThing(name=name) for name in "abc"]
    with pytest.raises((NotUniqueError, BulkWriteError)), atomic():
        WrittenThing.objects.insert(docs)
    assert [one._created for one in docs] == [True] * 3
    assert [one.pk for one in docs] == [None] * 3
    assert rows() == [("b", None)]


def test_an_upsert_without_changes_inserts_what_was_asked_for_and_changes_nothing() -> None:
    WrittenThing(name="a", n=1).save()
    assert WrittenThing.objects(name="a").update(upsert=True) == 1
    assert WrittenThing.objects(name="b", n=2).update(upsert=True) == 1
    assert WrittenThing.objects(name="c").upsert_one().name == "c"
    assert rows() == [("a", 1), ("b", 2), ("c", None)]
    with pytest.raises(OperationError):
        WrittenThing.objects.update()


def test_an_upsert_of_a_part_changes_one_document_or_inserts_one() -> None:
    WrittenThing.objects.insert([WrittenThing(name="a", n=1), WrittenThing(name="b", n=1)])
    assert WrittenThing.objects(n=1).order_by("-name").limit(1).update(upsert=True, n=5) == 1
    assert rows() == [("a", 1), ("b", 5)]
    WrittenThing.objects(name="c").limit(1).update(upsert=True, n=6)
    assert rows() == [("a", 1), ("b", 5), ("c", 6)]
    with pytest.raises(InvalidQueryError):
        WrittenThing.objects(name="d").skip(1).update(upsert=True, n=6)
    with pytest.raises(InvalidQueryError):
        WrittenThing.objects(name="d").skip(1).upsert_one(n=6)


@pytest.mark.parametrize("how", ["update", "update_one", "upsert_one", "modify"])
def test_what_an_upsert_inserts_knows_its_class(how: str) -> None:
    for cls, n in ((WrittenAnimal, 1), (WrittenDog, 2), (WrittenPuppy, 3)):
        queryset = cls.objects(name=cls.__name__)
        if how == "upsert_one":
            assert type(queryset.upsert_one(set__n=n)) is cls
        else:
            getattr(queryset, how)(upsert=True, set__n=n)
    found = [(type(one), one.n) for one in WrittenAnimal.objects.order_by("n")]
    assert found == [(WrittenAnimal, 1), (WrittenDog, 2), (WrittenPuppy, 3)]
    WrittenDog.objects(name="x").update(upsert=True, set_on_insert__n=9)
    assert (type(WrittenAnimal.objects.get(name="x")), WrittenAnimal.objects.get(name="x").n) == (
        WrittenDog,
        9,
    )
    WrittenDog.objects(name="y").update(upsert=True)
    assert type(WrittenAnimal.objects.get(name="y")) is WrittenDog
    WrittenDog.objects(name="x").update(upsert=True, __raw__=[{"$set": {"n": 10}}])
    assert WrittenDog.objects.get(name="x").n == 10


def test_changing_one_changes_no_other_and_inserts_nothing() -> None:
    WrittenThing.objects.insert([WrittenThing(name="a", n=1), WrittenThing(name="b", n=1)])
    assert WrittenThing.objects(n=1).order_by("-name").update_one(n=2) == 1
    assert rows() == [("a", 1), ("b", 2)]
    assert WrittenThing.objects(name="c").update_one(n=2) == 0
    assert WrittenThing.objects(name="c").update(n=2) == 0
    assert WrittenThing.objects(name="c").modify(n=2) is None
    result = WrittenThing.objects(name="c").update_one(upsert=True, full_result=True, n=3)
    assert (result.matched_count, result.raw_result["updatedExisting"]) == (0, False)
    assert result.upserted_id == WrittenThing.objects.get(name="c").pk
    result = WrittenThing.objects.update(full_result=True, n=3)
    assert (result.matched_count, result.modified_count, result.upserted_id) == (3, 2, None)
    assert result.raw_result["updatedExisting"] is True
    assert WrittenThing.objects(name="nobody").update(full_result=True, n=3).matched_count == 0


def test_elements_to_change_are_chosen_by_array_filters() -> None:
    WrittenThing(name="a", tags=["x", "y"]).save()
    change = {"__raw__": {"$set": {"tags.$[t]": "z"}}, "array_filters": [{"t": "x"}]}
    assert WrittenThing.objects.update(**change) == 1
    assert WrittenThing.objects.get().tags == ["z", "y"]
    WrittenThing.objects.update(tags=["x", "y"])
    WrittenThing.objects.update_one(**change)
    assert WrittenThing.objects.get().tags == ["z", "y"]
    WrittenThing.objects.update(tags=["x", "y"])
    assert WrittenThing.objects.modify(new=True, **change).tags == ["z", "y"]


def test_a_read_concern_is_for_reading() -> None:
    for call in (WrittenThing.objects.update, WrittenThing.objects.upsert_one):
        with pytest.raises(NotSupportedError):
            call(read_concern={"level": "majority"}, n=1)
    assert WrittenThing.objects.count() == 0


@pytest.mark.parametrize(
    "given",
    [
        {"remove": True, "new": True},
        {"remove": True, "upsert": True},
        {"remove": True, "n": 1},
        {"remove": True, "array_filters": [{"t": 1}]},
        {},
        {"new": True},
    ],
)
def test_modify_refuses_what_contradicts_itself(given: dict[str, Any]) -> None:
    WrittenThing(name="a").save()
    with pytest.raises(OperationError):
        WrittenThing.objects.modify(**given)
    assert rows() == [("a", None)]


def test_modify_returns_the_document_before_or_after_it_whole_or_in_shape() -> None:
    WrittenThing(name="a", n=1, tags=["x"]).save()
    objects = WrittenThing.objects(name="a")
    assert objects.modify(n=2).n == 1
    found = objects.modify(new=True, n=3)
    assert found.n == 3
    found.tags = []
    found.save()
    assert WrittenThing.objects.get().tags == []
    assert objects.only("n").modify(n=4).name == "a"  # fetched when it is read
    assert objects.as_pymongo().modify(new=True, n=5)["n"] == 5
    assert objects.scalar("n").modify(new=True, n=6) == 6
    reply = objects.modify(full_response=True, n=7)
    assert reply["value"].n == 6 and reply["lastErrorObject"]["n"] == 1
    assert objects.modify(remove=True).n == 7 and WrittenThing.objects.count() == 0
    assert objects.modify(upsert=True, n=8) is None
    assert WrittenThing.objects(name="b").modify(upsert=True, new=True, n=9).name == "b"


def test_modify_takes_the_first_in_order_after_those_it_skips() -> None:
    WrittenThing.objects.insert([WrittenThing(name=name, n=0) for name in "abc"])
    assert WrittenThing.objects.order_by("-name").modify(n=1).name == "c"
    assert WrittenThing.objects.order_by("name").skip(1).modify(n=2).name == "b"
    assert WrittenThing.objects.order_by("-name").skip(2).modify(remove=True).name == "a"
    assert WrittenThing.objects.skip(2).modify(n=3) is None
    assert rows() == [("b", 2), ("c", 1)]


def test_large_parts_are_removed_in_steps(monkeypatch: pytest.MonkeyPatch) -> None:
    from mongodb._connection import Connection
    from mongodb.queryset import writing

    steps: list[int] = []
    delete = Connection.delete

    def counting(self: Any, collection: str, *args: Any, **options: Any) -> int:
        steps.append(delete(self, collection, *args, **options))
        return steps[-1]

    monkeypatch.setattr(writing, "_KEYS_AT_ONCE", 3)
    monkeypatch.setattr(Connection, "delete", counting)
    things = WrittenThing.objects.insert([WrittenThing(name=str(i)) for i in range(8)])
    WrittenLeaf.objects.insert([WrittenLeaf(thing=things[7]), WrittenLeaf(thing=things[0])])
    assert WrittenThing.objects.order_by("name")[:7].delete() == 7
    assert steps == [1, 3, 3, 1]
    assert (rows(), WrittenLeaf.objects.get().thing) == ([("7", None)], things[7])


def test_removing_is_told_of_each_document_as_the_queryset_sees_it() -> None:
    heard: list[str] = []

    def told(sender: Any, document: Any, **kwargs: Any) -> None:
        heard.append(document.name)

    WrittenThing.objects.insert([WrittenThing(name=name) for name in "abc"])
    for signal in (signals.pre_delete, signals.post_delete):
        signal.connect(told, sender=WrittenThing)
        try:
            assert WrittenThing.objects.order_by("name").scalar("n")[:1].delete() == 1
        finally:
            signal.disconnect(told, sender=WrittenThing)
    assert (heard, rows()) == (["a", "b"], [("c", None)])
