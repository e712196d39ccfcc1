# SPDX-License-Identifier: Apache-2.0
"""Seed 000: connections and error handling."""

import logging
import pathlib
from typing import Any

import pytest

import mongodb
from mongodb.errors import ConnectionFailure


@pytest.fixture
def project(tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    """A working directory without a server in the environment."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("MONGODB_URI", raising=False)
    yield tmp_path
    mongodb.disconnect_all()


@pytest.fixture
def embedded(project: pathlib.Path) -> pathlib.Path:
    try:
        mongodb.connect("probe", alias="probe", host="docstore://:memory:")
    except mongodb.NotSupportedError:
        pytest.skip("this build has no embedded engine")
    mongodb.disconnect("probe")
    return project


def test_basic_connection(embedded: pathlib.Path, seed: Any, caplog: Any) -> None:
    with caplog.at_level(logging.INFO, "mongodb"):
        seed.run("Basic Connection")
    assert (embedded / "my_database.docstore").exists()
    assert len([r for r in caplog.records if r.name == "mongodb"]) == 1
    with pytest.raises(ConnectionFailure):
        mongodb.get_db()


def test_multiple_connections(embedded: pathlib.Path, seed: Any) -> None:
    User = seed.run("Multiple Connections")["User"]
    User(name="A").save()
    assert mongodb.get_db("analytics").user.count_documents({}) == 1
    assert mongodb.get_db().list_collection_names() == []


def test_the_servers_database_is_used(mongod: str, project: pathlib.Path, monkeypatch: Any) -> None:
    monkeypatch.setenv("MONGODB_URI", mongod)
    mongodb.connect("from_environment")
    assert mongodb.get_db().name == "from_environment"
    assert mongodb.get_connection().address is not None
    mongodb.disconnect()


def test_options_reach_pymongo(mongod: str, project: pathlib.Path) -> None:
    mongodb.connect(
        db="my_database",
        host=mongod,
        read_preference="primary",
        maxPoolSize=100,
        minPoolSize=10,
        maxIdleTimeMS=30000,
        serverSelectionTimeoutMS=5000,
    )
    client = mongodb.get_connection()
    assert client.options.pool_options.max_pool_size == 100
    assert client.options.pool_options.min_pool_size == 10
    assert client.get_database().name == "my_database"


def test_connection_uri_as_first_argument(mongod: str, project: pathlib.Path) -> None:
    mongodb.connect(mongod.replace("/?", "/database?"))
    assert mongodb.get_db().name == "database"


def test_an_alias_has_one_meaning(mongod: str, project: pathlib.Path) -> None:
    mongodb.connect("one", host=mongod)
    assert mongodb.connect("one", host=mongod) is mongodb.connect()
    with pytest.raises(ConnectionFailure, match="disconnect"):
        mongodb.connect("two", host=mongod)


def test_common_exceptions(connected: str, seed: Any, capsys: Any) -> None:
    User = seed.run("3. Define a Document")["User"]
    User(name="John", email="j@example.com").save()
    User(name="John", email="k@example.com").save()
    block = seed.blocks["Common Exceptions"][0]
    seed.blocks["Common Exceptions"][0] = block.replace(
        "connect('nonexistent_db')",
        "connect('nonexistent_db', alias='x', host='127.0.0.1', port=9, "
        "serverSelectionTimeoutMS=200)",
    )
    seed.run("Common Exceptions", connect=mongodb.connect)
    lines = capsys.readouterr().out.splitlines()
    assert lines[:2] == ["User not found", "Multiple users found"]
    assert lines[2].startswith("Validation failed: ") and "email" in lines[2]
    assert lines[3].startswith("Connection failed: ") and "127.0.0.1:9" in lines[3]


def test_custom_error_handling(connected: str, seed: Any, capsys: Any) -> None:
    User = seed.run("3. Define a Document")["User"]
    User(name="John", email="john@example.com").save()
    seed.run("Custom Error Handling")
    assert capsys.readouterr().out == "Found user: John\n"


def test_connection_functions_of_the_reference(mongod: str, project: pathlib.Path) -> None:
    mongodb.connect("a", alias="default", host=mongod)
    mongodb.connect("b", alias="other", host=mongod)
    assert mongodb.get_connection(alias="default")["a"].name == "a"
    assert mongodb.get_db(alias="other").name == "b"
    mongodb.disconnect(alias="default")
    with pytest.raises(ConnectionFailure, match="connect"):
        mongodb.get_connection()
    mongodb.disconnect_all()
    with pytest.raises(ConnectionFailure, match="other"):
        mongodb.get_db("other")
