# SPDX-License-Identifier: Apache-2.0
"""One client for an address, whatever databases are used there; contacted when it is used."""

from __future__ import annotations

import functools
import os
import threading
import weakref
from collections.abc import Mapping
from typing import Any

from mongodb import connection as _plain
from mongodb._connection import Connection

__all__ = ["shared"]

_lock = threading.RLock()
_addresses: list[_Address] = []


class _Address:
    """The client that connections with equal settings share, and those connections."""

    def __init__(self, key: Any, handle: Connection) -> None:
        self.key = key
        self.handle = handle
        self.users: weakref.WeakSet[_Sharing] = weakref.WeakSet()


class _Sharing(Connection):
    """A connection to one database by a client that others use, too."""

    def __init__(self, alias: str, name: str, address: _Address) -> None:
        first = address.handle
        super().__init__(alias, first.uri, name, first._options, first._pymongo_options)
        self._address = address

    @property
    def client(self) -> Any:
        if self._closed:
            raise _plain.ConnectionFailure(f"the connection {self.alias!r} is closed")
        return self._address.handle.client

    @functools.cached_property
    def store(self) -> Any:
        if not self.embedded:
            return Connection.store.func(self)  # a server's has the database's name
        return self._address.handle.store

    def pymongo(self) -> Any:
        return self._address.handle.pymongo()

    def forget(self) -> None:
        self._lock = threading.Lock()
        self._address.handle.forget()

    def close(self) -> None:
        """Close the client when nobody else uses it."""
        with _lock:
            users = self._address.users
            last = list(users) == [self]
            users.discard(self)
            if last:
                _addresses.remove(self._address)
        self._closed = True
        if last:
            self._address.handle.close()


def shared(alias: str, settings: Mapping[str, Any]) -> Connection:
    """Return a connection by the client of its settings, which is made if there is none."""
    key = (settings["uri"], settings["options"], settings.get("by_file") and settings["db"])
    with _lock:
        address = next((one for one in _addresses if one.key == key), None)
        if address is None:
            own = {name: value for name, value in settings.items() if name != "opener"}
            address = _Address(key, _plain.open_handle(alias, own, greets=False))
            _addresses.append(address)
        name = address.handle.name if settings.get("by_file") else settings["db"]
        handle = _Sharing(alias, name, address)
        address.users.add(handle)
        return handle


def _after_fork() -> None:
    global _lock
    _lock = threading.RLock()


os.register_at_fork(after_in_child=_after_fork)
