# SPDX-License-Identifier: Apache-2.0
"""A connection that sends a command exactly as it is given: no driver adds, checks or refuses."""

import socket
import struct
from typing import Any

import bson

Document = dict[str, Any]


class Wire:
    def __init__(self, host: str, port: int) -> None:
        self.socket = socket.create_connection((host, port))

    def read(self, size: int) -> bytes:
        data = b""
        while len(data) < size:
            more = self.socket.recv(size - len(data))
            if not more:
                raise EOFError
            data += more
        return data

    def run(self, db: str, command: Document) -> Document:
        body = struct.pack("<IB", 0, 0) + bson.encode({**command, "$db": db})
        self.socket.sendall(struct.pack("<iiii", 16 + len(body), 1, 0, 2013) + body)
        size = struct.unpack("<i", self.read(4))[0]
        return bson.decode(self.read(size - 4)[12 + 5 :])

    def close(self) -> None:
        self.socket.close()
