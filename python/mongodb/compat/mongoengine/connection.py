# SPDX-License-Identifier: Apache-2.0
"""Connections as MongoEngine has them: clients are PyMongo's, one for an address, contacted at
their first use. What `mongodb.connect()` or Django's settings connected is found, too."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

import pymongo
from pymongo import ReadPreference, uri_parser
from pymongo.common import _UUID_REPRESENTATIONS
from pymongo.errors import InvalidName
from pymongo.read_preferences import make_read_preference, read_pref_mode_from_name

from mongodb import connection as _plain
from mongodb.compat.mongoengine._beside import beside
from mongodb.compat.mongoengine._clients import shared
from mongodb.compat.mongoengine.fields import read_aware, represent_uuids
from mongodb.errors import ConnectionFailure, NotSupportedError

__all__ = [
    "DEFAULT_CONNECTION_NAME",
    "DEFAULT_DATABASE_NAME",
    "ConnectionFailure",
    "connect",
    "disconnect",
    "disconnect_all",
    "get_connection",
    "get_db",
    "register_connection",
]

DEFAULT_CONNECTION_NAME = _plain.DEFAULT_CONNECTION_NAME
DEFAULT_DATABASE_NAME = _plain.DEFAULT_DATABASE_NAME
DEFAULT_HOST = _plain.DEFAULT_HOST
DEFAULT_PORT = _plain.DEFAULT_PORT
READ_PREFERENCE = ReadPreference.PRIMARY

# What was asked for, PyMongo's clients and PyMongo's databases, by alias.
_connection_settings: dict[str, dict[str, Any]] = {}
_connections: dict[str, Any] = {}
_dbs: dict[str, Any] = {}

_IN_URI = {
    "replicaset": "replicaSet",
    "authsource": "authentication_source",
    "authmechanism": "authentication_mechanism",
    "authmechanismproperties": "authmechanismproperties",
    "uuidrepresentation": "uuidrepresentation",
}
_UUIDS = {number: name for name, number in _UUID_REPRESENTATIONS.items()}
_IN_THE_URI = re.compile(r"[?&]uuidRepresentation=([^&]*)", re.IGNORECASE)
_UUID = re.compile(r"([?&])uuidRepresentation=[^&]*&?", re.IGNORECASE)


def _get_connection_settings(
    db: str | None = None,
    name: str | None = None,
    host: Any = None,
    port: int | None = None,
    read_preference: Any = READ_PREFERENCE,
    username: str | None = None,
    password: str | None = None,
    authentication_source: str | None = None,
    authentication_mechanism: str | None = None,
    authmechanismproperties: Any = None,
    **kwargs: Any,
) -> dict[str, Any]:
    """Return the arguments of connect() with what a URI among them says."""
    settings: dict[str, Any] = {
        "name": name or db or DEFAULT_DATABASE_NAME,
        "host": [host or DEFAULT_HOST] if isinstance(host or "", str) else list(host),
        "port": port or DEFAULT_PORT,
        "read_preference": read_preference,
        "username": username,
        "password": password,
        "authentication_source": authentication_source,
        "authentication_mechanism": authentication_mechanism,
        "authmechanismproperties": authmechanismproperties,
    }
    _check_name(settings["name"])
    said: dict[str, Any] = {}
    for one in settings["host"]:
        if one.startswith(("mongodb://", "mongodb+srv://")):
            found = uri_parser.parse_uri(one)
            given = {"name": found["database"], "username": found["username"]}
            given["password"] = found["password"]
            settings |= {key: value for key, value in given.items() if value}
            said |= {key.lower(): value for key, value in found["options"].items()}
    settings |= {ours: said[key] for key, ours in _IN_URI.items() if key in said}
    if "readpreference" in said:
        mode = read_pref_mode_from_name(said["readpreference"])
        settings["read_preference"] = make_read_preference(mode, said.get("readpreferencetags"))
    legacy = kwargs.pop("uuidRepresentation", kwargs.pop("uuidrepresentation", None))
    in_uri = _UUIDS[settings["uuidrepresentation"]] if "uuidrepresentation" in settings else None
    settings["uuidrepresentation"] = legacy or in_uri or "pythonLegacy"
    return settings | kwargs


def _check_name(name: Any) -> None:
    if not isinstance(name, str):
        raise TypeError("db name must be a string")
    if name.startswith("docstore:"):
        return
    wrong = [one for one in ' .$/\\\x00"' if one in name]
    if wrong and name != "$external":
        raise InvalidName(f"database names cannot contain the character {wrong[0]!r}")


def register_connection(alias: str, db: str | None = None, **arguments: Any) -> None:
    """Note how to connect; the client is made when it is first used."""
    settings = _get_connection_settings(db, **arguments)
    plain = _plain_settings(db, arguments)
    if any("://" in one and not one.startswith("docstore:") for one in settings["host"]):
        plain["db"] = settings["name"]  # a URI's database wins
    plain["options"]["uuidRepresentation"] = settings["uuidrepresentation"]
    if alias in _connection_settings or "opener" not in _plain._connection_settings.get(alias, {}):
        disconnect(alias)
    else:  # the tables were emptied by hand: who has the client may go on with it
        _plain.set_aside(alias)
    if plain["options"].get("tz_aware"):
        read_aware()
    _connection_settings[alias] = settings
    _plain._connection_settings[alias] = {**plain, "opener": shared}


def _plain_settings(db: str | None, arguments: Mapping[str, Any]) -> dict[str, Any]:
    """Return the settings of this library's own connection."""
    given = dict(arguments)
    known = ("name", "host", "port", "username", "password")
    place = {key: given.pop(key, None) for key in known}
    if place["host"] is not None:
        hosts = place["host"] if isinstance(place["host"], list | tuple) else [place["host"]]
        place["host"] = [_UUID.sub(r"\1", one).rstrip("?&") for one in hosts]
        place["host"] = place["host"][0] if len(hosts) == 1 else place["host"]
    kind = given.pop("mongo_client_class", None)
    if kind is not None and not issubclass(kind, pymongo.MongoClient):
        raise NotSupportedError(
            f"mongo_client_class={kind.__name__} cannot stand in for the store; for tests use "
            'connect(host="docstore://:memory:")'
        )
    aware = {key: given.pop(key) for key in ("tz_aware", "tzinfo") if key in given}
    given.pop("uuidRepresentation", given.pop("uuidrepresentation", None))
    settings = _plain._settings(db, **place, kwargs=given)
    options = {**settings["options"], **{key: one for key, one in aware.items() if one}}
    return {**settings, "options": options}


def connect(db: str | None = None, alias: str = DEFAULT_CONNECTION_NAME, **arguments: Any) -> Any:
    """Connect `alias` to a database and return PyMongo's client of its address."""
    if alias not in _connections:
        register_connection(alias, db, **arguments)
    elif _connection_settings.get(alias) != _get_connection_settings(db, **arguments):
        raise ConnectionFailure(
            f"A different connection with alias `{alias}` was already registered. "
            "Use disconnect() first"
        )
    return get_connection(alias)


def _defined(alias: str) -> bool:
    plain = _plain._connection_settings.get(alias, {})
    return alias in _connection_settings or bool(plain and "opener" not in plain)


def get_connection(alias: str = DEFAULT_CONNECTION_NAME, reconnect: bool = False) -> Any:
    """Return PyMongo's client."""
    if not _defined(alias):
        default = alias == DEFAULT_CONNECTION_NAME
        raise ConnectionFailure(
            "You have not defined a default connection"
            if default
            else f'Connection with alias "{alias}" has not been defined'
        )
    if reconnect:
        _plain.close(alias)
    client = _plain.get_connection(alias)
    if alias in _connection_settings:
        _connections[alias] = client
    return client


def get_db(alias: str = DEFAULT_CONNECTION_NAME, reconnect: bool = False) -> Any:
    """Return PyMongo's database."""
    client = get_connection(alias, reconnect)
    database = client[_plain.get_connection_handle(alias).name]
    if alias in _connection_settings:
        _dbs[alias] = database
        return database
    form = _representation(alias)  # as documents store them
    options = database.codec_options.with_options(uuid_representation=form)
    return database.with_options(codec_options=options)


def use(alias: str) -> None:
    """Have the database of an alias in the tables; ConnectionFailure when it was not defined."""
    if alias not in _dbs and (alias in _connection_settings or not _defined(alias)):
        get_db(alias)


def _representation(alias: str) -> int:
    """Return how UUIDs are stored on a connection: as it says, else as MongoEngine does."""
    name = _connection_settings.get(alias, {}).get("uuidrepresentation")
    if name is None:  # connected by mongodb.connect() or Django's settings
        settings = _plain._connection_settings.get(alias, {})
        said = _IN_THE_URI.search(settings.get("uri", ""))
        name = settings.get("options", {}).get("uuidRepresentation") or (said and said[1])
    return int(_UUID_REPRESENTATIONS[name or "pythonLegacy"])


represent_uuids(_representation)


def disconnect(alias: str = DEFAULT_CONNECTION_NAME) -> None:
    """Close the connection, unless another alias uses its client, and forget it."""
    for table in (_connections, _dbs, _connection_settings):
        table.pop(alias, None)
    _plain.disconnect(alias)


def disconnect_all() -> None:
    """Close all connections."""
    for alias in [*_connection_settings, *_connections]:
        disconnect(alias)
    _plain.disconnect_all()


__getattr__ = beside(__name__)
