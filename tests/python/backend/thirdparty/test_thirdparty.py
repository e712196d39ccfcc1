# SPDX-License-Identifier: Apache-2.0
"""Other projects' apps, unmodified: each app's migrations, main use and admin pages, run by
Django's runner in a process of its own."""

import os
import pathlib
import re
import subprocess
import sys

import pytest

SITE = pathlib.Path(__file__).parent / "site"
APPS = [path.name.removeprefix("with_") for path in sorted(SITE.glob("with_*"))]


def run(app: str, store: str) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "django", "test", f"with_{app}.tests", "--settings=settings"],
        cwd=SITE,
        env={**os.environ, "PYTHONPATH": str(SITE), "APP": app, "STORE": store},
        capture_output=True,
        text=True,
        timeout=300,
    )
    ran = re.search(r"Ran (\d+) tests?", done.stderr)
    assert done.returncode == 0, done.stdout + done.stderr
    assert ran is not None and int(ran[1]) > 3, done.stderr


@pytest.mark.parametrize("app", APPS)
def test_an_app_works_unmodified(app: str) -> None:
    run(app, "")


@pytest.mark.parametrize("app", ["beat", "importing", "mptt", "treebeard"])
def test_an_app_works_on_a_server(app: str, mongod: str) -> None:
    run(app, mongod)
