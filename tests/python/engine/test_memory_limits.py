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

if __name__ == "__main__":
    sys.path.insert(0, str(pathlib.Path(__file__).parent))
    from operators import (  # type: ignore[import-not-found]
        ACCUMULATED,
        ACCUMULATORS,
        EXPRESSIONS,
        REFUSED,
        Store,
        document,
    )
else:
    from .operators import ACCUMULATORS, EXPRESSIONS, REFUSED

MOST = 150 << 20
EXCEEDED, TOO_LARGE, NO_DISK = 146, 10334, 292
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


def run_all() -> None:
    """Print a line of JSON for each case: its name, the error, the bytes it took at most."""
    counter = ctypes.CDLL(None)
    counter.counted_live.restype = counter.counted_peak.restype = ctypes.c_long
    store = Store()
    store.fill("few", [document(3)])
    store.fill("one", [document(60000)])
    store.fill("row", [{"s": "x" * 200000, "n": 1}])
    store.fill("chain", [{"_id": i, "n": i + 1, "s": "x" * 500000} for i in range(400)])

    def measure(kind: str, name: str, coll: str, *stages: Any, **options: Any) -> None:
        counter.counted_reset()
        before = counter.counted_live()
        reply = store.run(aggregate=coll, pipeline=[*stages], cursor={}, **options)
        result = {
            "kind": kind,
            "name": name,
            "code": reply.get("code"),
            "errmsg": reply.get("errmsg", "")[:200],
            "peak": counter.counted_peak() - before,
        }
        print(json.dumps(result), flush=True)

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
        rows = [*ROWS, {"$addFields": {"o": {"k": "$s"}}}]
        measure("accumulator", name, "row", *rows[:2], {"$limit": 4000}, rows[2],
                {"$group": {"_id": None, "x": value}}, allowDiskUse=False)  # fmt: skip
    few = [{"$redact": "$$KEEP"}, {"$limit": 10}, {"$project": {"x": {"$type": "$x"}}}]
    for name, stages in STAGES.items():
        measure("stage", name, "row", *stages, *few, allowDiskUse=False)


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


def within(result: Result) -> None:
    assert result["peak"] < MOST, result
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


if __name__ == "__main__":
    run_all()
