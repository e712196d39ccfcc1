# SPDX-License-Identifier: Apache-2.0
"""README's stock project: made, migrated and started by the commands that it gives."""

import os
import pathlib
import re
import subprocess
import sys
import time
from typing import Any

import pytest

from .conftest import free_port, load_module

ROOT = pathlib.Path(__file__).parents[2]
SECTION = (ROOT / "README.md").read_text().split("## Django's own ORM\n")[1].split("\n## ")[0]
COMMANDS = re.findall(r"(?m)^    (.+)$", SECTION)
(DATABASES,) = re.findall(r"(?ms)^```python\n(.*?)^```", SECTION)


def run(command: str, folder: pathlib.Path) -> None:
    done = subprocess.run(
        ["bash", "-ec", command], cwd=folder, env=environment(), capture_output=True, text=True
    )
    assert done.returncode == 0, done.stdout + done.stderr


def environment() -> dict[str, str]:
    programs = f"{pathlib.Path(sys.executable).parent}:{os.environ['PATH']}"
    own = {key: value for key, value in os.environ.items() if key != "DJANGO_SETTINGS_MODULE"}
    return {
        **own,
        "PATH": programs,
        "DJANGO_SUPERUSER_USERNAME": "root",
        "DJANGO_SUPERUSER_PASSWORD": "a password",
        "DJANGO_SUPERUSER_EMAIL": "root@example.com",
    }


@pytest.mark.parametrize("where", ["file", "mongod"])
def test_a_stock_project_runs(
    where: str, tmp_path: pathlib.Path, request: pytest.FixtureRequest
) -> None:
    start, migrate, create, serve = COMMANDS
    run(start, tmp_path)
    folder = tmp_path / "library"
    settings = folder / "library" / "settings.py"
    text, many = re.subn(r"(?ms)^DATABASES = \{.*?^\}\n", DATABASES, settings.read_text())
    assert many == 1
    if where == "mongod":
        server, name = request.getfixturevalue("mongod"), f"library{os.getpid()}"
        text = text.replace('"NAME": "library"', f'"NAME": "{name}", "HOST": "{server}"')
    settings.write_text(text)
    run(migrate, folder)
    run(f"{create} --noinput", folder)
    assert (folder / "library.docstore").exists() == (where == "file")
    port = free_port()
    words = [*serve.split(), "--noreload", f"127.0.0.1:{port}"]
    quiet = subprocess.DEVNULL
    server = subprocess.Popen(words, cwd=folder, env=environment(), stdout=quiet, stderr=quiet)
    try:
        use_the_admin(f"http://127.0.0.1:{port}")
    finally:
        server.terminate()
        server.wait(30)


def use_the_admin(base: str) -> None:
    browser = load_module(ROOT / "examples" / "cities" / "demo.py").Browser(base)
    assert "Django administration" in opened(browser, "/admin/login/")
    login = {"username": "root", "password": "a password"}
    page = browser.send("/admin/login/?next=/admin/", **login)[1]
    assert "Site administration" in page
    new = {"username": "ada", "password1": "fine by me 1", "password2": "fine by me 1"}
    page = browser.send("/admin/auth/user/add/", usable_password="true", **new)[1]
    assert "was added successfully" in page
    page = browser.send("/admin/auth/group/add/", name="Readers")[1]
    assert "was added successfully" in page
    page = browser.open("/admin/auth/user/?q=ad&is_staff__exact=0")[1]
    assert "1 user" in page and "ada" in page
    assert "Readers" in browser.open("/admin/")[1]  # among what was done last


def opened(browser: Any, path: str) -> str:
    """A page, as soon as the server is there."""
    for _ in range(300):
        try:
            return str(browser.open(path)[1])
        except OSError:
            time.sleep(0.1)
    raise TimeoutError("the server did not start")
