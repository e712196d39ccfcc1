# SPDX-License-Identifier: Apache-2.0
"""Killed processes, many processes, damaged files: what was acknowledged is there."""

import os
import pathlib
import random
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator

import pytest

from mongodb import _core
from mongodb.errors import MongoError

# Acknowledges each write by its number on standard output. Pairs are written in a transaction.
WRITER = """
import os, sys
from mongodb import _core

client = _core.Client(sys.argv[1])
name, begin = sys.argv[2], int(sys.argv[3])
client.run("t", {"createIndexes": "c", "indexes": [{"key": {"n": 1}, "name": "n_1"}]})
session = client.session()
os.write(1, b"ready\\n")
for n in range(begin, begin + 1_000_000):
    key = f"{name}{n}"
    if n % 3:
        client.run("t", {"insert": "c", "documents": [{"_id": key, "n": n, "pad": "x" * 300}]})
    else:
        while True:
            session.begin()
            try:
                for half in ("a", "b"):
                    document = {"_id": key + half, "n": n}
                    client.run("t", {"insert": "pairs", "documents": [document]}, session)
                session.commit()
                break
            except Exception as error:
                if session.in_transaction:
                    session.abort()
                if getattr(error, "code", None) != 112:
                    raise
    os.write(1, b"%d\\n" % n)
"""

COUNTER = """
import sys
from mongodb import _core

client = _core.Client(sys.argv[1])
name, times = sys.argv[2], int(sys.argv[3])
bump = {"update": "c", "updates": [{"q": {"_id": "all"}, "u": {"$inc": {"n": 1}}, "upsert": True}]}
for i in range(times):
    assert client.run("t", bump)["n"] == 1
    client.run("t", {"insert": "log", "documents": [{"_id": f"{name}-{i}"}]})
    if i % 10 == 0:
        sum(1 for _ in client.cursor("t", {"find": "log", "batchSize": 20}))
"""


def start(code: str, *arguments: str) -> subprocess.Popen[bytes]:
    return subprocess.Popen(
        [sys.executable, "-c", code, *arguments],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(p for p in sys.path if p)},
    )


def acknowledged(process: subprocess.Popen[bytes]) -> list[int]:
    """What a killed writer had said, a half-written last line left out."""
    out, errors = process.communicate()
    assert process.returncode == -signal.SIGKILL, errors.decode()
    lines = out.split(b"\n")
    return [int(line) for line in lines[1:-1]]


def keys(client: _core.Client, collection: str) -> set[str]:
    return {d["_id"] for d in client.cursor("t", {"find": collection, "projection": {"_id": 1}})}


def check(client: _core.Client) -> None:
    for collection in ("c", "pairs"):
        reply = client.run("t", {"validate": collection, "full": True}, check=False)
        assert reply.get("valid", reply.get("code") == 26), reply


def test_a_killed_writer_loses_no_acknowledged_write(tmp_path: pathlib.Path) -> None:
    uri = f"docstore://{tmp_path}/kill.docstore"
    chance = random.Random(5)
    expected: set[str] = set()
    pairs: set[str] = set()
    at = 0
    for _ in range(12):
        writers = [start(WRITER, uri, name, str(at)) for name in ("x", "y")]
        for writer in writers:
            assert writer.stdout is not None
            assert writer.stdout.readline() == b"ready\n"
        time.sleep(chance.uniform(0.02, 0.25))
        for writer in writers:
            writer.kill()
        for name, writer in zip(("x", "y"), writers, strict=True):
            for n in acknowledged(writer):
                (expected if n % 3 else pairs).add(f"{name}{n}")
        at += 1_000_000
        with _core.Client(uri) as client:
            assert expected <= keys(client, "c")
            found = keys(client, "pairs")
            assert {key + half for key in pairs for half in "ab"} <= found
            assert {k[:-1] for k in found if k[-1] == "a"} == {
                k[:-1] for k in found if k[-1] == "b"
            }
            check(client)
    assert len(expected) > 100


def test_several_processes_write_at_once(tmp_path: pathlib.Path) -> None:
    uri = f"docstore://{tmp_path}/many.docstore"
    begun = time.monotonic()
    workers = [start(COUNTER, uri, f"w{i}", "100") for i in range(4)]
    for worker in workers:
        _, errors = worker.communicate(timeout=120)
        assert worker.returncode == 0, errors.decode()
    assert time.monotonic() - begun < 60
    with _core.Client(uri) as client:
        assert client.run("t", {"find": "c"})["cursor"]["firstBatch"] == [{"_id": "all", "n": 400}]
        assert len(keys(client, "log")) == 400


def in_child(work: Callable[[], object]) -> int:
    """Run `work` in a forked child; 0 when it returned something true."""
    child = os.fork()
    if child == 0:
        code = 2
        try:
            code = 0 if work() else 1
        except BaseException as error:
            print(error, file=sys.stderr)
        finally:
            os._exit(code)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


def test_children_write_beside_their_parent(tmp_path: pathlib.Path) -> None:
    with _core.Client(f"docstore://{tmp_path}/fork.docstore") as client:
        client.run("t", {"insert": "c", "documents": [{"_id": "parent"}]})
        for i in range(3):
            insert = {"insert": "c", "documents": [{"_id": i}]}
            assert in_child(lambda insert=insert: client.run("t", insert)["n"] == 1) == 0
        client.run("t", {"insert": "c", "documents": [{"_id": "after"}]})
        assert keys(client, "c") == {"parent", 0, 1, 2, "after"}


def test_a_transaction_stays_with_the_process_that_began_it(tmp_path: pathlib.Path) -> None:
    with _core.Client(f"docstore://{tmp_path}/fork.docstore") as client, client.session() as own:
        own.begin()
        client.run("t", {"insert": "c", "documents": [{"_id": "parent"}]}, own)

        def work() -> bool:
            with pytest.raises(MongoError, match="fork"):
                client.run("t", {"find": "c"})
            with _core.Client(f"docstore://{tmp_path}/fork.docstore") as other:
                return keys(other, "c") == set()

        assert in_child(work) == 0
        own.commit()
        assert keys(client, "c") == {"parent"}


@pytest.fixture
def filled(tmp_path: pathlib.Path) -> Iterator[pathlib.Path]:
    """A closed store of some hundred pages."""
    path = tmp_path / "filled.docstore"
    with _core.Client(f"docstore://{path}") as client:
        documents = [{"_id": i, "pad": os.urandom(2000)} for i in range(1000)]
        client.run("t", {"insert": "c", "documents": documents})
    yield path


def test_a_file_that_is_no_store_is_refused_and_kept(tmp_path: pathlib.Path) -> None:
    path = tmp_path / "letter.txt"
    for content in (b"Dear reader, " * 500, b"x", os.urandom(70_000)):
        path.write_bytes(content)
        with pytest.raises(MongoError, match=r"letter\.txt"):
            _core.Client(f"docstore://{path}")
        assert path.read_bytes() == content
        assert not path.with_name("letter.txt-wal").exists()


def test_a_truncated_store_is_an_error_never_a_crash(filled: pathlib.Path) -> None:
    whole = filled.read_bytes()
    for size in (100, 16384, len(whole) // 2, len(whole) - 16384):
        filled.write_bytes(whole[:size])
        try:
            with _core.Client(f"docstore://{filled}") as client:
                reply = client.run("t", {"validate": "c", "full": True}, check=False)
                assert reply["ok"] == 0.0 or not reply["valid"]
        except MongoError as error:
            assert str(error)


def test_damaged_pages_are_an_error_never_a_crash(filled: pathlib.Path) -> None:
    whole = filled.read_bytes()
    chance = random.Random(3)
    for _ in range(20):
        damaged = bytearray(whole)
        at = chance.randrange(16384, len(whole) - 64)
        damaged[at : at + 64] = os.urandom(64)
        filled.write_bytes(damaged)
        try:
            with _core.Client(f"docstore://{filled}") as client:
                for document in client.cursor("t", {"find": "c"}):
                    assert len(document) >= 0
                client.run("t", {"validate": "c", "full": True}, check=False)
        except (MongoError, ValueError) as error:
            assert str(error)


def test_a_read_only_store_refuses_writes(filled: pathlib.Path) -> None:
    with _core.Client(f"docstore://{filled}?readOnly=true") as client:
        assert client.run("t", {"count": "c"})["n"] == 1000
        with pytest.raises(MongoError):
            client.run("t", {"insert": "c", "documents": [{}]})


def test_no_file_is_made_when_not_wanted(tmp_path: pathlib.Path) -> None:
    with pytest.raises(MongoError, match="none"):
        _core.Client(f"docstore://{tmp_path}/none.docstore?create=false")
    assert list(tmp_path.iterdir()) == []
