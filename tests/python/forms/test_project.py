# SPDX-License-Identifier: Apache-2.0
"""Generic views and the admin over documents, in a project whose models are in each database."""

import os
import pathlib
import re
import subprocess
import sys

import pytest

HERE = pathlib.Path(__file__).parent


def run(project: str, *arguments: str, **env: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-W", "error", "-m", "django", *arguments, "--settings=settings"],
        cwd=HERE / project,
        env={**os.environ, "PYTHONPATH": str(HERE / project), **env},
        capture_output=True,
        text=True,
        timeout=300,
    )


def passed(done: subprocess.CompletedProcess[str], least: int) -> None:
    ran = re.search(r"Ran (\d+) tests", done.stderr)
    assert done.returncode == 0, done.stdout + done.stderr
    assert ran is not None and int(ran[1]) >= least


@pytest.mark.parametrize(("models", "where"), [("sqlite", "memory"), ("docstore", "mongod")])
def test_views_and_the_admin(models: str, where: str, request: pytest.FixtureRequest) -> None:
    store = "" if where == "memory" else request.getfixturevalue("mongod")
    passed(run("project", "test", STORE=store, MODELS=models), 20)


@pytest.mark.parametrize("where", ["memory", "mongod"])
def test_users_who_are_documents(where: str, request: pytest.FixtureRequest) -> None:
    store = "" if where == "memory" else request.getfixturevalue("mongod")
    passed(run("people", "test", STORE=store), 7)


def test_commands_about_users(tmp_path: pathlib.Path) -> None:
    env = {"STORE": f"docstore://{tmp_path}/people.docstore", "DJANGO_SUPERUSER_PASSWORD": "x"}
    new = ("createsuperuser", "--noinput", "--username=root", "--email=r@example.com")
    done = run("people", *new, **env)
    assert done.returncode == 0, done.stderr
    again = run("people", *new, **env)
    assert "That username is already taken" in again.stderr
    assert run("people", "clearsessions", **env).returncode == 0
