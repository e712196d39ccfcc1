# SPDX-License-Identifier: Apache-2.0
"""Equality and IN below a JSON column by an index over the path: the rows are those of a scan."""

import random
from collections.abc import Callable
from typing import Any

import pytest
from django.db import connection, models
from django.db.models import Q

from mongodb.backend.indexes import EmbeddedFieldIndex
from mongodb.backend.plan import jsonpaths

VALUES: list[Any] = [None, True, False, 0, 1, 1.0, 2.5, "", "x", "1", [], [1], [1, "x"], [[1]], {},
                     {"b": 1}, {"b": [1]}, {"0": 1}, {"b": {"c": "x"}}, [{"b": 1}]]  # fmt: skip


def declare(orm: Callable[..., None]) -> Any:
    class IndexedJson(models.Model):
        value = models.JSONField(null=True)

        class Meta:
            app_label = "mongodb"
            indexes = [EmbeddedFieldIndex(fields=["value.a"], name="json_a"),
                       EmbeddedFieldIndex(fields=["-value.a.b"], name="json_ab")]  # fmt: skip

    orm(IndexedJson)
    return IndexedJson


def test_rows_are_those_of_a_scan(
    orm: Callable[..., None], monkeypatch: pytest.MonkeyPatch
) -> None:
    model, chance = declare(orm), random.Random(3)
    model.objects.create(value=None)
    model.objects.bulk_create(model(value={"a": one}) for one in VALUES)
    model.objects.bulk_create(model(value=one) for one in VALUES[1:])
    model.objects.bulk_create(model(value=[{"a": one}]) for one in VALUES)
    some = 0
    for _ in range(150):
        key = chance.choice(["a", "a__b", "a__0", "a__b__c", "0", "0__a", "a__b__0", "a__0__b",
                             "a__-1", "-1", "a__00"])  # fmt: skip
        if chance.random() < 0.5:
            test = Q(**{f"value__{key}": chance.choice(VALUES)})
        else:
            many = chance.sample(VALUES[1:], chance.randrange(1, 4))
            test = Q(**{f"value__{key}__in": many})
        if chance.random() < 0.3:
            test = ~test
        query = model.objects.filter(test).order_by("id").values_list("id", flat=True)
        found = list(query)
        connection.connection._plans.clear()
        with monkeypatch.context() as patch:
            patch.setattr(jsonpaths, "narrowing", lambda scope, node: None)
            assert found == list(query.all()), test
        connection.connection._plans.clear()
        some += bool(found)
    assert some > 20


def test_the_index_is_used(orm: Callable[..., None]) -> None:
    model = declare(orm)
    model.objects.bulk_create(model(value={"a": i, "b": {"a": {"b": i}}}) for i in range(50))
    for test in (Q(value__a=7), Q(value__a__in=[7, 8]), Q(value__a__b__in=[7])):
        shown = model.objects.filter(test).explain()
        assert "json_a" in shown and "COLLSCAN" not in shown, test
    assert [one.id for one in model.check()] in ([], ["models.W042"])
    assert model.objects.filter(value__a__in=[7, 8]).count() == 2
