# SPDX-License-Identifier: Apache-2.0
"""Stores for the tests: in memory, in a file, and a mongod that the tests start themselves."""

import contextlib
import importlib.util
import os
import pathlib
import re
import shutil
import socket
import subprocess
import sys
import textwrap
import time
import types
from collections.abc import Callable, Iterator
from typing import Any

import pytest


def pytest_configure() -> None:
    """Django's settings for the tests of what works with Django."""
    from django.conf import settings

    if not settings.configured:
        settings.configure(
            SECRET_KEY="tests",
            USE_TZ=True,
            TIME_ZONE="UTC",
            ALLOWED_HOSTS=["*"],
            INSTALLED_APPS=[
                "django.contrib.staticfiles",
                "django.contrib.contenttypes",
                "rest_framework",
                "mongodb",
            ],
            STATIC_URL="static/",
            TEMPLATES=[
                {
                    "BACKEND": "django.template.backends.django.DjangoTemplates",
                    "APP_DIRS": True,
                    "OPTIONS": {
                        "context_processors": ["django.template.context_processors.request"]
                    },
                }
            ],
            REST_FRAMEWORK={
                "DEFAULT_AUTHENTICATION_CLASSES": [],
                "UNAUTHENTICATED_USER": None,
            },
        )
        import django

        django.setup()


def find_mongod() -> str | None:
    """The reference server: $MONGOD, the one of the test extra's wheel, or one on the PATH."""
    if "MONGOD" in os.environ:
        return os.environ["MONGOD"]
    for folder in sys.path:
        program = pathlib.Path(folder or ".") / "fiftyone" / "db" / "bin" / "mongod"
        if program.is_file():
            return str(program)
    return shutil.which("mongod")


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def start_replica_set(port: int) -> None:
    """Make the server a replica set of one, and wait until it takes writes."""
    from pymongo import MongoClient
    from pymongo.errors import PyMongoError

    host = f"127.0.0.1:{port}"
    deadline = time.monotonic() + 60
    with MongoClient(host, directConnection=True, serverSelectionTimeoutMS=30000) as client:
        client.admin.command(
            "replSetInitiate", {"_id": "rs0", "members": [{"_id": 0, "host": host}]}
        )
        while time.monotonic() < deadline:
            try:
                if client.admin.command("hello").get("isWritablePrimary"):
                    return
            except PyMongoError:
                pass
            time.sleep(0.05)
    raise RuntimeError("the test mongod did not become primary")


@contextlib.contextmanager
def mongod_in(data: pathlib.Path) -> Iterator[int]:
    """The port of a mongod, a replica set of one, that keeps its files in this folder."""
    program = find_mongod()
    if program is None:
        raise FileNotFoundError("no mongod: install the test extra")
    port = free_port()
    command = [program, "--dbpath", str(data), "--port", str(port), "--bind_ip", "127.0.0.1"]
    command += ["--replSet", "rs0", "--oplogSize", "64", "--wiredTigerCacheSizeGB", "0.25"]
    command += ["--logpath", str(data / "mongod.log")]
    for parameter in ("diagnosticDataCollectionEnabled=false", "enableTestCommands=1"):
        command += ["--setParameter", parameter]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        start_replica_set(port)
        yield port
    finally:
        process.terminate()
        try:
            process.wait(20)
        except subprocess.TimeoutExpired:
            process.kill()


@pytest.fixture(scope="session")
def mongod(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The URI of a mongod started for this test session."""
    if find_mongod() is None:
        pytest.skip("no mongod: install the test extra")
    with mongod_in(tmp_path_factory.mktemp("mongod")) as port:
        yield f"mongodb://127.0.0.1:{port}/?replicaSet=rs0"


@pytest.fixture(scope="module", params=["memory", "file", "mongod"])
def store_uri(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> str:
    """A URI of each kind of store in turn."""
    if request.param == "memory":
        return "docstore://:memory:"
    if request.param == "file":
        return f"docstore://{tmp_path_factory.mktemp('store')}/test.docstore"
    return request.getfixturevalue("mongod")


def load_module(path: pathlib.Path) -> Any:
    """A module of the tests that stands outside their package."""
    spec = importlib.util.spec_from_file_location(f"tests_{path.stem}", path)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def raw(store_uri: str) -> Iterator[Callable[[str, dict[str, Any]], dict[str, Any]]]:
    """Runs commands on each kind of store exactly as they are given; a refusal is a reply."""
    if store_uri.startswith("mongodb://"):
        host, port = store_uri.removeprefix("mongodb://").split("/")[0].split(":")
        tests = pathlib.Path(__file__).resolve().parent.parent
        wire = load_module(tests / "arguments" / "wire.py").Wire(host, int(port))
        yield wire.run
        wire.close()
        return
    import bson

    from mongodb import _core

    client = _core.Client(store_uri)
    yield lambda db, command: bson.decode(client.run_raw(db, command, check=False))
    client.close()


class Seed:
    """Runs the code blocks of seed_000.md as they are written."""

    def __init__(self) -> None:
        text = pathlib.Path(__file__).with_name("seed_000").joinpath("seed_000.md").read_text()
        self.blocks: dict[str, list[str]] = {}
        heading = ""
        for part in re.split(r"(?ms)^(#+ [^\n]+$|```.*?^```$)", text):
            if part.startswith("#"):
                heading = part.lstrip("# ")
            elif part.startswith("```python"):
                self.blocks.setdefault(heading, []).append(part[9:-3])
        self.names: dict[str, object] = {}

    def run(self, heading: str, at: int = 0, **names: object) -> dict[str, object]:
        """Run a block after Quick Start's imports and what ran before; return its names."""
        if not self.names:
            exec(
                "import datetime as _datetime\nimport re\nfrom datetime import datetime\n"
                "from mongodb import *\nfrom mongodb.fields import *\n"
                "from mongodb.errors import ValidationError\n",
                self.names,
            )
        self.names.update(names)
        code = compile(self.blocks[heading][at], f"<{heading}>", "exec", dont_inherit=True)
        exec(code, self.names)
        return self.names


@pytest.fixture
def seed() -> Seed:
    """The seed's code blocks by heading."""
    return Seed()


@pytest.fixture
def connected(store_uri: str) -> Iterator[str]:
    """The default connection to an empty database; the URI of its store."""
    import mongodb

    name = f"t{os.getpid()}_{time.monotonic_ns()}"
    try:
        handle = mongodb.connect(name, host=store_uri)
    except mongodb.NotSupportedError:
        pytest.skip("this build has no embedded engine")
    try:
        yield store_uri
        handle.run({"dropDatabase": 1})
    finally:
        mongodb.disconnect_all()


@contextlib.contextmanager
def models_on(host: str) -> Iterator[Callable[..., None]]:
    """Django's default database on a store; call what it gives with models to make their tables.

    Models are declared within the block; they belong to the app "mongodb".
    """
    from django.db import connections
    from django.test.utils import isolate_apps

    import mongodb

    name = f"t{os.getpid()}_{time.monotonic_ns()}"
    entry = {"default": {"ENGINE": "mongodb.backend", "NAME": name, "HOST": host}}
    before = connections.settings["default"]
    connections.settings["default"] = connections.configure_settings(entry)["default"]
    if hasattr(connections._connections, "default"):
        del connections["default"]
    connection: Any = connections["default"]

    def make(*models: Any) -> None:
        with connection.schema_editor() as editor:
            for model in models:
                if model._meta.managed:
                    editor.create_model(model)

    try:
        with isolate_apps("mongodb"):
            yield make
        connection.command({"dropDatabase": 1})
    finally:
        connection.close()
        mongodb.disconnect("django:default")
        connections.settings["default"] = before
        del connections["default"]


@pytest.fixture(params=["memory", "mongod"])
def orm(request: pytest.FixtureRequest) -> Iterator[Callable[..., None]]:
    """`models_on` each kind of store."""
    memory = request.param == "memory"
    host = "docstore://:memory:" if memory else request.getfixturevalue("mongod")
    with models_on(host) as make:
        yield make


@pytest.fixture(name="models_on", scope="session")
def _models_on() -> Any:
    return models_on


class Django:
    """Runs a seed's blocks that are modules of a Django project's app."""

    def __init__(self, path: pathlib.Path, make: Callable[..., None]) -> None:
        self.make = make
        self.package = f"mongodb.{path.stem}"
        self.names: dict[str, Any] = {"__name__": f"{self.package}.models"}
        self.blocks: dict[str, list[str]] = {}
        heading = ""
        for part in re.split(r"(?ms)^(#+ [^\n]+$| *```.*?^ *```$)", path.read_text()):
            if part.startswith("#"):
                heading = part.lstrip("# ")
            elif part.lstrip().startswith("```python"):
                lines = part.strip("\n").split("\n")[1:-1]
                self.blocks.setdefault(heading, []).append(textwrap.dedent("\n".join(lines)))

    def importable(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """Let the blocks to come write `from .models import …` for the names there are."""
        package, module = types.ModuleType(self.package), types.ModuleType(f"{self.package}.models")
        package.__path__ = []
        module.__dict__.update({k: v for k, v in self.names.items() if not k.startswith("__")})
        for one in (package, module):
            monkeypatch.setitem(sys.modules, one.__name__, one)
        self.names["__package__"] = self.package

    def run(self, heading: str, at: int = 0, **names: Any) -> dict[str, Any]:
        """Run a block; the models it declares get their tables. Return the names."""
        before = set(self.names)
        self.names.update(names)
        code = compile(self.blocks[heading][at], f"<{heading}>", "exec", dont_inherit=True)
        exec(code, self.names)
        new = [self.names[name] for name in self.names if name not in before]
        models = [one for one in new if hasattr(one, "_meta") and isinstance(one, type)]
        self.make(*(one for one in models if not one._meta.abstract))
        return self.names


@pytest.fixture
def django_seed(orm: Callable[..., None]) -> Callable[[pathlib.Path], Django]:
    """The blocks of a seed, by the seed's file, on each kind of store."""
    import mongodb.compat

    mongodb.compat.install("djongo")
    return lambda path: Django(path, orm)


@pytest.fixture
def djongo_at(request: pytest.FixtureRequest) -> Iterator[Callable[[dict[str, Any]], Any]]:
    """Open Djongo's settings; what was made there is dropped."""
    import mongodb.compat

    mongodb.compat.install("djongo")
    from django.db import connections
    from django.db.utils import load_backend

    opened = []

    def open_it(entry: dict[str, Any]) -> Any:
        settings = connections.configure_settings({"default": dict(entry)})["default"]
        wrapper = load_backend("djongo").DatabaseWrapper(settings, "djongo")
        connections.settings["djongo"] = settings
        connections["djongo"] = wrapper
        opened.append(wrapper)
        return wrapper

    yield open_it
    for wrapper in opened:
        if wrapper.connection is not None:
            wrapper.command({"dropDatabase": 1})
            wrapper.close()
    if opened:
        del connections["djongo"], connections.settings["djongo"]
