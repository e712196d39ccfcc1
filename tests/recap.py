# SPDX-License-Identifier: Apache-2.0
"""What a run found, by name: read from what the programs print; the recap before the totals."""

import json
import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field

AGAIN = 5  # more failures than this are no accident: they are not tried a second time
SHOWN = 50  # names of one step in the recap
LONGEST = 300


@dataclass
class Outcome:
    """Of one step: how many passed and failed, the names of what failed or passed only alone."""

    passed: int = 0
    failed: int = 0
    names: list[str] = field(default_factory=list)
    flaky: list[str] = field(default_factory=list)

    def __add__(self, other: "Outcome") -> "Outcome":
        return Outcome(
            self.passed + other.passed,
            self.failed + other.failed,
            self.names + other.names,
            self.flaky + other.flaky,
        )


def each(done: Iterable[tuple[str, bool]]) -> Outcome:
    """The outcome of programs that were run one by one."""
    found = Outcome()
    for name, good in done:
        found += Outcome(passed=1) if good else Outcome(failed=1, names=[name])
    return found


def pytest_outcome(code: int, output: str) -> Outcome:
    """What pytest's last lines say, and its FAILED and ERROR lines."""
    ends = re.findall(r"^=*(?: ?\d+ [a-z]+,?)+ in [\d.]+s.*", output, re.M)
    counts = {word: int(n) for n, word in re.findall(r"(\d+) ([a-z]+)", ends[-1] if ends else "")}
    failed = counts.get("failed", 0) + counts.get("error", 0) + counts.get("errors", 0)
    summary = output.rpartition(" short test summary info ")[2]
    names = re.findall(r"^(?:FAILED|ERROR) .*", summary, re.M)
    if code and not names:
        names = [f"pytest ended with {code}: {last_words(output)}"]
    return Outcome(counts.get("passed", 0), failed or (1 if code else 0), names)


def pytest_id(line: str) -> str | None:
    """The test that a FAILED or ERROR line names; None for a file that could not be imported."""
    found = re.match(r"(?:FAILED|ERROR) ((?:(?! - ).)+?::\w+(?:\[.*?\](?= - |$))?)(?: - |$)", line)
    return found[1] if found else None


def meson_outcome(code: int, log: str) -> Outcome:
    """What meson's testlog.json says, a test a line."""
    tests = [json.loads(line) for line in log.splitlines() if line]
    found = each((test["name"], test["result"] in ("OK", "EXPECTEDFAIL")) for test in tests)
    if code and not found.failed:
        found += Outcome(failed=1, names=[f"meson test ended with {code}"])
    return found


def own_outcome(code: int, output: str) -> Outcome:
    """The totals that a program of ours ends with, and the lines that tell what failed."""
    totals = re.findall(r"(\d+) passed, (\d+) failed", output)
    if not totals:
        return Outcome(failed=1, names=[f"ended with {code}: {last_words(output)}"])
    passed, failed = int(totals[-1][0]), int(totals[-1][1])
    names = re.findall(r"^ *((?:FAILED|FAIL:|ERROR:|UNEXPECTED SUCCESS:|FOUND) .*)", output, re.M)
    if code and not failed:
        failed, names = 1, [*names, f"ended with {code}"]
    return Outcome(passed, failed, names if failed else [])


def last_words(output: str) -> str:
    """The last line that says something."""
    return next((line.strip() for line in reversed(output.splitlines()) if line.strip()), "no word")


def try_again(
    found: Outcome, test_of: Callable[[str], str | None], passes: Callable[[str], bool]
) -> Outcome:
    """Run what failed once more, each test alone; those that pass now are flaky, and passed."""
    if found.failed > AGAIN:
        return found
    tests = dict.fromkeys(test for name in found.names if (test := test_of(name)))
    flaky = [test for test in tests if passes(test)]
    names = [name for name in found.names if test_of(name) not in flaky]
    mended = len(found.names) - len(names)
    return Outcome(found.passed + mended, found.failed - mended, names, found.flaky + flaky)


def recap(steps: dict[str, Outcome]) -> list[str]:
    """The lines before the totals: what failed in which step, what was flaky and how many."""
    lines = []
    for step, found in steps.items():
        names = found.names or ([f"{found.failed} failed"] if found.failed else [])
        lines += [f"{step}: {name[:LONGEST]}" for name in names[:SHOWN]]
        if len(names) > SHOWN:
            lines.append(f"{step}: and {len(names) - SHOWN} more")
    flaky = [test for found in steps.values() for test in found.flaky]
    lines += [f"flaky: {test}" for test in flaky]
    if flaky:
        lines.append(f"{len(flaky)} flaky")
    return lines
