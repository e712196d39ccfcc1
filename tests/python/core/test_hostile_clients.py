# SPDX-License-Identifier: Apache-2.0
"""Clients that go away, stop halfway, never read or come in crowds cost little and end."""

import os
import pathlib
import signal
import socket
import struct
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

import bson
import pytest
from pymongo import MongoClient

from mongodb import _core
from mongodb.errors import MongoError

from .conftest import Dial, message

BIG = 47_000_000


def read(connection: socket.socket) -> dict[str, Any]:
    got = b""
    while len(got) < 4 or len(got) < struct.unpack("<i", got[:4])[0]:
        part = connection.recv(1 << 20)
        if not part:
            raise EOFError
        got += part
    return bson.decode(got[21:])


def ping(connection: socket.socket) -> None:
    connection.sendall(message({"ping": 1, "$db": "t"}))
    assert read(connection)["ok"] == 1.0


def is_over(connection: socket.socket) -> bool:
    try:
        return connection.recv(1) == b""
    except ConnectionError:
        return True


def wait_for(what: Callable[[], object], seconds: float = 10) -> None:
    until = time.monotonic() + seconds
    while not what():
        assert time.monotonic() < until
        time.sleep(0.01)


@pytest.fixture(scope="module")
def store() -> Iterator[_core.Client]:
    with _core.Client("docstore://:memory:") as client:
        client.run("t", {"insert": "n", "documents": [{"_id": i, "x": i} for i in range(3000)]})
        yield client


SLOW_FILTER = {
    "$expr": {"$gt": [{"$sum": {"$map": {"input": {"$range": [0, 20000]}, "in": 1}}}, 0]}
}
SLOW_STAGES = [
    {"$lookup": {"from": "n", "pipeline": [{"$match": SLOW_FILTER}], "as": "j"}},
    {"$project": {"j": 0}},
]
SLOW: dict[str, dict[str, Any]] = {
    "find": {"find": "n", "filter": SLOW_FILTER, "batchSize": 3000},
    "aggregate": {"aggregate": "n", "pipeline": SLOW_STAGES, "cursor": {}},
    "count": {"count": "n", "query": SLOW_FILTER},
    "distinct": {"distinct": "n", "key": "x", "query": SLOW_FILTER},
    "findAndModify": {
        "findAndModify": "n",
        "query": {"$nor": [SLOW_FILTER]},
        "update": {"$set": {"y": 1}},
    },
    "update": {
        "update": "n",
        "updates": [{"q": SLOW_FILTER, "u": {"$set": {"y": 1}}, "multi": True}],
    },
    "delete": {"delete": "n", "deletes": [{"q": SLOW_FILTER, "limit": 0}]},
    "explain": {
        "explain": {"find": "n", "filter": SLOW_FILTER},
        "verbosity": "executionStats",
    },
}


def running(store: _core.Client, comment: str) -> list[dict[str, Any]]:
    found = store.run("admin", {"currentOp": 1, "command.comment": comment})
    return list(found["inprog"])


@pytest.mark.parametrize("name", SLOW)
@pytest.mark.parametrize("how", ["disconnect", "stop", "killOp"])
def test_each_command_ends_at_once(store: _core.Client, name: str, how: str, dial: Dial) -> None:
    comment = f"{name} {how}"
    with _core.Server(store) as server:
        connection = dial(server.address)
        connection.sendall(message({**SLOW[name], "comment": comment, "$db": "t"}))
        wait_for(lambda: running(store, comment))
        begun = time.monotonic()
        if how == "disconnect":
            connection.close()
        elif how == "stop":
            server.stop()
        else:
            store.run("admin", {"killOp": 1, "op": running(store, comment)[0]["opid"]})
            reply = read(connection)
            assert reply["code"] == 11601
        wait_for(lambda: not running(store, comment))
        assert time.monotonic() - begun < 3
    assert store.run("t", {"count": "n"})["n"] == 3000
    assert store.run("t", {"count": "n", "query": {"y": 1}})["n"] == 0


def test_one_who_waits_to_write_can_be_ended(store: _core.Client, dial: Dial) -> None:
    lsid = {"id": bson.Binary(os.urandom(16), 4)}
    transaction = {"lsid": lsid, "txnNumber": bson.Int64(1), "autocommit": False}
    insert = {"insert": "w", "documents": [{"_id": 1}], "startTransaction": True, **transaction}
    store.run("t", insert)
    with _core.Server(store) as server:
        connection = dial(server.address)
        waiting = {"insert": "w", "documents": [{"_id": 2}], "comment": "waits", "$db": "t"}
        connection.sendall(message(waiting))
        wait_for(lambda: [op for op in running(store, "waits") if op["waitingForLock"]])
        begun = time.monotonic()
        connection.close()
        wait_for(lambda: not running(store, "waits"))
        assert time.monotonic() - begun < 3
    store.run("admin", {"abortTransaction": 1, **transaction})
    assert store.run("t", {"count": "w"})["n"] == 0


def test_an_unacknowledged_write_is_done_although_its_client_leaves(
    store: _core.Client, dial: Dial
) -> None:
    documents = [{"_id": i} for i in range(20000)]
    with _core.Server(store) as server:
        connection = dial(server.address)
        quiet = {"insert": "q", "documents": documents, "writeConcern": {"w": 0}, "$db": "t"}
        connection.sendall(message(quiet, flags=2))
        connection.close()
        wait_for(lambda: store.run("t", {"count": "q"})["n"] == 20000)


def test_sigterm_ends_what_runs(docstore: str, tmp_path: pathlib.Path, dial: Dial) -> None:
    path = str(tmp_path / "s.sock")
    serving = subprocess.Popen(
        [docstore, "serve", str(tmp_path / "x.docstore"), "--socket", path],
        stdout=subprocess.PIPE,
        text=True,
    )
    assert serving.stdout is not None
    assert "serves" in serving.stdout.readline()
    with MongoClient(f"mongodb://{path.replace('/', '%2F')}") as mongo:
        mongo.t.n.insert_many([{"_id": i, "x": i} for i in range(3000)])
        busy = dial(path)
        busy.sendall(message({**SLOW["aggregate"], "comment": "long", "$db": "t"}))
        wait_for(lambda: mongo.admin.command({"currentOp": 1, "command.comment": "long"})["inprog"])
    begun = time.monotonic()
    serving.send_signal(signal.SIGTERM)
    assert serving.wait(10) == 0
    assert time.monotonic() - begun < 2
    serving.stdout.close()


def test_half_a_message_ends_its_connection(store: _core.Client, dial: Dial) -> None:
    with _core.Server(store, stall_ms=300) as server:
        halves = [b"\x10\0", message({"ping": 1, "$db": "t"})[:-3], struct.pack("<i", BIG) + b"x"]
        connections = [dial(server.address) for _ in halves]
        for connection, half in zip(connections, halves, strict=True):
            connection.sendall(half)
        begun = time.monotonic()
        assert all(map(is_over, connections))
        assert time.monotonic() - begun < 5


def test_a_drip_of_bytes_does_not_count_as_a_message(store: _core.Client, dial: Dial) -> None:
    with _core.Server(store, stall_ms=300) as server:
        connection = dial(server.address)
        connection.sendall(struct.pack("<iiii", 1000, 1, 0, 2013))
        begun = time.monotonic()
        with pytest.raises(ConnectionError):
            while time.monotonic() - begun < 10:
                connection.sendall(b"x")
                time.sleep(0.05)
        assert time.monotonic() - begun < 5


def test_who_never_asks_is_sent_away_and_who_asks_may_be_idle(
    store: _core.Client, dial: Dial
) -> None:
    with _core.Server(store, stall_ms=300, idle_ms=1500) as server:
        silent, idle = dial(server.address), dial(server.address)
        ping(idle)
        assert is_over(silent)
        ping(idle)
        begun = time.monotonic()
        assert is_over(idle)
        assert 1 < time.monotonic() - begun < 5


def test_who_does_not_read_is_sent_away(store: _core.Client, dial: Dial) -> None:
    store.run("t", {"insert": "big", "documents": [{"s": "x" * 1_000_000}] * 12})
    with _core.Server(store, stall_ms=500) as server:
        connection = dial(server.address)
        connection.sendall(message({"find": "big", "$db": "t"}))
        wait_for(lambda: server.connections == 0)
        connection.close()


def test_large_halves_leave_room_for_others(store: _core.Client, dial: Dial) -> None:
    """Two of them use up the room; the others wait for it before they are read."""
    header = struct.pack("<iiii", BIG, 1, 0, 2013)
    with _core.Server(store, stall_ms=1500, max_memory_mb=200) as server:
        before = resident()
        crowd = [dial(server.address) for _ in range(40)]
        for connection in crowd:
            connection.setblocking(False)
            connection.sendall(header)
        pushed = 0
        begun = time.monotonic()
        while time.monotonic() - begun < 1:
            for connection in crowd:
                try:
                    pushed += connection.send(b"x" * 1_000_000)
                except BlockingIOError:
                    time.sleep(0.001)
                except ConnectionError:
                    pass
        assert resident() - before < 150_000_000
        assert pushed < 150_000_000
        with MongoClient(server.uri) as mongo:
            assert mongo.t.n.count_documents({"_id": 1}) == 1
        for connection in crowd:
            connection.setblocking(True)
            assert is_over(connection)
            connection.close()


def resident(process: int | str = "self") -> int:
    pages = int(pathlib.Path(f"/proc/{process}/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE")


def test_a_crowd_does_not_keep_others_out(store: _core.Client, dial: Dial) -> None:
    with _core.Server(store, max_connections=20, stall_ms=300) as server:
        crowd = [dial(server.address) for _ in range(20)]
        for connection in crowd:
            ping(connection)
        late = dial(server.address)
        assert is_over(late)  # nobody has been idle for long yet
        time.sleep(0.4)
        with MongoClient(server.uri, serverSelectionTimeoutMS=5000) as mongo:
            assert mongo.admin.command("ping")["ok"] == 1.0
        assert server.connections <= 21


def test_memory_of_clients_that_left_goes_back(docstore: str, tmp_path: pathlib.Path) -> None:
    path = str(tmp_path / "s.sock")
    serving = subprocess.Popen(
        [docstore, "serve", str(tmp_path / "x.docstore"), "--socket", path],
        stdout=subprocess.PIPE,
        text=True,
    )
    assert serving.stdout is not None
    serving.stdout.readline()
    uri = f"mongodb://{path.replace('/', '%2F')}/?directConnection=true"
    with MongoClient(uri) as mongo:
        mongo.t.c.insert_many([{"s": os.urandom(1_000_000)} for _ in range(40)])

    def work() -> None:
        with MongoClient(uri) as mongo:
            for _ in mongo.t.c.find(batch_size=15):
                pass

    threads = [threading.Thread(target=work) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    try:
        wait_for(lambda: resident(serving.pid) < 60_000_000, 5)
    finally:
        serving.terminate()
        serving.wait()
        serving.stdout.close()


def test_other_machines_are_let_in_only_when_told(docstore: str, tmp_path: pathlib.Path) -> None:
    with _core.Client("docstore://:memory:") as client:
        for host in ("0.0.0.0", "::"):
            with pytest.raises(MongoError, match="allow-remote"):
                _core.Server(client, host=host)
        with _core.Server(client, host="0.0.0.0", allow_remote=True) as server:
            port = server.address.rpartition(":")[2]
            with MongoClient(f"mongodb://127.0.0.1:{port}/?directConnection=true") as mongo:
                assert mongo.admin.command("ping")["ok"] == 1.0
    refused = subprocess.run(
        [docstore, "serve", str(tmp_path / "x.docstore"), "--host", "0.0.0.0", "--port", "0"],
        capture_output=True,
        text=True,
        timeout=20,
    )
    assert refused.returncode == 1
    assert "--allow-remote" in refused.stderr


def test_an_idle_transaction_that_wrote_gives_way() -> None:
    with _core.Client("docstore://:memory:?idleTransactionMS=300") as client:
        client.run("t", {"create": "c"})
        session = client.session()
        session.begin()
        client.run("t", {"insert": "c", "documents": [{"_id": "idle"}]}, session)
        begun = time.monotonic()
        client.run("t", {"insert": "c", "documents": [{"_id": "waited"}]})
        assert 0.2 < time.monotonic() - begun < 3
        with pytest.raises(MongoError) as caught:
            client.run("t", {"insert": "c", "documents": [{"_id": "late"}]}, session)
        assert caught.value.code == 251
        assert "TransientTransactionError" in caught.value.details["errorLabels"]
        session.abort()
        assert [d["_id"] for d in client.cursor("t", {"find": "c"})] == ["waited"]


def test_a_transaction_that_works_does_not_give_way() -> None:
    with _core.Client("docstore://:memory:?idleTransactionMS=400") as client:
        client.run("t", {"create": "c"})
        session = client.session()
        session.begin()
        client.run("t", {"insert": "c", "documents": [{"_id": 0}]}, session)
        other = threading.Thread(
            target=lambda: client.run("t", {"insert": "c", "documents": [{"_id": "x"}]})
        )
        other.start()
        for i in range(1, 9):
            time.sleep(0.1)
            client.run("t", {"insert": "c", "documents": [{"_id": i}]}, session)
        session.commit()
        other.join()
        assert client.run("t", {"count": "c"})["n"] == 10


@pytest.mark.parametrize("variable", ["XDG_RUNTIME_DIR", "TMPDIR"])
def test_pymongo_finds_the_private_socket_by_discovery(
    tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch, variable: str
) -> None:
    """PyMongo reads the names a replica set gives its members in lower case."""
    folder = tmp_path / "Capital Letters"
    folder.mkdir()
    monkeypatch.setenv(variable, str(folder))
    with (
        _core.Client("docstore://:memory:") as client,
        _core.Server(client) as server,
        MongoClient(
            server.uri, directConnection=False, replicaSet="rs0", serverSelectionTimeoutMS=3000
        ) as mongo,
    ):
        assert server.address == server.address.lower()
        mongo.t.c.insert_one({"_id": 1})
        assert mongo.topology_description.topology_type_name == "ReplicaSetWithPrimary"


def test_a_socket_no_driver_finds_is_refused_or_warned_of(
    docstore: str, tmp_path: pathlib.Path
) -> None:
    with (
        _core.Client("docstore://:memory:") as client,
        pytest.raises(MongoError, match=r"end in \.sock"),
    ):
        _core.Server(client, str(tmp_path / "mongo"))
    serving = subprocess.Popen(
        [docstore, "serve", ":memory:", "--socket", str(tmp_path / "Shop.sock")],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert serving.stdout is not None
    assert "serves" in serving.stdout.readline()
    serving.terminate()
    assert "lower case" in serving.communicate(timeout=10)[1]
