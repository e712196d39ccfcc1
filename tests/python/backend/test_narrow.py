# SPDX-License-Identifier: Apache-2.0
"""Joins begun at the selective side give the rows that joins as they come give."""

import random
from collections.abc import Iterator
from typing import Any

import pytest

import mongodb
from mongodb.backend import cursor as cursors
from mongodb.backend import dbapi
from mongodb.backend.plan import prepare
from mongodb.backend.plan.scope import TableInfo
from mongodb.backend.sql import parse
from mongodb.connection import get_connection_handle

TABLES = {
    "book": TableInfo("book", "id", {"id": "integer auto", "title": "text", "pages": "integer",
                                     "author_id": "integer", "editor_id": "integer"}, True),
    "author": TableInfo("author", "id", {"id": "integer auto", "name": "text", "age": "integer"},
                        True),
}  # fmt: skip
JOIN = 'INNER JOIN author ON ("book"."author_id" = "author"."id")'


def by_keys(sql: str) -> Any:
    query = prepare(parse(sql), TABLES.__getitem__).query
    assert query is not None
    return query.by_keys


def test_a_table_that_only_conditions_name_is_not_joined() -> None:
    query = by_keys(f"SELECT book.title FROM book {JOIN} WHERE author.name = %s")
    pipeline = query.before[0].command(["x"], [])["pipeline"]
    assert pipeline[0] == {"$match": {"name": {"$eq": "x"}}}
    assert {"$limit": 1001} in pipeline
    found = query.command(["x"], [[1, 2]])
    assert (found["find"], found["filter"]) == ("book", {"author_id": {"$in": [1, 2]}})


def test_a_count_by_a_foreign_keys_column_is_a_count() -> None:
    query = by_keys(f"SELECT COUNT(*) FROM book {JOIN} WHERE author.name = 'x' AND book.pages > 3")
    assert query.count and query.command([], [[7]])["count"] == "book"


def test_a_table_whose_columns_are_asked_for_is_joined_after_the_keys() -> None:
    query = by_keys(f"SELECT book.title, author.name FROM book {JOIN} WHERE author.name = 'x'")
    stages = [next(iter(one)) for one in query.command([], [[7]])["pipeline"]]
    assert stages[0] == "$match" and "$lookup" in stages


@pytest.mark.parametrize(
    "sql",
    [
        f"SELECT book.title FROM book {JOIN} WHERE book.pages = 1",
        "SELECT book.title FROM book LEFT OUTER JOIN author ON (book.author_id = author.id) "
        "WHERE author.name = 'x'",
        "SELECT book.title FROM book INNER JOIN author ON (book.pages = author.age) "
        "WHERE author.name = 'x'",
        f"SELECT book.title FROM book {JOIN} WHERE author.age = book.pages",
        f"SELECT book.title FROM book {JOIN} WHERE (author.name = 'x' OR book.pages = 1)",
    ],
)
def test_other_joins_stay_as_they_are(sql: str) -> None:
    assert by_keys(sql) is None


@pytest.fixture(scope="module")
def connection() -> Iterator[dbapi.Connection]:
    mongodb.connect("narrow", host="docstore://:memory:", alias="narrow")
    made = dbapi.connect(get_connection_handle("narrow"))
    run = made.cursor().execute
    run('CREATE TABLE "author" ("id" integer auto PRIMARY KEY, "name" text, "age" integer)')
    run('CREATE TABLE "book" ("id" integer auto PRIMARY KEY, "title" text, "pages" integer, '
        '"author_id" integer, "editor_id" integer)')  # fmt: skip
    chance = random.Random(8)
    for at in range(30):
        age = chance.choice([None, *range(4)])
        run("INSERT INTO author (id, name, age) VALUES (%s, %s, %s)", [at, f"n{at % 7}", age])
    for at in range(120):
        keys = [chance.choice([None, *range(30)]) for _ in range(2)]
        row = [at, f"t{at % 9}", chance.choice([None, *range(6)]), *keys]
        run("INSERT INTO book (id, title, pages, author_id, editor_id) VALUES (%s, %s, %s, %s, %s)",
            row)  # fmt: skip
    yield made
    made.close()
    mongodb.disconnect("narrow")


@pytest.mark.parametrize("seed", range(60))
def test_rows_are_those_of_joins_as_they_come(
    connection: dbapi.Connection, seed: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    chance = random.Random(seed)
    author = ["author.name = 'n3'", "author.age > 1", "author.age IS NULL", "NOT (author.age = 2)",
              "author.name IN ('n1', 'n2')", "author.name LIKE 'n%%'", "author.id < 9"]  # fmt: skip
    other = ["book.pages > 2", "book.pages IS NULL", "NOT (book.title = 't1')", "e.age > 0",
             "e.name = 'n5'", "author.age = book.pages", "(author.age = 1 OR book.pages = 2)",
             "book.id IN (SELECT b.id FROM book b WHERE b.author_id = author.id)"]  # fmt: skip
    tests = chance.sample(author, chance.randrange(1, 3)) + chance.sample(
        other, chance.randrange(3)
    )
    chance.shuffle(tests)
    kind = chance.choice(["INNER JOIN", "LEFT OUTER JOIN"])
    columns = chance.choice(["book.id", "book.id, author.name", "book.id, e.name", "COUNT(*)",
                             "DISTINCT author.age", "book.title, e.id, author.id"])  # fmt: skip
    sql = (
        f"SELECT {columns} FROM book {JOIN} {kind} author e ON (book.editor_id = e.id) "
        f"WHERE {' AND '.join(tests)}"
    )
    found = connection.cursor().execute(sql, []).fetchall()
    for few in (-1, 5):
        monkeypatch.setattr(cursors, "FEW", few)
        assert sorted(map(repr, connection.cursor().execute(sql, []).fetchall())) == sorted(
            map(repr, found)
        )
