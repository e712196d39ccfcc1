# SPDX-License-Identifier: Apache-2.0
"""Statements to commands, without a store."""

from typing import Any

import pytest

from mongodb.backend.plan import prepare
from mongodb.backend.plan.scope import PlanError, TableInfo
from mongodb.backend.sql import SQLSyntaxError, parse

TABLES = {
    "book": TableInfo("book", "id", {"id": "integer auto", "title": "text", "pages": "integer",
                                     "author_id": "integer"}, True),
    "author": TableInfo("author", "id", {"id": "integer auto", "name": "text"}, True),
}  # fmt: skip


def command(sql: str, *params: Any) -> Any:
    nulls = frozenset(i for i, p in enumerate(params) if p is None)
    query = prepare(parse(sql), TABLES.__getitem__, nulls).query
    assert query is not None
    return query.command(params, [])


def test_filter_sort_and_slice_are_a_find() -> None:
    sql = 'SELECT "book"."title" FROM "book" WHERE "book"."pages" > %s ORDER BY pages DESC LIMIT 20'
    assert command(sql, 5) == {
        "find": "book", "filter": {"pages": {"$gt": 5}}, "sort": {"pages": -1}, "limit": 20,
        "projection": {"title": 1, "_id": 0},
    }  # fmt: skip


def test_the_primary_key_is_the_id() -> None:
    assert command('SELECT "book"."id" FROM "book" WHERE "book"."id" = %s', 1) == {
        "find": "book", "filter": {"_id": {"$eq": 1}}, "projection": {"_id": 1},
    }  # fmt: skip


def test_count_of_a_collection_is_the_command_count() -> None:
    assert command("SELECT COUNT(*) FROM book WHERE pages IS NULL") == {
        "count": "book", "query": {"pages": None},
    }  # fmt: skip


@pytest.mark.parametrize(
    ("condition", "expected"),
    [
        ("pages = 1", {"pages": {"$eq": 1}}),
        ("NOT (pages = 1)", {"pages": {"$nin": [1, None]}}),
        ("NOT (pages < 1)", {"pages": {"$gte": 1}}),
        ("NOT (pages IN (1, 2))", {"pages": {"$nin": [1, 2, None]}}),
        ("NOT (pages = 1 AND title = 'x')",
         {"$or": [{"pages": {"$nin": [1, None]}}, {"title": {"$nin": ["x", None]}}]}),
        ("NOT (pages IS NULL)", {"pages": {"$ne": None}}),
        ("pages = NULL", {"$expr": False}),
        ("pages BETWEEN 1 AND 2", {"pages": {"$gte": 1, "$lte": 2}}),
        ("title LIKE 'a.b%%'", {"title": {"$regex": r"^a\.b", "$options": "s"}}),
    ],
)  # fmt: skip
def test_conditions_keep_sqls_three_values(condition: str, expected: Any) -> None:
    assert command(f"SELECT COUNT(*) FROM book WHERE {condition}")["query"] == expected


def test_a_parameter_that_is_null_makes_a_comparison_unknown() -> None:
    sql = "SELECT COUNT(*) FROM book WHERE pages = %s"
    assert command(sql, None)["query"] == {"$expr": False}


def test_order_by_a_column_of_the_first_table_comes_before_the_joins() -> None:
    sql = (
        "SELECT book.title, author.name FROM book "
        "INNER JOIN author ON (book.author_id = author.id)"
           " WHERE book.pages > 3 ORDER BY book.pages LIMIT 2")  # fmt: skip
    stages = [next(iter(stage)) for stage in command(sql)["pipeline"]]
    assert stages == ["$match", "$sort", "$lookup", "$unwind", "$limit", "$project"]


def test_a_query_that_names_nothing_outside_runs_first() -> None:
    sql = "SELECT name FROM author WHERE id IN (SELECT author_id FROM book WHERE pages > 5)"
    query = prepare(parse(sql), TABLES.__getitem__).query
    assert query is not None
    assert query.before[0].command((), []) == {
        "find": "book", "filter": {"pages": {"$gt": 5}}, "projection": {"author_id": 1, "_id": 0},
    } or query.before[0].command((), [])["aggregate"] == "book"  # fmt: skip
    assert query.command((), [[3, None, 4]])["filter"] == {"_id": {"$in": [3, 4]}}


@pytest.mark.parametrize(
    ("sql", "error"),
    [
        ("SELECT nope FROM book", "no such column: nope"),
        ("SELECT b.x FROM book", "no such column: b.x"),
        ("SELECT FROBNICATE(pages) FROM book", "no such function: FROBNICATE"),
        ("SELECT title FROM book WHERE SUM(pages) > 1", "misuse of aggregate: SUM"),
    ],
)
def test_what_cannot_be_planned_is_named(sql: str, error: str) -> None:
    with pytest.raises(PlanError, match=error.replace("(", r"\(")):
        prepare(parse(sql), TABLES.__getitem__)


@pytest.mark.parametrize("sql", ["", "CREATE DATABASE x", "SELECT", "SELECT (1", "SELECT 1 1"])
def test_text_that_is_no_statement_is_refused(sql: str) -> None:
    with pytest.raises(SQLSyntaxError):
        parse(sql)
