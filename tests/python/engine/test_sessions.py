# SPDX-License-Identifier: Apache-2.0
"""Sessions, transactions and retried writes of the embedded engine, as a replica set answers."""

import threading
import time
import uuid
from collections.abc import Iterator
from typing import Any

import bson
import pytest
from bson import Int64
from bson.binary import Binary

from mongodb import _core


class Session:
    """Commands with one lsid."""

    def __init__(self, client: _core.Client) -> None:
        self.client = client
        self.lsid = {"id": Binary(uuid.uuid4().bytes, 4)}

    def run(self, command: dict[str, Any], number: int | None = None, **extra: Any) -> Any:
        command = {**command, "lsid": self.lsid}
        if number is not None:
            command["txnNumber"] = Int64(number)
        command.update(extra)
        return bson.decode(self.client.run_raw("admin", {**command, "$db": "t"}, check=False))

    def txn(self, command: dict[str, Any], number: int, start: bool = False) -> Any:
        extra: dict[str, Any] = {"autocommit": False}
        if start:
            extra["startTransaction"] = True
        return self.run(command, number, **extra)

    def end(self, what: str, number: int) -> Any:
        command = {
            f"{what}Transaction": 1,
            "lsid": self.lsid,
            "txnNumber": Int64(number),
            "autocommit": False,
        }
        return bson.decode(self.client.run_raw("admin", command, check=False))


@pytest.fixture
def client() -> Iterator[_core.Client]:
    client = _core.Client("docstore://:memory:")
    client.run("t", {"insert": "c", "documents": [{"_id": 1, "v": 1}]})
    yield client
    client.close()


@pytest.fixture
def session(client: _core.Client) -> Session:
    return Session(client)


def insert(i: int) -> dict[str, Any]:
    return {"insert": "c", "documents": [{"_id": i}]}


def count(client: _core.Client) -> int:
    return int(client.run("t", {"count": "c", "query": {}})["n"])


def test_retried_write_is_applied_once(client: _core.Client, session: Session) -> None:
    update = {"update": "c", "updates": [{"q": {"_id": 1}, "u": {"$inc": {"v": 1}}}]}
    first = session.run(update, 1)
    assert first["n"] == first["nModified"] == 1
    assert session.run(update, 1)["nModified"] == 1
    assert client.run("t", {"find": "c"})["cursor"]["firstBatch"][0]["v"] == 2
    assert session.run(update, 2)["nModified"] == 1
    assert client.run("t", {"find": "c"})["cursor"]["firstBatch"][0]["v"] == 3
    assert session.run(update, 1)["code"] == 225


def test_retried_find_and_modify_gives_the_same_document(session: Session) -> None:
    command = {"findAndModify": "c", "query": {"_id": 1}, "update": {"$inc": {"v": 1}}}
    first = session.run(command, 7)
    assert first["value"] == {"_id": 1, "v": 1}
    assert session.run(command, 7) == {**first, "retriedStmtId": 0}


def test_transaction_number_needs_a_retryable_command(session: Session) -> None:
    assert session.run({"find": "c"}, 1)["code"] == 50768


def test_commit_may_be_repeated_and_ends_the_transaction(
    client: _core.Client, session: Session
) -> None:
    assert session.txn(insert(2), 1, start=True)["ok"] == 1
    assert count(client) == 1
    assert session.end("commit", 1)["ok"] == 1
    assert session.end("commit", 1)["ok"] == 1
    assert count(client) == 2
    assert session.txn(insert(3), 1)["code"] == 256
    assert session.end("abort", 1)["code"] == 256


def test_older_transaction_numbers_are_refused(session: Session) -> None:
    assert session.txn(insert(2), 5, start=True)["ok"] == 1
    assert session.end("commit", 5)["ok"] == 1
    assert session.txn(insert(3), 4, start=True)["code"] == 225
    reply = session.txn(insert(3), 6)
    assert reply["code"] == 251
    assert reply["errorLabels"] == ["TransientTransactionError"]


def test_failed_statement_aborts_the_transaction(client: _core.Client, session: Session) -> None:
    assert session.txn(insert(2), 1, start=True)["n"] == 1
    reply = session.txn(insert(1), 1)
    assert reply["writeErrors"][0]["code"] == 11000
    assert session.txn(insert(3), 1)["code"] == 251
    assert count(client) == 1


def test_ended_session_aborts_its_transaction_and_cursors(
    client: _core.Client, session: Session
) -> None:
    client.run("t", {"insert": "d", "documents": [{"_id": i} for i in range(10)]})
    cursor = session.run({"find": "d", "batchSize": 2})["cursor"]["id"]
    assert session.txn(insert(2), 1, start=True)["ok"] == 1
    client.run("admin", {"endSessions": [session.lsid]})
    assert session.run({"getMore": Int64(cursor), "collection": "d"})["code"] == 43
    assert count(client) == 1
    client.run("t", insert(9))  # the writer's lock is free again


def test_collection_made_in_a_transaction_goes_with_it(
    client: _core.Client, session: Session
) -> None:
    assert session.txn({"insert": "new", "documents": [{"_id": 1}]}, 1, start=True)["n"] == 1
    assert session.end("abort", 1)["ok"] == 1
    names = client.run("t", {"listCollections": 1})["cursor"]["firstBatch"]
    assert [c["name"] for c in names] == ["c"]


def test_cursors_belong_to_their_session(client: _core.Client, session: Session) -> None:
    client.run("t", {"insert": "d", "documents": [{"_id": i} for i in range(10)]})
    cursor = Int64(session.run({"find": "d", "batchSize": 2})["cursor"]["id"])
    more = {"getMore": cursor, "collection": "d"}
    assert Session(client).run(more)["code"] == 50738
    assert client.run("t", more, check=False)["code"] == 50737
    assert session.run({**more, "collection": "e"})["code"] == 13
    assert len(session.run(more)["cursor"]["nextBatch"]) == 8


def test_cursor_goes_on_after_writes_between_batches(client: _core.Client) -> None:
    client.run("t", {"insert": "d", "documents": [{"_id": i} for i in range(10)]})
    cursor = client.run("t", {"find": "d", "batchSize": 3})["cursor"]["id"]
    deletes = [{"q": {"_id": {"$in": [2, 4]}}, "limit": 0}]
    client.run("t", {"delete": "d", "deletes": deletes})
    client.run("t", {"insert": "d", "documents": [{"_id": 99}]})
    rest = client.run("t", {"getMore": Int64(cursor), "collection": "d"})
    assert [d["_id"] for d in rest["cursor"]["nextBatch"]] == [3, 5, 6, 7, 8, 9, 99]


def test_dropped_collection_ends_its_cursors(client: _core.Client) -> None:
    client.run("t", {"insert": "d", "documents": [{"_id": i} for i in range(10)]})
    cursor = client.run("t", {"find": "d", "batchSize": 3})["cursor"]["id"]
    client.run("t", {"drop": "d"})
    reply = client.run("t", {"getMore": Int64(cursor), "collection": "d"}, check=False)
    assert reply["ok"] == 0 and reply["code"] in (43, 175)


def test_threads_do_not_lose_increments(client: _core.Client) -> None:
    update = {"update": "c", "updates": [{"q": {"_id": 1}, "u": {"$inc": {"v": 1}}}]}

    def work() -> None:
        for _ in range(50):
            client.run("t", update)

    threads = [threading.Thread(target=work) for _ in range(4)]
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    assert client.run("t", {"find": "c"})["cursor"]["firstBatch"][0]["v"] == 201


def test_transactions_that_begin_with_a_write_wait_for_their_turn(client: _core.Client) -> None:
    failed: list[Exception] = []

    def work(thread: int) -> None:
        try:
            for i in range(20):
                with client.session() as s:
                    s.begin()
                    document = {"_id": f"{thread}-{i}"}
                    client.run("t", {"insert": "w", "documents": [document]}, session=s)
                    time.sleep(0.002)
                    s.commit()
        except Exception as error:
            failed.append(error)

    client.run("t", {"create": "w"})
    threads = [threading.Thread(target=work, args=(n,)) for n in range(4)]
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    assert not failed
    assert client.run("t", {"count": "w"})["n"] == 80


def test_a_thread_that_waits_for_itself_gets_a_conflict(client: _core.Client) -> None:
    insert = {"insert": "c", "documents": [{}]}
    with client.session() as one, client.session() as two:
        one.begin()
        two.begin()
        client.run("t", insert, session=one)
        reply = client.run("t", insert, session=two, check=False)
        assert reply["code"] == 112
        assert reply["errorLabels"] == ["TransientTransactionError"]
        one.commit()


def inc(number: int = 1) -> dict[str, Any]:
    return {"update": "c", "updates": [{"q": {"_id": 1}, "u": {"$inc": {"v": number}}}]}


@pytest.mark.parametrize("everybody", [False, True])
def test_a_killed_session_knows_its_last_write(
    client: _core.Client, session: Session, everybody: bool
) -> None:
    first = session.run(inc(), 5)
    command: dict[str, Any] = (
        {"killAllSessions": []} if everybody else {"killSessions": [session.lsid]}
    )
    client.run("admin", command)
    assert session.run(inc(), 5) == {**first, "retriedStmtIds": [0]}
    assert session.run(inc(), 4)["code"] == 225  # TransactionTooOld
    assert client.run("t", {"find": "c"})["cursor"]["firstBatch"] == [{"_id": 1, "v": 2}]


def test_a_killed_session_knows_its_committed_transaction(
    client: _core.Client, session: Session
) -> None:
    session.txn(inc(), 1, start=True)
    assert session.end("commit", 1)["ok"] == 1
    client.run("admin", {"killSessions": [session.lsid]})
    assert session.end("commit", 1)["ok"] == 1
    assert session.end("abort", 1)["code"] == 256  # TransactionCommitted


def test_killing_a_session_aborts_its_transaction(client: _core.Client, session: Session) -> None:
    session.txn(inc(), 1, start=True)
    client.run("admin", {"killSessions": [session.lsid]})
    assert session.txn({"find": "c"}, 1)["code"] == 251  # NoSuchTransaction
    assert session.txn({"find": "c"}, 1, start=True)["code"] == 117
    assert session.txn({"find": "c"}, 2, start=True)["ok"] == 1
    assert client.run("t", {"find": "c"})["cursor"]["firstBatch"] == [{"_id": 1, "v": 1}]


def test_a_number_is_a_write_or_a_transaction(client: _core.Client, session: Session) -> None:
    session.run(inc(), 5)
    refused = session.txn({"find": "c"}, 5, start=True)
    assert (refused["code"], refused["codeName"]) == (117, "ConflictingOperationInProgress")
    assert session.end("commit", 5)["code"] == 251
    session.txn({"find": "c"}, 6, start=True)
    assert session.run(inc(), 6)["code"] == 217  # IncompleteTransactionHistory
    assert session.txn({"find": "c"}, 6)["ok"] == 1
    assert session.end("commit", 6)["ok"] == 1
    assert session.run(inc(), 6)["code"] == 217


def test_what_no_transaction_begins_with(client: _core.Client, session: Session) -> None:
    kill = {"killCursors": "c", "cursors": [Int64(7)]}
    assert session.txn(kill, 1, start=True)["code"] == 263
    for name in ("commitTransaction", "abortTransaction"):
        fields = {"lsid": session.lsid, "txnNumber": Int64(1), "autocommit": False}
        command = {name: 1, **fields, "startTransaction": True, "$db": "admin"}
        assert bson.decode(client.run_raw("admin", command, check=False))["code"] == 263
    assert session.txn({"find": "c"}, 1, start=True)["ok"] == 1  # none has begun
    assert session.txn(kill, 1)["ok"] == 1


@pytest.mark.parametrize("level", ["local", "majority", "snapshot"])
def test_collections_are_made_with_read_concern_local(session: Session, level: str) -> None:
    index = {"createIndexes": "new", "indexes": [{"key": {"n": 1}, "name": "n"}]}
    for number, command in enumerate(({"create": "made"}, index), 1):
        concern = {"readConcern": {"level": level}}
        session.txn({"find": "c", **concern}, number, start=True)
        reply = session.txn(command, number)
        assert reply.get("code") == (None if level == "local" else 72), reply
        assert session.end("commit", number).get("code") == (None if level == "local" else 251)


MALFORMED: list[dict[str, Any]] = [
    {"insert": "c"},
    {"insert": "c", "documents": []},
    {"insert": "c", "documents": [{"_id": 9}], "bad": 1},
    {"insert": "", "documents": [{"_id": 9}]},
    {"update": "c", "updates": []},
    {"update": "c", "updates": [{"q": {}}]},
    {"update": "c", "updates": [{"q": {}, "u": {"v": 1}, "bad": 1}]},
    {"delete": "c", "deletes": [{"q": {}}]},
    {"delete": "c", "deletes": [{"q": {}, "limit": 3}]},
]


@pytest.mark.parametrize("command", MALFORMED, ids=repr)
def test_a_malformed_write_leaves_its_session_alone(
    session: Session, command: dict[str, Any]
) -> None:
    assert session.txn(command, 1, start=True)["ok"] == 0
    session.txn({"insert": "c", "documents": [{"_id": 2}]}, 1, start=True)
    assert session.txn(command, 1)["ok"] == 0
    assert session.run(command, 2)["ok"] == 0
    found = session.txn({"find": "c", "filter": {"_id": 2}}, 1)
    assert found["cursor"]["firstBatch"] == [{"_id": 2}]
    assert session.end("commit", 1)["ok"] == 1
