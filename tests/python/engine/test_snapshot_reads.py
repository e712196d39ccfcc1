# SPDX-License-Identifier: Apache-2.0
"""readConcern snapshot outside of transactions: what was read once is read again."""

import os
import pathlib
import threading
import uuid
from typing import Any

import bson
import pytest
from bson import Binary, Timestamp

from mongodb import _core

Run = Any


@pytest.fixture
def run(raw: Any) -> Run:
    def run_command(command: dict[str, Any]) -> dict[str, Any]:
        return raw("snapshots", command)

    run_command({"drop": "c"})
    run_command({"insert": "c", "documents": [{"_id": n} for n in range(5)]})
    return run_command


@pytest.fixture
def lsid() -> dict[str, Any]:
    return {"id": Binary(uuid.uuid4().bytes, 4)}


def snapshot(time: Timestamp | None = None) -> dict[str, Any]:
    return {"level": "snapshot", **({"atClusterTime": time} if time else {})}


def ids(reply: dict[str, Any], batch: str = "firstBatch") -> list[int]:
    assert reply.get("ok"), reply
    return [doc["_id"] for doc in reply["cursor"][batch]]


def test_a_time_reads_what_was_there_then(run: Run, lsid: dict[str, Any]) -> None:
    first = run({"find": "c", "readConcern": snapshot(), "lsid": lsid})
    time = first["cursor"]["atClusterTime"]
    run({"insert": "c", "documents": [{"_id": 5}]})
    run({"delete": "c", "deletes": [{"q": {"_id": 0}, "limit": 1}]})
    again = {"readConcern": snapshot(time), "lsid": lsid}
    assert ids(run({"find": "c", **again})) == [0, 1, 2, 3, 4]
    assert ids(run({"find": "c", "filter": {"_id": {"$gte": 4}}, **again})) == [4]
    counted = run({"aggregate": "c", "pipeline": [{"$count": "n"}], "cursor": {}, **again})
    assert counted["cursor"]["firstBatch"] == [{"n": 5}]
    assert counted["cursor"]["atClusterTime"] == time
    distinct = run({"distinct": "c", "key": "_id", **again})
    assert (distinct["values"], distinct["atClusterTime"]) == ([0, 1, 2, 3, 4], time)
    assert ids(run({"find": "c"})) == [1, 2, 3, 4, 5]
    assert ids(run({"find": "c", "readConcern": snapshot(), "lsid": lsid})) == [1, 2, 3, 4, 5]


def test_batches_after_the_first_read_the_same_snapshot(run: Run, lsid: dict[str, Any]) -> None:
    for command in (
        {"find": "c", "batchSize": 2},
        {"aggregate": "c", "pipeline": [{"$match": {}}], "cursor": {"batchSize": 2}},
    ):
        first = run({**command, "readConcern": snapshot(), "lsid": lsid})
        run({"insert": "c", "documents": [{"_id": 7}]})
        run({"delete": "c", "deletes": [{"q": {"_id": 3}, "limit": 1}]})
        more = {"getMore": bson.Int64(first["cursor"]["id"]), "collection": "c", "lsid": lsid}
        rest = run(more)
        assert ids(rest, "nextBatch") == [2, 3, 4]
        assert rest["cursor"]["atClusterTime"] == first["cursor"]["atClusterTime"]
        run({"delete": "c", "deletes": [{"q": {}, "limit": 0}]})
        run({"insert": "c", "documents": [{"_id": n} for n in range(5)]})


@pytest.mark.parametrize("change", ["drop", "renameCollection", "dropDatabase"])
def test_a_time_reads_what_is_gone_since(run: Run, change: str, store_uri: str) -> None:
    """MongoDB 6.0 finds nothing; what came under the same name since is not read by either."""
    if store_uri.startswith("mongodb:"):
        pytest.skip("documented as a difference")
    run({"drop": "e"})
    time = run({"find": "c", "readConcern": snapshot()})["cursor"]["atClusterTime"]
    names = {"renameCollection": "snapshots.c", "to": "snapshots.e", "dropTarget": True}
    run(
        {**names, "$db": "admin"}
        if change == "renameCollection"
        else {change: 1 if change == "dropDatabase" else "c"}
    )
    run({"insert": "c", "documents": [{"_id": 77}]})
    assert ids(run({"find": "c", "readConcern": snapshot(time)})) == [0, 1, 2, 3, 4]
    assert ids(run({"find": "e", "readConcern": snapshot(time)})) == []
    assert ids(run({"find": "c"})) == [77]


@pytest.mark.parametrize(
    "write",
    [
        {"insert": "c", "documents": [{"_id": 9}]},
        {"update": "c", "updates": [{"q": {}, "u": {"$set": {"a": 1}}}]},
        {"delete": "c", "deletes": [{"q": {}, "limit": 0}]},
        {"findAndModify": "c", "query": {}, "remove": True},
        {"create": "other"},
    ],
    ids=lambda write: next(iter(write)),
)
def test_a_snapshot_session_takes_no_writes(
    run: Run, lsid: dict[str, Any], write: dict[str, Any]
) -> None:
    first = run({"find": "c", "readConcern": snapshot(), "lsid": lsid})
    for concern in (snapshot(), snapshot(first["cursor"]["atClusterTime"])):
        reply = run({**write, "readConcern": concern, "lsid": lsid})
        assert (reply["ok"], reply["code"]) == (0, 72)
    assert ids(run({"find": "c"})) == [0, 1, 2, 3, 4]


def test_times_that_cannot_be_read_are_refused(run: Run) -> None:
    time = run({"find": "c", "readConcern": snapshot()})["cursor"]["atClusterTime"]

    def code(at: Timestamp) -> int:
        reply = run({"find": "c", "readConcern": snapshot(at)})
        return reply.get("code", 0)

    assert code(Timestamp(time.time + 1000, 1)) == 72
    assert code(Timestamp(5, 1)) in (239, 246)
    assert code(time) == 0


def test_ending_the_session_releases_its_snapshot() -> None:
    client = _core.Client("docstore://:memory:")
    run = lambda command: bson.decode(client.run_raw("db", command, check=False))  # noqa: E731
    lsid = {"id": Binary(uuid.uuid4().bytes, 4)}
    run({"insert": "c", "documents": [{"_id": 1}]})
    time = run({"find": "c", "readConcern": snapshot(), "lsid": lsid})["cursor"]["atClusterTime"]
    more = run({"find": "c", "batchSize": 0, "readConcern": snapshot(time), "lsid": lsid})
    run({"endSessions": [lsid]})
    assert run({"find": "c", "readConcern": snapshot(time)})["code"] == 239
    reply = run({"getMore": more["cursor"]["id"], "collection": "c", "lsid": lsid})
    assert reply["code"] == 43
    client.close()


def test_the_oldest_of_many_snapshots_is_released() -> None:
    client = _core.Client("docstore://:memory:")
    run = lambda command: bson.decode(client.run_raw("db", command, check=False))  # noqa: E731
    times = []
    for n in range(40):
        run({"insert": "c", "documents": [{"_id": n}]})
        times.append(run({"find": "c", "readConcern": snapshot()})["cursor"]["atClusterTime"])
    assert times == sorted(set(times))
    codes = [
        run({"find": "c", "readConcern": snapshot(time), "projection": {"_id": 1}}).get("code", 0)
        for time in times
    ]
    assert codes == [239] * 8 + [0] * 32
    for n, time in list(enumerate(times))[8:]:
        found = run({"find": "c", "readConcern": snapshot(time), "batchSize": 99})
        assert ids(found) == list(range(n + 1))
    client.close()


def test_threads_share_a_snapshot() -> None:
    client = _core.Client("docstore://:memory:")
    run = lambda command: bson.decode(client.run_raw("db", command, check=False))  # noqa: E731
    run({"insert": "c", "documents": [{"_id": n} for n in range(50)]})
    time = run({"find": "c", "readConcern": snapshot()})["cursor"]["atClusterTime"]
    counts: list[int] = []

    def work(thread: int) -> None:
        for n in range(30):
            run({"insert": "c", "documents": [{"_id": f"{thread} {n}"}]})
            found = run({"find": "c", "batchSize": 5000, "readConcern": snapshot(time)})
            counts.append(len(found["cursor"]["firstBatch"]))

    threads = [threading.Thread(target=work, args=(n,)) for n in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert counts == [50] * 120
    client.close()


def test_a_held_snapshot_does_not_cost_forked_children_the_file(tmp_path: pathlib.Path) -> None:
    client = _core.Client(f"docstore://{tmp_path}/held.docstore")
    run = lambda command: bson.decode(client.run_raw("db", command, check=False))  # noqa: E731
    run({"insert": "c", "documents": [{"_id": 1}]})
    time = run({"find": "c", "readConcern": snapshot()})["cursor"]["atClusterTime"]
    child = os.fork()
    if child == 0:
        reply: dict[str, Any] = {}
        try:
            reply = run({"insert": "c", "documents": [{"_id": 2}]})
        finally:
            os._exit(0 if reply.get("n") == 1 else 1)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    assert ids(run({"find": "c"})) == [1, 2]
    # the fork released it: an error, never other data
    assert run({"find": "c", "readConcern": snapshot(time)})["code"] == 239
    client.close()


def test_pymongos_snapshot_sessions(connected: str) -> None:
    from mongodb import get_connection, get_db

    if connected.startswith("docstore"):
        db, client = get_db(), get_connection()
    else:
        from pymongo import MongoClient

        client = MongoClient(connected)
        db = client["pymongo_snapshots"]
        db.c.drop()
    db.c.insert_many([{"_id": n} for n in range(3)])
    with client.start_session(snapshot=True) as session:
        assert db.c.count_documents({}, session=session) == 3
        db.c.insert_one({"_id": 3})
        assert db.c.count_documents({}, session=session) == 3
        assert db.c.distinct("_id", session=session) == [0, 1, 2]
        assert [doc["_id"] for doc in db.c.find(session=session, batch_size=2)] == [0, 1, 2]
    assert db.c.count_documents({}) == 4
    if not connected.startswith("docstore"):
        client.close()
