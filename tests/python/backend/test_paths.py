# SPDX-License-Identifier: Apache-2.0
"""Paths into documents and arrays: conditions to filters that an index can serve."""

from typing import Any

import pytest

from mongodb.backend.plan import prepare
from mongodb.backend.plan.scope import PlanError, TableInfo
from mongodb.backend.sql import parse

TABLES = {
    "post": TableInfo("post", "id", {"id": "integer auto", "tags": "array", "n": "integer",
                                     "author": "object", "parts": "array"}, True),
}  # fmt: skip
NAME = "PATH(PATH(author, 'address'), 'city')"
PART = "EACH(parts, 'name')"


def command(sql: str, *params: Any) -> Any:
    query = prepare(parse(sql), TABLES.__getitem__, frozenset()).query
    assert query is not None
    return query.command(params, [])


def where(condition: str, *params: Any) -> Any:
    return command(f"SELECT COUNT(*) FROM post WHERE {condition}", *params)["query"]


@pytest.mark.parametrize(
    ("condition", "param", "expected"),
    [
        (f"{NAME} = %s", "x", {"author.address.city": {"$eq": "x"}}),
        (f"NOT ({NAME} = %s)", "x", {"author.address.city": {"$ne": "x"}}),
        (f"NOT ({NAME} > %s)", 1, {"author.address.city": {"$not": {"$gt": 1}}}),
        (f"{NAME} IN (%s)", 1, {"author.address.city": {"$in": [1]}}),
        (f"NOT ({NAME} IN (%s))", 1, {"author.address.city": {"$nin": [1]}}),
        (f"{NAME} STARTING %s", "a.",
         {"author.address.city": {"$regex": r"^a\.", "$options": "s"}}),
        (f"{PART} = %s", "x", {"parts.name": {"$eq": "x"}}),
        (f"NOT ({PART} = %s)", "x", {"parts.name": {"$ne": "x"}}),
        ("PATH(tags, 0) = %s", "x", {"tags.0": {"$eq": "x"}}),
        ("EACH(parts, 'sizes', 1) < %s", 2, {"parts.sizes.1": {"$lt": 2}}),
        ("ARRAY_LEN(tags) = %s", 2, {"tags": {"$size": 2}}),
        ("ARRAY_LEN(tags) = %s", -2, {"tags": {"$in": []}}),
        ("NOT (ARRAY_LEN(tags) = %s)", 2, {"tags": {"$not": {"$size": 2}, "$ne": None}}),
        ("ARRAY_CONTAINS(tags, %s)", ["a", "b"], {"tags": {"$all": ["a", "b"]}}),
        ("ARRAY_CONTAINS(tags, %s)", [], {"tags": {"$type": "array"}}),
        ("NOT ARRAY_CONTAINS(tags, %s)", ["a"], {"tags": {"$not": {"$all": ["a"]}, "$ne": None}}),
        ("ARRAY_OVERLAPS(tags, %s)", ["a", "b"], {"tags": {"$in": ["a", "b"]}}),
        ("ARRAY_WITHIN(tags, %s)", ["a"],
         {"tags": {"$type": "array", "$not": {"$elemMatch": {"$nin": ["a"]}}}}),
    ],
)  # fmt: skip
def test_conditions_stay_in_the_match_language(condition: str, param: Any, expected: Any) -> None:
    assert where(condition, param) == expected


def test_what_is_not_there_is_null() -> None:
    assert where(f"{NAME} IS NULL") == {"author.address.city": None}
    assert where(f"{NAME} IS NOT NULL") == {"author.address.city": {"$ne": None}}


def test_order_and_columns_by_path_are_a_find() -> None:
    sql = f"SELECT {NAME} FROM post WHERE n > %s ORDER BY {NAME} DESC LIMIT 3"
    assert command(sql, 1) == {
        "find": "post", "filter": {"n": {"$gt": 1}}, "sort": {"author.address.city": -1},
        "limit": 3, "projection": {"author.address.city": 1, "_id": 0},
    }  # fmt: skip


def test_a_key_that_is_no_plain_name_is_read_by_an_expression() -> None:
    found = where("PATH(author, 'a.b') = %s", 1)["$expr"]
    assert "$getField" in repr(found)


def test_a_comparison_with_another_field_asks_each_element() -> None:
    found = where(f"{PART} = n")["$expr"]
    assert list(found) == ["$anyElementTrue"]
    assert list(where(f"NOT ({PART} = n)")["$expr"]) == ["$not"]


def test_keys_are_constants() -> None:
    with pytest.raises(PlanError, match="PATH takes a document and constant keys"):
        where("PATH(author, %s) = 1", "x")
