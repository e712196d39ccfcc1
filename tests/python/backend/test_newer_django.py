# SPDX-License-Identifier: Apache-2.0
"""What newer releases of Django ask for, by their SQL; keys that are dates."""

import datetime
import importlib
from collections.abc import Callable
from typing import Any

import django
import pytest
from django.core.exceptions import ImproperlyConfigured
from django.db import NotSupportedError, connection, models
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


def test_an_older_django_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    backend = importlib.import_module("mongodb.backend")
    monkeypatch.setattr(django, "VERSION", (5, 1, 15, "final", 0))
    with pytest.raises(ImproperlyConfigured, match="needs Django 5.2"):
        importlib.reload(backend)


def test_relations_are_what_inspectdb_unpacks(orm: Callable[..., None]) -> None:
    class NewerParent(models.Model):
        class Meta:
            app_label = "mongodb"

    class NewerChild(models.Model):
        parent = models.ForeignKey(NewerParent, models.CASCADE)

        class Meta:
            app_label = "mongodb"

    orm(NewerParent, NewerChild)
    with connection.cursor() as cursor:
        found = connection.introspection.get_relations(cursor, "mongodb_newerchild")
    more = (models.DO_NOTHING,) if django.VERSION >= (6, 1) else ()
    key = {"parent_id": ("id", "mongodb_newerparent", *more)}
    assert found == (key if connection.features.supports_foreign_keys else {})


@pytest.mark.parametrize("operation", ["CASCADE", "SET NULL", "SET DEFAULT"])
def test_what_a_store_does_not_do_on_delete_is_refused(
    orm: Callable[..., None], operation: str
) -> None:
    orm(declare())
    rule = f"DB_{operation.replace(' ', '_')}"
    with pytest.raises(NotSupportedError, match=f"{rule} cannot"):
        connection.ops.fk_on_delete_sql(operation)
    if django.VERSION < (6, 1):
        return
    null: Any = {"null": True} if "NULL" in operation else {}

    class NewerTop(models.Model):
        class Meta:
            app_label = "mongodb"

    class NewerBelow(models.Model):
        top = models.ForeignKey(NewerTop, getattr(models, rule), db_default=1, **null)

        class Meta:
            app_label = "mongodb"

    assert "fields.E324" in {one.id for one in NewerBelow.check(databases=["default"])}
    if connection.features.supports_foreign_keys:
        with pytest.raises(NotSupportedError, match=f"{rule} cannot"):
            orm(NewerTop, NewerBelow)
