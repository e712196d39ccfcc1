# SPDX-License-Identifier: Apache-2.0
"""`$meta` in pipelines, `{$meta: "indexKey"}` and returnKey: each answer is mongod's."""

import json
import pathlib
from collections.abc import Callable
from typing import Any

import bson
from bson import json_util

from mongodb._core import Client

Run = Callable[[str, dict[str, Any]], dict[str, Any]]
DB = "metadata"
DOCUMENTS = [
    {"_id": 1, "a": 1, "b": 4, "c": 1, "arr": [1, 2], "n": {"x": 4}, "num": 1.5},
    {"_id": 2, "a": 2, "b": 3, "c": 0, "arr": [2, 3], "n": {"x": 5}, "num": [7, 8.0]},
    {"_id": 3, "a": 3, "b": 2, "c": 1, "arr": [3, 4], "n": {"x": 6}},
]
INDEXES = [{"a": 1}, {"a": 1, "c": 1}, {"arr": 1}, {"n.x": -1}, {"num": 1}]


def meta(name: Any) -> dict[str, Any]:
    return {"$meta": name}


KINDS = ("recordId", "sortKey", "indexKey", "randVal", "textScore", "searchScore", "nothing")
SOME = {"$match": {"a": {"$gte": 2}}}
A = {"$sort": {"a": 1}}


def pipelines(m: dict[str, Any]) -> list[list[dict[str, Any]]]:
    """Every stage that passes documents on, keeps them or makes its own, with `$meta` behind it."""
    project, add = {"$project": {"m": m}}, {"$addFields": {"m": m}}
    window = {"sortBy": {"b": 1}, "output": {"r": {"$push": m}}}
    densify = {"field": "a", "range": {"step": 0.5, "bounds": "full"}}
    graph = {"from": "c", "startWith": "$a", "connectFromField": "a", "connectToField": "a"}
    join = {"from": "c", "localField": "a", "foreignField": "a", "as": "j"}
    buckets = {"groupBy": "$a", "boundaries": [0, 2, 9], "output": {"d": {"$push": m}}}
    auto = {"groupBy": "$a", "buckets": 2, "output": {"d": {"$push": m}}}
    return [
        [project],
        [add],
        [SOME, project],
        [SOME, add],
        [SOME, SOME, {"$project": {"a": 1, "m": m}}],
        [SOME, {"$project": {"b": 0, "m": m}}],
        [SOME, {"$project": {"m": {"n": m}}}],
        [SOME, {"$project": {"x": "$b", "m": {"$ifNull": [m, "none"]}}}],
        [SOME, {"$project": {"a": 1, "_id": 0}}, add],
        [{"$project": {"m": m}}, {"$project": {"m": 1, "o": m}}],
        [{"$project": {"m": m}}, {"$sort": {"_id": -1}}],
        [A, project],
        [SOME, {"$sort": {"b": 1}}, project],
        [SOME, {"$sort": {"b": 1}}, {"$limit": 1}, project],
        [{"$sort": {"c": 1}}, A, add],
        [A, {"$limit": 2}, {"$sort": {"b": 1}}, add],
        [SOME, {"$addFields": {"z": 1}}, {"$sort": {"z": 1, "a": -1}}, add],
        [{"$limit": 2}, project],
        [{"$skip": 1}, project],
        [A, {"$unwind": "$arr"}, add],
        [A, {"$replaceRoot": {"newRoot": {"x": 1}}}, add],
        [SOME, {"$redact": {"$cond": [{"$eq": [m, 1]}, "$$PRUNE", "$$KEEP"]}}, project],
        [A, {"$lookup": join}, {"$unwind": "$j"}, project],
        [A, {"$lookup": {**join, "pipeline": [add, {"$project": {"m": 1}}]}}],
        [{"$lookup": {"from": "c", "let": {"q": m}, "pipeline": [{"$project": {"m": "$$q"}}],
                      "as": "j"}}],
        [A, {"$graphLookup": {**graph, "as": "g"}}, project],
        [A, {"$densify": densify}, project],
        [{"$sort": {"a": -1}}, {"$fill": {"sortBy": {"a": 1}, "output": {"b": {"method": "locf"}}}},
         project],
        [{"$sort": {"a": -1}}, {"$bucket": buckets}],
        [{"$sort": {"a": -1}}, {"$bucketAuto": auto}, add],
        [A, {"$group": {"_id": None, "d": {"$push": m}}}, add],
        [SOME, {"$group": {"_id": None, "d": {"$push": m}}}],
        [{"$group": {"_id": "$a"}}, {"$sort": {"_id": 1}}, add],
        [SOME, {"$setWindowFields": window}, {"$addFields": {"m": m}}],
        [A, {"$facet": {"f": [project]}}, add],
        [A, {"$unionWith": {"coll": "c", "pipeline": [{"$match": {"a": 3}}]}}, add],
        [SOME, {"$match": {"$expr": {"$eq": [m, 1]}}}],
        [{"$sort": {"x": m}}],
        [{"$sort": {"x": m, "a": -1}}, {"$project": {"s": meta("sortKey")}}],
        [{"$sort": {"x": {**m, "y": 1}}}],
    ]  # fmt: skip


def finds(m: dict[str, Any]) -> list[dict[str, Any]]:
    return [
        {"projection": {"a": 1, "m": m}},
        {"projection": {"m": m}, "sort": {"a": 1}},
        {"projection": {"m": m}, "filter": {"a": {"$gte": 2}}, "sort": {"b": 1}},
        {"projection": {"a": 1, "_id": 0, "m": m}, "filter": {"a": {"$gte": 2}}},
        {"projection": {"_id": 1, "m": m}, "filter": {"_id": 2}},
        {"projection": {"_id": 1, "m": m}, "filter": {"_id": {"$in": [1, 2]}}},
        {"projection": {"_id": 1, "m": m}, "filter": {"$or": [{"a": 1}, {"n.x": 6}]}},
        {"projection": {"_id": 1, "m": m}, "filter": {"arr": {"$in": [2, 3]}}},
        {"projection": {"_id": 1, "m": m}, "filter": {"num": {"$gte": 1}}},
        {"projection": {"_id": 1, "m.n": m}, "hint": {"a": 1}},
        {"projection": {"_id": 1, "m": m}, "filter": {"a": {"$in": [1, 2]}}, "sort": {"c": -1},
         "hint": {"a": 1, "c": 1}},
        {"sort": {"x": m, "a": -1}, "projection": {"_id": 1, "s": meta("sortKey")}},
        {"filter": {"a": {"$gte": 1}}, "returnKey": True, "projection": {"b": 1, "m": m}},
    ]  # fmt: skip


RETURN_KEY: list[dict[str, Any]] = [
    {},
    {"filter": {"a": {"$gte": 2}}},
    {"filter": {"_id": 1}},
    {"hint": {"a": 1, "c": 1}},
    {"sort": {"a": 1}},
    {"sort": {"b": 1}},
    {"filter": {"a": {"$gte": 1}}, "sort": {"b": 1}, "limit": 2},
    {"filter": {"a": {"$gte": 1}}, "sort": {"b": 1}, "projection": {"z.s": meta("sortKey")}},
    {"filter": {"a": {"$gte": 2}}, "projection": {"_id": 0, "a": 1}},
    {"filter": {"a": {"$gte": 2}}, "showRecordId": True},
    {"filter": {"a": {"$gte": 2}}, "skip": 1, "limit": 1},
    {"filter": {"arr": 2}},
    {"filter": {"n.x": 5}},
    {"filter": {"$or": [{"a": 1}, {"arr": 3}]}},
    {"filter": {"a": {"$in": [1, 2]}}, "sort": {"c": 1}, "hint": {"a": 1, "c": 1}},
    {"sort": {"num": 1}, "hint": {"num": 1}},
    {"filter": {"a": 2}, "min": {"a": 2}, "hint": {"a": 1}},
    {"hint": {"$natural": 1}},
]

COMMANDS: list[dict[str, Any]] = [
    *({"aggregate": "c", "pipeline": p, "cursor": {}} for k in KINDS for p in pipelines(meta(k))),
    *({"find": "c", **f} for k in KINDS for f in finds(meta(k))),
    *({"find": "c", "returnKey": True, **f} for f in RETURN_KEY),
    {"find": "v", "returnKey": True},
    {"find": "v", "showRecordId": True},
    {"find": "v", "projection": {"_id": 1, "m": meta("sortKey")}, "sort": {"a": 1}},
    {"find": "v", "projection": {"_id": 1, "m": meta("sortKey")}},
    {"find": "none", "returnKey": True},
    {"find": "c", "sort": {"a": meta(1)}},
    {"aggregate": "c", "pipeline": [{"$sort": {"a": {"x": 1}}}], "cursor": {}},
    {"findAndModify": "c", "query": {"a": 2}, "update": {"$set": {"z": 1}},
     "fields": {"_id": 1, "r": meta("recordId")}},
]  # fmt: skip


def fill(run: Run) -> None:
    run(DB, {"dropDatabase": 1})
    run(DB, {"insert": "c", "documents": DOCUMENTS})
    indexes = [{"key": key, "name": json.dumps(key)} for key in INDEXES]
    run(DB, {"createIndexes": "c", "indexes": indexes})
    run(DB, {"create": "v", "viewOn": "c", "pipeline": []})


def told(reply: dict[str, Any]) -> Any:
    if not reply["ok"]:
        return reply["code"]
    answer = reply["cursor"]["firstBatch"] if "cursor" in reply else reply["value"]
    return json.loads(json_util.dumps(answer))


def test_metadata_is_beside_a_document_where_mongod_has_it(mongod: str) -> None:
    clients = [Client("docstore://:memory:"), Client(mongod)]

    def runner(client: Client) -> Run:
        return lambda db, command: bson.decode(client.run_raw(db, command, check=False))

    ours, theirs = map(runner, clients)
    fill(ours)
    fill(theirs)
    differ = [c for c in COMMANDS if told(ours(DB, dict(c))) != told(theirs(DB, dict(c)))]
    assert differ == []
    for client in clients:
        client.close()


def in_order(values: list[float]) -> bool:
    return values == sorted(values, reverse=True) and all(0 <= v < 1 for v in values)


def test_a_sample_has_random_numbers_beside_it_that_fall(raw: Run) -> None:
    fill(raw)
    sample = {"$sample": {"size": 9}}
    push = {"$group": {"_id": None, "d": {"$push": meta("randVal")}}}
    for stages in ([sample, push], [sample, A, {"$sort": {"x": meta("randVal")}}, push]):
        reply = raw(DB, {"aggregate": "c", "pipeline": stages, "cursor": {}})
        [found] = reply["cursor"]["firstBatch"]
        assert len(set(found["d"])) == 3
        assert in_order(found["d"])


def test_metadata_survives_what_a_group_and_a_sort_spill(tmp_path: pathlib.Path) -> None:
    """Past their memory both put documents into a file, with what is beside them."""
    client = Client(f"docstore://{tmp_path}/spill.db")
    count, text = 1500, "x" * 100_000
    for first in range(0, count, 100):
        rows = [{"_id": i, "a": i, "t": text} for i in range(first, first + 100)]
        client.run(DB, {"insert": "c", "documents": rows})
    client.run(DB, {"createIndexes": "c", "indexes": [{"key": {"a": 1}, "name": "a"}]})
    push = {"$group": {"_id": {"$concat": ["$t", {"$toString": "$a"}]},
                       "k": {"$first": meta("indexKey")}, "a": {"$first": "$a"}}}  # fmt: skip
    check = {"$group": {"_id": {"$eq": ["$a", "$k.a"]}, "n": {"$sum": 1}}}
    sort = [{"$sort": {"t": 1, "a": -1}}, {"$project": {"k": meta("indexKey"), "a": 1}}]
    for stages in ([push], sort):
        found = client.run(DB, {"aggregate": "c", "pipeline": [{"$match": {"a": {"$gte": 0}}},
                           *stages, check], "cursor": {}, "allowDiskUse": True})  # fmt: skip
        assert found["cursor"]["firstBatch"] == [{"_id": True, "n": count}]
    client.close()
