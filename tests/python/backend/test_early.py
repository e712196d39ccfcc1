# SPDX-License-Identifier: Apache-2.0
"""What is done sooner or by ranges gives the rows that the plain way gives: slices before joins,
days of moments as spans of time."""

import datetime
import random
import sys
from collections.abc import Iterator
from typing import Any

import pytest

import mongodb
from mongodb.backend import dbapi
from mongodb.backend.plan import days, select
from mongodb.connection import get_connection_handle

PREPARE = sys.modules["mongodb.backend.plan.prepare"]  # the package's `prepare` is the function
TABLES = (
    'CREATE TABLE "top" ("id" integer auto PRIMARY KEY, "n" integer)',
    'CREATE TABLE "mid" ("id" integer auto PRIMARY KEY, "n" integer, "top_id" integer NOT NULL '
    'REFERENCES "top" ("id"))',
    'CREATE TABLE "low" ("id" integer auto PRIMARY KEY, "n" integer, "at" datetime(6), "mid_id" '
    'integer NOT NULL REFERENCES "mid" ("id"), "loose_id" integer NOT NULL, "maybe_id" integer)',
)
ZONES = ["UTC", "Europe/Berlin", "America/Sao_Paulo", "Asia/Kolkata", "+05:30", "-0300"]


@pytest.fixture(params=["memory", "mongod"])
def connection(request: pytest.FixtureRequest) -> Iterator[dbapi.Connection]:
    memory = request.param == "memory"
    host = "docstore://:memory:" if memory else request.getfixturevalue("mongod")
    mongodb.connect("early", host=host, alias="early")
    made = dbapi.connect(get_connection_handle("early"))
    made.run({"dropDatabase": 1})
    chance = random.Random(5)
    for sql in TABLES:
        made.cursor().execute(sql)
    made.set_autocommit(False)
    run = made.cursor().execute
    for at in range(1, 9):
        run('INSERT INTO "top" ("id", "n") VALUES (%s, %s)', [at, chance.randrange(4)])
        run('INSERT INTO "mid" ("id", "n", "top_id") VALUES (%s, %s, %s)',
            [at, chance.randrange(4), chance.randrange(1, at + 1)])  # fmt: skip
    for at in range(1, 61):
        moment = datetime.datetime(2018, 11, 3) + datetime.timedelta(
            hours=chance.randrange(60), minutes=chance.choice([0, 0, 30]),
            microseconds=chance.choice([0, 0, 1, 999999]),
        )  # fmt: skip
        run(
            'INSERT INTO "low" ("id", "n", "at", "mid_id", "loose_id", "maybe_id") VALUES '
            "(%s, %s, %s, %s, %s, %s)",
            [at, at * 7 % 61, chance.choice([None, moment, moment]), chance.randrange(1, 9),
             chance.choice([1, 2, 3, 3, 4, 99]), chance.choice([None, 2, 77])],
        )  # fmt: skip
    made.set_autocommit(True)
    yield made
    made.run({"dropDatabase": 1})
    mongodb.disconnect("early")


def rows(connection: dbapi.Connection, sql: str, params: list[Any]) -> list[Any]:
    connection._plans.clear()
    return connection.cursor().execute(sql, params).fetchall()


JOINS = [
    ('INNER JOIN "mid" ON ("low"."mid_id" = "mid"."id")', "mid"),
    ('INNER JOIN "mid" ON ("low"."loose_id" = "mid"."id")', "mid"),
    ('LEFT OUTER JOIN "mid" ON ("low"."maybe_id" = "mid"."id")', "mid"),
    ('INNER JOIN "mid" ON ("low"."loose_id" = "mid"."id") INNER JOIN "top" ON '
     '("mid"."top_id" = "top"."id")', "top"),
    ('LEFT OUTER JOIN "mid" ON ("low"."maybe_id" = "mid"."id") LEFT OUTER JOIN "top" ON '
     '("mid"."top_id" = "top"."id")', "top"),
    ('INNER JOIN "mid" ON ("low"."maybe_id" = "mid"."id")', "mid"),
    ('INNER JOIN "mid" ON ("low"."n" = "mid"."n")', "mid"),
]  # fmt: skip


def test_slices_before_joins(connection: dbapi.Connection, monkeypatch: pytest.MonkeyPatch) -> None:
    chance = random.Random(7)
    for _ in range(80):
        join, last = chance.choice(JOINS)
        columns = ['"low"."id"', '"mid"."id"', f'"{last}"."n"']
        if last == "top":
            columns.append('"top"."id"')
        chance.shuffle(columns)
        where = chance.choice(["", ' WHERE "low"."n" > 20', f' WHERE "{last}"."n" = 2'])
        order = chance.choice(['"low"."n" DESC', '"low"."n"', '"mid"."n", "low"."n"'])
        sql = (f'SELECT {", ".join(columns)} FROM "low" {join}{where} ORDER BY {order} '
               f"LIMIT {chance.randrange(1, 12)}{chance.choice(['', ' OFFSET 3'])}")  # fmt: skip
        found = rows(connection, sql, [])
        with monkeypatch.context() as patch:
            patch.setattr(PREPARE, "_hopeful", lambda select, tables: None)
            patch.setattr(select._Query, "slice_early", lambda self: False)
            plain = rows(connection, sql, [])
        assert found == plain, sql


def test_slices_of_rows_that_name_nothing(
    connection: dbapi.Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A declared key that is NOT NULL leads nowhere after checks were off, or a raw delete."""
    run = connection.cursor().execute
    connection.run({"delete": "mid", "deletes": [{"q": {"_id": {"$in": [2, 5]}}, "limit": 0}]})
    connection.run({"delete": "top", "deletes": [{"q": {"_id": 1}, "limit": 0}]})
    mid = 'INNER JOIN "mid" ON ("low"."mid_id" = "mid"."id")'
    top = f'{mid} INNER JOIN "top" ON ("mid"."top_id" = "top"."id")'
    known = {
        join: [row[0] for row in run(f'SELECT "low"."id" FROM "low" {join}').fetchall()]
        for join in (mid, top)
    }
    assert 0 < len(known[top]) < len(known[mid]) < 60
    for join, name in ((mid, "mid"), (top, "top")):
        for start, many in ((0, 5), (3, 7), (40, 10), (0, 60), (59, 5)):
            sql = (f'SELECT "low"."id", "{name}"."n" FROM "low" {join} ORDER BY "low"."id" '
                   f"LIMIT {many} OFFSET {start}")  # fmt: skip
            found = run(sql).fetchall()
            assert [row[0] for row in found] == sorted(known[join])[start : start + many], sql
            assert all(len(row) == 2 for row in found)


def test_slices_before_joins_are_hoped_for(connection: dbapi.Connection) -> None:
    """Where all keys lead somewhere a slice looks up its own rows alone, the first ones too."""
    sql = ('SELECT "low"."id", "mid"."n" FROM "low" INNER JOIN "mid" ON '
           '("low"."mid_id" = "mid"."id") ORDER BY "low"."id" LIMIT 5 OFFSET 3')  # fmt: skip
    hopeful = connection.plan(sql, None).query.hopeful  # type: ignore[union-attr]
    assert hopeful is not None
    stages = [next(iter(one)) for one in hopeful.query.shape["pipeline"]]
    assert stages.index("$limit") < stages.index("$lookup")
    shown = connection.cursor().execute(sql).fetchall()
    assert [row[0] for row in shown] == [4, 5, 6, 7, 8]


def test_days_of_moments(connection: dbapi.Connection, monkeypatch: pytest.MonkeyPatch) -> None:
    chance = random.Random(9)
    for _ in range(80):
        zone = chance.choice([None, *ZONES])
        day = 'CAST_DATE("low"."at"' + (")" if zone is None else ", %s)")
        dates = [datetime.date(2018, 11, chance.randrange(3, 7)) for _ in range(2)]
        of_zone = [] if zone is None else [zone]
        if chance.random() < 0.2:
            test, params = f"{day} BETWEEN %s AND %s", [*of_zone, *sorted(dates)]
        else:
            op = chance.choice(["=", "<>", "<", "<=", ">", ">="])
            test, params = f"{day} {op} %s", [*of_zone, dates[0]]
        if chance.random() < 0.3:
            test = f"NOT ({test})"
        sql = f'SELECT "low"."id" FROM "low" WHERE {test} ORDER BY "low"."id"'
        found = rows(connection, sql, params)
        with monkeypatch.context() as patch:
            patch.setattr(days, "is_day", lambda scope, node: False)
            plain = rows(connection, sql, params)
        assert found == plain, (sql, params)
