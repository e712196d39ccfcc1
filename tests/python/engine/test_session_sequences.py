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


def test_a_write_that_makes_nothing_makes_no_collection(
    mongod: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The fuzzer knows which collections there are: mongod refuses to read one of a transaction
    that is older than it."""
    monkeypatch.setattr(sys, "path", [str(DIFFERENTIAL), *sys.path])
    import sessions

    host, port = mongod.removeprefix("mongodb://").split("/")[0].split(":")
    runner = sessions.Runner(host, int(port))
    step = sessions.Step
    make = [
        step(0, "start", "b", ("",)),
        step(0, "insert", "a", ((7, 10), 2, False), True),
        step(1, "start", "a", ("",)),
        step(1, "find", "v", (0, 1, 1)),
        step(0, "commit", "a"),
        step(1, "distinct", "a"),
    ]
    try:
        for first in ("delete", "drop"):
            args = (0, 1, True) if first == "delete" else ()
            before = [step(0, "insert", "a", ((1,), 0, True))] if first == "drop" else []
            difference, _ = runner.run([*before, step(0, first, "a", args), *make])
            assert difference is None, difference
    finally:
        runner.server.close()


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


Answers = Callable[..., dict[str, dict[str, Any]]]


@pytest.fixture
def paused(raw: Run) -> Answers:
    """What cursors that have given two documents answer after something has changed."""

    def answer(
        queries: dict[str, dict[str, Any]], snapshot: bool, *changes: dict[str, Any]
    ) -> dict[str, dict[str, Any]]:
        for db in (DB, OTHER):
            raw(db, {"dropDatabase": 1})
        keys = [{"key": {name: 1}, "name": name} for name in ("n", "m")]
        documents = [{"_id": i, "n": i, "x": i} for i in range(6)]
        raw(DB, {"createIndexes": "c", "indexes": keys})
        raw(DB, {"create": "v", "viewOn": "c", "pipeline": [{"$match": {"n": {"$gte": 0}}}]})
        for coll in ("o", "c"):
            insert = {"insert": coll, "documents": documents, "writeConcern": {"w": "majority"}}
            raw(DB, insert)
        lsid = {"lsid": session()["lsid"]}
        concern = {"readConcern": {"level": "snapshot"}} if snapshot else {}
        cursors = {
            name: raw(DB, {**query, **lsid, **concern})["cursor"] for name, query in queries.items()
        }
        for change in changes:
            reply = raw("admin" if "renameCollection" in change else DB, change)
            assert reply["ok"], reply
        replies = {}
        for name, cursor in cursors.items():
            coll = cursor["ns"].split(".", 1)[1]
            more = {"getMore": cursor["id"], "collection": coll, "batchSize": 2, **lsid}
            replies[name] = raw(DB, more)
        return replies

    return answer


OTHER = f"{DB}_other"
QUERIES: dict[str, dict[str, Any]] = {
    "table": {"find": "c", "batchSize": 2},
    "index": {"find": "c", "filter": {"n": {"$gte": 0}}, "hint": {"n": 1}, "batchSize": 2},
    "sort": {"find": "c", "sort": {"x": 1}, "batchSize": 2},
    "pipeline": {
        "aggregate": "c",
        "pipeline": [{"$match": {"_id": {"$gte": 0}}}],
        "cursor": {"batchSize": 2},
    },
    "view": {"find": "v", "batchSize": 2},
}


def rename(old: str, new: str, db: str = DB, drop: bool = False) -> dict[str, Any]:
    return {"renameCollection": f"{DB}.{old}", "to": f"{db}.{new}", "dropTarget": drop}


BACK = {"renameCollection": f"{OTHER}.c", "to": f"{DB}.c"}
MADE_AGAIN = {"insert": "c", "documents": [{"_id": i, "n": i} for i in range(9)]}
# What changes, and what a cursor answers then: the code of a plain one, and of one with a snapshot.
CHANGES: dict[str, tuple[list[dict[str, Any]], int, int]] = {
    "drop": ([{"drop": "c"}], 175, 175),
    "drop_database": ([{"dropDatabase": 1}], 175, 175),
    "rename": ([rename("c", "d")], 175, 175),
    "rename_to_another_database": ([rename("c", "c", OTHER)], 175, 175),
    "rename_to_another_database_and_back": ([rename("c", "c", OTHER), BACK], 175, 246),
    "drop_and_make_again": ([{"drop": "c"}, MADE_AGAIN], 175, 246),
    "another_in_its_place": ([rename("o", "c", drop=True)], 175, 246),
    "rename_and_another_in_its_place": ([rename("c", "d"), rename("o", "c")], 175, 246),
    "other_index": ([{"dropIndexes": "c", "index": "m"}], 0, 0),
    "new_index": ([{"createIndexes": "c", "indexes": [{"key": {"k": 1}, "name": "k"}]}], 0, 0),
    "options": ([{"collMod": "c", "validationLevel": "moderate"}], 0, 0),
    "other_collection": ([{"drop": "o"}], 0, 0),
}


@pytest.mark.parametrize("snapshot", [False, True], ids=["plain", "snapshot"])
@pytest.mark.parametrize("change", CHANGES)
def test_a_cursor_ends_with_what_it_reads(paused: Answers, change: str, snapshot: bool) -> None:
    changes, plain, held = CHANGES[change]
    for name, reply in paused(QUERIES, snapshot, *changes).items():
        assert (name, reply.get("code", 0)) == (name, held if snapshot else plain), reply
        if reply["ok"]:
            assert [doc["_id"] for doc in reply["cursor"]["nextBatch"]] == [2, 3]


@pytest.mark.parametrize("snapshot", [False, True], ids=["plain", "snapshot"])
def test_a_cursor_ends_with_the_index_it_reads(paused: Answers, snapshot: bool) -> None:
    again = {"createIndexes": "c", "indexes": [{"key": {"n": 1}, "name": "n"}]}
    drop = {"dropIndexes": "c", "index": "n"}
    hide = {"collMod": "c", "index": {"name": "n", "hidden": True}}
    for changes in ([drop], [{**drop, "index": "*"}], [drop, again], [hide]):
        for name, reply in paused(QUERIES, snapshot, *changes).items():
            ends = name in ("index", "view")
            assert (name, reply.get("code", 0)) == (name, 175 if ends else 0), (changes, reply)


def test_a_pipeline_that_has_read_everything_goes_on(paused: Answers) -> None:
    stages = [{"$group": {"_id": "$_id"}}, {"$sort": {"_id": 1}}, {"$set": {"z": 1}}]
    query = {"aggregate": "c", "pipeline": stages, "cursor": {"batchSize": 2}}
    for snapshot in (False, True):
        reply = paused({"group": query}, snapshot, {"drop": "c"})["group"]
        assert [doc["_id"] for doc in reply["cursor"]["nextBatch"]] == [2, 3]


def test_whose_a_cursor_is_comes_before_what_it_reads(empty: Run) -> None:
    def begun(lsid: dict[str, Any]) -> dict[str, Any]:
        return {**lsid, "txnNumber": Int64(1), "autocommit": False, "startTransaction": True}

    def codes(opened: dict[str, Any], asked: dict[str, Any]) -> list[int]:
        found = []
        for coll in ("c", "other"):
            cursor = empty(DB, {"find": "c", "batchSize": 1, **opened})["cursor"]
            reply = empty(DB, {"getMore": cursor["id"], "collection": coll, **asked})
            found.append(reply.get("code", 0))
        return found

    def lsid() -> dict[str, Any]:
        return {"lsid": session()["lsid"]}

    mine = lsid()
    assert codes({}, {}) == [0, 13]
    assert codes({}, mine) == [50736, 50736]
    assert codes(mine, {}) == [50737, 50737]
    assert codes(mine, lsid()) == [50738, 50738]
    for coll in ("c", "other"):
        mine = lsid()
        cursor = empty(DB, {"find": "c", "batchSize": 1, **mine})["cursor"]
        more = {"getMore": cursor["id"], "collection": coll}
        assert empty(DB, {**more, **begun(mine)})["code"] == 50739
        mine = lsid()
        cursor = empty(DB, {"find": "c", "batchSize": 1, **begun(mine)})["cursor"]
        more = {"getMore": cursor["id"], "collection": coll}
        assert empty(DB, {**more, **mine})["code"] == 50740
        empty("admin", {"killSessions": [mine["lsid"]]})


def aggregate(stage: Any) -> dict[str, Any]:
    return {"aggregate": "c", "pipeline": [{"$match": {}}, stage], "cursor": {}}


NOPE = [{"$nope": 1}]
MALFORMED: list[tuple[Any, int]] = [
    (1, 14),
    ({}, 40323),
    ({"$match": {}, "$limit": 1}, 40323),
    (NOPE[0], 40324),
    ({"$lookup": 1}, 9),
    ({"$lookup": {"from": 1, "as": "x"}}, 9),
    ({"$lookup": {"from": "d", "as": "x", "pipeline": [3]}}, 14),
    ({"$lookup": {"from": "d", "as": "x", "pipeline": NOPE}}, 40324),
    ({"$lookup": {"from": "d", "as": "x", "pipeline": [{"$facet": {"y": NOPE}}]}}, 40324),
    ({"$unionWith": 1}, 9),
    ({"$unionWith": {"coll": "d", "pipeline": NOPE}}, 40324),
    ({"$facet": 1}, 40169),
    ({"$facet": {"x": 1}}, 40170),
    ({"$facet": {"x": [4]}}, 40171),
    ({"$facet": {"x": NOPE}}, 40324),
]


def in_transaction(run: Run, db: str, command: dict[str, Any]) -> dict[str, Any]:
    """The answer to a transaction's second command."""
    fields = {**session(), "autocommit": False}
    assert run(DB, {"find": "c", **fields, "startTransaction": True})["ok"]
    reply = run(db, {**command, **fields})
    run("admin", {"abortTransaction": 1, **fields})
    return reply


REFUSED_STAGES = [
    {"$changeStream": {}},
    {"$indexStats": {}},
    {"$collStats": {"count": {}}},
    {"$planCacheStats": {}},
    {"$currentOp": {}},
    {"$listLocalSessions": {}},
    {"$out": "d"},
    {"$merge": {"into": "d"}},
]


@pytest.mark.parametrize("stage", REFUSED_STAGES, ids=lambda stage: next(iter(stage)))
def test_a_transaction_refuses_stages_wherever_they_stand(empty: Run, stage: Any) -> None:
    name = next(iter(stage))
    pipelines = [[stage], [stage, {"$match": {}}]]
    if name not in ("$indexStats", "$collStats"):
        pipelines.append([{"$match": {}}, stage])
    if name not in ("$changeStream", "$currentOp", "$listLocalSessions"):
        pipelines.append([{"$unionWith": {"coll": "c", "pipeline": [stage]}}])
    for pipeline in pipelines:
        command = {"aggregate": "c", "pipeline": pipeline, "cursor": {}}
        reply = in_transaction(empty, DB, command)
        assert reply.get("code") == 263, (pipeline, reply)
        assert name in reply["errmsg"]
    command = {"aggregate": 1, "pipeline": [{"$currentOp": {}}], "cursor": {}}
    assert in_transaction(empty, "admin", command)["code"] == 263


@pytest.mark.parametrize("stage", [stage for stage, code in MALFORMED if code != 14], ids=str)
def test_an_update_by_malformed_stages_fails_as_a_command(empty: Run, stage: Any) -> None:
    code = next(code for known, code in MALFORMED if known == stage)
    for query in ({}, {"_id": 99}):
        command = {"update": "c", "updates": [{"q": query, "u": [stage]}]}
        for reply in (empty(DB, command), in_transaction(empty, DB, command)):
            assert (reply.get("code"), "writeErrors" in reply) == (code, False), reply
    reply = empty(DB, {"update": "c", "updates": [{"q": {}, "u": [{"$match": {}}]}]})
    assert reply["ok"] and reply["writeErrors"][0]["code"] == 72


@pytest.mark.parametrize(
    "stage", [{"$limit": -1}, {"$match": {"a": {"$nope": 1}}}, {"$project": {"a": {"$nope": 1}}}]
)
def test_what_is_wrong_inside_of_a_stage_ends_the_transaction(empty: Run, stage: Any) -> None:
    fields = {**session(), "autocommit": False}
    assert empty(DB, {"find": "c", **fields, "startTransaction": True})["ok"]
    assert not empty(DB, {**aggregate(stage), **fields})["ok"]
    assert empty(DB, {"find": "c", **fields})["code"] == 251


def test_a_command_that_cannot_be_read_leaves_its_transaction_open(empty: Run) -> None:
    none = Int64(5)
    refused: list[tuple[dict[str, Any], int]] = [
        ({"aggregate": "c", "pipeline": []}, 9),
        ({"aggregate": "c", "pipeline": [], "cursor": {}, "zz": 1}, 40415),
        ({"aggregate": "c", "pipeline": 1, "cursor": {}}, 14),
        ({"aggregate": "c", "pipeline": [], "cursor": {"batchSize": "x"}}, 14),
        ({"aggregate": "c", "pipeline": [], "cursor": {}, "hint": 1}, 9),
        *((aggregate(stage), code) for stage, code in MALFORMED),
        ({"findAndModify": "c", "update": [1]}, 14),
        ({"getMore": 1, "collection": "c"}, 14),
        ({"getMore": none}, 40414),
        ({"getMore": none, "collection": "c", "batchSize": -1}, 51024),
        ({"killCursors": "c"}, 40414),
        ({"killCursors": "c", "cursors": [1]}, 14),
        ({"killCursors": 1, "cursors": []}, 2),
        ({"create": "q", "zz": 1}, 40415),
        ({"create": "q", "capped": "x"}, 14),
        ({"create": ""}, 73),
        ({"createIndexes": "q"}, 40414),
        ({"createIndexes": "q", "indexes": 1}, 14),
        ({"commitTransaction": 1, "zz": 1}, 40415),
        ({"abortTransaction": 1, "recoveryToken": 1}, 14),
        ({"findAndModify": "c", "zz": 1}, 40415),
        ({"findAndModify": "c", "query": 1, "remove": True}, 14),
    ]
    fields = {**session(), "autocommit": False}
    assert empty(DB, {"find": "c", **fields, "startTransaction": True})["ok"]
    for command, code in refused:
        ends = next(iter(command)) in ("commitTransaction", "abortTransaction")
        reply = empty("admin" if ends else DB, {**command, **fields})
        assert (command, reply.get("code")) == (command, code), reply
        reply = empty(DB, {"find": "c", **fields})
        assert reply["ok"], (command, reply)
    for command, code in refused:
        ends = next(iter(command)) in ("commitTransaction", "abortTransaction")
        first = {**session(), "autocommit": False, "startTransaction": True}
        assert empty("admin" if ends else DB, {**command, **first}).get("code") == code
        del first["startTransaction"]
        assert empty(DB, {"find": "c", **first})["code"] == 251, command
    reply = empty(DB, {"getMore": none, "collection": "c", **fields})
    assert reply["code"] == 43
    assert empty(DB, {"find": "c", **fields})["code"] == 251
