# SPDX-License-Identifier: Apache-2.0
"""What a client sends again because it got no answer, to the server started next: executed once."""

import contextlib
import pathlib
import random
import socket
import struct
import subprocess
import sys
import time
import uuid
from collections.abc import Callable, Iterator
from typing import Any

import bson
import pytest
from bson import Int64
from bson.binary import Binary

from mongodb import _core

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[2] / "arguments"))
from wire import Wire  # noqa: E402

TOO_OLD, CONVERTED, NO_SUCH_TRANSACTION, COMMITTED = 225, 217, 251, 256

Document = dict[str, Any]


class Served:
    """A server's process on a file; `kill` ends it as a power cut would."""

    def __init__(self, program: str, path: pathlib.Path) -> None:
        self.process = subprocess.Popen(
            [program, "serve", str(path), "--port", "0"], stdout=subprocess.PIPE, text=True
        )
        assert self.process.stdout is not None
        self.port = int(self.process.stdout.readline().rsplit(":", 1)[1])
        self.wire = Wire("127.0.0.1", self.port)

    def send(self, command: Document) -> None:
        """Send a command on a connection of its own, without waiting for its answer."""
        body = struct.pack("<IB", 0, 0) + bson.encode({**command, "$db": "t"})
        connection = socket.create_connection(("127.0.0.1", self.port))
        connection.sendall(struct.pack("<iiii", 16 + len(body), 1, 0, 2013) + body)
        self.unread = [*getattr(self, "unread", []), connection]

    def run(self, command: Document, db: str = "t") -> Document:
        return self.wire.run(db, command)

    def kill(self) -> None:
        self.process.kill()
        self.process.wait()
        assert self.process.stdout is not None
        self.process.stdout.close()
        self.wire.close()
        for connection in getattr(self, "unread", []):
            connection.close()


Start = Callable[[], Served]


@pytest.fixture
def start(docstore: str, tmp_path: pathlib.Path) -> Iterator[Start]:
    """Starts servers on one file, and ends them in the end."""
    with contextlib.ExitStack() as stack:

        def one() -> Served:
            served = Served(docstore, tmp_path / "s.docstore")
            stack.callback(served.kill)
            return served

        yield one


def numbered(number: int = 1, lsid: Document | None = None) -> Document:
    return {
        "lsid": lsid or {"id": Binary(uuid.uuid4().bytes, 4)},
        "txnNumber": Int64(number),
    }


def rows(run: Callable[[Document], Document], coll: str = "c") -> list[Document]:
    batch: list[Document] = run({"find": coll, "sort": {"_id": 1}})["cursor"]["firstBatch"]
    return batch


ONCE: list[Document] = [
    {"insert": "c", "documents": [{"_id": 10}, {"_id": 11}]},
    {"update": "c", "updates": [{"q": {"_id": 1}, "u": {"$inc": {"n": 1}}}]},
    {"delete": "c", "deletes": [{"q": {"kind": "twin"}, "limit": 1}]},
    {"findAndModify": "c", "query": {"_id": 4}, "update": {"$inc": {"n": 1}}, "new": True},
    {"findAndModify": "c", "query": {"_id": 5}, "remove": True},
    {
        "update": "c",
        "updates": [
            {"q": {"_id": 1}, "u": {"$inc": {"m": 1}}},
            {"q": {"new": "one"}, "u": {"$inc": {"n": 1}}, "upsert": True},
            {"q": {"_id": 99}, "u": {"$inc": {"n": 1}}},
        ],
    },
]


def test_a_write_without_an_answer_is_done_once(start: Start) -> None:
    first = start()
    twins = [{"_id": 2, "kind": "twin"}, {"_id": 3, "kind": "twin"}]
    more = [{"_id": 1, "n": 0}, *twins, {"_id": 4, "n": 0}, {"_id": 5, "last": "words"}]
    first.run({"insert": "c", "documents": more})
    commands = [{**command, **numbered()} for command in ONCE]
    for command in commands:
        first.send(command)

    def done() -> bool:
        now = {row["_id"]: row for row in rows(first.run)}
        return (
            10 in now and now[1].get("n") == 1 and now[1].get("m") == 1
            and now[4]["n"] == 1 and 5 not in now and sum(i in now for i in (2, 3)) == 1
        )  # fmt: skip

    deadline = time.monotonic() + 30
    while not done() and time.monotonic() < deadline:
        time.sleep(0.01)
    before = rows(first.run)
    assert done(), before
    first.kill()

    second = start()
    insert, update, delete, modify, remove, batch = (second.run(command) for command in commands)
    assert rows(second.run) == before
    assert (insert["n"], insert["retriedStmtIds"]) == (2, [0, 1])
    assert (update["n"], update["nModified"], update["retriedStmtIds"]) == (1, 1, [0])
    assert (delete["n"], delete["retriedStmtIds"]) == (1, [0])
    assert modify["value"] == {"_id": 4, "n": 1} and modify["retriedStmtId"] == 0
    assert remove["value"] == {"_id": 5, "last": "words"}
    upserted = next(row["_id"] for row in before if row.get("new") == "one")
    assert batch["upserted"] == [{"index": 1, "_id": upserted}]
    assert (batch["n"], batch["nModified"], batch["retriedStmtIds"]) == (2, 1, [0, 1])


def test_a_client_may_go_on_with_another_process_on_the_file(start: Start) -> None:
    one, other = start(), start()
    one.run({"insert": "c", "documents": [{"_id": 1, "n": 0}]})
    update = {"update": "c", "updates": [{"q": {"_id": 1}, "u": {"$inc": {"n": 1}}}]}
    lsid = {"id": Binary(uuid.uuid4().bytes, 4)}
    for server in (one, other, one, other):
        assert server.run({**update, **numbered(1, lsid)})["nModified"] == 1
    assert rows(one.run) == [{"_id": 1, "n": 1}]
    assert other.run({**update, **numbered(2, lsid)})["nModified"] == 1
    assert one.run({**update, **numbered(1, lsid)})["code"] == TOO_OLD
    assert one.run({**update, **numbered(2, lsid)})["retriedStmtIds"] == [0]
    assert rows(one.run) == [{"_id": 1, "n": 2}]


def test_an_ended_session_knows_what_it_wrote(start: Start) -> None:
    server = start()
    server.run({"insert": "c", "documents": [{"_id": 1, "n": 0}]})
    fields = numbered(5)
    update = {"update": "c", "updates": [{"q": {"_id": 1}, "u": {"$inc": {"n": 1}}}], **fields}
    server.run(update)
    assert server.run({"endSessions": [fields["lsid"]]}, "admin")["ok"]
    assert server.run(update)["retriedStmtIds"] == [0]
    older = {**update, "txnNumber": Int64(4)}
    assert server.run(older)["code"] == TOO_OLD
    assert rows(server.run) == [{"_id": 1, "n": 1}]


def test_a_commit_may_be_sent_to_the_next_server(start: Start) -> None:
    first = start()
    first.run({"create": "c"})
    done, lost = numbered(3), numbered(3)
    for i, fields in enumerate((done, lost)):
        insert = {"insert": "c", "documents": [{"_id": i}], "autocommit": False}
        assert first.run({**insert, **fields, "startTransaction": True})["ok"]
        if fields is done:
            commit: Document = {"commitTransaction": 1, "autocommit": False}
            assert first.run({**commit, **fields}, "admin")["ok"]
    first.kill()

    for server in (start(), start()):
        assert server.run({**commit, **done}, "admin")["ok"]
        assert server.run({**commit, **done}, "admin")["ok"]
        refused = server.run({**commit, **lost}, "admin")
        assert refused["code"] == NO_SUCH_TRANSACTION
        assert refused["errorLabels"] == ["TransientTransactionError"]
    server = start()
    find = {"find": "c", "autocommit": False}
    assert server.run({**find, **done})["code"] == COMMITTED
    abort = {"abortTransaction": 1, "autocommit": False}
    assert start().run({**abort, **done}, "admin")["code"] == COMMITTED
    assert start().run({**find, **done, "startTransaction": True})["code"] == 117
    write = {"insert": "c", "documents": [{"_id": 7}]}
    assert start().run({**write, **done})["code"] == CONVERTED
    older = {**write, **done, "txnNumber": Int64(2)}
    assert start().run(older)["code"] == TOO_OLD
    old = {**find, **older, "startTransaction": True}
    del old["insert"], old["documents"]
    assert start().run(old)["code"] == TOO_OLD
    assert rows(server.run) == [{"_id": 0}]


def test_a_transaction_another_process_has_left_behind_does_not_commit(start: Start) -> None:
    one, other = start(), start()
    one.run({"create": "c"})
    fields = numbered(1)
    insert = {"insert": "c", "documents": [{"_id": 1}], "autocommit": False, **fields}
    find = {"find": "c", "autocommit": False, "startTransaction": True, **fields}
    assert one.run(find)["ok"]
    newer = {"insert": "c", "documents": [{"_id": 2}], **fields, "txnNumber": Int64(2)}
    assert other.run(newer)["ok"]
    assert one.run(insert)["code"] in (112, NO_SUCH_TRANSACTION)
    assert rows(one.run) == [{"_id": 2}]


@pytest.mark.parametrize("seed", range(4))
def test_generated_batches_across_kills(start: Start, seed: int) -> None:
    """Batches of any kind, resent to the next server with others' writes between: each statement
    counts once, as often as it is sent."""
    chance = random.Random(seed)
    server = start()
    server.run({"insert": "c", "documents": [{"_id": i, "n": 0} for i in range(20)]})
    expected = dict.fromkeys(range(20), 0)
    fields = numbered(0)
    for number in range(1, 13):
        statements = []
        for i in range(chance.randint(1, 8)):
            one = chance.randrange(20)
            if chance.random() < 0.2:
                new = 1000 * number + i
                statements.append({"q": {"_id": new}, "u": {"$inc": {"n": 1}}, "upsert": True})
                expected[new] = 1
            else:
                statements.append({"q": {"_id": one}, "u": {"$inc": {"n": 1}}})
                expected[one] += 1
        cut = chance.randint(0, len(statements))
        ids = list(range(len(statements)))
        chance.shuffle(ids)
        command: Document = {"update": "c", **fields, "txnNumber": Int64(number)}
        if cut:  # a part of it first
            part = {**command, "updates": statements[:cut], "stmtIds": ids[:cut]}
            assert server.run(part)["n"] == cut
        if chance.random() < 0.3:
            server.kill()
            server = start()
        reply = server.run({**command, "updates": statements, "stmtIds": ids})
        assert reply["n"] == len(statements)
        assert reply.get("retriedStmtIds", []) == ids[:cut]
    assert {row["_id"]: row["n"] for row in rows(server.run)} == expected


def test_other_writes_keep_nothing(tmp_path: pathlib.Path) -> None:
    import sqlite3

    def tables() -> int:
        with contextlib.closing(sqlite3.connect(f"file:{path}?mode=ro", uri=True)) as file:
            sql = "SELECT count(*) FROM sqlite_schema WHERE name = 'ds_retry'"
            return int(file.execute(sql).fetchone()[0])

    path = tmp_path / "s.docstore"
    client = _core.Client(f"docstore://{path}")
    client.run("t", {"insert": "c", "documents": [{"_id": 1}]})
    transaction = {**numbered(), "autocommit": False}
    start = {"insert": "c", "documents": [{"_id": 2}], **transaction, "startTransaction": True}
    client.run("t", start)
    client.run("admin", {"commitTransaction": 1, **transaction})
    assert tables() == 0
    command = {"insert": "c", "documents": [{"_id": 3}], **numbered()}
    assert client.run("t", command)["n"] == 1
    assert tables() == 1
    client.close()
