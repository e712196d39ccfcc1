# SPDX-License-Identifier: Apache-2.0
"""Random interleavings of sessions on the embedded store beside a real mongod.

    python tests/differential/sessions.py [--seed N] [--seconds N] [--length N] [--one]

Each seed is a sequence (steps.py). At a difference the sequence is made as short as it gets and
printed: what was sent, and both answers."""

import argparse
import pathlib
import sys
import tempfile
import time

TESTS = pathlib.Path(__file__).resolve().parent.parent
for folder in (TESTS / "differential", TESTS / "python"):
    if str(folder) not in sys.path:
        sys.path.insert(0, str(folder))

from steps import Step, generate  # noqa: E402
from stores import Embedded, Server  # noqa: E402
from world import Difference, World  # noqa: E402

LENGTH = 60

AGAIN = 2  # a wait of some milliseconds may be too short once, on a busy machine


class Runner:
    """Runs sequences, each in a database of its own."""

    def __init__(self, host: str, port: int) -> None:
        self.address = (host, port)
        self.server = Server(host, port)
        self.count = 0
        self.sent = self.conflicts = 0

    def run(self, steps: list[Step]) -> tuple[Difference | None, World]:
        self.count += 1
        embedded = Embedded()
        world = World(embedded, self.server, f"d{self.count}")
        try:
            for step in steps:
                world.run(step)
            world.finish()
        except Difference as difference:
            return difference, world
        finally:
            self.sent += world.sent
            self.conflicts += world.conflicts
            for session in world.sessions:
                self.server.run("admin", {"killSessions": [session.lsid]})
            self.server.run(world.db, {"dropDatabase": 1})
            embedded.close()
        return None, world

    def shrink(self, steps: list[Step]) -> list[Step]:
        """Leaves out what the difference does not need: halves first, then less and less."""
        size = len(steps) // 2
        while size:
            at = 0
            while at < len(steps):
                shorter = steps[:at] + steps[at + size :]
                if shorter and self.run(shorter)[0] is not None:
                    steps = shorter
                else:
                    at += size
            size //= 2
        return steps

    def report(self, seed: int, steps: list[Step]) -> str:
        steps = self.shrink(steps)
        difference, world = self.run(steps)
        lines = [f"seed {seed} differs; {len(steps)} steps show it:", ""]
        lines += [f"    {step!r}," for step in steps]
        lines += ["", "what was sent, with both answers:", ""]
        for db, command, mine, theirs in world.log:
            lines += [f"  {db}: {command}", f"      embedded {mine}", f"      mongod   {theirs}"]
        return "\n".join([*lines, "", str(difference)])


def fuzz(runner: Runner, seed: int, seconds: float, length: int = LENGTH) -> tuple[int, list[str]]:
    """Seeds from this one on until the time is over: how many sequences, and what differed."""
    until = time.monotonic() + seconds
    count, reports = 0, []
    while time.monotonic() < until and len(reports) < 5:
        steps = generate(seed + count, length)
        difference = runner.run(steps)[0]
        if difference is not None and any(runner.run(steps)[0] for _ in range(AGAIN)):
            reports.append(runner.report(seed + count, steps))
        elif difference is not None:  # steps come one after the other: only time can differ
            print(f"seed {seed + count} differed once, and not again: {difference}")
        count += 1
    return count, reports


def main() -> int:
    from conftest import mongod_in

    parser = argparse.ArgumentParser()
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--seconds", type=float, default=60)
    parser.add_argument("--length", type=int, default=LENGTH)
    parser.add_argument("--one", action="store_true", help="this seed only")
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder, mongod_in(pathlib.Path(folder)) as port:
        runner = Runner("127.0.0.1", port)
        seconds = 0.001 if args.one else args.seconds
        count, reports = fuzz(runner, args.seed, seconds, args.length)
    for report in reports:
        print(report, end="\n\n")
    print(f"{count} sequences from seed {args.seed}, {runner.sent} commands, of them "
          f"{runner.conflicts} for want of the one writer")  # fmt: skip
    print(f"{count - len(reports)} passed, {len(reports)} failed")
    return 1 if reports else 0


if __name__ == "__main__":
    raise SystemExit(main())
