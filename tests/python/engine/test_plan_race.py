# SPDX-License-Identifier: Apache-2.0
"""A race stops, fails and is forgotten as any operation; what it learned hurts nobody."""

import os
import pathlib
import threading
import time
from collections.abc import Iterator
from typing import Any

import bson
import pytest

from mongodb import _core

LIST = {"find": "c", "filter": {"st": "open"}, "sort": {"ts": -1}, "limit": 5}


@pytest.fixture
def client(tmp_path: pathlib.Path) -> Iterator[_core.Client]:
    client = _core.Client(f"docstore://{tmp_path}/race.docstore")
    yield client
    client.close()


def fill(client: _core.Client, docs: list[dict[str, Any]], *fields: str) -> None:
    client.run("t", {"insert": "c", "documents": docs})
    indexes = [{"key": {f: 1}, "name": f} for f in fields]
    client.run("t", {"createIndexes": "c", "indexes": indexes})


def listed(count: int) -> list[dict[str, Any]]:
    return [{"_id": i, "st": "open" if i % 2 else "closed", "ts": i} for i in range(count)]


def found(client: _core.Client, command: dict[str, Any]) -> list[Any]:
    reply = client.run("t", command)
    return [d["_id"] for d in reply["cursor"]["firstBatch"]]


def test_a_race_ends_with_its_time(client: _core.Client) -> None:
    fill(client, [{"_id": i, "a": 1, "b": 1} for i in range(2000)], "a", "b")
    slow = {"$gt": [{"$reduce": {"input": {"$range": [0, 20_000]}, "initialValue": 0, "in": 0}}, 1]}
    command = {"find": "c", "filter": {"a": 1, "b": 1, "$expr": slow}, "maxTimeMS": 100}
    began = time.monotonic()
    assert client.run("t", command, check=False)["code"] == 50
    assert time.monotonic() - began < 2


def test_a_rival_without_memory_leaves_the_others_in_the_race(client: _core.Client) -> None:
    docs: list[dict[str, Any]] = [{"_id": i, "st": 0, "ts": i} for i in range(3000)]
    fill(client, docs, "st", "ts")
    for i in range(112):
        big = {"_id": 5000 + i, "st": 1, "ts": 5000 + i, "x": "x" * (1 << 20)}
        client.run("t", {"insert": "c", "documents": [big]})
    command = {"find": "c", "filter": {"st": 1}, "sort": {"ts": 1}, "batchSize": 3}
    limited = {**command, "allowDiskUse": False}
    assert client.run("t", {**limited, "hint": "st"}, check=False)["code"] == 292
    for _ in range(3):
        assert found(client, limited) == [5000, 5001, 5002]


def test_an_update_does_not_meet_what_it_changed(client: _core.Client) -> None:
    fill(client, listed(400), "st", "ts")
    for turn in range(1, 4):
        update = {"q": {"st": "open", "ts": {"$gte": 0}}, "u": {"$inc": {"ts": 1000}}}
        reply = client.run("t", {"update": "c", "updates": [{**update, "multi": True}]})
        assert (reply["n"], reply["nModified"]) == (200, 200)
        first = client.run("t", {"find": "c", "filter": {"_id": 1}})["cursor"]["firstBatch"]
        assert first[0]["ts"] == 1 + 1000 * turn


@pytest.mark.parametrize("sort", [{"ts": 1}, {"ts": -1}, {"n": 1}])
def test_find_and_modify_takes_the_first_by_any_plan(
    client: _core.Client, sort: dict[str, int]
) -> None:
    docs = [{**d, "n": (d["ts"] * 7) % 100, "m": [1, d["ts"]]} for d in listed(100)]
    fill(client, docs, "st", "ts", "m")
    (field, way), *_ = sort.items()
    left = sorted((d for d in docs if d["st"] == "open"), key=lambda d: way * d[field])
    for want in left[:6]:
        command = {
            "findAndModify": "c",
            "query": {"st": "open", "m": want["ts"] if field == "n" else {"$gte": 0}},
            "sort": sort,
            "update": {"$set": {"st": "done", "m.$": -1}},
        }
        value = client.run("t", command)["value"]
        assert value == want
        (after,) = client.run("t", {"find": "c", "filter": {"_id": want["_id"]}})["cursor"][
            "firstBatch"
        ]
        at = want["m"].index(want["ts"]) if field == "n" else 0
        assert after["m"][at] == -1


def test_threads_share_what_was_learned_while_indexes_change(client: _core.Client) -> None:
    fill(client, listed(2000), "st", "ts")
    wrong: list[Any] = []
    ended = threading.Event()

    def ask(order: int) -> None:
        want = [1999, 1997, 1995, 1993, 1991] if order < 0 else [1, 3, 5, 7, 9]
        while not ended.is_set():
            got = found(client, {**LIST, "sort": {"ts": order}})
            if got != want:
                wrong.append(got)

    threads = [threading.Thread(target=ask, args=(1 - 2 * (i % 2),)) for i in range(4)]
    for thread in threads:
        thread.start()
    for _ in range(15):
        spec = {"key": {"st": 1, "ts": 1}, "name": "both"}
        client.run("t", {"createIndexes": "c", "indexes": [spec]})
        client.run("t", {"planCacheClear": "c"})
        client.run("t", {"dropIndexes": "c", "index": "both"})
    ended.set()
    for thread in threads:
        thread.join()
    assert wrong == []


def test_a_forked_child_goes_on_with_what_was_learned(client: _core.Client) -> None:
    fill(client, listed(2000), "st", "ts")
    for _ in range(3):
        found(client, LIST)
    child = os.fork()
    if child == 0:
        try:
            good = all(found(client, LIST) == [1999, 1997, 1995, 1993, 1991] for _ in range(3))
            os._exit(0 if good else 1)
        finally:
            os._exit(2)
    assert os.waitpid(child, 0)[1] == 0
    assert found(client, LIST) == [1999, 1997, 1995, 1993, 1991]


def test_what_a_transaction_learned_of_its_indexes_goes_with_it(client: _core.Client) -> None:
    session = {"lsid": {"id": bson.Binary(b"0123456789abcdef", 4)}}
    session |= {"txnNumber": bson.Int64(1), "autocommit": False}

    def run(command: dict[str, Any], **more: Any) -> dict[str, Any]:
        return bson.decode(client.run_raw("t", {**command, **session, **more}, check=False))

    assert run({"create": "c"}, startTransaction=True)["ok"]
    indexes = [{"key": {"st": 1}, "name": "st"}, {"key": {"ts": 1}, "name": "ts"}]
    assert run({"createIndexes": "c", "indexes": indexes})["ok"]
    assert run({"insert": "c", "documents": listed(300)})["ok"]
    for _ in range(3):
        assert len(run(LIST)["cursor"]["firstBatch"]) == 5
    abort = {"abortTransaction": 1, **session}
    assert bson.decode(client.run_raw("admin", abort, check=False))["ok"]
    client.run("t", {"insert": "c", "documents": listed(300)})
    for _ in range(3):
        assert found(client, LIST) == [299, 297, 295, 293, 291]
    stats = {"aggregate": "c", "pipeline": [{"$planCacheStats": {}}], "cursor": {}}
    assert client.run("t", stats)["cursor"]["firstBatch"] == []


def test_no_more_shapes_are_kept_than_may_be(client: _core.Client) -> None:
    fill(client, listed(50), "st", "ts")
    stats = {"aggregate": "c", "pipeline": [{"$planCacheStats": {}}], "cursor": {"batchSize": 999}}
    for at in range(260):
        filter = {"st": "open", f"x{at}": {"$exists": False}}
        assert found(client, {**LIST, "filter": filter}) == [49, 47, 45, 43, 41]
    kept = client.run("t", stats)["cursor"]["firstBatch"]
    shapes = {str(entry["createdFromQuery"]["query"]) for entry in kept}
    assert len(kept) == len(shapes) == 200
    assert any("x259" in shape for shape in shapes) and not any("'x0'" in s for s in shapes)


def test_a_cursor_goes_on_after_the_race_it_began_with(client: _core.Client) -> None:
    fill(client, [{**d, "m": [d["ts"] % 3, d["ts"] % 5]} for d in listed(1000)], "st", "ts", "m")
    for filter in ({"st": "open", "ts": {"$gte": 0}}, {"m": {"$in": [1, 2]}, "st": "open"}):
        want = found(client, {"find": "c", "filter": filter, "batchSize": 9999})
        for turn in range(3):
            reply = client.run("t", {"find": "c", "filter": filter, "batchSize": 7})
            got = [d["_id"] for d in reply["cursor"]["firstBatch"]]
            while reply["cursor"]["id"]:
                more = {"getMore": reply["cursor"]["id"], "collection": "c", "batchSize": 50}
                reply = client.run("t", more)
                got += [d["_id"] for d in reply["cursor"]["nextBatch"]]
            assert sorted(got) == sorted(want), turn
