# SPDX-License-Identifier: Apache-2.0
"""A VersionField: nobody's change is overwritten unseen."""

import threading

import pytest

import mongodb
from mongodb import (
    Document,
    EmbeddedDocument,
    EmbeddedDocumentListField,
    IntField,
    InvalidDocumentError,
    NotSupportedError,
    NotUniqueError,
    OperationError,
    SaveConditionError,
    StaleDocumentError,
    StringField,
    VersionField,
)
from mongodb.context_managers import atomic


class Ledger(Document):
    name = StringField()
    total = IntField(default=0)
    version = VersionField(db_field="v")


def test_saves_count_and_unchanged_documents_do_not(connected: str) -> None:
    made = Ledger(name="a").save()
    assert made.version == 1
    made.total = 3
    made.save()
    made.save()
    assert made.version == 2 and Ledger.objects.get().version == 2
    assert Ledger._get_collection().find_one()["v"] == 2
    many = Ledger.objects.insert([Ledger(name="b"), Ledger(name="c")])
    assert [one.version for one in many] == [1, 1]


def test_the_second_of_two_who_read_the_same_is_refused(connected: str) -> None:
    Ledger(name="a").save()
    first, second = Ledger.objects.get(), Ledger.objects.get()
    first.total = 1
    first.save()
    second.name = "other"
    with pytest.raises(StaleDocumentError, match="changed since version 1") as caught:
        second.save()
    assert isinstance(caught.value, SaveConditionError)
    stored = Ledger.objects.get()
    assert (stored.name, stored.total, stored.version) == ("a", 1, 2)
    assert second.version == 1 and second.name == "other"
    second.reload()
    second.name = "other"
    second.save()
    assert Ledger.objects.get().version == 3 and second.total == 1
    stored.delete()
    second.total = 5
    with pytest.raises(StaleDocumentError, match="no longer in the store"):
        second.save()
    assert Ledger.objects.count() == 0


def test_a_client_says_which_version_it_saw(connected: str) -> None:
    Ledger(name="a").save()
    Ledger.objects.get().update(total=7)
    found = Ledger.objects.get()
    found.total, found.version = 8, 5
    with pytest.raises(StaleDocumentError):
        found.save()
    found.version = 1
    found.save()
    assert Ledger.objects.get().version == 2


def test_the_same_change_of_an_older_version_is_refused_too(connected: str) -> None:
    Ledger(name="a").save()
    Ledger.objects.get().modify(set__name="b", inc__version=1)
    found = Ledger.objects.get()
    found.name, found.version = "b", 1
    with pytest.raises(StaleDocumentError, match="changed since version 1"):
        found.save()
    assert Ledger.objects.get().version == 2


def test_documents_from_before_the_field_and_partly_loaded_ones(connected: str) -> None:
    Ledger._get_collection().insert_one({"name": "old"})
    old, same = Ledger.objects.get(), Ledger.objects.get()
    old.total = 1
    old.save()
    assert old.version == 1
    same.total = 2
    with pytest.raises(StaleDocumentError):
        same.save()
    part = Ledger.objects.only("name").get()
    part.name = "new"
    part.save()
    assert Ledger.objects.get().version == 2


def test_threads_lose_nothing(connected: str) -> None:
    Ledger(name="a").save()

    def add() -> None:
        for _ in range(10):
            while True:
                one = Ledger.objects.get()
                one.total += 1
                try:
                    one.save()
                    break
                except StaleDocumentError:
                    pass

    threads = [threading.Thread(target=add) for _ in range(4)]
    for one in threads:
        one.start()
    for one in threads:
        one.join()
    found = Ledger.objects.get()
    assert found.total == 40 and found.version == 41


def test_a_version_goes_back_with_its_transaction(connected: str) -> None:
    made = Ledger(name="a").save()
    with pytest.raises(LookupError), atomic():
        made.total = 1
        made.save()
        made.total = 2
        made.save()
        assert made.version == 3
        raise LookupError
    assert made.version == 1 and made.total == 2
    made.save()
    found = Ledger.objects.get()
    assert found.version == 2 and found.total == 2


def test_a_refused_save_keeps_the_version(connected: str) -> None:
    made = Ledger(name="a").save()
    made.total = 1
    with pytest.raises(SaveConditionError):
        made.save(save_condition={"name": "b"})
    assert made.version == 1
    made.save(save_condition={"name": "a"})
    assert Ledger.objects.get().version == 2


def test_what_has_no_version_is_refused(connected: str) -> None:
    with pytest.raises(TypeError, match="takes no default"):
        VersionField(default=3)
    with pytest.raises(InvalidDocumentError, match="one VersionField"):
        type("TwoVersions", (Document,), {"a": VersionField(), "b": VersionField()})
    with pytest.raises(InvalidDocumentError, match="an embedded document none"):
        type("InnerVersion", (EmbeddedDocument,), {"a": VersionField()})
    made = Ledger(name="a").save()
    with pytest.raises(NotSupportedError, match="VersionField"):
        Ledger.objects.bulk_update([made])
    assert mongodb.VersionField is VersionField


class Stock(Document):
    sku = StringField(primary_key=True)
    left = IntField()
    lots = EmbeddedDocumentListField("Lot")
    version = VersionField(db_field="v")
    meta = {"allow_inheritance": True}


class Lot(EmbeddedDocument):
    size = IntField()


@pytest.mark.parametrize(
    "part",
    [
        lambda qs: qs.only("left"),
        lambda qs: qs.exclude("version"),
        lambda qs: qs.exclude("version", "lots"),
        lambda qs: qs.fields(left=1),
        lambda qs: qs.fields(elemMatch__lots={"size": 1}),
        lambda qs: qs.fields(slice__lots=1),
    ],
)
def test_a_document_loaded_in_part_has_the_version_it_was_read_at(connected: str, part) -> None:
    Stock(sku="a", left=5, lots=[Lot(size=1), Lot(size=2)]).save()
    seen = part(Stock.objects).get(sku="a")
    other = Stock.objects.get(sku="a")
    other.left = 1
    other.save()
    seen.left = 4
    with pytest.raises(StaleDocumentError):
        seen.save()
    assert Stock.objects.get().left == 1
    again = part(Stock.objects).get(sku="a")
    again.left = 0
    again.save()
    assert (Stock.objects.get().left, again.version) == (0, 3)
    assert part(Stock.objects).as_pymongo().get()["_id"] == "a"
    assert Stock.objects.only("left").as_pymongo().get() == {"_id": "a", "_cls": "Stock", "left": 0}
    assert list(Stock.objects.values_list("left")) == [0]


def test_a_new_document_replaces_no_version(connected: str) -> None:
    Stock(sku="a", left=5).save()
    with pytest.raises(NotUniqueError):
        Stock(sku="a", left=9).save()
    assert Stock.objects.get().left == 5


class Counted(Document):
    name = StringField()
    meta = {"allow_inheritance": True}


class CountedOnce(Counted):
    version = VersionField()


def test_a_version_that_was_not_loaded_is_not_guessed(connected: str) -> None:
    CountedOnce(name="a").save()
    seen = Counted.objects.only("name").get()
    seen.name = "b"
    with pytest.raises(OperationError, match="without its version"):
        seen.save()
    seen.reload()
    seen.name = "b"
    assert seen.save().version == 2
