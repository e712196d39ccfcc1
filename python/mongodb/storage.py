# SPDX-License-Identifier: Apache-2.0
"""Django's file storage on GridFS: uploads stand beside the rows and documents that name them.

A file's `_id` is its name, so that two who save the same name at once do not get one file.
"""

from __future__ import annotations

import datetime
import io
import mimetypes
import posixpath
import re
import tempfile
from collections.abc import Iterator
from typing import Any
from urllib.parse import urljoin

from django.conf import settings
from django.core.exceptions import ImproperlyConfigured
from django.core.files import File
from django.core.files.storage import Storage, storages
from django.db import connections
from django.http import Http404, HttpResponse, HttpResponseNotModified, StreamingHttpResponse
from django.utils import timezone
from django.utils.deconstruct import deconstructible
from django.utils.encoding import filepath_to_uri
from django.utils.http import content_disposition_header, http_date
from django.views.static import was_modified_since

from mongodb.errors import NotUniqueError
from mongodb.gridfs import CHUNK_SIZE, Files, GridFSError, GridOut

__all__ = ["GridFSFile", "GridFSStorage", "serve"]

_MODES = ("r", "rb", "rt", "w", "wb")
_SHOWN = re.compile(r"(image/(?!svg)|audio/|video/|text/plain$|application/pdf$)")
_RANGE = re.compile(r"bytes=([0-9]{0,99})-([0-9]{0,99})\Z")


class GridFSFile(File):
    """A file that is read."""

    def __init__(self, source: GridOut, name: str, text: bool) -> None:
        super().__init__(io.TextIOWrapper(source, encoding="utf-8") if text else source, name)
        self.mode = "r" if text else "rb"
        self.size = source.length
        self.content_type = source.content_type


class _Written(File):
    """A file that takes the place of what has its name when it is closed."""

    def __init__(self, storage: GridFSStorage, name: str, text: bool) -> None:
        spooled: Any = tempfile.SpooledTemporaryFile(max_size=2**20)
        super().__init__(spooled, name)
        self.mode = "w" if text else "wb"
        self._storage = storage
        self._text = text

    def write(self, data: Any) -> int:
        """Add bytes, or text where the mode is "w"."""
        return int(self.file.write(data.encode() if self._text else data))

    def close(self) -> None:
        if not self.closed:
            self.seek(0)
            self._storage.delete(self.name)
            self._storage._put(self.name, self.file)
            self.file.close()

    def __exit__(self, kind: Any, error: Any, trace: Any) -> None:
        if kind is None:
            self.close()
        else:
            self.file.close()  # what was there stays


@deconstructible(path="mongodb.storage.GridFSStorage")
class GridFSStorage(Storage):
    """Files in the GridFS collection `collection` of a database.

    `using` names one of `DATABASES` whose engine is mongodb.backend, `alias` a connection of
    documents. What is saved within a transaction is undone with it.
    """

    def __init__(
        self,
        using: str = "default",
        alias: str | None = None,
        collection: str = "media",
        base_url: str | None = None,
    ) -> None:
        self.using = using
        self.alias = alias
        self.collection = collection
        self._base_url = base_url

    @property
    def base_url(self) -> str:
        """What URLs begin with: MEDIA_URL if none was given."""
        base = settings.MEDIA_URL if self._base_url is None else self._base_url
        return base if not base or base.endswith("/") else f"{base}/"

    @property
    def files(self) -> Files:
        """The GridFS collection."""
        if self.alias is not None:
            return Files(self.alias, self.collection)
        wrapper: Any = connections[self.using]
        if wrapper.vendor != "mongodb":
            raise ImproperlyConfigured(
                f"GridFSStorage: DATABASES[{self.using!r}] is {wrapper.display_name}; name one "
                'whose ENGINE is "mongodb.backend" in using, or a connection of documents in alias'
            )
        wrapper.ensure_connection()
        return Files(collection=self.collection, handle=wrapper.connection.handle)

    def _find(self, name: str) -> dict[str, Any]:
        """The newest document of a name: other programs may have put more than one."""
        files = self.files
        command = {"find": files.files, "filter": {"filename": {"$eq": _clean(name)}},
                   "sort": {"uploadDate": -1}, "limit": 1}  # fmt: skip
        found = files.handle.run(command)["cursor"]["firstBatch"]
        if not found:
            raise FileNotFoundError(f"no file {name!r} in {files.files}")
        return dict(found[0])

    def _open(self, name: str, mode: str = "rb") -> File:
        if mode not in _MODES:
            raise ValueError(f"a file of GridFS is opened with {', '.join(_MODES)}, not {mode!r}")
        text = "b" not in mode
        if mode.startswith("w"):
            return _Written(self, _clean(name), text)
        return GridFSFile(GridOut(self.files, self._find(name)), name, text)

    def _save(self, name: str, content: Any) -> str:
        name = _clean(name)
        while True:
            try:
                self._put(name, content)
                return name
            except NotUniqueError:  # its pieces, or its document
                pass
            except GridFSError:
                if not self.exists(name):
                    raise
            folder, last = posixpath.split(name)  # another one is quicker
            root, ending = posixpath.splitext(last)
            name = posixpath.join(folder, self.get_alternative_name(root, ending))

    def _put(self, name: str, content: Any) -> None:
        if hasattr(content, "seek"):
            content.seek(0)
        kind = getattr(content, "content_type", None) or mimetypes.guess_type(name)[0]
        kind = kind or "application/octet-stream"
        self.files.put(_Bytes(content), _id=name, filename=name, contentType=kind)

    def delete(self, name: str) -> None:
        """Delete a file; nothing happens where there is none."""
        if not name:
            raise ValueError("The name must be given to delete().")
        files = self.files
        command = {"find": files.files, "filter": {"filename": {"$eq": _clean(name)}},
                   "projection": {"_id": 1}}  # fmt: skip
        for one in list(files.handle.cursor(command, 0)):
            files.delete(one["_id"])

    def exists(self, name: str) -> bool:
        """Tell whether there is a file of that name."""
        try:
            self._find(name)
        except FileNotFoundError:
            return False
        return True

    def listdir(self, path: str) -> tuple[list[str], list[str]]:
        """Return the folders and the files in a folder, by what names have before a slash."""
        folder = _clean(path).strip("/")
        start = f"{folder}/" if folder not in ("", ".") else ""
        files = self.files
        command = {"find": files.files, "projection": {"_id": 0, "filename": 1},
                   "filter": {"filename": {"$regex": f"^{re.escape(start)}"}}}  # fmt: skip
        folders: set[str] = set()
        names: set[str] = set()
        for one in files.handle.cursor(command, 0):
            first, slash, _ = one["filename"].removeprefix(start).partition("/")
            (folders if slash else names).add(first)
        return sorted(folders), sorted(names)

    def size(self, name: str) -> int:
        """Return the number of bytes."""
        return int(self._find(name)["length"])

    def url(self, name: str | None) -> str:
        """Return where `serve` is expected to show a file."""
        return urljoin(self.base_url, (filepath_to_uri(name) or "").lstrip("/"))

    def get_modified_time(self, name: str) -> datetime.datetime:
        """Return when a file was written; naive in the local zone without USE_TZ."""
        moment = self._find(name)["uploadDate"].replace(tzinfo=datetime.UTC)
        return moment if settings.USE_TZ else timezone.make_naive(moment)

    get_created_time = get_modified_time  # files are written once


class _Bytes:
    """What is uploaded, as bytes: a ContentFile may hold text."""

    def __init__(self, source: Any) -> None:
        self._source = source

    def read(self, size: int) -> bytes:
        piece = self._source.read(size)
        return piece.encode() if isinstance(piece, str) else piece


def _clean(name: Any) -> str:
    return str(name).replace("\\", "/")


def serve(request: Any, name: str, storage: str = "default") -> Any:
    """Show a file of a storage in `STORAGES`: `path("media/<path:name>", serve)`.

    What a browser would run as a page of this site, like HTML or SVG, it is given to download.
    """
    store: Any = storages[storage]
    try:
        document = store._find(name)
    except FileNotFoundError as error:
        raise Http404(str(error)) from error
    written = document["uploadDate"].replace(tzinfo=datetime.UTC).timestamp()
    if not was_modified_since(request.META.get("HTTP_IF_MODIFIED_SINCE"), int(written)):
        return HttpResponseNotModified()
    kind = document.get("contentType") or "application/octet-stream"
    size, tag = int(document["length"]), http_date(int(written))
    part = _part(request, size, tag)
    if part is not None and part[0] >= part[1]:
        return HttpResponse(status=416, headers={"Content-Range": f"bytes */{size}"})
    start, end = (0, size) if part is None else part
    file = GridOut(store.files, document)
    response = StreamingHttpResponse(
        _pieces(file, start, end), content_type=kind, status=200 if part is None else 206
    )
    response.headers["Accept-Ranges"] = "bytes"
    response.headers["Content-Length"] = str(end - start)
    if part is not None:
        response.headers["Content-Range"] = f"bytes {start}-{end - 1}/{size}"
    response.headers["Last-Modified"] = tag
    response.headers["X-Content-Type-Options"] = "nosniff"
    if not _SHOWN.match(kind):
        last = name.rsplit("/", 1)[-1]
        response.headers["Content-Disposition"] = content_disposition_header(True, last) or ""
    return response


def _part(request: Any, size: int, tag: str) -> tuple[int, int] | None:
    """The bytes that a request asks for, as where they start and end; None: all of them.

    Of several ranges, of one in other words, and of a file that has changed since, all is given,
    as RFC 9110 lets one; ranges are for GET alone. A range that begins behind the end is empty.
    """
    asked = _RANGE.match(request.META.get("HTTP_RANGE", ""))
    if asked is None or request.method != "GET":
        return None
    if request.META.get("HTTP_IF_RANGE", tag) != tag:
        return None
    first, last = asked.groups()
    if not first and not last:
        return None
    if not first:
        return (max(size - int(last), 0), size) if int(last) and size else (size, size)
    if last and int(last) < int(first):
        return None
    end = min(int(last) + 1, size) if last else size
    return int(first), end


def _pieces(file: GridOut, start: int, end: int) -> Iterator[bytes]:
    with file:
        file.seek(start)
        while start < end and (piece := file.read(min(CHUNK_SIZE, end - start))):
            start += len(piece)
            yield piece
