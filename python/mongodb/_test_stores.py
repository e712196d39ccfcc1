# SPDX-License-Identifier: Apache-2.0
"""The stores of a test run: connections open these instead of the developer's own."""

from __future__ import annotations

import contextlib
import os
import re
import shutil
import sys
import tempfile
from typing import Any
from urllib.parse import unquote

from mongodb import connection
from mongodb._connection import EMBEDDED_OPTIONS
from mongodb._snapshot import Snapshot
from mongodb.errors import ConnectionFailure

__all__ = ["TestStores"]

Level = dict[Any, Snapshot]


class TestStores:
    """While it is active, an embedded store is one in memory and a server's database `test_…`.

    Levels are what classes and tests found: each brings the stores back to it at its end.
    """

    __test__ = False  # no tests in it

    def __init__(self) -> None:
        self.active = False
        self.keep = False
        self.in_test = False
        self.worker: str = ""
        self._levels: list[Level] = []
        self._seen: dict[tuple[str, str], Any] = {}  # databases of servers that were opened
        self._contents: dict[str, Snapshot] = {}  # by alias: what a worker begins with
        self._folder: str | None = None

    # The run

    def begin(self) -> None:
        """Close what is open; from now on connections open test stores."""
        self.active = True
        self.keep = any(one in ("--keepdb", "--reuse-db") for one in sys.argv)
        worker = os.environ.get("PYTEST_XDIST_WORKER")
        self.worker = f"_{worker}" if worker else ""
        _close_all()
        connection.set_redirect(self)

    def end(self) -> None:
        """Drop the test stores; connections open the developer's again."""
        _close_all()
        connection.set_redirect(None)
        if not self.keep:
            for settings in self._seen.values():
                with contextlib.suppress(ConnectionFailure):  # the server went away
                    self._drop(settings)
        self._seen.clear()
        self._levels.clear()
        connection.models_stores.clear()
        if self._folder is not None:
            shutil.rmtree(self._folder, ignore_errors=True)
            self._folder = None
        self.active = False

    @staticmethod
    def _drop(settings: dict[str, Any]) -> None:
        handle = connection.open_handle("a test database", settings)
        try:
            handle.run({"dropDatabase": 1})
        finally:
            handle.close()

    # Parallel runs

    def remember(self) -> None:
        """Note what the stores hold now, for workers that are about to be forked."""
        self._contents = {alias: Snapshot(one) for alias, one in connection.open_connections()}

    def begin_worker(self, number: int) -> None:
        """Give this process stores of its own, with what the parent's held."""
        self.worker = f"_{number}"
        self._seen.clear()
        self._levels.clear()
        self._folder = None
        _close_all()

    # Connections

    def redirect(self, alias: str, settings: dict[str, Any]) -> dict[str, Any]:
        """Return the settings of the test store that stands in for a connection's."""
        if alias.startswith("django:"):
            return settings  # Django names its test databases itself
        uri = settings["uri"]
        name = settings["db"] if settings["db"].startswith("test_") else f"test_{settings['db']}"
        if not uri.startswith("docstore:"):
            name += self.worker
            return {**settings, "db": name, "uri": _with_database(uri, name)}
        explicit = "found" not in settings
        models = connection.models_stores.get(_file(uri))
        if models is not None and not (self.in_test and explicit):
            return {**settings, "opener": lambda *_: _of_models(models)}
        if re.match(r"docstore:/*:memory:", uri) or (self.in_test and explicit):
            return settings
        options = {
            key: value
            for key, value in settings["options"].items()
            if key.lower() not in EMBEDDED_OPTIONS
        }
        return {"uri": self._store_for(uri), "db": name, "options": options}

    def _store_for(self, uri: str) -> str:
        """Return a store in memory; for a file that several connections share, another file."""
        if sum(one["uri"] == uri for one in connection.known_settings()) < 2:
            return "docstore://:memory:"
        if self._folder is None:
            self._folder = tempfile.mkdtemp(prefix="mongodb-tests-")
        name = re.sub(r"\W", "_", uri)[-80:]
        return f"docstore://{self._folder}/{name}.docstore"

    def opened(self, alias: str, handle: Any, settings: dict[str, Any]) -> None:
        """A connection was opened: empty it the first time, and note what it holds."""
        key = (handle.uri, handle.name)
        if not handle.embedded and key not in self._seen:
            self._seen[key] = settings
            if not self.keep:
                handle.run({"dropDatabase": 1})
        if alias in self._contents and self.worker:
            self._contents.pop(alias).restore(handle)
        for level in self._levels:
            if handle not in level:
                level[handle] = Snapshot(handle)

    # Classes and tests

    def push(self) -> Level:
        """Note what the stores hold; pass it to `pop`."""
        level = {handle: Snapshot(handle) for _, handle in connection.open_connections()}
        self._levels.append(level)
        return level

    def pop(self, level: Level) -> None:
        """Bring the stores back to what they held."""
        self._levels = [one for one in self._levels if one is not level]
        if not self.active:
            return
        for _, handle in connection.open_connections():
            if handle in level:
                level[handle].restore(handle)


def _file(uri: str) -> str:
    """The file of an embedded store, "" of one in memory."""
    path = unquote(uri.split("://", 1)[1].partition("?")[0])
    return "" if path == ":memory:" else os.path.realpath(path)


def _of_models(alias: str) -> Any:
    """Return the connection of an alias of DATABASES, which documents of its file share."""
    from django.db import connections

    connections[alias].ensure_connection()
    return connection.get_connection_handle(f"django:{alias}")


def _close_all() -> None:
    for alias, _ in connection.open_connections():
        connection.close(alias)


def _with_database(uri: str, name: str) -> str:
    """Name another database in a server's URI; a login is still looked up where it was."""
    head, _, options = uri.partition("?")
    scheme, rest = head.split("://", 1)
    hosts, _, path = rest.partition("/")
    if path and "@" in hosts and "authsource=" not in options.lower():
        options = "&".join(filter(None, (options, f"authSource={path}")))
    path = name if path else ""
    return f"{scheme}://{hosts}/{path}" + (f"?{options}" if options else "")
