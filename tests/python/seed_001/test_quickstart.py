# SPDX-License-Identifier: Apache-2.0
"""Each code block of seed_001.md, under its heading: a project begun, connected, served."""

import os
import pathlib
import re
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from importlib import metadata
from typing import Any

import pytest

TEXT = pathlib.Path(__file__).with_name("seed_001.md").read_text()
ALIAS = "import mongodb.compat\n\nmongodb.compat.install('django_mongodb_backend')\n"


def blocks() -> dict[str, str]:
    """The code blocks by heading."""
    out: dict[str, str] = {}
    heading = ""
    for part in re.split(r"(?ms)^(#+ [^\n]+$|```.*?^```$)", TEXT):
        if part.startswith("#"):
            heading = part.lstrip("# ").strip()
        elif part.startswith("```") and "\n" in part:
            out.setdefault(heading, part.split("\n", 1)[1].removesuffix("```"))
    return out


def run(folder: pathlib.Path, *command: str) -> subprocess.CompletedProcess[str]:
    done = subprocess.run(
        [sys.executable, *command], cwd=folder, capture_output=True, text=True, timeout=120
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done


@pytest.fixture
def project(tmp_path: pathlib.Path) -> pathlib.Path:
    run(tmp_path, "-m", "django", "startproject", "example")
    return tmp_path / "example"


@pytest.fixture(params=["docstore", "mongod"])
def uri(request: pytest.FixtureRequest, tmp_path: pathlib.Path) -> Iterator[str]:
    if request.param == "docstore":
        yield f"docstore://{tmp_path}/example.docstore"
        return
    server = request.getfixturevalue("mongod")
    name = f"seed_001_{os.getpid()}_{time.monotonic_ns()}"
    uri = server.replace("/?", f"/{name}?")
    yield uri
    from pymongo import MongoClient

    with MongoClient(uri) as client:
        client.drop_database(name)


@pytest.fixture
def connected(project: pathlib.Path, uri: str) -> pathlib.Path:
    """The project after "Connect to the Database": the block stands in its settings."""
    settings = project / "example" / "settings.py"
    block = blocks()["Connect to the Database"].replace("<CONNECTION_STRING_URI>", uri)
    text = settings.read_text()
    text = re.sub(r"(?ms)^DATABASES = \{.*?^\}\n", "", text)
    settings.write_text(f"{ALIAS}import django_mongodb_backend\n{text}\n{block}")
    return project


def test_install() -> None:
    assert "pip install django-mongodb-backend" in TEXT
    assert metadata.version("mongodb-rest")


def test_start_a_project(project: pathlib.Path) -> None:
    assert "django-admin startproject example" in blocks()["Start a Project"]
    assert (project / "manage.py").is_file()


def test_connect_to_the_database(connected: pathlib.Path) -> None:
    out = run(connected, "manage.py", "migrate").stdout
    assert "Applying auth.0012_alter_user_first_name_max_length... OK" in out
    made = "from django.contrib.auth.models import User; User.objects.create_user('ann'); "
    assert "1" in run(connected, "manage.py", "shell", "-c",
                      made + "print(User.objects.count())").stdout  # fmt: skip


def test_start_the_server(connected: pathlib.Path, free_port: Any) -> None:
    assert "python manage.py runserver" in blocks()["Start the Server"]
    port = free_port()
    command = [sys.executable, "manage.py", "runserver", "--noreload", str(port)]
    server = subprocess.Popen(
        command, cwd=connected, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    try:
        deadline = time.monotonic() + 30
        while True:
            try:
                with urllib.request.urlopen(f"http://127.0.0.1:{port}/") as page:
                    text = page.read().decode()
                break
            except OSError:
                assert time.monotonic() < deadline
                time.sleep(0.1)
        assert "The install worked successfully! Congratulations!" in text
    finally:
        server.terminate()
        server.wait(10)


@pytest.mark.parametrize("uri", ["docstore"], indirect=True)
def test_a_project_from_the_template_that_the_text_names(connected: pathlib.Path) -> None:
    """What that template adds to a stock project: ObjectId keys, its own migrations, a router."""
    package = connected / "example"
    (package / "apps.py").write_text(
        "from django.contrib.admin.apps import AdminConfig\n"
        "from django.contrib.auth.apps import AuthConfig\n"
        "from django.contrib.contenttypes.apps import ContentTypesConfig\n"
        + "".join(
            f"class Mongo{name}({name}):\n"
            "    default_auto_field = 'django_mongodb_backend.fields.ObjectIdAutoField'\n"
            for name in ("AdminConfig", "AuthConfig", "ContentTypesConfig")
        )
    )
    settings = package / "settings.py"
    text = settings.read_text()
    for app in ("admin", "auth", "contenttypes"):
        config = {"admin": "MongoAdminConfig", "auth": "MongoAuthConfig",
                  "contenttypes": "MongoContentTypesConfig"}[app]  # fmt: skip
        text = text.replace(f"'django.contrib.{app}'", f"'example.apps.{config}'")
    apps = ("admin", "auth", "contenttypes")
    text += (
        "\nDEFAULT_AUTO_FIELD = 'django_mongodb_backend.fields.ObjectIdAutoField'\n"
        "DATABASE_ROUTERS = ['django_mongodb_backend.routers.MongoRouter']\n"
        f"MIGRATION_MODULES = { ({app: f'mongo_migrations.{app}' for app in apps})!r}\n"
    )
    settings.write_text(text)
    (connected / "mongo_migrations").mkdir()
    (connected / "mongo_migrations" / "__init__.py").touch()
    run(connected, "manage.py", "makemigrations", *apps)
    assert (
        "ObjectIdAutoField"
        in next((connected / "mongo_migrations" / "auth").glob("0001*.py")).read_text()
    )
    run(connected, "manage.py", "migrate")
    show = ("from django.contrib.auth.models import User; "
            "print(type(User.objects.create_user('ann').pk).__name__)")  # fmt: skip
    assert "ObjectId" in run(connected, "manage.py", "shell", "-c", show).stdout
