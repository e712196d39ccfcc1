# SPDX-License-Identifier: Apache-2.0
"""The docstore program, for the tests that start it, and connections to what is served."""

import os
import pathlib
import socket
import struct
import subprocess
import sys
import sysconfig
from collections.abc import Callable, Iterator
from typing import Any

import bson
import pytest

from mongodb import _core


@pytest.fixture(scope="session")
def docstore() -> str:
    """The docstore program beside the package: installed, or in the build folder."""
    places = [pathlib.Path(sysconfig.get_path("scripts")), pathlib.Path(sys.executable).parent]
    places += pathlib.Path(os.path.realpath(_core.__file__)).parents[1:3]
    for place in places:
        if (place / "docstore").is_file():
            return str(place / "docstore")
    pytest.skip("the docstore program is not installed")


CRASHING = """
import os, signal, sys
from mongodb import _core
client = _core.Client("docstore://" + sys.argv[1])
documents = [{"_id": i, "x": i} for i in range(3000)]
client.run("t", {"insert": "n", "documents": documents})
for i in range(9):
    client.run("t", {"insert": "c", "documents": [{"_id": i}]})
os.kill(os.getpid(), signal.SIGKILL)
"""


@pytest.fixture
def damaged_log(tmp_path: pathlib.Path) -> pathlib.Path:
    """A store whose process was killed, with one wrong byte in the last commit of its log."""
    path = tmp_path / "crashed.docstore"
    subprocess.run([sys.executable, "-c", CRASHING, str(path)], check=False)
    log = tmp_path / "crashed.docstore-wal"
    damaged = bytearray(log.read_bytes())
    damaged[-100] ^= 4
    log.write_bytes(damaged)
    return path


def message(document: dict[str, Any], flags: int = 0) -> bytes:
    body = struct.pack("<I", flags) + b"\0" + bson.encode(document)
    return struct.pack("<iiii", 16 + len(body), 1, 0, 2013) + body


Dial = Callable[[str], socket.socket]


@pytest.fixture
def dial() -> Iterator[Dial]:
    """Connections to the socket of this path, closed in the end."""
    opened = []

    def connect(path: str) -> socket.socket:
        connection = socket.socket(socket.AF_UNIX)
        opened.append(connection)
        connection.settimeout(10)
        connection.connect(path)
        return connection

    yield connect
    for connection in opened:
        connection.close()
