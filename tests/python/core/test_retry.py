# SPDX-License-Identifier: Apache-2.0
"""Reads and writes that a deployment interrupts are repeated once, and happen once."""

from collections.abc import Callable, Iterator
from typing import Any

import pytest

from mongodb import _core
from mongodb.errors import ConnectionFailure, MongoError, OperationError

DB = "core_retry_test"
FailNext = Callable[..., None]


@pytest.fixture(scope="module")
def client(mongod: str) -> Iterator[_core.Client]:
    with _core.Client(mongod) as client:
        client.run(DB, {"dropDatabase": 1})
        client.run(DB, {"create": "c"})
        yield client
        client.run(DB, {"dropDatabase": 1})


@pytest.fixture
def fail_next(client: _core.Client) -> Iterator[FailNext]:
    """Makes the server close the connection at the next such command."""
    admin = "admin"

    def configure(*commands: str, times: int = 1, **data: Any) -> None:
        data = {"failCommands": list(commands), "closeConnection": True} | data
        if "errorCode" in data:
            del data["closeConnection"]
        client.run(
            admin, {"configureFailPoint": "failCommand", "mode": {"times": times}, "data": data}
        )

    yield configure
    client.run(admin, {"configureFailPoint": "failCommand", "mode": "off"})


def find(client: _core.Client, key: object) -> dict[str, Any]:
    return next(client.cursor(DB, {"find": "c", "filter": {"_id": key}}))


WRITES = [
    ("insert", {"insert": "c", "documents": [{"_id": "i", "n": 1}]}, "i", 1),
    (
        "update",
        {"update": "c", "updates": [{"q": {"_id": "u"}, "u": {"$inc": {"n": 1}}, "upsert": True}]},
        "u",
        1,
    ),
    (
        "findAndModify",
        {
            "findAndModify": "c",
            "query": {"_id": "f"},
            "update": {"$inc": {"n": 1}},
            "upsert": True,
        },
        "f",
        1,
    ),
]


@pytest.mark.parametrize(("name", "command", "key", "value"), WRITES)
def test_writes_are_repeated_once(
    client: _core.Client,
    fail_next: FailNext,
    name: str,
    command: dict[str, Any],
    key: str,
    value: int,
) -> None:
    fail_next(name)
    assert client.run(DB, command)["ok"] == 1.0
    assert find(client, key)["n"] == value


def test_a_write_that_happened_is_not_done_again(client: _core.Client, fail_next: FailNext) -> None:
    """The server did the write but its answer was an error that asks to try again."""
    fail_next("update", writeConcernError={"code": 91, "errmsg": "shutting down"}, errorLabels=[])
    client.run(DB, {"insert": "c", "documents": [{"_id": "once", "n": 0}]})
    fail_next(
        "update",
        closeConnection=False,
        writeConcernError={
            "code": 91,
            "errmsg": "shutting down",
            "errorLabels": ["RetryableWriteError"],
        },
    )
    bump = {"update": "c", "updates": [{"q": {"_id": "once"}, "u": {"$inc": {"n": 1}}}]}
    assert client.run(DB, bump)["ok"] == 1.0
    assert find(client, "once")["n"] == 1


def test_writes_for_many_documents_are_not_repeated(
    client: _core.Client, fail_next: FailNext
) -> None:
    fail_next("update")
    many = {"update": "c", "updates": [{"q": {}, "u": {"$inc": {"m": 1}}, "multi": True}]}
    with pytest.raises(ConnectionFailure):
        client.run(DB, many)
    fail_next("delete")
    with pytest.raises(ConnectionFailure):
        client.run(DB, {"delete": "c", "deletes": [{"q": {"_id": "none"}, "limit": 0}]})


def test_a_second_failure_is_the_users(client: _core.Client, fail_next: FailNext) -> None:
    fail_next("insert", times=2)
    with pytest.raises(ConnectionFailure):
        client.run(DB, {"insert": "c", "documents": [{"_id": "twice"}]})


def test_retries_can_be_switched_off(mongod: str, fail_next: FailNext) -> None:
    with _core.Client(mongod, {"retryWrites": False, "retryReads": False}) as plain:
        plain.run(DB, {"ping": 1})
        fail_next("insert")
        with pytest.raises(ConnectionFailure):
            plain.run(DB, {"insert": "c", "documents": [{"_id": "plain"}]})
        fail_next("find")
        with pytest.raises(ConnectionFailure):
            plain.run(DB, {"find": "c"})


@pytest.mark.parametrize(
    ("name", "command"),
    [
        ("find", {"find": "c"}),
        ("aggregate", {"aggregate": "c", "pipeline": [], "cursor": {}}),
        ("count", {"count": "c"}),
        ("distinct", {"distinct": "c", "key": "n"}),
        ("listCollections", {"listCollections": 1}),
        ("listIndexes", {"listIndexes": "c"}),
    ],
)
def test_reads_are_repeated_once(
    client: _core.Client, fail_next: FailNext, name: str, command: dict[str, Any]
) -> None:
    fail_next(name)
    assert client.run(DB, command)["ok"] == 1.0
    fail_next(name, errorCode=11600)
    assert client.run(DB, command)["ok"] == 1.0


def test_a_refusal_is_not_repeated(client: _core.Client, fail_next: FailNext) -> None:
    fail_next("insert", errorCode=2)
    with pytest.raises(OperationError) as caught:
        client.run(DB, {"insert": "c", "documents": [{"_id": "refused"}]})
    assert caught.value.code == 2


def test_a_lost_commit_is_repeated(client: _core.Client, fail_next: FailNext) -> None:
    with client.session() as session:
        session.begin()
        client.run(DB, {"insert": "c", "documents": [{"_id": "commit"}]}, session)
        fail_next("commitTransaction")
        assert session.commit()["ok"] == 1.0
    assert find(client, "commit") == {"_id": "commit"}


def test_many_writes_on_one_connection_after_a_failure(
    client: _core.Client, fail_next: FailNext
) -> None:
    for i in range(20):
        if i % 5 == 0:
            fail_next("insert")
        client.run(DB, {"insert": "c", "documents": [{"_id": f"many{i}"}]})
    with pytest.raises(MongoError):
        client.run(DB, {"insert": "c", "documents": []})
    pattern = {"find": "c", "filter": {"_id": {"$regex": "^many"}}, "batchSize": 3}
    assert len(list(client.cursor(DB, pattern))) == 20
