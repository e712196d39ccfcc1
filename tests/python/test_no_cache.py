# SPDX-License-Identifier: Apache-2.0
"""Querysets that do not keep what they read."""

from typing import Any

import pytest

import mongodb
from mongodb import Document
from mongodb.fields import IntField


class Number(Document):
    value = IntField()

    meta = {"collection": "no_cache_numbers"}


@pytest.fixture
def numbers(store_uri: str) -> Any:
    mongodb.connect("no_cache", host=store_uri)
    Number.drop_collection()
    Number.objects.insert([Number(value=at) for at in range(5)])
    yield Number.objects.order_by("value").no_cache()
    mongodb.disconnect()


def test_list_of_a_queryset_without_cache(numbers: Any) -> None:
    assert [one.value for one in list(numbers)] == [0, 1, 2, 3, 4]


def test_length_of_a_queryset_without_cache_is_a_type_error(numbers: Any) -> None:
    with pytest.raises(TypeError, match="count"):
        len(numbers)
    assert numbers.count() == 5 and bool(numbers)


def test_membership_and_last_without_cache(numbers: Any) -> None:
    assert numbers.first() in numbers
    assert numbers.limit(3).last().value == 2
