# SPDX-License-Identifier: Apache-2.0
"""`with` blocks: transactions, other databases and collections."""

from __future__ import annotations

import contextlib
import functools
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from mongodb._collections import prepare_known
from mongodb._open_transactions import _transactions, current_transaction
from mongodb._scopes import ALONE, IDS, Scope
from mongodb._transaction import Transaction
from mongodb.connection import DEFAULT_CONNECTION_NAME, get_connection_handle
from mongodb.errors import MongoError, OperationError

__all__ = [
    "atomic",
    "no_dereference",
    "no_sub_classes",
    "query_counter",
    "run_in_transaction",
    "switch_collection",
    "switch_db",
]


class atomic:
    """A transaction: all writes inside happen, or none. A context manager and a decorator.

    Reads inside see the writes, of Django's models of the same store too. A nested `atomic()`,
    also one of Django's, is undone alone on the embedded store; within documents' `atomic()` on a
    server the outer one cannot commit any more and raises OperationError at its end. After a
    rollback document objects are as they were stored before, and keep what was assigned to them:
    saving them again stores it.
    """

    def __init__(
        self,
        alias: Any = DEFAULT_CONNECTION_NAME,
        session_kwargs: Mapping[str, Any] | None = None,
        transaction_kwargs: Mapping[str, Any] | None = None,
        using: str | None = None,
    ) -> None:
        self._function = alias if callable(alias) else None
        self._alias = using or (DEFAULT_CONNECTION_NAME if callable(alias) else alias)
        self._session_kwargs = dict(session_kwargs or {})
        self._transaction_kwargs = dict(transaction_kwargs or {})
        self._entered: list[tuple[Any, Any, Any]] = []
        if self._function is not None:
            functools.update_wrapper(self, self._function)

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        if self._function is not None:
            with type(self)(self._alias):
                return self._function(*args, **kwargs)
        function: Callable[..., Any] = args[0]

        @functools.wraps(function)
        def wrapped(*inner: Any, **named: Any) -> Any:
            with type(self)(self._alias, self._session_kwargs, self._transaction_kwargs):
                return function(*inner, **named)

        return wrapped

    def __get__(self, instance: Any, owner: Any = None) -> Any:
        return self if instance is None else functools.partial(self.__call__, instance)

    def __enter__(self) -> Any:
        handle = get_connection_handle(self._alias)
        running = current_transaction(handle)
        if running is not None:
            name = f"atomic {len(running.levels)}"
            running.save_to(name)
            self._entered.append((running, name, None))
            return running.owned
        prepare_known(handle)
        session = handle.client.session(self._session_kwargs or None)
        options = dict(self._transaction_kwargs)
        if handle.embedded:
            options["savepoints"] = True
        try:
            session.begin(options or None)
        except BaseException:
            session.close()
            raise
        transaction = Transaction(handle, session, options)
        token = _transactions.set({**_transactions.get(), handle.store: transaction})
        self._entered.append((transaction, "", token))
        return session

    async def __aenter__(self) -> Any:
        """`async with atomic()`: the transaction is that of this task, and what it awaits.

        Tasks that are started inside share it: await them one after the other.
        """
        return self.__enter__()

    async def __aexit__(self, kind: Any, error: Any, trace: Any) -> None:
        self.__exit__(kind, error, trace)

    def __exit__(self, kind: Any, error: Any, trace: Any) -> None:
        transaction, name, token = self._entered.pop()
        if token is None:
            _leave(transaction, name, kind is not None)
            return
        _transactions.reset(token)
        transaction.ended = True
        session = transaction.owned
        try:
            if kind is not None or transaction.doomed:
                with contextlib.suppress(MongoError):
                    session.abort()
                transaction.levels.undo()
                if kind is None:
                    raise OperationError(f"rolled back: {transaction.doomed}")
            else:
                _commit(transaction)
        finally:
            session.close()
        for hook in transaction.levels[0].hooks:
            hook()


def _leave(transaction: Any, name: str, failed: bool) -> None:
    """End a block within another: its error, not one of undoing it, is what the program sees."""
    if not failed:
        transaction.release(name)
        return
    try:
        transaction.undo_to(name)
        transaction.release(name)
    except MongoError as error:
        transaction.doomed = transaction.doomed or str(error)


def _commit(transaction: Transaction) -> None:
    for attempt in range(3):
        try:
            transaction.owned.commit()
            return
        except BaseException as error:
            unknown = isinstance(error, MongoError) and error.has_error_label(
                "UnknownTransactionCommitResult"
            )
            if attempt < 2 and unknown:
                continue
            # It may have happened: with the keys they have now, saving again cannot store twice.
            transaction.levels.undo(known=not unknown)
            raise


run_in_transaction = atomic


class _Swap:
    """Changes `_meta` of a class inside the block."""

    def __init__(self, cls: Any, key: str, value: Any) -> None:
        self.cls = cls
        self._key = key
        self._value = value
        self._before: list[Any] = []

    def __enter__(self) -> Any:
        self._before.append(self.cls._meta.get(self._key))
        self.cls._meta[self._key] = self._value
        return self.cls

    def __exit__(self, *args: object) -> None:
        before = self._before.pop()
        if before is None:
            self.cls._meta.pop(self._key, None)
        else:
            self.cls._meta[self._key] = before


class switch_db(_Swap):
    """Use another connection for a class: `with switch_db(User, "archive") as User:`.

    A queryset made inside keeps that connection when it is read later. The class is changed for all
    threads: `objects.using()` changes one query.
    """

    def __init__(self, cls: Any, db_alias: str) -> None:
        super().__init__(cls, "db_alias", db_alias)


class switch_collection(_Swap):
    """Use another collection for a class inside the block, in all threads; querysets made inside
    keep it."""

    def __init__(self, cls: Any, collection_name: str) -> None:
        super().__init__(cls, "collection", collection_name)


class no_dereference(Scope):
    """Read references as ids: querysets of the class that are made inside give ids.

    Other threads and tasks are not inside.
    """

    _among = IDS


class no_sub_classes(Scope):
    """Leave out documents of subclasses inside the block; other threads and tasks see them."""

    _among = ALONE


class query_counter:
    """Count the commands that the ODM sends on a connection inside the block, but for the indexes
    that the first use of a class makes."""

    def __init__(self, alias: str = DEFAULT_CONNECTION_NAME) -> None:
        self._alias = alias
        self._count = 0
        self._handle: Any = None

    def __enter__(self) -> query_counter:
        self._handle = get_connection_handle(self._alias)
        run, cursor = self._handle.run, self._handle.cursor

        def counted(function: Any) -> Any:
            @functools.wraps(function)
            def call(command: Any, *args: Any, **kwargs: Any) -> Any:
                raw = isinstance(command, bytes)  # an insert that is encoded already
                self._count += raw or "createIndexes" not in command
                return function(command, *args, **kwargs)

            return call

        self._handle.__dict__.update(run=counted(run), cursor=counted(cursor))
        return self

    def __exit__(self, *args: object) -> None:
        for name in ("run", "cursor"):
            self._handle.__dict__.pop(name, None)

    def __int__(self) -> int:
        return self._count

    def __eq__(self, other: object) -> bool:
        return self._count == other

    def __lt__(self, other: Any) -> bool:
        return bool(self._count < other)

    def __le__(self, other: Any) -> bool:
        return bool(self._count <= other)

    def __gt__(self, other: Any) -> bool:
        return bool(self._count > other)

    def __ge__(self, other: Any) -> bool:
        return bool(self._count >= other)

    __hash__ = None  # type: ignore[assignment]

    def __repr__(self) -> str:
        return str(self._count)


@contextlib.contextmanager
def set_write_concern(collection: Any, write_concerns: Mapping[str, Any]) -> Iterator[Any]:
    """Give a PyMongo collection with this write concern."""
    from pymongo.write_concern import WriteConcern

    known = dict(collection.write_concern.document)
    yield collection.with_options(write_concern=WriteConcern(**{**known, **write_concerns}))
