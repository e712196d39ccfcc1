# SPDX-License-Identifier: Apache-2.0
"""Models and documents in one transaction: theirs within the connection's, or it in theirs."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import Any

from mongodb._connection import is_read
from mongodb._open_transactions import documents_transaction, models
from mongodb._transaction import Levels, first_refusal
from mongodb.backend.errors import Error, OperationalError, translate
from mongodb.errors import MongoError, OperationError

__all__ = ["Shared"]


class Shared:
    """What a connection and documents of the same store have to do with each other."""

    def __init__(self, handle: Any) -> None:
        self.handle = handle
        self.embedded = handle.embedded
        self.begun = False
        self.may_create = True  # collections, within a server's transaction
        self.levels = Levels()  # what documents changed
        self.wrapper: Any = None  # Django's
        self._spoilt: list[bool] = []  # of each documents' savepoint: Django would roll back
        self._session: Any = None
        self._outer: Any = None  # documents' transaction that this one is a part of
        self._broken: str | None = None  # why the transaction can only be rolled back
        self._log: list[tuple[str, Any, Any, Any]] = []  # a server's transaction: what it wrote

    # The connection's own
    tables: Any
    transactional: bool
    session_for: Any
    control: Any
    _after: Any
    _client: Any

    def outer(self) -> Any:
        """Return documents' transaction that statements are a part of here, or None."""
        if self._outer is None:
            return documents_transaction(self.handle)
        if self._outer.ended:
            raise OperationalError(
                "documents' atomic() has ended before the transaction of models within it"
            )
        return self._outer

    def _refuse_to_wait(self) -> None:
        """Raise if this thread writes the file in another transaction: it would wait for itself."""
        if not (self.embedded and models.open):
            return
        for other in models.open.get(self.handle.store, ()):
            if other is not self and other.begun:
                raise OperationalError(
                    "this thread writes the same file in the transaction of another connection: "
                    "end that one first, or write both through one connection"
                )

    def _show(self, shown: bool) -> None:
        """Let documents of this thread know the transaction, or be a part of theirs."""
        if shown and documents_transaction(self.handle) is not None:
            self._join()
        elif shown and self.transactional:
            models.open.setdefault(self.handle.store, []).append(self)
        elif not shown:
            known = models.open.get(self.handle.store, [])
            if self in known:
                known.remove(self)
            if not known:
                models.open.pop(self.handle.store, None)

    @property
    def joined(self) -> bool:
        """Whether the transaction is a part of documents'."""
        return self._outer is not None

    @contextlib.contextmanager
    def undone_alone(self) -> Iterator[None]:
        """Make a savepoint of a statement within a transaction, and undo it if it fails."""
        name = "of a statement"
        self.control("SAVEPOINT", name)
        try:
            yield
        except BaseException:
            self.control("ROLLBACK TO", name)
            raise
        finally:
            self.control("RELEASE", name)

    def _join(self) -> None:
        """Become a part of documents' transaction, which alone commits."""
        self._outer = documents_transaction(self.handle)
        self._outer.save_to(f"models {id(self)}")

    def _control_outer(self, verb: str, name: str) -> None:
        try:
            if verb == "SAVEPOINT":
                self._outer.save_to(name)
            elif verb == "RELEASE":
                self._outer.release(name)
            else:
                self._outer.undo_to(name)
                self.tables.undone()
        except MongoError as error:
            raise translate(error) from error

    def _end_outer(self, how: str) -> None:
        """End the part of documents' transaction that this connection's is."""
        outer, self._outer = self._outer, None
        if outer.ended:
            return
        name = f"models {id(self)}"
        if how == "abort":
            self.tables.undone()
        self.tables.changed = False
        try:
            if how == "abort":
                outer.undo_to(name)
            outer.release(name)
        except MongoError as error:
            outer.doomed = outer.doomed or str(error)
            raise translate(error) from error

    # Documents within the transaction

    @property
    def owned(self) -> Any:
        """The session, None before the first write."""
        return self._session

    @property
    def doomed(self) -> str | None:
        """Why the transaction can only be rolled back."""
        return self._broken

    @doomed.setter
    def doomed(self, why: str) -> None:
        self._broken = why

    def session(self, write: bool = True) -> Any:
        """Return the session for a command of documents."""
        try:
            return self.session_for({"insert" if write else "find": ""})
        except Error as error:
            raise OperationError(str(error), code=251) from error

    def run_for(self, handle: Any, command: Any) -> dict[str, Any]:
        """Run a command of documents; on a server what it wrote can be written again."""
        write = not is_read(command)
        session = self.session(write)
        if session is None:
            return handle.client.run(handle.name, command)  # type: ignore[no-any-return]
        try:
            reply: dict[str, Any] = session.client.run(handle.name, command, session)
            refused = first_refusal(reply)
        except MongoError as error:
            if not self.embedded:
                self._after(error)
            raise
        if self.embedded:
            return reply
        if refused is not None:
            self._after(refused)
        elif write:
            self._log.append((handle.name, command, reply.get("n"), reply.get("value")))
        return reply

    def cursor_for(self, handle: Any, command: Any, batch_size: int) -> Any:
        """Run a command of documents that answers with a cursor."""
        session = self.session(not is_read(command))
        client = self._client(session) if session is not None else handle.client
        try:
            return client.cursor(handle.name, command, session, batch_size=batch_size)
        except MongoError as error:
            if session is not None and not self.embedded:
                self._after(error)
            raise

    def save_to(self, name: str) -> None:
        """Set a savepoint for documents' `atomic()`."""
        self._documents_control("SAVEPOINT", name)
        self._spoilt.append(self.wrapper is not None and self.wrapper.needs_rollback)

    def release(self, name: str) -> None:
        """Forget a savepoint and keep what was done since."""
        self._documents_control("RELEASE", name)
        self._spoilt.pop()

    def undo_to(self, name: str) -> None:
        """Undo what was done since a savepoint."""
        self._documents_control("ROLLBACK TO", name)
        if self.wrapper is not None:
            self.wrapper.needs_rollback = self._spoilt[-1]

    def _documents_control(self, verb: str, name: str) -> None:
        try:
            self.control(verb, name)
        except Error as error:
            raise OperationError(str(error), code=251) from error
