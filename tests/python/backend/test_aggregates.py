# SPDX-License-Identifier: Apache-2.0
"""Aggregates of columns that may be NULL and of those that may not, against sums done by hand."""

import random
import sys
from collections.abc import Iterator
from typing import Any

import pytest

import mongodb
from mongodb.backend import dbapi, grouped
from mongodb.connection import get_connection_handle


@pytest.fixture(params=["memory", "mongod"])
def connection(request: pytest.FixtureRequest) -> Iterator[dbapi.Connection]:
    memory = request.param == "memory"
    host = "docstore://:memory:" if memory else request.getfixturevalue("mongod")
    mongodb.connect("aggregates", host=host, alias="aggregates")
    made = dbapi.connect(get_connection_handle("aggregates"))
    run = made.cursor().execute
    run('CREATE TABLE "up" ("id" integer auto PRIMARY KEY, "name" text NOT NULL, "rank" integer)')
    run('CREATE TABLE "down" ("id" integer auto PRIMARY KEY, "a" integer NOT NULL, "b" integer, '
        '"up_id" integer REFERENCES "up" ("id"))')  # fmt: skip
    run('CREATE INDEX "down_up" ON "down" ("up_id")')
    yield made
    made.run({"dropDatabase": 1})
    mongodb.disconnect("aggregates")


def fill(connection: dbapi.Connection, seed: int) -> tuple[list[Any], list[Any]]:
    chance = random.Random(seed)
    up = [(i, f"n{i % 3}", chance.choice([None, 1, 2])) for i in range(1, 9)]
    down = [(i, chance.randrange(5), chance.choice([None, 1, 2, 3]),
             chance.choice([None, *range(1, 6)])) for i in range(1, 41)]  # fmt: skip
    connection.cursor().executemany("INSERT INTO up (id, name, rank) VALUES (%s, %s, %s)", up)
    connection.cursor().executemany(
        "INSERT INTO down (id, a, b, up_id) VALUES (%s, %s, %s, %s)", down
    )
    return up, down


def aggregates(values: list[Any]) -> tuple[Any, ...]:
    known = [one for one in values if one is not None]
    mean = sum(known) / len(known) if known else None
    return (
        len(known), sum(known) if known else None, min(known, default=None),
        max(known, default=None), mean,
    )  # fmt: skip


def asked(column: str) -> str:
    return ", ".join(f'{name}("down"."{column}")' for name in ("COUNT", "SUM", "MIN", "MAX", "AVG"))


def test_of_a_table(connection: dbapi.Connection) -> None:
    _, down = fill(connection, 1)
    run = connection.cursor().execute
    for column, at in (("id", 0), ("a", 1), ("b", 2)):
        for test in ("1 = 1", '"down"."a" > 2', '"down"."id" > 1000', '"down"."b" IS NULL'):
            rows = [one for one in down if test == "1 = 1" or (one[1] > 2 and "a" in test[:11])
                    or (one[2] is None and "NULL" in test)]  # fmt: skip
            found = run(f"SELECT {asked(column)} FROM down WHERE {test}").fetchall()
            assert found == [aggregates([one[at] for one in rows])], (column, test)


def test_of_groups(connection: dbapi.Connection) -> None:
    _, down = fill(connection, 2)
    for column, at in (("a", 1), ("b", 2)):
        sql = f'SELECT "down"."up_id", {asked(column)} FROM down GROUP BY "down"."up_id"'
        found = {row[0]: row[1:] for row in connection.cursor().execute(sql).fetchall()}
        groups = {one[3] for one in down}
        assert found == {g: aggregates([one[at] for one in down if one[3] == g]) for g in groups}


def test_of_rows_that_a_left_join_does_not_find(connection: dbapi.Connection) -> None:
    up, down = fill(connection, 3)
    for column, at in (("id", 0), ("a", 1), ("b", 2)):
        sql = (f'SELECT "up"."id", {asked(column)} FROM "up" LEFT OUTER JOIN "down" ON '
               '("up"."id" = "down"."up_id") GROUP BY "up"."id", "up"."name"')  # fmt: skip
        found = {row[0]: row[1:] for row in connection.cursor().execute(sql).fetchall()}
        assert found == {
            key: aggregates([one[at] for one in down if one[3] == key]) for key, *_ in up
        }


PREPARE = sys.modules["mongodb.backend.plan.prepare"]  # the package's `prepare` is the function
OUTPUTS = ['COUNT("down"."id")', 'COUNT("down"."b")', 'SUM("down"."b")', 'AVG("down"."a")',
           'MAX("down"."b")', 'MIN("down"."a")', 'COUNT(DISTINCT "down"."b")',
           'SUM(DISTINCT "down"."a")', 'COUNT("down"."id") FILTER (WHERE "down"."a" > %s)',
           'COUNT("down"."id") FILTER (WHERE "down"."b" IS NULL)',
           'SUM("down"."a") FILTER (WHERE "down"."b" = %s)']  # fmt: skip
OTHERS = ["COUNT(*)", 'SUM(COALESCE("down"."b", 5))', 'COUNT("up"."id")', 'MAX("up"."rank")',
          'SUM("down"."a") + 1', 'COUNT("down"."id" + "up"."id")']  # fmt: skip
WHERE = ["", ' WHERE "up"."id" > 3', ' WHERE "up"."id" > 99', ' WHERE "up"."name" = \'n1\'',
         ' WHERE "up"."rank" IS NULL', ' WHERE "down"."a" > 1',
         ' WHERE "up"."id" IN (SELECT "up_id" FROM "down")']  # fmt: skip
ORDER = ["", ' ORDER BY "up"."name" DESC, "up"."id" LIMIT 3', ' ORDER BY "up"."id" OFFSET 2',
         " ORDER BY 1", ' ORDER BY COUNT("down"."id"), "up"."id"']  # fmt: skip
JOINS = ['"up"."id" = "down"."up_id"', '"down"."up_id" = "up"."id"', '"up"."id" = "down"."a"',
         '"up"."rank" = "down"."a"', '"up"."id" = "down"."up_id" AND "down"."a" > 1']  # fmt: skip


GROUP = ['"up"."id"', '"up"."id", "up"."name"', '"up"."name", "up"."id"', '"up"."name"']


def statement(chance: random.Random) -> tuple[str, list[Any]]:
    outputs = chance.sample(OUTPUTS, chance.randrange(1, 4))
    if chance.random() < 0.2:
        outputs.append(chance.choice(OTHERS))
    if chance.random() < 0.9:
        outputs[0:0] = chance.choice([['"up"."id"'], ['"up"."name"', '"up"."id"'], ['"up"."rank"']])
    group, join = chance.choice(GROUP), chance.choice(JOINS[:2] * 3 + JOINS)
    sql = (f'SELECT {", ".join(outputs)} FROM "up" LEFT OUTER JOIN "down" ON '
           f'({join}){chance.choice(WHERE)} GROUP BY {group}')  # fmt: skip
    sql += chance.choice(["", "", ' HAVING COUNT("down"."id") > 1']) + chance.choice(ORDER)
    return sql, [chance.randrange(4) for _ in range(sql.count("%s"))]


def rows(connection: dbapi.Connection, sql: str, params: list[Any]) -> Any:
    try:
        found = connection.cursor().execute(sql, params).fetchall()
        ordered = '"up"."id"' in sql.partition(" ORDER BY ")[2]
        return found if ordered else sorted(found, key=repr)
    except dbapi.Error as error:
        return type(error)


@pytest.mark.parametrize("seed", range(4))
def test_groups_made_apart_are_those_of_a_join(
    connection: dbapi.Connection, seed: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    fill(connection, seed)
    chance, taken = random.Random(seed), 0
    read = grouped.read

    def counted(*arguments: Any) -> Any:
        nonlocal taken
        taken += 1
        return read(*arguments)

    monkeypatch.setattr(grouped, "read", counted)
    for _ in range(50):
        sql, params = statement(chance)
        monkeypatch.setattr(grouped, "_FEW", chance.choice([2, 20]))
        apart = rows(connection, sql, params)
        with monkeypatch.context() as patch:
            patch.setattr(PREPARE, "apart", lambda select, tables: None)
            connection._plans.clear()
            joined = rows(connection, sql, params)
        connection._plans.clear()
        assert apart == joined, (sql, params)
    assert taken > 0


@pytest.mark.parametrize("few", [2, 20])
def test_rows_and_their_groups_are_of_one_moment(
    connection: dbapi.Connection, monkeypatch: pytest.MonkeyPatch, few: int
) -> None:
    """What others write between the two reads of one statement is in neither."""
    fill(connection, 5)
    other = dbapi.connect(connection.handle)
    sql = ('SELECT "up"."id", COUNT("down"."id") FROM "up" LEFT OUTER JOIN "down" ON '
           '("up"."id" = "down"."up_id") GROUP BY "up"."id" ORDER BY "up"."id"')  # fmt: skip
    run = connection.cursor().execute
    before = run(sql).fetchall()
    look = grouped._all_cost_less

    def meanwhile(*arguments: Any) -> bool:
        other.cursor().execute("INSERT INTO down (a, up_id) VALUES (1, 1)")
        return look(*arguments)

    with monkeypatch.context() as patch:
        patch.setattr(grouped, "_FEW", few)
        patch.setattr(grouped, "_all_cost_less", meanwhile)
        assert run(sql).fetchall() == before
    after = run(sql).fetchall()
    assert after == [(key, many + (key == 1)) for key, many in before]


def test_a_snapshot_ends_with_its_statement(
    connection: dbapi.Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    fill(connection, 6)
    sql = ('SELECT "up"."id", COUNT("down"."id") FROM "up" LEFT OUTER JOIN "down" ON '
           '("up"."id" = "down"."up_id") GROUP BY "up"."id"')  # fmt: skip
    run = connection.cursor().execute

    def broken(*_: Any) -> bool:
        raise dbapi.OperationalError("no")

    with monkeypatch.context() as patch:
        patch.setattr(grouped, "_all_cost_less", broken)
        with pytest.raises(dbapi.OperationalError):
            run(sql)
    run("UPDATE up SET name = 'later'")
    assert run("SELECT DISTINCT name FROM up").fetchall() == [("later",)]
    assert len(run(sql).fetchall()) == 8


def test_few_parents_of_many_rows_are_not_looked_up_one_by_one(
    connection: dbapi.Connection,
) -> None:
    """Which way costs less hangs on the rows that name the keys, not on how many keys there are."""
    run = connection.cursor().execute
    connection.cursor().executemany(
        "INSERT INTO up (id, name) VALUES (%s, 'x')", [(i,) for i in range(1, 301)]
    )
    connection.cursor().executemany(
        "INSERT INTO down (a, up_id) VALUES (1, %s)", [(i % 30 + 1,) for i in range(600)]
    )
    less = [grouped._all_cost_less(connection, "down", "up_id", list(range(*keys)))
            for keys in ((1, 31), (1, 11), (100, 131))]  # fmt: skip
    assert less == [True, False, False]
    sql = ('SELECT "up"."id", COUNT("down"."id") FROM "up" LEFT OUTER JOIN "down" ON '
           '("up"."id" = "down"."up_id") WHERE "up"."id" < 41 GROUP BY "up"."id"')  # fmt: skip
    assert sorted(run(sql).fetchall()) == [(i, 20 * (i <= 30)) for i in range(1, 41)]
