# SPDX-License-Identifier: Apache-2.0
"""A store that another program writes over while long scans read it: errors, and no signal."""

import pathlib
import shutil
import subprocess
import sys

import pytest

from mongodb._core import Client

SCANS = """
import sys, time
from mongodb._core import Client
from mongodb.errors import MongoError
client = Client(sys.argv[1])
end = time.monotonic() + 3
print("begun", flush=True)
while time.monotonic() < end:
    try:
        client.run("t", {"count": "d", "query": {"n": {"$lt": 100}}})
    except MongoError:
        time.sleep(0.05)
print("ended")
"""


@pytest.mark.parametrize("options", ["scanThreads=1", "scanThreads=3&scanShareAfter=300"])
def test_a_copy_over_the_store_ends_no_process(tmp_path: pathlib.Path, options: str) -> None:
    path = tmp_path / "s.docstore"
    with Client(f"docstore://{path}") as client:
        for at in range(0, 60_000, 10_000):
            made = [{"_id": n, "n": n, "t": "x" * 150} for n in range(at, at + 10_000)]
            client.run("t", {"insert": "d", "documents": made})
    shutil.copyfile(path, tmp_path / "backup")
    uri = f"docstore://{path}?{options}"
    scan = [sys.executable, "-c", SCANS, uri]
    scans = subprocess.Popen(
        scan,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert scans.stdout is not None and scans.stdout.readline() == "begun\n"
    while scans.poll() is None:
        shutil.copyfile(tmp_path / "backup", path)  # cut off, and written again
        try:
            scans.wait(0.1)
        except subprocess.TimeoutExpired:
            continue
    told = scans.communicate()
    assert (scans.returncode, told[0]) == (0, "ended\n"), told[1]
