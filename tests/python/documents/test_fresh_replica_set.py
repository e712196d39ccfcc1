# SPDX-License-Identifier: Apache-2.0
"""The first transactions on an empty database make the collections and indexes they need."""

from typing import Any

import pytest

import mongodb
from mongodb import Document, NotUniqueError, atomic, get_db
from mongodb.fields import IntField, SequenceField, StringField


class Stop(Exception):
    pass


def classes() -> tuple[Any, Any, Any]:
    """Classes that no connection has met."""

    class FreshA(Document):
        name = StringField(unique=True)

    class FreshB(Document):
        name = StringField(unique=True)
        number = SequenceField()

    class FreshC(Document):
        n = IntField()

    return FreshA, FreshB, FreshC


def indexes(cls: Any) -> set[str]:
    return set(get_db()[cls._get_collection_name()].index_information())


def test_several_classes_are_first_used_in_one_block(connected: str) -> None:
    first, second, third = classes()
    with atomic():
        third(n=1).save()
        assert third.objects.count() == 1
        first(name="a").save()
        second(name="a").save()
        assert second.objects(name="a").count() == 1
    assert indexes(first) == indexes(second) == {"_id_", "name_1"}
    for cls in (first, second):
        with pytest.raises(NotUniqueError):
            cls(name="a").save()


def test_what_a_rolled_back_block_created_is_created_again(connected: str) -> None:
    first, second, third = classes()
    for _ in range(2):
        with pytest.raises(Stop), atomic():
            third(n=1).save()
            second(name="a").save()
            raise Stop
    with atomic():
        second(name="a").save()
    assert second.objects.get().number == 1
    assert indexes(second) == {"_id_", "name_1"}
    with pytest.raises(NotUniqueError):
        second(name="a").save()


def test_an_index_that_is_new_on_a_filled_collection(connected: str) -> None:
    first, second, third = classes()
    get_db()["fresh_a"].insert_one({"name": "x"})
    with atomic():
        third(n=1).save()
        first(name="a").save()
    assert indexes(first) == {"_id_", "name_1"}


def test_a_class_whose_index_cannot_be_made_disturbs_no_other(connected: str) -> None:
    first, second, third = classes()
    get_db()["fresh_a"].insert_many([{"name": "x"}, {"name": "x"}])
    with atomic():
        third(n=1).save()
    assert third.objects.count() == 1
    assert first.objects.count() == 2
    with pytest.raises(mongodb.NotUniqueError):
        first(name="y").save()


def test_a_block_that_only_reads(connected: str) -> None:
    first, second, third = classes()
    with atomic():
        assert list(third.objects) == []
        assert first.objects(name="a").first() is None
        assert second.objects.count() == 0
