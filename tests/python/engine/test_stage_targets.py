# SPDX-License-Identifier: Apache-2.0
"""What $out, $merge and $changeStream are told is looked at first, in a transaction too, with the
codes of MongoDB; and nothing is written where only a server writes."""

import uuid
from typing import Any

import bson
import pytest
from bson import Binary

IN_TRANSACTION = 263
MALFORMED: list[tuple[dict[str, Any], int]] = [
    ({"$out": 1}, 16990),
    ({"$out": ["x"]}, 16990),
    ({"$out": ""}, 73),
    ({"$out": {}}, 16994),
    ({"$out": {"coll": "x"}}, 16994),
    ({"$out": {"db": "d", "coll": "x", "q": 1}}, 16994),
    ({"$out": {"db": 1, "coll": "x"}}, 13111),
    ({"$merge": 1}, 14),
    ({"$merge": ""}, 73),
    ({"$merge": {}}, 40414),
    ({"$merge": {"into": 1}}, 51178),
    ({"$merge": {"into": ""}}, 5786800),
    ({"$merge": {"into": {"db": "d"}}}, 5786801),
    ({"$merge": {"into": {"db": 1, "coll": "x"}}}, 14),
    ({"$merge": {"into": "x", "q": 1}}, 40415),
    ({"$merge": {"into": "x", "on": 1}}, 51186),
    ({"$merge": {"into": "x", "on": []}}, 51187),
    ({"$merge": {"into": "x", "on": [1]}}, 51134),
    ({"$merge": {"into": "x", "let": 1}}, 14),
    ({"$merge": {"into": "x", "whenMatched": 1}}, 51191),
    ({"$merge": {"into": "x", "whenMatched": "bogus"}}, 2),
    ({"$merge": {"into": "x", "whenNotMatched": "bogus"}}, 2),
    ({"$merge": {"into": "x", "whenMatched": "fail", "whenNotMatched": "discard"}}, 51181),
    ({"$changeStream": 1}, 6188500),
]
WELL_FORMED: list[tuple[dict[str, Any], int]] = [
    ({"$out": "system.x"}, 17385),
    ({"$out": {"db": "admin", "coll": "x"}}, 31321),
    ({"$out": {"db": "config", "coll": "x"}}, 31321),
    ({"$merge": {"into": "system.x"}}, 31319),
    ({"$merge": {"into": {"db": "local", "coll": "x"}}}, 31320),
    ({"$merge": {"into": "x", "let": {"a": 1}}}, 51199),
]
PLACES: list[Any] = [
    lambda stage: [stage],
    lambda stage: [{"$match": {}}, stage],
    lambda stage: [stage, {"$bogus": 1}],
    lambda stage: [{"$facet": {"a": [stage]}}],
    lambda stage: [{"$lookup": {"from": "c", "pipeline": [stage], "as": "v"}}],
    lambda stage: [{"$unionWith": {"coll": "c", "pipeline": [stage]}}],
]


@pytest.fixture
def run(raw: Any) -> Any:
    raw("stage_targets", {"drop": "c"})
    raw("stage_targets", {"insert": "c", "documents": [{"_id": 1}]})
    return lambda command: raw("stage_targets", command)


def code_in_transaction(run: Any, pipeline: list[Any]) -> int:
    session = {"lsid": {"id": Binary(uuid.uuid4().bytes, 4)}, "txnNumber": bson.Int64(1)}
    session["autocommit"] = False
    aggregate = {"aggregate": "c", "pipeline": pipeline, "cursor": {}}
    reply = run({**aggregate, **session, "startTransaction": True})
    run({"abortTransaction": 1, **session, "$db": "admin"})
    return reply.get("code", 0)


def test_malformed_stages_are_told_in_a_transaction(run: Any) -> None:
    for stage, code in MALFORMED:
        for place in PLACES:
            assert code_in_transaction(run, place(stage)) == code, place(stage)


def test_well_formed_stages_are_refused_in_a_transaction(run: Any) -> None:
    for stage, _ in WELL_FORMED:
        assert code_in_transaction(run, [stage]) == IN_TRANSACTION, stage
        assert code_in_transaction(run, [stage, {"$bogus": 1}]) == 40324, stage


def test_targets_are_refused_outside_of_transactions(run: Any) -> None:
    for stage, code in [*MALFORMED, *WELL_FORMED]:
        if "$changeStream" not in stage:
            reply = run({"aggregate": "c", "pipeline": [stage], "cursor": {}})
            assert reply.get("code", 0) == code, stage
