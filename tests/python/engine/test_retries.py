# SPDX-License-Identifier: Apache-2.0
"""Retryable writes beside a mongod: which statements were executed before, and which are now."""

import random
import uuid
from collections.abc import Callable
from typing import Any

import bson
import pytest
from bson import Int64
from bson.binary import Binary

from mongodb import _core

Document = dict[str, Any]
Run = Callable[[str, Document], Document]

OWN = {"$clusterTime", "operationTime", "opTime", "electionId", "errmsg"}


def lsid() -> Document:
    return {"id": Binary(uuid.uuid4().bytes, 4)}


def told(reply: Document) -> Document:
    return {key: value for key, value in reply.items() if key not in OWN}


@pytest.fixture
def numbered(raw: Run) -> Callable[..., Document]:
    """Runs a command of one session; what its number is comes first."""
    raw("retries", {"drop": "c"})
    raw("retries", {"insert": "c", "documents": [{"_id": i, "n": 0} for i in range(4)]})
    session = lsid()

    def run(number: int, command: Document, **more: Any) -> Document:
        fields = {"lsid": session, "txnNumber": Int64(number)}
        return told(raw("retries", {**command, **fields, **more}))

    return run


def insert(*ids: Any) -> Document:
    return {"insert": "c", "documents": [{"_id": i} for i in ids]}


def test_what_failed_is_tried_again(raw: Run, numbered: Callable[..., Document]) -> None:
    first = numbered(1, insert(10, 11, 10, 12))
    assert (first["n"], first["writeErrors"][0]["index"]) == (2, 2)
    again = numbered(1, insert(10, 11, 10, 12))
    assert (again["n"], again["retriedStmtIds"]) == (2, [0, 1])
    assert again["writeErrors"] == first["writeErrors"]
    rest = numbered(1, insert(10, 11, 10, 12), ordered=False)
    assert (rest["n"], rest["retriedStmtIds"], len(rest["writeErrors"])) == (3, [0, 1], 1)
    raw("retries", {"delete": "c", "deletes": [{"q": {"_id": 10}, "limit": 1}]})
    last = numbered(1, insert(10, 11, 10, 12))
    assert (last["n"], last["retriedStmtIds"]) == (4, [0, 1, 3])
    assert "writeErrors" not in last


def test_statements_have_ids(numbered: Callable[..., Document]) -> None:
    assert numbered(1, insert(10, 11), stmtIds=[7, 3])["n"] == 2
    assert numbered(1, insert(12, 13), stmtId=7)["retriedStmtIds"] == [7]
    assert numbered(1, insert(14))["n"] == 1
    assert numbered(1, insert(15))["retriedStmtIds"] == [0]
    assert numbered(1, insert(16), stmtId=-1) == {"n": 1, "ok": 1}
    assert numbered(1, insert(17), stmtId=-1) == {"n": 1, "ok": 1}
    assert numbered(1, insert(18, 19), stmtId=20, stmtIds=[30, 31])["code"] == 72


def modify(**fields: Any) -> Document:
    return {"findAndModify": "c", "query": {"_id": 1}, **fields}


def update(u: Document, _id: int = 1, **fields: Any) -> Document:
    return {"update": "c", "updates": [{"q": {"_id": _id}, "u": u, **fields}]}


INC = {"$inc": {"n": 1}}
REMOVE = {"delete": "c", "deletes": [{"q": {"_id": 1}, "limit": 1}]}


@pytest.mark.parametrize(
    ("before", "now", "code"),
    [
        (insert(10), modify(update=INC), 40608),
        (insert(10), modify(remove=True), 40608),
        (REMOVE, update(INC), 40638),
        (REMOVE, modify(update=INC), 40606),
        (REMOVE, modify(remove=True), 40607),
        (modify(remove=True), modify(update=INC), 40606),
        (update(INC), modify(update=INC), 40612),
        (modify(query={"_id": 50}, update=INC, upsert=True), modify(update=INC), 40608),
    ],
)
def test_another_command_gets_no_answer_of_this_one(
    numbered: Callable[..., Document], before: Document, now: Document, code: int
) -> None:
    assert numbered(1, before)["ok"] == 1
    assert numbered(1, now)["code"] == code


@pytest.mark.parametrize(
    ("before", "now", "answer"),
    [
        (insert(10), REMOVE, {"n": 1, "retriedStmtIds": [0]}),
        (modify(update=INC), update(INC), {"n": 1, "nModified": 1, "retriedStmtIds": [0]}),
        (update(INC), update(INC, multi=True), {"n": 1, "nModified": 1, "retriedStmtIds": [0]}),
        (
            modify(query={"_id": 50}, update=INC, upsert=True),
            update(INC),
            {"n": 1, "nModified": 0, "retriedStmtIds": [0], "upserted": [{"index": 0, "_id": 50}]},
        ),
    ],
)
def test_another_command_gets_what_was_done(
    numbered: Callable[..., Document], before: Document, now: Document, answer: Document
) -> None:
    assert numbered(1, before)["ok"] == 1
    assert numbered(1, now) == {**answer, "ok": 1}


def test_what_changed_nothing_is_done_again(numbered: Callable[..., Document]) -> None:
    same = modify(update={"$set": {"n": 0}})
    assert numbered(1, same)["value"] == {"_id": 1, "n": 0}
    assert "retriedStmtId" not in numbered(1, same)
    assert numbered(1, modify(update=INC), stmtId=4)["value"] == {"_id": 1, "n": 0}
    assert numbered(1, modify(update=INC), stmtId=4)["retriedStmtId"] == 4
    assert numbered(1, modify(update=INC), stmtId=5)["value"] == {"_id": 1, "n": 1}


def random_command(chance: random.Random) -> Document:
    what = chance.choice(["insert", "insert", "update", "update", "delete", "modify"])
    some = [chance.randrange(24) for _ in range(chance.randint(1, 5))]
    if what == "insert":
        return insert(*some)
    if what == "delete":
        return {"delete": "c", "deletes": [{"q": {"_id": i}, "limit": 1} for i in some]}
    if what == "modify":
        how: Document = chance.choice(
            [
                {"update": INC},
                {"update": INC, "new": True, "upsert": True},
                {"update": {"$set": {"n": 0}}, "upsert": True},
                {"remove": True},
            ]
        )
        return {"findAndModify": "c", "query": {"_id": some[0]}, **how}
    updates = []
    for i in some:
        change = chance.choice([INC, {"$set": {"n": 0}}, {"$inc": {"_id": 1}}])
        updates.append({"q": {"_id": i}, "u": change, "upsert": chance.random() < 0.4})
    return {"update": "c", "updates": updates}


def test_generated_retries_are_answered_as_by_mongod(mongod: str) -> None:
    import pathlib
    import sys

    sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[2] / "arguments"))
    from wire import Wire

    host, port = mongod.removeprefix("mongodb://").split("/")[0].split(":")
    server = Wire(host, int(port))
    client = _core.Client("docstore://:memory:")

    def both(command: Document) -> Document:
        mine = bson.decode(client.run_raw("generated", command, check=False))
        theirs = server.run("generated", command)
        assert told(mine) == told(theirs), (seed, command, mine, theirs)
        return mine

    retried = 0
    for seed in range(60):
        chance = random.Random(seed)
        both({"insert": "c", "documents": [{"_id": i, "n": 0} for i in range(12)]})
        sessions: list[Document] = [{"lsid": lsid(), "n": 0} for _ in range(3)]
        for _ in range(25):
            session = chance.choice(sessions)
            roll = chance.random()
            if roll < 0.2:
                both(random_command(chance))
                continue
            if "last" not in session or roll < 0.5:
                session["n"] += 1
                session["last"] = random_command(chance)
                if "findAndModify" not in session["last"]:
                    session["last"]["ordered"] = chance.random() < 0.5
            fields = {"lsid": session["lsid"], "txnNumber": Int64(session["n"])}
            reply = both({**session["last"], **fields})
            retried += "retriedStmtIds" in reply or "retriedStmtId" in reply
        both({"find": "c", "sort": {"_id": 1}, "batchSize": 1000})
        both({"delete": "c", "deletes": [{"q": {}, "limit": 0}]})
    assert retried > 200
    server.close()
    client.close()
