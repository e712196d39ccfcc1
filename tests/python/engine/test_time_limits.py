# SPDX-License-Identifier: Apache-2.0
"""maxTimeMS ends everything in time: every operator of the source's tables on large inputs."""

import time
from collections.abc import Iterator
from typing import Any

import pytest

from mongodb import _core

from .operators import (
    ACCUMULATED,
    ACCUMULATORS,
    EXPRESSIONS,
    FILTERS,
    REFUSED,
    STAGES,
    UPDATES,
    WINDOWED,
    WINDOWS,
    Spec,
    Store,
    document,
)

LIMIT = 0.1
OVER = 0.1  # of the processor's time; the machine may be busy with others
EXPIRED = 50


@pytest.fixture(scope="module")
def store() -> Iterator[Store]:
    made = Store()
    few = document(3)
    made.fill("few", [few])
    made.fill("one", [document(60000)])
    made.fill("many", [{**few, "_id": i, "r": i} for i in range(3000)])
    made.fill("fat", [{**document(2000), "_id": i, "r": i} for i in range(100)])
    made.fill("keys", [{"_id": i, "k": i % 7, "p": i - 1, "s": "x" * 50} for i in range(60000)])
    yield made
    made.client.close()


def timed(store: Store, **command: Any) -> Spec:
    """Run a command under a time limit; it may finish, but it may not run on."""
    wall, used = time.monotonic(), time.thread_time()
    reply = store.run(**command, maxTimeMS=int(LIMIT * 1000))
    wall, used = time.monotonic() - wall, time.thread_time() - used
    assert used < LIMIT + OVER, f"{used:.3f} s of {wall:.3f} s: {reply}"
    return reply


def expires(store: Store, **command: Any) -> None:
    reply = timed(store, **command)
    assert reply.get("code") == EXPIRED, reply


def aggregate(coll: str, *stages: Any) -> Spec:
    return {"aggregate": coll, "pipeline": list(stages), "cursor": {}}


KEEP = "$$KEEP"
NOTHING = {"$redact": "$$PRUNE"}  # all documents pass, none is given


@pytest.mark.parametrize("name", [n for n in EXPRESSIONS if n not in REFUSED])
def test_expressions_end_in_time(store: Store, name: str) -> None:
    used = store.expression(name)
    times = 300 if name == "$range" else 3000  # its arrays would reach the limit of memory first
    each = {"$map": {"input": {"$range": [0, times]}, "in": {"$type": used}}}
    expires(store, **aggregate("many", {"$project": {"x": {"$size": each}}}, NOTHING))
    # one evaluation on large values, too
    timed(store, **aggregate("one", {"$project": {"x": {"$type": used}}}))


@pytest.mark.parametrize("name", ACCUMULATORS)
def test_accumulators_end_in_time(store: Store, name: str) -> None:
    rows = [{"$addFields": {"r": {"$range": [0, 50000]}}}, {"$unwind": "$r"}]
    value = {name: ACCUMULATED.get(name, "$r")}
    expires(store, **aggregate("many", *rows, {"$group": {"_id": None, "x": value}}))


@pytest.mark.parametrize("name", [*WINDOWS, *ACCUMULATORS])
def test_window_functions_end_in_time(store: Store, name: str) -> None:
    value: Spec = {name: WINDOWED.get(name, ACCUMULATED.get(name, "$r"))}
    if name in ("$derivative", "$integral") or name not in WINDOWED:
        value["window"] = {"documents": ["unbounded", 1000]}
    rows = [{"$addFields": {"r": {"$range": [0, 50]}}}, {"$unwind": "$r"}]
    fields = {"sortBy": {"r": 1}, "output": {"x": value}}
    if name == "$mergeObjects":  # not for windows
        return
    expires(store, **aggregate("many", *rows, {"$setWindowFields": fields}, NOTHING))


SLOW = {"$let": {"vars": {"x": {"$range": [0, {"$add": ["$r", 20000]}]}}, "in": {"$size": "$$x"}}}
ROWS = [{"$addFields": {"r": {"$range": [0, 100000]}}}, {"$unwind": "$r"}]
STAGE_SHAPES: dict[str, list[Any]] = {
    "$match": [{"$match": {"$expr": {"$eq": [SLOW, -1]}}}],
    "$project": [{"$project": {"x": SLOW}}],
    "$addFields": [{"$addFields": {"x": SLOW}}],
    "$set": [{"$set": {"x": SLOW}}],
    "$unset": [*ROWS, {"$unset": ["s", "a", "x"]}],
    "$group": [*ROWS, {"$group": {"_id": "$r"}}],
    "$sort": [*ROWS, {"$sort": {"r": -1}}],
    "$limit": [*ROWS, {"$limit": 1000000000}],
    "$skip": [*ROWS, {"$skip": 1000000000}],
    "$unwind": ROWS,
    "$count": [*ROWS, {"$count": "x"}],
    "$sortByCount": [*ROWS, {"$sortByCount": "$r"}],
    "$replaceRoot": [*ROWS, {"$replaceRoot": {"newRoot": "$o"}}],
    "$replaceWith": [*ROWS, {"$replaceWith": "$o"}],
    "$redact": [*ROWS, {"$redact": "$$KEEP"}],
    "$sample": [*ROWS, {"$sample": {"size": 1000}}],
    "$lookup": [{"$lookup": {"from": "keys", "as": "x", "pipeline": [{"$match": {"s": "y"}}],
                             "let": {"v": "$r"}}}] * 2
    + [{"$lookup": {"from": "many", "localField": "n", "foreignField": "n", "as": "x"}}],
    "$graphLookup": [{"$graphLookup": {"from": "keys", "startWith": 59999, "as": "x",
                                       "connectFromField": "p", "connectToField": "_id"}}],
    "$setWindowFields": [*ROWS, {"$setWindowFields": {"sortBy": {"r": 1}, "output": {
        "x": {"$sum": "$r", "window": {"documents": [-1000, 1000]}}}}}],
    "$densify": [{"$densify": {"field": "n", "range": {"step": 1, "bounds": [0, 100000000]}}}],
    "$fill": [*ROWS, {"$fill": {"sortBy": {"r": 1}, "output": {"x": {"method": "locf"}}}}],
    # few rows, much work: gathering more of them reaches the limit of memory first
    "$facet": [*ROWS, {"$limit": 5000}, {"$facet": {"x": [{"$match": {"$expr": {"$gt": [
        {"$size": {"$filter": {"input": {"$range": [0, 3000]}, "cond": {"$lt": ["$$this", 0]}}}},
        0]}}}], "y": [{"$sort": {"r": 1}}]}}],
    "$unionWith": [{"$match": {"_id": 0}}, {"$unionWith": {"coll": "many", "pipeline": ROWS}}],
    "$bucket": [*ROWS, {"$bucket": {"groupBy": "$r", "boundaries": [0, 10], "default": -1}}],
    "$bucketAuto": [*ROWS, {"$bucketAuto": {"groupBy": "$r", "buckets": 5}}],
    "$documents": [{"$documents": {"$let": {"vars": {"all": {"$range": [0, 10000]}}, "in": {
        "$map": {"input": "$$all", "in": {"x": {"$size": {"$filter": {
            "input": "$$all", "cond": {"$lt": ["$$this", 0]}}}}}}}}}}],
    "$out": [*ROWS, {"$project": {"_id": "$r"}}, {"$out": "target"}],
    "$merge": [*ROWS, {"$project": {"_id": "$r"}}, {"$merge": "target"}],
}  # fmt: skip
AT_ONCE = {"$collStats", "$indexStats"}  # one document, whatever there is


@pytest.mark.parametrize("name", [n for n in STAGES if n not in REFUSED | AT_ONCE])
def test_stages_end_in_time(store: Store, name: str) -> None:
    assert name in STAGE_SHAPES, f"add a shape for {name}"
    stages = STAGE_SHAPES[name]
    command = aggregate("many", *stages)
    if name not in ("$out", "$merge"):
        command["pipeline"] = [*stages, NOTHING]
    if name == "$documents":
        command["aggregate"] = 1
    expires(store, **command)


@pytest.mark.parametrize("name", FILTERS)
def test_filters_end_in_time(store: Store, name: str) -> None:
    small = list(range(-1000, 0))
    shapes: dict[str, Any] = {
        "$and": {"$and": [{"a": {"$gt": -1}}, {"a": -2}]},
        "$or": {"$or": [{"a": -1}, {"ao.v": -2}]},
        "$nor": {"$nor": [{"a": {"$gt": -1}}]},
        "$expr": {"$expr": {"$in": [-1, "$a"]}},
        "$comment": {"$comment": "x", "a": -1},
        "$jsonSchema": {"$jsonSchema": {"properties": {"a": {"uniqueItems": True}}}},
        "$alwaysTrue": {"$alwaysTrue": 1, "a": -1},
        "$alwaysFalse": {"$alwaysFalse": 1},
        "$sampleRate": {"$sampleRate": 0.001},
        "$in": {"a": {"$in": small}},
        "$nin": {"ao.v": {"$nin": [*small, 1]}},
        "$not": {"a": {"$not": {"$gte": 1}}},
        "$exists": {"ao.x": {"$exists": True}},
        "$type": {"a": {"$type": "string"}},
        "$all": {"a": {"$all": [1, -1]}},
        "$size": {"a": {"$size": 1}},
        "$elemMatch": {"ao": {"$elemMatch": {"v": -1, "k": "x"}}},
        "$regex": {"s": {"$regex": "(a|b)+d"}},
        "$options": {"s": {"$regex": "(A|B)+D", "$options": "i"}},
        "$mod": {"a": {"$mod": [7, 9]}},
    }
    if name in REFUSED:
        return
    bits = name.startswith("$bits")
    spec = shapes.get(name, {"a": {name: 1 << 40 if bits else 1 << 30}})
    if name in ("$bitsAllClear", "$bitsAnyClear"):
        spec = {"a": {name: 0 if name == "$bitsAnyClear" else 2**40 - 1}}
    assert store.run(find="few", filter=spec)["ok"], spec
    # on one large document, then again and again on copies made on the way
    timed(store, find="one", filter=spec, projection={"_id": 1})
    if name in ("$alwaysFalse", "$sampleRate", "$size"):
        return
    # $redact: no filter is moved before it
    copies = [{"$addFields": {"r": {"$range": [0, 1000]}}}, {"$unwind": "$r"}, {"$redact": KEEP}]
    expires(store, **aggregate("fat", *copies, {"$match": spec}, NOTHING))


def updates() -> dict[str, Any]:
    numbers = list(range(20000))
    return {
        "$push": {"a": {"$each": [1], "$sort": -1}},
        "$addToSet": {"a": {"$each": numbers}},
        "$pull": {"a": {"$in": numbers[1::2]}},
        "$pullAll": {"ao": [{"k": "x", "v": i} for i in range(3000)]},
        "$pop": {"a": 1},
        "$bit": {"n": {"xor": 1}},
        "$currentDate": {"d": True},
        "$rename": {"s": "renamed"},
        "$unset": {"s": 1},
        "$set": {"ao.$[].k": 1},
        "$setOnInsert": {"x": 1},
    }


@pytest.mark.parametrize("name", UPDATES)
def test_update_operators_end_in_time(store: Store, name: str) -> None:
    change = {name: updates().get(name, {"ao.$[].v": 3})}
    # pulling nothing, setting nothing: what does not change must end in time all the same
    one = {"q": {}, "u": change, "multi": True}
    timed(store, update="one", updates=[one])
    reply = timed(store, update="fat", updates=[{**one, "q": {"r": {"$lt": 1000}}}] * 50)
    assert reply.get("code") == EXPIRED or name in ("$setOnInsert", "$unset", "$rename"), reply


def test_graph_lookup_of_documents_with_one_key_ends_in_time() -> None:
    """Every document leads to every other: what is found is found once."""
    with _core.Client("docstore://:memory:") as client:
        key = "k" * 1000
        documents = [{"_id": i, "a": key, "b": key} for i in range(4000)]
        client.run("t", {"insert": "g", "documents": documents})
        stage = {"from": "g", "startWith": "$a", "connectFromField": "a", "connectToField": "b",
                 "as": "all"}  # fmt: skip
        pipeline = [{"$limit": 1}, {"$graphLookup": stage}, {"$project": {"n": {"$size": "$all"}}}]
        begun = time.thread_time()
        found = list(client.cursor("t", {"aggregate": "g", "pipeline": pipeline, "cursor": {}}))
        assert found == [{"_id": 0, "n": 4000}]
        assert time.thread_time() - begun < 1
