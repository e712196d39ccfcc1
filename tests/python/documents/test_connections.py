# SPDX-License-Identifier: Apache-2.0
"""What the arguments of connect() mean, and what an alias is before, while and after it is open."""

import logging
import os
import pathlib
import subprocess
import sys
from collections.abc import Iterator
from typing import Any

import pytest

import mongodb
from mongodb import ConnectionFailure, NotSupportedError, connect, disconnect, disconnect_all
from mongodb._connection import Connection
from mongodb.connection import (
    bring_back,
    close,
    get_connection,
    get_connection_handle,
    get_db,
    known_settings,
    open_connections,
    quote_path,
    register_connection,
    set_aside,
    shared_handle,
)

MEMORY = "docstore://:memory:"


@pytest.fixture(autouse=True)
def alone(monkeypatch: pytest.MonkeyPatch, tmp_path: pathlib.Path) -> Iterator[None]:
    disconnect_all()
    monkeypatch.delenv("MONGODB_URI", raising=False)
    monkeypatch.chdir(tmp_path)
    yield
    disconnect_all()


def meant(*args: Any, **kwargs: Any) -> dict[str, Any]:
    register_connection("asked", *args, **kwargs)
    (found,) = known_settings()
    return found


@pytest.mark.parametrize(
    ("given", "uri", "db"),
    [
        ({"host": "h"}, "mongodb://h:27017/", "test"),
        ({"host": "h", "port": 5}, "mongodb://h:5/", "test"),
        ({"port": 5}, "mongodb://localhost:5/", "test"),
        ({"host": "h:7", "port": 5}, "mongodb://h:7/", "test"),
        ({"host": ["a", "b:2"], "port": 5}, "mongodb://a:5,b:2/", "test"),
        ({"host": "a,b"}, "mongodb://a:27017,b:27017/", "test"),
        ({"host": "[::1]", "port": 5}, "mongodb://[::1]:5/", "test"),
        ({"host": "[::1]:6", "port": 5}, "mongodb://[::1]:6/", "test"),
        ({"host": "/tmp/a.sock"}, "mongodb://%2Ftmp%2Fa.sock/", "test"),
        ({"host": "h", "db": "d"}, "mongodb://h:27017/", "d"),
        ({"host": "h", "db": "d", "name": "n"}, "mongodb://h:27017/", "n"),
        (
            {"host": "h", "username": "u@x", "password": "p/w"},
            "mongodb://u%40x:p%2Fw@h:27017/",
            "test",
        ),
        ({"host": "h", "username": "u"}, "mongodb://u@h:27017/", "test"),
        ({"host": "mongodb://h/d?w=1"}, "mongodb://h/d?w=1", "d"),
        ({"host": "mongodb://h/d%20e"}, "mongodb://h/d%20e", "d e"),
        ({"host": "mongodb://h/d", "db": "e"}, "mongodb://h/d", "e"),
        ({"host": "mongodb://h"}, "mongodb://h", "test"),
        ({"db": "mongodb://h/d"}, "mongodb://h/d", "d"),
        ({"host": "mongodb://h", "username": "u", "password": "p"}, "mongodb://u:p@h", "test"),
        ({"host": "mongodb://a@h", "username": "u"}, "mongodb://a@h", "test"),
        ({"host": MEMORY}, MEMORY, "test"),
        ({"host": MEMORY, "db": "d"}, MEMORY, "d"),
        ({"host": "docstore:///a/b%20c.docstore?x=1"}, "docstore:///a/b%20c.docstore?x=1", "b c"),
    ],
)
def test_where_a_connection_goes(given: dict[str, Any], uri: str, db: str) -> None:
    found = meant(**given)
    assert (found["uri"], found["db"], found["options"]) == (uri, db, {})


def test_without_a_host_the_project_has_a_store_of_its_own(tmp_path: pathlib.Path) -> None:
    from django.test import override_settings

    assert meant()["uri"] == f"docstore://{tmp_path}/test.docstore"
    assert meant("shop")["uri"] == f"docstore://{tmp_path}/shop.docstore"
    assert meant("shop")["db"] == "shop"
    below = tmp_path / "a?b%c"
    with override_settings(BASE_DIR=below):
        assert meant("shop")["uri"] == f"docstore://{tmp_path}/a%3Fb%25c/shop.docstore"
    assert quote_path(below) == f"{tmp_path}/a%3Fb%25c"
    for name in ("a/b", "a.b", "", " ", "a$"):
        if name:
            with pytest.raises(ConnectionFailure):
                meant(name)
    with pytest.raises(ConnectionFailure):
        meant("shop", username="u")
    with pytest.raises(ConnectionFailure):
        meant(host=MEMORY, username="u")


def test_without_django_the_store_is_in_the_working_directory(
    tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "django.conf", None)  # type: ignore[arg-type]
    assert meant("shop")["uri"] == f"docstore://{tmp_path}/shop.docstore"


def test_a_connection_may_be_closed_twice() -> None:
    handle = connect(host=MEMORY)
    handle.close()
    handle.close()


@pytest.mark.parametrize(
    ("uri", "named"),
    [
        ("mongodb://h:1/", "mongodb://h:1/shop"),
        ("mongodb://h:1/?w=1", "mongodb://h:1/shop?w=1"),
        ("mongodb://u:p@h", "mongodb://u:p@h/shop?authSource=admin"),
        ("mongodb://u:p@h/?authSource=me", "mongodb://u:p@h/shop?authSource=me"),
        ("mongodb://u:p@h/me", "mongodb://u:p@h/me"),
    ],
)
def test_the_login_is_looked_up_where_the_uri_said(uri: str, named: str) -> None:
    assert Connection("a", uri, "shop", {}, {})._with_db(uri) == named
    own = Connection("a", uri, "shop", {}, {"authSource": "mine"})._with_db(uri)
    assert "authSource=admin" not in own


def test_the_environment_names_the_store(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MONGODB_URI", "mongodb://env/d")
    assert (meant()["uri"], meant()["db"]) == ("mongodb://env/d", "d")
    assert meant("e")["db"] == "e"
    assert meant(username="u", password="p")["uri"] == "mongodb://u:p@env/d"
    assert meant(host="h")["uri"] == "mongodb://h:27017/"
    assert meant(port=5)["uri"] == "mongodb://localhost:5/"
    assert meant(host=MEMORY)["uri"] == MEMORY


def test_options_of_a_connection() -> None:
    found = meant(host="h", read_preference="SECONDARY_PREFERRED", w=1, maxPoolSize=None)
    assert found["options"] == {"readPreference": "secondaryPreferred", "w": 1}
    from pymongo import ReadPreference

    assert meant(host="h", read_preference=ReadPreference.NEAREST)["options"] == {
        "readPreference": "nearest"
    }
    for name in ("primary", "primaryPreferred", "secondary", "secondaryPreferred", "nearest"):
        assert meant(host="h", read_preference=name)["options"] == {"readPreference": name}
    for wrong in (
        {"host": "h", "read_preference": "mine"}, {"host": 5}, {"host": "http://h"},
        {"host": "h", "tz_aware": True}, {"host": "h", "tzinfo": 1}, {"host": "mongomock://h"},
        {"host": "h", "is_mock": True}, {"host": "h", "mongo_client_class": object},
        {"host": "h", "event_listeners": [5]},
    ):  # fmt: skip
        with pytest.raises((ValueError, TypeError, ConnectionFailure, NotSupportedError)):
            meant(**wrong)


def test_an_alias_has_one_connection_until_it_is_closed() -> None:
    first = connect("a", host=MEMORY)
    assert connect() is first and connect("a", host=MEMORY) is first
    for other in ({"db": "b", "host": MEMORY}, {"host": "h"}, {"db": "a", "host": MEMORY, "w": 1}):
        with pytest.raises(ConnectionFailure, match="disconnect"):
            connect(**other)
    second = connect("b", alias="second", host=MEMORY)
    assert (first.name, second.name, first.alias) == ("a", "b", "default")
    assert open_connections() == [("default", first), ("second", second)]
    first.run({"insert": "c", "documents": [{"n": 1}]})
    assert (get_db()["c"].count_documents({}), get_db("second")["c"].count_documents({})) == (1, 0)
    disconnect()
    with pytest.raises(ConnectionFailure):
        get_connection_handle()
    assert [alias for alias, _ in open_connections()] == ["second"]
    with pytest.raises(ConnectionFailure, match="closed"):
        first.run({"ping": 1})
    disconnect()
    disconnect_all()
    assert open_connections() == [] and known_settings() == []


def test_a_registered_connection_opens_when_it_is_used() -> None:
    register_connection("later", "d", host=MEMORY)
    assert open_connections() == []
    assert get_db("later").name == "d"
    assert get_connection_handle("later") is get_connection_handle("later")
    with pytest.raises(ConnectionFailure, match=r"'never': call connect\(\.\.\., alias='never'\)"):
        get_connection_handle("never")
    with pytest.raises(ConnectionFailure, match=r"'default': call connect\(\) first"):
        get_connection_handle()
    close("later")
    assert open_connections() == [] and get_connection_handle("later").name == "d"
    close("never")


def test_a_connection_that_fails_leaves_the_alias_as_it_was(tmp_path: pathlib.Path) -> None:
    bad = f"docstore://{tmp_path}/no/such/folder/x.docstore"
    with pytest.raises(ConnectionFailure):
        connect(host=bad)
    assert known_settings() == []
    register_connection("default", "d", host=MEMORY)
    with pytest.raises(ConnectionFailure):
        connect(host=bad)
    assert [one["uri"] for one in known_settings()] == [MEMORY]
    assert connect().name == "d"


def test_a_renamed_file_keeps_its_database(
    tmp_path: pathlib.Path, caplog: pytest.LogCaptureFixture
) -> None:
    connect(host=f"docstore://{tmp_path}/old.docstore").run(
        {"insert": "c", "documents": [{"n": 1}]}
    )
    assert get_db().name == "old"
    disconnect()
    (tmp_path / "old.docstore").rename(tmp_path / "new.docstore")
    with caplog.at_level(logging.INFO, "mongodb"):
        assert connect(host=f"docstore://{tmp_path}/new.docstore").name == "old"
    assert "old" in caplog.text
    disconnect()
    assert connect("mine", host=f"docstore://{tmp_path}/new.docstore").name == "mine"
    disconnect()
    with caplog.at_level(logging.INFO, "mongodb"):
        connect("shop")
    assert "shop.docstore" in caplog.text


def test_settings_set_aside_come_back() -> None:
    first = connect("a", host=MEMORY)
    before = set_aside("default")
    assert open_connections() == [] and known_settings() == []
    connect("b", host=MEMORY)
    disconnect()
    bring_back("default", before)
    assert get_connection_handle() is first and connect("a", host=MEMORY) is first
    bring_back("none", set_aside("none"))
    assert [alias for alias, _ in open_connections()] == ["default"]


def test_models_share_the_connection_of_their_documents(tmp_path: pathlib.Path) -> None:
    uri = f"docstore://{tmp_path}/shared.docstore"
    first = connect("d", host=uri)
    assert shared_handle("models", "d", host=uri) is first
    other = shared_handle("models", "e", host=uri)
    assert other is not first and shared_handle("models", "e", host=uri) is other
    again = shared_handle("models", "f", host=uri)
    assert again is not other and again.name == "f"
    memory = connect("m", alias="memory", host=MEMORY)
    own = shared_handle("models", "m", host=MEMORY)
    assert own is not memory and shared_handle("models", "m", host=MEMORY) is own
    assert shared_handle("others", "m", host=MEMORY) is not own


OWN_OPTIONS: dict[str, Any] = {
    "busyTimeoutMS": 1000,
    "create": True,
    "cursorMemoryMB": 64,
    "database": "shop",
    "durability": "full",
    "idleTransactionMS": 500,
    "readOnly": False,
}


@pytest.mark.parametrize("name", OWN_OPTIONS)
def test_options_of_the_embedded_store_are_not_pymongos(tmp_path: pathlib.Path, name: str) -> None:
    connect("shop", host=f"docstore://{tmp_path}/own.docstore", **{name: OWN_OPTIONS[name]})
    assert get_connection().shop.own.count_documents({}) == 0
    with pytest.raises(ConnectionFailure) as refused:
        connect("shop", alias="other", host=f"docstore://{tmp_path}/own.docstore", nonsense=1)
    assert name in str(refused.value), "the store has no other options"


def test_the_client_of_pymongo_is_of_the_same_data() -> None:
    handle = connect("d", host=MEMORY)
    client = get_connection()
    assert client is get_connection() is handle.pymongo()
    assert client.get_database().name == "d" and handle["d"]["c"].full_name == "d.c"
    handle.run({"insert": "c", "documents": [{"n": 1}]})
    assert handle.list_database_names() and get_db()["c"].count_documents({}) == 1
    assert repr(handle) == "<connection 'default' to 'd'>"
    with pytest.raises(AttributeError):
        _ = handle._nothing
    fresh = get_connection(reconnect=True)
    assert fresh is not client and get_connection_handle() is not handle
    assert get_db(reconnect=True).name == "d"
    assert handle.embedded


def test_commands_about_collections() -> None:
    handle = connect("d", host=MEMORY)
    handle.create("made", {"capped": True, "size": 4096})
    assert handle.collection_names() == {"made"}
    assert handle.collection_options("made")["capped"] is True
    assert handle.collection_options("none") is None and handle.list_indexes("none") == []
    handle.create_indexes("made", [{"key": {"n": 1}, "name": "n_1"}])
    assert [one["name"] for one in handle.list_indexes("made")] == ["_id_", "n_1"]
    handle.drop("made")
    handle.drop("made")
    assert handle.collection_names() == set()
    assert handle.count("made", {}) == 0
    handle.insert("c", [{"n": 1}, {"n": 2}, {"n": 3}])
    assert (handle.count("c", {}), handle.count("c", {"n": {"$gt": 1}}, limit=1)) == (3, 1)
    with mongodb.atomic():
        assert (handle.count("c", {}, skip=1), handle.count("c", {"n": 9})) == (2, 0)
        assert handle.count("c", {"n": {"$gt": 0}}, skip=1, limit=1) == 1
    assert handle.delete("c", {"n": 1}, 1) == 1


@pytest.mark.parametrize(
    "write",
    [
        "mongodb.connect('ended').run({'insert': 'c', 'documents': [{}]})",
        "mongodb.connect('ended'); mongodb.get_db().c.insert_one({})",
        """
from django.conf import settings
settings.configure(DATABASES={"default": {"ENGINE": "mongodb.backend", "NAME": "ended"}})
import django
django.setup()
from django.db import connection
connection.cursor().execute("CREATE TABLE c (id integer PRIMARY KEY)")
connection.cursor().execute("INSERT INTO c VALUES (1)")
""",
    ],
    ids=["documents", "PyMongo", "models"],
)
def test_a_process_that_ends_leaves_a_file_that_is_whole(
    write: str, tmp_path: pathlib.Path
) -> None:
    subprocess.run([sys.executable, "-c", f"import mongodb; {write}"], cwd=tmp_path, check=True)
    assert [one.name for one in tmp_path.iterdir()] == ["ended.docstore"]
    (tmp_path / "ended.docstore").rename(tmp_path / "copy.docstore")
    assert connect(host=f"docstore://{tmp_path}/copy.docstore").run({"count": "c"})["n"] == 1


@pytest.mark.skipif(not pathlib.Path("/dev/shm").exists(), reason="there is no /dev/shm")
def test_what_a_killed_process_left_behind_warns_nobody() -> None:
    python = f'{sys.executable} -c "import os, mongodb; print(os.getpid())"'
    script = f"touch /dev/shm/mongoc-$$; exec {python}"
    env = {name: value for name, value in os.environ.items() if name != "MONGOC_DISABLE_SHM"}
    done = subprocess.run(["sh", "-c", script], capture_output=True, text=True, check=True, env=env)
    pathlib.Path(f"/dev/shm/mongoc-{int(done.stdout)}").unlink(missing_ok=True)
    assert done.stderr == ""
