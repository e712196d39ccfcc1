# SPDX-License-Identifier: Apache-2.0
"""A server that answers nonsense, too much, half or nothing costs its time limit, and no more."""

import os
import pathlib
import socket
import struct
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

import bson
import pytest

from mongodb import _core
from mongodb.errors import MongoError

LIMITS = "serverSelectionTimeoutMS=1000&socketTimeoutMS=500&connectTimeoutMS=500"
HELLO = {
    "ok": 1,
    "helloOk": True,
    "ismaster": True,
    "isWritablePrimary": True,
    "maxBsonObjectSize": 16777216,
    "maxMessageSizeBytes": 48000000,
    "maxWriteBatchSize": 100000,
    "localTime": 0,
    "minWireVersion": 0,
    "maxWireVersion": 17,
    "logicalSessionTimeoutMinutes": 30,
}

# What a message of this id and kind is answered with: bytes to send, and whether to hang up.
Answer = Callable[[int, int], tuple[bytes, bool]]


def frame(request: int, opcode: int, document: bytes) -> bytes:
    if opcode == 2004:
        body = struct.pack("<iqii", 8, 0, 0, 1) + document
        return struct.pack("<iiii", 16 + len(body), 1, request, 1) + body
    body = struct.pack("<I", 0) + b"\0" + document
    return struct.pack("<iiii", 16 + len(body), 1, request, 2013) + body


def sized(size: int) -> Answer:
    """A header that promises `size` bytes, and a few of them."""
    return lambda request, opcode: (
        struct.pack("<iiii", size, 1, request, 1 if opcode == 2004 else 2013) + b"\0" * 20,
        False,
    )


def documents(raw: bytes) -> Answer:
    return lambda request, opcode: (frame(request, opcode, raw), False)


def half(request: int, opcode: int) -> tuple[bytes, bool]:
    whole = frame(request, opcode, bson.encode({"ok": 1, "x": "y" * 1000}))
    return whole[: len(whole) // 2], False


def other_request(request: int, opcode: int) -> tuple[bytes, bool]:
    return frame(request + 77, opcode, bson.encode({"ok": 1})), False


BAD: dict[str, Answer] = {
    "nothing": lambda request, opcode: (b"", False),
    "hangs up": lambda request, opcode: (b"", True),
    "half": half,
    "half, then hangs up": lambda request, opcode: (half(request, opcode)[0], True),
    "garbage": lambda request, opcode: (os.urandom(5000), False),
    "text": lambda request, opcode: (b"HTTP/1.1 400 Bad Request\r\n\r\n" * 10, False),
    "size 0": sized(0),
    "size 15": sized(15),
    "negative size": sized(-1),
    "huge size": sized(2**31 - 1),
    "large size": sized(47_999_999),
    "another opcode": lambda request, opcode: (
        struct.pack("<iiii", 26, 1, request, 2012) + b"\xff" * 10,
        False,
    ),
}


class Server:
    """Answers hello well, so long as `good` answers are left; then everything badly."""

    def __init__(self, bad: Answer, good: int) -> None:
        self.bad = bad
        self.good = good
        self.open: list[socket.socket] = []
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.port = self.listener.getsockname()[1]
        threading.Thread(target=self.accept, daemon=True).start()

    def accept(self) -> None:
        try:
            while True:
                connection, _ = self.listener.accept()
                self.open.append(connection)
                threading.Thread(target=self.serve, args=(connection,), daemon=True).start()
        except OSError:
            pass

    def serve(self, connection: socket.socket) -> None:
        try:
            while True:
                header = self.read(connection, 16)
                size, request, _, opcode = struct.unpack("<iiii", header)
                body = self.read(connection, size - 16)
                hello = b"hello\0" in body[:60] or b"ismaster\0" in body[:60].lower()
                if hello and self.good > 0:
                    connection.sendall(frame(request, opcode, bson.encode(HELLO)))
                    continue
                answer, hang_up = self.bad(request, opcode)
                connection.sendall(answer)
                if hang_up:
                    connection.close()
                    return
        except (OSError, EOFError):
            pass

    def read(self, connection: socket.socket, size: int) -> bytes:
        got = b""
        while len(got) < size:
            part = connection.recv(size - len(got))
            if not part:
                raise EOFError
            got += part
        return got

    def close(self) -> None:
        self.listener.close()
        for connection in self.open:
            connection.close()


def resident() -> int:
    pages = int(pathlib.Path("/proc/self/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE")


@pytest.fixture(params=[0, 1], ids=["from the first", "after hello"])
def server(request: pytest.FixtureRequest) -> Iterator[Callable[[Answer], Server]]:
    made = []

    def make(bad: Answer) -> Server:
        made.append(Server(bad, request.param))
        return made[-1]

    yield make
    for one in made:
        one.close()


# libmongoc reads a hello of such a size without looking (docs/limitations.md).
UNCHECKED = {"garbage", "negative size", "huge size"}


@pytest.mark.parametrize("bad", BAD)
def test_a_bad_answer_is_an_error_in_time(server: Callable[[Answer], Server], bad: str) -> None:
    hostile = server(BAD[bad])
    if hostile.good == 0 and bad in UNCHECKED:
        pytest.skip("the driver library ends the process")
    before = resident()
    begun = time.monotonic()
    with (
        _core.Client(f"mongodb://127.0.0.1:{hostile.port}/?{LIMITS}") as client,
        pytest.raises(MongoError) as caught,
    ):
        client.run("t", {"ping": 1})
    assert time.monotonic() - begun < 4
    assert resident() - before < 80_000_000
    assert str(caught.value)
    assert len(str(caught.value)) < 1000


@pytest.mark.parametrize("bad", ["nothing", "half", "hangs up", "large size", "garbage"])
def test_an_open_cursor_meets_a_bad_answer(bad: str) -> None:
    """The first batch is good; what follows is not."""
    first = {"ok": 1, "cursor": {"id": bson.Int64(5), "ns": "t.c", "firstBatch": [{"_id": 1}]}}
    answers: list[Answer] = [documents(bson.encode(first)), BAD[bad], BAD[bad]]

    def next_answer(request: int, opcode: int) -> tuple[bytes, bool]:
        return (answers.pop(0) if len(answers) > 1 else answers[0])(request, opcode)

    hostile = Server(next_answer, 1)
    begun = time.monotonic()
    try:
        with _core.Client(f"mongodb://127.0.0.1:{hostile.port}/?{LIMITS}") as client:
            cursor: Any = client.cursor("t", {"find": "c", "batchSize": 1})
            assert next(cursor) == {"_id": 1}
            with pytest.raises(MongoError):
                next(cursor)
            cursor.close()
    finally:
        hostile.close()
    assert time.monotonic() - begun < 6


@pytest.mark.parametrize(
    "reply",
    [
        {"ok": 1},
        {"ok": 1, "cursor": 5},
        {"ok": 1, "cursor": {}},
        {"ok": 1, "cursor": {"id": "x", "ns": "t.c", "firstBatch": []}},
        {"ok": 1, "cursor": {"id": bson.Int64(0), "ns": 7, "firstBatch": {"a": 1}}},
        {"ok": 1, "cursor": {"id": bson.Int64(0), "ns": "t.c", "firstBatch": [1, "x"]}},
        {"ok": 0},
        {"ok": 0, "code": "x", "errmsg": 5, "errorLabels": 1},
        {"ok": 0, "code": 2**31 - 1, "errmsg": "m" * 100000, "codeName": "n" * 1000},
        {"ok": "yes"},
        {},
    ],
    ids=lambda reply: str(reply)[:60],
)
def test_valid_documents_that_make_no_sense(reply: dict[str, Any]) -> None:
    hostile = Server(documents(bson.encode(reply)), 1)
    try:
        with (
            _core.Client(f"mongodb://127.0.0.1:{hostile.port}/?{LIMITS}") as client,
            pytest.raises(MongoError),
        ):
            list(client.cursor("t", {"find": "c"}))
    finally:
        hostile.close()
