# SPDX-License-Identifier: Apache-2.0
"""`with` blocks: transactions, other databases and collections."""

from __future__ import annotations

import contextlib
import functools
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from mongodb._collections import prepare_known
from mongodb._handle import _transactions
from mongodb._rollback import Records
from mongodb._scopes import ALONE, IDS, Scope
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


class _Transaction:
    """The transaction of one outermost `atomic()`."""

    def __init__(self, session: Any, options: Mapping[str, Any]) -> None:
        self.session = session
        self.doomed = False
        self.records = Records()
        self.begun = False  # a command was sent
        level = (options.get("readConcern") or {}).get("level", "local")
        self.may_create = level == "local"  # a server's rule for collections made inside
        self.created: set[Any] = set()

    def undo(self, handle: Any, known: bool = True) -> None:
        """Forget what was made inside, and give documents their state back."""
        handle.ready -= self.created
        self.records.restore(known)


class atomic:
    """A transaction: all writes inside happen, or none. A context manager and a decorator.

    Reads inside see the writes. A nested `atomic()` joins the outer one: when the inner block
    raises, the outer one cannot commit any more and raises OperationError at its end. After a
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
        self._entered: list[tuple[Any, _Transaction, Any]] = []
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
        running = _transactions.get().get(handle)
        if running is not None:
            self._entered.append((handle, running, None))
            return running.session
        prepare_known(handle)
        session = handle.client.session(self._session_kwargs or None)
        try:
            session.begin(self._transaction_kwargs or None)
        except BaseException:
            session.close()
            raise
        transaction = _Transaction(session, self._transaction_kwargs)
        token = _transactions.set({**_transactions.get(), handle: transaction})
        self._entered.append((handle, transaction, token))
        return session

    def __exit__(self, kind: Any, error: Any, trace: Any) -> None:
        handle, transaction, token = self._entered.pop()
        if token is None:
            transaction.doomed = transaction.doomed or kind is not None
            return
        _transactions.reset(token)
        session = transaction.session
        try:
            if kind is not None or transaction.doomed:
                with contextlib.suppress(MongoError):
                    session.abort()
                transaction.undo(handle)
                if kind is None:
                    raise OperationError(
                        "rolled back: an atomic() inside this one failed, and its error was caught"
                    )
            else:
                _commit(handle, transaction)
        finally:
            session.close()


def _commit(handle: Any, transaction: _Transaction) -> None:
    for attempt in range(3):
        try:
            transaction.session.commit()
            return
        except BaseException as error:
            unknown = isinstance(error, MongoError) and error.has_error_label(
                "UnknownTransactionCommitResult"
            )
            if attempt < 2 and unknown:
                continue
            # It may have happened: with the keys they have now, saving again cannot store twice.
            transaction.undo(handle, known=not unknown)
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
    """Count the commands that the ODM sends on a connection inside the block."""

    def __init__(self, alias: str = DEFAULT_CONNECTION_NAME) -> None:
        self._alias = alias
        self._count = 0
        self._handle: Any = None

    def __enter__(self) -> query_counter:
        self._handle = get_connection_handle(self._alias)
        run, cursor = self._handle.run, self._handle.cursor

        def counted(function: Any) -> Any:
            @functools.wraps(function)
            def call(*args: Any, **kwargs: Any) -> Any:
                self._count += 1
                return function(*args, **kwargs)

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
