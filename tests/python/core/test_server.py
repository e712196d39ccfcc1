# SPDX-License-Identifier: Apache-2.0
"""The embedded store served to PyMongo over the wire protocol."""

import json
import os
import pathlib
import signal
import socket
import stat
import struct
import subprocess
import sys
import time
from collections.abc import Iterator

import bson
import pytest
from pymongo import MongoClient, WriteConcern
from pymongo.errors import BulkWriteError, DuplicateKeyError

from mongodb import _core
from mongodb.errors import MongoError


@pytest.fixture(scope="module")
def server() -> Iterator[_core.Server]:
    with _core.Client("docstore://:memory:") as client, _core.Server(client) as server:
        yield server


@pytest.fixture
def mongo(server: _core.Server) -> Iterator[MongoClient]:
    with MongoClient(server.uri, serverSelectionTimeoutMS=5000) as mongo:
        yield mongo
        mongo.drop_database("t")


def test_the_socket_is_private_and_removed() -> None:
    with _core.Client("docstore://:memory:") as client:
        server = _core.Server(client)
        folder = pathlib.Path(server.address).parent
        assert stat.S_IMODE(folder.stat().st_mode) == 0o700
        assert server.running
        server.stop()
        assert not server.running
        assert not folder.exists()
        server.stop()


def test_pymongo_works(mongo: MongoClient) -> None:
    collection = mongo.t.c
    collection.insert_many([{"_id": i, "x": i % 3} for i in range(1000)])
    assert collection.count_documents({"x": 1}) == 333
    assert len(list(collection.find().batch_size(10))) == 1000
    collection.update_many({"x": 1}, {"$set": {"y": 2}})
    assert collection.find_one({"_id": 1}) == {"_id": 1, "x": 1, "y": 2}
    assert collection.delete_many({"x": 0}).deleted_count == 334
    assert collection.distinct("x") == [1, 2]
    assert [d["n"] for d in collection.aggregate([{"$count": "n"}])] == [666]
    assert collection.find_one_and_update({"_id": 2}, {"$inc": {"x": 5}})["x"] == 2
    assert mongo.t.list_collection_names() == ["c"]


def test_errors_keep_their_shape(mongo: MongoClient) -> None:
    mongo.t.c.insert_one({"_id": 1})
    with pytest.raises(DuplicateKeyError) as caught:
        mongo.t.c.insert_one({"_id": 1})
    assert caught.value.details["keyValue"] == {"_id": 1}
    with pytest.raises(BulkWriteError):
        mongo.t.c.insert_many([{"_id": 2}, {"_id": 2}])


def test_transactions(mongo: MongoClient) -> None:
    mongo.t.c.insert_one({"_id": 0})
    with mongo.start_session() as session:
        with session.start_transaction():
            mongo.t.c.insert_one({"_id": 1}, session=session)
            assert mongo.t.c.find_one({"_id": 1}) is None
        assert mongo.t.c.find_one({"_id": 1}) is not None
        with pytest.raises(ZeroDivisionError), session.start_transaction():
            mongo.t.c.insert_one({"_id": 2}, session=session)
            _ = 1 / 0
        assert mongo.t.c.find_one({"_id": 2}) is None


def test_the_transaction_of_a_client_that_died_is_aborted(
    server: _core.Server, mongo: MongoClient
) -> None:
    child = os.fork()
    if child == 0:
        other: MongoClient = MongoClient(server.uri)
        session = other.start_session()
        session.start_transaction()
        other.t.c.insert_one({"_id": "lost"}, session=session)
        os.kill(os.getpid(), signal.SIGKILL)
    os.waitpid(child, 0)
    begun = time.monotonic()
    mongo.t.c.insert_one({"_id": "mine"})
    assert time.monotonic() - begun < 5
    assert [d["_id"] for d in mongo.t.c.find()] == ["mine"]


def test_unacknowledged_writes(mongo: MongoClient) -> None:
    quiet = mongo.t.get_collection("c", write_concern=WriteConcern(w=0))
    quiet.insert_many([{"_id": i} for i in range(10)])
    deadline = time.monotonic() + 5
    while mongo.t.c.count_documents({}) < 10 and time.monotonic() < deadline:
        time.sleep(0.01)
    assert mongo.t.c.count_documents({}) == 10


def test_tcp_is_a_replica_set_of_one() -> None:
    with (
        _core.Client("docstore://:memory:") as client,
        _core.Server(client, host="127.0.0.1") as server,
        MongoClient(f"mongodb://{server.address}/?replicaSet=rs0") as mongo,
    ):
        mongo.t.c.insert_one({"_id": 1})
        assert mongo.t.c.find_one() == {"_id": 1}
        assert mongo.topology_description.topology_type_name == "ReplicaSetWithPrimary"
        assert f"{mongo.address[0]}:{mongo.address[1]}" == server.address


def test_stop_ends_connections_at_once() -> None:
    with _core.Client("docstore://:memory:") as client:
        server = _core.Server(client, host="127.0.0.1")
        with MongoClient(server.uri, serverSelectionTimeoutMS=500) as mongo:
            mongo.admin.command("ping")
            assert server.connections > 0
            begun = time.monotonic()
            server.stop()
            assert time.monotonic() - begun < 2


def test_a_taken_address_is_an_error() -> None:
    with (
        _core.Client("docstore://:memory:") as client,
        _core.Server(client, host="127.0.0.1") as server,
    ):
        port = int(server.address.rpartition(":")[2])
        with pytest.raises(MongoError, match="in use"):
            _core.Server(client, host="127.0.0.1", port=port)


def test_a_socket_in_use_is_kept_and_a_stale_one_replaced(tmp_path: pathlib.Path) -> None:
    path = str(tmp_path / "s.sock")
    with _core.Client("docstore://:memory:") as client:
        with socket.socket(socket.AF_UNIX) as stale:
            stale.bind(path)
        with _core.Server(client, path):
            with pytest.raises(MongoError, match="another server"):
                _core.Server(client, path)
            assert os.path.exists(path)
        assert not os.path.exists(path)
        (tmp_path / "file.sock").write_text("precious")
        with pytest.raises(MongoError, match="no socket"):
            _core.Server(client, str(tmp_path / "file.sock"))
        assert (tmp_path / "file.sock").read_text() == "precious"


def test_only_embedded_stores_are_served() -> None:
    with _core.Client("mongodb://127.0.0.1:1/") as client, pytest.raises(MongoError, match="only"):
        _core.Server(client)


class Raw:
    """A connection that sends what it is told."""

    def __init__(self, server: _core.Server) -> None:
        self.socket = socket.socket(socket.AF_UNIX)
        self.socket.settimeout(5)
        self.socket.connect(server.address)

    def send(self, body: bytes, opcode: int = 2013, size: int | None = None) -> None:
        length = size if size is not None else 16 + len(body)
        self.socket.sendall(struct.pack("<iiii", length, 1, 0, opcode) + body)

    def read(self, size: int) -> bytes:
        got = b""
        while len(got) < size:
            part = self.socket.recv(size - len(got))
            if not part:
                raise EOFError
            got += part
        return got

    def reply(self) -> tuple[int, int, dict[str, object]]:
        """The opcode, the flags and the document of the next reply."""
        length, _, _, opcode = struct.unpack("<iiii", self.read(16))
        body = self.read(length - 16)
        if opcode == 1:
            return opcode, 0, bson.decode(body[20:])
        return opcode, struct.unpack("<I", body[:4])[0], bson.decode(body[5:])

    def closed(self) -> bool:
        try:
            return self.socket.recv(1) == b""
        except ConnectionError:
            return True


@pytest.fixture
def raw(server: _core.Server) -> Iterator[Raw]:
    connection = Raw(server)
    yield connection
    connection.socket.close()


def message(document: dict[str, object], flags: int = 0) -> bytes:
    return struct.pack("<I", flags) + b"\0" + bson.encode(document)


def test_op_query_hello(raw: Raw) -> None:
    query = struct.pack("<I", 4) + b"admin.$cmd\0" + struct.pack("<ii", 0, -1)
    raw.send(query + bson.encode({"isMaster": 1, "helloOk": True}), opcode=2004)
    opcode, _, reply = raw.reply()
    assert opcode == 1
    assert reply["ok"] == 1.0
    assert reply["setName"] == "rs0"
    raw.send(query + bson.encode({"find": "c"}), opcode=2004)
    assert raw.reply()[2]["code"] == 352


def test_exhaust_hello_streams(raw: Raw) -> None:
    raw.send(message({"hello": 1, "$db": "admin"}))
    first = raw.reply()[2]
    wait = {
        "hello": 1,
        "topologyVersion": first["topologyVersion"],
        "maxAwaitTimeMS": 100,
        "$db": "admin",
    }
    raw.send(message(wait, 1 << 16))
    begun = time.monotonic()
    for _ in range(3):
        _, flags, reply = raw.reply()
        assert flags & 2
        assert reply["ok"] == 1.0
    assert 0.25 < time.monotonic() - begun < 5


def test_a_command_without_db_is_refused(raw: Raw) -> None:
    raw.send(message({"ping": 1}))
    assert raw.reply()[2]["code"] == 40571
    raw.send(message({"ping": 1, "$db": "t"}))
    assert raw.reply()[2]["ok"] == 1.0


def test_invalid_bson_is_answered(raw: Raw) -> None:
    raw.send(struct.pack("<I", 0) + b"\0" + b"\x0d\0\0\0\x02a\0\x99\0\0\0x\0")
    assert raw.reply()[2]["code"] == 22
    raw.send(message({"ping": 1, "$db": "t"}))
    assert raw.reply()[2]["ok"] == 1.0


@pytest.mark.parametrize(
    ("body", "opcode", "size"),
    [
        (b"", 2013, 5),
        (b"", 2013, 2**31 - 1),
        (b"", 2013, -1),
        (b"\0" * 10, 2012, None),
        (b"\0" * 10, 77, None),
        (struct.pack("<I", 4) + b"\0" + bson.encode({"ping": 1}), 2013, None),
        (struct.pack("<I", 0) + b"\7" + bson.encode({"ping": 1}), 2013, None),
        (struct.pack("<I", 0) + b"\1\xff\xff\xff\x7fx", 2013, None),
    ],
)
def test_broken_frames_close_the_connection_only(
    raw: Raw, server: _core.Server, body: bytes, opcode: int, size: int | None
) -> None:
    raw.send(body, opcode, size)
    assert raw.closed()
    other = Raw(server)
    other.send(message({"ping": 1, "$db": "t"}))
    assert other.reply()[2]["ok"] == 1.0
    other.socket.close()


def test_a_child_does_not_disturb_the_parents_server(server: _core.Server) -> None:
    child = os.fork()
    if child == 0:
        server.stop()
        os._exit(0)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    with MongoClient(server.uri, serverSelectionTimeoutMS=5000) as mongo:
        assert mongo.admin.command("ping")["ok"] == 1.0


def test_the_program_serves_and_checks(docstore: str, tmp_path: pathlib.Path) -> None:
    path = str(tmp_path / "shop file.docstore")
    serving = subprocess.Popen(
        [docstore, "serve", path, "--port", "0"], stdout=subprocess.PIPE, text=True
    )
    assert serving.stdout is not None
    lines = [serving.stdout.readline() for _ in range(3)]
    uri = lines[1].split()[-1]
    with MongoClient(uri, serverSelectionTimeoutMS=5000) as mongo:
        mongo.t.c.insert_many([{"x": i} for i in range(10)])
        mongo.t.c.create_index("x")
    serving.send_signal(signal.SIGTERM)
    assert serving.wait(10) == 0
    serving.stdout.close()
    done = subprocess.run([docstore, "check", path], capture_output=True, text=True)
    assert done.returncode == 0
    assert "1 collections, 10 documents, 0 damaged" in done.stdout
    assert done.stdout.startswith("format ")


def test_check_passes_over_views(docstore: str, tmp_path: pathlib.Path) -> None:
    path = tmp_path / "views.docstore"
    with _core.Client(f"docstore://{path}") as client:
        client.run("t", {"insert": "c", "documents": [{"_id": 1}]})
        client.run("t", {"create": "v", "viewOn": "c", "pipeline": []})
    done = subprocess.run([docstore, "check", str(path)], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert "1 collections, 1 documents, 0 damaged" in done.stdout


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        ([], 2, "docstore serve"),
        (["nope"], 2, "no verb 'nope'"),
        (["serve"], 2, "name a file"),
        (["serve", "x", "--port", "abc"], 2, "--port"),
        (["serve", "x", "--nope"], 2, "--nope"),
        (["check", "/no/such/file"], 1, "/no/such/file"),
        (["--version"], 0, "docstore"),
        (["help", "serve"], 0, "--durability"),
    ],
)
def test_what_the_program_says(docstore: str, arguments: list[str], code: int, words: str) -> None:
    done = subprocess.run([docstore, *arguments], capture_output=True, text=True)
    assert done.returncode == code
    assert words in done.stdout + done.stderr


def test_folders_of_killed_processes_are_removed(
    tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(tmp_path))
    code = (
        "import os, signal\nfrom mongodb import _core\n"
        "server = _core.Server(_core.Client('docstore://:memory:'))\n"
        "os.kill(os.getpid(), signal.SIGKILL)"
    )
    subprocess.run([sys.executable, "-c", code], check=False)
    (left,) = tmp_path.glob("docstore-*/mongodb.sock")
    with _core.Client("docstore://:memory:") as client, _core.Server(client):
        assert left.exists()  # too fresh: its process may be about to listen
    long_ago = time.time() - 3600
    os.utime(left, (long_ago, long_ago))
    with _core.Client("docstore://:memory:") as client, _core.Server(client):
        assert not left.parent.exists()
        assert len(list(tmp_path.iterdir())) == 1


def test_a_damaged_log_is_told_at_open_and_by_check(
    damaged_log: pathlib.Path, docstore: str, caplog: pytest.LogCaptureFixture
) -> None:
    path = damaged_log
    done = subprocess.run([docstore, "check", str(path)], capture_output=True, text=True)
    assert done.returncode == 1
    assert "is damaged at frame" in done.stdout
    with caplog.at_level("WARNING", "mongodb"), _core.Client(f"docstore://{path}") as client:
        client.run("t", {"ping": 1})
        lines = client.run("admin", {"getLog": "startupWarnings"})["log"]
    assert "is damaged at frame" in caplog.text
    assert [json.loads(line)["s"] for line in lines] == ["W"]
    done = subprocess.run([docstore, "check", str(path)], capture_output=True, text=True)
    assert done.returncode == 1
    assert "-wal-damaged" in done.stdout


def test_warnings_come_with_cursors_too(
    damaged_log: pathlib.Path, caplog: pytest.LogCaptureFixture
) -> None:
    with _core.Client(f"docstore://{damaged_log}") as client:
        assert len(list(client.cursor("t", {"find": "n", "batchSize": 5000}))) == 3000
    assert "is damaged at frame" in caplog.text
