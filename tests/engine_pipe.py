# SPDX-License-Identifier: Apache-2.0
"""The engine as a child process (tests/c/engine/engine_pipe.c): under sanitizers, or to be killed.

python tests/engine_pipe.py PROGRAM [FILE...]    run language cases, report crashes and leaks
"""

import os
import pathlib
import signal
import struct
import subprocess
import sys
import tempfile
import uuid
from typing import Any

import bson
from bson import Int64
from bson.binary import Binary
from bson.codec_options import CodecOptions, DatetimeConversion

ROOT = pathlib.Path(__file__).resolve().parent.parent
PROGRAM = ROOT / "build" / "asan" / "tests" / "c" / "engine_pipe"
CODEC = CodecOptions(
    document_class=dict,
    datetime_conversion=DatetimeConversion.DATETIME_MS,
    unicode_decode_error_handler="replace",
)

Document = dict[str, Any]


class Crash(Exception):
    """The program ended although it was not told to; the message is its last words."""


class EnginePipe:
    """One engine_pipe process. `command` and `txn` are what diff_ops asks of a candidate."""

    sessions = True

    def __init__(self, program: str | os.PathLike[str] = PROGRAM, path: str = ":memory:") -> None:
        self.args = [os.fspath(program), path]
        self.reports: list[str] = []
        self.states: dict[str, Document] = {}
        self.start()

    def start(self) -> None:
        # A file: a pipe nobody reads would block a long report.
        self.errors = tempfile.TemporaryFile()
        self.process = subprocess.Popen(
            self.args, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=self.errors
        )
        self.opened = self.reopen()

    def reopen(self) -> Document:
        """Close the store and open it again; a memory store is empty then."""
        return bson.decode(self.exchange(b""), CODEC)

    def exchange(self, request: bytes) -> bytes:
        stdin, stdout = self.process.stdin, self.process.stdout
        assert stdin is not None and stdout is not None
        try:
            stdin.write(struct.pack("<I", len(request)) + request)
            stdin.flush()
            head = stdout.read(4)
            if len(head) == 4:
                (size,) = struct.unpack("<I", head)
                reply = stdout.read(size)
                if len(reply) == size:
                    return reply
        except BrokenPipeError:
            pass
        self.process.wait()
        raise Crash(self.last_words())

    def last_words(self) -> str:
        self.errors.seek(0)
        return self.errors.read().decode(errors="replace")

    def run_bytes(self, db: str, command: bytes) -> bytes:
        return self.exchange(db.encode() + b"\0" + command)

    def run(self, db: str, command: Document) -> Document:
        """Run a command; after a crash start anew, keep the report and answer with it."""
        encoded = bson.encode(command)
        try:
            return bson.decode(self.run_bytes(db, encoded), CODEC)
        except Crash as crash:
            self.reports.append(f"{command!r}\n{crash}")
            self.start()
            return {"ok": 0.0, "code": 0, "codeName": "Crash", "errmsg": str(crash)[:300]}

    def kill(self) -> None:
        self.process.send_signal(signal.SIGKILL)
        self.process.wait()

    def close(self) -> str:
        """End the program; what it wrote to its error output (leaks are reported at the end)."""
        assert self.process.stdin is not None
        self.process.stdin.close()
        self.process.wait()
        return self.last_words()

    # What diff_ops asks for.
    def command(self, db: str, command: Document, session: str | None = None) -> Document:
        fields = dict(command)
        if session:
            state = self.states.setdefault(
                session, {"id": Binary(uuid.uuid4().bytes, 4), "n": 0, "state": "none"}
            )
            fields["lsid"] = {"id": state["id"]}
            if state["state"] in ("start", "in"):
                fields["txnNumber"] = Int64(state["n"])
                fields["autocommit"] = False
                if state["state"] == "start":
                    fields["startTransaction"] = True
                    state["state"] = "in"
        fields["$db"] = db
        return self.run(db, fields)

    def txn(self, what: str, session: str) -> Document:
        state = self.states.setdefault(
            session, {"id": Binary(uuid.uuid4().bytes, 4), "n": 0, "state": "none"}
        )
        if what == "start":
            state["n"] += 1
            state["state"] = "start"
            return {"ok": 1.0}
        command = {
            what + "Transaction": 1,
            "lsid": {"id": state["id"]},
            "txnNumber": Int64(state["n"]),
            "autocommit": False,
            "$db": "admin",
        }
        state["state"] = "ended"
        return self.run("admin", command)


def diff_ops() -> EnginePipe:
    """A candidate for diff_ops: py:engine_pipe:diff_ops."""
    return EnginePipe(os.environ.get("ENGINE_PIPE", PROGRAM))


def main(program: str, files: list[pathlib.Path]) -> int:
    """Run the language cases for their crashes only; answers are compared by the Python tests."""
    sys.path.insert(0, str(ROOT / "tests" / "lang"))
    import record

    engine = EnginePipe(program)
    count = 0
    for path in files or sorted((ROOT / "tests" / "lang").glob("*.json")):
        for case in record.cases_of(record.load(path)):
            count += 1
            try:
                record.run_case(engine.run, case)
            except AssertionError as error:
                engine.reports.append(f"{path.name} {case['name']}: {error}")
    leaks = engine.close()
    if leaks:
        engine.reports.append(leaks)
    for report in engine.reports:
        print(report[:4000], end="\n\n")
    print(f"{count} cases, {len(engine.reports)} reports")
    return 1 if engine.reports else 0


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1], [pathlib.Path(name) for name in sys.argv[2:]]))
