# SPDX-License-Identifier: Apache-2.0
"""Random interleavings of sessions beside a mongod (`make sessions` goes on for longer), and what
they have found."""

import pathlib
import sys
import uuid
from collections.abc import Callable
from typing import Any

import pytest
from bson import Int64
from bson.binary import Binary

DIFFERENTIAL = pathlib.Path(__file__).resolve().parents[2] / "differential"
SEQUENCES = 36

Run = Callable[[str, dict[str, Any]], dict[str, Any]]
DB = "sequences"


def test_interleaved_sessions_are_answered_as_by_mongod(
    mongod: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "path", [str(DIFFERENTIAL), *sys.path])
    import sessions

    host, port = mongod.removeprefix("mongodb://").split("/")[0].split(":")
    runner = sessions.Runner(host, int(port))
    try:
        for seed in range(SEQUENCES):
            steps = sessions.generate(seed, sessions.LENGTH)
            if runner.run(steps)[0] is not None:
                pytest.fail(runner.report(seed, steps))
    finally:
        runner.server.close()
    assert runner.sent > 20 * SEQUENCES
    assert runner.conflicts > SEQUENCES


@pytest.fixture
def empty(raw: Run) -> Run:
    raw(DB, {"dropDatabase": 1})
    raw(DB, {"insert": "c", "documents": [{"_id": i, "n": 1} for i in range(3)]})
    return raw


def session(number: int = 1) -> dict[str, Any]:
    return {"lsid": {"id": Binary(uuid.uuid4().bytes, 4)}, "txnNumber": Int64(number)}


def test_a_retryable_write_changes_one_document(empty: Run) -> None:
    update = {"q": {}, "u": {"$inc": {"n": 1}}, "multi": True}
    reply = empty(DB, {"update": "c", "updates": [update], **session()})
    assert (reply["n"], reply["writeErrors"][0]["code"]) == (0, 72)
    statements = [{"q": {}, "limit": 0}, {"q": {"_id": 1}, "limit": 1}]
    reply = empty(DB, {"delete": "c", "deletes": statements, "ordered": False, **session()})
    assert (reply["n"], reply["writeErrors"][0]["code"]) == (1, 72)
    assert empty(DB, {"count": "c", "query": {"n": 1}})["n"] == 2


def test_a_cursor_of_no_collection_is_closed_at_once(empty: Run) -> None:
    assert empty(DB, {"find": "none", "batchSize": 0})["cursor"]["id"] == 0
    assert empty(DB, {"find": "c", "batchSize": 0})["cursor"]["id"] != 0


def test_a_transaction_makes_no_views(empty: Run) -> None:
    begun = {**session(), "autocommit": False, "startTransaction": True}
    assert empty(DB, {"create": "v", "viewOn": "c", **begun})["code"] == 263
    assert empty(DB, {"listCollections": 1, "filter": {"name": "v"}})["cursor"]["firstBatch"] == []
