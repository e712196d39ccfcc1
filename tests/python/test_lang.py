# SPDX-License-Identifier: Apache-2.0
"""The language's cases (tests/lang/*.json) on every kind of store."""

import importlib.util
import pathlib
from typing import Any

import bson
import pytest

from mongodb import _core

LANG = pathlib.Path(__file__).resolve().parent.parent / "lang"
spec = importlib.util.spec_from_file_location("lang_record", LANG / "record.py")
assert spec is not None and spec.loader is not None
record = importlib.util.module_from_spec(spec)
spec.loader.exec_module(record)

CASES = [
    pytest.param(case, id=f"{path.stem}-{case['name']}")
    for path in sorted(LANG.glob("*.json"))
    for case in record.cases_of(record.load(path))
]


@pytest.fixture(scope="module")
def run(store_uri: str) -> Any:
    client = _core.Client(store_uri)

    def run_command(db: str, command: dict[str, Any]) -> dict[str, Any]:
        return bson.decode(client.run_raw(db, command, check=False))

    yield run_command
    client.close()


def contains(reply: Any, part: Any) -> bool:
    if isinstance(part, dict) and isinstance(reply, dict):
        return all(key in reply and contains(reply[key], part[key]) for key in part)
    if isinstance(part, list) and isinstance(reply, list):
        return len(part) == len(reply) and all(map(contains, reply, part))
    return record.plain(reply) == record.plain(part)


@pytest.mark.parametrize("case", CASES)
def test_case(run: Any, case: dict[str, Any]) -> None:
    reply, after = record.run_case(run, case)
    expect = case["expect"]
    if "error" in expect:
        assert not reply.get("ok"), reply
        assert (reply["code"], reply.get("codeName")) == (
            expect["error"]["code"],
            expect["error"]["codeName"],
        ), reply.get("errmsg")
    elif "docs" in expect:
        assert reply.get("ok"), reply
        got = [record.plain(doc) for doc in reply["cursor"]["firstBatch"]]
        want = [record.plain(doc) for doc in expect["docs"]]
        if case.get("unordered"):
            got, want = sorted(got), sorted(want)
        assert got == want
    else:
        assert reply.get("ok"), reply
        assert contains(reply, expect["reply"]), reply
    if "after" in case:
        assert [record.plain(doc) for doc in after] == [record.plain(doc) for doc in case["after"]]
