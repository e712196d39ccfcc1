# SPDX-License-Identifier: Apache-2.0
"""One process of the soak: threads that write, read, transact, change the catalog and fork, until
SIGTERM or SIGKILL.

    python worker.py URI FOLDER NAME [catalog] [fork]

What the store has acknowledged stands in ledgers that outlive the process (FOLDER/NAME-THREAD.led):
`+ I V` document I has value V or a later one, `? I` it may be gone, `- I` it is gone. What it took
is in FOLDER/NAME.json, rewritten every second."""

import collections
import datetime
import json
import os
import pathlib
import random
import signal
import sys
import threading
import time
from collections.abc import Callable
from typing import Any

from mongodb import _core
from mongodb.errors import MongoError

DB = "soak"
LIVE = 40  # documents of a thread at a time
ACCOUNTS = 8
PAYLOAD = "x" * 700
WRITERS = 2
AWAY = {None, 6, 89, 91, 9001}
# What a client meets when others write, drop and are killed: it goes on with something else.
# WriteConflict, LockTimeout, NoSuchTransaction, IndexNotFound, QueryPlanKilled, CursorNotFound,
# Interrupted, and the codes of a server that is not there.
EXPECTED = {112, 24, 251, 27, 175, 43, 11600, 11601, 279} | AWAY

stopping = threading.Event()


class Times:
    """How long operations took, by kind, in powers of two of a microsecond."""

    def __init__(self) -> None:
        self.counts: dict[str, collections.Counter[int]] = {}
        self.refused: collections.Counter[str] = collections.Counter()
        self.unexpected: list[str] = []

    def run(self, kind: str, work: Callable[[], Any]) -> Any:
        """The result of the work, or None when it was refused as may happen."""
        begun = time.monotonic()
        try:
            return work()
        except MongoError as error:
            code = getattr(error, "code", None)
            self.refused[f"{kind} {code}"] += 1
            if code not in EXPECTED:
                self.unexpected.append(f"{kind}: {error!r}")
            if code in AWAY:
                time.sleep(0.1)  # the server comes again
            return None
        finally:
            step = int((time.monotonic() - begun) * 1e6).bit_length()
            self.counts.setdefault(kind, collections.Counter())[step] += 1

    def save(self, path: pathlib.Path) -> None:
        data = {
            "counts": {kind: dict(counts) for kind, counts in list(self.counts.items())},
            "refused": dict(self.refused),
            "unexpected": self.unexpected[:20],
        }
        new = path.with_suffix(".new")
        new.write_text(json.dumps(data))
        new.replace(path)


class Writer:
    """Documents of its own, and a ledger of what was acknowledged."""

    def __init__(self, client: _core.Client, times: Times, ledger: pathlib.Path) -> None:
        self.client, self.times = client, times
        self.local = client.kind == "embedded"
        self.name = ledger.stem
        self.file = os.open(ledger, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
        self.values: dict[int, int] = {}
        self.next = 0
        self.chance = random.Random(self.name)

    def note(self, line: str) -> None:
        os.write(self.file, line.encode() + b"\n")

    def insert(self) -> None:
        i, self.next = self.next, self.next + 1
        document = {"_id": f"{self.name}:{i}", "w": self.name, "i": i, "v": 0, "p": PAYLOAD}
        self.write(i, 0, {"insert": "c", "documents": [document]})

    def update(self, i: int) -> None:
        change = {"q": {"_id": f"{self.name}:{i}"}, "u": {"$set": {"v": self.values[i] + 1}}}
        self.write(i, self.values[i] + 1, {"update": "c", "updates": [change]})

    def write(self, i: int, value: int, command: dict[str, Any]) -> None:
        reply = self.times.run("write", lambda: self.client.run(DB, command))
        if reply and (reply["n"] == 1 or self.was_done(reply)):
            self.note(f"+ {i} {value}")
        elif reply:
            self.times.unexpected.append(f"{next(iter(command))} of {i} gave {reply}")
        self.values[i] = value  # or it is not known: a later value is allowed

    def was_done(self, reply: dict[str, Any]) -> bool:
        """libmongoc sends an insert again when the server ends, and the next one does not know
        that it was done (docs/serve.md)."""
        errors = reply.get("writeErrors", [])
        return not self.local and [error["code"] for error in errors] == [11000]

    def delete(self, i: int) -> None:
        self.note(f"? {i}")
        command = {"delete": "c", "deletes": [{"q": {"_id": f"{self.name}:{i}"}, "limit": 1}]}
        if self.times.run("write", lambda: self.client.run(DB, command)):
            self.note(f"- {i}")
        del self.values[i]

    def transact(self) -> None:
        """Moves something between accounts and writes a document, or neither."""
        i, self.next = self.next, self.next + 1
        one, other = self.chance.sample(range(ACCOUNTS), 2)
        document = {"_id": f"{self.name}:{i}", "w": self.name, "i": i, "v": 0}

        def work() -> Any:
            with self.client.session() as session:
                session.begin()
                for _id, by in ((one, -1), (other, 1)):
                    change = {"q": {"_id": _id}, "u": {"$inc": {"n": by}}}
                    self.client.run(DB, {"update": "accounts", "updates": [change]}, session)
                self.client.run(DB, {"insert": "c", "documents": [document]}, session)
                if self.chance.random() < 0.1:
                    session.abort()
                    return None
                return session.commit()

        if self.times.run("transaction", work):
            self.note(f"+ {i} 0")
            self.values[i] = 0

    def fork(self) -> None:
        """A child that writes one document with the parent's client."""
        i, self.next = self.next, self.next + 1
        child = os.fork()
        if child == 0:
            try:
                signal.alarm(60)
                document = {"_id": f"{self.name}:{i}", "w": self.name, "i": i, "v": 0}
                self.client.run(DB, {"insert": "c", "documents": [document]})
                self.note(f"+ {i} 0")
                os._exit(0)
            except MongoError as error:
                # a transaction of another thread was open: the file is refused
                os._exit(0 if error.code in EXPECTED | {20} else 3)
            finally:
                os._exit(4)
        status = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
        if status:
            self.times.unexpected.append(f"a forked child ended with {status}")

    def step(self, forks: bool) -> None:
        dice = self.chance.random()
        known = list(self.values)
        if forks and dice < 0.004:
            self.fork()
        elif dice < 0.1:
            self.transact()
        elif known and dice < 0.5:
            self.update(self.chance.choice(known))
        elif len(known) > LIVE:
            self.delete(known[0])
        else:
            self.insert()


def read(client: _core.Client, times: Times, chance: random.Random) -> None:
    def scan() -> Any:
        find = {"find": "c", "filter": {"v": {"$gte": 1}}, "sort": {"v": 1}, "batchSize": 50}
        for n, _ in enumerate(client.cursor(DB, {**find, "projection": {"v": 1}})):
            if n > 300:
                break

    def group() -> Any:
        stages = [{"$group": {"_id": "$w", "n": {"$sum": 1}, "v": {"$max": "$v"}}}]
        return list(client.cursor(DB, {"aggregate": "c", "pipeline": stages, "cursor": {}}))

    def balance() -> Any:
        stages = [{"$group": {"_id": None, "n": {"$sum": "$n"}}}]
        found = client.run(DB, {"aggregate": "accounts", "pipeline": stages, "cursor": {}})
        if found["cursor"]["firstBatch"][0]["n"] != 0:
            times.unexpected.append(f"the accounts do not balance: {found}")

    times.run("read", chance.choice((scan, group, balance, balance)))
    time.sleep(0.02)


def change_catalog(client: _core.Client, times: Times, turn: int) -> None:
    """Indexes come and go; documents of two seconds are written."""
    if turn % 2:
        index = {"key": {"v": 1, "w": 1}, "name": "v_w"}
        command: dict[str, Any] = {"createIndexes": "c", "indexes": [index]}
    else:
        command = {"dropIndexes": "c", "index": "v_w"}
    times.run("index", lambda: client.run(DB, command))
    now = datetime.datetime.now(datetime.UTC)
    documents = [{"at": now, "p": PAYLOAD} for _ in range(20)]
    times.run("write", lambda: client.run(DB, {"insert": "ttl", "documents": documents}))
    stopping.wait(0.5)


def main(uri: str, folder: pathlib.Path, name: str, *also: str) -> None:
    signal.signal(signal.SIGTERM, lambda *_: stopping.set())
    times = Times()
    client = _core.Client(uri)

    def loop(work: Callable[[int], None]) -> Callable[[], None]:
        def run() -> None:
            turn = 0
            try:
                while not stopping.is_set():
                    work(turn)
                    turn += 1
            except BaseException as error:
                times.unexpected.append(f"a thread ended: {error!r}")
                raise

        return run

    jobs = []
    for n in range(WRITERS):
        writer = Writer(client, times, folder / f"{name}-{n}.led")
        jobs.append(loop(lambda _, w=writer: w.step("fork" in also)))  # type: ignore[misc]
    chance = random.Random(name)
    jobs.append(loop(lambda _: read(client, times, chance)))
    if "catalog" in also:
        jobs.append(loop(lambda turn: change_catalog(client, times, turn)))
    threads = [threading.Thread(target=job) for job in jobs]
    for thread in threads:
        thread.start()
    while not stopping.wait(1):
        times.save(folder / f"{name}.json")
    for thread in threads:
        thread.join()
    client.close()
    times.save(folder / f"{name}.json")


if __name__ == "__main__":
    main(sys.argv[1], pathlib.Path(sys.argv[2]), *sys.argv[3:])
