# SPDX-License-Identifier: Apache-2.0
"""`with` blocks: what holds inside, and that it is as before outside, whatever happened."""

import threading
from collections.abc import Iterator
from typing import Any

import pytest

import mongodb
from mongodb import Document, MongoError, OperationError, atomic, get_db
from mongodb.connection import get_connection_handle
from mongodb.context_managers import (
    no_dereference,
    no_sub_classes,
    query_counter,
    set_write_concern,
    switch_collection,
    switch_db,
)
from mongodb.fields import IntField, ReferenceField, StringField
from mongodb.queryset import QuerySet


class Item(Document):
    n = IntField()


class Pointer(Document):
    to = ReferenceField(Item)


class Base(Document):
    name = StringField()
    meta = {"allow_inheritance": True}


class Below(Base):
    pass


@pytest.fixture(autouse=True)
def stores() -> Iterator[None]:
    mongodb.connect("here", host="docstore://:memory:")
    mongodb.connect("there", alias="there", host="docstore://:memory:")
    yield
    for alias in ("default", "there"):
        get_connection_handle(alias).run({"dropDatabase": 1})
    mongodb.disconnect_all()


class Session:
    """A session that notes what it is asked, and fails to begin or to commit."""

    def __init__(self, failures: list[Exception]) -> None:
        self.asked: list[Any] = []
        self.failures = failures

    def begin(self, options: Any) -> None:
        self.asked.append(("begin", options))
        if self.failures and self.failures[0].args[0] == "begin":
            raise self.failures[0]

    def commit(self) -> None:
        self.asked.append("commit")
        if self.failures:
            raise self.failures.pop(0)

    def abort(self) -> None:
        self.asked.append("abort")
        raise MongoError("gone already")

    def close(self) -> None:
        self.asked.append("close")


@pytest.fixture
def session(monkeypatch: pytest.MonkeyPatch) -> Session:
    made = Session([])
    handle = get_connection_handle()

    class Client:
        def session(self, options: Any) -> Session:
            made.asked.append(("session", options))
            return made

        def __getattr__(self, name: str) -> Any:
            return getattr(client, name)

    client = handle.client
    monkeypatch.setattr(handle, "_client", Client())
    return made


def unknown(label: str = "UnknownTransactionCommitResult") -> MongoError:
    return MongoError("no answer", details={"errorLabels": [label]})


def test_a_transaction_begins_with_its_options_and_closes_its_session(session: Session) -> None:
    with atomic():
        pass
    assert session.asked == [("session", None), ("begin", {"savepoints": True}), "commit", "close"]
    session.asked.clear()
    options = {"readConcern": {"level": "snapshot"}}
    with atomic("default", {"causalConsistency": False}, options) as given:
        assert given is session
        with atomic() as inner:
            assert inner is session
    asked = [("session", {"causalConsistency": False}), ("begin", {**options, "savepoints": True})]
    asked += ["commit", "close"]
    assert session.asked == asked
    session.asked.clear()

    @atomic("default", {"causalConsistency": False}, options)
    def double(n: int, times: int = 2) -> int:
        return n * times

    assert (double(2, times=3), double.__name__) == (6, "double")
    assert session.asked == asked


def test_a_transaction_that_cannot_begin_leaves_nothing_open(session: Session) -> None:
    session.failures.append(OperationError("begin"))
    with pytest.raises(OperationError), atomic():
        raise AssertionError("not reached")
    assert session.asked[-1] == "close"
    assert get_connection_handle().session() is None


def test_an_unknown_result_of_a_commit_is_asked_for_three_times(session: Session) -> None:
    session.failures += [unknown(), unknown()]
    with atomic():
        pass
    assert session.asked.count("commit") == 3
    session.asked.clear()
    session.failures += [unknown(), unknown(), unknown()]
    with pytest.raises(MongoError), atomic():
        pass
    assert session.asked.count("commit") == 3 and session.asked[-1] == "close"
    session.asked.clear()
    session.failures[:] = [unknown("TransientTransactionError")]
    with pytest.raises(MongoError), atomic():
        pass
    assert session.asked.count("commit") == 1
    session.asked.clear()
    session.failures[:] = [ZeroDivisionError("commit")]
    with pytest.raises(ZeroDivisionError), atomic():
        pass
    assert session.asked.count("commit") == 1


def test_the_error_inside_is_the_one_that_is_seen(session: Session) -> None:
    with pytest.raises(ZeroDivisionError), atomic():
        _ = 1 / 0
    assert session.asked[-2:] == ["abort", "close"]
    assert get_connection_handle().session() is None


def test_a_caught_error_of_an_inner_block_undoes_that_one() -> None:
    with atomic():
        Item(n=1).save()
        try:
            with atomic():
                raise ValueError
        except ValueError:
            pass
        with atomic():
            Item(n=2).save()
    assert [one.n for one in Item.objects] == [1, 2]
    Item.objects.delete()
    with atomic():
        Item(n=3).save()
        with atomic():
            Item(n=4).save()
    assert Item.objects.count() == 2


def test_a_decorator_needs_no_parentheses_and_decorates_methods() -> None:
    class Shop:
        @atomic
        def sell(self, n: int) -> Any:
            """Sell."""
            Item(n=n).save()
            if n > 1:
                raise ValueError
            return self

    shop = Shop()
    assert shop.sell(1) is shop and Shop.sell.__doc__ == "Sell."
    with pytest.raises(ValueError):
        shop.sell(2)
    with pytest.raises(ValueError):
        shop.sell(n=3)
    assert [one.n for one in Item.objects] == [1]


@pytest.mark.parametrize("how", ["alias", "using"])
def test_a_transaction_is_of_one_connection(how: str) -> None:
    there = Item.objects.using("there")
    Item.objects.count()
    with (
        pytest.raises(ValueError),
        atomic("there") if how == "alias" else atomic(using="there"),
    ):
        Item(n=1).save()
        there.create(n=2)
        raise ValueError
    assert [one.n for one in Item.objects] == [1]
    assert there.count() == 0


def test_collections_that_were_made_inside_are_made_again_after_a_rollback() -> None:
    class Made(Document):
        name = StringField(unique=True)

    with pytest.raises(ValueError), atomic():
        Made(name="a").save()
        raise ValueError
    Made(name="a").save()
    assert "name_1" in get_db()["made"].index_information()


@pytest.mark.parametrize("fails", [False, True])
def test_another_place_for_a_class_inside_only(fails: bool) -> None:
    Item(n=1).save()

    def inside() -> Any:
        with switch_db(Item, "there") as there:
            assert there is Item
            Item(n=2).save()
            with switch_collection(Item, "elsewhere"):
                Item(n=3).save()
                kept = Item.objects
            assert [one.n for one in Item.objects] == [2]
            if fails:
                raise ValueError
        return kept

    if fails:
        with pytest.raises(ValueError):
            inside()
    else:
        assert [one.n for one in inside()] == [3]
    assert [one.n for one in Item.objects] == [1]
    assert Item._get_collection_name() == "item" and "db_alias" not in Item._meta
    assert get_db("there")["elsewhere"].count_documents({}) == 1
    swap = switch_collection(Item, "one")
    with swap, swap:
        assert Item._get_collection_name() == "one"
    assert Item._get_collection_name() == "item"


def test_references_are_ids_inside_only() -> None:
    item = Item(n=1).save()
    Pointer(to=item).save()
    with no_dereference(Pointer) as cls:
        assert cls is Pointer
        assert Pointer.objects.get().to == item.pk
        kept = Pointer.objects
        with no_dereference(Pointer):
            assert Pointer.objects.first().to == item.pk
        assert Pointer.objects.first().to == item.pk
    assert kept.first().to == item.pk
    assert Pointer.objects.get().to.n == 1
    assert "queryset_class" not in Pointer._meta


def test_a_class_with_its_own_queryset_keeps_it_where_references_are_ids() -> None:
    class Own(QuerySet):
        def first_two(self) -> Any:
            return self[:2]

    class Owned(Document):
        to = ReferenceField(Item)
        meta = {"queryset_class": Own}

    item = Item(n=1).save()
    Owned(to=item).save()
    for _ in range(2):
        with no_dereference(Owned):
            assert [one.to for one in Owned.objects.first_two()] == [item.pk]
        assert [one.to for one in Owned.objects.first_two()] == [item]


def test_other_threads_are_not_inside() -> None:
    item = Item(n=1).save()
    Pointer(to=item).save()
    Base(name="a").save()
    Below(name="b").save()
    seen: list[Any] = []

    def look() -> None:
        seen.append((Pointer.objects.get().to, Base.objects.count()))

    def elsewhere() -> Any:
        thread = threading.Thread(target=look)
        thread.start()
        thread.join()
        return seen.pop()

    with no_dereference(Pointer), no_sub_classes(Base):
        look()
        assert seen.pop() == (item.pk, 1)
        to, bases = elsewhere()
        assert type(to) is Item and bases == 2
    look()
    assert seen.pop() == (item, 2)


def test_documents_of_subclasses_are_left_out_inside_only() -> None:
    Base(name="a").save()
    Below(name="b").save()
    with no_sub_classes(Base) as cls:
        assert cls is Base
        assert [one.name for one in Base.objects] == ["a"]
    assert Base.objects.count() == 2
    with no_sub_classes(Below):
        assert Below.objects.count() == 1


def test_commands_are_counted_inside_and_compare_as_numbers() -> None:
    Item(n=1).save()
    with query_counter() as sent:
        assert sent == 0 and int(sent) == 0 and not sent > 0
        list(Item.objects)
        Item.objects.count()
        assert sent == 2 and sent != 1 and repr(sent) == "2"
        assert sent < 3 and sent <= 2 and sent > 1 and sent >= 2
        assert not sent < 2 and not sent <= 1 and not sent > 2 and not sent >= 3
    Item.objects.count()
    assert sent == 2
    with query_counter("there") as there:
        Item.objects.count()
        assert there == 0
        Item.objects.using("there").count()
        assert there == 1


def test_a_write_concern_for_a_collection_adds_to_what_it_has() -> None:
    collection = get_db()["item"]
    with set_write_concern(collection, {"w": 1}) as first:
        assert first.write_concern.document == {"w": 1}
        with set_write_concern(first, {"j": True}) as second:
            assert second.write_concern.document == {"w": 1, "j": True}
    assert collection.write_concern.document == {}
