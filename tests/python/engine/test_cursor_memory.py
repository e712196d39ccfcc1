# SPDX-License-Identifier: Apache-2.0
"""Idle cursors hold no more than they may: the one unused longest is closed, and says so."""

from typing import Any

import bson
import pytest

from mongodb import _core

NOT_FOUND = 43
GROUP = [{"$group": {"_id": "$_id", "s": {"$first": "$s"}}}]


def opened(uri: str) -> tuple[Any, Any]:
    client = _core.Client(uri)

    def run(**command: Any) -> Any:
        return bson.decode(client.run_raw("t", command, check=False))

    documents = [{"_id": i, "s": "x" * 2000} for i in range(1000)]
    assert run(insert="c", documents=documents)["n"] == 1000
    return client, run


def test_idle_cursors_share_a_limit() -> None:
    client, run = opened("docstore://:memory:?cursorMemoryMB=16")
    ids = []
    for _ in range(30):
        reply = run(aggregate="c", pipeline=GROUP, cursor={"batchSize": 1})
        ids.append(reply["cursor"]["id"])
    replies = [run(getMore=id, collection="c", batchSize=1) for id in ids]
    alive = [reply["ok"] == 1 for reply in replies]
    assert 3 < sum(alive) < 20, alive
    assert alive == sorted(alive), "the newest stay"
    assert {r["code"] for r in replies if not r["ok"]} == {NOT_FOUND}
    client.close()


def test_a_cursor_in_use_stays() -> None:
    client, run = opened("docstore://:memory:?cursorMemoryMB=16")
    first = run(aggregate="c", pipeline=GROUP, cursor={"batchSize": 1})["cursor"]["id"]
    for _ in range(30):
        run(aggregate="c", pipeline=GROUP, cursor={"batchSize": 1})
        assert run(getMore=first, collection="c", batchSize=1)["ok"]
    rest = run(getMore=first, collection="c")["cursor"]
    assert len(rest["nextBatch"]) == 1000 - 31 and rest["id"] == 0
    client.close()


def test_the_limit_is_an_option_with_a_range() -> None:
    with pytest.raises(Exception, match="cursorMemoryMB"):
        _core.Client("docstore://:memory:?cursorMemoryMB=0")
