# SPDX-License-Identifier: Apache-2.0
"""Many collections: creating and opening 1,000 with 5,000 indexes, 600 in one transaction."""

import json
import subprocess
import sys
import time
from typing import Any

from memory import resident

from mongodb import _core

COLLECTIONS = 1000
INDEXES = [{"key": {f"f{i}": 1}, "name": f"f{i}"} for i in range(5)]
IN_TRANSACTION = 600
OPEN_MS, KEPT_MB = 50, 50


def create(client: _core.Client, first: int, count: int) -> float:
    """Seconds for so many collections with five indexes each."""
    start = time.perf_counter()
    for number in range(first, first + count):
        client.run("bench_catalog", {"createIndexes": f"c{number}", "indexes": INDEXES})
    return time.perf_counter() - start


def opening(path: str) -> float:
    """In a child: seconds from nothing to the first document not found."""
    start = time.perf_counter()
    client = _core.Client(f"docstore://{path}")
    client.run("bench_catalog", {"find": "c500", "filter": {"_id": 1}})
    seconds = time.perf_counter() - start
    client.close()
    return seconds


def kept(path: str) -> int:
    """In a child: bytes a transaction holds that made 600 collections."""
    client = _core.Client(f"docstore://{path}")
    session = client.session()
    session.begin()
    client.run("bench_catalog", {"create": "first"}, session=session)
    before = resident()
    for number in range(IN_TRANSACTION):
        client.run("bench_catalog", {"create": f"t{number}"}, session=session)
    found = resident() - before
    session.abort()
    client.close()
    return found


def in_child(what: str, path: str) -> float:
    done = subprocess.run(
        [sys.executable, __file__, what, path], capture_output=True, text=True, check=True
    )
    return float(json.loads(done.stdout))


def rows(uri: str, folder: str, rounds: int) -> list[dict[str, Any]]:
    path = f"{folder}/catalog.docstore"
    ours = _core.Client(f"docstore://{path}")
    peer = _core.Client(uri)
    half = COLLECTIONS // 2
    halves = [create(ours, 0, half), create(ours, half, half)]
    theirs = create(peer, 0, 100) / 100
    peer.run("bench_catalog", {"dropDatabase": 1})
    peer.close()
    ours.close()
    each = sum(halves) / COLLECTIONS
    opened = min(in_child("opening", path) for _ in range(rounds)) * 1e3
    grown = f"the second half took {halves[1] / halves[0]:.1f} times the first"
    held = in_child("kept", f"{folder}/kept.docstore") / 1e6
    return [
        {
            "work": f"create a collection with five indexes, 1,000 times ({grown}; mongod: 100)",
            "ours": f"{each * 1e3:.2f} ms",
            "peer": f"{theirs * 1e3:.2f} ms",
            "ratio": theirs / each,
            "target": 1,
        },
        {
            "work": "open a store of 1,000 collections and 5,000 indexes, first find",
            "ours": f"{opened:.0f} ms",
            "peer": f"asked: {OPEN_MS} ms",
            "ratio": OPEN_MS / opened,
            "target": 1,
        },
        {
            "work": "memory of a transaction that made 600 collections",
            "ours": f"{held:.0f} MB",
            "peer": f"asked: {KEPT_MB} MB",
            "ratio": KEPT_MB / held,
            "target": 1,
        },
    ]


if __name__ == "__main__":
    print(json.dumps({"opening": opening, "kept": kept}[sys.argv[1]](sys.argv[2])))
