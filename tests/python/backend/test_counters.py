# SPDX-License-Identifier: Apache-2.0
"""Integer keys: taken some at a time by who inserts alone, greater than any in use always."""

import random
from collections.abc import Iterator
from typing import Any

import pytest

import mongodb
from mongodb.backend import dbapi
from mongodb.backend.tables import COUNTERS
from mongodb.connection import get_connection_handle


@pytest.fixture
def handle() -> Iterator[Any]:
    mongodb.connect("counters", host="docstore://:memory:", alias="counters")
    found = get_connection_handle("counters")
    cursor = dbapi.connect(found).cursor()
    cursor.execute('CREATE TABLE "t" ("id" integer auto PRIMARY KEY, "a" integer UNIQUE)')
    yield found
    mongodb.disconnect("counters")


def insert(connection: dbapi.Connection, key: int | None = None, a: Any = None) -> int:
    if key is not None:
        connection.cursor().execute("INSERT INTO t (id, a) VALUES (%s, %s)", [key, a])
        return key
    sql = 'INSERT INTO "t" ("a") VALUES (%s) RETURNING "t"."id"'
    return int(connection.cursor().execute(sql, [a]).fetchall()[0][0])


def test_who_inserts_alone_counts_without_gaps_and_asks_seldom(handle: Any) -> None:
    connection = dbapi.connect(handle)
    sent: list[str] = []
    run = connection.run
    connection.run = lambda command, **more: (
        sent.append(next(iter(command))),
        run(command, **more),
    )[1]  # type: ignore[method-assign]
    assert [insert(connection) for _ in range(100)] == list(range(1, 101))
    assert sent.count("insert") == 100
    assert sent.count("findAndModify") < 12


def test_two_connections_by_turns_leave_no_gaps_between_them(handle: Any) -> None:
    first, second = dbapi.connect(handle), dbapi.connect(handle)
    keys = [insert(one) for _ in range(20) for one in (first, second)]
    assert keys == list(range(1, 41))


def test_a_key_of_ones_own_is_counted_from(handle: Any) -> None:
    connection, other = dbapi.connect(handle), dbapi.connect(handle)
    assert [insert(connection) for _ in range(5)] == [1, 2, 3, 4, 5]
    insert(connection, 6)
    assert insert(connection) > 6
    insert(other, 500)
    assert insert(connection) == 501


def test_counters_that_are_deleted_start_again(handle: Any) -> None:
    connection = dbapi.connect(handle)
    for _ in range(5):
        insert(connection)
    connection.cursor().execute("DELETE FROM t")
    connection.cursor().execute(f"DELETE FROM \"{COUNTERS}\" WHERE _id = 't'")
    assert insert(connection) == 1


def test_a_refused_row_takes_no_key_twice(handle: Any) -> None:
    connection = dbapi.connect(handle)
    for at in range(6):
        insert(connection, a=at)
    with pytest.raises(dbapi.IntegrityError):
        insert(connection, a=3)
    assert insert(connection, a=9) > 6


@pytest.mark.parametrize("seed", range(10))
def test_no_key_is_given_twice_whatever_is_done_between(handle: Any, seed: int) -> None:
    chance = random.Random(seed)
    connections = [dbapi.connect(handle) for _ in range(2)]
    given: set[int] = set()
    for _ in range(150):
        connection = chance.choice(connections)
        what = chance.random()
        if what < 0.6:
            made = [insert(connection)]
        elif what < 0.7:
            made = []
            connection.cursor().execute("DELETE FROM t WHERE id > %s", [chance.randrange(200)])
        else:
            connection.set_autocommit(False)
            made = [insert(connection) for _ in range(chance.randrange(1, 4))]
            if chance.random() < 0.5:
                connection.rollback()
                made = []
            connection.set_autocommit(True)
        assert not given.intersection(made)
        given.update(made)


@pytest.mark.parametrize("seed", range(10))
def test_keys_of_ones_own_and_counted_ones_do_not_meet(handle: Any, seed: int) -> None:
    chance = random.Random(seed)
    connections = [dbapi.connect(handle) for _ in range(2)]
    greatest = 0
    for _ in range(100):
        connection = chance.choice(connections)
        if chance.random() < 0.2:
            greatest = insert(connection, greatest + chance.randrange(1, 40))
            continue
        key = insert(connection)
        assert key > greatest
        greatest = key


@pytest.mark.parametrize(
    ("sql", "alone"),
    [
        ('INSERT INTO "t" ("a") VALUES (7)', True),
        ('UPDATE "t" SET "a" = 8 WHERE "id" = 1', True),
        ('UPDATE "child" SET "b" = 1 WHERE "id" = 1', True),
        ('DELETE FROM "child" WHERE "id" = 1', True),
        ('INSERT INTO "child" ("t_id") VALUES (1)', False),
        ('UPDATE "child" SET "t_id" = 1 WHERE "id" = 1', False),
        ('DELETE FROM "t" WHERE "id" = 99', False),
    ],
)
def test_a_transaction_is_begun_only_where_a_foreign_key_may_break(
    handle: Any, sql: str, alone: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    connection = dbapi.connect(handle)
    cursor = connection.cursor()
    cursor.execute('CREATE TABLE "child" ("id" integer auto PRIMARY KEY, "b" integer, "t_id" '
                   'integer REFERENCES "t" ("id"))')  # fmt: skip
    cursor.execute("INSERT INTO t (id, a) VALUES (1, 1)")
    cursor.execute("INSERT INTO child (id, t_id) VALUES (1, 1)")
    begun: list[int] = []
    begin = connection.begin
    monkeypatch.setattr(connection, "begin", lambda: (begun.append(1), begin())[1])
    cursor.execute(sql)
    assert (not begun) is alone
    with pytest.raises(dbapi.IntegrityError):
        cursor.execute("INSERT INTO child (t_id) VALUES (99)")
    cursor.execute("INSERT INTO child (t_id) VALUES (1)")
    for breaks in ("UPDATE child SET t_id = 99 WHERE t_id = 1", "DELETE FROM t WHERE id = 1"):
        with pytest.raises(dbapi.IntegrityError):
            cursor.execute(breaks)
