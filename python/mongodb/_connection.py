# SPDX-License-Identifier: Apache-2.0
"""One open connection: commands out, replies in, errors raised."""

from __future__ import annotations

import functools
import os
import re
import threading
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote

from mongodb import _core
from mongodb._events import monitor_for
from mongodb._open_transactions import current_transaction
from mongodb.errors import (
    BulkWriteError,
    ConnectionFailure,
    MongoError,
    NotSupportedError,
    OperationError,
    from_reply,
)

__all__ = ["EMBEDDED_OPTIONS", "Connection", "is_read"]

# Options that only the embedded store knows, in lower case.
EMBEDDED_OPTIONS = frozenset(
    "busytimeoutms create cursormemorymb database durability idletransactionms readonly".split()
)

# Documents of a batch in this process, where asking again is cheap: more of them leave the
# processor's cache before they are looked at.
_LOCAL_BATCH = 1000


_READS = frozenset("find aggregate count distinct listCollections listIndexes explain".split())


def is_read(command: Any) -> bool:
    """Whether a command changes nothing; one that is BSON already is an insert."""
    return isinstance(command, Mapping) and next(iter(command)) in _READS


class Connection:
    """A connection to one database. Unknown attributes are those of PyMongo's client."""

    def __init__(
        self,
        alias: str,
        uri: str,
        name: str,
        options: Mapping[str, Any],
        pymongo: Mapping[str, Any],
        slow_ms: float | None = None,
    ) -> None:
        self.alias = alias
        self.uri = uri
        self.name = name
        self.ready: set[Any] = set()
        self.unready: set[Any] = set()  # those of which an index could not be made
        # indexes that this store cannot make: (collection, name) -> specification
        self.pending: dict[tuple[str, str], dict[str, Any]] = {}
        self.prepared = 0  # for which of the registry's generations the indexes are there
        self._options = options
        self._pymongo_options = pymongo
        self._slow_ms = slow_ms
        self._lock = threading.Lock()
        self._client: Any = None
        self._server: Any = None
        self._pymongo: Any = None
        self._inherited: list[Any] = []
        self._closed = False

    # Opening and closing

    @property
    def client(self) -> Any:
        """The `_core.Client`; a forked process uses it on connections of its own."""
        if self._client is None:
            with self._lock:
                if self._closed:
                    raise ConnectionFailure(f"the connection {self.alias!r} is closed")
                if self._client is None:
                    try:
                        self._client = _core.Client(
                            self.uri, dict(self._options) or None, **self._monitor()
                        )
                    except NotSupportedError:
                        raise
                    except MongoError as error:
                        raise ConnectionFailure(
                            str(error), code=error.code, code_name=error.code_name
                        ) from error
        return self._client

    def _monitor(self) -> dict[str, Any]:
        listeners = self._pymongo_options.get("event_listeners")
        path = unquote(self.uri.split("://", 1)[1].partition("?")[0]) if self.embedded else None
        return monitor_for(listeners, path, self._slow_ms)

    @property
    def embedded(self) -> bool:
        """Whether the store is in this process."""
        return self.uri.startswith("docstore:")

    def ping(self) -> None:
        """Contact the store; ConnectionFailure when it does not answer or refuses the login."""
        try:
            self.client.run("admin", {"ping": 1})
            if "@" in self.uri:
                self.client.run(self.name, {"ping": 1})
        except MongoError as error:
            self.close()
            if isinstance(error, ConnectionFailure) and error.code != 18:  # AuthenticationFailed
                raise
            raise ConnectionFailure(
                self._refusal(error),
                code=error.code,
                code_name=error.code_name,
                details=error.details,
            ) from error

    def _refusal(self, error: MongoError) -> str:
        login, _, hosts = self.uri.split("://", 1)[1].partition("/")[0].rpartition("@")
        user = unquote(login.partition(":")[0])
        who = f" the login of {user!r}" if user and error.code == 18 else ""
        return f"{hosts} refused{who or ' the connection'}: {error}"

    def forget(self) -> None:
        """Drop the server and the PyMongo client of a forked process's parent, without closing."""
        self._lock = threading.Lock()
        self._inherited.append((self._server, self._pymongo))
        self._server = self._pymongo = None

    def close(self) -> None:
        """Close the store's client, and PyMongo's if there is one."""
        with self._lock:
            client, self._client = self._client, None
            pymongo, self._pymongo = self._pymongo, None
            server, self._server = self._server, None
            self._closed = True
        if pymongo is not None:
            pymongo.close()
        if server is not None:
            server.stop()
        if client is not None:
            client.close()

    def pymongo(self) -> Any:
        """Return a MongoClient on the same data."""
        if self._pymongo is None:
            from pymongo import MongoClient  # late: for those who use it

            from mongodb import _raw

            client = self.client
            with self._lock:
                if self._pymongo is None:
                    if self.embedded:
                        self._server = _core.Server(client)
                        uri = self._with_db(self._server.uri)
                        self._pymongo = _raw.client(self, uri, self._python_options())
                    else:
                        self._pymongo = MongoClient(
                            self._with_db(self.uri), **self._python_options()
                        )
        return self._pymongo

    def _with_db(self, uri: str) -> str:
        """Name the database in the URI, so that get_database() finds it."""
        head, _, options = uri.partition("?")
        scheme, rest = head.split("://", 1)
        hosts, _, path = rest.partition("/")
        if path:
            return uri
        # The database that a login is looked up in stays what the URI said.
        given = any(key.lower() == "authsource" for key in self._pymongo_options)
        if "@" in hosts and "authsource" not in options.lower() and not given:
            options = "&".join(filter(None, (options, "authSource=admin")))
        return f"{scheme}://{hosts}/{self.name}" + (f"?{options}" if options else "")

    def _python_options(self) -> dict[str, Any]:
        options = dict(self._pymongo_options)
        if self.embedded:
            options = {k: v for k, v in options.items() if k.lower() not in EMBEDDED_OPTIONS}
        return options

    if (
        TYPE_CHECKING
    ):  # those of the client's attributes that scripts use; a misspelt name is an error
        admin: Any
        drop_database: Any
        get_database: Any
        get_default_database: Any
        list_database_names: Any
        list_databases: Any
        server_info: Any
        start_session: Any
        watch: Any
    else:

        def __getattr__(self, name: str) -> Any:
            if name.startswith("_"):
                raise AttributeError(name)
            return getattr(self.pymongo(), name)

    def __getitem__(self, name: str) -> Any:
        return self.pymongo()[name]

    def __repr__(self) -> str:
        return f"<connection {self.alias!r} to {self.name!r}>"

    # Commands

    @functools.cached_property
    def store(self) -> Any:
        """What a transaction covers: a file, a store in memory, a database of a server."""
        where, _, options = self.uri.split("://", 1)[1].partition("?")
        if self.embedded:
            return self if where == ":memory:" else os.path.realpath(unquote(where))
        login, _, hosts = where.partition("/")[0].rpartition("@")
        named = (
            one if re.search(r":\d+$|%2F", one) else f"{one}:27017" for one in hosts.split(",")
        )
        source = [one for one in options.lower().split("&") if one.startswith("authsource=")]
        return (frozenset(named), login, *source, self.name)

    def session(self, write: bool = True) -> Any:
        """Return the session of the transaction that is open here, or None.

        Models' transaction begins with the first write.
        """
        transaction = current_transaction(self)
        return None if transaction is None else transaction.session(write)

    def run(self, command: Any) -> dict[str, Any]:
        """Run a command on the database and return the reply."""
        transaction = current_transaction(self)
        if transaction is None:
            return self.client.run(self.name, command)  # type: ignore[no-any-return]
        return transaction.run_for(self, command)  # type: ignore[no-any-return]

    def cursor(self, command: Any, batch_size: int = 0) -> Any:
        """Run a command that answers with a cursor."""
        transaction = current_transaction(self)
        if transaction is None:
            return self.client.cursor(self.name, command, batch_size=batch_size)
        return transaction.cursor_for(self, command, batch_size)

    def batches(self, command: Any, batch_size: int = 0) -> Iterator[Any]:
        """Yield the replies' arrays of documents, as buffers."""
        if not batch_size and self.embedded:
            batch_size = _LOCAL_BATCH
        cursor = self.cursor(command, batch_size)
        try:
            yield from cursor.raw_batches()
        finally:
            cursor.close()

    def first_batch(self, command: Any) -> Any:
        """Run a command that answers with a cursor of one batch; None when it is empty."""
        cursor = self.cursor(command)
        try:
            return cursor.next_batch()
        finally:
            cursor.close()

    # Writes

    def _write(self, command: Any, concern: Any) -> dict[str, Any]:
        if isinstance(command, dict) and concern and current_transaction(self) is None:
            command["writeConcern"] = dict(concern)
        reply = self.run(command)
        errors = reply.get("writeErrors")
        if errors:
            raise _write_error(reply, errors)
        if reply.get("writeConcernError"):
            error = reply["writeConcernError"]
            raise OperationError(
                error.get("errmsg", "the write concern failed"),
                code=error.get("code"),
                code_name=error.get("codeName"),
                details=reply,
            )
        return reply

    def insert(self, collection: str, documents: list[Any], concern: Any = None) -> dict[str, Any]:
        """Insert documents."""
        return self._write({"insert": collection, "documents": documents}, concern)

    def insert_raw(self, command: bytes) -> dict[str, Any]:
        """Run an insert command that is BSON already."""
        return self._write(command, None)

    def update(
        self, collection: str, update: dict[str, Any], concern: Any = None, **options: Any
    ) -> dict[str, Any]:
        """Run one update statement; the options are the command's."""
        return self._write({"update": collection, "updates": [update], **options}, concern)

    def bulk_update(
        self, collection: str, updates: list[dict[str, Any]], concern: Any = None
    ) -> dict[str, Any]:
        """Run many update statements in their order, up to the first that is refused."""
        return self._write({"update": collection, "updates": updates}, concern)

    def find_and_modify(self, command: dict[str, Any], concern: Any = None) -> dict[str, Any]:
        """Run a findAndModify command."""
        return self._write(command, concern)

    def delete(self, collection: str, query: Any, limit: int, concern: Any = None,
               **options: Any) -> int:  # fmt: skip
        """Delete and return how many."""
        command: dict[str, Any] = {"delete": collection}
        command |= {key: options.pop(key) for key in ("comment", "maxTimeMS") if key in options}
        command["deletes"] = [{"q": query, "limit": limit, **options}]
        return int(self._write(command, concern).get("n", 0))  # not told with w: 0

    def count(self, collection: str, query: Any, **options: Any) -> int:
        """Return how many documents match."""
        near = b"$near" in bytes(query) if isinstance(query, _core.Raw) else False
        inside = self.session(False) is not None
        if near and inside:  # neither $match nor a transaction's count has it
            command = {"find": collection, "filter": query, "projection": {"_id": 1}, **options}
            return sum(1 for _ in self.cursor(command))
        if not inside and (self.embedded or near or not query):
            command = {"count": collection, "query": query, **options}
            return int(self.run(command)["n"])
        pipeline: list[dict[str, Any]] = [{"$match": query}]
        pipeline += [{f"${key}": options.pop(key)} for key in ("skip", "limit") if key in options]
        pipeline.append({"$group": {"_id": None, "n": {"$sum": 1}}})
        command = {"aggregate": collection, "pipeline": pipeline, "cursor": {}, **options}
        found = self.run(command)["cursor"]["firstBatch"]
        return int(found[0]["n"]) if found else 0

    # Collections and indexes

    def create_indexes(
        self, collection: str, specs: list[dict[str, Any]], inside: bool = False
    ) -> None:
        """Create indexes; those that exist as given are left alone.

        They are created beside a server's transaction, or `inside`, where only new collections can
        have them. The embedded store has one writer: there they are part of its transaction.
        """
        command = {"createIndexes": collection, "indexes": specs}
        if self.embedded or inside:
            self.run(command)
        else:
            self.client.run(self.name, command)

    def list_indexes(self, collection: str) -> list[dict[str, Any]]:
        """Return the indexes of a collection; none when it does not exist."""
        try:
            return list(self.client.cursor(self.name, {"listIndexes": collection}))
        except MongoError as error:
            if error.code == 26:  # NamespaceNotFound
                return []
            raise

    def collection_options(self, collection: str) -> dict[str, Any] | None:
        """Return how a collection was created, or None when there is none."""
        command = {"listCollections": 1, "filter": {"name": collection}}
        found = list(self.client.cursor(self.name, command))
        return found[0].get("options", {}) if found else None

    def collection_names(self) -> set[str]:
        """Return the names of the collections that exist."""
        command = {"listCollections": 1, "nameOnly": True}
        return {one["name"] for one in self.client.cursor(self.name, command)}

    def create(self, collection: str, options: Mapping[str, Any]) -> None:
        """Create a collection."""
        self.run({"create": collection, **options})

    def drop(self, collection: str) -> None:
        """Drop a collection if it exists."""
        try:
            self.run({"drop": collection})
        except MongoError as error:
            if error.code != 26:  # NamespaceNotFound
                raise


def _write_error(reply: dict[str, Any], errors: list[dict[str, Any]]) -> MongoError:
    first = errors[0]
    details = {**reply, **first} if len(errors) == 1 else reply
    error = from_reply({**first, "codeName": first.get("codeName")})
    error.details = details
    if len(errors) > 1 and type(error) is OperationError:
        return BulkWriteError(str(error), code=error.code, details=reply)
    return error
