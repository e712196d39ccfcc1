# SPDX-License-Identifier: Apache-2.0
"""The C core. Written by hand; tests/python/core/test_stub.py compares it with the module."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from types import TracebackType
from typing import Any, Literal, Self, TypeAlias

__version__: str

# a mapping, a RawBSONDocument, or the bytes of a BSON document
_DocumentIn: TypeAlias = Mapping[str, Any] | bytes | bytearray | memoryview

def encode(document: _DocumentIn, /) -> bytes: ...
def decode(
    data: bytes | bytearray | memoryview | RawBatch,
    *,
    tz_aware: bool = False,
    plain_int: bool = False,
    raw_dbref: bool = False,
) -> dict[str, Any]: ...
def join_filters(op: Literal["$and", "$or", "$nor"], filters: list[Raw], /) -> Raw: ...

class Client:
    """A store, embedded or remote. Threads may share it, and a forked child goes on with it."""

    def __new__(
        cls,
        uri: str,
        options: _DocumentIn | None = None,
        *,
        monitor: Callable[..., object] | None = None,
        slow_us: int = -1,
    ) -> Self:
        """Open. `monitor(kind, name, db, body, host, port, duration_us, error)` is told of all.

        Its kinds are 0 (started; `body` is the command), 1 (succeeded; the reply) and 2 (failed;
        the reply, or None and the error's code, name and message). The main interpreter has it.
        With `slow_us` it is told the end of commands that took as many microseconds, nothing else;
        their `body` is the command, or None when it is larger than 4 KB.
        """

    @property
    def kind(self) -> Literal["embedded", "remote"] | None: ...
    @property
    def default_db(self) -> str | None: ...
    @property
    def closed(self) -> bool: ...
    def run(
        self,
        db: str,
        command: _DocumentIn,
        session: Session | None = None,
        *,
        check: bool = True,
        tz_aware: bool = False,
        plain_int: bool = False,
        raw_dbref: bool = False,
    ) -> dict[str, Any]:
        """Run a command; with `check`, a reply with ok: 0 raises its exception."""

    def run_raw(
        self,
        db: str,
        command: _DocumentIn,
        session: Session | None = None,
        *,
        check: bool = True,
    ) -> bytes:
        """Run a command and return the reply as BSON."""

    def cursor(
        self,
        db: str,
        command: _DocumentIn,
        session: Session | None = None,
        *,
        batch_size: int = 0,
        tz_aware: bool = False,
        plain_int: bool = False,
        raw_dbref: bool = False,
    ) -> Cursor:
        """Run a command that answers with a cursor; `batch_size` is that of later batches."""

    def session(self, options: _DocumentIn | None = None) -> Session: ...
    def close(self) -> None: ...
    def __enter__(self) -> Self: ...
    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
        /,
    ) -> None: ...

class Session:
    """A session of a Client; one thread at a time."""

    @property
    def client(self) -> Client: ...
    @property
    def lsid(self) -> dict[str, Any]: ...
    @property
    def in_transaction(self) -> bool: ...
    @property
    def closed(self) -> bool: ...
    def begin(self, options: _DocumentIn | None = None) -> None: ...
    def commit(self) -> dict[str, Any]: ...
    def abort(self) -> dict[str, Any]: ...
    def close(self) -> None: ...
    def __enter__(self) -> Self: ...
    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
        /,
    ) -> None: ...

class Cursor(Iterator[dict[str, Any]]):
    """Documents of a command's reply and of the getMore commands after it; one thread at a time."""

    @property
    def alive(self) -> bool: ...
    def __iter__(self) -> Self: ...
    def __next__(self) -> dict[str, Any]: ...
    def next_batch(self) -> RawBatch | None: ...
    def rows(self, columns: Columns, many: int, /) -> list[tuple[Any, ...]]:
        """Return the next rows, fewer than `many` at the end only."""

    def raw_batches(self) -> Iterator[RawBatch]: ...
    def set_batch_size(self, size: int, /) -> None: ...
    def close(self) -> None: ...
    def __enter__(self) -> Self: ...
    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
        /,
    ) -> None: ...

class Columns:
    """How documents become rows: of each column (path, kind, places, make)."""

    def __new__(
        cls, columns: list[tuple[tuple[str, ...], int, int, Callable[[Any], Any] | None]], /
    ) -> Self: ...
    def __len__(self) -> int: ...

class RawBatch:
    """One batch; its buffer is a BSON array of documents that were checked."""

    def __len__(self) -> int: ...
    def __buffer__(self, flags: int, /) -> memoryview: ...
    def documents(self) -> bytes: ...

class Server:
    """An embedded store served over MongoDB's wire protocol; by default on a private Unix socket.

    A forked child must start its own: the parent's goes on serving the parent's clients only.
    """

    def __new__(
        cls,
        client: Client,
        socket: str | None = None,
        *,
        host: str | None = None,
        port: int = 0,
        allow_remote: bool = False,
        max_connections: int = 0,
        max_memory_mb: int = 0,
        stall_ms: int = 0,
        idle_ms: int = 0,
    ) -> Self: ...
    @property
    def address(self) -> str: ...
    @property
    def uri(self) -> str: ...
    @property
    def running(self) -> bool: ...
    @property
    def connections(self) -> int: ...
    def stop(self) -> None: ...
    def __enter__(self) -> Self: ...
    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
        /,
    ) -> None: ...

class Schema:
    """A Document class's fields, compiled."""

    def __new__(
        cls,
        owner: type[Document],
        class_name: str | None,
        fields: list[Any],
        dynamic: bool = False,
        embedded: bool = False,
        strict: bool = True,
        own_init: bool = False,
        own_check: bool = False,
    ) -> Self: ...
    def describe(self) -> Any: ...
    def index(self, name: str, /) -> int: ...
    def filter(self, lookups: dict[str, Any], /) -> Raw:
        """Return the filter for lookups such as age__gte=18; all of them must hold."""

    def update(self, changes: dict[str, Any], /) -> Raw | None:
        """Return the update for keywords such as inc__age=1; None leaves it to Python."""

class Raw:
    """A document that is BSON already; commands take it as a value."""

    def __new__(cls, document: _DocumentIn | Raw, /) -> Self: ...
    def __bool__(self) -> bool: ...
    def __bytes__(self) -> bytes: ...
    def decode(self) -> dict[str, Any]: ...

class Document:
    """The base of document classes: a slice of a reply whose fields are decoded when read."""

    _created: bool
    _raw_refs: bool
    _extra: dict[str, Any] | None
    _context: Any
    _mask: bytes | None
    @property
    def _hollow(self) -> bool: ...
    def __init__(self, *args: Any, **kwargs: Any) -> None: ...
    def _encode(self) -> bytes: ...
    def _changes(self) -> bytes | None: ...
    def _moved(self) -> bool: ...
    def _memento(self) -> Any: ...
    def _rewind(self, memento: Any, back: bytes, /) -> Any: ...
    def _stored(self) -> bytes | None: ...
    def _get(self, at: int, /) -> Any: ...
    def _set(self, at: int, value: Any, /) -> None: ...
    def _put(self, at: int, value: Any, /) -> None: ...
    def _forget(self, at: int = ..., /) -> None: ...
    def _load(self, data: Any = ..., /, *, keep: bool = ..., trusted: bool = ...) -> None: ...
    def _share(self, other: Any, /) -> None: ...
    def _merge(self, data: Any, /) -> Any: ...
    def _suspects(self, everything: bool, /) -> Any: ...
    def _touched(self) -> Any: ...
    def _has_stored(self, at: int, /) -> bool: ...
    def _unknown(self, name: str, /) -> Any: ...
    def _unknown_names(self) -> list[str]: ...

class Slot:
    """The descriptor of one field of one class."""

    def __new__(cls, field: Any, schema: Schema, at: int, /) -> Self: ...
    @property
    def field(self) -> Any: ...
    def __get__(self, instance: Any, owner: type[Any] | None = None, /) -> Any: ...
    def __set__(self, instance: Any, value: Any, /) -> None: ...
    def __delete__(self, instance: Any, /) -> None: ...

class Batch:
    """Documents that came in one reply."""

    def __new__(
        cls,
        schema: Schema,
        data: RawBatch | bytes,
        mask: bytes | None = None,
        origin: Any = None,
        raw_refs: bool = False,
        trusted: bool = False,
    ) -> Self: ...
    def __len__(self) -> int: ...
    def __getitem__(self, index: int, /) -> Any: ...
    def documents(self) -> list[Any]: ...
    def raw(self, index: int, /) -> bytes: ...
    def keys(self) -> list[Any]: ...
    def collect(self, path: str, /) -> list[Any]: ...
    def __getattr__(self, name: str) -> Any: ...

def rows(
    serializer: Any,
    documents: Iterable[Any],
    tools: tuple[Any, Any, Any, Any, type, Any],
    kept: tuple[list[Any], dict[str, None]] | None = None,
    live: Callable[[Any], list[Any] | None] | None = None,
    /,
) -> list[Any]: ...
def snapshot(object: Any, /) -> tuple[Any, ...]: ...
def version(cls: type, /) -> int: ...
def unchanged(seen: tuple[Any, ...], /) -> bool: ...
def dumps(
    value: Any,
    encode: Callable[[Any], str],
    /,
    *,
    ensure_ascii: bool,
    compact: bool,
    allow_nan: bool,
) -> bytes | None: ...
def insert_command(
    collection: str, documents: list[Any], options: dict[str, Any], start: int, /
) -> tuple[bytes, int]: ...
def inserted(documents: list[Any], start: int, command: bytes, /) -> None: ...
def object_id() -> Any: ...
def document(cls: type[Any], data: bytes, /) -> Any: ...
def hollow(cls: type[Any], key: Any, context: Any = None, /) -> Any: ...
def init_signals(on: bool, /) -> None: ...
