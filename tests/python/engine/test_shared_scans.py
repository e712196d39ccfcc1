# SPDX-License-Identifier: Apache-2.0
"""A scan that several threads share gives what one thread gives: the same documents in the same
order, the same counts, the same errors, whatever is in the way."""

import random
import threading
from collections.abc import Iterator
from typing import Any

import pytest
from bson import Decimal128, Int64, Regex

from mongodb._core import Client
from mongodb.errors import MongoError, OperationError

DOCUMENTS = 9_000
SHARED = "?scanThreads=3&scanShareAfter=1"


def value(rng: random.Random, depth: int = 0) -> Any:
    kinds = [
        lambda: rng.randrange(50),
        lambda: rng.choice([1, 1.0, Int64(1), Decimal128("1.0"), float("nan"), -0.0, None, True]),
        lambda: rng.choice(["a", "ab", "b", "", "zz"]),
        lambda: rng.uniform(-5, 5),
    ]
    if depth < 2:
        kinds.append(lambda: [value(rng, depth + 1) for _ in range(rng.randrange(4))])
        kinds.append(lambda: {"x": value(rng, depth + 1), "y": value(rng, depth + 1)})
    return rng.choice(kinds)()


def document(rng: random.Random, number: int) -> dict[str, Any]:
    made = {"_id": number, "n": rng.randrange(100_000)}
    for name in "abc":
        if rng.random() < 0.8:
            made[name] = value(rng)
    if rng.random() < 0.01:
        made["long"] = "x" * rng.randrange(30_000)
    return made


def condition(rng: random.Random) -> dict[str, Any]:
    path = rng.choice(["a", "b", "c", "a.x", "b.0", "c.y.x", "long"])
    operator = rng.choice(
        ["$eq", "$gt", "$lte", "$in", "$nin", "$exists", "$type", "$size", "$elemMatch", "$all"]
        + ["$mod", "$bitsAllSet", "$regex", "$not"]
    )
    operand: Any = value(rng)
    if operator in ("$in", "$nin", "$all"):
        operand = [value(rng) for _ in range(3)] + rng.choice([[], [Regex("^a")]])
    fixed: dict[str, Any] = {
        "$exists": rng.random() < 0.5,
        "$type": rng.choice(["int", "double", "array", "object", "null"]),
        "$size": rng.randrange(4),
        "$elemMatch": {"$gt": rng.randrange(50)},
        "$mod": [rng.randrange(1, 9), 1],
        "$bitsAllSet": 5,
        "$regex": "^a?b",
        "$not": {"$gt": 3},
    }
    return {path: {operator: fixed.get(operator, operand)}}


def query(rng: random.Random) -> dict[str, Any]:
    asked = [condition(rng) for _ in range(rng.randrange(1, 3))]
    joined = {rng.choice(["$and", "$or", "$nor"]): asked}
    if rng.random() < 0.7:  # few are wanted: else a scan is not shared
        joined["n"] = {"$lt": rng.choice([200, 2_000, 20_000])}
    return joined


def command(rng: random.Random) -> dict[str, Any]:
    wanted = query(rng)
    group = {"_id": "$a", "n": {"$sum": "$n"}, "b": {"$push": "$b"}, "f": {"$first": "$c"}}
    sort = {"n": -1, "_id": 1}
    return rng.choice(
        [
            {"find": "d", "filter": wanted, "batchSize": rng.choice([2, 150, 20_000])},
            {"find": "d", "filter": wanted, "skip": 30, "limit": rng.choice([5, 500])},
            {"find": "d", "filter": wanted, "sort": sort, "limit": 40},
            {"count": "d", "query": wanted},
            {"count": "d", "query": wanted, "skip": 3, "limit": 90},
            {"distinct": "d", "key": "b", "query": wanted},
            {"aggregate": "d", "pipeline": [{"$match": wanted}, {"$group": group}], "cursor": {}},
            {
                "aggregate": "d",
                "pipeline": [{"$match": wanted}, {"$project": {"q": {"$divide": [1, "$n"]}}}],
                "cursor": {"batchSize": 50},
            },
            {"explain": {"find": "d", "filter": wanted}, "verbosity": "executionStats"},
        ]
    )


def run(client: Client, what: dict[str, Any]) -> Any:
    """All that a client sees of a command and its cursor."""
    try:
        reply = client.run("t", what)
        if "explain" in what:
            stats = reply["executionStats"]
            return [stats["nReturned"], stats["totalDocsExamined"]]
        if "cursor" not in reply:
            return reply.get("n", reply.get("values"))
        rows, batch = [], reply["cursor"]
        rows.append(batch["firstBatch"])
        while batch["id"]:
            batch = client.run("t", {"getMore": batch["id"], "collection": "d", "batchSize": 700})[
                "cursor"
            ]
            rows.append(batch["nextBatch"])
        return rows
    except OperationError as error:
        return error.code, str(error)


@pytest.fixture(scope="module")
def path(tmp_path_factory: pytest.TempPathFactory) -> str:
    name = str(tmp_path_factory.mktemp("shared") / "shared.docstore")
    rng = random.Random(5)
    with_rows = Client(f"docstore://{name}")
    for at in range(0, DOCUMENTS, 3_000):
        made = [document(rng, number) for number in range(at, at + 3_000)]
        with_rows.run("t", {"insert": "d", "documents": made})
    gone = rng.sample(range(DOCUMENTS), 500)
    with_rows.run("t", {"delete": "d", "deletes": [{"q": {"_id": {"$in": gone}}, "limit": 0}]})
    with_rows.close()
    return name


@pytest.fixture
def plain(path: str) -> Iterator[Client]:
    client = Client(f"docstore://{path}?scanThreads=1")
    yield client
    client.close()


@pytest.fixture
def shared(path: str) -> Iterator[Client]:
    client = Client(f"docstore://{path}{SHARED}")
    yield client
    client.close()


@pytest.mark.parametrize("seed", range(4))
def test_answers_are_those_of_one_thread(seed: int, plain: Client, shared: Client) -> None:
    rng = random.Random(seed)
    for _ in range(60):
        asked = command(rng)
        expected = run(plain, asked)
        assert repr(run(shared, asked)) == repr(expected), asked


def test_answers_hold_while_others_write(path: str, plain: Client, shared: Client) -> None:
    stop = threading.Event()
    other = Client(f"docstore://{path}")

    def write() -> None:
        number = DOCUMENTS
        while not stop.is_set():
            number += 1
            other.run("t", {"insert": "d", "documents": [{"_id": number, "n": 1, "new": "x" * 99}]})
            other.run("t", {"delete": "d", "deletes": [{"q": {"_id": number}, "limit": 1}]})

    writer = threading.Thread(target=write)
    writer.start()
    try:
        rng = random.Random(99)
        for _ in range(25):
            asked = {"find": "d", "filter": {"$and": [query(rng), {"new": None}]}}
            asked["batchSize"] = rng.choice([100, 20_000])
            assert repr(run(shared, asked)) == repr(run(plain, asked)), asked
    finally:
        stop.set()
        writer.join()
        other.close()


def test_threads_share_a_client_whose_scans_are_shared(plain: Client, shared: Client) -> None:
    asked = [{"count": "d", "query": {"n": {"$lt": number * 100}}} for number in range(40)]
    expected = [run(plain, what) for what in asked]
    found: list[list[Any]] = [[], [], []]

    def ask(into: list[Any]) -> None:
        into.extend(run(shared, what) for what in asked)

    threads = [threading.Thread(target=ask, args=(into,)) for into in found]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert found == [expected] * 3


def test_a_time_limit_ends_a_shared_scan(shared: Client) -> None:
    pipeline = [{"$match": {"n": {"$lt": 50_000}}}, {"$match": {"n": -1}}]
    lookup = {"from": "d", "let": {"n": "$n"}, "pipeline": pipeline, "as": "all"}
    slow = {"aggregate": "d", "pipeline": [{"$lookup": lookup}], "cursor": {}, "maxTimeMS": 50}
    with pytest.raises(MongoError) as caught:
        shared.run("t", slow)
    assert caught.value.code == 50


@pytest.mark.parametrize("wrong", ["scanThreads=0", "scanThreads=9", "scanShareAfter=0"])
def test_wrong_settings_are_told(wrong: str, path: str) -> None:
    with pytest.raises(MongoError, match=wrong.split("=")[0]):
        Client(f"docstore://{path}?{wrong}")
