# SPDX-License-Identifier: Apache-2.0
"""Processes that write to one store: four that insert without a pause, and one beside a greedy one.

python bench/writers.py <uri>
"""

import json
import subprocess
import sys
import time
from typing import Any

from mongodb import _core

PROCESSES = 4
SECONDS = 3.0
PAUSE = 0.005  # of the modest one
INDEX = {"key": {"n": 1}, "name": "n"}
MANY = {"q": {}, "u": {"$inc": {"n": 1}}, "multi": True}


def insert(uri: str, name: str, pause: float) -> list[float]:
    """Seconds of each insert."""
    taken = []
    with _core.Client(uri) as client:
        end = time.perf_counter() + SECONDS
        while time.perf_counter() < end:
            at = len(taken)
            document = {"_id": f"{name}.{at}", "n": at, "text": "Lorem ipsum " * 20}
            start = time.perf_counter()
            client.run("bench", {"insert": "writers", "documents": [document]})
            taken.append(time.perf_counter() - start)
            if pause:
                time.sleep(pause)
    return taken


def child(kind: str, uri: str, name: str) -> list[float]:
    print("ready", flush=True)
    sys.stdin.readline()
    if kind == "greedy":
        with _core.Client(uri) as client:
            end = time.perf_counter() + SECONDS
            while time.perf_counter() < end:
                client.run("bench", {"update": "greedy", "updates": [MANY]})
        return []
    return insert(uri, name, PAUSE if kind == "modest" else 0)


def measure(uri: str, kinds: list[str]) -> dict[str, float]:
    """In milliseconds, of all inserts; and how many a second."""
    with _core.Client(uri) as client:
        client.run("bench", {"createIndexes": "writers", "indexes": [INDEX]})
        documents = [{"_id": number, "n": 0} for number in range(2000)]
        client.run("bench", {"insert": "greedy", "documents": documents})
    children = [
        subprocess.Popen(
            [sys.executable, __file__, kind, uri, str(number)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        for number, kind in enumerate(kinds)
    ]
    for process in children:
        assert process.stdout is not None and process.stdout.readline() == "ready\n"
    for process in children:
        assert process.stdin is not None
        process.stdin.write("\n")
        process.stdin.flush()
    lists = [json.loads(process.communicate()[0]) for process in children]
    times = sorted(seconds for taken in lists for seconds in taken)
    with _core.Client(uri) as client:
        client.run("bench", {"dropDatabase": 1})
    return {
        "p50": times[len(times) // 2] * 1e3,
        "p99": times[len(times) * 99 // 100] * 1e3,
        "longest": times[-1] * 1e3,
        "a second": len(times) / SECONDS,
    }


def rows(uri: str, folder: str, rounds: int) -> list[dict[str, Any]]:
    del rounds
    found = []
    for work, kinds in (
        ("four processes insert without a pause", ["insert"] * PROCESSES),
        ("one inserts now and then, one updates 2,000 documents on end", ["modest", "greedy"]),
    ):
        ours = measure(f"docstore://{folder}/writers.docstore", kinds)
        peer = measure(uri, kinds)
        found.append(
            {
                "work": f"{work}: p99 of an insert (longest; inserts a second)",
                "ours": f"{ours['p99']:.1f} ms ({ours['longest']:.0f} ms; {ours['a second']:,.0f})",
                "peer": f"{peer['p99']:.1f} ms ({peer['longest']:.0f} ms; {peer['a second']:,.0f})",
                "ratio": peer["p99"] / ours["p99"],
                "target": 1,
            }
        )
    return found


if __name__ == "__main__":
    if len(sys.argv) > 2:
        print(json.dumps(child(*sys.argv[1:])))
    else:
        print(measure(sys.argv[1], ["insert"] * PROCESSES))
        print(measure(sys.argv[1], ["modest", "greedy"]))
