# SPDX-License-Identifier: Apache-2.0
"""Processes that fork while a store is open: what the child may use, and what nobody loses."""

import os
import pathlib
import signal
import threading
import time
from collections.abc import Callable, Iterator

import pytest

from mongodb import _core
from mongodb.errors import MongoError

from ..forks import ROUNDS, ended, fork

DB = "fork_test"
MEGABYTES = 50  # more than the page cache: part of the transaction is in the log already
REFUSED = 20  # IllegalOperation


def refused(work: Callable[[], object]) -> str:
    with pytest.raises(MongoError) as caught:
        work()
    assert caught.value.code == REFUSED
    return str(caught.value)


def insert(client: _core.Client, first: int, count: int, name: str = "c") -> None:
    for i in range(first, first + count):
        client.run(DB, {"insert": name, "documents": [{"_id": i, "text": "x" * 500}]})


def check(path: pathlib.Path, count: int, name: str = "c") -> None:
    with _core.Client(f"docstore://{path}") as client:
        found = [d["_id"] for d in client.cursor(DB, {"find": name, "sort": {"_id": 1}})]
        assert found == list(range(count))
        assert client.run(DB, {"validate": name, "full": True})["valid"]


@pytest.fixture
def path(tmp_path: pathlib.Path) -> pathlib.Path:
    return tmp_path / "store.docstore"


@pytest.fixture
def client(path: pathlib.Path) -> Iterator[_core.Client]:
    with _core.Client(f"docstore://{path}") as opened:
        insert(opened, 0, 2)
        yield opened


@pytest.mark.parametrize("ending", ["abort", "commit", "close", "leave"])
def test_a_child_leaves_its_parents_transaction_alone(ending: str, path: pathlib.Path) -> None:
    client = _core.Client(f"docstore://{path}")
    client.run(DB, {"create": "c"})
    session = client.session()
    session.begin()
    for i in range(MEGABYTES // 10):
        document = {"_id": i, "text": chr(97 + i) * (10 << 20)}
        client.run(DB, {"insert": "c", "documents": [document]}, session=session)

    def end() -> None:
        if ending in ("abort", "commit"):
            assert "before fork()" in refused(getattr(session, ending))
        elif ending == "close":
            session.close()
            client.close()

    assert ended(fork(end)) == 0
    for i in range(MEGABYTES // 10):
        find = {"find": "c", "filter": {"_id": i}}
        found = client.run(DB, find, session=session)["cursor"]["firstBatch"]
        assert set(found[0]["text"]) == {chr(97 + i)}
    session.commit()
    assert client.run(DB, {"count": "c"})["n"] == MEGABYTES // 10
    assert client.run(DB, {"validate": "c", "full": True})["valid"]
    client.close()


@pytest.mark.parametrize("leaving", ["closes", "exits", "is killed"])
@pytest.mark.parametrize("when", ["first", "between", "late"])
@pytest.mark.parametrize("using", ["its parent's client", "its own"])
def test_a_child_loses_nothing_when_its_parent_leaves(
    using: str, leaving: str, when: str, path: pathlib.Path
) -> None:
    before = {"first": 0, "between": 50, "late": 90}[when]

    def parent() -> None:
        client = _core.Client(f"docstore://{path}")
        insert(client, 0, 2)
        read, write = os.pipe()

        def daemon() -> None:
            mine = client if using != "its own" else _core.Client(f"docstore://{path}")
            insert(mine, 2, before)
            os.close(write)
            time.sleep(0.05)  # the parent leaves
            insert(mine, 2 + before, 20)
            second = _core.Client(f"docstore://{path}")
            insert(second, second.run(DB, {"count": "c"})["n"], 10)
            client.close()

        child = fork(daemon)
        os.close(write)
        os.read(read, 1)
        if leaving == "closes":
            client.close()
        elif leaving == "is killed":
            os.kill(os.getpid(), signal.SIGKILL)
        if leaving != "exits":
            assert ended(child) == 0

    # the daemon's end is told by the pipe that it alone keeps open
    read, write = os.pipe()
    family = fork(parent)
    os.close(write)
    assert os.read(read, 1) == b""
    os.close(read)
    assert ended(family) == (-signal.SIGKILL if leaving == "is killed" else 0)
    check(path, 32 + before)


def test_no_child_of_a_busy_process_hangs(client: _core.Client) -> None:
    done = threading.Event()
    counts = [0] * 8
    failures: list[BaseException] = []

    def work(number: int) -> None:
        session = client.session()
        try:
            while not done.is_set():
                client.run(DB, {"insert": f"t{number}", "documents": [{"n": counts[number]}]})
                counts[number] += 1
                find = {"find": f"t{number}", "limit": 20, "batchSize": 3}
                assert len(list(client.cursor(DB, find))) == min(counts[number], 20)
                _core.object_id()
                if number % 2:
                    client.run(DB, {"ping": 1}, session=session)
        except BaseException as error:
            failures.append(error)

    def use(number: int) -> None:
        client.run(DB, {"insert": "k", "documents": [{"_id": number}]})
        with client.session() as session:
            session.begin()
            client.run(DB, {"delete": "k", "deletes": [{"q": {"_id": -number}, "limit": 0}]},
                       session)  # fmt: skip
            session.commit()
        assert len(list(client.cursor(DB, {"find": "k", "batchSize": 5}))) > 0
        _core.object_id()
        client.close()

    threads = [threading.Thread(target=work, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    children: list[int] = []
    try:
        for number in range(1, 1 + 108 * ROUNDS):
            children.append(fork(lambda number=number: use(number)))  # type: ignore[misc]
            if len(children) == 6:
                assert ended(children.pop(0)) == 0
        for child in children:
            assert ended(child) == 0
    finally:
        done.set()
        for thread in threads:
            thread.join()
    assert failures == []
    assert client.run(DB, {"count": "k"})["n"] == 108 * ROUNDS
    for number in range(8):
        assert client.run(DB, {"count": f"t{number}"})["n"] == counts[number]
        assert client.run(DB, {"validate": f"t{number}", "full": True})["valid"]


def test_a_child_of_an_open_transaction_is_refused_the_file(
    client: _core.Client, path: pathlib.Path
) -> None:
    second = _core.Client(f"docstore://{path}")
    other = _core.Client(f"docstore://{path.with_name('other.docstore')}")
    other.run(DB, {"ping": 1})
    session = client.session()
    session.begin()
    client.run(DB, {"insert": "c", "documents": [{"_id": 2}]}, session=session)

    def child() -> None:
        for mine in (client, second):
            for command in ({"count": "c"}, {"insert": "c", "documents": [{}]}):
                assert "had a transaction" in refused(lambda c=command, m=mine: m.run(DB, c))  # type: ignore[misc]
        assert "had a transaction" in refused(lambda: _core.Client(f"docstore://{path}"))
        assert "before fork()" in refused(lambda: client.run(DB, {"count": "c"}, session))
        assert not session.in_transaction
        insert(other, 0, 10)
        client.close()
        refused(lambda: _core.Client(f"docstore://{path}"))

        def grandchild() -> None:
            refused(lambda: second.run(DB, {"count": "c"}))
            insert(other, 10, 10)

        assert ended(fork(grandchild)) == 0

    assert ended(fork(child)) == 0
    client.run(DB, {"insert": "c", "documents": [{"_id": 3}]}, session=session)
    session.commit()
    assert ended(fork(lambda: insert(client, 4, 5))) == 0
    for opened in (session, client, second, other):
        opened.close()
    check(path, 9)
    check(path.with_name("other.docstore"), 20)


def test_sessions_and_cursors_stay_with_the_parent(store_uri: str) -> None:
    name = "sessions_and_cursors"
    with _core.Client(store_uri) as client:
        client.run(DB, {"delete": name, "deletes": [{"q": {}, "limit": 0}]})
        documents = [{"_id": i} for i in range(100)]
        client.run(DB, {"insert": name, "documents": documents})
        cursor = client.cursor(DB, {"find": name, "batchSize": 10})
        raw = client.cursor(DB, {"find": name, "batchSize": 10})
        assert raw.next_batch() is not None
        session = client.session()
        assert next(cursor)["_id"] == 0

        def child() -> None:
            refused(lambda: client.run(DB, {"count": name}, session))
            refused(session.begin)
            refused(raw.next_batch)
            assert [next(cursor)["_id"] for _ in range(9)] == list(range(1, 10))
            assert "open another in the child" in refused(lambda: next(cursor))
            assert len(list(client.cursor(DB, {"find": name, "batchSize": 7}))) == 100
            with client.session() as own:
                client.run(DB, {"count": name}, own)
            for handle in (cursor, raw, session, client):
                handle.close()
            assert client.closed

        assert ended(fork(child)) == 0
        assert [d["_id"] for d in cursor] == list(range(1, 100))
        assert client.run(DB, {"count": name}, session)["n"] == 100
        raw.close()
        session.close()


def test_a_child_shares_a_store_in_memory(
    tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    client = _core.Client("docstore://:memory:")
    insert(client, 0, 2)
    assert ended(fork(lambda: (insert(client, 2, 2), client.close()))) == 0
    assert client.run(DB, {"count": "c"})["n"] == 4
    read, write = os.pipe()

    def child() -> None:
        assert os.read(read, 1) == b"x"  # the parent has closed it
        insert(client, 4, 2)
        threads = [threading.Thread(target=insert, args=(client, 10 * n, 5)) for n in range(1, 5)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert client.run(DB, {"count": "c"})["n"] == 26
        assert client.run(DB, {"validate": "c", "full": True})["valid"]
        assert len(list(tmp_path.iterdir())) == 1
        client.close()
        assert list(tmp_path.iterdir()) == []

    last = fork(child)
    client.close()
    os.write(write, b"x")
    assert ended(last) == 0
    assert list(tmp_path.iterdir()) == []


def test_a_fork_does_not_wait_for_those_who_wait(client: _core.Client, path: pathlib.Path) -> None:
    """For a writer of this process, and for one of another."""
    session = client.session()
    session.begin()
    client.run(DB, {"insert": "c", "documents": [{"_id": 2}]}, session=session)
    other = _core.Client(f"docstore://{path}")  # its writer is SQLite's lock
    waiting = [
        threading.Thread(target=insert, args=(client, 3, 1)),
        threading.Thread(target=insert, args=(other, 4, 1)),
    ]
    for thread in waiting:
        thread.start()
    time.sleep(0.3)
    begun = time.monotonic()
    assert ended(fork(lambda: refused(lambda: client.run(DB, {"count": "c"})))) == 0
    assert time.monotonic() - begun < 2
    session.commit()
    for thread in waiting:
        thread.join()
    session.close()
    other.close()
    assert client.run(DB, {"count": "c"})["n"] == 5


def test_a_server_stays_with_the_parent(client: _core.Client) -> None:
    with _core.Server(client) as server:

        def child() -> None:
            assert not server.running and server.connections == 0
            with _core.Server(client) as own:
                assert own.running and own.uri != server.uri
            server.stop()

        assert ended(fork(child)) == 0
        assert server.running
