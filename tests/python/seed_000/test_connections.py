# SPDX-License-Identifier: Apache-2.0
"""Connection Management, as written: embedded, and on localhost with the logins it shows."""

import pathlib
from typing import Any

import pytest

import mongodb
from mongodb.errors import ConnectionFailure


def parts(seed: Any, heading: str, *marks: str) -> list[str]:
    """The pieces of a block that begin at these comments: alternatives on one alias."""
    text = seed.blocks[heading][0]
    ends = [text.index(mark) for mark in marks] + [len(text)]
    head = text[: ends[0]]
    return [head + text[a:b] for a, b in zip(ends, ends[1:], strict=False)]


def test_connect_to_mongodb(alone: pathlib.Path, server_of_the_seed: None, seed: Any) -> None:
    basic, advanced = parts(seed, "2. Connect to MongoDB", "# Basic", "# Advanced")
    exec(basic, {})
    assert (alone / "my_database.docstore").exists()
    assert mongodb.get_db().name == "my_database"
    mongodb.disconnect()
    exec(advanced, {})
    database = mongodb.get_db()
    assert database.name == "my_database" and database.client.address == ("localhost", 27017)
    assert mongodb.get_connection().options._options["authsource"] == "admin"
    assert database.command("connectionStatus")["authInfo"]["authenticatedUsers"] == [
        {"user": "user", "db": "admin"}
    ]


def test_both_settings_on_one_alias_are_refused(alone: pathlib.Path, seed: Any) -> None:
    with pytest.raises(ConnectionFailure, match="disconnect"):
        seed.run("2. Connect to MongoDB")


def test_basic_connection(alone: pathlib.Path, seed: Any) -> None:
    seed.run("Basic Connection")
    assert (alone / "my_database.docstore").exists()
    with pytest.raises(ConnectionFailure):
        mongodb.get_db()


def test_multiple_connections(alone: pathlib.Path, seed: Any) -> None:
    user = seed.run("Multiple Connections")["User"]
    user(name="A").save()
    assert mongodb.get_db("analytics").user.count_documents({}) == 1
    assert mongodb.get_db("default").list_collection_names() == []
    assert sorted(path.name for path in alone.glob("*.docstore")) == [
        "analytics_db.docstore",
        "main_db.docstore",
    ]


def test_connection_options(alone: pathlib.Path, server_of_the_seed: None, seed: Any) -> None:
    seed.run("Connection Options")
    client = mongodb.get_connection()
    options = client.options
    assert options.pool_options.max_pool_size == 100
    assert options.pool_options.min_pool_size == 10
    assert options.pool_options.max_idle_time_seconds == 30
    assert options.server_selection_timeout == 5
    assert options.read_preference.name == "Primary"
    assert options._options["authmechanism"] == "SCRAM-SHA-1"
    assert client.get_database().name == "my_database"
    mongodb.get_db().c.insert_one({"a": 1})
    assert mongodb.get_db().c.find_one()["a"] == 1


def test_connection_uri(alone: pathlib.Path, server_of_the_seed: None, seed: Any) -> None:
    seed.run("Connection URI")
    database = mongodb.get_db()
    assert database.name == "database"
    assert database.command("connectionStatus")["authInfo"]["authenticatedUsers"] == [
        {"user": "user", "db": "database"}
    ]


def test_wrong_password_is_a_connection_failure(
    alone: pathlib.Path, server_of_the_seed: None
) -> None:
    with pytest.raises(ConnectionFailure, match="(?i)authentication"):
        mongodb.connect("mongodb://user:wrong@localhost:27017/database")


def test_connection_pooling(alone: pathlib.Path, seed: Any) -> None:
    pooling, several = parts(
        seed, "1. Connection Management", "# Use connection pooling", "# Use multiple"
    )
    exec(pooling, {"connect": mongodb.connect})
    assert mongodb.get_connection().options.pool_options.max_pool_size == 100
    mongodb.disconnect()
    exec(several, {"connect": mongodb.connect})
    names = {alias: mongodb.get_db(alias).name for alias in ("default", "analytics", "cache")}
    assert names == {"default": "main_db", "analytics": "analytics_db", "cache": "cache_db"}


def test_connection_pooling_on_a_server(
    mongod: str, alone: Any, seed: Any, monkeypatch: Any
) -> None:
    monkeypatch.setenv("MONGODB_URI", mongod)
    (pooling,) = parts(seed, "1. Connection Management", "# Use connection pooling")
    text = pooling.split("# Use multiple")[0]
    exec(text, {"connect": mongodb.connect})
    options = mongodb.get_connection().options.pool_options
    assert (options.max_pool_size, options.min_pool_size) == (100, 10)


def test_connection_functions(alone: pathlib.Path, server_of_the_seed: None, seed: Any) -> None:
    names = {**vars(mongodb), "db": "app", "kwargs": {"username": "user", "password": "password"}}
    connect, disconnect, disconnect_all, connection, database = (
        seed.blocks["Connection Functions"][0].strip().splitlines()
    )
    eval(connect, names)
    assert eval(database, names).name == "app"
    assert eval(connection, names).address == ("localhost", 27017)
    eval(disconnect, names)
    with pytest.raises(ConnectionFailure):
        eval(database, names)
    eval(connect, names)
    eval(disconnect_all, names)
    with pytest.raises(ConnectionFailure):
        eval(connection, names)


def test_unknown_option_of_the_embedded_store_is_refused(alone: pathlib.Path) -> None:
    with pytest.raises(ConnectionFailure, match="no option 'poolSize'"):
        mongodb.connect("app", poolSize=5)


SETTINGS_CHECK = """
import django
from django.conf import settings
names = {}
exec(open('block.py').read(), names)
settings.configure(
    INSTALLED_APPS=names['INSTALLED_APPS'], MONGODB_SETTINGS=names['MONGODB_SETTINGS'],
    SECRET_KEY='x', USE_TZ=True,
)
django.setup()
from mongodb import Document, get_connection, get_db
from mongodb.fields import StringField

class Note(Document):
    text = StringField()

Note.drop_collection()
Note(text='kept').save()
assert get_db().name == 'your_database_name'
assert get_db().note.find_one()['text'] == 'kept'
status = get_db().command('connectionStatus')['authInfo']['authenticatedUsers']
assert status == [{'user': 'your_username', 'db': 'admin'}], status
print('done')
"""


def test_configure_django_settings(
    alone: pathlib.Path, server_of_the_seed: None, seed: Any
) -> None:
    import subprocess
    import sys

    block = seed.blocks["1. Configure Django Settings"][0]
    (alone / "block.py").write_text(block)
    (alone / "check.py").write_text(SETTINGS_CHECK)
    done = subprocess.run(
        [sys.executable, "check.py"], capture_output=True, text=True, timeout=60, check=False
    )
    assert done.stdout == "done\n", done.stderr
