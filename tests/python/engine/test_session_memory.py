# SPDX-License-Identifier: Apache-2.0
"""What sessions hold between commands is bounded together with the idle cursors."""

import ctypes
import time
import uuid
from typing import Any

import bson

from mongodb import _core

TOO_MANY_SESSIONS, INCOMPLETE_HISTORY, NOT_FOUND, NO_SUCH_TRANSACTION = 261, 217, 43, 251
KB, MB = 1 << 10, 1 << 20


NUMBERS = "arena ordblks smblks hblks hblkhd usmblks fsmblks uordblks fordblks keepcost"


class Numbers(ctypes.Structure):
    _fields_ = [(name, ctypes.c_size_t) for name in NUMBERS.split()]


def held() -> int:
    """Give the bytes that are allocated now."""
    library = ctypes.CDLL(None)
    library.mallinfo2.restype = Numbers
    now = library.mallinfo2()
    return int(now.uordblks + now.hblkhd)


def opened(megabytes: int) -> tuple[Any, Any]:
    client = _core.Client(f"docstore://:memory:?cursorMemoryMB={megabytes}")

    def run(**command: Any) -> Any:
        return bson.decode(client.run_raw("t", command, check=False))

    return client, run


def session() -> dict[str, Any]:
    return {"id": bson.Binary.from_uuid(uuid.uuid4())}


def count_up(run: Any, lsid: Any, number: int = 1, _id: int = 1) -> Any:
    return run(findAndModify="c", query={"_id": _id}, update={"$inc": {"n": 1}},
               lsid=lsid, txnNumber=bson.Int64(number))  # fmt: skip


def test_thousands_of_sessions_keep_their_answers_in_the_file() -> None:
    client, run = opened(16)
    run(insert="c", documents=[{"_id": 1, "n": 0, "s": "x" * 100 * KB}])
    sessions = [session() for _ in range(900)]
    before = held()
    most = 0
    for lsid in sessions:
        assert count_up(run, lsid)["value"]
        most = max(most, held() - before)
    assert most < 48 * MB, f"{most}: a cache of pages takes 32"
    replies = [count_up(run, lsid) for lsid in reversed(sessions)]
    again = [reply["ok"] == 1 for reply in replies]
    assert 300 < sum(again) < 850, "the newest answers are still held: 32 to 80 MB"
    assert again == sorted(again, reverse=True)
    assert {r["code"] for r in replies if not r["ok"]} == {INCOMPLETE_HISTORY}
    assert "Incomplete history detected" in replies[-1]["errmsg"]
    assert run(find="c")["cursor"]["firstBatch"][0]["n"] == 900, "nothing was done twice"
    assert count_up(run, sessions[0], 2)["ok"], "the session itself goes on"
    client.close()


def test_cursors_and_transactions_share_the_limit() -> None:
    client, run = opened(4)
    run(insert="c", documents=[{"_id": i, "n": 0, "s": "x" * 100 * KB} for i in range(60)])
    group = [{"$group": {"_id": "$_id", "s": {"$first": "$s"}}}]
    cursor = run(aggregate="c", pipeline=group, cursor={"batchSize": 1})["cursor"]["id"]
    assert read(run, session(), startTransaction=True)["ok"]
    assert read(run, session(), startTransaction=True)["ok"]
    assert run(getMore=cursor, collection="c", batchSize=1)["code"] == NOT_FOUND
    client.close()


def test_numbers_alone_are_bounded_and_no_write_is_forgotten() -> None:
    client, run = opened(1)
    run(insert="c", documents=[{"_id": 1, "n": 0}])
    refused: Any = None
    sessions: list[Any] = []

    def add(lsid: Any) -> Any:
        return run(update="c", updates=[{"q": {"_id": 1}, "u": {"$inc": {"n": 1}}}], lsid=lsid,
                   txnNumber=bson.Int64(1))  # fmt: skip

    while len(sessions) < 5000:
        lsid = session()
        reply = add(lsid)
        if not reply["ok"]:
            refused = reply
            break
        sessions.append(lsid)
    assert refused is not None and refused["code"] == TOO_MANY_SESSIONS, refused
    assert len(sessions) > 1000
    assert run(endSessions=sessions[1:])["ok"]
    assert {tuple(add(lsid)["retriedStmtIds"]) for lsid in sessions} == {(0,)}
    assert run(find="c")["cursor"]["firstBatch"][0]["n"] == len(sessions)
    client.close()


def read(run: Any, lsid: Any, **more: Any) -> Any:
    pipeline = [{"$group": {"_id": {"$max": "$s"}}}, {"$count": "n"}]
    return run(aggregate="c", pipeline=pipeline, cursor={}, lsid=lsid, txnNumber=bson.Int64(1),
               autocommit=False, **more)  # fmt: skip


def test_idle_transactions_give_back_what_they_read() -> None:
    client, run = opened(16)
    run(insert="c", documents=[{"_id": i, "s": "x" * 100 * KB} for i in range(60)])
    sessions = [session() for _ in range(12)]
    before = held()
    for lsid in sessions:
        assert read(run, lsid, startTransaction=True)["ok"]
    assert held() - before < 30 * MB, "without: 12 times 7 MB"
    run(insert="c", documents=[{"_id": "later"}])
    for lsid in sessions:
        assert read(run, lsid)["cursor"]["firstBatch"] == [{"n": 1}], "the snapshots are kept"
    client.close()


def test_killing_all_of_many_sessions_is_quick() -> None:
    client, run = opened(256)
    run(insert="c", documents=[{"_id": 1, "n": 0}])
    for _ in range(20000):
        assert count_up(run, session())["ok"]
    begun = time.thread_time()
    assert bson.decode(client.run_raw("admin", {"killAllSessions": []}))["ok"]
    assert time.thread_time() - begun < 0.15
    client.close()


def test_idle_snapshots_give_back_what_they_read() -> None:
    client, run = opened(8)
    run(insert="c", documents=[{"_id": i, "s": "x" * 100 * KB} for i in range(100)])
    pipeline = [{"$group": {"_id": {"$max": "$s"}}}, {"$count": "n"}]
    concern = {"level": "snapshot"}
    before = held()
    for _ in range(20):
        reply = run(aggregate="c", pipeline=pipeline, cursor={}, readConcern=concern)
        assert reply["cursor"]["atClusterTime"], reply
    assert held() - before < 60 * MB, "without: 20 times 12 MB"
    client.close()


def test_too_many_idle_transactions_end_the_oldest_first() -> None:
    client, run = opened(8)
    run(insert="c", documents=[{"_id": 1}])
    sessions = [session() for _ in range(60)]
    before = held()
    for lsid in sessions:
        assert read(run, lsid, startTransaction=True)["ok"]
    assert held() - before < 20 * MB
    replies = [read(run, lsid) for lsid in reversed(sessions)]
    alive = [reply["ok"] == 1 for reply in replies]
    assert 10 < sum(alive) < 30 and alive == sorted(alive, reverse=True), alive
    assert {r["code"] for r in replies if not r["ok"]} == {NO_SUCH_TRANSACTION}
    assert "memory" in replies[-1]["errmsg"]
    assert replies[-1]["errorLabels"] == ["TransientTransactionError"]
    client.close()
