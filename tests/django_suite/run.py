# SPDX-License-Identifier: Apache-2.0
"""Run Django's own test suite, unmodified, on `mongodb.backend`.

    python tests/django_suite/run.py                 the core apps, and some more
    python tests/django_suite/run.py core            the core apps alone
    python tests/django_suite/run.py admin_views …   any others
    STORE=mongod python tests/django_suite/run.py       on a replica set that it starts itself
    STORE=mongodb://… python tests/django_suite/run.py  on a server that is there

The tests are fetched as the source distribution of the installed Django. What does not pass stands
in `mongodb/backend/skips.py` with its reason, and is skipped by it.
"""

import contextlib
import importlib.util
import os
import pathlib
import re
import subprocess
import sys
import tarfile
import tempfile
from collections.abc import Iterator

import django

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
WORK = ROOT / "build" / "django"
CORE = """aggregation aggregation_regress annotations basic bulk_create contenttypes_tests
custom_columns datatypes defer delete expressions generic_relations get_or_create lookup m2m_through
many_to_many many_to_one one_to_one ordering prefetch_related queries select_related transactions
update""".split()
# What else tells most: definitions, functions, fields, keys of several columns.
MORE = """composite_pk constraints db_functions expressions_window field_defaults indexes inspectdb
introspection model_fields raw_query schema timezones transaction_hooks validation""".split()
SETTINGS = """\
import os
STORE = os.environ.get("STORE", "")
DATABASES = {
    name: {"ENGINE": "mongodb.backend", "NAME": database, **({"HOST": STORE} if STORE else {})}
    for name, database in (("default", "suite"), ("other", "suite_other"))
}
SECRET_KEY = "suite"
DEFAULT_AUTO_FIELD = "django.db.models.%s"
PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]
USE_TZ = False
"""


def sources() -> pathlib.Path:
    """Fetch and unpack Django's sources; the tests among them are all that is used."""
    version = django.get_version()
    folder = WORK / f"django-{version}"
    if not (folder / "tests" / "runtests.py").exists():
        WORK.mkdir(parents=True, exist_ok=True)
        wanted = ["--no-deps", "--no-binary", ":all:", "-q", "-d", str(WORK), f"django=={version}"]
        subprocess.run([sys.executable, "-m", "pip", "download", *wanted], check=True)
        archive = next(WORK.glob(f"[dD]jango-{version}.tar.gz"))
        with tarfile.open(archive) as tar:
            tar.extractall(WORK, filter="data")
    return folder


@contextlib.contextmanager
def server(store: str) -> Iterator[str]:
    """Give the URI of the store; of `mongod` a server is started for the time."""
    if store != "mongod":
        yield store
        return
    path = ROOT / "tests" / "python" / "conftest.py"
    spec = importlib.util.spec_from_file_location("tests_conftest", path)
    assert spec is not None and spec.loader is not None
    fixtures = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(fixtures)
    with tempfile.TemporaryDirectory() as data:
        with fixtures.mongod_in(pathlib.Path(data)) as port:
            yield f"mongodb://127.0.0.1:{port}/?replicaSet=rs0"


def run(apps: list[str], store: str = "") -> tuple[int, int]:
    """Run the apps' tests in one process; return how many passed and failed."""
    tests = sources() / "tests"
    settings = WORK / "mongodb_suite_settings.py"
    key = "AutoField" if django.VERSION < (6, 0) else "BigAutoField"  # what their tests rely on
    settings.write_text(SETTINGS % key, encoding="utf-8")
    command = [sys.executable, "runtests.py", "--settings=mongodb_suite_settings", "--parallel=1",
               "--noinput", *apps]  # fmt: skip
    paths = os.pathsep.join(filter(None, (str(WORK), os.environ.get("PYTHONPATH"))))
    env = {**os.environ, "PYTHONPATH": paths, "PYTHONDONTWRITEBYTECODE": "1", "STORE": store}
    process = subprocess.Popen(
        command, cwd=tests, env=env, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    )
    assert process.stdout is not None
    lines = []
    for line in process.stdout:
        lines.append(line)
        print(line, end="", flush=True)
    code = process.wait()
    text = "".join(lines)
    ran = re.search(r"^Ran (\d+) tests? in", text, re.M)
    counts = dict(
        re.findall(r"(?<!expected )(failures|errors|skipped|unexpected successes)=(\d+)", text)
    )
    failed = sum(int(counts.get(k, 0)) for k in ("failures", "errors", "unexpected successes"))
    if ran is None or (code and not failed):
        return 0, 1
    return int(ran[1]) - failed - int(counts.get("skipped", 0)), failed


if __name__ == "__main__":
    asked = {"core": CORE, "more": CORE + MORE}.get(" ".join(sys.argv[1:]))
    with server(os.environ.get("STORE", "")) as store:
        passed, failed = run(asked or sys.argv[1:] or CORE + MORE, store)
    print(f"{passed} passed, {failed} failed")
    raise SystemExit(1 if failed or not passed else 0)
