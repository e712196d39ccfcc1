# SPDX-License-Identifier: Apache-2.0
"""A Django project's own tests, run by Django's runner on each store."""

import os
import pathlib
import re
import subprocess
import sys

import pytest

PROJECT = pathlib.Path(__file__).parent / "project"


def run(store: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-W", "error", "-m", "django", *arguments, "--settings=settings"],
        cwd=PROJECT,
        env={**os.environ, "PYTHONPATH": str(PROJECT), "STORE": store},
        capture_output=True,
        text=True,
        timeout=300,
    )


@pytest.mark.parametrize("where", ["memory", "mongod"])
def test_a_projects_tests_pass(where: str, request: pytest.FixtureRequest) -> None:
    store = "" if where == "memory" else request.getfixturevalue("mongod")
    done = run(store, "test")
    ran = re.search(r"Ran (\d+) tests", done.stderr)
    assert done.returncode == 0, done.stdout + done.stderr
    assert ran is not None and int(ran[1]) > 15


def test_stock_migrations_make_the_tables(tmp_path: pathlib.Path) -> None:
    store = f"docstore://{tmp_path}/site.docstore"
    done = run(store, "migrate", "--run-syncdb")
    assert done.returncode == 0, done.stdout + done.stderr
    assert "Applying auth.0012_alter_user_first_name_max_length... OK" in done.stdout
    again = run(store, "migrate", "--check")
    assert again.returncode == 0, again.stdout + again.stderr


def test_tests_run_in_parallel() -> None:
    done = run("", "test", "--parallel", "2")
    ran = re.search(r"Ran (\d+) tests", done.stderr)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "Cloning test database" in done.stderr
    assert ran is not None and int(ran[1]) > 15


def test_management_commands(tmp_path: pathlib.Path) -> None:
    store = f"docstore://{tmp_path}/site.docstore"
    assert run(store, "migrate", "--run-syncdb").returncode == 0
    for arguments, expected in [
        (["sqlflush"], 'DELETE FROM "auth_user";'),
        (["sqlsequencereset", "auth"], """DELETE FROM "__counters" WHERE "_id" = 'auth_user';"""),
        (["sqlmigrate", "auth", "0001"], 'CREATE TABLE "auth_permission" ("id" integer auto NOT'),
        (["check", "--database", "default"], "no issues"),
        (["optimizemigration", "auth", "0001"], "No optimizations possible"),
        (["inspectdb", "auth_permission"],
         "content_type = models.ForeignKey('DjangoContentType', models.DO_NOTHING)"),
        (["flush", "--noinput"], ""),
    ]:  # fmt: skip
        done = run(store, *arguments)
        assert done.returncode == 0, done.stdout + done.stderr
        assert expected in done.stdout + done.stderr
