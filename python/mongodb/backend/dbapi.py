# SPDX-License-Identifier: Apache-2.0
"""Python's database interface (PEP 249) on a store: what Django's backends talk to."""

from __future__ import annotations

import contextlib
import datetime
import functools
from collections import OrderedDict
from collections.abc import Iterator, Sequence
from decimal import Decimal
from typing import Any

from bson import Decimal128, json_util

from mongodb.backend.plan import prepare
from mongodb.backend.plan.json import JSON_NULL, JSONNull
from mongodb.backend.plan.prepare import Prepared, Query
from mongodb.backend.plan.scope import PlanError, TableInfo
from mongodb.backend.sql import SQLSyntaxError, parse
from mongodb.backend.sql import nodes as n
from mongodb.backend.tables import Tables
from mongodb.errors import ConnectionFailure, MongoError

__all__ = [
    "Binary", "Connection", "Cursor", "DataError", "DatabaseError", "Error", "IntegrityError",
    "InterfaceError", "InternalError", "NotSupportedError", "OperationalError",
    "ProgrammingError", "Warning", "apilevel", "connect", "paramstyle", "threadsafety",
]  # fmt: skip

apilevel = "2.0"
threadsafety = 1
paramstyle = "format"
Binary = bytes


class Warning(Exception):
    """Something to know."""


class Error(Exception):
    """The root of this module's errors."""


class InterfaceError(Error):
    """A closed connection or cursor was used."""


class DatabaseError(Error):
    """The store refused."""


class DataError(DatabaseError):
    """A value out of range."""


class OperationalError(DatabaseError):
    """Not the program's fault: the connection, a conflict, the disk."""


class IntegrityError(DatabaseError):
    """A unique index, a reference or a check forbids it."""


class InternalError(DatabaseError):
    """The store's own fault."""


class ProgrammingError(DatabaseError):
    """A statement that cannot be understood."""


class NotSupportedError(DatabaseError):
    """A feature that the store does not have."""


_KEPT_PLANS = 1000
_KEPT_SQL = 20_000  # a longer statement is planned each time
_READS = frozenset(
    "find aggregate count distinct listCollections listIndexes explain ping buildInfo".split()
)
_IN_TRANSACTIONS = frozenset("find aggregate distinct insert update delete findAndModify".split())
_PROGRAMMING = frozenset({9, 14, 26, 40324})
_CONFLICT = frozenset({24, 50, 112})


def translate(error: MongoError) -> Error:
    """Return this module's error for the store's; `n` is how many rows were written before it."""
    out = _translated(error, str(error))
    out.n = error.details.get("n", 0)  # type: ignore[attr-defined]
    return out


def _translated(error: MongoError, message: str) -> Error:
    if isinstance(error, ConnectionFailure):
        return OperationalError(message)
    if error.code in (11000, 11001):
        keys = ", ".join((error.details.get("keyPattern") or {}).keys())
        out: Error = IntegrityError(f"UNIQUE constraint failed: {keys} ({message})")
    elif error.code == 121:
        out = IntegrityError(_validation(message, error.details))
    elif error.code in _CONFLICT:
        out = OperationalError(message)
    elif error.code in (115, 238):
        out = NotSupportedError(message)
    elif error.code in _PROGRAMMING:
        out = ProgrammingError(message)
    elif error.code == 2 and "out of range" in message:
        out = DataError(message)
    else:
        out = DatabaseError(message)
    return out


def _validation(message: str, details: Any) -> str:
    info = details.get("errInfo") or {}
    fields = []
    for rule in (info.get("details") or {}).get("schemaRulesNotSatisfied", ()):
        for one in rule.get("propertiesNotSatisfied", ()):
            fields.append(one.get("propertyName", "?"))
    listed = f": {', '.join(fields)}" if fields else ""
    return f"NOT NULL or CHECK constraint failed{listed} ({message})"


def connect(handle: Any) -> Connection:
    """Return a connection on an open `mongodb` connection."""
    return Connection(handle)


class Connection:
    """A connection: transactions, savepoints, cursors. One thread at a time."""

    def __init__(self, handle: Any) -> None:
        self.handle = handle
        self.tables = Tables(self)
        self.autocommit = True
        self.closed = False
        self._session: Any = None
        self._begun = False
        self._broken: str | None = None  # why the transaction can only be rolled back
        self._savepoints: list[str] = []
        self._marks: list[int] = []  # of each savepoint: how much of the log is older
        self._log: list[tuple[Any, Any, Any]] = []  # a server's transaction: what it wrote
        self._plans: OrderedDict[Any, Prepared] = OrderedDict()

    # Statements

    def plan(self, sql: str, params: Sequence[Any] | None) -> Prepared:
        """Return a statement ready to run."""
        nulls = frozenset(i for i, p in enumerate(params) if p is None) if params else frozenset()
        if sql.startswith("INSERT"):
            nulls = frozenset()  # no condition's meaning hangs on them
        key = (sql, params is not None, nulls, self.tables.version)
        found = self._plans.get(key)
        if found is not None:
            self._plans.move_to_end(key)
            return found
        try:
            made = prepare(parse(sql, params is not None), self.tables.get, nulls)
        except SQLSyntaxError as error:
            raise ProgrammingError(str(error)) from None
        except PlanError as error:
            raise OperationalError(f"{error}\n{sql}") from None
        except RecursionError:
            raise OperationalError("the statement is nested too deeply") from None
        if len(sql) <= _KEPT_SQL:
            self._plans[key] = made
        if len(self._plans) > _KEPT_PLANS:
            self._plans.popitem(last=False)
        return made

    def run(self, command: Any, *, outside: bool = False) -> dict[str, Any]:
        """Run a command in the transaction, if one is open and it is not meant to be `outside`."""
        if self.closed:
            raise InterfaceError("the connection is closed")
        session = None if outside else self.session_for(command)
        replayed = session is not None and not self.handle.embedded
        try:
            reply = self._send(command, session)
        except MongoError as error:
            if replayed:
                self._after(error)
            raise translate(error) from error
        if replayed and next(iter(command)) not in _READS:
            self._log.append((command, reply.get("n"), reply.get("value")))
        return reply

    def _after(self, error: MongoError) -> None:
        """Bring a server's transaction back to before a refused command, which has ended it.

        One that lost a race is lost: what the program read in it is no longer so.
        """
        if error.has_error_label("TransientTransactionError") or isinstance(
            error, ConnectionFailure
        ):
            self._broken = str(error)
            return
        try:
            self._replay()
        except Error as why:
            self._broken = str(why)

    def _send(self, command: Any, session: Any) -> dict[str, Any]:
        try:
            reply: dict[str, Any] = self.handle.client.run(
                self.handle.name, command, session, plain_int=True
            )
        except (OverflowError, RecursionError, TypeError, ValueError) as error:
            raise DataError(f"a value that cannot be stored: {error}") from error
        if "writeErrors" in reply:
            first = reply["writeErrors"][0]
            details = {**first, "n": reply.get("n", 0)}
            raise MongoError(first.get("errmsg", ""), code=first.get("code"), details=details)
        return reply

    def _replay(self) -> None:
        """Begin a server's transaction anew and write again what stands.

        A refused command ends a transaction in MongoDB, which has no savepoints either. What is
        written again must come out as it did; OperationalError when others have come between.
        """
        session, log = self._session, self._log
        try:
            session.abort()
        except MongoError:
            pass  # the server has ended it
        session.begin()
        for command, many, value in log:
            try:
                reply = self._send(command, session)
            except MongoError as error:
                raise translate(error) from error
            if (reply.get("n"), reply.get("value")) != (many, value):
                raise OperationalError(
                    "the transaction cannot go on: what it wrote came out otherwise when it was "
                    "written again after an error, since others have written meanwhile; run it anew"
                )

    def count(self, command: Any) -> int:
        """Run a `count`; within a server's transaction, where there is none, its pipeline."""
        if self._begun and not self.handle.embedded:
            pipeline = [{"$match": command["query"]}, {"$count": "n"}]
            found = list(self.documents(
                {"aggregate": command["count"], "pipeline": pipeline, "cursor": {}}
            ))  # fmt: skip
            return found[0]["n"] if found else 0
        return int(self.run(command)["n"])

    def documents(self, command: Any) -> Iterator[dict[str, Any]]:
        """Run a command that answers with documents."""
        if self.closed:
            raise InterfaceError("the connection is closed")
        session = self.session_for(command)
        try:
            yield from self.handle.client.cursor(self.handle.name, command, session, plain_int=True)
        except (OverflowError, RecursionError, ValueError) as error:
            if isinstance(error, MongoError):
                raise
            raise DataError(f"a value that cannot be sent: {error}") from error
        except MongoError as error:
            if session is not None and not self.handle.embedded:
                self._after(error)
            raise translate(error) from error

    # Transactions

    def session_for(self, command: Any) -> Any:
        """Return the session a command runs in: None outside of a transaction.

        A transaction begins with its first write. What is read before sees what is committed, as
        at SQL's level READ COMMITTED; from then on nobody else writes.
        """
        name = next(iter(command))
        if not self.handle.embedded and (name not in _IN_TRANSACTIONS or command[name] == 1):
            return None  # what a server's transactions do not take
        if self._broken is not None:
            raise OperationalError(f"the transaction is lost, run it again: {self._broken}")
        if self._begun:
            return self._session
        if self.autocommit or name in _READS:
            return None
        self.begin()
        return self._session

    def begin(self) -> None:
        """Begin the transaction now, with the savepoints that were set before."""
        if self._begun:
            return
        client = self.handle.client
        self._session = client.session()
        options = {"savepoints": True} if self.handle.embedded else None
        self._session.begin(options)
        self._begun = True
        if self.handle.embedded:
            for name in self._savepoints:
                self.run({"savepoint": name})

    def lock(self) -> None:
        """Take the writer's turn: nobody else changes rows until the transaction ends."""
        if not self.autocommit and not self._begun:
            self.begin()
        if self._begun and self.handle.embedded:
            self.run({"savepoint": "for update"})
            self.run({"releaseSavepoint": "for update"})

    @functools.cached_property
    def transactional(self) -> bool:
        """Whether the store has transactions: a standalone server has none."""
        return self.handle.embedded or "setName" in self.run({"hello": 1})

    @contextlib.contextmanager
    def statement(self, *, rows: bool) -> Iterator[None]:
        """Make what is sent inside one statement: all of it is done, or none.

        Within a transaction it is already; `rows` says that more than one row may be written.
        """
        if not self.autocommit or self._begun or not rows or not self.transactional:
            yield
            return
        self.begin()
        try:
            self.lock()
            yield
        except BaseException:
            self._end("abort")
            raise
        self._end("commit")

    def control(self, verb: str, name: str | None) -> None:
        """Run SAVEPOINT, RELEASE, ROLLBACK TO, COMMIT, ROLLBACK or BEGIN."""
        if name is None:
            {"COMMIT": self.commit, "ROLLBACK": self.rollback, "BEGIN": lambda: None}[verb]()
            return
        embedded = self.handle.embedded
        if verb == "SAVEPOINT":
            if self._begun and embedded:
                self.run({"savepoint": name})
            self._savepoints.append(name)
            self._marks.append(len(self._log))
            return
        if name not in self._savepoints:
            raise OperationalError(f"no such savepoint: {name}")
        at = len(self._savepoints) - 1 - self._savepoints[::-1].index(name)
        if verb == "RELEASE":
            if self._begun and embedded:
                self.run({"releaseSavepoint": name})
            del self._savepoints[at:], self._marks[at:]
            return
        if self._broken is not None:
            raise OperationalError(f"the transaction is lost, run it again: {self._broken}")
        if self._begun and embedded:
            self.run({"rollbackToSavepoint": name})
            self.tables.forget()
        elif self._begun and len(self._log) > self._marks[at]:
            del self._log[self._marks[at] :]
            try:
                self._replay()
            except Error as error:
                self._broken = str(error)
                raise
        del self._savepoints[at + 1 :], self._marks[at + 1 :]

    def _end(self, how: str) -> None:
        session, self._session = self._session, None
        begun, self._begun = self._begun, False
        broken, self._broken = self._broken, None
        self._savepoints.clear()
        self._marks.clear()
        self._log.clear()
        if not begun:
            return
        try:
            if broken is not None and how == "commit":
                session.abort()
                raise OperationalError(f"the transaction is lost, run it again: {broken}")
            getattr(session, how)()
        except MongoError as error:
            if how == "commit":
                raise translate(error) from error
        finally:
            session.close()
            if how == "abort":
                self.tables.forget()

    def admin(self, command: Any) -> dict[str, Any]:
        """Run a command on the database admin."""
        try:
            return self.handle.client.run(  # type: ignore[no-any-return]
                "admin", command, self.session_for(command)
            )
        except MongoError as error:
            raise translate(error) from error

    def set_autocommit(self, autocommit: bool) -> None:
        if autocommit and not self.autocommit:
            self._end("commit")
        self.autocommit = autocommit

    def cursor(self) -> Cursor:
        return Cursor(self)

    def commit(self) -> None:
        self._end("commit")

    def rollback(self) -> None:
        self._end("abort")

    def close(self) -> None:
        if not self.closed:
            self._end("abort")
        self.closed = True


class Cursor:
    """Runs statements and holds their rows."""

    arraysize = 100

    def __init__(self, connection: Connection) -> None:
        self.connection = connection
        self.description: list[tuple[Any, ...]] | None = None
        self.rowcount = -1
        self.lastrowid: Any = None
        self._rows: Iterator[tuple[Any, ...]] = iter(())
        self.closed = False

    def execute(self, sql: str, params: Sequence[Any] | None = None) -> Cursor:
        """Run a statement; `%s` stands for a parameter when there are any."""
        if self.closed:
            raise InterfaceError("the cursor is closed")
        if sql.startswith("EXPLAIN "):
            self.description = [("plan", None, None, None, None, None, None)]
            self._rows = iter([(self.explain(sql.removeprefix("EXPLAIN "), params),)])
            return self
        params = None if params is None else [adapt(one) for one in params]
        prepared = self.connection.plan(sql, params)
        if params and prepared.kind == "select":
            params = [None if one is JSON_NULL else one for one in params]
        self.description = None
        self._rows = iter(())
        run = getattr(self, f"_{prepared.kind}")
        if prepared.kind in ("insert", "update", "delete"):
            with self.connection.statement(rows=not _one_row(prepared)):
                run(prepared, params or ())
        else:
            run(prepared, params or ())
        return self

    def executemany(self, sql: str, many: Any) -> None:
        total = 0
        for params in many:
            self.execute(sql, params)
            total += max(self.rowcount, 0)
        self.rowcount = total

    # Kinds of statements

    def _results(self, before: list[Query], params: Sequence[Any]) -> list[Any]:
        results: list[Any] = []
        for query in before:
            command = query.command(params, results)
            path = query.paths[0]
            results.append([value_at(d, path) for d in self.connection.documents(command)])
        return results

    def _documents(self, query: Query, params: Sequence[Any]) -> Iterator[dict[str, Any]]:
        return self.connection.documents(query.command(params, self._results(query.before, params)))

    def _select(self, prepared: Prepared, params: Sequence[Any]) -> None:
        query = prepared.query
        assert query is not None
        if isinstance(prepared.node, n.Select) and prepared.node.for_update:
            self.connection.lock()
        self.description = [(name, None, None, None, None, None, None) for name in query.names]
        self.rowcount = -1
        if query.count:
            command = query.command(params, self._results(query.before, params))
            self._rows = iter([(self.connection.count(command),)])
            return
        results = self._results(query.before, params)
        documents = list(self.connection.documents(query.command(params, results)))
        if not documents and query.of_nothing is not None:
            documents = list(self.connection.documents(query.of_nothing(params, results)))
        self._rows = iter(list(_tuples(documents, query.paths)))

    def _insert(self, prepared: Prepared, params: Sequence[Any]) -> None:
        node = prepared.node
        info = prepared.table
        assert isinstance(node, n.Insert)
        assert info is not None
        if prepared.rows is not None:
            documents = prepared.rows(params, ())
        elif prepared.values is not None:
            documents = list(self._documents(prepared.values, params))
        else:
            assert prepared.query is not None
            rows = _tuples(self._documents(prepared.query, params), prepared.query.paths)
            documents = [dict(zip(prepared.changed, row, strict=True)) for row in rows]
        if node.update:
            self._upsert(prepared, node, documents)
            return
        self.insert(info, documents, node.ignore)
        if node.returning:
            paths = [(info.path(column),) for column in node.returning]
            self._rows = iter(list(_tuples(documents, paths)))

    def insert(self, info: Any, documents: list[dict[str, Any]], ignore: bool = False) -> None:
        """Insert documents; those without a key get one."""
        self.connection.tables.complete(info, documents, self.connection)
        without_nulls(info, documents)
        self.rowcount = 0
        # a refused row would undo its statement, were there others in it
        size = 1 if ignore and not self.connection.autocommit else 1000
        for at in range(0, len(documents), size):
            command = {"insert": info.name, "documents": documents[at : at + size],
                       "ordered": not ignore}  # fmt: skip
            try:
                self.rowcount += self.connection.run(command)["n"]
            except IntegrityError as error:
                if not ignore:
                    raise
                self.rowcount += getattr(error, "n", 0)
        self.lastrowid = documents[-1].get("_id") if documents else None

    def _upsert(self, prepared: Prepared, node: n.Insert, documents: list[dict[str, Any]]) -> None:
        info = prepared.table
        assert info is not None
        self.connection.tables.complete(info, documents, self.connection, keys=False)
        keys = [info.path(column) for column in node.conflict]
        if not any(one.get("unique", "_id" in one["key"]) and set(one["key"]) == set(keys)
                   for one in self.connection.documents({"listIndexes": info.name})):  # fmt: skip
            raise OperationalError(
                f"ON CONFLICT ({', '.join(node.conflict)}): no primary key and no unique "
                "constraint has just these columns"
            )
        changed = []
        for column, new in node.update:
            if not (isinstance(new, n.Column) and (new.table or "").upper() == "EXCLUDED"):
                raise NotSupportedError("ON CONFLICT … DO UPDATE sets columns to EXCLUDED's only")
            changed.append((info.path(column), info.path(new.name)))
        without_nulls(info, documents)
        self.rowcount = 0
        for document in documents:
            if any(document.get(key) is None for key in keys):
                self.insert(info, [document])  # NULL equals nothing, another NULL neither
                continue
            update = {path: document.get(source) for path, source in changed}
            rest = {path: v for path, v in document.items() if path not in update}
            if "_id" not in document:
                rest.update(self.connection.tables.new_key(info, self.connection))
            one = {
                "q": {key: {"$eq": document[key]} for key in keys},
                "upsert": True,
                "u": {"$set": update, **({"$setOnInsert": rest} if rest else {})},
            }
            self.rowcount += self.connection.run({"update": info.name, "updates": [one]})["n"]
        if node.returning:
            paths = [(info.path(column),) for column in node.returning]
            found = []
            for document in documents:
                query = {key: {"$eq": document.get(key)} for key in keys}
                if "_id" in document:
                    query = {"_id": {"$eq": document["_id"]}}
                found += self.connection.documents({"find": info.name, "filter": query, "limit": 1})
            self._rows = iter(list(_tuples(found, paths)))

    def _update(self, prepared: Prepared, params: Sequence[Any]) -> None:
        assert prepared.table is not None
        if prepared.write is not None:
            command = prepared.write(params, self._results(prepared.before, params))
            for update in command["updates"]:
                update["u"] = _json_nulls(prepared.table, update["u"])
            self.rowcount = self.connection.run(_filled(command))["n"]
            return
        assert prepared.values is not None
        params = [None if one is JSON_NULL else one for one in params]
        rows = list(_tuples(self._documents(prepared.values, params), prepared.values.paths))
        self.rowcount = 0
        for at in range(0, len(rows), 1000):
            updates = [
                {"q": {"_id": row[0]},
                 "u": {"$set": dict(zip(prepared.changed, row[1:], strict=True))}}
                for row in rows[at : at + 1000]
            ]  # fmt: skip
            command = {"update": prepared.table.name, "updates": updates}
            self.rowcount += self.connection.run(command)["n"]

    def _delete(self, prepared: Prepared, params: Sequence[Any]) -> None:
        assert prepared.table is not None
        if prepared.write is not None:
            command = _filled(prepared.write(params, self._results(prepared.before, params)))
        else:
            assert prepared.values is not None
            keys = [one["_id"] for one in self._documents(prepared.values, params)]
            command = {"delete": prepared.table.name,
                       "deletes": [{"q": {"_id": {"$in": keys}}, "limit": 0}]}  # fmt: skip
        self.rowcount = self.connection.run(command)["n"]

    def _command(self, prepared: Prepared, params: Sequence[Any]) -> None:
        node = prepared.node
        assert isinstance(node, n.Command)
        self.connection.control(node.verb, node.name)

    def explain(self, sql: str, params: Sequence[Any] | None = None) -> str:
        """Return the commands of a query and the store's plan of the last, as JSON."""
        params = [adapt(one) for one in params or ()]
        query = self.connection.plan(sql, params).query
        if query is None:
            raise ProgrammingError("only queries are explained")
        command = query.command(params, self._results(query.before, params))
        if command.get("aggregate") == 1:
            return json_util.dumps({"command": command}, indent=1)
        plan = self.connection.run({"explain": command, "verbosity": "queryPlanner"})
        return json_util.dumps({"command": command, "plan": plan}, indent=1)

    # Rows

    def fetchone(self) -> tuple[Any, ...] | None:
        return next(self._rows, None)

    def fetchmany(self, size: int | None = None) -> list[tuple[Any, ...]]:
        out = []
        for _ in range(size or self.arraysize):
            row = next(self._rows, None)
            if row is None:
                break
            out.append(row)
        return out

    def fetchall(self) -> list[tuple[Any, ...]]:
        return list(self._rows)

    def __iter__(self) -> Iterator[tuple[Any, ...]]:
        return self._rows

    def close(self) -> None:
        self.closed = True
        self._rows = iter(())

    def __enter__(self) -> Cursor:
        return self

    def __exit__(self, *args: object) -> None:
        self.close()


def _one_row(prepared: Prepared) -> bool:
    """Whether a statement can only write one row: no other row is there to be undone."""
    if prepared.kind == "insert":
        node = prepared.node
        return isinstance(node, n.Insert) and len(node.rows) == 1 and not node.update
    where = getattr(prepared.node, "where", None)
    return (
        prepared.write is not None
        and isinstance(where, n.Compare)
        and where.op == "="
        and isinstance(where.left, n.Column)
        and prepared.table is not None
        and where.left.name == prepared.table.pk
    )


def adapt(value: Any) -> Any:
    """Return a parameter as BSON has it."""
    if isinstance(value, Decimal):
        return Decimal128(value)
    if type(value) is datetime.date:
        return datetime.datetime(value.year, value.month, value.day)
    if isinstance(value, datetime.time):
        return datetime.datetime.combine(datetime.date(1, 1, 1), value)
    if isinstance(value, datetime.timedelta):
        return (value.days * 86400 + value.seconds) * 1_000_000 + value.microseconds
    if isinstance(value, str) and type(value) is not str:
        return str(value)
    if isinstance(value, memoryview):
        return bytes(value)
    return value


def without_nulls(info: TableInfo, documents: list[dict[str, Any]]) -> None:
    """A JSON column that is NULL is no field; one that is JSON's null is a field that is null."""
    paths = [info.path(c) for c, type_ in info.types.items() if type_ == "json"]
    for document in documents:
        for path in paths:
            value = document.get(path)
            if value is None:
                document.pop(path, None)
            elif value is JSON_NULL:
                document[path] = None


def _json_nulls(info: TableInfo, update: Any) -> Any:
    if isinstance(update, list):
        return update
    paths = [info.path(c) for c, type_ in info.types.items() if type_ == "json"]
    gone = [path for path in paths if path in update["$set"] and update["$set"][path] is None]
    if not gone:
        return update
    kept = {path: value for path, value in update["$set"].items() if path not in gone}
    unset = {"$unset": dict.fromkeys(gone, "")}
    return {"$set": kept, **unset} if kept else unset


def _filled(one: Any) -> Any:
    """A command with null where JSON's null is meant."""
    if isinstance(one, JSONNull):
        return None
    if isinstance(one, dict):
        return {key: _filled(value) for key, value in one.items()}
    return [_filled(value) for value in one] if isinstance(one, list) else one


def value_at(document: Any, path: tuple[str, ...]) -> Any:
    """Return what is at a path, or None."""
    for key in path:
        if not isinstance(document, dict):
            return None
        document = document.get(key)
    return document


def _tuples(documents: Any, paths: list[tuple[str, ...]]) -> Iterator[tuple[Any, ...]]:
    if all(len(path) == 1 for path in paths):
        keys = [path[0] for path in paths]
        for document in documents:
            get = document.get
            yield tuple([get(key) for key in keys])
        return
    for document in documents:
        yield tuple([value_at(document, path) for path in paths])
