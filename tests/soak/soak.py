# SPDX-License-Identifier: Apache-2.0
"""A store under load for minutes: processes on the file and clients of `docstore serve` write,
read, transact, build and drop indexes, expire documents and fork, while some are killed and started
anew.

    python tests/soak/soak.py [--minutes N] [--seed N] [--folder EMPTY]

In the end nothing acknowledged is lost, the accounts balance, `docstore check` is content, and
memory, the log, descriptors and latencies have stayed below the ceilings."""

import argparse
import collections
import json
import os
import pathlib
import random
import signal
import subprocess
import sys
import sysconfig
import tempfile
import time
from typing import Any

from worker import ACCOUNTS, DB

from mongodb import _core

WORKER = pathlib.Path(__file__).with_name("worker.py")
PROGRAM = pathlib.Path(sysconfig.get_path("scripts")) / "docstore"
# Ceilings. What is promised of the log is 64 MB while reads are short; one commit may pass that.
WORKER_MB, SERVER_MB, GROWTH_MB, DESCRIPTORS = 120, 120, 20, 80
LOG_MB, USUAL_LOG_MB = 128, 72
# Milliseconds: of all operations of a kind. A writer waits for others, at most 30 s.
LATENCY = {"read": (250, 5000), "write": (500, 31000), "transaction": (1000, 62000)}
SILENCE_S = 75  # a process that counts nothing for so long hangs
KILL_EVERY_S = (1.0, 5.0)
EXPIRE_S = 2
EXPIRED_S = 150  # they are looked for every few seconds, by whatever command ends then


class Process:
    """A worker or the server: started again and again under names of their own."""

    def __init__(self, soak: "Soak", kind: str, *args: str) -> None:
        self.soak, self.kind, self.args = soak, kind, args
        self.starts = 0
        self.start()
        soak.processes.append(self)

    def start(self) -> None:
        self.starts += 1
        self.name = f"{self.kind}-{self.starts}"
        self.begun = time.monotonic()
        log = open(self.soak.folder / f"{self.name}.log", "wb")  # noqa: SIM115
        if self.kind == "server":
            command = [str(PROGRAM), "serve", str(self.soak.path), "--socket", self.soak.socket]
        else:
            uri, *also = self.args
            command = [sys.executable, str(WORKER), uri, str(self.soak.folder), self.name, *also]
        self.child = subprocess.Popen(command, stdout=log, stderr=log)
        log.close()

    def end(self, how: int) -> int:
        self.child.send_signal(how)
        try:
            return self.child.wait(60)
        except subprocess.TimeoutExpired:
            self.soak.found.append(f"{self.name} did not end within 60 s of signal {how}")
            self.child.kill()
            return self.child.wait()

    def measure(self) -> tuple[float, int]:
        """Resident megabytes and open descriptors."""
        try:
            pages = int(pathlib.Path(f"/proc/{self.child.pid}/statm").read_text().split()[1])
            return pages * os.sysconf("SC_PAGESIZE") / 1e6, len(
                os.listdir(f"/proc/{self.child.pid}/fd")
            )
        except (FileNotFoundError, ProcessLookupError):
            return 0.0, 0


class Soak:
    def __init__(self, folder: pathlib.Path, seed: int) -> None:
        self.folder = folder
        self.path = folder / "soak.docstore"
        self.socket = str(folder / "soak.sock")
        self.chance = random.Random(seed)
        self.found: list[str] = []
        self.processes: list[Process] = []
        self.most: dict[str, float] = collections.defaultdict(float)
        self.steady: list[float] = []  # memory of the worker that is never killed
        self.logs: list[float] = []
        self.kills = collections.Counter[str]()
        self.prepare()

    def prepare(self) -> None:
        with _core.Client(f"docstore://{self.path}") as client:
            documents = [{"_id": i, "n": 0} for i in range(ACCOUNTS)]
            client.run(DB, {"insert": "accounts", "documents": documents})
            index: dict[str, Any] = {"key": {"w": 1, "i": 1}, "name": "w_i", "unique": True}
            client.run(DB, {"createIndexes": "c", "indexes": [index]})
            index = {"key": {"at": 1}, "name": "at", "expireAfterSeconds": EXPIRE_S}
            client.run(DB, {"createIndexes": "ttl", "indexes": [index]})

    def run(self, minutes: float) -> None:
        local = f"docstore://{self.path}"
        remote = "mongodb://" + self.socket.replace("/", "%2F") + "/?serverSelectionTimeoutMS=10000"
        self.server = Process(self, "server")
        while not pathlib.Path(self.socket).exists():
            assert self.server.child.poll() is None, "the server does not start"
            time.sleep(0.05)
        steady = Process(self, "steady", local, "catalog")
        self.workers = [
            steady,
            Process(self, "forking", local, "fork"),
            Process(self, "local", local),
            Process(self, "remote", remote, "catalog"),
            Process(self, "distant", remote),
        ]
        until = time.monotonic() + minutes * 60
        next_kill = time.monotonic() + 5
        while time.monotonic() < until:
            time.sleep(1)
            self.sample()
            if time.monotonic() > next_kill:
                next_kill = time.monotonic() + self.chance.uniform(*KILL_EVERY_S)
                self.kill_one()
        for worker in self.workers:
            self.expect(worker, worker.end(signal.SIGTERM))
        self.expect(self.server, self.server.end(signal.SIGTERM))

    def kill_one(self) -> None:
        """One of those that may be killed, or the server; sometimes it is asked to end instead."""
        process = self.chance.choice([*self.workers[1:], self.server])
        how = signal.SIGTERM if self.chance.random() < 0.2 else signal.SIGKILL
        self.kills[f"{process.kind} {signal.Signals(how).name}"] += 1
        code = process.end(how)
        if how == signal.SIGTERM:
            self.expect(process, code)
        process.start()

    def expect(self, process: Process, code: int) -> None:
        early = code == -signal.SIGTERM and not (self.folder / f"{process.name}.json").exists()
        if code != 0 and not early:  # before it came to say what it does when asked to end
            words = (self.folder / f"{process.name}.log").read_text()[-2000:]
            self.found.append(f"{process.name} ended with {code}: {words}")

    def sample(self) -> None:
        now = time.monotonic()
        for process in [*self.workers, self.server]:
            memory, descriptors = process.measure()
            kind = "server" if process is self.server else "worker"
            self.most[f"{kind} MB"] = max(self.most[f"{kind} MB"], memory)
            self.most["descriptors"] = max(self.most["descriptors"], descriptors)
            if process.child.poll() is not None:
                self.expect(process, process.child.returncode or 256)
                process.start()
            elif kind == "worker" and now - process.begun > SILENCE_S:
                self.listen(process)
        self.steady.append(self.workers[0].measure()[0])
        log = self.path.with_name(self.path.name + "-wal")
        if log.exists():
            self.logs.append(log.stat().st_size / 1e6)

    def listen(self, process: Process) -> None:
        said = self.folder / f"{process.name}.json"
        if not said.exists() or time.time() - said.stat().st_mtime > SILENCE_S:
            self.found.append(f"{process.name} hangs")
            process.end(signal.SIGKILL)
            process.start()

    # Afterwards.

    def check(self) -> None:
        done = subprocess.run(
            [str(PROGRAM), "check", str(self.path)], capture_output=True, text=True
        )
        if done.returncode != 0 or " 0 damaged" not in done.stdout:
            self.found.append(f"docstore check: {done.stdout}{done.stderr}")
        with _core.Client(f"docstore://{self.path}") as client:
            find = {"find": "c", "projection": {"w": 1, "i": 1, "v": 1}, "batchSize": 5000}
            stored: dict[str, dict[int, int]] = collections.defaultdict(dict)
            for document in client.cursor(DB, find):
                stored[document["w"]][document["i"]] = document["v"]
            accounts = [document["n"] for document in client.cursor(DB, {"find": "accounts"})]
            late = {"$lt": ["$at", {"$subtract": ["$$NOW", EXPIRED_S * 1000]}]}
            stages: list[Any] = [{"$match": {"$expr": late}}, {"$count": "n"}]
            expired = {"aggregate": "ttl", "pipeline": stages, "cursor": {}}
            left = client.run(DB, expired)["cursor"]["firstBatch"]
        if len(accounts) != ACCOUNTS or sum(accounts) != 0:
            self.found.append(f"the accounts do not balance: {accounts}")
        if left:
            self.found.append(f"expired documents are left: {left}")
        self.acknowledged = sum(
            self.check_ledger(ledger, stored[ledger.stem]) for ledger in self.folder.glob("*.led")
        )

    def check_ledger(self, ledger: pathlib.Path, stored: dict[int, int]) -> int:
        last: dict[int, tuple[str, int]] = {}
        lines = ledger.read_text().splitlines()
        for line in lines:
            what, i, *value = line.split()
            last[int(i)] = (what, int(value[0]) if value else 0)
        for i, (what, value) in last.items():
            here = stored.get(i, -1)
            if (what == "+" and here < value) or (what == "-" and here >= 0):
                self.found.append(
                    f"{ledger.stem}: document {i} is {here}, its ledger says {what} {value}"
                )
        return sum(line[0] != "?" for line in lines)

    def report(self, minutes: float) -> None:
        counts: dict[str, collections.Counter[int]] = collections.defaultdict(collections.Counter)
        refused = collections.Counter[str]()
        for said in self.folder.glob("*.json"):
            data = json.loads(said.read_text())
            refused.update(data["refused"])
            self.found += [f"{said.stem}: {text}" for text in data["unexpected"]]
            for kind, steps in data["counts"].items():
                counts[kind].update({int(step): n for step, n in steps.items()})
        print(f"{minutes:g} minutes, {self.acknowledged} acknowledged writes in the ledgers")
        print(
            "ended and started again:", ", ".join(f"{k} {n}" for k, n in sorted(self.kills.items()))
        )
        print("refused:", ", ".join(f"{k}: {n}" for k, n in sorted(refused.items())) or "nothing")
        for kind, steps in sorted(counts.items()):
            self.report_times(kind, steps)
        growth = self.growth()
        logs = sorted(self.logs) or [0.0]
        for name, value, ceiling in (
            ("worker MB", self.most["worker MB"], WORKER_MB),
            ("server MB", self.most["server MB"], SERVER_MB),
            ("growth MB", growth, GROWTH_MB),
            ("log MB", logs[-1], LOG_MB),
            ("median", logs[len(logs) // 2], USUAL_LOG_MB),
            ("descriptors", self.most["descriptors"], DESCRIPTORS),
        ):
            print(f"{name:12} {value:8.1f}   at most {ceiling}")
            if value > ceiling:
                self.found.append(f"{name}: {value:.1f} is above {ceiling}")

    def growth(self) -> float:
        """Of the worker that is never killed, from the first quarter to the last."""
        quarter = max(1, len(self.steady) // 4)
        first, last = self.steady[quarter : 2 * quarter], self.steady[-quarter:]
        return sorted(last)[len(last) // 2] - sorted(first)[len(first) // 2] if first else 0.0

    def report_times(self, kind: str, steps: collections.Counter[int]) -> None:
        total = sum(steps.values())
        shown = []
        for share in (0.5, 0.99, 0.999, 1.0):
            left = total * share
            for step in sorted(steps):
                left -= steps[step]
                if left <= 0:
                    break
            shown.append(2**step / 1000)
        print(f"{kind:12} {total:8} operations; ms: half {shown[0]:.1f}, 99 % {shown[1]:.1f}, "
              f"99.9 % {shown[2]:.1f}, all {shown[3]:.1f}")  # fmt: skip
        most, longest = LATENCY.get(kind, (float("inf"), float("inf")))
        if shown[1] / 2 > most:  # what is shown is the end of a step, which begins at half of it
            self.found.append(f"{kind}: 1 % take longer than {most} ms")
        if shown[3] / 2 > longest:
            self.found.append(f"{kind}: one took longer than {longest} ms")


def main() -> int:
    parser = argparse.ArgumentParser()
    parser.add_argument("--minutes", type=float, default=10)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--folder", type=pathlib.Path)
    args = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="soak-") as temporary:
        soak = Soak(args.folder or pathlib.Path(temporary), args.seed)
        try:
            soak.run(args.minutes)
        finally:
            for process in soak.processes:
                if process.child.poll() is None:
                    process.child.kill()
        soak.check()
        soak.report(args.minutes)
    for text in soak.found[:20]:
        print("FOUND", text)
    bad = len(soak.found)
    print(f"{soak.acknowledged} passed, {bad} failed")
    return 1 if bad else 0


if __name__ == "__main__":
    raise SystemExit(main())
