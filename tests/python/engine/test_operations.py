# SPDX-License-Identifier: Apache-2.0
"""Running operations are listed and can be ended, as mongod does it."""

import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from bson import Int64
from pymongo import MongoClient
from pymongo.errors import OperationFailure

from mongodb import _core

LONG = [
    {"$match": {"_id": {"$lt": 3000}}},
    {
        "$lookup": {
            "from": "many",
            "let": {"a": "$_id"},
            "pipeline": [
                {"$match": {"$expr": {"$gt": ["$x", "$$a"]}}},
                {"$group": {"_id": None, "n": {"$sum": {"$sqrt": "$x"}}}},
            ],
            "as": "joined",
        }
    },
    {"$group": {"_id": None, "n": {"$sum": 1}}},
]


@pytest.fixture(scope="module", params=["served", "mongod"])
def mongo(request: pytest.FixtureRequest) -> Iterator[MongoClient[Any]]:
    """A client of the engine behind a socket, and one of the real server."""
    if request.param == "mongod":
        with MongoClient(request.getfixturevalue("mongod")) as client:
            yield prepared(client)
            client.drop_database("ops")
        return
    with (
        _core.Client("docstore://:memory:") as store,
        _core.Server(store) as server,
        MongoClient(server.uri) as client,
    ):
        yield prepared(client)


def prepared(client: MongoClient[Any]) -> MongoClient[Any]:
    client.ops.many.drop()
    client.ops.many.insert_many([{"_id": i, "x": i} for i in range(5000)])
    return client


class Running:
    """A command in a thread: how it ended, and when."""

    def __init__(self, client: MongoClient[Any], work: Callable[[Any], object]) -> None:
        self.session = client.start_session()
        self.error: OperationFailure | None = None
        self.ended = 0.0
        self.work = work
        self.thread = threading.Thread(target=self.run)
        self.thread.start()

    def run(self) -> None:
        try:
            self.work(self.session)
        except OperationFailure as error:
            self.error = error
        self.ended = time.monotonic()

    def join(self) -> None:
        self.thread.join(30)
        assert not self.thread.is_alive()


def long(client: MongoClient[Any], name: str) -> Running:
    return Running(
        client,
        lambda session: list(client.ops.many.aggregate(LONG, session=session, comment=name)),
    )


def listed(client: MongoClient[Any], name: str) -> dict[str, Any]:
    """What currentOp says of the command with this comment."""
    until = time.monotonic() + 10
    while time.monotonic() < until:
        found = client.admin.command({"currentOp": 1, "command.comment": name})["inprog"]
        if found:
            return found[0]
        time.sleep(0.01)
    raise AssertionError(f"{name} is not listed")


def test_what_runs_is_listed(mongo: MongoClient[Any]) -> None:
    run = long(mongo, "listed")
    op = listed(mongo, "listed")
    staged = list(
        mongo.admin.aggregate([{"$currentOp": {}}, {"$match": {"command.comment": "listed"}}])
    )
    mongo.admin.command("killOp", op=op["opid"])
    run.join()
    assert op["op"] == "command"
    assert op["ns"] == "ops.many"
    assert op["type"] == "op"
    assert op["active"] is True
    assert op["command"]["aggregate"] == "many"
    assert op["lsid"]["id"] == run.session.session_id["id"]
    assert 0 <= op["microsecs_running"] < 10**8
    assert op["secs_running"] == op["microsecs_running"] // 10**6
    assert op["client"]
    assert op["desc"].startswith("conn")
    assert "killPending" not in op
    assert [one["opid"] for one in staged] == [op["opid"]]


def test_kill_op(mongo: MongoClient[Any]) -> None:
    run = long(mongo, "killed")
    begun = time.monotonic()
    reply = mongo.admin.command("killOp", op=listed(mongo, "killed")["opid"])
    run.join()
    assert reply["info"] == "attempting to kill op"
    assert run.error is not None
    assert run.error.code == 11601
    assert run.error.details["codeName"] == "Interrupted"
    assert run.ended - begun < 3


@pytest.mark.parametrize(
    "command",
    [
        lambda lsid: {"killSessions": [{"id": lsid["id"]}]},
        lambda lsid: {"killAllSessions": []},
        lambda lsid: {"killAllSessionsByPattern": []},
        lambda lsid: {"killAllSessionsByPattern": [{"lsid": lsid}]},
    ],
    ids=["killSessions", "killAllSessions", "pattern-all", "pattern-one"],
)
def test_killing_sessions_ends_what_runs_in_them(
    mongo: MongoClient[Any], command: Callable[[Any], dict[str, Any]]
) -> None:
    run = long(mongo, "in a session")
    lsid = dict(listed(mongo, "in a session")["lsid"])
    lsid.setdefault("uid", b"\0" * 32)
    begun = time.monotonic()
    mongo.admin.command(command(lsid))
    run.join()
    assert run.error is not None
    assert run.error.code == 11601
    assert run.ended - begun < 3


def test_killing_a_cursor_ends_its_get_more(mongo: MongoClient[Any]) -> None:
    session = mongo.start_session()
    first = mongo.ops.command(
        {"aggregate": "many", "pipeline": LONG[:2], "cursor": {"batchSize": 0}}, session=session
    )
    cursor = Int64(first["cursor"]["id"])
    more = {"getMore": cursor, "collection": "many", "batchSize": 5000, "comment": "more"}
    run = Running(mongo, lambda _: mongo.ops.command(more, session=session))
    assert listed(mongo, "more")["op"] == "getmore"
    reply = mongo.ops.command({"killCursors": "many", "cursors": [cursor]})
    run.join()
    assert reply["cursorsKilled"] == [cursor]
    assert run.error is not None
    assert run.error.code == 237


@pytest.mark.parametrize(
    "command",
    [{"killAllSessions": []}, {"killSessions": []}, {"killAllSessionsByPattern": [{}]}],
    ids=lambda command: next(iter(command)),
)
def test_killing_all_sessions_closes_their_cursors(
    mongo: MongoClient[Any], command: dict[str, Any]
) -> None:
    """Also those of sessions that only read, of which nothing else is kept."""
    session = mongo.start_session()
    find = {"find": "many", "batchSize": 2}
    cursor = mongo.ops.command(find, session=session)["cursor"]["id"]
    mongo.admin.command(command)
    more = {"getMore": Int64(cursor), "collection": "many"}
    assert mongo.ops.command(more, session=session, check=False).get("code") == 43


@pytest.mark.parametrize(
    ("command", "code"),
    [
        ({"killOp": 1}, 4),
        ({"killOp": 1, "op": "x"}, 14),
        ({"killOp": 1, "op": 5.5}, 2),
        ({"killOp": 1, "op": 2**40}, 26823),
        ({"killOp": 1, "op": 99999999}, None),
        ({"killAllSessions": 1}, 14),
        ({"killAllSessions": [{"user": "a"}]}, 40414),
        ({"killAllSessions": [{"user": "a", "db": "b"}]}, 11),
        ({"killAllSessionsByPattern": 1}, 14),
        ({"killAllSessionsByPattern": [{"zz": 1}]}, 40415),
        ({"killSessions": 5}, 14),
        ({"killSessions": [{"zz": 1}]}, 40415),
        ({"aggregate": 1, "pipeline": [{"$currentOp": 1}], "cursor": {}}, 14),
        ({"aggregate": 1, "pipeline": [{"$currentOp": {"zz": 1}}], "cursor": {}}, 9),
        ({"aggregate": 1, "pipeline": [{"$currentOp": {"allUsers": 1}}], "cursor": {}}, 14),
        ({"aggregate": "c", "pipeline": [{"$currentOp": {}}], "cursor": {}}, 73),
    ],
    ids=str,
)
def test_what_is_refused(mongo: MongoClient[Any], command: dict[str, Any], code: int) -> None:
    assert mongo.admin.command(command, check=False).get("code") == code


def test_only_admin_kills(mongo: MongoClient[Any]) -> None:
    for name in ("killOp", "currentOp"):
        assert mongo.ops.command({name: 1, "op": 1}, check=False)["code"] == 13


def idle(mongo: MongoClient[Any], **options: bool) -> list[dict[str, Any]]:
    found = mongo.admin.aggregate([{"$currentOp": options}, {"$match": {"type": {"$ne": "op"}}}])
    return list(found)


def test_idle_cursors_are_listed_when_asked_for(mongo: MongoClient[Any]) -> None:
    session = mongo.start_session()
    cursor = mongo.ops.many.find({}, batch_size=10, session=session, comment="waits")
    next(cursor)
    one = [
        entry
        for entry in idle(mongo, idleCursors=True)
        if entry.get("cursor", {}).get("cursorId") == cursor.cursor_id
    ][0]
    assert one["type"] == "idleCursor"
    assert one["ns"] == "ops.many"
    assert one["host"]
    assert one["lsid"]["id"] == session.session_id["id"]
    told = one["cursor"]
    assert (told["nDocsReturned"], told["nBatchesReturned"]) == (10, 1)
    assert (told["tailable"], told["awaitData"], told["noCursorTimeout"]) == (False, False, False)
    assert told["originatingCommand"]["find"] == "many"
    assert told["originatingCommand"]["comment"] == "waits"
    assert told["createdDate"] <= told["lastAccessDate"]
    assert not [entry for entry in idle(mongo) if entry["type"] == "idleCursor"]
    cursor.close()
    assert not [
        entry
        for entry in idle(mongo, idleCursors=True)
        if entry.get("cursor", {}).get("originatingCommand", {}).get("comment") == "waits"
    ]


def test_idle_transactions_are_listed_unless_refused(mongo: MongoClient[Any]) -> None:
    session = mongo.start_session()
    session.start_transaction()
    mongo.ops.many.find_one({}, session=session)
    lsid = session.session_id["id"]
    time.sleep(0.01)

    def mine(entries: list[dict[str, Any]]) -> list[dict[str, Any]]:
        return [e for e in entries if e["type"] == "idleSession" and e["lsid"]["id"] == lsid]

    [one] = mine(idle(mongo))
    assert one["desc"] == "inactive transaction"
    assert one["active"] is False
    assert one["waitingForLock"] is False
    told = one["transaction"]
    assert told["parameters"]["txnNumber"] == 1
    assert told["parameters"]["autocommit"] is False
    assert told["timeOpenMicros"] == told["timeActiveMicros"] + told["timeInactiveMicros"]
    assert told["timeInactiveMicros"] >= 5000
    assert told["startWallClockTime"] < told["expiryTime"]
    assert len(told["startWallClockTime"]) == len("2026-11-21T20:55:47.184+00:00")
    assert mine(idle(mongo, idleSessions=True))
    assert not mine(idle(mongo, idleSessions=False))
    assert mine(mongo.admin.command("currentOp")["inprog"])
    session.abort_transaction()
    assert not mine(idle(mongo))
