# SPDX-License-Identifier: Apache-2.0
"""JSON's null is a value, SQL's NULL none: in lists of values, in CASE, in what explains."""

from collections.abc import Callable
from typing import Any

from django.db import models
from django.db.models import Case, Exists, F, JSONField, OuterRef, Subquery, Value, When
from django.db.models.expressions import RawSQL

from mongodb.backend.plan.json import JSON_NULL

# before Django 6.1 a Value that is saved is SQL's NULL
NULL: Any = getattr(models, "JSONNull", lambda: RawSQL("%s", [JSON_NULL], JSONField()))()


def declare(orm: Callable[..., None]) -> Any:
    class NullsJson(models.Model):
        value = JSONField(null=True)
        other = JSONField(null=True)
        n = models.IntegerField(null=True)

        class Meta:
            app_label = "mongodb"

    orm(NullsJson)
    return NullsJson


def ids(rows: Any) -> list[int]:
    return list(rows.order_by("id").values_list("id", flat=True))


def test_jsons_null_among_values(orm: Callable[..., None]) -> None:
    model = declare(orm)
    values: list[Any] = [None, NULL, {"key": None}, {"k": 1}, {"key": [1]}, [1], [[1], 2], 0]
    for at, value in enumerate(values, 1):
        model.objects.create(id=at, value=value)
    rows = model.objects.all()
    assert ids(rows.filter(value__in=[NULL, [1]])) == [2, 6]
    assert ids(rows.filter(value__in=[Value(0, JSONField()), [1]])) == [6, 8]
    assert ids(rows.filter(value__in=[[1]])) == [6]  # not where it is an element
    assert ids(rows.exclude(value__in=[[1], 0])) == [1, 2, 3, 4, 5, 7]
    assert ids(rows.filter(value__key__in=[NULL, [1], 0])) == [3, 5]
    assert ids(rows.filter(value__key__in=[[1], 0])) == [5]
    assert "$in" in rows.filter(value__in=[NULL]).explain()


def test_case_gives_jsons_null_and_sqls(orm: Callable[..., None]) -> None:
    model = declare(orm)
    for at in (1, 2, 3):
        model.objects.create(id=at, value={"at": at})
    model.objects.update(
        value=Case(
            When(id=1, then=NULL),
            When(id=2, then=Value({"new": [None]}, JSONField())),
            output_field=JSONField(),
        )
    )
    assert ids(model.objects.filter(value=NULL)) == [1]
    assert ids(model.objects.filter(value__isnull=True)) == [3]
    assert model.objects.get(id=2).value == {"new": [None]}
    one = model.objects.get(id=2)
    one.value = NULL
    model.objects.bulk_update([one], ["value"])
    assert ids(model.objects.filter(value=NULL)) == [1, 2]


def nulls(model: Any, field: str) -> dict[str, list[int]]:
    """Which rows hold SQL's NULL in a field, which JSON's null."""
    rows = model.objects.all()
    return {"sql": ids(rows.filter(**{f"{field}__isnull": True})),
            "json": ids(rows.filter(**{field: NULL}))}  # fmt: skip


def test_updates_by_what_is_read_first_keep_both_nulls_apart(orm: Callable[..., None]) -> None:
    model = declare(orm)
    for at, value in enumerate((None, NULL, {"a": [None]}), 1):
        model.objects.create(id=at, value=value, other=at)
    inner = model.objects.filter(id=OuterRef("id"))
    held = {"sql": [1], "json": [2]}
    model.objects.update(other=F("value"))
    assert nulls(model, "other") == held
    model.objects.update(other=Subquery(inner.values("n")[:1]))  # of no JSON column
    assert nulls(model, "other") == {"sql": [1, 2, 3], "json": []}
    model.objects.update(other=Subquery(inner.values("value")[:1]))
    assert nulls(model, "other") == held
    assert model.objects.get(id=3).other == {"a": [None]}
    number = Subquery(inner.values("id")[:1])
    for new, expected in ((NULL, {"sql": [], "json": [1, 2, 3]}),
                          (None, {"sql": [1, 2, 3], "json": []}),
                          (Value([None], JSONField()), {"sql": [], "json": []})):  # fmt: skip
        model.objects.update(other=new, n=number)
        assert nulls(model, "other") == expected
        assert nulls(model, "value") == held
    later = model.objects.filter(Exists(inner.filter(id__gt=1)))
    assert later.update(other=NULL) == 2
    assert nulls(model, "other") == {"sql": [], "json": [2, 3]}
    assert later.update(other=None, n=5) == 2
    assert nulls(model, "other") == {"sql": [2, 3], "json": []}
    assert list(model.objects.order_by("id").values_list("n", flat=True)) == [1, 5, 5]
