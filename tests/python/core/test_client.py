# SPDX-License-Identifier: Apache-2.0
"""Client, Session and Cursor on every kind of store."""

import gc
import os
import threading
import time
import tracemalloc
from collections.abc import Iterator

import pytest

from mongodb import _core
from mongodb.errors import (
    ConnectionFailure,
    MongoError,
    NotUniqueError,
    OperationError,
)

DB = "core_client_test"


@pytest.fixture(scope="module")
def client(store_uri: str) -> Iterator[_core.Client]:
    with _core.Client(store_uri) as client:
        client.run(DB, {"dropDatabase": 1})
        yield client
        client.run(DB, {"dropDatabase": 1})


@pytest.fixture
def numbers(client: _core.Client) -> Iterator[str]:
    """A collection of 1,000 documents."""
    name = f"numbers{time.monotonic_ns()}"
    client.run(DB, {"insert": name, "documents": [{"_id": i, "x": i % 10} for i in range(1000)]})
    yield name
    client.run(DB, {"drop": name})


def count(client: _core.Client, name: str) -> int:
    return int(client.run(DB, {"count": name, "query": {"_id": {"$exists": True}}})["n"])


def test_kind_and_database(client: _core.Client, store_uri: str) -> None:
    assert client.kind == ("embedded" if store_uri.startswith("docstore:") else "remote")
    assert client.default_db is None
    assert not client.closed


def test_commands_as_mapping_or_bytes(client: _core.Client) -> None:
    assert client.run("admin", {"ping": 1})["ok"] == 1.0
    assert client.run("admin", _core.encode({"ping": 1}))["ok"] == 1.0
    assert _core.decode(client.run_raw("admin", {"ping": 1}))["ok"] == 1.0


def test_refusals_raise_unless_told_not_to(client: _core.Client) -> None:
    with pytest.raises(OperationError, match="no such command") as caught:
        client.run(DB, {"nonsense": 1})
    assert caught.value.code == 59
    assert caught.value.code_name == "CommandNotFound"
    assert caught.value.details["ok"] == 0.0
    assert client.run(DB, {"nonsense": 1}, check=False)["code"] == 59
    with pytest.raises(OperationError):
        client.run_raw(DB, {"nonsense": 1})


def test_a_duplicate_key_of_find_and_modify_is_not_unique(
    client: _core.Client, numbers: str
) -> None:
    client.run(
        DB,
        {
            "createIndexes": numbers,
            "indexes": [{"key": {"u": 1}, "name": "u", "unique": True, "sparse": True}],
        },
    )
    client.run(DB, {"update": numbers, "updates": [{"q": {"_id": 1}, "u": {"$set": {"u": 1}}}]})
    with pytest.raises(NotUniqueError) as caught:
        client.run(
            DB, {"findAndModify": numbers, "query": {"_id": 2}, "update": {"$set": {"u": 1}}}
        )
    assert caught.value.code == 11000
    assert caught.value.details["keyPattern"] == {"u": 1}
    assert caught.value.details["keyValue"] == {"u": 1}


@pytest.mark.parametrize("command", [{}, b"", b"junk", {"ping": object()}, 5, None])
def test_malformed_commands(client: _core.Client, command: object) -> None:
    with pytest.raises((MongoError, ValueError, TypeError)):
        client.run(DB, command)  # type: ignore[arg-type]


@pytest.mark.parametrize("name", ["", "a.b", "a b", "a/b", "x" * 64, "$a"])
def test_bad_database_names(client: _core.Client, name: str) -> None:
    with pytest.raises(OperationError) as caught:
        client.run(name, {"ping": 1})
    assert caught.value.code == 73


def test_cursor_iterates_over_batches(client: _core.Client, numbers: str) -> None:
    find = {"find": numbers, "sort": {"_id": 1}}
    assert [d["_id"] for d in client.cursor(DB, find)] == list(range(1000))
    small = client.cursor(DB, find | {"batchSize": 7}, batch_size=50)
    assert [d["_id"] for d in small] == list(range(1000))
    assert not small.alive
    assert list(small) == []


def test_raw_batches_are_arrays_of_documents(client: _core.Client, numbers: str) -> None:
    cursor = client.cursor(DB, {"find": numbers, "sort": {"_id": 1}, "batchSize": 400})
    batches = list(cursor.raw_batches())
    assert [len(b) for b in batches] == [400, 400, 200]
    first = _core.decode(batches[0])
    assert first["0"] == {"_id": 0, "x": 0}
    assert memoryview(batches[0]).readonly


def test_a_batch_outlives_its_cursor_and_client(store_uri: str) -> None:
    client = _core.Client(store_uri)
    client.run(DB, {"insert": "outlive", "documents": [{"_id": 1, "s": "x" * 500}]}, check=False)
    batch = client.cursor(DB, {"find": "outlive"}).next_batch()
    client.close()
    del client
    gc.collect()
    assert batch is not None
    assert _core.decode(batch)["0"]["s"] == "x" * 500


def test_one_by_one_and_batches_do_not_mix(client: _core.Client, numbers: str) -> None:
    cursor = client.cursor(DB, {"find": numbers, "batchSize": 5})
    next(cursor)
    with pytest.raises(ValueError, match="one by one"):
        cursor.next_batch()


def test_cursor_options(client: _core.Client, numbers: str) -> None:
    client.run(
        DB,
        {"update": numbers, "updates": [{"q": {"_id": 0}, "u": {"$currentDate": {"at": True}}}]},
    )
    find = {"find": numbers, "filter": {"_id": 0}}
    assert next(client.cursor(DB, find))["at"].tzinfo is None
    assert next(client.cursor(DB, find, tz_aware=True))["at"].tzinfo is not None


def test_refused_cursor_commands_raise(client: _core.Client, numbers: str) -> None:
    with pytest.raises(OperationError) as caught:
        client.cursor(DB, {"find": numbers, "filter": {"$nope": 1}})
    assert caught.value.code == 2
    with pytest.raises(MongoError, match="without a cursor"):
        client.cursor(DB, {"ping": 1})


def test_a_dropped_collection_ends_the_cursor_with_an_error(client: _core.Client) -> None:
    client.run(DB, {"insert": "gone", "documents": [{"_id": i} for i in range(500)]})
    cursor = client.cursor(DB, {"find": "gone", "batchSize": 10})
    client.run(DB, {"drop": "gone"})
    with pytest.raises(OperationError):
        list(cursor)


def test_killed_cursors_are_closed_on_the_store(client: _core.Client, numbers: str) -> None:
    for _ in range(150):  # more than a pool has connections
        cursor = client.cursor(DB, {"find": numbers, "batchSize": 2})
        next(cursor)
        del cursor
    with client.cursor(DB, {"find": numbers, "batchSize": 2}) as cursor:
        assert cursor.alive
    assert not cursor.alive


def test_transactions_commit_and_abort(client: _core.Client, numbers: str) -> None:
    with client.session() as session:
        assert set(session.lsid) == {"id"}
        assert not session.in_transaction
        session.begin()
        assert session.in_transaction
        client.run(DB, {"delete": numbers, "deletes": [{"q": {}, "limit": 0}]}, session)
        assert list(client.cursor(DB, {"find": numbers}, session)) == []
        assert count(client, numbers) == 1000
        session.abort()
        assert count(client, numbers) == 1000
        session.begin({"writeConcern": {"w": 1}})
        client.run(DB, {"delete": numbers, "deletes": [{"q": {"_id": 1}, "limit": 1}]}, session)
        assert session.commit()["ok"] == 1.0
        assert count(client, numbers) == 999
        session.begin()
        client.run(DB, {"insert": numbers, "documents": [{"_id": 1}]}, session)
    assert session.closed
    assert count(client, numbers) == 999  # closing aborts


def test_cursors_in_transactions_and_sessions(client: _core.Client, numbers: str) -> None:
    with client.session() as session:
        session.begin()
        cursor = client.cursor(DB, {"find": numbers, "batchSize": 10}, session)
        assert len(list(cursor)) == 1000
        session.commit()
        cursor = client.cursor(DB, {"find": numbers, "batchSize": 10}, session)
        next(cursor)
        session.close()
        with pytest.raises(ValueError, match="closed"):
            list(cursor)


def test_wrong_use_of_sessions(client: _core.Client, store_uri: str) -> None:
    with client.session() as session:
        with pytest.raises(OperationError) as caught:
            session.commit()
        assert caught.value.code == 251
        session.begin()
        with pytest.raises(OperationError, match="already in progress"):
            session.begin()
        session.abort()
        with _core.Client(store_uri) as other, pytest.raises(ValueError, match="another client"):
            other.run(DB, {"ping": 1}, session)
        with pytest.raises(TypeError):
            client.run(DB, {"ping": 1}, object())  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="closed"):
        client.run(DB, {"ping": 1}, session)


def test_write_conflicts_are_transient(client: _core.Client, numbers: str) -> None:
    with client.session() as one, client.session() as two:
        one.begin()
        two.begin()
        bump = {"update": numbers, "updates": [{"q": {"_id": 1}, "u": {"$inc": {"x": 1}}}]}
        list(client.cursor(DB, {"find": numbers, "filter": {"_id": 1}}, two))
        client.run(DB, bump, one)
        one.commit()
        with pytest.raises(OperationError) as caught:
            client.run(DB, bump, two)
        assert caught.value.code == 112
        assert caught.value.has_error_label("TransientTransactionError")


def test_threads_share_a_client(client: _core.Client, numbers: str) -> None:
    errors: list[BaseException] = []

    def work() -> None:
        try:
            for i in range(50):
                assert client.run(DB, {"find": numbers, "filter": {"_id": i}})["ok"] == 1.0
                client.run(
                    DB, {"update": numbers, "updates": [{"q": {"_id": 0}, "u": {"$inc": {"n": 1}}}]}
                )
        except BaseException as error:
            errors.append(error)

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert errors == []
    assert next(client.cursor(DB, {"find": numbers, "filter": {"_id": 0}}))["n"] == 200


def test_a_forked_child_works_on_its_own(client: _core.Client, numbers: str) -> None:
    cursor = client.cursor(DB, {"find": numbers, "batchSize": 10})
    next(cursor)
    session = client.session()
    child = os.fork()
    if child == 0:
        code = 1
        try:
            ok = count(client, numbers) == 1000
            client.run(DB, {"insert": numbers, "documents": [{"_id": "child"}]})
            session.close()
            cursor.close()
            client.close()
            code = 0 if ok else 2
        finally:
            os._exit(code)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    assert len(list(cursor)) >= 999
    session.close()
    assert count(client, numbers) == 1001


def test_close_waits_for_what_is_open(store_uri: str) -> None:
    client = _core.Client(store_uri)
    session = client.session()
    client.close()
    assert client.closed
    with pytest.raises(ConnectionFailure, match="closed"):
        client.run(DB, {"ping": 1})
    session.close()
    client.close()


def test_handles_leak_nothing(client: _core.Client, numbers: str) -> None:
    def work(times: int) -> int:
        for _ in range(times):
            client.run(DB, {"find": numbers, "limit": 3})
            client.run_raw(DB, {"ping": 1})
            list(client.cursor(DB, {"find": numbers, "limit": 20, "batchSize": 5}))
            list(client.cursor(DB, {"find": numbers, "limit": 20}).raw_batches())
            with client.session() as session:
                session.begin()
                client.run(DB, {"find": numbers, "limit": 1}, session)
                session.abort()
            try:
                client.run(DB, {"nonsense": 1})
            except OperationError:
                pass
        gc.collect()
        return tracemalloc.get_traced_memory()[0]

    tracemalloc.start()
    try:
        work(900)  # until the interpreter's own caches are full
        before = work(100)
        # one object lost in each round would be 600 times 16 bytes or more
        assert work(600) - before < 9_000
    finally:
        tracemalloc.stop()


UNREACHABLE = [
    ("mongodb://127.0.0.1:1/?serverSelectionTimeoutMS=200", 6, "127.0.0.1:1: Connection refused"),
    ("mongodb://no.such.host.invalid/?serverSelectionTimeoutMS=200", 7, "no.such.host.invalid"),
    ("mongodb://%2Ftmp%2Fno-such.sock/?serverSelectionTimeoutMS=200", 6, "No such file"),
]


@pytest.mark.parametrize(("uri", "code", "words"), UNREACHABLE)
def test_an_unreachable_server_is_named_with_the_reason(uri: str, code: int, words: str) -> None:
    with _core.Client(uri) as client:
        begun = time.monotonic()
        with pytest.raises(ConnectionFailure, match=words) as caught:
            client.run("db", {"ping": 1})
        assert caught.value.code == code
        assert time.monotonic() - begun < 5


@pytest.mark.parametrize(
    ("uri", "words"),
    [
        ("nothing", "unknown kind of store"),
        ("docstore:///no/such/folder/x.docstore", "/no/such/folder/x.docstore"),
        ("docstore://:memory:?nope=1", "nope"),
        ("mongodb://h/?nope=1", "nope"),
    ],
)
def test_bad_uris_are_named(uri: str, words: str) -> None:
    with pytest.raises(MongoError, match=words):
        _core.Client(uri)
