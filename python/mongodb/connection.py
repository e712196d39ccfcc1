# SPDX-License-Identifier: Apache-2.0
"""Connections by alias, each to one database of one store."""

from __future__ import annotations

import atexit
import logging
import os
import pathlib
import re
import sys
import threading
from collections.abc import Iterator, Mapping
from typing import Any
from urllib.parse import quote_plus, unquote

from mongodb._connection import EMBEDDED_OPTIONS, Connection
from mongodb._events import check_listeners
from mongodb.errors import ConnectionFailure, NotSupportedError

__all__ = [
    "DEFAULT_CONNECTION_NAME",
    "DEFAULT_DATABASE_NAME",
    "ConnectionFailure",
    "connect",
    "disconnect",
    "disconnect_all",
    "get_connection",
    "get_connection_handle",
    "get_db",
    "register_connection",
]

DEFAULT_CONNECTION_NAME = "default"
DEFAULT_DATABASE_NAME = "test"
DEFAULT_HOST = "localhost"
DEFAULT_PORT = 27017
logger = logging.getLogger("mongodb")

_lock = threading.RLock()
_connection_settings: dict[str, dict[str, Any]] = {}
_connections: dict[str, Connection] = {}
_dbs: dict[str, Any] = {}
_redirect: Any = None  # a test run's stores

_SCHEME = re.compile(r"^[a-z][a-z+]*://")
_RENAMED = {
    "authentication_source": "authSource",
    "authentication_mechanism": "authMechanism",
    "authmechanismproperties": "authMechanismProperties",
    "uuidrepresentation": "uuidRepresentation",
    "read_preference": "readPreference",
    "j": "journal",
}
# What PyMongo's client understands and the store's client does not.
_PYMONGO_ONLY = frozenset(
    "uuidrepresentation document_class type_registry connect event_listeners datetime_conversion "
    "unicode_decode_error_handler server_api tz_aware tzinfo minpoolsize".split()
)

# What else connect() takes: PyMongo's client or MongoEngine know it, or it is refused with words.
OTHER_OPTIONS = _PYMONGO_ONLY | _RENAMED.keys() | {"is_mock", "mongo_client_class", "slowms"}
# What says which server, and who logs in: no option of a store in this process.
_SERVER_ONLY = frozenset(
    "authmechanism authmechanismproperties authsource directconnection loadbalanced replicaset "
    "srvmaxhosts srvservicename ssl tls tlsallowinvalidcertificates tlsallowinvalidhostnames "
    "tlscafile tlscertificatekeyfile tlscertificatekeyfilepassword tlscrlfile "
    "tlsdisableocspendpointcheck tlsinsecure".split()
)


def _settings(
    db: str | None,
    name: str | None,
    host: Any,
    port: int | None,
    username: str | None,
    password: str | None,
    kwargs: Mapping[str, Any],
) -> dict[str, Any]:
    """Return {"uri", "db", "options"} for the arguments of connect()."""
    db = name or db
    if isinstance(host, (list, tuple)):
        host = ",".join(host)
    if host is not None and not isinstance(host, str):
        raise TypeError("host is a host name, a URI or a list of host names")
    if db is not None and not isinstance(db, str):
        raise TypeError(f"db is the name of a database, not {db!r}")
    uri = next((one for one in (host, db) if isinstance(one, str) and _SCHEME.match(one)), None)
    if uri is not None and db == uri:
        db = None
    if db == "":
        if uri is None or _database_in(uri) is None:
            raise ConnectionFailure('the name of the database is empty: write connect("name")')
        db = None
    _refuse(uri, kwargs)
    options = {_RENAMED.get(key.lower(), key): v for key, v in kwargs.items() if v is not None}
    if "readPreference" in options:
        options["readPreference"] = read_preference_name(options["readPreference"])
    if uri is None and host is None and port is None:
        uri = os.environ.get("MONGODB_URI")
        if uri is None:
            _refuse_login(username, password, options)
            return _embedded(db, options)
        known = _database_in(uri)
        db = db or known
    if uri is None:
        uri = _server_uri(host, port, username, password, options)
    elif username is not None and uri.startswith("mongodb") and "@" not in uri:
        scheme, rest = uri.split("://", 1)
        uri = f"{scheme}://{_login(username, password)}{rest}"
    if uri.startswith("docstore:"):
        _refuse_login(username, password, options)
        check_name(db)
        return {"uri": uri, "db": db or _stem(uri), "options": options, "by_file": db is None}
    return {"uri": uri, "db": db or _database_in(uri) or DEFAULT_DATABASE_NAME, "options": options}


def _get_connection_settings(
    db: str | None = None,
    name: str | None = None,
    host: Any = None,
    port: int | None = None,
    username: str | None = None,
    password: str | None = None,
    **kwargs: Any,
) -> dict[str, Any]:
    """Return what `connect()` would keep of its arguments; MongoEngine's tests ask for it."""
    return _settings(db, name, host, port, username, password, kwargs)


def _refuse(uri: str | None, kwargs: Mapping[str, Any]) -> None:
    mock = kwargs.get("mongo_client_class") is not None or kwargs.get("is_mock")
    if mock or (uri or "").startswith("mongomock:"):
        raise NotSupportedError(
            "other clients cannot stand in for the store; for tests use "
            'connect(host="docstore://:memory:")'
        )
    if uri is not None and uri.split("://")[0] not in ("mongodb", "mongodb+srv", "docstore"):
        raise ConnectionFailure(
            f"{uri.split('://')[0]}:// is no store: use mongodb://, mongodb+srv:// or docstore://"
        )
    slow = kwargs.get("slowms")
    if slow is not None and (not isinstance(slow, (int, float)) or not 0 <= slow < 2**31):
        raise ValueError(f"slowms is a number of milliseconds, not {slow!r}")
    if kwargs.get("event_listeners") is not None:
        check_listeners(kwargs["event_listeners"])
    if kwargs.get("tz_aware") or kwargs.get("tzinfo"):
        raise NotSupportedError("tz_aware is not supported: datetimes are read as naive UTC")


def _refuse_login(username: str | None, password: str | None, options: Mapping[str, Any]) -> None:
    """Refuse on the embedded store what only a server can have."""
    if username is not None or password is not None:
        raise ConnectionFailure(
            "the embedded store has no users: leave out username and password, or name the "
            "server with host="
        )
    wrong = [key for key in options if key.lower() in _SERVER_ONLY]
    if wrong:
        raise ConnectionFailure(
            f"{', '.join(wrong)}: the embedded store has no servers and no users; leave it out, or "
            "name the server with host="
        )


def check_name(name: str | None) -> None:
    """Raise unless a database can have the name; None is no name yet."""
    if name is not None and not re.fullmatch(r"[^/\\. \"$\0]+", name):
        raise ConnectionFailure(
            f"{name!r} cannot be the name of a database: it is not empty and holds no space and "
            'none of / \\ . " $'
        )


def read_preference_name(value: Any) -> str:
    """Return the name as in a URI of a read preference: PyMongo's object, or a name."""
    name = getattr(value, "mongos_mode", str(value))
    known = ("primary", "primaryPreferred", "secondary", "secondaryPreferred", "nearest")
    by_key = {one.lower(): one for one in known}
    found = by_key.get(name.replace("_", "").lower())
    if found is None:
        raise ValueError(f"read_preference is one of {', '.join(known)}, not {value!r}")
    return found


def _login(username: str, password: str | None) -> str:
    secret = "" if password is None else f":{quote_plus(password)}"
    return f"{quote_plus(username)}{secret}@"


def _server_uri(host: str | None, port: int | None, username: str | None, password: str | None,
                options: dict[str, Any]) -> str:  # fmt: skip
    hosts = []
    for one in (host or DEFAULT_HOST).split(","):
        bare = ":" in one.rpartition("]")[2]
        hosts.append(quote_plus(one) if one.startswith("/") else one if bare else
                     f"{one}:{port or DEFAULT_PORT}")  # fmt: skip
    login = _login(username, password) if username else ""
    return f"mongodb://{login}{','.join(hosts)}/"


def _database_in(uri: str) -> str | None:
    path = uri.split("://", 1)[1].split("?", 1)[0].partition("/")[2]
    return unquote(path) or None


def _file_of(uri: str) -> pathlib.Path:
    return pathlib.Path(unquote(uri.split("://", 1)[1].split("?", 1)[0]))


def _stem(uri: str) -> str:
    path = _file_of(uri)
    return DEFAULT_DATABASE_NAME if str(path) == ":memory:" else path.stem


def _embedded(db: str | None, options: dict[str, Any]) -> dict[str, Any]:
    name = db or DEFAULT_DATABASE_NAME
    if not re.fullmatch(r"[^/\\. \"$*<>:|?\0]+", name):
        raise ConnectionFailure(f"{name!r} cannot be the name of a database")
    path = _project() / f"{name}.docstore"
    return {"uri": f"docstore://{quote_path(path)}", "db": name, "options": options, "found": path}


def quote_path(path: pathlib.Path) -> str:
    """Return an absolute path as part of a URI."""
    return str(path.absolute()).replace("%", "%25").replace("?", "%3F")


def _project() -> pathlib.Path:
    """Return Django's BASE_DIR when Django is in use, else the working directory."""
    conf = sys.modules.get("django.conf")
    if conf is not None and conf.settings.configured:
        base = getattr(conf.settings, "BASE_DIR", None)
        if base is not None:
            return pathlib.Path(base)
    return pathlib.Path.cwd()


def register_connection(
    alias: str,
    db: str | None = None,
    name: str | None = None,
    host: Any = None,
    port: int | None = None,
    username: str | None = None,
    password: str | None = None,
    **kwargs: Any,
) -> None:
    """Note how to connect; the store is opened when it is first used."""
    with _lock:
        _connection_settings[alias] = _settings(db, name, host, port, username, password, kwargs)


def connect(
    db: str | None = None,
    alias: str = DEFAULT_CONNECTION_NAME,
    name: str | None = None,
    host: Any = None,
    port: int | None = None,
    username: str | None = None,
    password: str | None = None,
    **kwargs: Any,
) -> Connection:
    """Connect `alias` to a database and return the connection, which acts as a MongoClient.

    `db` or `host` may be a URI (`mongodb://`, `mongodb+srv://`, `docstore://`). With neither a host
    nor a port the environment's MONGODB_URI is used, or else the embedded store in
    `<project>/<db>.docstore`. Options are those of PyMongo's MongoClient.

    Raises ConnectionFailure when the server cannot be reached within `serverSelectionTimeoutMS`
    (5 seconds if it is not given), or when the alias is connected with other settings.
    """
    settings = _settings(db, name, host, port, username, password, kwargs)
    with _lock:
        given = any(v is not None for v in (db, name, host, port)) or bool(kwargs)
        known = _connection_settings.get(alias)
        if alias in _connections:
            if given and known != settings:
                raise ConnectionFailure(
                    f"the alias {alias!r} is connected to {_connections[alias].name!r} with other "
                    f"settings: call disconnect({'' if alias == 'default' else repr(alias)}) "
                    "first, or give this one an alias of its own"
                )
            return _connections[alias]
        if known is None or given:
            _connection_settings[alias] = settings
        try:
            return _open(alias)
        except BaseException:
            if known is None:
                _connection_settings.pop(alias, None)
            else:
                _connection_settings[alias] = known
            raise


def _open(alias: str) -> Connection:
    settings = _connection_settings[alias]
    if _redirect is not None:
        settings = _redirect.redirect(alias, settings)
    handle = _connections[alias] = open_handle(alias, settings)
    if _redirect is not None:
        _redirect.opened(alias, handle, settings)
    return handle


def open_handle(alias: str, settings: Mapping[str, Any], greets: bool = True) -> Connection:
    """Open a connection without making it known; a server is contacted, unless `greets` is off."""
    if "opener" in settings:
        return settings["opener"](alias, settings)  # type: ignore[no-any-return]
    options = dict(settings["options"])
    slow = options.pop("slowms", None)
    uri = settings["uri"]
    if settings.get("by_file") and not _file_of(uri).exists():
        check_name(settings["db"])  # before there is a file
    if uri.startswith("mongodb") and "serverselectiontimeoutms" not in uri.lower():
        if not any(key.lower() == "serverselectiontimeoutms" for key in options):
            options["serverSelectionTimeoutMS"] = 5000
    own = {key: v for key, v in options.items() if key.lower() not in _PYMONGO_ONLY}
    if uri.startswith("docstore:"):
        own = {key: v for key, v in own.items() if not _for_servers(key)}
    handle = Connection(alias, uri, settings["db"], own, options, slow)
    if uri.startswith("mongodb"):
        if greets:
            handle.ping()
    elif "found" in settings:
        logger.info("using the embedded store %s", settings["found"])
    handle.client  # opens it  # noqa: B018
    if settings.get("by_file"):
        handle.name = _database_of(handle)
    return handle


def _for_servers(option: str) -> bool:
    """Whether PyMongo knows the option; on the embedded store it is for `get_connection()` only."""
    from pymongo.common import VALIDATORS

    return option.lower() in VALIDATORS and option.lower() not in EMBEDDED_OPTIONS


def _database_of(handle: Connection) -> str:
    """Return the database of a file that was named alone: a renamed one keeps its own."""
    reply = handle.client.run("admin", {"listDatabases": 1, "nameOnly": True})
    names = {one["name"] for one in reply["databases"]} - {"admin", "config", "local"}
    if handle.name in names or len(names) != 1:
        return handle.name
    logger.info("using the database %s of %s", *names, handle.uri)
    return names.pop()  # type: ignore[no-any-return]


def get_connection_handle(alias: str = DEFAULT_CONNECTION_NAME) -> Connection:
    """Return the open connection of an alias, opening it if it was only registered."""
    found = _connections.get(alias)
    if found is not None:
        return found
    with _lock:
        if alias in _connections:
            return _connections[alias]
        if alias in _connection_settings:
            return _open(alias)
    call = "connect()" if alias == DEFAULT_CONNECTION_NAME else f"connect(..., alias={alias!r})"
    raise ConnectionFailure(
        f"no connection has the alias {alias!r}: call {call} first{_settings_hint(alias)}"
    )


def _settings_hint(alias: str) -> str:
    """Return what a Django project may have forgotten."""
    conf = sys.modules.get("django.conf")
    if conf is None or not conf.settings.configured:
        return ""
    if "mongodb" not in conf.settings.INSTALLED_APPS:
        if hasattr(conf.settings, "MONGODB_SETTINGS"):
            return ", or add 'mongodb' to INSTALLED_APPS, so that MONGODB_SETTINGS is read"
        return ", or add 'mongodb' to INSTALLED_APPS and set MONGODB_SETTINGS"
    found = getattr(conf.settings, "MONGODB_SETTINGS", None)
    if found is None:
        return ', or set MONGODB_SETTINGS = {"db": "name"}'
    if not found:
        return ': MONGODB_SETTINGS is empty; write MONGODB_SETTINGS = {"db": "name"}'
    return f', or give MONGODB_SETTINGS a dict {{"alias": {alias!r}, "db": "name"}}'


def shared_handle(alias: str, db: str | None = None, **arguments: Any) -> Connection:
    """Return the connection with these settings: the open one of any alias, or a new one.

    So models and documents of one store share a client and its transactions.
    """
    settings = _settings(db, None, arguments.pop("host", None), arguments.pop("port", None),
                         arguments.pop("username", None), arguments.pop("password", None),
                         arguments)  # fmt: skip
    name = f"django:{alias}"
    in_memory = settings["uri"].startswith("docstore://:memory:")  # each alias has its own
    with _lock:
        for known, handle in _connections.items():
            if _connection_settings.get(known) == settings and (known == name or not in_memory):
                return handle
        if name in _connections:
            disconnect(name)
        _connection_settings[name] = settings
        return _open(name)


def get_connection(alias: str = DEFAULT_CONNECTION_NAME, reconnect: bool = False) -> Any:
    """Return a PyMongo MongoClient on the same data."""
    if reconnect:
        settings = _connection_settings.get(alias)
        disconnect(alias)
        if settings is not None:
            _connection_settings[alias] = settings
    return get_connection_handle(alias).pymongo()


def get_db(alias: str = DEFAULT_CONNECTION_NAME, reconnect: bool = False) -> Any:
    """Return a PyMongo Database on the same data."""
    client = get_connection(alias, reconnect)
    return client[get_connection_handle(alias).name]


# For test runs and tests

# Files of embedded stores that Django's models have a test store for: the alias of DATABASES.
models_stores: dict[str, str] = {}


def set_redirect(stores: Any) -> None:
    """Open other stores than the settings name; None opens those again."""
    global _redirect
    _redirect = stores


def open_connections() -> list[tuple[str, Connection]]:
    """Return the open connections with their aliases."""
    return list(_connections.items())


def known_settings() -> list[dict[str, Any]]:
    """Return the settings of all aliases."""
    return list(_connection_settings.values())


def known_aliases() -> list[str]:
    """Return the aliases that are registered, open or not."""
    return list(_connection_settings)


def close(alias: str) -> None:
    """Close a connection; it opens again when it is used."""
    with _lock:
        handle = _connections.pop(alias, None)
    if handle is not None:
        handle.close()


def set_aside(alias: str) -> Any:
    """Take an alias's settings and connection away; `bring_back` undoes it."""
    with _lock:
        return _connection_settings.pop(alias, None), _connections.pop(alias, None)


def bring_back(alias: str, before: Any) -> None:
    """Give an alias the settings and the connection that it had."""
    settings, handle = before
    with _lock:
        if settings is not None:
            _connection_settings[alias] = settings
        if handle is not None:
            _connections[alias] = handle


def disconnect(alias: str = DEFAULT_CONNECTION_NAME) -> None:
    """Close the connection and forget its settings."""
    with _lock:
        handle = _connections.pop(alias, None)
        _connection_settings.pop(alias, None)
        _dbs.pop(alias, None)
    if handle is not None:
        handle.close()


def disconnect_all() -> None:
    """Close all connections."""
    for alias in [*_connections, *_connection_settings]:
        disconnect(alias)


def _handles() -> Iterator[Connection]:
    yield from _connections.values()


def _after_fork() -> None:
    global _lock
    _lock = threading.RLock()
    for handle in _handles():
        handle.forget()


def _at_exit() -> None:
    """Close the files, so that each is whole without the log beside it."""
    for alias, handle in open_connections():
        if handle.embedded:
            close(alias)


os.register_at_fork(after_in_child=_after_fork)
atexit.register(_at_exit)
