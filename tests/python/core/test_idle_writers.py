# SPDX-License-Identifier: Apache-2.0
"""A transaction that wrote and then does nothing gives way to writers of other processes."""

import pathlib
import subprocess
import sys
import time
from collections.abc import Iterator

import pytest

from mongodb import _core
from mongodb.errors import MongoError

# Writes in a transaction, then does as it is told, a word per line: what the code of each is.
HOLDER = """
import sys, time
from mongodb import _core
from mongodb.errors import MongoError
client = _core.Client(sys.argv[1])
session = client.session()
session.begin()
insert = lambda i: client.run("t", {"insert": "c", "documents": [{"_id": i}]}, session)
insert("first")
print("ready", flush=True)
for n, line in enumerate(sys.stdin):
    try:
        if line == "insert\\n":
            insert(n)
        elif line == "work\\n":
            until = time.monotonic() + 2
            while time.monotonic() < until:
                insert(f"work{time.monotonic()}")
                time.sleep(0.05)
            session.commit()
        print(0, flush=True)
    except MongoError as error:
        print(error.code, *error.details.get("errorLabels", []), flush=True)
"""
TRANSIENT = "251 TransientTransactionError"


class Holder:
    def __init__(self, uri: str) -> None:
        self.process = subprocess.Popen(
            [sys.executable, "-c", HOLDER, uri],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        assert self.answer() == "ready"

    def answer(self) -> str:
        assert self.process.stdout is not None
        return self.process.stdout.readline().strip()

    def tell(self, word: str) -> None:
        assert self.process.stdin is not None
        self.process.stdin.write(word + "\n")
        self.process.stdin.flush()


@pytest.fixture
def uri(tmp_path: pathlib.Path) -> str:
    uri = f"docstore://{tmp_path}/x.docstore?idleTransactionMS=400"
    with _core.Client(uri) as client:
        client.run("t", {"create": "c"})
    return uri


@pytest.fixture
def holder(uri: str) -> Iterator[Holder]:
    holder = Holder(uri)
    yield holder
    holder.process.kill()
    holder.process.communicate()


def test_a_writer_of_another_process_is_let_in(uri: str, holder: Holder) -> None:
    with _core.Client(uri) as client:
        begun = time.monotonic()
        client.run("t", {"insert": "c", "documents": [{"_id": "waited"}]})
        assert time.monotonic() - begun < 3
        holder.tell("insert")
        assert holder.answer() == TRANSIENT
        assert [d["_id"] for d in client.cursor("t", {"find": "c"})] == ["waited"]


def test_a_transaction_that_read_first_is_let_in_when_it_tries_again(
    uri: str, holder: Holder
) -> None:
    with _core.Client(uri) as client:
        until = time.monotonic() + 3
        while True:
            session = client.session()
            session.begin()
            client.run("t", {"find": "c"}, session)
            try:
                client.run("t", {"insert": "c", "documents": [{"_id": "tried"}]}, session)
                session.commit()
                break
            except MongoError as error:
                assert error.code == 112 and time.monotonic() < until
                session.abort()
                time.sleep(0.05)
        holder.tell("insert")
        assert holder.answer() == TRANSIENT


def test_who_works_is_waited_for(uri: str, holder: Holder) -> None:
    with _core.Client(uri) as client:
        holder.tell("work")
        client.run("t", {"insert": "c", "documents": [{"_id": "waited"}]})
        assert holder.answer() == "0"
        assert client.run("t", {"count": "c"})["n"] > 10


def test_who_nobody_waits_for_stays(uri: str, holder: Holder) -> None:
    with _core.Client(uri) as client:
        client.run("t", {"find": "c"})
        time.sleep(1.5)
        holder.tell("insert")
        assert holder.answer() == "0"


def test_a_time_to_come_is_no_waiter(uri: str, holder: Holder) -> None:
    index = pathlib.Path(uri.removeprefix("docstore://").split("?")[0] + "-shm")
    with index.open("r+b") as file:
        file.seek(134)  # who waits to write tells when, in bytes that SQLite keeps for later
        soon = int(time.monotonic() * 1000 / 16) + 5000  # of 16 ms each
        file.write((soon % 2**16).to_bytes(2, sys.byteorder))
    time.sleep(1.5)
    holder.tell("insert")
    assert holder.answer() == "0"
