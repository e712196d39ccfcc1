# SPDX-License-Identifier: Apache-2.0
"""One transaction for documents and models: who owns it, its savepoints, what they changed.

A transaction belongs to whoever came first: documents' `atomic()`, or Django's by a connection of
its backend. Both answer `run_for`, `cursor_for`, `session`, `save_to`, `release`, `undo_to`
and `levels`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from mongodb._connection import is_read
from mongodb._rollback import Records
from mongodb.errors import MongoError, OperationError, from_reply

__all__ = ["Level", "Levels", "Transaction", "first_refusal"]


class Level:
    """What changed since a savepoint, or since the transaction began."""

    def __init__(self, name: str = "") -> None:
        self.name = name
        self.records = Records()
        self.created: list[tuple[Any, Any]] = []  # connection, collection made inside
        self.hooks: list[Callable[[], None]] = []  # what models' on_commit asked for
        self.is_set = False  # in the engine; from the first write on

    def undo(self, known: bool = True) -> None:
        """Forget what was made, and give documents their state back."""
        for handle, key in self.created:
            handle.ready.discard(key)
        self.created.clear()
        self.hooks.clear()
        self.records.restore(known)


class Levels(list[Level]):
    """The transaction's own level and one for each savepoint that is open."""

    def __init__(self) -> None:
        super().__init__([Level()])

    def note(self, doc: Any) -> Any:
        """Note a document before it changes, for each level that may be undone alone."""
        if len(self) == 1:
            return self[0].records.note(doc)
        return _Several([level.records.note(doc) for level in self])

    def made(self, handle: Any, key: Any) -> None:
        """Note a collection that is made inside."""
        for level in self:
            level.created.append((handle, key))

    def drop(self, at: int) -> None:
        """Forget the levels from here on: what they hold belongs to the one before."""
        for level in self[at:]:
            self[at - 1].hooks += level.hooks
        del self[at:]

    def undo(self, at: int = 0, known: bool = True) -> None:
        """Undo a level and those within, and keep it, empty."""
        del self[at + 1 :]
        self[at].undo(known)


class _Several:
    """The records of one document in several levels."""

    def __init__(self, records: list[Any]) -> None:
        self._records = records

    def give(self, at: int, value: Any) -> None:
        for record in self._records:
            record.give(at, value)

    def give_inner(self, document: Any, at: int, before: Any, value: Any) -> None:
        for record in self._records:
            record.give_inner(document, at, before, value)


def first_refusal(reply: Any) -> MongoError | None:
    """Return the error of a reply that tells of refused writes, or None."""
    errors = reply.get("writeErrors")
    return (
        from_reply({**errors[0], "errorLabels": reply.get("errorLabels", [])}) if errors else None
    )


class Transaction:
    """The transaction of one outermost documents' `atomic()`."""

    def __init__(self, handle: Any, session: Any, options: Mapping[str, Any]) -> None:
        self.handle = handle
        self.embedded = handle.embedded
        self.owned = session
        self.doomed: str | None = None  # why it cannot be committed
        self.ended = False
        self.levels = Levels()
        self.begun = False  # a command was sent
        self.wrote = False  # one that changes something was
        level = (options.get("readConcern") or {}).get("level", "local")
        self.may_create = level == "local"  # a server's rule for collections made inside
        self._first: MongoError | None = None

    def session(self, write: bool = True) -> Any:
        """Return the session for a command."""
        self.begun = True
        if write:
            self.wrote = True
            self._set_points()
        return self.owned

    def _set_points(self) -> None:
        if not self.embedded:
            return
        for level in self.levels[1:]:
            if not level.is_set:
                self._point("savepoint", level.name)
                level.is_set = True

    def _point(self, verb: str, name: str) -> None:
        try:
            self.owned.client.run(self.handle.name, {verb: name}, self.owned)
        except MongoError as error:
            raise self.failed(error) from error.__cause__

    def run_for(self, handle: Any, command: Any) -> dict[str, Any]:
        """Run a command of the connection in the transaction."""
        session = self.session(not is_read(command))
        try:
            reply: dict[str, Any] = session.client.run(handle.name, command, session)
        except MongoError as error:
            raise self.failed(error) from error.__cause__
        refused = first_refusal(reply)
        if refused is not None:
            self.failed(refused)
        return reply

    def cursor_for(self, handle: Any, command: Any, batch_size: int) -> Any:
        """Run a command that answers with a cursor."""
        session = self.session(not is_read(command))
        try:
            return session.client.cursor(handle.name, command, session, batch_size=batch_size)
        except MongoError as error:
            raise self.failed(error) from error.__cause__

    def failed(self, error: MongoError) -> MongoError:
        """Keep the first error; return what to raise: one of an ended transaction names it."""
        if error.code != 251 or self._first is None:  # NoSuchTransaction
            self._first = self._first or error
            return error
        told = OperationError(
            f"the transaction was undone by an earlier error: {self._first}",
            code=error.code, code_name=error.code_name, details=error.details,
        )  # fmt: skip
        told.__cause__ = self._first
        return told

    # Savepoints

    def save_to(self, name: str) -> None:
        """Set a savepoint; the engine learns of it with the next write."""
        self.levels.append(Level(name))

    def _at(self, name: str) -> int:
        return max(at for at, level in enumerate(self.levels) if level.name == name)

    def release(self, name: str) -> None:
        """Forget a savepoint and keep what was done since."""
        at = self._at(name)
        if self.levels[at].is_set:
            self._point("releaseSavepoint", name)
        self.levels.drop(at)

    def undo_to(self, name: str) -> None:
        """Undo what was done since a savepoint; on a server that is the whole, at the end."""
        at = self._at(name)
        if self.embedded:
            if self.levels[at].is_set:
                self._point("rollbackToSavepoint", name)
            self.levels.undo(at)
        else:
            del self.levels[at + 1 :]  # the whole is undone at the end, and the objects with it
            self.doomed = (
                self.doomed or "an atomic() inside this one failed, and its error was caught"
            )
