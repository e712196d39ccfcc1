# SPDX-License-Identifier: Apache-2.0
"""What newer releases of Django ask for, by their SQL; keys that are dates."""

import datetime
from collections.abc import Callable
from typing import Any

from django.db import models
from django.db.models import Aggregate, F


class BitAnd(Aggregate):
    function = "BIT_AND"


class BitOr(Aggregate):
    function = "BIT_OR"


class BitXor(Aggregate):
    function = "BIT_XOR"


def declare() -> Any:
    class NewerFlag(models.Model):
        bits = models.IntegerField(null=True)
        active = models.BooleanField(default=False, db_index=True)

        class Meta:
            app_label = "mongodb"

    return NewerFlag


def test_aggregates_of_bits(orm: Callable[..., None]) -> None:
    flag = declare()
    orm(flag)
    flag.objects.bulk_create(flag(bits=bits) for bits in (0b1110, 0b0111, None, 0b1100))
    found = flag.objects.aggregate(a=BitAnd("bits"), o=BitOr("bits"), x=BitXor("bits"))
    assert found == {"a": 0b0100, "o": 0b1111, "x": 0b1110 ^ 0b0111 ^ 0b1100}
    assert flag.objects.filter(bits=None).aggregate(x=BitOr("bits")) == {"x": None}
    groups = flag.objects.values("active").annotate(x=BitOr("bits", distinct=False))
    assert [one["x"] for one in groups] == [0b1111]


def test_booleans_are_negated(orm: Callable[..., None]) -> None:
    flag = declare()
    orm(flag)
    flag.objects.bulk_create(flag(bits=n, active=n == 7) for n in range(20))
    assert flag.objects.filter(~F("active")).count() == 19
    flag.objects.update(active=~F("active"))
    assert flag.objects.get(active=False).bits == 7


def test_keys_that_are_dates_lead_to_their_rows(orm: Callable[..., None]) -> None:
    class NewerDay(models.Model):
        at = models.DateTimeField(primary_key=True)

        class Meta:
            app_label = "mongodb"

    class NewerEntry(models.Model):
        day = models.ForeignKey(NewerDay, models.CASCADE)
        other = models.ForeignKey(NewerDay, models.CASCADE, "+", null=True, db_constraint=False)

        class Meta:
            app_label = "mongodb"

    orm(NewerDay, NewerEntry)
    at = datetime.datetime(2024, 1, 1, 0, 0, 0, 1234, datetime.UTC)
    day = NewerDay.objects.create(at=at)
    NewerEntry.objects.create(day=day, other=day)
    assert NewerEntry.objects.filter(day__at__lte=at).count() == 1
    assert NewerEntry.objects.select_related("other").get().other is not None
    assert NewerDay.objects.filter(newerentry__isnull=False).count() == 1
