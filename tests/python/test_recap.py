# SPDX-License-Identifier: Apache-2.0
"""The last lines of `make test` name what failed."""

import json
import pathlib
import sys
from typing import Any

import pytest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1]))
import recap
import run

UNEVEN = """
import pathlib
import pytest

@pytest.mark.parametrize("word", ["a - b", "c [d]"])
def test_always(word):
    raise AssertionError("7 passed, 9 failed")

@pytest.fixture
def broken():
    raise OSError

def test_setup(broken):
    pass

def test_at_first():
    mark = pathlib.Path(__file__).with_suffix(".ran")
    ran = mark.exists()
    mark.touch()
    assert ran

def test_good():
    pass
"""


def test_a_failed_python_test_is_named_and_one_that_passes_alone_is_flaky(
    tmp_path: pathlib.Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "test_uneven.py"
    file.write_text(UNEVEN)
    found = run.pytest(["-p", "no:cacheprovider", str(file)])
    capsys.readouterr()
    assert (found.passed, found.failed) == (2, 3)
    names = sorted(name.partition("test_uneven.py::")[2] for name in found.names)
    assert names[0].startswith("test_always[a - b] - AssertionError")
    assert names[1].startswith("test_always[c [d]] - AssertionError")
    assert names[2].startswith("test_setup - OSError")
    assert [test.partition("::")[2] for test in found.flaky] == ["test_at_first"]
    lines = recap.recap({"lint": recap.Outcome(passed=4), "python": found})
    assert [line.split()[0] for line in lines] == ["python:"] * 3 + ["flaky:", "1"]
    assert lines[-1] == "1 flaky"


def test_the_id_in_a_line_of_pytest() -> None:
    def of(line: str) -> str | None:
        return recap.pytest_id(line)

    assert of("FAILED tests/a b.py::test_x[a - b] - E: x[1] - no") == "tests/a b.py::test_x[a - b]"
    assert of("ERROR tests/a.py::TestX::test_y") == "tests/a.py::TestX::test_y"
    assert of("ERROR tests/a.py - ImportError: no::such") is None
    assert of("pytest ended with -11: Fatal") is None


def test_six_failures_are_not_tried_again() -> None:
    def never(test: str) -> bool:
        raise AssertionError(test)

    many = recap.Outcome(failed=6, names=[f"FAILED a.py::test_{n}" for n in range(6)])
    assert recap.try_again(many, recap.pytest_id, never) is many
    five = recap.Outcome(passed=1, failed=5, names=many.names[:5])
    found = recap.try_again(five, recap.pytest_id, lambda test: True)
    assert (found.passed, found.failed, found.names) == (6, 0, [])
    assert found.flaky == [f"a.py::test_{n}" for n in range(5)]


def test_a_crash_is_a_failure_with_its_last_words() -> None:
    found = recap.pytest_outcome(-11, "tests/a.py ...\nFatal Python error: Segmentation fault\n\n")
    assert (found.passed, found.failed) == (0, 1)
    assert found.names == ["pytest ended with -11: Fatal Python error: Segmentation fault"]
    assert recap.own_outcome(1, "").names == ["ended with 1: no word"]


def test_failed_c_tests_are_named_and_run_once_more(
    tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    results = {"bson/test_key": "OK", "engine/test_a": "FAIL", "engine/test_b": "TIMEOUT"}
    log = "\n".join(json.dumps({"name": n, "result": r}) for n, r in results.items())
    (tmp_path / "meson-logs").mkdir()
    asked = []

    def ran(command: list[str], **env: Any) -> Any:
        asked.append(command)
        if command[-1] == "--print-errorlogs":
            (tmp_path / "meson-logs" / "testlog.json").write_text(log)
            return run.subprocess.CompletedProcess(command, 1, "")
        return run.subprocess.CompletedProcess(command, command[-1] == "engine/test_a", "")

    monkeypatch.setattr(run, "ASAN", tmp_path)
    monkeypatch.setattr(run, "run", ran)
    monkeypatch.setattr(run, "configure_asan", lambda: None)
    found = run.c_tests()
    assert (found.passed, found.failed) == (3, 1)  # with the cases through the pipe
    assert (found.names, found.flaky) == (["engine/test_a"], ["engine/test_b"])
    assert [command[-1] for command in asked[2:]] == ["engine/test_a", "engine/test_b"]


@pytest.mark.parametrize(
    ("output", "names"),
    [
        ("  ok      one\n  FAILED  two: 500\n1 passed, 1 failed\n", ["FAILED  two: 500"]),
        (
            "FAIL: test_x (a.Tests.test_x)\nERROR: test_y (a.Tests)\n5 passed, 2 failed\n",
            ["FAIL: test_x (a.Tests.test_x)", "ERROR: test_y (a.Tests)"],
        ),
        ("FOUND a row that was lost\n9 passed, 1 failed", ["FOUND a row that was lost"]),
        ("ERROR: of a test that passed\n9 passed, 0 failed", []),
    ],
)
def test_what_failed_in_a_program_of_ours(output: str, names: list[str]) -> None:
    assert recap.own_outcome(1 if names else 0, output).names == names


def test_a_step_without_names_is_in_the_recap_and_long_lists_end() -> None:
    found = {
        "sessions": recap.Outcome(failed=2),
        "c": recap.Outcome(failed=60, names=[str(n) for n in range(60)]),
        "lint": recap.Outcome(passed=4),
    }
    lines = recap.recap(found)
    assert lines[:2] == ["sessions: 2 failed", "c: 0"]
    assert lines[-1] == "c: and 10 more"
    assert recap.recap({"lint": found["lint"]}) == []


def test_the_totals_are_the_last_line(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def step() -> recap.Outcome:
        """Nothing."""
        return recap.each([("mypy", False), ("ruff check .", True)])

    monkeypatch.setitem(run.STEPS, "lint", step)
    assert run.main(["lint"]) == 1
    assert capsys.readouterr().out.splitlines()[-2:] == ["lint: mypy", "1 passed, 1 failed"]
