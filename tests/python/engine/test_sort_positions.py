# SPDX-License-Identifier: Apache-2.0
"""Sorts by paths that name positions in arrays: ordered and refused as by mongod."""

import itertools
from typing import Any

import pymongo

import mongodb
from mongodb import _core

DOCUMENTS: list[dict[str, Any]] = [
    {"a": [{"b": 3, "c": 1}, {"b": 1, "c": 9}], "d": [1, 2]},
    {"a": [{"b": [5, 0]}, {"b": 2}], "d": [7]},
    {"a": {"0": {"b": 2}, "b": 4}, "d": [0, 3]},
    {"a": [[{"b": 7}], {"b": 6}], "d": 5},
    {"a": [{"b": 1}], "d": []},
    {"a": [], "d": [4]},
    {"a": [{"0": {"b": 8}}, {"b": 9}], "d": [2, 9]},
    {"a": [1, 2], "d": [6]},
    {"a": [{"b": [{"c": 3}]}, {"b": [{"c": 2}]}], "d": [6]},
    {"a": [[], [3, 1]], "d": [[], 1]},
    {"a": [[4, 2], []], "d": [[3, 0], 1]},
]
PATHS = ["a", "a.0", "a.1", "a.b", "a.0.b", "a.1.b", "a.c", "a.0.b.0", "a.0.b.c", "a.b.c"]
PATHS += ["a.0.0.b", "d", "d.0", "d.1"]
SORTS = [{first: 1} for first in PATHS]
SORTS += [{first: 1, second: -1} for first, second in itertools.permutations(PATHS, 2)]


def orders(run: Any) -> dict[str, Any]:
    """Return for each sort which documents are refused and with what, and the others in order."""
    documents = [{"_id": n, **d} for n, d in enumerate(DOCUMENTS)]
    run({"insert": "positions", "documents": documents})
    found = {}
    for sort in SORTS:
        refused: dict[int, int] = {}
        for n in range(len(DOCUMENTS)):
            try:
                run({"find": "positions", "filter": {"_id": n, "d": {"$ne": "x"}}, "sort": sort})
            except (pymongo.errors.OperationFailure, mongodb.OperationError) as error:
                refused[n] = error.code or 0
        reply = run(
            {
                "find": "positions",
                "filter": {"_id": {"$nin": list(refused)}},
                "sort": {**sort, "_id": 1},
            }
        )
        found[str(sort)] = refused, [d["_id"] for d in reply["cursor"]["firstBatch"]]
    return found


def test_positions_sort_and_are_refused_as_by_mongod(mongod: str) -> None:
    with pymongo.MongoClient[dict[str, Any]](mongod) as client:
        client.drop_database("positions")
        expected = orders(client.get_database("positions").command)
        client.drop_database("positions")
    store = _core.Client("docstore://:memory:")
    try:
        assert orders(lambda command: store.run("positions", command)) == expected
    finally:
        store.close()
    assert expected["{'a': 1, 'a.0.b': -1}"][0].keys() == {6}  # not refused as parallel arrays
