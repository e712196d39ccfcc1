# SPDX-License-Identifier: Apache-2.0
"""Instructions that one get by id and one insert take in C, counted by valgrind's callgrind:
figures that no other work on the machine changes.

    python bench/instructions.py

The process is counted twice, with a number of them and with three times as many, from the door of
the client (ds_client_run) to its reply; the difference is what they took, all pages cached.
"""

import re
import subprocess
import sys
import tempfile

from bson import ObjectId

from mongodb import _core

COUNT = 2_000


def get(folder: str, times: int) -> None:
    ids = [ObjectId(b"%012d" % number) for number in range(COUNT)]
    with _core.Client(f"docstore://{folder}/get.docstore") as client:
        if not times:
            documents = [{"_id": key, "name": "Person", "bio": "Lorem ipsum " * 60} for key in ids]
            client.run("bench", {"insert": "get", "documents": documents})
        for number in range(times):
            client.run_raw("bench", {"find": "get", "filter": {"_id": ids[number % COUNT]}})


def insert(folder: str, times: int) -> None:
    with _core.Client(f"docstore://{folder}/insert{times}.docstore") as client:
        index = {"key": {"number": 1}, "name": "number"}
        client.run("bench", {"createIndexes": "insert", "indexes": [index]})
        for number in range(times):
            document = {
                "_id": ObjectId(b"%012d" % number),
                "number": number * 7919 % 10_000,
                "name": "Person",
                "bio": "Lorem ipsum " * 20,
            }
            client.run_raw("bench", {"insert": "insert", "documents": [document]})


WORKS = {"get": get, "insert": insert}


def counted(folder: str, work: str, times: int) -> int:
    command = ["valgrind", "--tool=callgrind", f"--callgrind-out-file={folder}/out"]
    command += ["--toggle-collect=ds_client_run", sys.executable, __file__]
    command += [folder, work, str(times)]
    told = subprocess.run(command, capture_output=True, text=True, check=True).stderr
    found = re.search(r"Collected : (\d+)", told)
    assert found is not None, told
    return int(found[1])


def main() -> int:
    if len(sys.argv) == 4:
        WORKS[sys.argv[2]](sys.argv[1], int(sys.argv[3]))
        return 0
    with tempfile.TemporaryDirectory(prefix="bench-") as folder:
        get(folder, 0)
        for work, name in (("get", "get by id"), ("insert", "insert with one index")):
            taken = counted(folder, work, 3 * COUNT) - counted(folder, work, COUNT)
            print(f"{name}, embedded: {taken // (2 * COUNT):,} instructions in C")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
