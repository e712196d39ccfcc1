# SPDX-License-Identifier: Apache-2.0
"""Dates and times are kept to the microsecond, and sort, group, compare and reckon by it; other
programs read dates. Each query's answer is held against Python's own."""

import datetime
import random
from collections import Counter
from collections.abc import Iterator
from typing import Any

import pytest
from django.db import IntegrityError, connection, models
from django.db.models import Case, Count, DateTimeField, F, Max, Min, OuterRef, Q, Subquery, When
from django.db.models.functions import Cast, Coalesce, Greatest, Lag, Least, TruncSecond

from mongodb import _core
from mongodb.backend import cells

START = datetime.datetime(2024, 2, 29, 23, 59, 59, 998_000, datetime.UTC)
STEP = datetime.timedelta(microseconds=1)
OLD = datetime.datetime(1901, 1, 1, 0, 0, 0, 1, datetime.UTC)
LAST = datetime.datetime(9999, 12, 31, 23, 59, 59, 999_999, datetime.UTC)


@pytest.fixture(scope="module", params=["memory", "mongod"])
def moment(request: pytest.FixtureRequest, models_on: Any) -> Iterator[Any]:
    memory = request.param == "memory"
    host = "docstore://:memory:" if memory else request.getfixturevalue("mongod")
    with models_on(host) as make:

        class MicroPlace(models.Model):
            opened = models.DateTimeField()

            class Meta:
                app_label = "mongodb"

        class MicroMoment(models.Model):
            at = models.DateTimeField(null=True, db_index=True)
            until = models.DateTimeField(null=True)
            clock = models.TimeField(null=True)
            once = models.DateTimeField(null=True, unique=True)
            lasts = models.DurationField(default=datetime.timedelta(0))
            place = models.ForeignKey(MicroPlace, models.CASCADE, null=True)

            class Meta:
                app_label = "mongodb"

        make(MicroPlace)
        make(MicroMoment)
        yield MicroMoment


def some(chance: random.Random) -> datetime.datetime | None:
    near = START + STEP * chance.randrange(4000)
    whole = START + datetime.timedelta(milliseconds=chance.randrange(4))
    return chance.choice([near, near, near, whole, None, OLD, LAST])


def filled(moment: Any, chance: random.Random) -> list[Any]:
    moment.objects.all().delete()
    rows = []
    for _ in range(chance.randrange(1, 25)):
        at = some(chance)
        clock = None if at is None else at.time()
        rows.append(moment(at=at, until=some(chance), clock=clock, lasts=STEP * 1001))
    moment.objects.bulk_create(rows)
    for row in rows[::3]:
        row.at = some(chance)
        row.save()
    return rows


def first(value: Any) -> tuple[bool, Any]:
    return value is not None, value


@pytest.mark.parametrize("seed", range(3))
def test_queries_answer_as_python_does(moment: Any, seed: int) -> None:
    chance = random.Random(seed)
    rows = filled(moment, chance)
    objects = moment.objects
    assert [(r.at, r.until, r.clock) for r in objects.order_by("pk")] == [
        (r.at, r.until, r.clock) for r in rows
    ]
    given = [r.at for r in rows if r.at is not None]
    for edge in [*chance.sample(given, min(4, len(given))), START, START + STEP * 999]:
        for word, test in (
            ("exact", lambda a, e: a == e), ("lt", lambda a, e: a < e),
            ("lte", lambda a, e: a <= e), ("gt", lambda a, e: a > e),
            ("gte", lambda a, e: a >= e), ("in", lambda a, e: a in (e, START)),
            ("range", lambda a, e: e <= a <= START + STEP * 2000),
        ):  # fmt: skip
            operand = {"in": [edge, START], "range": (edge, START + STEP * 2000)}.get(word, edge)
            holds = {r.pk for r in rows if r.at is not None and test(r.at, edge)}
            query = {f"at__{word}": operand}
            assert {r.pk for r in objects.filter(**query)} == holds, query
            assert {r.pk for r in objects.exclude(**query)} == {r.pk for r in rows} - holds, query
            # as an expression
            both = objects.alias(x=Coalesce("at", "at")).filter(**{f"x__{word}": operand})
            assert {r.pk for r in both} == holds, query
    for sign in ("", "-"):
        expected = sorted((first(r.at) for r in rows), reverse=bool(sign))
        found = objects.order_by(f"{sign}at").values_list("at", flat=True)
        assert [first(a) for a in found] == expected
    groups = objects.values_list("at").annotate(n=Count("pk")).order_by("at")
    assert dict(groups) == Counter(r.at for r in rows)
    assert set(objects.values_list("clock", flat=True).distinct()) == {r.clock for r in rows}
    found = objects.aggregate(Max("at"), Min("at"), Max("clock"), n=Count("at", distinct=True))
    assert found["at__max"] == max(given, default=None)
    assert found["at__min"] == min(given, default=None)
    assert found["n"] == len(set(given))
    known = [r for r in rows if r.at is not None and r.until is not None]
    spans = objects.filter(at__lt=F("until")).annotate(span=F("until") - F("at"))
    assert {r.pk: r.span for r in spans} == {r.pk: r.until - r.at for r in known if r.at < r.until}
    both = objects.annotate(low=Least("at", "until"), high=Greatest("at", "until"))
    assert {r.pk: (r.low, r.high) for r in both.filter(low__isnull=False)} == {
        r.pk: (min(r.at, r.until), max(r.at, r.until)) for r in known
    }
    picked = Case(When(at__gt=START, then="at"), default="until", output_field=DateTimeField())
    assert {r.pk: r.x for r in objects.annotate(x=picked)} == {
        r.pk: r.at if r.at is not None and r.at > START else r.until for r in rows
    }
    early = [r for r in rows if r.at != LAST]
    moved = objects.exclude(at=LAST).annotate(x=F("at") + F("lasts"))
    assert {r.pk: r.x for r in moved} == {
        r.pk: None if r.at is None else r.at + STEP * 1001 for r in early
    }
    same = objects.filter(at__in=objects.filter(at__gt=START).values("at"))
    assert {r.pk for r in same} == {r.pk for r in known + rows if r.at and r.at > START}
    other = objects.filter(at=OuterRef("at")).order_by("pk").values("at")[:1]
    assert {r.pk: r.x for r in objects.annotate(x=Subquery(other))} == {r.pk: r.at for r in rows}
    lag = objects.annotate(x=models.Window(Lag("at"), order_by="pk")).order_by("pk")
    assert [r.x for r in lag] == [None, *(r.at for r in rows[:-1])]
    union = objects.values_list("at").union(objects.values_list(TruncSecond("until")))
    assert set(union) == {(r.at,) for r in rows} | {
        (r.until and r.until.replace(microsecond=0),) for r in rows
    }
    texts = objects.filter(at__isnull=False).annotate(x=Cast("at", models.CharField()))
    for row in texts:
        digits = f".{row.at:%f}" if row.at.microsecond else ""
        assert row.x == f"{row.at:%Y-%m-%d %H:%M:%S}{digits}"


def test_changes_keep_microseconds(moment: Any) -> None:
    moment.objects.all().delete()
    row = moment.objects.create(at=START + STEP, clock=datetime.time(1, 2, 3, 4))
    moment.objects.update(at=F("at") + datetime.timedelta(microseconds=1500), until=F("at"))
    row.refresh_from_db()
    assert (row.at, row.until) == (START + STEP * 1501, START + STEP)
    moment.objects.update(at=START)
    assert "at" not in stored(moment)["__us"]
    assert moment.objects.get(at=START).clock == datetime.time(1, 2, 3, 4)
    row.at = START + STEP * 7
    moment.objects.bulk_update([row], ["at"])
    assert moment.objects.get().at == START + STEP * 7
    other = Subquery(moment.objects.filter(pk=OuterRef("pk")).values("until")[:1])
    moment.objects.update(at=other)
    assert moment.objects.get().at == START + STEP
    assert moment.objects.get_or_create(at=START + STEP)[1] is False
    assert moment.objects.get_or_create(at=START + STEP * 2)[1] is True
    moment.objects.filter(at__gt=START + STEP).delete()
    assert moment.objects.count() == 1


def test_unique_to_the_microsecond(moment: Any) -> None:
    moment.objects.all().delete()
    moment.objects.bulk_create([moment(once=START + STEP * n) for n in range(3)])
    for again in (START, START + STEP):
        with pytest.raises(IntegrityError, match="UNIQUE constraint failed: once "):
            moment.objects.create(once=again)
    moment.objects.create(once=None)
    moment.objects.create(once=None)
    rows = [moment(once=START + STEP * n, at=START + STEP * 10) for n in range(2, 5)]
    moment.objects.bulk_create(
        rows, update_conflicts=True, unique_fields=["once"], update_fields=["at"]
    )
    found = moment.objects.filter(at=START + STEP * 10).values_list("once", flat=True)
    assert set(found) == {START + STEP * n for n in range(2, 5)}
    assert set(moment.objects.in_bulk([START + STEP], field_name="once")) == {START + STEP}


def stored(moment: Any) -> dict[str, Any]:
    return connection.documents({"find": moment._meta.db_table, "limit": 1})[0]


def test_other_programs_read_and_write_dates(moment: Any) -> None:
    moment.objects.all().delete()
    moment.objects.create(at=START + STEP * 1234)
    document = stored(moment)
    assert document["at"] == (START + STEP * 1000).replace(tzinfo=None)
    assert document["__us"] == {"at": 234}
    plain = {**document, "_id": 99, "at": datetime.datetime(2020, 1, 1, 0, 0, 0, 5000)}
    del plain["__us"]
    connection.command({"insert": moment._meta.db_table, "documents": [plain]})
    written = datetime.datetime(2020, 1, 1, 0, 0, 0, 5000, datetime.UTC)
    assert moment.objects.get(at=written).pk == 99
    assert [row.at for row in moment.objects.order_by("at")] == [written, START + STEP * 1234]


def test_joined_rows_have_their_microseconds(moment: Any) -> None:
    moment.objects.all().delete()
    place = moment._meta.get_field("place").related_model
    made = place.objects.create(opened=START + STEP * 3)
    moment.objects.create(place=made, at=START + STEP * 5)
    row = moment.objects.select_related("place").get(place__opened=START + STEP * 3)
    assert (row.at, row.place.opened) == (START + STEP * 5, START + STEP * 3)
    assert moment.objects.filter(place__opened__lt=F("at")).count() == 1
    assert moment.objects.filter(Q(place__opened__gt=F("at"))).count() == 0
    assert place.objects.annotate(x=Max("micromoment__at")).get().x == START + STEP * 5
    assert list(moment.objects.values_list("place__opened")) == [(START + STEP * 3,)]


@pytest.mark.parametrize("query", ["order_by('-at')[:3]", "filter(at__lte=NOW)", "latest"])
def test_an_index_serves_what_is_asked_by_the_microsecond(moment: Any, query: str) -> None:
    rows = {
        "order_by('-at')[:3]": moment.objects.order_by("-at")[:3],
        "filter(at__lte=NOW)": moment.objects.filter(at__lte=START + STEP * 77),
        "latest": moment.objects.filter(at__gt=START + STEP).order_by("at")[:1],
    }[query]
    plan = rows.explain()
    assert "IXSCAN" in plan
    assert '"SORT"' not in plan
    assert "COLLSCAN" not in plan


def test_columns_are_renamed_altered_and_dropped_with_their_microseconds(moment: Any) -> None:
    moment.objects.all().delete()
    moment.objects.create(at=START + STEP)
    table = moment._meta.db_table
    with connection.cursor() as cursor:
        cursor.execute(f'ALTER TABLE "{table}" RENAME COLUMN "at" TO "since"')
        cursor.execute(f'SELECT "since" FROM "{table}" ORDER BY "since"')
        assert cursor.fetchall() == [((START + STEP).replace(tzinfo=None),)]
        keys = [one["key"] for one in connection.documents({"listIndexes": table})]
        assert {"since": 1, "__us.since": 1} in keys
        constraints = connection.introspection.get_constraints(cursor, table)
        assert ["since"] in [one["columns"] for one in constraints.values()]
        cursor.execute(f'ALTER TABLE "{table}" ALTER COLUMN "since" TYPE datetime')
        keys = [one["key"] for one in connection.documents({"listIndexes": table})]
        assert {"since": 1} in keys
        cursor.execute(f'SELECT "since" FROM "{table}"')
        assert cursor.fetchall() == [(START.replace(tzinfo=None),)]
        cursor.execute(f'ALTER TABLE "{table}" ALTER COLUMN "since" TYPE datetime(6)')
        cursor.execute(f'UPDATE "{table}" SET "since" = %s', [START + STEP * 9])
        assert stored(moment)["__us"] == {"since": 9}
        cursor.execute(f'ALTER TABLE "{table}" RENAME COLUMN "since" TO "at"')
    assert moment.objects.get().at == START + STEP * 9


def test_many_dates_of_a_row_and_what_is_not_one() -> None:
    """C's way of the dates that have microseconds beside them, from documents of any kind."""
    names = [f"d{n}" for n in range(12)]
    at = datetime.datetime(2024, 1, 1)
    document: dict[str, Any] = {"__us": {name: n for n, name in enumerate(names)}, "_id": 1}
    document |= dict.fromkeys(names, at)
    odd = {"_id": 2, "d0": None, "d1": "text", "d2": at, "d3": {"$ref": "c", "$id": 1},
           "__us": {"d0": 5, "d1": 5, "d2": "5", "d3": 5, "d4": 5, "d5": 1000}}  # fmt: skip
    worse = {"_id": 3, "d2": at, "__us": {"$ref": "a", "$id": 2, "d2": 7}}
    with _core.Client("docstore://:memory:") as client:
        client.run("d", {"insert": "c", "documents": [document, odd, worse]})
        made = cells.columns(
            [(name,) for name in names],
            dict.fromkeys(range(12), cells.NAIVE),
            (cells.DATETIME, cells.TIME, cells.DATE),
            {n: ("__us", name) for n, name in enumerate(names)},
        )
        assert len(made) == 12
        with client.cursor("d", {"find": "c", "sort": {"_id": 1}}, plain_int=True) as cursor:
            rows = cursor.rows(made, 10)
    aware = at.replace(tzinfo=datetime.UTC)
    assert rows[0][:3] == (aware, datetime.time(0, 0, 0, 1), at.date())
    assert rows[0][3:] == tuple(at + STEP * n for n in range(3, 12))
    assert rows[1][:3] == (None, "text", at.date())
    assert rows[2] == (None, None, at.date(), *[None] * 9)
