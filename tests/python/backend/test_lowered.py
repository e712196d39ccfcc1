# SPDX-License-Identifier: Apache-2.0
"""iexact and istartswith by an index over Lower() or Upper(): the rows are those of a scan."""

import random
from collections.abc import Callable
from typing import Any

import pytest
from django.db import connection, models
from django.db.models import Q
from django.db.models.functions import Lower, Upper

from mongodb.backend.plan import lowered

LETTERS = ["a", "A", "k", "K", "\u212a", "s", "S", "\u017f", "ß", "é", "É", "%", "_", "\\", "i",
           "İ", "ı", "z", "Z", ".", ""]  # fmt: skip


def declare(orm: Callable[..., None]) -> Any:
    class LoweredName(models.Model):
        low = models.CharField(max_length=30, null=True)
        up = models.CharField(max_length=30)
        bare = models.CharField(max_length=30)

        class Meta:
            app_label = "mongodb"
            indexes = [models.Index(Lower("low"), name="low_low"),
                       models.Index(Upper("up"), "bare", name="up_up")]  # fmt: skip

    orm(LoweredName)
    return LoweredName


def word(chance: random.Random) -> str:
    return "".join(chance.choices(LETTERS, k=chance.choice([0, 1, 2, 3, 3, 5])))


@pytest.mark.parametrize("seed", range(2))
def test_rows_are_those_of_a_scan(
    orm: Callable[..., None], seed: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    model, chance = declare(orm), random.Random(seed)
    words = [word(chance) for _ in range(150)]
    model.objects.bulk_create(
        model(low=chance.choice([one, one, None]), up=one, bare=one) for one in words
    )
    other = {"_id": 9_000, "low": "KAS", "up": "kas", "bare": "kas"}  # by no backend
    connection.command({"insert": model._meta.db_table, "documents": [other]})
    some = 0
    for _ in range(60):
        text = chance.choice([*words, word(chance), "kas", "Ka"]).swapcase()
        how = chance.choice(["iexact", "istartswith"])
        tests = {name: Q(**{f"{name}__{how}": text}) for name in ("low", "up")}
        tests["not"] = ~tests["up"]
        tests["or"] = tests["low"] | Q(bare="z")
        for test in tests.values():
            query = model.objects.filter(test).order_by("id").values_list("id", flat=True)
            found = list(query)
            with monkeypatch.context() as patch:
                patch.setattr(lowered, "key_of", lambda scope, node: None)
                connection.connection._plans.clear()
                assert found == list(query.all()), (text, how)
            connection.connection._plans.clear()
            some += bool(found)
    assert some > 20


def test_the_index_is_used(orm: Callable[..., None]) -> None:
    model = declare(orm)
    model.objects.bulk_create(model(low=f"Name{i}", up=f"Kiss{i}", bare="x") for i in range(50))
    tests = [
        (Q(low__iexact="nAME7"), "low_low"), (Q(low__istartswith="NAME7"), "low_low"),
        (Q(up__iexact="kISs9"), "up_up"), (Q(up__istartswith="KIS"), "up_up"),
    ]  # fmt: skip
    for test, index in tests:
        rows = model.objects.filter(test)
        assert index in rows.explain(), test
        assert "COLLSCAN" not in rows.explain(), test
        assert rows.count() in (1, 50)
