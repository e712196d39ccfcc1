# SPDX-License-Identifier: Apache-2.0
"""What a session is opened with is done, or refused, on every kind of store."""

from collections.abc import Iterator
from typing import Any

import pytest

from mongodb import _core
from mongodb.errors import MongoError

DB = "session_options"
INVALID = 72


@pytest.fixture
def client(store_uri: str) -> Iterator[_core.Client]:
    with _core.Client(store_uri) as opened:
        opened.run(DB, {"dropDatabase": 1})
        insert = {"insert": "c", "documents": [{"_id": 1}, {"_id": 2}]}
        opened.run(DB, {**insert, "writeConcern": {"w": "majority"}})
        yield opened


def code_of(work: Any) -> int | None:
    with pytest.raises(MongoError) as caught:
        work()
    return caught.value.code


def test_a_snapshot_session_reads_what_its_first_command_read(client: _core.Client) -> None:
    def ids(session: Any) -> list[Any]:
        found = client.run(DB, {"find": "c"}, session)["cursor"]["firstBatch"]
        cursor = client.cursor(DB, {"find": "c", "batchSize": 1}, session)
        assert [doc["_id"] for doc in cursor] == [doc["_id"] for doc in found]
        assert client.run(DB, {"distinct": "c", "key": "_id"}, session)["values"] == [
            doc["_id"] for doc in found
        ]
        return [doc["_id"] for doc in found]

    with client.session({"snapshot": True}) as session:
        assert ids(session) == [1, 2]
        client.run(DB, {"insert": "c", "documents": [{"_id": 3}]})
        client.run(DB, {"delete": "c", "deletes": [{"q": {"_id": 1}, "limit": 1}]})
        assert ids(session) == [1, 2]
        count = {"aggregate": "c", "pipeline": [{"$count": "n"}], "cursor": {}}
        assert client.run(DB, count, session)["cursor"]["firstBatch"] == [{"n": 2}]
    assert client.run(DB, {"count": "c"})["n"] == 2
    assert [doc["_id"] for doc in client.cursor(DB, {"find": "c"})] == [2, 3]


@pytest.mark.parametrize(
    "command",
    [
        {"insert": "c", "documents": [{"_id": 9}]},
        {"count": "c"},
        {"find": "c", "readConcern": {"level": "local"}},
    ],
    ids=lambda command: next(iter(command)),
)
def test_a_snapshot_session_refuses_what_reads_elsewhere(
    command: dict[str, Any], client: _core.Client
) -> None:
    with client.session({"snapshot": True}) as session:
        client.run(DB, {"find": "c"}, session)
        assert code_of(lambda: client.run(DB, command, session)) == INVALID
        assert code_of(session.begin) == 251
        assert not session.in_transaction
    assert client.run(DB, {"count": "c"})["n"] == 2


@pytest.mark.parametrize(
    "options",
    [
        {"snapshot": 1},
        {"snapshots": True},
        {"causalConsistency": "yes"},
        {"defaultTransactionOptions": {"x": 1}},
        {"defaultTransactionOptions": {"readConcern": "majority"}},
        {"snapshot": True, "causalConsistency": True},
    ],
    ids=str,
)
def test_options_that_are_not_known_are_refused(
    options: dict[str, Any], client: _core.Client
) -> None:
    with pytest.raises(MongoError):
        client.session(options).close()


def test_the_options_of_transactions_are_used(client: _core.Client) -> None:
    options = {"defaultTransactionOptions": {"readConcern": {"level": "linearizable"}}}
    with client.session(options) as session:
        session.begin()
        assert code_of(lambda: client.run(DB, {"find": "c"}, session)) == INVALID
        session.abort()
        session.begin({"readConcern": {"level": "snapshot"}, "maxCommitTimeMS": 10000})
        client.run(DB, {"insert": "c", "documents": [{"_id": 4}]}, session)
        session.commit()
        with pytest.raises(MongoError):
            session.begin({"nope": 1})
    assert client.run(DB, {"count": "c"})["n"] == 3
