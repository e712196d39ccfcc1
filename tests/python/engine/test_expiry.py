# SPDX-License-Identifier: Apache-2.0
"""TTL indexes: documents expire in a thread, not in commands, whether or not anybody calls."""

import datetime
import os
import pathlib
import subprocess
import sys
import time
from collections.abc import Callable

from mongodb import _core

PAST = datetime.datetime(2020, 1, 1)
INDEX = {
    "createIndexes": "c",
    "indexes": [{"key": {"at": 1}, "name": "at", "expireAfterSeconds": 9}],
}
FORKING = """
import os, sys, time
from mongodb import _core
import datetime
PAST = datetime.datetime(2020, 1, 1)
client = _core.Client("docstore://" + sys.argv[1])
client.run("db", {"createIndexes": "c", "indexes": [
    {"key": {"at": 1}, "name": "at", "expireAfterSeconds": 9}]})

def threads():
    return len(os.listdir("/proc/self/task"))

def wait(condition):
    until = time.monotonic() + 60
    while not condition():
        if time.monotonic() > until:
            os._exit(1)
        time.sleep(0.02)

wait(lambda: threads() > 1)
child = os.fork()
if not child:
    if threads() != 1:
        os._exit(2)
    client.run("db", {"ping": 1})
    wait(lambda: threads() > 1)
    if len(sys.argv) > 2:  # the parent has nothing to do with it
        client.run("db", {"insert": "c", "documents": [{"_id": 1, "at": PAST}]})
        wait(lambda: client.run("db", {"count": "c"})["n"] == 0)
    client.close()
    os._exit(0 if threads() == 1 else 3)
if len(sys.argv) > 2:
    client.close()
    if threads() != 1:
        sys.exit(4)
status = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
if len(sys.argv) == 2:
    client.run("db", {"insert": "c", "documents": [{"_id": 1, "at": PAST}]})
    wait(lambda: client.run("db", {"count": "c"})["n"] == 0)
    client.close()
sys.exit(status)
"""
WAITING = """
import sys
from mongodb import _core
client = _core.Client("docstore://" + sys.argv[1])
print("open", flush=True)
sys.stdin.read()
"""


def wait(condition: Callable[[], bool]) -> None:
    until = time.monotonic() + 60
    while not condition():
        assert time.monotonic() < until
        time.sleep(0.02)


def child(code: str, *arguments: object) -> "subprocess.Popen[bytes]":
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
    command = [sys.executable, "-c", code, *map(str, arguments)]
    return subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, env=environment)


def fill(client: _core.Client, count: int) -> None:
    for first in range(0, count, 1000):
        documents = [{"_id": n, "at": PAST, "n": n % 10} for n in range(first, first + 1000)]
        client.run("db", {"insert": "c", "documents": documents})


def left(client: _core.Client) -> int:
    return int(client.run("db", {"count": "c"})["n"])


def test_documents_expire_while_nobody_calls(tmp_path: pathlib.Path) -> None:
    path = tmp_path / "store.docstore"
    with _core.Client(f"docstore://{path}") as client:
        fill(client, 3000)
        client.run("db", INDEX)
        with _core.Client(f"docstore://{path}?readOnly=true") as looking:
            wait(lambda: left(looking) == 0)
        assert client.run("db", {"validate": "c"})["valid"]


def test_a_process_that_only_opens_a_store_expires_its_documents(tmp_path: pathlib.Path) -> None:
    path = tmp_path / "store.docstore"
    with _core.Client(f"docstore://{path}") as client:
        client.run("db", INDEX)
        fill(client, 1000)
    waiting = child(WAITING, path)
    try:
        with _core.Client(f"docstore://{path}?readOnly=true") as looking:
            wait(lambda: left(looking) == 0)
    finally:
        waiting.communicate()


def test_expiry_lets_writers_through(tmp_path: pathlib.Path) -> None:
    path = tmp_path / "store.docstore"
    with _core.Client(f"docstore://{path}") as client:
        fill(client, 60_000)
        client.run("db", INDEX)
        written = between = 0
        while (now := left(client)) > 0:
            client.run("db", {"insert": "d", "documents": [{"_id": written}]})
            written += 1
            between += now < 60_000
        assert between > 3
        for name in ("c", "d"):
            assert client.run("db", {"validate": name})["valid"]
        assert client.run("db", {"count": "d"})["n"] == written


def test_indexes_made_in_a_transaction_expire_documents(tmp_path: pathlib.Path) -> None:
    with _core.Client(f"docstore://{tmp_path / 'store.docstore'}") as client:
        session = client.session()
        session.begin()
        client.run("db", {"create": "c"}, session=session)
        client.run("db", INDEX, session=session)
        document = {"_id": 1, "at": PAST}
        client.run("db", {"insert": "c", "documents": [document]}, session=session)
        session.commit()
        session.close()
        with _core.Client(f"docstore://{tmp_path / 'store.docstore'}?readOnly=true") as looking:
            wait(lambda: left(looking) == 0)


def test_a_damaged_collection_does_not_keep_others_from_expiring(tmp_path: pathlib.Path) -> None:
    path = tmp_path / "store.docstore"
    key = {"key": {"at": 1}, "name": "at"}
    with _core.Client(f"docstore://{path}") as client:
        for name in ("a", "b"):
            late = {**key, "expireAfterSeconds": 1_000_000_000}
            client.run("db", {"createIndexes": name, "indexes": [late]})
            document = {"_id": 1, "at": PAST, "t": "x" * 20_000}
            client.run("db", {"insert": name, "documents": [document]})
    found = bytearray(path.read_bytes())
    found[found.index(b"x" * 5000) + 100] ^= 1
    path.write_bytes(found)
    with _core.Client(f"docstore://{path}") as client:
        for name in ("a", "b"):
            soon = {"name": "at", "expireAfterSeconds": 9}
            client.run("db", {"collMod": name, "index": soon})
        wait(lambda: client.run("db", {"count": "b"})["n"] == 0)
        assert client.run("db", {"count": "a"})["n"] == 1
        assert client.run("db", {"validate": "b"})["valid"]


def test_a_forked_child_has_a_thread_of_its_own(tmp_path: pathlib.Path) -> None:
    for more in ((), ("child",)):
        forking = child(FORKING, tmp_path / "store.docstore", *more)
        forking.communicate()
        assert forking.returncode == 0
