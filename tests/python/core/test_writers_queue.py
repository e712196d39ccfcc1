# SPDX-License-Identifier: Apache-2.0
"""Writers of several processes have their turns one after the other."""

import pathlib
import subprocess
import sys
import time
from collections.abc import Iterator

import pytest

from mongodb import _core

# Writes batch after batch without a pause, each of them for some milliseconds.
GREEDY = """
import sys
from mongodb import _core
client = _core.Client(sys.argv[1])
print("ready", flush=True)
while True:
    client.run("t", {"update": "batches", "updates": [
        {"q": {}, "u": {"$inc": {"n": 1}}, "multi": True}]})
"""


@pytest.fixture
def uri(tmp_path: pathlib.Path) -> Iterator[str]:
    uri = f"docstore://{tmp_path}/x.docstore"
    with _core.Client(uri) as client:
        client.run(
            "t", {"insert": "batches", "documents": [{"_id": i, "n": 0} for i in range(2000)]}
        )
    process = subprocess.Popen(
        [sys.executable, "-c", GREEDY, uri], stdout=subprocess.PIPE, text=True
    )
    assert process.stdout is not None and process.stdout.readline() == "ready\n"
    yield uri
    process.kill()
    process.communicate()


def test_who_writes_without_a_pause_lets_others_in(uri: str) -> None:
    passed = []
    with _core.Client(uri) as client:

        def batches() -> int:
            found = client.run("t", {"find": "batches", "filter": {"_id": 1}})
            return int(found["cursor"]["firstBatch"][0]["n"])

        for number in range(25):
            before = batches()
            client.run("t", {"insert": "modest", "documents": [{"_id": number}]})
            passed.append(batches() - before)
            time.sleep(0.01)  # it has no turn of its own left
    assert sum(passed) < 5 * len(passed), passed
