# SPDX-License-Identifier: Apache-2.0
"""Files in GridFS, as PyMongo's gridfs stores them, over the commands of a connection.

A file is a document in `<collection>.files` and pieces in `<collection>.chunks`. Pieces are written
before the document and deleted before it: pieces without a document never stay behind a command
that fails, and deleting what is left of a file can be repeated.
"""

from __future__ import annotations

import contextlib
import datetime
import io
from collections.abc import Iterable, Iterator
from typing import Any

from bson import Int64, ObjectId

from mongodb._collections import prepare_files
from mongodb.connection import DEFAULT_CONNECTION_NAME, get_connection_handle
from mongodb.errors import MongoError

__all__ = ["CHUNK_SIZE", "CorruptGridFile", "Files", "GridFSError", "GridIn", "GridOut", "NoFile"]

CHUNK_SIZE = 255 * 1024
_LARGEST_CHUNK = 15 * 2**20  # a document holds 16 MB
_AT_ONCE = 2**20  # bytes of chunks in one command; what reading and writing keep in memory

_KEYS_AT_ONCE = 10_000

_OWN = frozenset({"length", "uploadDate", "upload_date", "md5"})
_SPELLINGS = {"content_type": "contentType", "chunk_size": "chunkSize"}


class GridFSError(MongoError):
    """A file cannot be written or read so."""


class NoFile(GridFSError):
    """There is no file with that id."""


class CorruptGridFile(GridFSError):
    """Pieces of a file are missing or have another size."""


class Files:
    """The files of one GridFS collection."""

    def __init__(
        self, alias: str = DEFAULT_CONNECTION_NAME, collection: str = "fs", handle: Any = None
    ) -> None:
        self.alias = alias
        self.collection = collection
        self._handle = handle

    @property
    def handle(self) -> Any:
        """The connection."""
        return self._handle or get_connection_handle(self.alias)

    @property
    def files(self) -> str:
        """The collection of the files' documents."""
        return f"{self.collection}.files"

    @property
    def chunks(self) -> str:
        """The collection of their pieces."""
        return f"{self.collection}.chunks"

    def new_file(self, **options: Any) -> GridIn:
        """Return a file to write to; it exists when it is closed."""
        return GridIn(self, **options)

    def put(self, data: Any, **options: Any) -> Any:
        """Store bytes, text (with `encoding`) or what a file-like object reads; return the id."""
        with GridIn(self, **options) as file:
            file.write(data)
        return file._id

    def get(self, file_id: Any) -> GridOut:
        """Return a file to read."""
        document = self.find(file_id)
        if document is None:
            raise NoFile(f"no file {file_id!r} in {self.files}")
        return GridOut(self, document)

    def find(self, file_id: Any) -> dict[str, Any] | None:
        """Return a file's document or None."""
        command = {"find": self.files, "filter": {"_id": {"$eq": file_id}}, "limit": 1}
        found = self.handle.run(command)["cursor"]["firstBatch"]
        return found[0] if found else None

    def exists(self, file_id: Any) -> bool:
        """Tell whether there is a file with that id."""
        return self.find(file_id) is not None

    def delete(self, file_id: Any) -> None:
        """Delete a file, or what an interrupted deletion left of it."""
        self.handle.delete(self.chunks, {"files_id": {"$eq": file_id}}, 0)
        self.handle.delete(self.files, {"_id": {"$eq": file_id}}, 1)


class GridIn:
    """A file that is written. Leaving a `with` block by an error takes back what was written."""

    def __init__(self, files: Files, **options: Any) -> None:
        document = {_SPELLINGS.get(key, key): value for key, value in options.items()}
        refused = _OWN & document.keys()
        if refused:
            raise TypeError(f"a file's {', '.join(sorted(refused))} cannot be given")
        size = document.setdefault("chunkSize", CHUNK_SIZE)
        if not isinstance(size, int) or not 0 < size <= _LARGEST_CHUNK:
            raise ValueError(f"chunk_size is a number from 1 to {_LARGEST_CHUNK}, not {size!r}")
        named = "_id" in document
        self._id = document.get("_id", None) if named else ObjectId()
        if named and files.exists(self._id):
            raise GridFSError(f"a file {self._id!r} is in {files.files} already")
        self._files = files
        self._file = {"_id": self._id, **document}
        self._encoding = document.get("encoding")
        self._size = size
        self._rest = bytearray()
        self._waiting: list[dict[str, Any]] = []
        self._made: list[ObjectId] = []  # chunks
        self._failed = False
        self.length = 0
        self.closed = False
        prepare_files(files)

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__") or "_file" not in self.__dict__:
            raise AttributeError(name)
        try:
            return self._file[_SPELLINGS.get(name, name)]
        except KeyError:
            raise AttributeError(f"the file has no {name!r}") from None

    def write(self, data: Any) -> int:
        """Add bytes, text (if the file has an encoding) or what a file-like object reads."""
        if self.closed:
            raise GridFSError("the file is closed")
        if hasattr(data, "read"):
            before = self.length
            while piece := data.read(self._size):
                self._add(self._bytes(piece))
            return self.length - before
        piece = self._bytes(data)
        self._add(piece)
        return len(piece)

    def writelines(self, lines: Iterable[Any]) -> None:
        """Add all of these."""
        for line in lines:
            self.write(line)

    def _bytes(self, data: Any) -> bytes | bytearray | memoryview:
        if isinstance(data, str):
            if self._encoding is None:
                raise TypeError("text is written to a file with an encoding=; write bytes")
            return data.encode(self._encoding)
        if not isinstance(data, (bytes, bytearray, memoryview)):
            raise TypeError(f"bytes or a file-like object are written, not {type(data).__name__}")
        return data

    def _add(self, data: bytes | bytearray | memoryview) -> None:
        view = memoryview(data).cast("B")
        self.length += len(view)
        while view:
            room = self._size - len(self._rest)
            self._rest += view[:room]
            view = view[room:]
            if len(self._rest) == self._size:
                self._chunk()

    def _chunk(self) -> None:
        key, n = ObjectId(), len(self._made)
        self._waiting.append({"_id": key, "files_id": self._id, "n": n, "data": bytes(self._rest)})
        self._made.append(key)
        self._rest = bytearray()
        if len(self._waiting) * self._size >= _AT_ONCE:
            self._send()

    def _send(self) -> None:
        if self._failed:
            raise GridFSError("a piece of the file could not be written; abort() and write anew")
        if self._waiting:
            chunks, self._waiting = self._waiting, []
            self._failed = True
            self._files.handle.insert(self._files.chunks, chunks)
            self._failed = False

    def close(self) -> None:
        """Write what is left, and the file's document: from now on it can be read."""
        if self.closed:
            return
        if self._rest:
            self._chunk()
        self._send()
        now = datetime.datetime.now(datetime.UTC).replace(tzinfo=None)
        self._file |= {"length": Int64(self.length), "uploadDate": now}
        self._files.handle.insert(self._files.files, [self._file])
        self.closed = True

    def abort(self) -> None:
        """Take back what was written."""
        if not self.closed:
            self.closed = True
            self._waiting, self._rest = [], bytearray()
            # by their own keys: another one may write, or have written, a file of that id
            for i in range(0, len(self._made), _KEYS_AT_ONCE):
                keys = self._made[i : i + _KEYS_AT_ONCE]
                self._files.handle.delete(self._files.chunks, {"_id": {"$in": keys}}, 0)

    def __enter__(self) -> GridIn:
        return self

    def __exit__(self, kind: Any, error: Any, trace: Any) -> None:
        if error is None:
            try:
                self.close()
            except BaseException:
                self._give_up()
                raise
        else:
            self._give_up()

    def _give_up(self) -> None:
        with contextlib.suppress(MongoError):  # the first error is what is told
            self.abort()


def _stored_size(files: Files, document: dict[str, Any], name: str) -> int:
    value = document.get(name, 0)
    if isinstance(value, int | float) and 0 <= value < 2**63:
        return int(value)
    raise CorruptGridFile(
        f"file {document['_id']!r} in {files.files}: its {name} is {value!r}, not a number of bytes"
    )


class _Pieces(io.RawIOBase):
    """A file's bytes; one chunk of them in memory, and those that came with it."""

    def __init__(self, files: Files, document: dict[str, Any]) -> None:
        self._cursor: Iterator[dict[str, Any]] | None = None  # first: what is refused is closed too
        self._files = files
        self._id = document["_id"]
        self._length = _stored_size(files, document, "length")
        self._size = _stored_size(files, document, "chunkSize") or CHUNK_SIZE
        self._at = 0
        self._n = -1
        self._data: bytes  # of the chunk number _n
        self._next = -1  # the chunk that the cursor gives next

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def tell(self) -> int:
        return self._at

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        start = {io.SEEK_SET: 0, io.SEEK_CUR: self._at, io.SEEK_END: self._length}.get(whence)
        if start is None:
            raise ValueError(f"whence is 0, 1 or 2, not {whence!r}")
        if start + offset < 0:
            raise OSError(22, "a file has no negative positions")
        self._at = start + offset
        return self._at

    def readinto(self, buffer: Any) -> int:
        part = self._part(len(buffer))
        buffer[: len(part)] = part
        return len(part)

    def readall(self) -> bytes:
        parts = []
        while part := self._part(self._size):
            parts.append(bytes(part))
        return b"".join(parts)

    def _part(self, most: int) -> memoryview:
        if self._at >= self._length:
            return memoryview(b"")
        n, offset = divmod(self._at, self._size)
        if n != self._n:
            self._load(n)
        part = memoryview(self._data)[offset : offset + most]
        self._at += len(part)
        return part

    def _load(self, n: int) -> None:
        if self._cursor is None or self._next != n:
            self._stop()
            at_once = max(1, _AT_ONCE // self._size)
            command = {
                "find": self._files.chunks,
                "filter": {"files_id": {"$eq": self._id}, "n": {"$gte": n}},
                "sort": {"n": 1},
                "batchSize": at_once,
            }
            self._cursor = self._files.handle.cursor(command, at_once)
        found = next(self._cursor, None)
        count = -(-self._length // self._size)
        if found is None or found["n"] != n:
            self._stop()
            raise CorruptGridFile(
                f"file {self._id!r} in {self._files.files}: chunk {n} of {count} is missing"
            )
        wanted = min(self._size, self._length - n * self._size)
        data = found.get("data")
        if not isinstance(data, bytes) or len(data) != wanted:
            self._stop()
            has = f"{len(data)} bytes" if isinstance(data, bytes) else type(data).__name__
            raise CorruptGridFile(
                f"file {self._id!r} in {self._files.files}: chunk {n} of {count} has "
                f"{has}, not {wanted}"
            )
        self._n, self._data, self._next = n, data, n + 1

    def _stop(self) -> None:
        cursor, self._cursor = self._cursor, None
        if cursor is not None:
            cursor.close()  # type: ignore[attr-defined]

    def close(self) -> None:
        self._stop()
        super().close()


class GridOut(io.BufferedReader):
    """A file to read, with the attributes of its document."""

    def __init__(self, files: Files, document: dict[str, Any]) -> None:
        self._file = document
        self._files = files
        pieces = _Pieces(files, document)
        super().__init__(pieces, min(pieces._size, CHUNK_SIZE))

    @property
    def _id(self) -> Any:
        return self._file["_id"]

    @property
    def name(self) -> Any:
        """The filename."""
        return self._file.get("filename")

    filename = name

    @property
    def content_type(self) -> Any:
        """The MIME type that the file was given."""
        return self._file.get("contentType")

    @property
    def length(self) -> int:
        """The number of bytes."""
        return int(self._file.get("length", 0))

    @property
    def chunk_size(self) -> int:
        """The size of all pieces but the last."""
        return int(self._file.get("chunkSize", 0))

    @property
    def upload_date(self) -> Any:
        """When the file was closed."""
        return self._file.get("uploadDate")

    @property
    def metadata(self) -> Any:
        """The `metadata` that the file was given."""
        return self._file.get("metadata")

    @property
    def aliases(self) -> Any:
        """Other names."""
        return self._file.get("aliases")

    @property
    def md5(self) -> Any:
        """The digest that older drivers stored."""
        return self._file.get("md5")

    def readchunk(self) -> bytes:
        """Return the rest of the piece that the position is in."""
        size = self.chunk_size or CHUNK_SIZE
        return self.read(size - self.tell() % size)

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__") or "_file" not in self.__dict__:
            raise AttributeError(name)
        try:
            return self.__dict__["_file"][name]
        except KeyError:
            raise AttributeError(f"the file has no {name!r}") from None
