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


def test_thousands_of_sessions_hold_what_they_may() -> None:
    client, run = opened(16)
    run(insert="c", documents=[{"_id": 1, "n": 0, "s": "x" * 100 * KB}])
    sessions = [session() for _ in range(3000)]
    before = held()
    most = 0
    for lsid in sessions:
        assert count_up(run, lsid)["value"]
        most = max(most, held() - before)
    assert most < 24 * MB, most
    replies = [count_up(run, lsid) for lsid in reversed(sessions)]
    again = [reply["ok"] == 1 for reply in replies]
    assert 100 < sum(again) < 170, "the newest replies are still held"
    assert again == sorted(again, reverse=True)
    assert {r["code"] for r in replies if not r["ok"]} == {INCOMPLETE_HISTORY}
    assert "Incomplete history detected" in replies[-1]["errmsg"]
    assert run(find="c")["cursor"]["firstBatch"][0]["n"] == 3000, "nothing was done twice"
    assert count_up(run, sessions[0], 2)["ok"], "the session itself goes on"
    client.close()


def test_cursors_and_sessions_share_the_limit() -> None:
    client, run = opened(4)
    run(insert="c", documents=[{"_id": i, "n": 0, "s": "x" * 100 * KB} for i in range(20)])
    group = [{"$group": {"_id": "$_id", "s": {"$first": "$s"}}}]
    cursor = run(aggregate="c", pipeline=group, cursor={"batchSize": 1})["cursor"]["id"]
    first = session()
    assert count_up(run, first)["ok"]
    for _ in range(19):
        assert count_up(run, session())["ok"]
    assert run(getMore=cursor, collection="c", batchSize=1)["code"] == NOT_FOUND
    for _ in range(2):
        run(aggregate="c", pipeline=group, cursor={"batchSize": 1})
    assert count_up(run, first)["code"] == INCOMPLETE_HISTORY
    client.close()


def test_a_short_reply_gives_the_room_of_a_long_one_back() -> None:
    client, run = opened(64)
    run(insert="c", documents=[{"_id": 1, "s": "x" * MB}, {"_id": 2}])
    sessions = [session() for _ in range(30)]
    before = held()
    for lsid in sessions:
        count_up(run, lsid, 1, 1)
        count_up(run, lsid, 2, 2)
    assert held() - before < 4 * MB
    client.close()


def test_numbers_alone_are_bounded_and_none_is_forgotten_too_soon() -> None:
    client, run = opened(1)
    run(insert="c", documents=[{"_id": 1, "n": 0}])
    refused: Any = None
    sessions = []
    while len(sessions) < 5000:
        lsid = session()
        reply = run(update="c", updates=[{"q": {"_id": 1}, "u": {"$inc": {"n": 1}}}], lsid=lsid,
                    txnNumber=bson.Int64(1))  # fmt: skip
        if not reply["ok"]:
            refused = reply
            break
        sessions.append(lsid)
    assert refused is not None and refused["code"] == TOO_MANY_SESSIONS, refused
    assert len(sessions) > 1000
    assert count_up(run, sessions[0])["code"] == INCOMPLETE_HISTORY
    assert run(find="c")["cursor"]["firstBatch"][0]["n"] == len(sessions)
    assert run(endSessions=sessions[1:])["ok"]
    assert count_up(run, session())["ok"]
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
