# SPDX-License-Identifier: Apache-2.0
"""What one operation holds stays within its limit, counted as results grow, for every operator of
the source's tables. The commands run in one process under a counting allocator."""

import ctypes
import json
import os
import pathlib
import subprocess
import sys
from typing import Any

import pytest
from bson import Int64
from bson.binary import Binary

if __name__ == "__main__":
    sys.path.insert(0, str(pathlib.Path(__file__).parent))
    from operators import (  # type: ignore[import-not-found]
        ACCUMULATED,
        ACCUMULATORS,
        EXPRESSIONS,
        REFUSED,
        UPDATES,
        WINDOWED,
        WINDOWS,
        Store,
        document,
    )
else:
    from .operators import ACCUMULATORS, EXPRESSIONS, REFUSED, UPDATES, WINDOWS

MOST = 150 << 20
TOGETHER = 380 << 20  # 256 MB of all stages, and 100 MB of what is worked on
SPILLED = 200 << 20  # stages that can spill leave the half of it to others
EXCEEDED, TOO_LARGE, NO_DISK, GROWN = 146, 10334, 292, 17419
ROWS: list[Any] = [{"$addFields": {"r": {"$range": [0, 100000]}}}, {"$unwind": "$r"}]
NESTED = {"$map": {"input": {"$range": [0, 5000]}, "in": "$s"}}

# Growth that no single operator has for itself.
CASES: dict[str, Any] = {
    "$range in a $let": {"$let": {"vars": {"x": {"$range": [0, 2**31 - 1]}}, "in": "$$x"}},
    "$map in $map": {"$map": {"input": {"$range": [0, 5000]}, "in": NESTED}},
    "$zip of long arrays": {"$zip": {"inputs": [{"$range": [0, 1500000]}] * 4}},
    "$concatArrays of one array": {"$concatArrays": ["$ao"] * 200},
    "$split by a letter": {"$split": [{"$concat": ["$s"] * 60}, "a"]},
    "$reduce with $concat": {"$reduce": {"input": {"$range": [0, 100]}, "initialValue": "$s",
                                         "in": {"$concat": ["$$value", "$$value"]}}},
    "$reduce with $concatArrays": {"$reduce": {"input": {"$range": [0, 100]}, "initialValue": "$a",
                                   "in": {"$concatArrays": ["$$value", "$$value"]}}},
    "$setUnion": {"$setUnion": [{"$range": [i, i + 500000]} for i in range(0, 5000000, 500000)]},
    "$objectToArray": {"$map": {"input": {"$range": [0, 500]}, "in": {"$objectToArray": "$o"}}},
}  # fmt: skip
STAGES: dict[str, Any] = {
    "$group": [*ROWS, {"$group": {"_id": {"$concat": ["$s", {"$toString": "$r"}]}}}],
    "$sort": [*ROWS, {"$sort": {"r": -1}}],
    "$bucketAuto": [*ROWS, {"$bucketAuto": {"groupBy": "$r", "buckets": 5}}],
    "$setWindowFields": [*ROWS, {"$setWindowFields": {"sortBy": {"r": 1}, "output": {
        "x": {"$push": "$s"}}}}],
    "$facet": [*ROWS, {"$facet": {"x": []}}],
    "$sample": [*ROWS, {"$sample": {"size": 100000}}],
    "$lookup": [{"$lookup": {"from": "row", "as": "x", "pipeline": ROWS}}],
    "$graphLookup": [{"$graphLookup": {"from": "chain", "startWith": 1, "as": "x",
                                       "connectFromField": "n", "connectToField": "_id"}}],
    "$addFields": [{"$addFields": {"x": {"$map": {"input": {"$range": [0, 5000]}, "in": "$s"}}}}],
}  # fmt: skip


def rows(n: int) -> list[Any]:
    return [{"$addFields": {"r": {"$range": [0, n]}}}, {"$unwind": "$r"}]


FIRST = {"$group": {"_id": "$r", "s": {"$first": "$s"}}}
NUMBERED = {"$setWindowFields": {"partitionBy": "$_id", "sortBy": {"_id": 1}, "output": {
    "n": {"$documentNumber": {}}}}}  # fmt: skip
JOIN = {"$lookup": {"from": "pile", "localField": "n", "foreignField": "k", "as": "x"}}
BRANCH = [FIRST, {"$sort": {"s": 1, "_id": -1}}, {"$count": "n"}]
# Several stages that keep 100 MB each, and how many documents they give.
PILED: dict[str, tuple[list[Any], int]] = {
    "sort, group, sort": ([*rows(1500), {"$sort": {"r": -1}}, FIRST, {"$sort": {"_id": 1}}], 1500),
    "sort, group, window, buckets": (
        [*rows(1500), {"$sort": {"r": -1}}, FIRST, NUMBERED,
         {"$bucketAuto": {"groupBy": "$n", "buckets": 3, "output": {"s": {"$max": "$s"}}}}], 1),
    "five sorts": ([*rows(1000), *[stage for i in range(5) for stage in (
        {"$sort": {"r": 1 if i % 2 else -1}}, {"$addFields": {"x": i}},
        {"$group": {"_id": "$r", "r": {"$first": "$r"}, "s": {"$first": "$s"}}})]], 1000),
    "best of a sort": ([*rows(3000), {"$sort": {"r": -1}}, {"$limit": 490}, FIRST,
                        {"$sort": {"_id": 1}}, {"$limit": 480}], 480),
    "facets": ([*rows(450), {"$facet": {"a": BRANCH, "b": BRANCH, "c": BRANCH}}], 1),
    "joins": ([*rows(3), *[stage for _ in range(5) for stage in (JOIN, {"$unset": "x"})]], 3),
}  # fmt: skip
WINDOW_FUNCTIONS = [name for name in (*WINDOWS, *ACCUMULATORS) if name != "$mergeObjects"]
LONG = "x" * (1 << 20)
# What each update operator does to all parts of a long array.
GROWING: dict[str, Any] = {
    "$set": {"ao.$[].k": LONG},
    "$min": {"ao.$[].k": LONG},
    "$max": {"ao.$[].v": LONG},
    "$push": {"aa.$[]": LONG},
    "$addToSet": {"aa.$[]": LONG},
    "$pop": {"aa.$[]": 1},
    "$pull": {"aa.$[]": 1},
    "$pullAll": {"aa.$[]": [1]},
    "$bit": {"ao.$[].v": {"xor": 1}},
    "$currentDate": {"ao.$[].d": True},
    "$unset": {"ao.$[].k": 1},
    "$rename": {"s": "renamed"},
    "$setOnInsert": {"ao.k": 1},
}
REFUSED_GROWTH = {"$set", "$max", "$push", "$addToSet"}
MANY = 100000
# Statements that find many documents before they write the first.
FOUND: dict[str, Any] = {
    "update": {"updates": [{"q": {"n": 0}, "u": {"$inc": {"n": 1}}, "multi": True}]},
    "update of elements": {"updates": [{"q": {"a": 2}, "u": {"$inc": {"a.$": 1}}, "multi": True}]},
    "delete": {"deletes": [{"q": {"n": 1}, "limit": 0}]},
}

BIG = "y" * (15 << 20)
TIMES = {"$inc": {"times": 1}}
RETRYABLE = {"lsid": {"id": Binary(bytes(16), 4)}, "txnNumber": Int64(1)}
KEYS = [f"f{i}" for i in range(40)]
# Commands in which many kinds of memory add up: the request, what is worked on, what stages keep,
# and a large reply; and how much of it there may be.
HEAVY: dict[str, tuple[dict[str, Any], int]] = {
    "stages and a reply of 16 MB": ({"aggregate": "row", "cursor": {}, "pipeline": [
        *rows(500), {"$sort": {"r": -1}}, FIRST, {"$set": {"n": {"$mod": ["$_id", 50]}}},
        {"$sort": {"_id": 1}}, {"$limit": 40}, JOIN, {"$set": {"x": {"$size": "$x"}}},
        {"$facet": {"a": [{"$sort": {"s": 1, "_id": -1}}, {"$limit": 30}],
                    "b": [{"$group": {"_id": "$n", "s": {"$push": "$s"}}}, {"$limit": 30}]}},
    ]}, TOGETHER),
    "a sorted batch of 16 MB": ({"find": "pile", "sort": {"s": 1, "k": -1}, "batchSize": 1000},
                                MOST),
    "findAndModify of a large document": (
        {"findAndModify": "large", "query": {"_id": 1}, "update": TIMES, "new": True, **RETRYABLE},
        TOGETHER // 2),
    "updates of a large document": (
        {"update": "large", "updates": [{"q": {}, "u": {"$set": {"b": BIG[i:]}}}
                                        for i in range(1, 4)]}, TOGETHER // 2),
    "an insert into 41 indexes": (
        {"insert": "indexed", "documents": [{"_id": i, **dict.fromkeys(KEYS, "w" * 390000)}
                                            for i in range(3)]}, MOST),
}  # fmt: skip


def run_all() -> None:
    """Print a line of JSON for each case: its name, the error, the bytes it took at most."""
    counter = ctypes.CDLL(None)
    counter.counted_live.restype = counter.counted_peak.restype = ctypes.c_long
    store = Store()
    store.fill("few", [document(3)])
    store.fill("one", [document(60000)])
    store.fill("row", [{"s": "x" * 200000, "n": 1}])
    for at in range(0, 400, 100):
        store.fill("pile", [{"k": i % 50, "s": "x" * 200000} for i in range(at, at + 100)])
    store.fill("chain", [{"_id": i, "n": i + 1, "s": "x" * 500000} for i in range(400)])

    def measure_command(kind: str, name: str, **command: Any) -> None:
        counter.counted_reset()
        before = counter.counted_live()
        reply = store.run(**command)
        peak = counter.counted_peak() - before
        errors = reply.get("writeErrors", [reply])
        result = {
            "kind": kind,
            "name": name,
            "code": errors[0].get("code"),
            "errmsg": errors[0].get("errmsg", "")[:200],
            "peak": peak,
            "n": reply.get("n", len(reply.get("cursor", {}).get("firstBatch", []))),
        }
        print(json.dumps(result), flush=True)

    def measure(kind: str, name: str, coll: str, *stages: Any, **options: Any) -> None:
        options.setdefault("cursor", {})
        measure_command(kind, name, aggregate=coll, pipeline=[*stages], **options)

    for name in EXPRESSIONS:
        if name not in REFUSED:
            use = store.expression(name)
            kind = store.project(use)["cursor"]["firstBatch"][0]["x"]
            times = 500 if kind in ("string", "array", "object") else 5
            many = {"$map": {"input": {"$range": [0, times]}, "in": use}}
            measure("expression", name, "one", {"$project": {"x": many}})
    for name, expression in CASES.items():
        measure("case", name, "one", {"$project": {"x": expression}})
    for name in ACCUMULATORS:
        value = {name: ACCUMULATED.get(name, "$s")}
        measure("accumulator", name, "row", *ROWS, {"$limit": 4000},
                {"$addFields": {"o": {"k": "$s"}}}, {"$group": {"_id": None, "x": value}},
                allowDiskUse=False)  # fmt: skip
    few = [{"$redact": "$$KEEP"}, {"$limit": 10}, {"$project": {"x": {"$type": "$x"}}}]
    for name, stages in STAGES.items():
        measure("stage", name, "row", *stages, *few, allowDiskUse=False)
    for name in WINDOW_FUNCTIONS:
        value = {name: WINDOWED.get(name, ACCUMULATED.get(name, "$s"))}
        if name not in WINDOWED or name == "$derivative":
            value["window"] = {"documents": ["unbounded", "current"]}
        short = {"$addFields": {"s": {"$substrBytes": ["$s", 0, 20000]}}}
        measure("window", name, "row", short, *rows(2000),
                {"$setWindowFields": {"sortBy": {"r": 1}, "output": {"x": value}}},
                *few)  # fmt: skip
    for name, (stages, _) in PILED.items():
        measure("piled", name, "row", *stages, {"$project": {"n": {"$type": "$s"}}},
                cursor={"batchSize": 5000})  # fmt: skip
    store.fill("large", [{"_id": 1, "b": BIG}])
    indexes = [{"key": {name: 1}, "name": name} for name in KEYS]
    store.run(createIndexes="indexed", indexes=indexes)
    for name, (command, _) in HEAVY.items():
        measure_command("heavy", name, **command)
    store.fill("many", [{"_id": i, "n": 0, "a": [1, 2]} for i in range(MANY)])
    for name, statement in FOUND.items():
        measure_command("found", name, **{name.split()[0]: "many", **statement})
    for name in UPDATES:
        update = {name: GROWING.get(name, {"ao.$[].v": 3})}
        measure_command("update", name, update="one", updates=[{"q": {}, "u": update}])


Result = dict[str, Any]


@pytest.fixture(scope="module")
def results(tmp_path_factory: pytest.TempPathFactory) -> dict[tuple[str, str], Result]:
    library = tmp_path_factory.mktemp("counted") / "counted.so"
    source = pathlib.Path(__file__).with_name("counted.c")
    subprocess.run(["cc", "-shared", "-fPIC", "-O1", "-o", library, source], check=True)
    done = subprocess.run(
        [sys.executable, __file__],
        env={**os.environ, "LD_PRELOAD": str(library)},
        stdout=subprocess.PIPE,
        check=True,
        timeout=300,
    )
    lines = [json.loads(line) for line in done.stdout.splitlines()]
    return {(line["kind"], line["name"]): line for line in lines}


def within(result: Result, most: int = MOST) -> None:
    assert result["peak"] < most, result
    if result["code"] == EXCEEDED:
        assert "out of memory" not in result["errmsg"], result  # but who, and how much


# What these give is small, or a part of what is there already.
SMALL = {"$sum", "$avg", "$count", "$stdDevPop", "$stdDevSamp", "$min", "$max", "$first", "$last",
         "$top", "$bottom", "$mergeObjects"}  # fmt: skip


@pytest.mark.parametrize("name", [n for n in EXPRESSIONS if n not in REFUSED])
def test_expressions_stay_within_memory(results: dict[tuple[str, str], Result], name: str) -> None:
    result = results["expression", name]
    within(result)
    assert result["code"] in (None, EXCEEDED, TOO_LARGE), result


@pytest.mark.parametrize("name", CASES)
def test_growing_results_are_refused(results: dict[tuple[str, str], Result], name: str) -> None:
    result = results["case", name]
    within(result)
    assert result["code"] in (EXCEEDED, TOO_LARGE), result


@pytest.mark.parametrize("name", ACCUMULATORS)
def test_accumulators_stay_within_memory(results: dict[tuple[str, str], Result], name: str) -> None:
    result = results["accumulator", name]
    within(result)
    assert result["code"] in ((None,) if name in SMALL else (EXCEEDED, NO_DISK)), result


@pytest.mark.parametrize("name", STAGES)
def test_stages_stay_within_memory(results: dict[tuple[str, str], Result], name: str) -> None:
    result = results["stage", name]
    within(result)
    assert result["code"] is not None, result


@pytest.mark.parametrize("name", WINDOW_FUNCTIONS)
def test_windows_stay_within_memory(results: dict[tuple[str, str], Result], name: str) -> None:
    result = results["window", name]
    within(result, TOGETHER)
    assert result["code"] in (None, EXCEEDED), result


@pytest.mark.parametrize("name", PILED)
def test_stages_together_stay_within_memory(
    results: dict[tuple[str, str], Result], name: str
) -> None:
    result = results["piled", name]
    within(result, SPILLED)
    assert (result["code"], result["n"]) == (None, PILED[name][1]), result


@pytest.mark.parametrize("name", UPDATES)
def test_updates_stay_within_memory(results: dict[tuple[str, str], Result], name: str) -> None:
    result = results["update", name]
    within(result)
    refused = name in REFUSED_GROWTH
    assert result["code"] in ((EXCEEDED, TOO_LARGE, GROWN) if refused else (None,)), result


@pytest.mark.parametrize("name", HEAVY)
def test_kinds_of_memory_together_stay_within_it(
    results: dict[tuple[str, str], Result], name: str
) -> None:
    result = results["heavy", name]
    within(result, HEAVY[name][1])
    assert result["code"] is None, result


@pytest.mark.parametrize("name", FOUND)
def test_documents_to_be_written_are_a_few_bytes_each(
    results: dict[tuple[str, str], Result], name: str
) -> None:
    result = results["found", name]
    assert (result["code"], result["n"]) == (None, MANY), result
    assert result["peak"] < 16 * MANY, result


if __name__ == "__main__":
    run_all()
