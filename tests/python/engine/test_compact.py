# SPDX-License-Identifier: Apache-2.0
"""compact gives the file's free pages back while others read and write; old files are written anew
as a whole, or not at all."""

import os
import pathlib
import signal
import subprocess
import sys
import threading
import time

import pytest
from bson import Binary, Int64

from mongodb import MongoError, _core

from .stored_files import compare, unpack

WRITER = """
import sys
from mongodb import _core
client = _core.Client("docstore://" + sys.argv[1])
number = 0
while True:
    number += 1
    client.run("db", {"insert": "written", "documents": [{"_id": number, "t": "w" * 500}]})
    print(number, flush=True)
"""
COMPACT = """
import sys
from mongodb import _core
client = _core.Client("docstore://" + sys.argv[1])
print("begun", flush=True)
client.run("shop", {"compact": "things"})
print("done", flush=True)
"""
TEXT = "lorem ipsum " * 80


def child(code: str, path: pathlib.Path) -> "subprocess.Popen[bytes]":
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
    return subprocess.Popen(
        [sys.executable, "-c", code, str(path)], stdout=subprocess.PIPE, env=environment
    )


def fill(client: _core.Client, db: str, name: str, count: int) -> None:
    for first in range(0, count, 1000):
        documents = [
            {"_id": n, "n": n % 97, "t": TEXT} for n in range(first, min(first + 1000, count))
        ]
        client.run(db, {"insert": name, "documents": documents})


def settle(client: _core.Client, path: pathlib.Path) -> int:
    """The file's size when its log is written back."""
    client.close()
    return path.stat().st_size


def test_compact_gives_space_back_while_others_read_and_write(tmp_path: pathlib.Path) -> None:
    path = tmp_path / "store.docstore"
    client = _core.Client(f"docstore://{path}")
    client.run("db", {"createIndexes": "c", "indexes": [{"key": {"n": 1}, "name": "n"}]})
    fill(client, "db", "c", 12_000)
    client.run("db", {"delete": "c", "deletes": [{"q": {"_id": {"$gte": 1000}}, "limit": 0}]})
    client.close()
    before = path.stat().st_size
    assert before > 12_000_000
    client = _core.Client(f"docstore://{path}")
    wrong: list[str] = []
    reads = [0]
    stop = threading.Event()

    def read() -> None:
        with _core.Client(f"docstore://{path}") as own:
            while not stop.is_set():
                found = own.run("db", {"count": "c", "query": {"n": {"$gte": 0}}})["n"]
                texts = sum(doc["t"] == TEXT for doc in own.cursor("db", {"find": "c"}))
                if (found, texts) != (1000, 1000):
                    wrong.append(f"{found} by the index, {texts} read")
                reads[0] += 1

    reader = threading.Thread(target=read)
    writer = child(WRITER, path)
    assert writer.stdout is not None
    try:
        reader.start()
        assert writer.stdout.readline()
        freed = client.run("db", {"compact": "c"})["bytesFreed"]
        while not reads[0] and not wrong:
            time.sleep(0.01)
        writer.stdout.readline()
    finally:
        writer.send_signal(signal.SIGTERM)
        rest = writer.communicate()[0]
        stop.set()
        reader.join()
    assert not wrong
    assert freed > 8_000_000
    written = client.run("db", {"count": "written"})["n"]
    assert written >= int(rest.split(b"\n")[-2])
    for name in ("c", "written"):
        report = client.run("db", {"validate": name})
        assert report["valid"], report
    assert client.run("db", {"compact": "c"})["bytesFreed"] < 1_000_000
    assert settle(client, path) < before - 8_000_000 + written * 1000


def test_statistics_tell_what_is_free(tmp_path: pathlib.Path) -> None:
    path = tmp_path / "store.docstore"
    with _core.Client(f"docstore://{path}") as client:
        fill(client, "db", "c", 4000)
        client.run("db", {"delete": "c", "deletes": [{"q": {"_id": {"$gte": 1000}}, "limit": 0}]})
        before = client.run("db", {"dbStats": 1, "freeStorage": 1})
        assert before["freeStorageSize"] > 2_000_000
        assert before["storageSize"] > before["freeStorageSize"] + 900_000
        assert before["totalFreeStorageSize"] >= before["freeStorageSize"]
        assert "freeStorageSize" not in client.run("db", {"dbStats": 1})
        client.run("db", {"compact": "c"})
        after = client.run("db", {"dbStats": 1, "freeStorage": 1})
        assert after["freeStorageSize"] < 500_000
        assert after["storageSize"] - after["freeStorageSize"] > 900_000
        kept = client.run("db", {"collStats": "c"})
        assert 0 <= kept["freeStorageSize"] < kept["storageSize"] < 2_000_000
        client.run("db", {"delete": "c", "deletes": [{"q": {"_id": {"$mod": [2, 1]}}, "limit": 0}]})
        assert client.run("db", {"collStats": "c"})["freeStorageSize"] > kept["freeStorageSize"]


def grown(name: str, folder: pathlib.Path) -> pathlib.Path:
    """A file of an older program, with much that was deleted."""
    path = unpack(name, folder)
    with _core.Client(f"docstore://{path}") as client:
        fill(client, "shop", "much", 8000)
        client.run("shop", {"drop": "much"})
    return path


@pytest.mark.parametrize("name", ["format_1", "format_2_changes"])
def test_an_old_file_is_written_anew_by_compact(name: str, tmp_path: pathlib.Path) -> None:
    path = grown(name, tmp_path)
    before = path.stat().st_size
    client = _core.Client(f"docstore://{path}")
    assert client.run("shop", {"compact": "things"})["bytesFreed"] > 6_000_000
    compare(client, name)
    assert settle(client, path) < before - 6_000_000
    with _core.Client(f"docstore://{path}") as client:
        compare(client, name)
        for entry in ("things", "types", "large", "log"):
            assert client.run("shop", {"validate": entry})["valid"]
        fill(client, "shop", "much", 3000)
        client.run("shop", {"drop": "much"})
        assert client.run("shop", {"compact": "things"})["bytesFreed"] > 2_000_000
        compare(client, name)


def test_an_old_file_whose_compact_is_killed_is_as_before(tmp_path: pathlib.Path) -> None:
    path = grown("format_2", tmp_path)
    finished = 0
    for turn in range(6):
        compacting = child(COMPACT, path)
        assert compacting.stdout is not None
        assert compacting.stdout.readline() == b"begun\n"
        time.sleep(0.004 * turn)
        compacting.send_signal(signal.SIGKILL)
        finished += b"done" in compacting.communicate()[0]
        with _core.Client(f"docstore://{path}") as client:
            compare(client, "format_2")
            assert client.run("shop", {"validate": "things"})["valid"]
    assert finished < 6


def test_compact_of_what_is_not_there(tmp_path: pathlib.Path) -> None:
    with _core.Client(f"docstore://{tmp_path / 'store.docstore'}") as client:
        client.run("db", {"create": "c"})
        client.run("db", {"create": "v", "viewOn": "c", "pipeline": []})
        with pytest.raises(MongoError, match="collection does not exist") as caught:
            client.run("db", {"compact": "d"})
        assert caught.value.code == 26
        with pytest.raises(MongoError, match="can't compact a view") as caught:
            client.run("db", {"compact": "v"})
        assert caught.value.code == 166
        assert client.run("db", {"compact": "c"})["bytesFreed"] == 0


def test_who_was_there_before_a_file_got_room_for_checksums_writes_them(
    tmp_path: pathlib.Path,
) -> None:
    path = unpack("format_1", tmp_path)
    with _core.Client(f"docstore://{path}") as other, _core.Client(f"docstore://{path}") as client:
        rows = [{"_id": n, "x": "a" * 3000} for n in range(200)]
        other.run("shop", {"insert": "rows", "documents": rows})
        client.run("shop", {"compact": "rows"})
        client.run("shop", {"insert": "more", "documents": rows})  # page 1 is in the log again
        own = {"lsid": {"id": Binary(bytes(16), 4)}, "txnNumber": Int64(1), "autocommit": False}
        other.run("shop", {"find": "more", "limit": 1, "startTransaction": True, **own})
        client.run("shop", {"compact": "rows"})  # all of it is written back, while that reads
        change = {"q": {"_id": 100}, "u": {"$set": {"x": "b" * 3000}}}
        other.run("shop", {"update": "rows", "updates": [change], **own})
        other.run("admin", {"commitTransaction": 1, **own})
        other.run("shop", {"compact": "rows"})  # writes back what is new alone
    with _core.Client(f"docstore://{path}?readOnly=true") as client:
        found = {doc["_id"]: doc["x"][0] for doc in client.cursor("shop", {"find": "rows"})}
        assert found == {n: "b" if n == 100 else "a" for n in range(200)}
        assert client.run("shop", {"validate": "rows", "full": True})["valid"]
