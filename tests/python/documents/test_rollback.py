# SPDX-License-Identifier: Apache-2.0
"""After a rolled-back transaction document objects are what they were, and can be saved again."""

import asyncio
import gc
import weakref
from typing import Any

import pytest

from mongodb import (
    Document,
    DynamicDocument,
    EmbeddedDocument,
    MongoError,
    OperationError,
    ValidationError,
    atomic,
)
from mongodb.connection import get_connection_handle
from mongodb.fields import (
    DateTimeField,
    EmbeddedDocumentField,
    IntField,
    ListField,
    ReferenceField,
    SequenceField,
    StringField,
)


class Stop(Exception):
    pass


class Place(EmbeddedDocument):
    city = StringField()
    seen = DateTimeField(auto_now=True)
    number = SequenceField()


class Owner(Document):
    name = StringField()


class Thing(Document):
    name = StringField(unique=True, sparse=True)
    n = IntField(default=0)
    tags = ListField(StringField())
    place = EmbeddedDocumentField(Place)
    owner = ReferenceField(Owner)
    number = SequenceField()
    made = DateTimeField(auto_now_add=True)
    changed = DateTimeField(auto_now=True)


class Loose(DynamicDocument):
    name = StringField()


@pytest.fixture(autouse=True)
def store(connected: str) -> None:
    """Collections and counters exist: the tests are about objects."""


def rolled_back(work: Any) -> None:
    with pytest.raises(Stop), atomic():
        work()
        raise Stop


def test_a_new_document_is_new_again(store: None) -> None:
    thing = Thing(name="a", place=Place(city="York"))
    rolled_back(thing.save)
    assert (thing.pk, thing.number, thing.made, thing.changed) == (None, None, None, None)
    assert (thing.place.seen, thing.place.number) == (None, None)
    assert thing._created and thing._stored() is None
    thing.save()
    assert (thing.name, thing.number, thing.place.number) == ("a", 1, 1)
    assert Thing.objects.get().to_mongo() == thing.to_mongo()


def test_a_key_of_ones_own_stays(store: None) -> None:
    from bson import ObjectId

    key = ObjectId()
    thing = Thing(id=key, name="a")
    rolled_back(thing.save)
    assert thing.pk == key and thing._created
    thing.save()
    assert Thing.objects.get().pk == key


def test_what_was_assigned_after_saving_stays(store: None) -> None:
    import datetime

    mine = datetime.datetime(2020, 1, 1)
    thing = Thing(name="a", place=Place(city="York"))

    def work() -> None:
        thing.save()
        thing.place.seen = thing.made = mine
        thing.number = 77

    rolled_back(work)
    assert (thing.place.seen, thing.made, thing.number) == (mine, mine, 77)
    assert thing.place.number is None and thing.changed is None


def test_changes_count_as_changes_again(store: None) -> None:
    Thing(name="a", n=1, tags=["x"], place=Place(city="York")).save()
    thing = Thing.objects.get()
    before = (thing.changed, thing._stored())

    def work() -> None:
        thing.n = 2
        thing.save()
        thing.tags.append("y")
        thing.place.city = "Leeds"
        thing.save()
        thing.name = "b"

    rolled_back(work)
    assert (thing.n, thing.tags, thing.name) == (2, ["x", "y"], "b")
    assert (thing.changed, thing._stored()) == before
    assert sorted(thing._get_changed_fields()) == ["n", "name", "place.city", "tags"]
    thing.save()
    found = Thing.objects.get()
    assert (found.n, found.tags, found.name, found.place.city) == (2, ["x", "y"], "b", "Leeds")


def test_an_unchanged_document_stays_unchanged(store: None) -> None:
    Owner(name="a").save()
    owner = Owner.objects.get()
    rolled_back(owner.save)
    assert owner._get_changed_fields() == []


def test_a_value_set_back_is_no_change(store: None) -> None:
    owner = Owner(name="a").save()

    def work() -> None:
        owner.name = "b"
        owner.save()
        owner.name = "a"
        owner.save()

    rolled_back(work)
    assert owner._get_changed_fields() == []


def test_a_block_can_be_tried_again(store: None) -> None:
    things = [Thing(name=f"t{i}") for i in range(3)]
    for last in (False, True):
        try:
            with atomic():
                for thing in things:
                    thing.save()
                if not last:
                    raise Stop
        except Stop:
            pass
    assert [t.number for t in Thing.objects.order_by("name")] == [1, 2, 3]
    assert all(not thing._created for thing in things)


def test_references_saved_by_cascade_go_back_too(store: None) -> None:
    owner = Owner(name="o").save()
    thing = Thing(name="a", owner=owner)
    owner.name = "p"
    rolled_back(lambda: thing.save(cascade=True))
    assert owner._get_changed_fields() == ["name"]
    thing.save(cascade=True)
    assert Thing.objects.get().owner.name == "p"


def test_inserted_documents_are_new_again(store: None) -> None:
    things = [Thing(name=f"t{i}") for i in range(5)]
    rolled_back(lambda: Thing.objects.insert(things))
    assert {(t.pk, t.number, t._created) for t in things} == {(None, None, True)}
    Thing.objects.insert(things)
    assert Thing.objects.count() == 5


def test_created_and_deleted_documents_can_be_saved(store: None) -> None:
    kept: list[Any] = []
    old = Owner(name="old").save()

    def work() -> None:
        kept.append(Owner.objects.create(name="new"))
        kept.append(Owner.objects.get_or_create(name="newer")[0])
        old.delete()

    rolled_back(work)
    for one in kept:
        one.save()
    old.name = "older"
    old.save()
    assert {one.name for one in Owner.objects} == {"new", "newer", "older"}


def test_reload_and_modify_inside_are_forgotten(store: None) -> None:
    thing = Thing(name="a", n=1, tags=["x"]).save()
    other = Thing(name="b", n=1, tags=["x"]).save()
    third = Thing(name="c", n=1, tags=["x"]).save()

    def work() -> None:
        thing.modify(inc__n=5, push__tags="y")
        Thing.objects(name="b").update(n=9, tags=["z"])
        other.reload()
        assert (other.n, other.tags) == (9, ["z"])
        other.tags.append("own")
        Thing.objects(name="c").update(n=9, tags=["z"])
        third.name = "d"
        third.reload("n", "tags")
        assert (thing.n, thing.tags, third.n, third.tags) == (6, ["x", "y"], 9, ["z"])

    rolled_back(work)
    assert (thing.n, thing.tags, thing._get_changed_fields()) == (1, ["x"], [])
    assert (other.n, other.tags) == (1, ["z", "own"])
    assert other._get_changed_fields() == ["tags"]
    assert (third.n, third.tags, third.name) == (1, ["x"], "d")
    assert third._get_changed_fields() == ["name"]


def test_fields_outside_the_class_go_back(store: None) -> None:
    Loose(name="a", more=1).save()
    loose = Loose.objects.get()
    loose.more = 2
    fresh = Loose(name="b", other=[1])

    def work() -> None:
        loose.save()
        loose.third = 3
        fresh.save()

    rolled_back(work)
    loose.save()
    fresh.save()
    assert [one.to_dict() for one in Loose.objects.order_by("name")] == [
        {"id": loose.pk, "name": "a", "more": 2, "third": 3},
        {"id": fresh.pk, "name": "b", "other": [1]},
    ]


def test_documents_loaded_in_part_stay_in_part(store: None) -> None:
    Thing(name="a", n=1, tags=["x", "y"]).save()
    thing = Thing.objects.only("n").get()
    mask = thing._mask

    def work() -> None:
        thing.n = 2
        thing.save()

    rolled_back(work)
    assert thing._mask == mask
    thing.save()
    assert (thing.name, Thing.objects.get().n) == ("a", 2)


def test_the_outer_block_gives_back_what_inner_ones_saved(store: None) -> None:
    first, second, third = (Owner(name=name) for name in "abc")
    with pytest.raises((OperationError, Stop)), atomic():
        first.save()
        with pytest.raises(Stop), atomic():
            second.save()
            raise Stop
        with atomic():
            third.save()
        if get_connection_handle().embedded:
            assert [one._created for one in (first, second, third)] == [False, True, False]
            raise Stop
    assert [one._created for one in (first, second, third)] == [True, True, True]
    for one in (first, second, third):
        one.save()
    assert Owner.objects.count() == 3


def test_a_session_aborted_or_committed_by_hand(store: None) -> None:
    owner = Owner(name="a")
    with pytest.raises(MongoError), atomic() as session:
        owner.save()
        session.abort()
    assert owner._created and owner.pk is None
    with atomic() as session:
        owner.save()
        session.commit()
    assert not owner._created
    assert Owner.objects.count() == 1


def test_a_refused_write_gives_everything_back(store: None) -> None:
    Thing(name="a").save()
    first, second = Thing(name="b"), Thing(name="a")
    with pytest.raises(OperationError), atomic():
        first.save()
        second.save()
    assert first._created and first.pk is None and second.pk is None
    first.save()
    with pytest.raises(ValidationError), atomic():
        second.name = "c"
        second.save()
        second.n = "many"
        second.save()
    assert second._created and second.pk is None and second.n == "many"


def test_what_is_committed_stays(store: None) -> None:
    thing = Thing(name="a")
    with atomic():
        thing.save()
    assert thing.pk and not thing._created and thing._get_changed_fields() == []
    assert Thing.objects.get().pk == thing.pk


def test_async_saves_go_back(store: None) -> None:
    owner = Owner(name="a")

    async def work() -> None:
        with atomic():
            await owner.asave()
            raise Stop

    with pytest.raises(Stop):
        asyncio.run(work())
    assert owner._created and owner.pk is None


def test_a_failed_commit_gives_back(store: None, monkeypatch: pytest.MonkeyPatch) -> None:
    from mongodb import context_managers

    owner = Owner(name="a")

    class Refusing:
        def __init__(self, session: Any, labels: list[str]) -> None:
            self.session, self.labels = session, labels

        def commit(self) -> None:
            raise OperationError("no", details={"errorLabels": self.labels})

        def __getattr__(self, name: str) -> Any:
            return getattr(self.session, name)

    for labels in (["TransientTransactionError"], ["UnknownTransactionCommitResult"]):
        with pytest.raises(OperationError, match="no"):
            with atomic():
                owner.save()
                for transaction in context_managers._transactions.get().values():
                    transaction.owned = Refusing(transaction.owned, labels)
                real = transaction.owned.session
                assert owner.pk
                transaction.owned.session.abort()
                del real
        assert owner._created
        # after an unknown outcome the key stays, so that nothing is stored twice
        assert (owner.pk is None) == (labels == ["TransientTransactionError"])


def test_a_long_transaction_keeps_no_documents_alive(store: None) -> None:
    with atomic():
        alive = []
        for i in range(20):
            owner = Owner(name=str(i)).save()
            alive.append(weakref.ref(owner))
        del owner
        gc.collect()
        assert not any(one() for one in alive)
        from mongodb.context_managers import _transactions

        (transaction,) = _transactions.get().values()
        assert len(transaction.levels[0].records) == 0
