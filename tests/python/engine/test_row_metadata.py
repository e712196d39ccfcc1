# SPDX-License-Identifier: Apache-2.0
"""What travels beside a document: `$meta` in find's projections, `showRecordId`; as mongod."""

from collections.abc import Callable
from typing import Any

import pytest

Run = Callable[[str, dict[str, Any]], dict[str, Any]]
DB = "row_metadata"
RECORD_ID = {"m": {"$meta": "recordId"}}
SORT_KEY = {"_id": 1, "m": {"$meta": "sortKey"}}


@pytest.fixture(scope="module")
def filled(raw: Run) -> Run:
    raw(DB, {"dropDatabase": 1, "$db": DB})
    documents = [
        {"_id": 1, "a": 2, "b": [3, 1], "t": "x"},
        {"_id": 2, "a": 1, "b": [2], "t": "y"},
        {"_id": 3, "b": None},
        {"_id": 4, "b": [], "n": [{"k": 5}, {"k": 4}]},
    ]
    assert raw(DB, {"insert": "c", "documents": documents})["ok"] == 1
    keys = [{"key": {"a": 1}, "name": "a"}, {"key": {"b": -1}, "name": "b"}]
    assert raw(DB, {"createIndexes": "c", "indexes": keys})["ok"] == 1
    return raw


def batch(run: Run, **arguments: Any) -> list[dict[str, Any]]:
    reply = run(DB, {"find": "c", **arguments})
    assert reply["ok"] == 1, reply
    return list(reply["cursor"]["firstBatch"])


def refusal(run: Run, **command: Any) -> tuple[int, str]:
    reply = run(DB, command)
    assert reply["ok"] == 0, reply
    return reply["code"], reply["errmsg"]


@pytest.mark.parametrize(
    "arguments",
    [{}, {"sort": {"t": 1}}, {"sort": {"a": -1}}, {"sort": {"t": 1}, "skip": 1, "limit": 2}],
    ids=["scan", "sorted", "by-index", "part"],
)
def test_record_ids_come_through_every_plan(filled: Run, arguments: dict[str, Any]) -> None:
    for found in batch(filled, projection=RECORD_ID, **arguments):
        assert found["m"] == found["_id"]
    for found in batch(filled, showRecordId=True, **arguments):
        assert list(found)[-1] == "$recordId"
        assert found["$recordId"] == found["_id"]


def test_record_ids_in_projections_of_every_form(filled: Run) -> None:
    one = {"filter": {"_id": 1}}
    meta = {"$meta": "recordId"}
    assert batch(filled, projection={"t": 0, "b": 0, "m": meta}, **one) == [
        {"_id": 1, "a": 2, "m": 1}
    ]
    whole = {"_id": 1, "a": 2, "b": [3, 1], "t": "x"}
    assert batch(filled, projection={"m": meta}, **one) == [{**whole, "m": 1}]
    assert batch(filled, projection={"m": {"n": meta}}, **one) == [{**whole, "m": {"n": 1}}]
    assert batch(filled, projection={"t": 1, "m": meta}, **one) == [{"_id": 1, "t": "x", "m": 1}]
    assert batch(filled, projection={"t": 1, "m": {"n": meta}}, **one) == [
        {"_id": 1, "t": "x", "m": {"n": 1}}
    ]
    assert batch(filled, projection={"m": {"$add": [meta, 1]}}, **one) == [{"_id": 1, "m": 2}]


@pytest.mark.parametrize(
    ("sort", "keys"),
    [
        ({"t": 1}, {1: ["x"], 2: ["y"], 3: [None], 4: [None]}),
        ({"t": -1, "a": 1}, {1: ["x", 2], 2: ["y", 1], 3: [None, None], 4: [None, None]}),
        ({"a": 1, "_id": 1}, {1: [2, 1], 2: [1, 2], 3: [None, 3], 4: [None, 4]}),
        ({"n.k": 1}, {1: [None], 2: [None], 3: [None], 4: [4]}),
        ({"n.k": -1}, {1: [None], 2: [None], 3: [None], 4: [5]}),
        ({"$natural": 1}, {1: [], 2: [], 3: [], 4: []}),
    ],
)
def test_sort_keys_are_the_values_sorted_by(
    filled: Run, sort: dict[str, int], keys: dict[int, list[Any]]
) -> None:
    found = batch(filled, projection={"m": {"$meta": "sortKey"}}, sort=sort)
    assert {one["_id"]: one["m"] for one in found} == keys


def test_the_element_of_an_array_that_counts_is_the_key(filled: Run) -> None:
    for order, keys in ((1, {1: [1], 2: [2], 3: [None]}), (-1, {1: [3], 2: [2], 3: [None]})):
        found = batch(
            filled, projection=SORT_KEY, filter={"_id": {"$lt": 4}}, sort={"b": order, "t": 1}
        )
        assert {one["_id"]: one["m"][:1] for one in found} == keys


def test_a_sort_key_needs_a_sort(filled: Run) -> None:
    code, text = refusal(filled, find="c", projection=SORT_KEY)
    assert code == 2
    assert text.endswith("cannot use sortKey $meta projection without a sort")


def test_metadata_that_no_search_has_made_is_refused(filled: Run) -> None:
    for kind, name in (
        ("textScore", "text score"),
        ("geoNearDistance", "$geoNear distance"),
        ("geoNearPoint", "$geoNear point"),
    ):
        code, text = refusal(filled, find="c", projection={"m": {"$meta": kind}})
        assert code == 40218
        assert text.endswith(f"query requires {name} metadata, but it is not available")


def test_find_and_modify_has_no_sort_keys(filled: Run) -> None:
    code, text = refusal(
        filled,
        findAndModify="c",
        query={"_id": 99},
        update={"$set": {"q": 1}},
        sort={"t": 1},
        fields=SORT_KEY,
    )
    assert code == 2
    assert text.endswith("Cannot use a $meta sortKey projection in findAndModify commands.")
