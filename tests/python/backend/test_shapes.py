# SPDX-License-Identifier: Apache-2.0
"""What is kept of a query's shape gives the statements, rows and converters of Django's own way."""

import datetime
import functools
import random
import uuid
from collections.abc import Callable
from decimal import Decimal
from typing import Any

import pytest
from django.db import models
from django.db.models import F, Value
from django.db.models.functions import Concat, Lower
from django.test import override_settings

from mongodb.backend import shapes
from mongodb.backend.compiler import SQLInsertCompiler


class Loud(models.CharField):  # type: ignore[type-arg]
    """A column with a converter of its own, and a value of its own when it is saved."""

    saved = 0

    def from_db_value(self, value: Any, expression: Any, connection: Any) -> Any:
        return value and value + "!"

    def pre_save(self, instance: Any, add: bool) -> Any:
        type(self).saved += 1
        return super().pre_save(instance, add)


class Boxed(models.CharField):  # type: ignore[type-arg]
    """A column whose placeholder hangs on the value."""

    def get_placeholder(self, value: Any, compiler: Any, connection: Any) -> str:
        return "LOWER(%s)" if value == "SHOUT" else "%s"


@functools.cache
def declare() -> Any:
    class ShapeParent(models.Model):
        name = models.CharField(max_length=20, null=True)

        class Meta:
            app_label = "mongodb"

    class ShapeRow(models.Model):
        name = models.CharField(max_length=20, db_column="called", null=True)
        loud = Loud(max_length=20, null=True)
        boxed = Boxed(max_length=20, null=True)
        price = models.DecimalField(max_digits=8, decimal_places=2, null=True)
        at = models.DateTimeField(null=True)
        day = models.DateField(null=True)
        key = models.UUIDField(null=True)
        data = models.JSONField(null=True)
        parent = models.ForeignKey(ShapeParent, models.CASCADE, null=True)

        class Meta:
            app_label = "mongodb"

    class ShapeChild(ShapeRow):
        more = models.IntegerField(default=1)

        class Meta:
            app_label = "mongodb"

    class ShapeProxy(ShapeRow):
        class Meta:
            app_label = "mongodb"
            proxy = True

    class ShapeChildProxy(ShapeChild):
        class Meta:
            app_label = "mongodb"
            proxy = True

    return ShapeParent, ShapeRow, ShapeChild, ShapeProxy, ShapeChildProxy


@pytest.fixture
def made(orm: Callable[..., None]) -> Any:
    found = declare()
    orm(*found[:3])
    return found


def query(chance: random.Random, model: Any) -> Any:
    rows = model.objects.all()
    for _ in range(chance.randrange(4)):
        rows = chance.choice([
            lambda r: r.filter(name__in=["a", "b"]), lambda r: r.exclude(price__gt=3),
            lambda r: r.filter(parent__name="p1"), lambda r: r.order_by("-at", "pk"),
            lambda r: r.select_related("parent"), lambda r: r.only("name"),
            lambda r: r.defer("data"), lambda r: r.annotate(low=Lower("name")),
            lambda r: r.extra(select={"one": "1"}), lambda r: r.filter(pk__in=model.objects.all()),
            lambda r: r.distinct(), lambda r: r.filter(parent__isnull=True),
            lambda r: r.order_by("parent__name", "pk"), lambda r: r.annotate(up=F("parent__name")),
        ])(rows)  # fmt: skip
    end = chance.randrange(6)
    return rows.values_list("name", "at") if end == 0 else rows.union(rows) if end == 1 else rows


def state(one: Any) -> dict[str, Any]:
    return {name: value for name, value in vars(one).items() if name[0] != "_"}


def outcome(rows: Any) -> Any:
    try:
        compiler = rows.query.get_compiler("default")
        sql, params = compiler.as_sql()
        columns = [(repr(one[0]), one[1], one[2]) for one in compiler.select]
        found = [one if isinstance(one, tuple) else state(one) for one in rows]
        info = compiler.klass_info and [compiler.klass_info[k] for k in ("model", "select_fields")]
        return str(sql), repr(params), columns, info, sorted(map(repr, found))
    except Exception as error:
        return type(error), str(error)


def fill(made: Any) -> None:
    parent, row, child = made[:3]
    parents = [parent.objects.create(name=f"p{i}") for i in range(3)]
    for i in range(8):
        start = datetime.datetime(2024, 1, i + 1, tzinfo=datetime.UTC)
        (child if i % 4 == 0 else row).objects.create(
            name="abc"[i % 3], loud=f"l{i}", price=Decimal(i) / 4, at=start, key=uuid.UUID(int=i),
            data={"n": i}, parent=parents[i % 3] if i % 2 else None,
        )  # fmt: skip


@pytest.mark.parametrize("seed", range(3))
def test_queries_are_those_of_djangos_own_compiler(
    made: Any, seed: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    fill(made)
    chance = random.Random(seed)
    whole_rows = shapes.whole_rows
    kept = 0
    for _ in range(40):
        rows = query(chance, chance.choice(made[1:]))
        ways = []
        for way in (lambda compiler: (None, None), whole_rows, whole_rows):
            monkeypatch.setattr(shapes, "whole_rows", way)
            ways.append(outcome(rows.all()))
        assert ways[0] == ways[1] == ways[2], str(rows.query)
        kept += whole_rows(rows.query.get_compiler("default"))[1] is not None
    assert kept > 2


def test_a_zone_or_a_field_that_is_new_is_seen(made: Any) -> None:
    fill(made)
    row = made[1]
    first = row.objects.order_by("pk").first()
    assert first.at.tzinfo is not None
    with override_settings(USE_TZ=False):
        assert row.objects.get(pk=first.pk).at.tzinfo is None
    assert row.objects.get(pk=first.pk).at.tzinfo is not None


def test_a_field_added_to_a_model_is_read(made: Any) -> None:
    class ShapeGrowing(models.Model):
        class Meta:
            app_label = "mongodb"

    list(ShapeGrowing.objects.using("default").none())
    before = str(ShapeGrowing.objects.all().query)
    models.IntegerField(null=True).contribute_to_class(ShapeGrowing, "late")
    after = str(ShapeGrowing.objects.all().query)
    assert '"late"' not in before and '"late"' in after


def row_of(chance: random.Random) -> dict[str, Any]:
    values: dict[str, Any] = {
        "name": ["a", "B", None, Value("v"), Lower(Value("LOW")), Concat(Value("x"), Value("y"))],
        "loud": ["q", None, Value("w")], "boxed": ["SHOUT", "say", None],
        "price": [Decimal("1.25"), None], "data": [{"a": [1, None]}, None],
        "at": [datetime.datetime(2024, 1, 1, tzinfo=datetime.UTC), None],
    }  # fmt: skip
    names = chance.sample(sorted(values), chance.randrange(len(values)))
    return {name: chance.choice(values[name]) for name in names}


@pytest.mark.parametrize("seed", range(2))
def test_rows_are_inserted_as_djangos_own_compiler_does(
    made: Any, seed: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    row, child = made[1:3]
    inserted = shapes.inserted
    as_sql = SQLInsertCompiler.as_sql
    sent: list[Any] = []

    def seen(self: Any) -> Any:
        made = as_sql(self)
        sent.extend((str(sql), repr(params)) for sql, params in made)
        return made

    monkeypatch.setattr(SQLInsertCompiler, "as_sql", seen)
    for at in range(40):
        outcomes = []
        values = row_of(random.Random(seed * 100 + at))
        for way in (lambda compiler: (None, None), inserted):
            monkeypatch.setattr(shapes, "inserted", way)
            sent.clear()
            before = Loud.saved
            model = child if at % 5 == 0 else row
            one = model.objects.create(**values)
            read = row.objects.filter(pk=one.pk).values().get()
            assert one.pk == read.pop("id")
            statements = [sent[0], *(sql for sql, _ in sent[1:])]  # a child's has the key
            outcomes.append((statements, Loud.saved - before, read))
        assert outcomes[0] == outcomes[1]
    assert shapes._kept(row._meta)
