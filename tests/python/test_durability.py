# SPDX-License-Identifier: Apache-2.0
"""What was acknowledged stays: kill -9 among several writers, full disks, forks, locked files."""

import multiprocessing
import os
import pathlib
import random
import resource
import signal
import subprocess
import sys
import threading
import time
from typing import Any

import pytest

from mongodb import _core, errors

WRITER = """
import sys
from mongodb import _core
client = _core.Client("docstore://" + sys.argv[1])
name, n = sys.argv[2], 0
while True:
    n += 1
    done = client.run("db", {"insert": "c", "documents": [
        {"_id": f"{name}-{n}", "writer": name, "n": n, "tags": [n % 5, n % 7]}]}, check=False)
    if done.get("n") == 1:
        print("i", n, flush=True)
    if n % 3 == 0:
        done = client.run("db", {"update": "c", "updates": [
            {"q": {"_id": f"{name}-{n - 1}"}, "u": {"$set": {"tags": ["changed", n]}}}]},
            check=False)
        if done.get("n") == 1:
            print("u", n - 1, flush=True)
    if n % 5 == 0:
        done = client.run("db", {"delete": "c", "deletes": [
            {"q": {"_id": f"{name}-{n - 4}"}, "limit": 1}]}, check=False)
        if done.get("n") == 1:
            print("d", n - 4, flush=True)
"""


def open_store(path: pathlib.Path, **options: Any) -> _core.Client:
    return _core.Client(f"docstore://{path}", options or None)


def environment() -> dict[str, str]:
    return {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))}


def acknowledged(writer: "subprocess.Popen[bytes]", name: str, kept: dict[str, Any]) -> None:
    """Read what a killed writer was told, up to its last whole line."""
    assert writer.stdout is not None
    for line in writer.stdout.read().split(b"\n")[:-1]:
        what, number = line.split()
        key = f"{name}-{number.decode()}"
        if what == b"d":
            kept[key] = None
        elif kept.get(key, "new") is not None:
            kept[key] = "changed" if what == b"u" else "new"


def check_store(path: pathlib.Path, kept: dict[str, Any], writers: int) -> int:
    """Every acknowledged write is there and the indexes agree with the collection."""
    with open_store(path) as client:
        found = {doc["_id"]: doc for doc in client.cursor("db", {"find": "c"})}
        for key, state in kept.items():
            if state is None:
                assert key not in found, f"{key} was deleted"
            elif key in found and state == "changed":
                assert found[key]["tags"][0] == "changed"
            # an unacknowledged delete may have taken what was acknowledged before
        missing = [key for key, state in kept.items() if state is not None and key not in found]
        assert len(missing) <= writers
        report = client.run("db", {"validate": "c"})
        assert report["valid"], report
        assert client.run("db", {"count": "c"})["n"] == len(found)
        for name in {doc["writer"] for doc in found.values()}:
            by_index = client.run("db", {"count": "c", "query": {"writer": name}, "hint": "w_n"})
            assert by_index["n"] == sum(doc["writer"] == name for doc in found.values())
        return len(found)


def test_kill_9_loses_no_acknowledged_write(tmp_path: pathlib.Path) -> None:
    path = tmp_path / "store.docstore"
    with open_store(path) as client:
        index = [
            {"key": {"writer": 1, "n": 1}, "name": "w_n", "unique": True},
            {"key": {"tags": 1}, "name": "tags"},
        ]
        client.run("db", {"createIndexes": "c", "indexes": index})
    chance = random.Random(7)
    kept: dict[str, Any] = {}
    killed = 0
    for turn in range(5):
        names = [f"{turn}{letter}" for letter in "ab"]
        writers = [
            subprocess.Popen(
                [sys.executable, "-c", WRITER, str(path), name],
                stdout=subprocess.PIPE,
                env=environment(),
            )
            for name in names
        ]
        time.sleep(0.6 + chance.random() * 0.3)
        for name, writer in zip(names, writers, strict=True):
            writer.send_signal(signal.SIGKILL)
            writer.wait()
            acknowledged(writer, name, kept)
            killed += 1
            assert writer.stdout is not None
            writer.stdout.close()
        check_store(path, kept, killed)
    assert len(kept) > 20


def test_several_processes_write_and_read_one_file(tmp_path: pathlib.Path) -> None:
    path = tmp_path / "store.docstore"
    program = """
import sys
from mongodb import _core
client = _core.Client("docstore://" + sys.argv[1])
for i in range(150):
    client.run("db", {"findAndModify": "c", "query": {"_id": "n"}, "update": {"$inc": {"n": 1}},
                      "upsert": True})
    seen = client.run("db", {"find": "c", "filter": {"_id": "n"}})["cursor"]["firstBatch"]
    assert len(seen) == 1 and seen[0]["n"] >= i + 1
"""
    workers = [
        subprocess.Popen([sys.executable, "-c", program, str(path)], env=environment())
        for _ in range(3)
    ]
    assert [worker.wait(60) for worker in workers] == [0, 0, 0]
    with open_store(path) as client:
        assert client.run("db", {"find": "c"})["cursor"]["firstBatch"] == [{"_id": "n", "n": 450}]


def use_in_child(client: _core.Client, results: Any) -> None:
    for i in range(20):
        client.run("db", {"insert": "c", "documents": [{"who": "child", "i": i}]})
    results.put(client.run("db", {"count": "c", "query": {"who": "child"}})["n"])


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_a_forked_child_uses_the_connection_and_the_parent_goes_on(tmp_path: pathlib.Path) -> None:
    context = multiprocessing.get_context("fork")
    results = context.Queue()
    with open_store(tmp_path / "store.docstore") as client:
        client.run("db", {"insert": "c", "documents": [{"who": "parent"}]})
        child = context.Process(target=use_in_child, args=(client, results))
        child.start()
        for _ in range(20):
            client.run("db", {"insert": "c", "documents": [{"who": "parent"}]})
        assert results.get(timeout=30) == 20
        child.join(30)
        assert child.exitcode == 0
        assert client.run("db", {"count": "c"})["n"] == 41
        assert client.run("db", {"validate": "c"})["valid"]


def test_threads_share_a_client(tmp_path: pathlib.Path) -> None:
    failures: list[BaseException] = []
    with open_store(tmp_path / "store.docstore") as client:

        def work(number: int) -> None:
            try:
                for i in range(40):
                    client.run("db", {"insert": "c", "documents": [{"t": number, "i": i}]})
                    rows = list(
                        client.cursor("db", {"find": "c", "filter": {"t": number}, "batchSize": 7})
                    )
                    assert len(rows) == i + 1
            except BaseException as error:
                failures.append(error)

        threads = [threading.Thread(target=work, args=(number,)) for number in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert not failures
        assert client.run("db", {"count": "c"})["n"] == 160


def test_a_locked_file_is_told_and_nothing_is_written(tmp_path: pathlib.Path) -> None:
    path = tmp_path / "store.docstore"
    with open_store(path) as holder, open_store(path, busyTimeoutMS=150) as client:
        holder.run("db", {"insert": "c", "documents": [{"_id": 1}]})
        session = holder.session()
        session.begin()
        holder.run("db", {"insert": "c", "documents": [{"_id": 2}]}, session)
        with pytest.raises(errors.OperationError) as caught:
            client.run("db", {"insert": "c", "documents": [{"_id": 3}]})
        assert caught.value.code == 24
        assert str(path) in str(caught.value)
        assert client.run("db", {"count": "c"})["n"] == 1  # readers do not wait
        session.abort()
        session.close()
        client.run("db", {"insert": "c", "documents": [{"_id": 3}]})
        assert client.run("db", {"count": "c"})["n"] == 2


def fill_disk(path: str, results: Any) -> None:
    """With files of at most 2 MB: as a disk that is full. Run in a process of its own."""
    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    with open_store(pathlib.Path(path)) as client:
        client.run("db", {"createIndexes": "c", "indexes": [{"key": {"n": 1}, "name": "n"}]})
        resource.setrlimit(resource.RLIMIT_FSIZE, (2_000_000, 2_000_000))
        done = 0
        code = None
        while code is None and done < 10000:
            documents = [{"_id": done + i, "n": done + i, "t": "x" * 1000} for i in range(50)]
            reply = client.run("db", {"insert": "c", "documents": documents}, check=False)
            if not reply["ok"] or "writeErrors" in reply:
                code = reply.get("code") or reply["writeErrors"][0]["code"]
                assert reply.get("n", 0) == 0
            else:
                done += 50
        count = client.run("db", {"count": "c"}, check=False).get("n")
        results.put((done, code, count))


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_a_full_disk_undoes_the_command(tmp_path: pathlib.Path) -> None:
    path = tmp_path / "store.docstore"
    context = multiprocessing.get_context("fork")
    results = context.Queue()
    child = context.Process(target=fill_disk, args=(str(path), results))
    child.start()
    done, code, count = results.get(timeout=60)
    child.join(30)
    assert code in (14031, 39)
    assert done > 0
    assert count == done
    with open_store(path) as client:
        assert client.run("db", {"count": "c"})["n"] == done
        assert client.run("db", {"validate": "c"})["valid"]
        client.run("db", {"insert": "c", "documents": [{"n": -1}]})
