# SPDX-License-Identifier: Apache-2.0
"""Unique constraints that are deferred: equal rows within a transaction, none after it."""

import datetime
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from django.db import IntegrityError, connection, models, transaction
from django.db.models import Deferrable, F, UniqueConstraint

import mongodb
from mongodb.backend import dbapi
from mongodb.connection import get_connection_handle

TABLE = (
    'CREATE TABLE "place" ("id" integer auto PRIMARY KEY, "a" integer, "b" text, "at" datetime(6), '
    'CONSTRAINT "late" UNIQUE ("a", "b") DEFERRABLE INITIALLY DEFERRED, '
    'CONSTRAINT "late_at" UNIQUE ("at") DEFERRABLE INITIALLY DEFERRED)'
)


@pytest.fixture
def store() -> Iterator[dbapi.Connection]:
    mongodb.connect("late", host="docstore://:memory:", alias="late")
    made = dbapi.connect(get_connection_handle("late"))
    made.cursor().execute(TABLE)
    yield made
    made.rollback()
    made.run({"dropDatabase": 1})
    mongodb.disconnect("late")


def rows(store: dbapi.Connection) -> list[Any]:
    return store.cursor().execute('SELECT "a", "b" FROM "place" ORDER BY "id"').fetchall()


def test_statements_alone_are_checked_at_once(store: dbapi.Connection) -> None:
    run = store.cursor().execute
    run('INSERT INTO "place" ("a", "b") VALUES (1, %s)', ["x"])
    for sql in ('INSERT INTO "place" ("a", "b") VALUES (1, %s)',
                'INSERT INTO "place" ("a", "b") VALUES (2, %s), (2, %s)'):  # fmt: skip
        with pytest.raises(dbapi.IntegrityError, match="late: more than one row of place has a = "):
            run(sql, ["x"] * sql.count("%s"))
    run('INSERT INTO "place" ("a", "b") VALUES (3, %s)', ["x"])
    for sql in ('UPDATE "place" SET "a" = 1 WHERE "a" = 3', 'UPDATE "place" SET "a" = 7',
                'UPDATE "place" SET "a" = "a" * 0'):  # fmt: skip
        with pytest.raises(dbapi.IntegrityError):
            run(sql)
    assert rows(store) == [(1, "x"), (3, "x")]
    run('UPDATE "place" SET "a" = 4 - "a"')  # they change places
    assert rows(store) == [(3, "x"), (1, "x")]


def test_rows_with_null_equal_none(store: dbapi.Connection) -> None:
    for _ in range(2):
        store.cursor().execute('INSERT INTO "place" ("a", "b") VALUES (1, NULL), (NULL, NULL)')
    store.cursor().execute('UPDATE "place" SET "b" = NULL')
    assert len(rows(store)) == 4


def test_a_transaction_is_checked_at_its_end(store: dbapi.Connection) -> None:
    run = store.cursor().execute
    run('INSERT INTO "place" ("a", "b") VALUES (1, %s), (2, %s)', ["x", "x"])
    store.set_autocommit(False)
    run('UPDATE "place" SET "a" = 2 WHERE "id" = 1')
    run('INSERT INTO "place" ("a", "b") VALUES (2, %s)', ["x"])
    run('UPDATE "place" SET "a" = "id" + 4')
    store.commit()
    assert rows(store) == [(5, "x"), (6, "x"), (7, "x")]
    run('INSERT INTO "place" ("a", "b") VALUES (5, %s)', ["x"])
    with pytest.raises(dbapi.IntegrityError):
        run("SET CONSTRAINTS ALL IMMEDIATE")
    run('INSERT INTO "place" ("a", "b") VALUES (6, %s)', ["x"])
    with pytest.raises(dbapi.IntegrityError, match="late: more than one row"):
        store.commit()
    assert len(rows(store)) == 3
    many = ", ".join(["(9, %s)"] * 1500)  # more than are looked at one by one
    run(f'INSERT INTO "place" ("a", "b") VALUES {many}', [str(i) for i in range(1499)] + ["7"])
    with pytest.raises(dbapi.IntegrityError, match="a = 9, b = '7'"):
        store.commit()


def test_set_constraints(store: dbapi.Connection) -> None:
    run = store.cursor().execute
    run('ALTER TABLE "place" ADD CONSTRAINT "soon" UNIQUE ("b") DEFERRABLE INITIALLY IMMEDIATE')
    run('INSERT INTO "place" ("a", "b") VALUES (1, %s), (2, %s)', ["x", "y"])
    store.set_autocommit(False)
    insert = 'INSERT INTO "place" ("a", "b") VALUES (%s, %s)'
    with pytest.raises(dbapi.IntegrityError, match="soon"):
        run(insert, [3, "x"])
    assert len(rows(store)) == 2  # the statement is undone, what came before stands
    run('SET CONSTRAINTS "soon" DEFERRED')
    run(insert, [3, "x"])
    with pytest.raises(dbapi.IntegrityError, match="soon"):
        run("SET CONSTRAINTS ALL IMMEDIATE")
    run('DELETE FROM "place" WHERE "a" = 3')
    run("SET CONSTRAINTS ALL IMMEDIATE")
    with pytest.raises(dbapi.IntegrityError, match="late"):
        run(insert, [1, "x"])
    with pytest.raises(dbapi.IntegrityError, match="late|soon"):
        run('UPDATE "place" SET "a" = 1, "b" = %s', ["z"])
    store.commit()
    with pytest.raises(dbapi.IntegrityError, match="soon"):  # as at first
        run(insert, [3, "x"])
    assert rows(store) == [(1, "x"), (2, "y")]


def test_set_constraints_of_a_name_that_is_none(store: dbapi.Connection) -> None:
    run = store.cursor().execute
    run('ALTER TABLE "place" ADD CONSTRAINT "never" UNIQUE ("b")')
    run('CREATE TABLE "of" ("id" integer PRIMARY KEY, "place_id" integer CONSTRAINT "fk" '
        'REFERENCES "place" ("id") DEFERRABLE INITIALLY DEFERRED)')  # fmt: skip
    for autocommit in (True, False):
        store.set_autocommit(autocommit)
        for names, missing in (("nope", "nope"), ('"late", "nope", other', "nope, other"),
                               ("never", "never")):  # fmt: skip
            with pytest.raises(dbapi.ProgrammingError, match=f"no deferrable constraint {missing}"):
                run(f"SET CONSTRAINTS {names} DEFERRED")
        run('SET CONSTRAINTS "late", "late_at", "fk" IMMEDIATE')
        run("SET CONSTRAINTS ALL IMMEDIATE")


def test_moments_differ_by_microseconds(store: dbapi.Connection) -> None:
    moment = datetime.datetime(2024, 5, 1, 12, 0, 0, 1)
    run = store.cursor().execute
    insert = 'INSERT INTO "place" ("at") VALUES (%s)'
    run(insert, [moment])
    run(insert, [moment + datetime.timedelta(microseconds=1)])
    with pytest.raises(dbapi.IntegrityError, match="late_at"):
        run(insert, [moment])
    assert len(rows(store)) == 2


def test_definitions(store: dbapi.Connection) -> None:
    run = store.cursor().execute
    alter = 'ALTER TABLE "place" '
    add = alter + 'ADD CONSTRAINT "late" UNIQUE ("a") DEFERRABLE INITIALLY DEFERRED'
    run(alter + 'DROP CONSTRAINT "late"')
    run('INSERT INTO "place" ("a", "b") VALUES (1, %s), (1, %s)', ["x", "x"])
    with pytest.raises(dbapi.IntegrityError):
        run(add)
    run('DELETE FROM "place" WHERE "id" = 2')
    run('CREATE INDEX "plain" ON "place" ("a")')
    run(add)
    run('DROP INDEX "plain" ON "place"')
    run(alter + 'RENAME COLUMN "a" TO "c"')
    with pytest.raises(dbapi.IntegrityError, match="c = 1"):
        run('INSERT INTO "place" ("c") VALUES (1)')
    indexes = {one["name"]: one for one in store.documents({"listIndexes": "place"})}
    assert "unique" not in indexes["late"]


def test_a_server_refuses_them(mongod: str) -> None:
    mongodb.connect("late", host=mongod, alias="late")
    try:
        made = dbapi.connect(get_connection_handle("late"))
        with pytest.raises(dbapi.NotSupportedError, match="late: a server cannot check"):
            made.cursor().execute(TABLE)
    finally:
        made.run({"dropDatabase": 1})
        mongodb.disconnect("late")


def test_models(orm: Callable[..., None]) -> None:
    class LatePlace(models.Model):
        order = models.IntegerField()

        class Meta:
            app_label = "mongodb"
            constraints = [
                UniqueConstraint(fields=["order"], name="late_o", deferrable=Deferrable.DEFERRED)
            ]

    embedded = connection.features.is_embedded
    warned = [one.id for one in LatePlace.check(databases=["default"])
              if one.id != "models.W042"]  # fmt: skip
    assert warned == ([] if embedded else ["models.W038"])
    if not embedded:
        return
    orm(LatePlace)
    LatePlace.objects.bulk_create(LatePlace(order=i) for i in range(3))
    LatePlace.objects.update(order=F("order") + 1)
    with transaction.atomic():
        LatePlace.objects.filter(order=1).update(order=2)
        LatePlace.objects.filter(order=2).order_by("id").update(order=F("id"))
    with pytest.raises(IntegrityError):
        LatePlace.objects.create(order=3)
    with connection.cursor() as cursor:
        told = connection.introspection.get_constraints(cursor, LatePlace._meta.db_table)
    assert told["late_o"]["unique"] and told["late_o"]["columns"] == ["order"]
