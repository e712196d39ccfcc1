# SPDX-License-Identifier: Apache-2.0
"""A row that is inserted alone is one command, and what comes of it is what more commands make."""

import datetime
import random
from collections.abc import Iterator
from typing import Any

import pytest

import mongodb
from mongodb.backend import cursor as cursors
from mongodb.backend import dbapi
from mongodb.connection import get_connection_handle

TABLES = (
    'CREATE TABLE "author" ("id" integer auto PRIMARY KEY, "code" integer UNIQUE)',
    'CREATE TABLE "tag" ("name" text PRIMARY KEY)',
    'CREATE TABLE "book" ("id" integer auto PRIMARY KEY, "title" text UNIQUE, "author_id" integer '
    'REFERENCES "author" ("id"), "tag_id" text REFERENCES "tag" ("name"), "after_id" integer '
    'REFERENCES "book" ("id"))',
    'CREATE TABLE "note" ("id" integer auto PRIMARY KEY, "code" integer REFERENCES "author" '
    '("code"), "data" json, "state" integer DEFAULT 7)',
    'CREATE TABLE "moment" ("id" integer auto PRIMARY KEY, "at" datetime(6), "t" time(6))',
)


@pytest.fixture
def connections() -> Iterator[list[dbapi.Connection]]:
    for name in ("once", "plain"):
        mongodb.connect("rows", host="docstore://:memory:", alias=name)
    made = [dbapi.connect(get_connection_handle(name)) for name in ("once", "plain")]
    for connection in made:
        for sql in TABLES:
            connection.cursor().execute(sql)
    yield made
    for name in ("once", "plain"):
        mongodb.disconnect(name)


def sent_by(connection: dbapi.Connection, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    sent: list[str] = []
    send = connection._send
    monkeypatch.setattr(
        connection,
        "_send",
        lambda command, *more: (sent.append(next(iter(command))), send(command, *more))[1],
    )
    monkeypatch.setattr(
        connection, "documents", lambda command: pytest.fail(f"{command} was sent too")
    )
    monkeypatch.setattr(connection, "begin", lambda: pytest.fail("a transaction was begun"))
    return sent


def test_a_row_with_keys_is_one_command(
    connections: list[dbapi.Connection], monkeypatch: pytest.MonkeyPatch
) -> None:
    cursor = connections[0].cursor()
    cursor.execute("INSERT INTO author (code) VALUES (1)")
    insert = 'INSERT INTO "book" ("author_id", "title") VALUES (%s, %s) RETURNING "book"."id"'
    for title in range(4):  # so many until numbers are kept
        cursor.execute(insert, [1, str(title)])
    sent = sent_by(connections[0], monkeypatch)
    assert cursor.execute(insert, [1, "one"]).fetchall() == [(5,)]
    assert sent == ["insert"]


def statement(chance: random.Random) -> tuple[str, list[Any]]:
    def some(*values: Any) -> Any:
        return chance.choice(values)

    moment = datetime.datetime(2024, 1, 1, 5, 6, 7, chance.choice([0, 5000, 5123, 999999]))
    key, title, code = chance.randrange(1, 9), some("a", "b", "c", None), chance.randrange(5)
    return some(
        ('INSERT INTO "author" ("code") VALUES (%s) RETURNING "author"."id"', [code]),
        ('INSERT INTO "author" ("id", "code") VALUES (%s, %s)', [key, None]),
        ('INSERT INTO "tag" ("name") VALUES (%s)', [title]),
        ('INSERT INTO "book" ("title", "author_id") VALUES (%s, %s) RETURNING "book"."id"',
         [title, some(None, key)]),
        ('INSERT INTO "book" ("author_id", "tag_id", "after_id") VALUES (%s, %s, %s)',
         [some(None, key), title, some(None, key)]),
        ('INSERT INTO "book" ("id", "after_id") VALUES (%s, %s)', [key, key]),
        ('INSERT INTO "book" ("author_id") VALUES (%s), (%s)', [key, None]),
        ('INSERT INTO "book" ("title") VALUES (%s) ON CONFLICT DO NOTHING', [title]),
        ('INSERT INTO "note" ("code") VALUES (%s) RETURNING "note"."id", "note"."state"', [code]),
        ('INSERT INTO "note" ("data") VALUES (%s)', [some(None, {"a": 1})]),
        ('INSERT INTO "moment" ("at", "t") VALUES (%s, %s) RETURNING "moment"."id", "moment"."at"',
         [some(None, moment), some(None, moment.time())]),
        ('DELETE FROM "book" WHERE "id" > %s', [key]),
        ('DELETE FROM "author" WHERE "id" = %s', [key]),
        ('UPDATE "author" SET "code" = %s WHERE "id" = %s', [code, key]),
    )  # fmt: skip


def outcome(connection: dbapi.Connection, sql: str, params: list[Any]) -> Any:
    cursor = connection.cursor()
    try:
        cursor.execute(sql, params)
        return cursor.rowcount, cursor.fetchall()
    except dbapi.Error as error:
        connection.tables.recount()  # which numbers are left out is no matter
        return type(error), str(error)


def switch(connection: dbapi.Connection, autocommit: bool) -> Any:
    try:
        connection.set_autocommit(autocommit)
    except dbapi.IntegrityError as error:
        connection.set_autocommit(autocommit)  # it is rolled back
        return type(error)
    return None


@pytest.mark.parametrize("seed", range(8))
def test_one_command_does_what_more_of_them_do(
    connections: list[dbapi.Connection], seed: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    chance, at_once = random.Random(seed), cursors.Cursor._insert_at_once
    taken = 0

    def insert(self: Any, *more: Any) -> bool:
        nonlocal taken
        done = self.connection is connections[0] and at_once(self, *more)
        taken += done
        return done

    monkeypatch.setattr(cursors.Cursor, "_insert_at_once", insert)
    for at in range(200):
        if at % 20 == 0:
            ended = [switch(one, at % 60 != 40) for one in connections]
            assert ended[0] == ended[1]
        sql, params = statement(chance)
        first, second = (outcome(one, sql, list(params)) for one in connections)
        assert first == second, (sql, params)
    for table in ("author", "tag", "book", "note", "moment"):
        rows = [outcome(one, f'SELECT * FROM "{table}"', []) for one in connections]
        assert rows[0] == rows[1]
    assert taken > 1


def test_what_is_given_must_be_so() -> None:
    with mongodb._core.Client("docstore://:memory:") as client:
        client.run("d", {"insert": "a", "documents": [{"_id": 1}, {"_id": "x"}]})

        def insert(key: Any, **given: Any) -> int:
            command = {"insert": "b", "documents": [{"_id": key}], "given": given}
            reply = client.run("d", command, check=False)
            return int(reply.get("code", 0))

        assert insert(1, above=0) == 0
        assert insert(2, above=0) == 20
        assert insert(2, above=1.0, present=[{"coll": "a", "_id": 1.0}]) == 0
        assert insert("text", above=2) == 0 and insert(3, above=2) == 0
        assert insert(4, present=[{"coll": "a", "_id": 1}, {"coll": "a", "_id": 2}]) == 20
        assert insert(4, present=[{"coll": "none", "_id": 1}]) == 20
        assert insert(4, present=[{"coll": "a"}]) == 40414
        assert insert(4, below=9) == 40415
        assert insert(4, above="x") == 14
        assert client.run("d", {"count": "b"})["n"] == 4
