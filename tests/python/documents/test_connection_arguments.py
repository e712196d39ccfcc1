# SPDX-License-Identifier: Apache-2.0
"""What connect() makes of its arguments, without a server."""

import pathlib
import sys
from types import SimpleNamespace
from typing import Any

import pytest
from pymongo import ReadPreference

from mongodb import BulkWriteError, ConnectionFailure, NotUniqueError, OperationError, connection
from mongodb._connection import Connection, _write_error
from mongodb.connection import _get_connection_settings as meant


def opened(monkeypatch: pytest.MonkeyPatch, **given: Any) -> tuple[dict[str, Any], dict[str, Any]]:
    """The options that the store and PyMongo's client are given."""
    found: list[Any] = []

    def handle(alias: str, uri: str, db: str, own: Any, options: Any, slow: Any) -> Any:
        found.extend((own, options))
        return SimpleNamespace(client=None, ping=lambda: None)

    monkeypatch.setattr(connection, "Connection", handle)
    connection.open_handle("arguments", meant(**given), greets=False)
    return found[0], found[1]


def test_a_server_is_looked_for_five_seconds_unless_told_otherwise(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    wanted = "serverSelectionTimeoutMS"
    assert opened(monkeypatch, host="h")[0] == {wanted: 5000}
    assert opened(monkeypatch, host="h", **{wanted: 7})[0] == {wanted: 7}
    assert opened(monkeypatch, host="h", serverselectiontimeoutms=7)[0] == {wanted.lower(): 7}
    assert opened(monkeypatch, host=f"mongodb://h/?{wanted.lower()}=7")[0] == {}
    assert wanted not in opened(monkeypatch, host="docstore://:memory:", db="d")[0]


def test_options_of_pymongo_alone_are_not_given_to_the_store(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    own, options = opened(monkeypatch, host="h", uuidrepresentation="standard", minPoolSize=2)
    assert set(own) == {"serverSelectionTimeoutMS"}
    assert set(options) == {"serverSelectionTimeoutMS", "uuidRepresentation", "minPoolSize"}


@pytest.mark.parametrize(
    "given", [ReadPreference.SECONDARY, "SECONDARY", "secondary"], ids=["pymongo", "upper", "lower"]
)
def test_read_preference_has_one_name(given: Any) -> None:
    assert meant(host="h", read_preference=given)["options"] == {"readPreference": "secondary"}
    with pytest.raises(ValueError, match="nearest"):
        meant(host="h", read_preference="closest")


def test_schemes_of_stores() -> None:
    assert meant(host="mongodb+srv://h.example/d")["db"] == "d"
    assert meant(host="mongodb://h/d", db="e")["db"] == "e"
    assert meant("mongodb://h/d")["uri"] == "mongodb://h/d"
    for uri in ("redis://h", "http://h/d"):
        with pytest.raises(ConnectionFailure, match="is no store"):
            meant(host=uri)


@pytest.mark.parametrize("given", [{"username": "u"}, {"password": "p"}], ids=str)
def test_the_embedded_store_has_no_users(given: dict[str, str]) -> None:
    with pytest.raises(ConnectionFailure, match="has no users"):
        meant(host="docstore://:memory:", **given)


def test_a_name_that_is_none_makes_no_file(tmp_path: pathlib.Path) -> None:
    file = tmp_path / "a.b.docstore"
    with pytest.raises(Exception, match="a.b"):
        connection.open_handle("arguments", meant(host=f"docstore://{file}"))
    assert not file.exists()


def test_without_django_nothing_is_said_of_its_settings(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delitem(sys.modules, "django.conf", raising=False)
    with pytest.raises(ConnectionFailure, match="first$"):
        connection.get_connection_handle("no_such_alias")


def test_with_django_the_setting_that_misses_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    def said(**settings: Any) -> str:
        conf = SimpleNamespace(settings=SimpleNamespace(configured=True, **settings))
        monkeypatch.setitem(sys.modules, "django.conf", conf)
        return connection._settings_hint("other")

    ours = {"INSTALLED_APPS": ["mongodb"]}
    assert said(INSTALLED_APPS=[]) == (
        ", or add 'mongodb' to INSTALLED_APPS and set MONGODB_SETTINGS"
    )
    assert "so that MONGODB_SETTINGS is read" in said(INSTALLED_APPS=[], MONGODB_SETTINGS={})
    assert said(**ours) == ', or set MONGODB_SETTINGS = {"db": "name"}'
    assert "is empty" in said(**ours, MONGODB_SETTINGS={})
    assert "\"alias\": 'other'" in said(**ours, MONGODB_SETTINGS={"db": "name"})


def test_one_refused_write_has_its_details_and_more_than_one_are_a_bulk() -> None:
    bad = {"index": 0, "code": 121, "errmsg": "Document failed validation"}
    twice = {"index": 1, "code": 11000, "errmsg": "E11000 duplicate key"}
    one = _write_error({"n": 0}, [bad])
    assert type(one) is OperationError and one.details == {"n": 0, **bad}
    both = _write_error({"n": 0, "writeErrors": [bad, bad]}, [bad, bad])
    assert type(both) is BulkWriteError
    assert (both.code, both.details) == (121, {"n": 0, "writeErrors": [bad, bad]})
    assert type(_write_error({"n": 0}, [twice, bad])) is NotUniqueError


def test_an_empty_name_is_one_where_the_uri_has_another() -> None:
    for given in ({"db": ""}, {"db": "", "host": "h"}, {"db": "", "host": "mongodb://h"}):
        with pytest.raises(ConnectionFailure, match="the name of the database is empty"):
            meant(**given)
    assert meant(db="", host="mongodb://h/named")["db"] == "named"


def test_a_store_is_who_logs_in_where_and_no_other_option() -> None:
    def store(uri: str, name: str = "d") -> Any:
        return Connection("stores", uri, name, {}, {}).store

    assert store("mongodb://a:27017,b/?retryWrites=false") == store("mongodb://b:27017,a/x?w=1")
    assert store("mongodb://a/?authSource=x&w=1") == store("mongodb://a/?w=0&authsource=x")
    kinds = ["mongodb://a", "mongodb://b", "mongodb://u:p@a", "mongodb://a/?authSource=x"]
    assert len({store(one) for one in kinds} | {store("mongodb://a", "other")}) == 5


def test_a_connection_that_is_refused_is_closed() -> None:
    refused = Connection("refused", "docstore://:memory:", "d", {}, {})
    refused.client  # noqa: B018 - it opens

    class Refusing:
        closed = False

        def run(self, db: str, command: Any) -> Any:
            raise ConnectionFailure("no")

        def close(self) -> None:
            self.closed = True

    refused._client = client = Refusing()
    with pytest.raises(ConnectionFailure, match="no"):
        refused.ping()
    assert client.closed
    with pytest.raises(ConnectionFailure, match="is closed"):
        refused.client  # noqa: B018
