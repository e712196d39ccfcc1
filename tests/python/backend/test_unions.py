# SPDX-License-Identifier: Apache-2.0
"""UNION and its like within a transaction see what the transaction wrote, on every store."""

from collections.abc import Iterator
from typing import Any

import pytest
from django.db import connection, models, transaction
from django.db.models import F, Value


@pytest.fixture(scope="module")
def sides(store_uri: str, models_on: Any) -> Iterator[Any]:
    with models_on(store_uri) as make:

        class UnionLeft(models.Model):
            n = models.IntegerField()
            at = models.DateTimeField(null=True)

            class Meta:
                app_label = "mongodb"

        class UnionRight(models.Model):
            n = models.IntegerField()

            class Meta:
                app_label = "mongodb"

        make(UnionLeft)
        make(UnionRight)
        with transaction.atomic():
            UnionLeft.objects.bulk_create(UnionLeft(n=n) for n in range(5))
            UnionRight.objects.bulk_create(UnionRight(n=n) for n in range(3, 8))
            yield UnionLeft.objects.values_list("n"), UnionRight.objects.values_list("n")


def numbers(query: Any) -> list[int]:
    return [row[0] for row in query]


def test_sets_of_two_collections(sides: Any) -> None:
    left, right = sides
    assert numbers(left.union(right).order_by("n")) == list(range(8))
    assert numbers(left.union(right, all=True).order_by("-n")[:3]) == [7, 6, 5]
    assert numbers(left.intersection(right).order_by("n")) == [3, 4]
    assert numbers(left.difference(right).order_by("n")) == [0, 1, 2]
    assert left.union(right).count() == 8
    assert left.filter(n=9).union(right.filter(n=9)).count() == 0


def test_a_union_of_unions(sides: Any) -> None:
    left, right = sides
    inner = left.filter(n=0).union(right.filter(n=7))
    both = inner.union(left.filter(n=1)).order_by("n")
    assert numbers(both) == [0, 1, 7]
    named = left.annotate(side=Value("l")).union(right.annotate(side=Value("r")))
    assert set(named.order_by(F("side").desc())[:5]) == {(n, "r") for n in range(3, 8)}


def test_a_union_sees_what_is_not_committed(sides: Any) -> None:
    left, right = sides
    with pytest.raises(ZeroDivisionError), transaction.atomic():
        left.model.objects.create(n=100)
        assert 100 in numbers(left.union(right))
        raise ZeroDivisionError
    assert 100 not in numbers(left.union(right))
    assert connection.in_atomic_block
