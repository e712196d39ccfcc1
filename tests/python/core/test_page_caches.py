# SPDX-License-Identifier: Apache-2.0
"""Page caches: each connection of a store has one, and together they have a limit."""

import pathlib
import subprocess
import sys

from mongodb import _core

PROGRAM = """
import sys, threading
from mongodb import _core

def megabytes():
    return int(open("/proc/self/statm").read().split()[1]) * 4096 / 1e6

uri, threads = sys.argv[1], 16
with _core.Client(uri) as client:
    before, most = megabytes(), 0
    together = threading.Barrier(threads)

    def read():
        for _ in range(3):
            together.wait()
            client.run("d", {"count": "c", "query": {"p": {"$gt": "y"}}})

    jobs = [threading.Thread(target=read) for _ in range(threads)]
    for job in jobs:
        job.start()
    while any(job.is_alive() for job in jobs):
        most = max(most, megabytes())
        threading.Event().wait(0.01)
    print(most - before)
"""


def test_threads_that_read_a_large_file_share_a_limit(tmp_path: pathlib.Path) -> None:
    """16 connections of 32 MB each would hold the file 16 times."""
    uri = f"docstore://{tmp_path / 'large.docstore'}"
    with _core.Client(uri) as client:
        for first in range(0, 40000, 4000):
            documents = [{"_id": first + i, "p": "x" * 1000} for i in range(4000)]
            client.run("d", {"insert": "c", "documents": documents})
    command = [sys.executable, "-c", PROGRAM, uri]
    grown = float(subprocess.run(command, check=True, capture_output=True, text=True).stdout)
    assert grown < 350, f"{grown:.0f} MB"  # 545 when each has all it asks for
