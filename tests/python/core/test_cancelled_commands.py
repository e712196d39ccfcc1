# SPDX-License-Identifier: Apache-2.0
"""Every command that can take long is ended by killOp, by its client's going away, by the server's
stop and by maxTimeMS, soon and without a trace."""

import os
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

import bson
import pytest
from pymongo import MongoClient
from pymongo.errors import OperationFailure, PyMongoError

from mongodb import _core

from .conftest import Dial, message

Spec = dict[str, Any]
INTERRUPTED, SHUTDOWN, EXPIRED = 11601, 11600, 50
# until what ended it is answered; the machine may be busy
SOON = 3 if "ASAN_OPTIONS" in os.environ else 0.5
LIMIT = OVER = 0.1  # of maxTimeMS, and past it: of the processor's time


def slow(below: int = 1) -> Spec:
    """Match each document, or none, after about a millisecond."""
    work = {"$filter": {"input": {"$range": [0, 15000]}, "cond": {"$lt": ["$$this", 0]}}}
    return {"$expr": {"$lt": [{"$size": work}, below]}}


def documents(n: int, first: int = 0) -> list[Spec]:
    return [{"_id": first + i, "n": i, "a": [i * 1000 + k for k in range(1000)]} for i in range(n)]


COPIED = [{"$match": slow()}, {"$project": {"a": 0}}]
COMMANDS: dict[str, Spec] = {
    "insert": {"insert": "indexed", "documents": documents(700, 10000)},
    "find": {"find": "c", "filter": slow(0)},
    "count": {"count": "c", "query": slow()},
    "distinct": {"distinct": "c", "key": "n", "query": slow()},
    "update": {"update": "c", "updates": [{"q": slow(), "u": {"$inc": {"n": 1}}, "multi": True}]},
    "update by index": {"update": "indexed", "updates": [
        {"q": {"a": {"$gte": 0}}, "u": {"$inc": {"a.$[]": 1}}, "multi": True}]},
    "delete": {"delete": "c", "deletes": [{"q": slow(), "limit": 0}]},
    "delete with keys": {"delete": "indexed", "deletes": [{"q": slow(), "limit": 0}]},
    "many deletes": {"delete": "c", "deletes": [{"q": slow(0), "limit": 1}] * 3},
    "findAndModify": {"findAndModify": "c", "query": slow(0), "update": {"$inc": {"n": 1}}},
    "findAndModify sorted": {"findAndModify": "c", "query": slow(), "sort": {"n": -1},
                             "remove": True},
    "aggregate": {"aggregate": "c", "pipeline": [{"$match": slow(0)}], "cursor": {}},
    "$out": {"aggregate": "c", "pipeline": [*COPIED, {"$out": "target"}], "cursor": {}},
    "$merge": {"aggregate": "c", "pipeline": [*COPIED, {"$merge": "target"}], "cursor": {}},
    "createIndexes": {"createIndexes": "c", "indexes": [{"key": {"a": 1, "n": 1}, "name": "an"}]},
    "createIndexes, partial": {"createIndexes": "c", "indexes": [
        {"key": {"a": 1}, "name": "a", "partialFilterExpression": {"n": {"$gte": 0}}},
        {"key": {"n": 1}, "name": "n", "unique": True}]},
    "validate": {"validate": "indexed", "full": True},
    "explain": {"explain": {"find": "c", "filter": slow(0)}, "verbosity": "executionStats"},
}  # fmt: skip
# Those that look at what is held in memory, or change a few rows of the catalog.
MOMENTS = set(
    "buildInfo collMod collStats connectionStatus create currentOp dbStats endSessions features "
    "getCmdLineOpts getLog getParameter hello hostInfo isMaster killAllSessions "
    "killAllSessionsByPattern killCursors killOp killSessions listCollections listCommands "
    "listDatabases listIndexes ping planCacheClear refreshSessions replSetGetStatus rolesInfo "
    "savepoint releaseSavepoint serverStatus startSession top usersInfo whatsmyuri "
    "renameCollection".split()
)
# What ends them is what they are for: they give up what was written, or keep it.
WHOLE = {"abortTransaction", "commitTransaction", "rollbackToSavepoint"}
APART = {"getMore", "convertToCapped", "compact", "drop", "dropDatabase", "dropIndexes"}


def test_every_command_is_one_of_these(store: _core.Client) -> None:
    listed = set(store.run("admin", {"listCommands": 1})["commands"])
    slow_ones = {next(iter(command)) for command in COMMANDS.values()}
    assert listed - slow_ones - MOMENTS - WHOLE == APART


def test_a_batch_ends_in_time(store: _core.Client) -> None:
    find = {"find": "c", "filter": slow(), "projection": {"_id": 1}, "batchSize": 1}
    cursor = store.run("t", find)["cursor"]["id"]
    more = {"getMore": cursor, "collection": "c", "maxTimeMS": int(LIMIT * 1000)}
    used = time.thread_time()
    assert bson.decode(store.run_raw("t", more, check=False))["code"] == EXPIRED
    assert time.thread_time() - used < LIMIT + OVER


@pytest.fixture(scope="module")
def store() -> Iterator[_core.Client]:
    with _core.Client("docstore://:memory:") as client:
        client.run("t", {"insert": "c", "documents": documents(700)})
        client.run("t", {"insert": "target", "documents": [{"_id": -1}]})
        index = {"key": {"a": 1}, "name": "a"}
        client.run("t", {"createIndexes": "indexed", "indexes": [index]})
        client.run("t", {"insert": "indexed", "documents": documents(600)})
        yield client


@pytest.fixture(scope="module")
def server(store: _core.Client) -> Iterator[_core.Server]:
    with _core.Server(store) as server:
        yield server


@pytest.fixture(scope="module")
def mongo(server: _core.Server) -> Iterator[MongoClient[Any]]:
    with MongoClient(server.uri) as client:
        yield client


def state(store: _core.Client) -> Spec:
    """Everything a command could have left behind."""
    found: Spec = {}
    for coll in ("c", "indexed", "target"):
        total = [{"$group": {"_id": None, "n": {"$sum": "$n"}, "count": {"$sum": 1},
                             "a": {"$sum": {"$size": {"$ifNull": ["$a", []]}}},
                             "first": {"$sum": {"$arrayElemAt": ["$a", 0]}}}}]  # fmt: skip
        found[coll] = list(store.cursor("t", {"aggregate": coll, "pipeline": total, "cursor": {}}))
        indexes = store.run("t", {"listIndexes": coll})["cursor"]["firstBatch"]
        found[coll].append(sorted(index["name"] for index in indexes))
    names = store.run("t", {"listCollections": 1})["cursor"]["firstBatch"]
    return {**found, "names": sorted(entry["name"] for entry in names)}


@pytest.fixture(autouse=True)
def untouched(store: _core.Client) -> Iterator[None]:
    before = state(store)
    yield
    assert state(store) == before


def running(store: _core.Client, name: str) -> list[Spec]:
    reply = store.run("admin", {"currentOp": 1, "command.comment": name})
    found: list[Spec] = reply["inprog"]
    return found


def wait_until(what: Callable[[], bool], seconds: float = 10) -> None:
    until = time.monotonic() + seconds
    while not what():
        assert time.monotonic() < until
        time.sleep(0.005)


class Running:
    """A command in a thread, listed and busy: with what it ended, and when."""

    def __init__(self, store: _core.Client, work: Callable[[], object], name: str) -> None:
        self.error: PyMongoError | None = None
        self.ended = 0.0
        self.work = work
        self.thread = threading.Thread(target=self.run)
        self.thread.start()
        wait_until(lambda: bool(running(store, name)))
        time.sleep(0.05)
        self.opid = running(store, name)[0]["opid"]
        self.stopped = time.monotonic()

    def run(self) -> None:
        try:
            self.work()
        except PyMongoError as error:
            self.error = error
        self.ended = time.monotonic()

    def join(self) -> None:
        self.thread.join(20)
        assert not self.thread.is_alive()
        assert self.ended - self.stopped < SOON


@pytest.mark.parametrize("name", COMMANDS)
def test_kill_op(store: _core.Client, mongo: MongoClient[Any], name: str) -> None:
    command = {**COMMANDS[name], "comment": name}
    run = Running(store, lambda: mongo.t.command(command), name)
    store.run("admin", {"killOp": 1, "op": run.opid})
    run.join()
    assert isinstance(run.error, OperationFailure)
    assert run.error.code == INTERRUPTED


@pytest.mark.parametrize("name", COMMANDS)
def test_its_client_goes_away(
    store: _core.Client, server: _core.Server, dial: Dial, name: str
) -> None:
    connection = dial(server.address)
    connection.sendall(message({**COMMANDS[name], "comment": name, "$db": "t"}))
    wait_until(lambda: bool(running(store, name)))
    time.sleep(0.05)
    assert running(store, name)
    connection.close()
    wait_until(lambda: not running(store, name), SOON)


@pytest.mark.parametrize("name", COMMANDS)
def test_the_server_stops(store: _core.Client, name: str) -> None:
    with _core.Server(store) as server, MongoClient(server.uri, retryReads=False) as mongo:
        command = {**COMMANDS[name], "comment": name}
        run = Running(store, lambda: mongo.t.command(command), name)
        server.stop()
        assert time.monotonic() - run.stopped < SOON
        run.join()
        assert run.error is not None
        code = getattr(run.error, "code", None)
        assert code in (None, SHUTDOWN), run.error  # or the connection was closed first
        assert not running(store, name)


@pytest.mark.parametrize("name", COMMANDS)
def test_its_time_is_over(store: _core.Client, name: str) -> None:
    command = {**COMMANDS[name], "maxTimeMS": int(LIMIT * 1000)}
    wall, used = time.monotonic(), time.thread_time()
    reply = bson.decode(store.run_raw("t", command, check=False))
    wall, used = time.monotonic() - wall, time.thread_time() - used
    assert reply.get("code") == EXPIRED, reply
    assert used < LIMIT + OVER, f"{used:.3f} s of {wall:.3f} s"
