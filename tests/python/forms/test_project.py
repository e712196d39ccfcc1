# SPDX-License-Identifier: Apache-2.0
"""Generic views and the admin over documents, in a project whose models are in each database."""

import os
import pathlib
import re
import subprocess
import sys

import pytest

PROJECT = pathlib.Path(__file__).parent / "project"


@pytest.mark.parametrize(("models", "where"), [("sqlite", "memory"), ("docstore", "mongod")])
def test_a_projects_tests_pass(models: str, where: str, request: pytest.FixtureRequest) -> None:
    store = "" if where == "memory" else request.getfixturevalue("mongod")
    done = subprocess.run(
        [sys.executable, "-W", "error", "-m", "django", "test", "--settings=settings"],
        cwd=PROJECT,
        env={**os.environ, "PYTHONPATH": str(PROJECT), "STORE": store, "MODELS": models},
        capture_output=True,
        text=True,
        timeout=300,
    )
    ran = re.search(r"Ran (\d+) tests", done.stderr)
    assert done.returncode == 0, done.stdout + done.stderr
    assert ran is not None and int(ran[1]) > 20
