# SPDX-License-Identifier: Apache-2.0
"""Regular expressions end: with an error that names the pattern, or with the time limit."""

import time
from collections.abc import Iterator
from typing import Any

import pytest

from .operators import Spec, Store

EXHAUSTED, EXPIRED = 51156, 50
LONG = 2 << 20
CATASTROPHIC = ["(a+)+$", "(a|aa)+$", "^(a|a)*[cd]$", "(x+x+)+[yz]"]


@pytest.fixture(scope="module")
def store() -> Iterator[Store]:
    made = Store()
    made.fill("short", [{"_id": 1, "s": "a" * 60 + "x" * 60 + "!"}])
    made.fill("long", [{"_id": 1, "s": "a" * LONG}])
    made.fill("plain", [{"_id": i, "s": f"name {i} " + "z" * 100 * i} for i in range(100)])
    yield made
    made.client.close()


def timed(store: Store, **command: Any) -> tuple[Spec, float]:
    used = time.thread_time()
    reply = store.run(**command)
    return reply, time.thread_time() - used


def search(op: str, pattern: str, **options: Any) -> Spec:
    use = {"$type": {op: {"input": "$s", "regex": pattern, **options}}}
    return {"pipeline": [{"$project": {"x": use}}], "cursor": {}}


@pytest.mark.parametrize("op", ["$regexMatch", "$regexFind", "$regexFindAll"])
@pytest.mark.parametrize("pattern", CATASTROPHIC)
def test_catastrophic_pattern_is_an_error_that_names_it(
    store: Store, op: str, pattern: str
) -> None:
    reply, used = timed(store, aggregate="short", **search(op, pattern))
    assert used < 2, used
    assert reply.get("code") == EXHAUSTED, reply
    assert pattern in reply["errmsg"] and op in reply["errmsg"], reply


@pytest.mark.parametrize("pattern", CATASTROPHIC)
@pytest.mark.parametrize(
    "wrap",
    [
        lambda p: {"s": {"$regex": p}},
        lambda p: {"s": {"$not": {"$regex": p}}},
        lambda p: {"$jsonSchema": {"properties": {"s": {"bsonType": "string", "pattern": p}}}},
        lambda p: {"$or": [{"s": 1}, {"s": {"$regex": p, "$options": "i"}}]},
    ],
    ids=["$regex", "$not", "$jsonSchema", "$or"],
)
def test_catastrophic_filter_is_an_error_and_never_no_match(
    store: Store, pattern: str, wrap: Any
) -> None:
    reply, used = timed(store, find="short", filter=wrap(pattern))
    assert used < 2, used
    assert reply.get("code") == EXHAUSTED and pattern in reply["errmsg"], reply


def test_catastrophic_validator_refuses_the_write(store: Store) -> None:
    reply = store.run(create="checked", validator={"s": {"$regex": "(a+)+$"}})
    assert reply["ok"], reply
    reply = store.run(insert="checked", documents=[{"s": "a" * 60 + "!"}])
    errors = reply.get("writeErrors", [reply])
    assert errors[0]["code"] == EXHAUSTED, reply
    assert store.run(count="checked")["n"] == 0


def test_a_quadratic_match_ends_with_the_time_limit(store: Store) -> None:
    for pattern in ("a*[bc]", "a+[bc]"):
        command = search("$regexMatch", pattern)
        reply, used = timed(store, aggregate="long", **command, maxTimeMS=100)
        assert used < 0.2 and reply.get("code") == EXPIRED, (pattern, used, reply)
        reply, used = timed(store, find="long", filter={"s": {"$regex": pattern}}, maxTimeMS=100)
        assert used < 0.2 and reply.get("code") == EXPIRED, (pattern, used, reply)


def test_a_long_subject_takes_little_memory(store: Store) -> None:
    # each repetition is a place to come back to: bounded, and an error rather than no match
    reply = store.run(find="long", filter={"s": {"$regex": "^((a)|b)*$"}}, projection={"_id": 1})
    assert reply.get("code") == EXHAUSTED or reply["cursor"]["firstBatch"] == [{"_id": 1}], reply


def test_find_all_is_linear(store: Store) -> None:
    command = search("$regexFindAll", "aaaaaaaaaaaaaaaa")
    reply, used = timed(store, aggregate="long", **command)
    assert reply["ok"], reply
    assert used < 2, used  # 131,072 matches; checking all of the text for each took 40 s


def test_the_ways_to_match_agree(store: Store) -> None:
    """Plain, as machine code after some searches, and with callbacks in long subjects."""
    patterns = [
        r"^name 7",
        r"(\d)\d? z",
        r"z{3000}$",
        r"(?<=name )(\d+)",
        "(?i)NAME 9",
        r"\bname\b",
    ]
    for pattern in patterns:
        spec = {"s": {"$regex": pattern}}
        found = {
            doc["_id"]
            for doc in store.run(find="plain", filter=spec, batchSize=1000)["cursor"]["firstBatch"]
        }
        for i in range(100):
            one = store.run(find="plain", filter={"_id": i, **spec}, projection={"_id": 1})
            assert bool(one["cursor"]["firstBatch"]) == (i in found), (pattern, i)
