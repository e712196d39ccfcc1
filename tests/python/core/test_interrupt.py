# SPDX-License-Identifier: Apache-2.0
"""Signals and close() end what runs on the embedded store, and undo it."""

import logging
import os
import pathlib
import signal
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Any

import pytest
from bson import Int64

from mongodb import Document as BaseDocument
from mongodb import IntField, _core, connect, disconnect
from mongodb.errors import MongoError

SLOW = {"$expr": {"$gt": [{"$sum": {"$map": {"input": {"$range": [0, 20000]}, "in": 1}}}, 0]}}
COMMANDS: dict[str, dict[str, Any]] = {
    "find": {"find": "n", "filter": SLOW, "batchSize": 3000},
    "count": {"count": "n", "query": SLOW},
    "update": {"update": "n", "updates": [{"q": SLOW, "u": {"$set": {"y": 1}}, "multi": True}]},
    "delete": {"delete": "n", "deletes": [{"q": SLOW, "limit": 0}]},
}


def brief(client: _core.Client) -> dict[str, Any]:
    """A filter of about a second's work on this machine, today."""
    begun = time.monotonic()
    client.run("t", {"count": "n", "query": {"_id": {"$lt": 40}, **SLOW}})
    rows = int(40 / (time.monotonic() - begun))
    return {"_id": {"$lt": min(max(rows, 40), 3000)}, **SLOW}


@pytest.fixture
def client() -> Iterator[_core.Client]:
    with _core.Client("docstore://:memory:") as client:
        client.run("t", {"insert": "n", "documents": [{"_id": i, "x": i} for i in range(3000)]})
        yield client


Handler = Callable[[int, FrameType | None], Any]


@contextmanager
def alarm(seconds: float, handler: Handler | None = None) -> Iterator[None]:
    """SIGINT after a while, with Python's handler or another."""
    before = signal.getsignal(signal.SIGINT)
    signal.signal(signal.SIGINT, handler or signal.default_int_handler)
    timer = threading.Timer(seconds, os.kill, (os.getpid(), signal.SIGINT))
    timer.start()
    try:
        yield
    finally:
        timer.join()
        signal.signal(signal.SIGINT, before)


def runs(client: _core.Client, comment: str = "slow") -> bool:
    """Whether the command with this comment is running."""
    found = client.run("admin", {"currentOp": 1, "command.comment": comment})["inprog"]
    return bool(found)


@contextmanager
def alarm_within(client: _core.Client, handler: Handler) -> Iterator[None]:
    """SIGINT as soon as the command with the comment "slow" runs."""

    def ring() -> None:
        until = time.monotonic() + 10
        while not runs(client) and time.monotonic() < until:
            time.sleep(0.01)
        os.kill(os.getpid(), signal.SIGINT)

    before = signal.signal(signal.SIGINT, handler)
    thread = threading.Thread(target=ring)
    thread.start()
    try:
        yield
    finally:
        thread.join()
        signal.signal(signal.SIGINT, before)


def is_whole(client: _core.Client) -> bool:
    counts = [client.run("t", {"count": "n", "query": q})["n"] for q in ({}, {"y": 1})]
    return counts == [3000, 0]


@pytest.mark.parametrize("name", COMMANDS)
def test_ctrl_c_ends_each_command(client: _core.Client, name: str) -> None:
    begun = time.monotonic()
    with alarm(0.3), pytest.raises(KeyboardInterrupt):
        client.run("t", COMMANDS[name])
    assert time.monotonic() - begun < 3
    assert is_whole(client)


def test_ctrl_c_ends_a_cursor(client: _core.Client) -> None:
    command = {**COMMANDS["find"], "batchSize": 1}
    cursor = client.cursor("t", command)
    next(cursor)
    cursor.set_batch_size(3000)
    begun = time.monotonic()
    with alarm(0.3), pytest.raises(KeyboardInterrupt):
        next(cursor)
    assert time.monotonic() - begun < 3
    with pytest.raises(MongoError):
        next(cursor)
    cursor.close()


def test_ctrl_c_ends_opening_a_cursor(client: _core.Client) -> None:
    with alarm(0.3), pytest.raises(KeyboardInterrupt):
        client.cursor("t", COMMANDS["find"])
    client.close()


def test_ctrl_c_ends_waiting_for_another_writer(client: _core.Client) -> None:
    session = client.session()
    session.begin()
    client.run("t", {"insert": "n", "documents": [{"_id": -1}]}, session)
    begun = time.monotonic()
    with alarm(0.3), pytest.raises(KeyboardInterrupt):
        client.run("t", {"insert": "n", "documents": [{"_id": -2}]})
    assert time.monotonic() - begun < 3
    session.abort()
    session.close()
    assert is_whole(client)


def test_ctrl_c_in_a_transaction_undoes_it(client: _core.Client) -> None:
    session = client.session()
    session.begin()
    client.run("t", {"insert": "n", "documents": [{"_id": -1}]}, session)
    with alarm(0.3), pytest.raises(KeyboardInterrupt):
        client.run("t", COMMANDS["update"], session)
    with pytest.raises(MongoError) as caught:
        client.run("t", {"insert": "n", "documents": [{"_id": -2}]}, session)
    assert caught.value.code == 251
    session.close()
    assert is_whole(client)


def test_a_handler_that_does_not_raise_lets_the_command_end(client: _core.Client) -> None:
    ran = []

    def handler(number: int, frame: FrameType | None) -> None:
        ran.append(runs(client))

    query = brief(client)
    with alarm_within(client, handler):
        reply = client.run("t", {"count": "n", "query": query, "comment": "slow"})
    assert reply["n"] == query["_id"]["$lt"]
    assert ran == [True], "once, while the command ran"


def test_a_handler_may_raise_what_it_likes(client: _core.Client) -> None:
    def handler(number: int, frame: FrameType | None) -> None:
        raise SystemExit("the worker's time is up")

    with alarm(0.2, handler), pytest.raises(SystemExit, match="time is up"):
        client.run("t", COMMANDS["update"])
    assert is_whole(client)


@pytest.mark.parametrize("name", ["count", "update"])
def test_a_handler_may_use_the_store(client: _core.Client, name: str) -> None:
    """It reads; it writes too, unless the command it interrupted writes: then it must not wait."""
    got: list[Any] = []

    def handler(number: int, frame: FrameType | None) -> None:
        begun = time.monotonic()
        got.append(client.run("t", {"count": "n", "query": {"_id": {"$lt": 10}}})["n"])
        try:
            got.append(client.run("t", {"insert": "log", "documents": [{}]})["n"])
        except MongoError as error:
            got.append(error.code)
        got.append(time.monotonic() - begun < 1)

    query = brief(client)
    command = {
        "count": {"count": "n", "query": query},
        "update": {
            "update": "n",
            "updates": [{"q": query, "u": {"$set": {"y": 1}}, "multi": True}],
        },
    }[name]
    command["comment"] = "slow"
    with alarm_within(client, handler):
        reply = client.run("t", command)
    assert reply["n"] == query["_id"]["$lt"]
    assert got == [10, 24 if name == "update" else 1, True]


def test_a_handler_cannot_use_the_session_it_interrupted(client: _core.Client) -> None:
    session = client.session()
    session.begin()
    fields = {"lsid": session.lsid, "txnNumber": Int64(1), "autocommit": False}
    got = []

    def handler(number: int, frame: FrameType | None) -> None:
        begun = time.monotonic()
        try:
            client.run("t", {"find": "n", **fields})
        except MongoError as error:
            got.append((error.code, time.monotonic() - begun < 1))

    query = brief(client)
    find = {"find": "n", "filter": query, "batchSize": 3000, "comment": "slow"}
    with alarm_within(client, handler):
        client.run("t", find, session)
    assert got == [(24, True)]
    session.close()


@pytest.mark.parametrize("name", COMMANDS)
def test_close_ends_what_other_threads_run(client: _core.Client, name: str) -> None:
    errors: list[MongoError] = []

    def work() -> None:
        try:
            client.run("t", COMMANDS[name])
        except MongoError as error:
            errors.append(error)

    keeper = client.session()  # keeps the store
    thread = threading.Thread(target=work)
    thread.start()
    time.sleep(0.2)
    begun = time.monotonic()
    client.close()
    thread.join()
    assert time.monotonic() - begun < 3
    assert [error.code for error in errors] == [11600]
    keeper.close()


def test_a_warning_does_not_take_the_place_of_ctrl_c(
    damaged_log: pathlib.Path, caplog: pytest.LogCaptureFixture
) -> None:
    with _core.Client(f"docstore://{damaged_log}") as client:
        with alarm(0.3), pytest.raises(KeyboardInterrupt):
            client.run("t", COMMANDS["count"])
        assert "is damaged at frame" in caplog.text


def test_ctrl_c_in_a_logging_handler_reaches_the_caller(damaged_log: pathlib.Path) -> None:
    class Interrupted(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            raise KeyboardInterrupt

    handler = Interrupted()
    logger = logging.getLogger("mongodb")
    logger.addHandler(handler)
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        with (
            _core.Client(f"docstore://{damaged_log}") as client,
            pytest.raises(KeyboardInterrupt),
        ):  # noqa: PT012
            client.run("t", {"count": "n"})
            for _ in range(1000):
                pass
    finally:
        signal.signal(signal.SIGINT, before)
        logger.removeHandler(handler)


def test_ctrl_c_ends_a_queryset() -> None:
    class Number(BaseDocument):
        n = IntField()

    connect(host="docstore://:memory:")
    try:
        Number.objects.insert([Number(n=i) for i in range(3000)])
        begun = time.monotonic()
        with alarm(0.3), pytest.raises(KeyboardInterrupt):
            Number.objects(__raw__=SLOW).update(n=-1)
        assert time.monotonic() - begun < 3
        assert Number.objects(n=-1).count() == 0
    finally:
        disconnect()
