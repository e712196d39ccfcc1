# SPDX-License-Identifier: Apache-2.0
"""Covered finds give back each value with its own type: from entries where they tell it, else from
the documents."""

import pathlib
import random
from typing import Any

import pytest
from bson import Decimal128, Int64, decode
from bson.raw_bson import RawBSONDocument

from mongodb._core import Client

from .stored_files import unpack

BIG = 2**53
NAN = float("nan")
KINDS: dict[str, list[Any]] = {
    "int32": [0, 1, -1, 2**31 - 1, -(2**31)],
    "int64": [Int64(v) for v in (0, 5, -5, 2**31, BIG, BIG + 1, -BIG - 1, 10**18, 2**63 - 1,
                                 -(2**63), 123456789012345678, -1000000000000000001)],
    "double": [0.0, 1.0, -2.5, 1e300, float(BIG), -float(2**62), 2.0**63, NAN, 1e-300],
    "null": [None],
    "missing": [...],
    "text": ["", "a", "a\0b"],
    "decimal": [Decimal128("1"), Decimal128("1.00"), Decimal128("1E+3"), Decimal128("-0.5")],
    "odd": [-0.0],
}  # fmt: skip
PURE = [["int32"], ["int64"], ["double"], ["null"], ["missing"], ["text"], ["int32", "text"],
        ["int32", "missing"], ["double", "null", "text"]]  # fmt: skip


def fill(client: Client, values: list[Any], key: dict[str, int]) -> None:
    client.run("db", {"drop": "c"}, check=False)
    client.run("db", {"createIndexes": "c", "indexes": [{"key": key, "name": "i"}]})
    rows = [{"_id": f"{i:04}", "a": v} if v is not ... else {"_id": f"{i:04}"}
            for i, v in enumerate(values)]  # fmt: skip
    if rows:
        client.run("db", {"insert": "c", "documents": rows})


FIND = {"find": "c", "projection": {"_id": 0, "a": 1}, "batchSize": 10_000}


def found(client: Client, **how: Any) -> list[bytes]:
    reply = client.run_raw("db", {**FIND, **how})
    batch = RawBSONDocument(reply)["cursor"]["firstBatch"]
    return sorted(document.raw for document in batch)


def fetched(client: Client, **how: Any) -> int:
    plan = client.run("db", {"explain": {**FIND, **how}, "verbosity": "executionStats"})
    assert "PROJECTION_COVERED" in str(plan["queryPlanner"]["winningPlan"])
    return int(plan["executionStats"]["totalDocsExamined"])


@pytest.mark.parametrize("kinds", PURE, ids="+".join)
@pytest.mark.parametrize("key", [{"a": 1}, {"a": -1}, {"b": 1, "a": -1}], ids=str)
def test_no_document_is_fetched_where_types_are_clear(
    kinds: list[str], key: dict[str, int]
) -> None:
    client = Client("docstore://:memory:")
    values = [v for kind in kinds for v in KINDS[kind]]
    if kinds == ["int64"]:
        values = [v for v in values if v != 0]
    fill(client, values, key)
    assert found(client, hint="i") == found(client, hint={"$natural": 1})
    assert fetched(client, hint="i") == 0
    client.close()


@pytest.mark.parametrize("seed", range(12))
def test_a_covered_find_gives_the_bytes_of_the_documents(seed: int, tmp_path: pathlib.Path) -> None:
    """Whatever came in, in which order, and what was undone."""
    rng = random.Random(seed)
    path = f"docstore://{tmp_path}/covered.db"
    client = Client(path)
    for _ in range(8):
        kinds = rng.sample(sorted(KINDS), rng.randint(1, 3))
        values = [rng.choice(KINDS[rng.choice(kinds)]) for _ in range(rng.randint(0, 60))]
        fill(client, values, {"a": rng.choice((1, -1))})
        session = {"lsid": {"id": bytes_of(rng)}, "txnNumber": Int64(1)}
        late = rng.choice(KINDS[rng.choice([k for k in KINDS if k != "missing"])])
        begin = {"startTransaction": True, "autocommit": False}
        client.run(
            "db", {"insert": "c", "documents": [{"_id": "x", "a": late}], **session, **begin}
        )
        end = rng.choice(["abortTransaction", "commitTransaction"])
        client.run("admin", {end: 1, "autocommit": False, **session})
        if rng.random() < 0.5:
            change = {"q": {"_id": "0000"}, "u": {"$set": {"a": late}}}
            client.run("db", {"update": "c", "updates": [change]})
        if rng.random() < 0.3:
            client.close()
            client = Client(path)
        if rng.random() < 0.3:
            client.run("db", {"dropIndexes": "c", "index": "i"})
            client.run("db", {"createIndexes": "c", "indexes": [{"key": {"a": 1}, "name": "i"}]})
        assert found(client, hint="i") == found(client, hint={"$natural": 1})
    client.close()


def bytes_of(rng: random.Random) -> Any:
    import uuid

    from bson.binary import Binary

    return Binary.from_uuid(uuid.UUID(int=rng.getrandbits(128), version=4))


def test_what_another_process_has_put_in_is_known(tmp_path: pathlib.Path) -> None:
    path = f"docstore://{tmp_path}/two.db"
    with Client(path) as one, Client(path) as two:
        fill(one, [1, 2, 3], {"a": 1})
        assert fetched(one, hint="i") == 0
        two.run("db", {"insert": "c", "documents": [{"_id": "y", "a": 2.0}]})
        assert found(one, hint="i") == found(one, hint={"$natural": 1})
        assert 0 < fetched(one, hint="i") <= 4
        two.run("db", {"insert": "c", "documents": [{"_id": "z", "a": Decimal128("2.00")}]})
        assert found(one, hint="i") == found(one, hint={"$natural": 1})


@pytest.mark.parametrize("name", ["format_1", "format_3"])
def test_indexes_of_older_files_fetch_as_before(name: str, tmp_path: pathlib.Path) -> None:
    path = unpack(name, tmp_path)
    with Client(f"docstore://{path}") as client:
        ask = {"find": "things", "filter": {"n": {"$gte": 0}}, "projection": {"_id": 0, "n": 1}}
        explain = {"explain": {**ask, "hint": "n"}, "verbosity": "executionStats"}
        before = client.run("shop", explain)["executionStats"]
        assert before["totalDocsExamined"] == before["nReturned"] > 0
        client.run("shop", {"insert": "things", "documents": [{"_id": "new", "n": 3}]})
        after = decode(client.run_raw("shop", {**ask, "hint": "n", "batchSize": 1000}))
        plain = decode(client.run_raw("shop", {**ask, "hint": {"$natural": 1}, "batchSize": 1000}))
        assert sorted(map(str, after["cursor"]["firstBatch"])) == sorted(
            map(str, plain["cursor"]["firstBatch"])
        )


def open_find(run: Any, name: str) -> tuple[list[Any], int]:
    """Begin a covered find of all numbers; more is to come."""
    run({"createIndexes": name, "indexes": [{"key": {"a": 1}, "name": "a_1"}]})
    run({"insert": name, "documents": [{"_id": n, "a": n} for n in range(300)]})
    find = {"find": name, "filter": {"a": {"$gte": 0}}, "projection": {"_id": 0, "a": 1}}
    cursor = run({**find, "hint": "a_1", "batchSize": 2})["cursor"]
    return cursor["firstBatch"], cursor["id"]


def rest_of(run: Any, name: str, cursor: int) -> list[Any]:
    rows = []
    while cursor:
        reply = run({"getMore": cursor, "collection": name, "batchSize": 70})["cursor"]
        rows += reply["nextBatch"]
        cursor = reply["id"]
    return rows


LATER = {
    "long": {"q": {"_id": {"$gt": 100}}, "u": [{"$set": {"a": {"$toLong": "$a"}}}], "multi": True},
    "double": {
        "q": {"_id": {"$lt": 200}}, "u": [{"$set": {"a": {"$toDouble": "$a"}}}], "multi": True,
    },
    "array": {"q": {"_id": 250}, "u": {"$set": {"a": [250]}}},
}  # fmt: skip


@pytest.mark.parametrize("inside", [False, True])
@pytest.mark.parametrize("kind", LATER)
def test_types_that_come_while_a_cursor_is_open(tmp_path: Any, kind: str, inside: bool) -> None:
    with Client(f"docstore://{tmp_path}/s.docstore") as client:
        session = client.session()

        def run(command: dict[str, Any]) -> Any:
            return client.run("t", command, session=session)

        first, cursor = open_find(run, "c")
        if inside:
            session.begin()
            find = {"find": "c", "filter": {"a": {"$gte": 0}}, "projection": {"_id": 0, "a": 1}}
            cursor = run({**find, "hint": "a_1", "batchSize": 2})["cursor"]["id"]
        run({"update": "c", "updates": [LATER[kind]]})
        found = rest_of(run, "c", cursor)
        stored = [one["a"] for one in run({"find": "c", "batchSize": 400})["cursor"]["firstBatch"]]
        session.close()
    assert [n["a"] for n in first] == [0, 1]
    assert [(type(n["a"]), n["a"]) for n in found] == [(type(n), n) for n in stored[2:]]
