# SPDX-License-Identifier: Apache-2.0
"""Newer Pythons with Django's newest release: the backend's own tests, and a part of Django's.

    python tests/django_suite/matrix.py [3.12 3.13]

Interpreters are looked for on the PATH and in pyenv; each gets a virtual environment below
`$VENVS`, by default `build/matrix`.
"""

import os
import pathlib
import shutil
import subprocess
import sys

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
VENVS = pathlib.Path(os.environ.get("VENVS", ROOT / "build" / "matrix"))
NEEDED = ["meson-python>=0.16", "meson>=1.2", "ninja", "django", "pymongo", "djangorestframework",
          "django-filter", "mongoengine", "orjson", "pillow", "pytest"]  # fmt: skip
APPS = "basic lookup expressions aggregation annotations transactions get_or_create update".split()


def interpreter(version: str) -> str | None:
    """The newest Python of a version that is here."""
    found = shutil.which(f"python{version}")
    known = sorted(pathlib.Path.home().glob(f".pyenv/versions/{version}.*/bin/python"))
    return str(known[-1]) if known else found


def run(bin_: pathlib.Path, *command: str) -> bool:
    path = os.pathsep.join((str(bin_), os.environ["PATH"]))
    mongod = next(ROOT.glob(".venv/lib/python*/site-packages/fiftyone/db/bin/mongod"), None)
    env = {**os.environ, "PATH": path, **({"MONGOD": str(mongod)} if mongod else {})}
    return subprocess.run([str(bin_ / command[0]), *command[1:]], cwd=ROOT, env=env).returncode == 0


def check(version: str) -> bool:
    """Install everything for one Python, and run the tests."""
    python = interpreter(version)
    if python is None:
        print(f"python{version}: not here")
        return False
    venv = VENVS / version
    bin_ = venv / "bin"
    if not (bin_ / "python").exists():
        subprocess.run([python, "-m", "venv", str(venv)], check=True)
    pip = ["pip", "install", "-q", "--disable-pip-version-check"]
    (venv / "wheel").mkdir(exist_ok=True)
    build = ["--no-build-isolation", "--no-deps", "--force-reinstall",
             f"-Cbuild-dir={venv / 'wheel'}", "."]  # fmt: skip
    # what a Django to come will drop is used by tests of today's: that is no failure
    tests = ["python", "-m", "pytest", "-q", "-p", "no:cacheprovider", "-W",
             "default::PendingDeprecationWarning", "-W", "default::DeprecationWarning",
             "--ignore=tests/python/backend/thirdparty",  # those apps know Djangos of their own
             "tests/python/backend"]  # fmt: skip
    installed = run(bin_, *pip, "-U", *NEEDED) and run(bin_, *pip, *build)
    if not installed:
        return False
    own = run(bin_, *tests)
    theirs = run(bin_, "python", "tests/django_suite/run.py", *APPS)
    words = ["pass" if one else "FAIL" for one in (own, theirs)]
    print(f"python{version}: own tests {words[0]}, Django's {words[1]}")
    return own and theirs


if __name__ == "__main__":
    outcome = [check(version) for version in sys.argv[1:] or ["3.12", "3.13"]]
    raise SystemExit(0 if all(outcome) else 1)
