# SPDX-License-Identifier: Apache-2.0
"""Python's database interface (PEP 249) on a store: what Django's backends talk to."""

from __future__ import annotations

import contextlib
import functools
from collections import OrderedDict
from collections.abc import Iterator, Sequence
from typing import Any

from mongodb._open_transactions import documents_transaction
from mongodb._transaction import Level, Levels
from mongodb.backend.cursor import Cursor, adapt
from mongodb.backend.errors import (
    DatabaseError,
    DataError,
    Error,
    IntegrityError,
    InterfaceError,
    InternalError,
    NotSupportedError,
    OperationalError,
    ProgrammingError,
    Warning,
    translate,
)
from mongodb.backend.joined import Shared
from mongodb.backend.plan import prepare
from mongodb.backend.plan.prepare import Prepared
from mongodb.backend.plan.scope import PlanError, Unsupported
from mongodb.backend.references import References
from mongodb.backend.sql import SQLSyntaxError, parse_counted
from mongodb.backend.tables import Tables
from mongodb.backend.unions import apart, has_union
from mongodb.errors import ConnectionFailure, MongoError

__all__ = [
    "Binary", "Connection", "Cursor", "DataError", "DatabaseError", "Error", "IntegrityError",
    "InterfaceError", "InternalError", "NotSupportedError", "OperationalError",
    "ProgrammingError", "Warning", "adapt", "apilevel", "connect", "paramstyle", "threadsafety",
]  # fmt: skip

apilevel = "2.0"
threadsafety = 1
paramstyle = "format"
Binary = bytes

_KEPT_PLANS = 1000
_LOCAL_BATCH = 1000  # documents of a batch in this process: as many as its cache holds
_REFUSALS = (OverflowError, RecursionError, ValueError, MongoError)
_NOT_GIVEN = 20  # IllegalOperation
_KEPT_SQL = 20_000  # a longer statement is planned each time
_READS = frozenset(
    "find aggregate count distinct listCollections listIndexes explain ping buildInfo".split()
)
_IN_TRANSACTIONS = frozenset("find aggregate distinct insert update delete findAndModify".split())


def _counted(made: Prepared, params: Sequence[Any] | None) -> Prepared:
    """A plan, when the call gives as many parameters as its text names."""
    if params is not None and len(params) != made.params:
        raise ProgrammingError(
            f"the statement has {made.params} parameters, the call gives {len(params)}"
        )
    return made


def connect(handle: Any, lengths: bool = False, foreign_keys: bool | None = None) -> Connection:
    """Return a connection on an open `mongodb` connection.

    `lengths`: tables that it defines refuse texts longer than their columns. `foreign_keys` are
    checked on the embedded store unless that is False, on a server with transactions if it is True.
    """
    return Connection(handle, lengths, foreign_keys)


class Connection(Shared):
    """A connection: transactions, savepoints, cursors. One thread at a time."""

    def __init__(
        self, handle: Any, lengths: bool = False, foreign_keys: bool | None = None
    ) -> None:
        super().__init__(handle)
        self.lengths = lengths
        wanted = handle.embedded if foreign_keys is None else foreign_keys
        self.foreign_keys = bool(wanted) and self.transactional
        self.tables = Tables(self)
        self.references = References(self)
        self.autocommit = True
        self.closed = False
        self._reading: Any = None  # the session of `one_snapshot`
        self._savepoints: list[str] = []
        self._marks: list[int] = []  # of each savepoint: how much of the log is older
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
            return _counted(found, params)
        try:
            node, many = parse_counted(sql, params is not None)
            made = prepare(node, self.tables.named, nulls)
            made.params = many
        except SQLSyntaxError as error:
            raise ProgrammingError(str(error)) from None
        except PlanError as error:
            known = NotSupportedError if isinstance(error, Unsupported) else OperationalError
            raise known(f"{error}\n{sql}") from None
        except RecursionError:
            raise OperationalError("the statement is nested too deeply") from None
        if len(sql) <= _KEPT_SQL and made.kind != "define":
            self._plans[key] = made
        if len(self._plans) > _KEPT_PLANS:
            self._plans.popitem(last=False)
        return _counted(made, params)

    def run(self, command: Any, *, outside: bool = False) -> dict[str, Any]:
        """Run a command in the transaction, if one is open and it is not meant to be `outside`.

        Of an insert what is `given` may not be so: then nothing is done, and the reply is empty.
        """
        if self.closed:
            raise InterfaceError("the connection is closed")
        session = None if outside else self.session_for(command)
        replayed = session is not None and session is self._session and not self.embedded
        try:
            reply = self._send(command, session)
        except MongoError as error:
            if error.code == _NOT_GIVEN and "given" in command:
                return {}
            if replayed:
                self._after(error)
            elif session is not None:
                error = self._told(error)
            raise translate(error, self._checks(command) if error.code == 121 else ()) from error
        if replayed and next(iter(command)) not in _READS:
            self._log.append((self.handle.name, command, reply.get("n"), reply.get("value")))
        return reply

    def _told(self, error: MongoError) -> MongoError:
        """Return what to raise for an error: in documents' transaction that one knows the first."""
        outer = documents_transaction(self.handle)
        return error if outer is None else outer.failed(error)

    def _checks(self, command: Any) -> list[str]:
        """Return the names of the checks in a collection's validator, in their order."""
        known = self.tables.get(next(iter(command.values()))).meta.get("checks", {})
        return [name for name, one in known.items() if not one.get("sign")]

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

    def _client(self, session: Any) -> Any:
        """The client of a session: documents' transaction may be another connection's."""
        return self.handle.client if session is None else session.client

    def _send(self, command: Any, session: Any, name: str | None = None) -> dict[str, Any]:
        try:
            reply: dict[str, Any] = self._client(session).run(
                name or self.handle.name, command, session, plain_int=True
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
        for name, command, many, value in log:
            try:
                reply = self._send(command, session, name)
            except MongoError as error:
                raise translate(error) from error
            if (reply.get("n"), reply.get("value")) != (many, value):
                raise OperationalError(
                    "the transaction cannot go on: what it wrote came out otherwise when it was "
                    "written again after an error, since others have written meanwhile; run it anew"
                )

    def count(self, command: Any) -> int:
        """Run a `count`; within a server's transaction, where there is none, its pipeline."""
        if self.session_for(command, read=True) is not None and not self.embedded:
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
            yield from self._open(command, session)
        except _REFUSALS as error:
            raise self._refusal(error, session) from error

    def rows(self, command: Any, columns: Any, many: int) -> Iterator[list[tuple[Any, ...]]]:
        """Run a command that answers with documents; their rows, `many` at a time."""
        if self.closed:
            raise InterfaceError("the connection is closed")
        session = self.session_for(command)
        try:
            source = self._open(command, session)
        except _REFUSALS as error:
            raise self._refusal(error, session) from error
        with source:
            rows = [()] * many
            while len(rows) == many:
                try:
                    rows = source.rows(columns, many)
                except MongoError as error:
                    raise self._refusal(error, session) from error
                yield rows

    def _open(self, command: Any, session: Any) -> Any:
        if session is not None and not self.embedded and has_union(command):
            command = apart(command, lambda side: self._open(side, session))
        if not self.embedded and command.get("aggregate") == 1:
            session = None  # of no collection: a server's transactions do not take it
        batch = _LOCAL_BATCH if self.embedded else 0
        return self._client(session).cursor(
            self.handle.name, command, session, batch_size=batch, plain_int=True
        )

    def _refusal(self, error: Exception, session: Any) -> Exception:
        """What is raised for an error of a command that answers with documents."""
        if not isinstance(error, MongoError):
            return DataError(f"a value that cannot be sent: {error}")
        if isinstance(error, (OverflowError, RecursionError, ValueError)):
            return error
        if session is not None and session is not self._session:
            error = self._told(error)
        elif session is not None and not self.embedded:
            self._after(error)
        return translate(error)

    # Transactions

    def session_for(self, command: Any, read: bool = False) -> Any:
        """Return the session a command runs in: None outside of a transaction.

        A transaction begins with its first write. What is read before sees what is committed, as
        at SQL's level READ COMMITTED; from then on nobody else writes.
        """
        name = next(iter(command))
        if not self.embedded and not read and (name not in _IN_TRANSACTIONS or command[name] == 1):
            return None  # what a server's transactions do not take
        if self._broken is not None:
            raise OperationalError(f"the transaction is lost, run it again: {self._broken}")
        if self.begun:
            return self._session
        outer = self.outer()
        if outer is not None:
            return outer.session(name not in _READS)
        if name in _READS:
            return self._reading
        if self.autocommit:
            self._refuse_to_wait()
            return None
        self.begin()
        return self._session

    @contextlib.contextmanager
    def one_snapshot(self) -> Iterator[None]:
        """Have what is read within be of one moment, where the store has transactions."""
        if self._reading or not self.transactional or self.session_for({"find": ""}) is not None:
            yield
            return
        session = self._reading = self.handle.client.session()
        try:
            session.begin()
            yield
        finally:
            self._reading = None
            with contextlib.suppress(MongoError):  # a server has ended it after an error
                session.abort()
            session.close()

    def begin(self) -> None:
        """Begin the transaction now, with the savepoints that were set before."""
        if self.begun or self.outer() is not None:
            return
        self._refuse_to_wait()
        client = self.handle.client
        self._session = client.session()
        options = {"savepoints": True} if self.embedded else None
        self._session.begin(options)
        self.begun = True
        if self.embedded:
            for name in self._savepoints:
                self.run({"savepoint": name})

    def lock(self) -> None:
        """Take the writer's turn: nobody else changes rows until the transaction ends.

        Of a statement alone the turn ends with it.
        """
        outer = self.outer()
        alone = self.autocommit and not self.begun and outer is None
        if alone and not self.embedded:
            return
        self.begin()
        try:
            if self.embedded:
                self.run({"savepoint": "for update"})
                self.run({"releaseSavepoint": "for update"})
        finally:
            if alone:
                self._end("abort")

    @functools.cached_property
    def transactional(self) -> bool:
        """Whether the store has transactions: a standalone server has none."""
        return self.embedded or "setName" in self._send({"hello": 1}, None)

    @property
    def alone(self) -> bool:
        """Whether a statement is a transaction of its own, of the embedded store."""
        return self.embedded and self.autocommit and not self.begun and self.outer() is None

    def is_whole(self, several: bool) -> bool:
        """Whether what a statement sends is done wholly or not at all as it is: in a transaction,
        or not of `several` rows or commands; or there is no way to make it so."""
        return not several or not self.autocommit or self.begun or not self.transactional

    @contextlib.contextmanager
    def statement(self, *, rows: bool) -> Iterator[None]:
        """Make a transaction of what is sent inside one statement that `is_whole` denies.

        `rows` says that more than one row may be written, not that there is more than one command.
        """
        if self.outer() is not None:
            self._join()
        self.begin()
        try:
            if rows:
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
        embedded = self.embedded
        if self._outer is not None:
            self._control_outer(verb, name)
            return
        if verb == "SAVEPOINT":
            if self.begun and embedded:
                self.run({"savepoint": name})
            self._savepoints.append(name)
            self._marks.append(len(self._log))
            self.levels.append(Level(name))
            return
        if name not in self._savepoints:
            raise OperationalError(f"no such savepoint: {name}")
        at = len(self._savepoints) - 1 - self._savepoints[::-1].index(name)
        if verb == "RELEASE":
            if self.begun and embedded:
                self.run({"releaseSavepoint": name})
            del self._savepoints[at:], self._marks[at:]
            self.levels.drop(at + 1)
            return
        self.levels.undo(at + 1)
        if self._broken is not None:
            raise OperationalError(f"the transaction is lost, run it again: {self._broken}")
        if self.begun and embedded:
            self.run({"rollbackToSavepoint": name})
            self.tables.undone()
        elif self.begun and len(self._log) > self._marks[at]:
            del self._log[self._marks[at] :]
            try:
                self._replay()
            except Error as error:
                self._broken = str(error)
                raise
        del self._savepoints[at + 1 :], self._marks[at + 1 :]

    def _end(self, how: str) -> None:
        begun = self.begun or self._outer is not None
        if how == "commit" and self.references and begun and self._broken is None:
            try:
                self.references.check()
            except Error:
                self._end("abort")
                raise
        self.references.forget()
        if self._outer is not None:
            self._end_outer(how)
            return
        session, self._session = self._session, None
        begun, self.begun = self.begun, False
        broken, self._broken = self._broken, None
        self._savepoints.clear()
        self._marks.clear()
        self._log.clear()
        levels, self.levels = self.levels, Levels()
        if not begun:
            if how == "abort":
                levels.undo()
            return
        try:
            if broken is not None and how == "commit":
                session.abort()
                levels.undo()
                raise OperationalError(f"the transaction is lost, run it again: {broken}")
            getattr(session, how)()
        except MongoError as error:
            if how == "commit":
                levels.undo(known=not error.has_error_label("UnknownTransactionCommitResult"))
                raise translate(error) from error
        finally:
            session.close()
            if how == "abort":
                self.tables.undone()
                self.tables.recount()
                levels.undo()
            self.tables.changed = False

    def admin(self, command: Any) -> dict[str, Any]:
        """Run a command on the database admin."""
        try:
            session = self.session_for(command)
            return self._client(session).run("admin", command, session)  # type: ignore[no-any-return]
        except MongoError as error:
            raise translate(error) from error

    def set_autocommit(self, autocommit: bool) -> None:
        if autocommit and not self.autocommit:
            self._end("commit")
        if autocommit != self.autocommit:
            self._show(not autocommit)
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
            self._show(False)
        self.closed = True
