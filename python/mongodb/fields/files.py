# SPDX-License-Identifier: Apache-2.0
"""Fields that hold a file: the document has its id, GridFS the file."""

from __future__ import annotations

import contextlib
import io
from collections.abc import Iterable, Iterator
from typing import Any

from bson import ObjectId

from mongodb.connection import DEFAULT_CONNECTION_NAME
from mongodb.errors import MongoError, ValidationError
from mongodb.fields.base_field import BaseField, _stored
from mongodb.gridfs import Files, GridFSError, GridIn, GridOut, NoFile

__all__ = [
    "FileField",
    "GridFSError",
    "GridFSProxy",
    "ImageField",
    "ImageGridFsProxy",
    "ImproperlyConfigured",
]


class ImproperlyConfigured(MongoError):
    """A package that a field needs is not installed."""


class GridFSProxy:
    """What a FileField shows: the file that the document names, or none yet.

    Attributes that it does not have are those of the file: `filename`, `length`, `seek()`, ….
    """

    def __init__(
        self,
        grid_id: Any = None,
        key: str | None = None,
        instance: Any = None,
        db_alias: str = DEFAULT_CONNECTION_NAME,
        collection_name: str = "fs",
    ) -> None:
        self.grid_id = grid_id
        self.key = key
        self.instance = instance
        self.db_alias = db_alias
        self.collection_name = collection_name
        self.newfile: GridIn | None = None
        self.gridout: GridOut | None = None

    @property
    def fs(self) -> Files:
        """The files of the collection."""
        return Files(self.db_alias, self.collection_name)

    def get(self, grid_id: Any = None) -> GridOut | None:
        """Return the file to read, or None when there is none."""
        if grid_id is not None:
            self.grid_id, self.gridout = grid_id, None
        if self.grid_id is None:
            return None
        if self.gridout is None or self.gridout.closed:
            try:
                self.gridout = self.fs.get(self.grid_id)
            except NoFile:
                return None
        return self.gridout

    # Writing

    def new_file(self, **options: Any) -> None:
        """Begin a file: then `write()` and `close()`."""
        self._refuse_second()
        self.newfile = self.fs.new_file(**options)
        self._take(self.newfile._id)

    def put(self, file_obj: Any, **options: Any) -> None:
        """Store a file: bytes or an object with `read()`. A document has one: see `replace()`."""
        self._refuse_second()
        self._take(self._store(file_obj, options))

    def _store(self, file_obj: Any, options: dict[str, Any]) -> Any:
        return self.fs.put(file_obj, **options)

    def write(self, string: Any) -> int:
        """Add to the file that `new_file()` began; begin one if there is none."""
        if self.newfile is None:
            self.new_file()
        assert self.newfile is not None
        try:
            return self.newfile.write(string)
        except MongoError:
            self.newfile._give_up()
            self._forget()
            self._take(None)
            raise

    def writelines(self, lines: Iterable[Any]) -> None:
        """Add all of these."""
        for line in lines:
            self.write(line)

    def close(self) -> None:
        """Finish writing: from now on the file can be read."""
        newfile, self.newfile = self.newfile, None
        if newfile is not None:
            try:
                newfile.__exit__(None, None, None)
            except BaseException:
                self._take(None)
                raise

    def delete(self) -> None:
        """Delete the file; the document names none then. Save it."""
        if self.grid_id is not None:
            self._remove(self.grid_id)
        self._forget()
        self._take(None)

    def _remove(self, grid_id: Any) -> None:
        self.fs.delete(grid_id)

    def replace(self, file_obj: Any, **options: Any) -> None:
        """Store another file, then delete the one there was. Save the document."""
        old = self.grid_id
        new = self._store(file_obj, options)
        self._forget()
        self._take(new)
        if old is not None:
            self._remove(old)

    def _refuse_second(self) -> None:
        if self.grid_id is not None or self._held():
            raise GridFSError(
                "the document has a file already: delete() it, or replace() it by another"
            )

    def _forget(self) -> None:
        if self.gridout is not None:
            self.gridout.close()
        self.gridout = self.newfile = None

    # The document

    def _own_field(self) -> Any:
        """Return the field of the document that holds this, unless it is inside a list."""
        field = self.instance._fields.get(self.key) if self.instance is not None else None
        return field if isinstance(field, FileField) else None

    def _held(self) -> Any:
        """Return what the document has in this place: another one may have been stored."""
        if self._own_field() is None:
            return None
        return self.instance._get(self.instance._schema.index(self.key))

    def _take(self, grid_id: Any) -> None:
        self.grid_id = grid_id
        if self._own_field() is not None:
            at = self.instance._schema.index(self.key)
            self.instance._set(at, None if grid_id is None else self)

    # Reading

    def read(self, size: int = -1) -> bytes | None:
        """Read on; None when there is no file. CorruptGridFile when a piece of it is missing."""
        out = self.get()
        return None if out is None else out.read(size)

    def __enter__(self) -> GridOut:
        self._forget_position()
        out = self.get()
        if out is None:
            raise NoFile(f"there is no file {self.grid_id!r} in {self.fs.files}")
        return out

    def __exit__(self, *args: object) -> None:
        self._forget_position()

    def _forget_position(self) -> None:
        if self.gridout is not None:
            self.gridout.close()
        self.gridout = None

    def __iter__(self) -> Iterator[bytes]:
        return iter(self.get() or ())

    def __getattr__(self, name: str) -> Any:
        if name.startswith("_") or "grid_id" not in self.__dict__:
            raise AttributeError(name)
        out = self.get()
        if out is None:
            raise AttributeError(f"there is no file to have {name!r}")
        return getattr(out, name)

    def __bool__(self) -> bool:
        return self.grid_id is not None

    def __eq__(self, other: object) -> bool:
        return isinstance(other, GridFSProxy) and self._place() == other._place()

    def __hash__(self) -> int:
        return hash(str(self._place()))

    def _place(self) -> tuple[Any, ...]:
        return self.grid_id, self.collection_name, self.db_alias

    def _to_plain(self) -> Any:
        return self.grid_id

    def __getstate__(self) -> dict[str, Any]:
        return {**self.__dict__, "gridout": None, "newfile": None}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__.update(state)

    def __copy__(self) -> GridFSProxy:
        copied = type(self)()
        copied.__dict__.update(self.__getstate__())
        return copied

    def __deepcopy__(self, memo: Any) -> GridFSProxy:
        return self.__copy__()

    def __repr__(self) -> str:
        return f"<{type(self).__name__}: {self.grid_id}>"

    def __str__(self) -> str:
        out = self.get()
        name = "<no file>" if out is None else out.filename
        return f"<{type(self).__name__}: {name} ({self.grid_id})>"


class FileField(BaseField):
    """A file in GridFS. The document stores its id; `put()` and `delete()` change it."""

    kind = "python"
    proxy_class: type[GridFSProxy] = GridFSProxy

    def __init__(
        self,
        db_alias: str = DEFAULT_CONNECTION_NAME,
        collection_name: str = "fs",
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.collection_name = collection_name
        self.db_alias = db_alias

    def __get__(self, instance: Any, owner: Any = None) -> Any:
        value = super().__get__(instance, owner)
        if instance is None:
            return value
        if value is None:
            return self.get_proxy_obj(self.name, instance)
        if isinstance(value, GridFSProxy) and value.key is None:
            value.key, value.instance = self.name, instance
        return value

    def __set__(self, instance: Any, value: Any) -> None:
        if isinstance(value, ObjectId):
            value = self.to_python(value)
        if not _is_content(value):
            super().__set__(instance, value)
            return
        options = {}
        if isinstance(getattr(value, "content_type", None), str):  # an upload of Django's
            options = {"filename": value.name, "content_type": value.content_type}
        held = self.__get__(instance)
        if not isinstance(held, GridFSProxy):
            held = self.get_proxy_obj(self.name, instance)
        held.replace(value, **options)

    def get_proxy_obj(
        self,
        key: str,
        instance: Any,
        db_alias: str | None = None,
        collection_name: str | None = None,
    ) -> GridFSProxy:
        """Return a proxy without a file, for this field or for an item of a list."""
        return self.proxy_class(
            key=key,
            instance=instance,
            db_alias=db_alias or self.db_alias,
            collection_name=collection_name or self.collection_name,
        )

    def to_python(self, value: Any) -> Any:
        if not isinstance(value, ObjectId) and not _stored.get():
            return value
        return self.proxy_class(value, db_alias=self.db_alias, collection_name=self.collection_name)

    def to_mongo(self, value: Any) -> Any:
        return value.grid_id if isinstance(value, GridFSProxy) else value

    def validate(self, value: Any, clean: bool = True) -> None:
        if not isinstance(value, self.proxy_class):
            self.error(f"{type(self).__name__} only accepts {self.proxy_class.__name__} values")
        if value.grid_id is not None and not isinstance(value.grid_id, ObjectId):
            self.error(f"Invalid {type(value).__name__} value")


def _is_content(value: Any) -> bool:
    if isinstance(value, GridFSProxy):
        return False
    return isinstance(value, (bytes, str)) or hasattr(value, "read")


# Images


def _pillow() -> Any:
    try:
        import PIL.Image
        import PIL.ImageOps
    except ImportError as error:
        raise ImproperlyConfigured("images need Pillow: pip install mongodb-rest[image]") from error
    return PIL


def _resized(image: Any, size: dict[str, Any] | None) -> Any:
    """Return the image, no larger than this; with `force`, cut to just this size."""
    if size is None:
        return image
    pillow = _pillow()
    box = (size["width"], size["height"])
    if size["force"]:
        return pillow.ImageOps.fit(image, box, pillow.Image.Resampling.LANCZOS)
    copy = image.copy()
    copy.thumbnail(box, pillow.Image.Resampling.LANCZOS)
    return copy


def _encoded(image: Any, kind: str, progressive: bool) -> io.BytesIO:
    out = io.BytesIO()
    image.save(out, kind, progressive=progressive)
    out.seek(0)
    return out


def _opened(file_obj: Any) -> Any:
    """Return the image of bytes or an open file, with its pixels read."""
    pillow = _pillow()
    if isinstance(file_obj, str):  # data of clients must not name files of this machine
        raise ValueError("bytes or an open file expected, not a name")
    image = pillow.Image.open(
        io.BytesIO(file_obj) if isinstance(file_obj, (bytes, bytearray)) else file_obj
    )
    width, height = image.size
    most = pillow.Image.MAX_IMAGE_PIXELS
    if most is not None and width * height > most:  # Pillow warns here, and refuses twice as many
        raise ValueError(f"{width} x {height} pixels are more than {most}")
    if image.format == "EPS":
        raise ValueError("EPS is a program, which would be run")
    image.load()
    return image


class ImageGridFsProxy(GridFSProxy):
    """What an ImageField shows."""

    def _image_field(self) -> Any:
        field = self.instance._fields[self.key]
        while not isinstance(field, ImageField):
            field = field._item
        return field

    def _store(self, file_obj: Any, options: dict[str, Any]) -> Any:
        field = self._image_field()
        try:
            image = _opened(file_obj)
            kind = image.format
            progressive = options.pop("progressive", False) is True and kind == "JPEG"
            limit = field.size
            if limit and (image.size[0] > limit["width"] or image.size[1] > limit["height"]):
                image = _resized(image, limit)
            content = _encoded(image, kind, progressive)
            if field.thumbnail_size:
                thumbnail = _resized(image, field.thumbnail_size)
                small = _encoded(thumbnail, kind, progressive)
        except ImproperlyConfigured:
            raise
        except Exception as error:
            raise ValidationError(f"Invalid image: {error}", field_name=field.name) from error
        thumbnail_id = None
        if field.thumbnail_size:
            width, height = thumbnail.size
            thumbnail_id = self.fs.put(small, width=width, height=height, format=kind)
        width, height = image.size
        try:
            return self.fs.put(
                content,
                **{"width": width, "height": height, "format": kind,
                   "thumbnail_id": thumbnail_id, **options},
            )  # fmt: skip
        except BaseException:
            if thumbnail_id is not None:
                with contextlib.suppress(MongoError):
                    self.fs.delete(thumbnail_id)
            raise

    def _remove(self, grid_id: Any) -> None:
        document = self.fs.find(grid_id) or {}
        if document.get("thumbnail_id") is not None:
            self.fs.delete(document["thumbnail_id"])
        self.fs.delete(grid_id)

    def _value(self, name: str) -> Any:
        out = self.get()
        return None if out is None else out._file.get(name)

    @property
    def size(self) -> tuple[int, int] | None:
        """Width and height."""
        out = self.get()
        return None if out is None else (self._value("width"), self._value("height"))

    @property
    def format(self) -> Any:
        """PNG, JPEG, …"""
        return self._value("format")

    @property
    def thumbnail(self) -> GridOut | None:
        """The thumbnail's file, or None."""
        found = self._value("thumbnail_id")
        return None if found is None else self.fs.get(found)

    def write(self, *args: Any, **kwargs: Any) -> Any:
        """Not for images: they are stored whole."""
        raise RuntimeError("an image is stored whole: use put()")

    writelines = write


class ImageField(FileField):
    """An image in GridFS, by Pillow.

    `size` is (width, height, force): larger ones are made smaller, with `force` cut to that size.
    `thumbnail_size` is the same for a second file beside it.
    """

    kind = "python"
    proxy_class = ImageGridFsProxy

    def __init__(
        self,
        size: Any = None,
        thumbnail_size: Any = None,
        collection_name: str = "images",
        **kwargs: Any,
    ) -> None:
        _pillow()
        self.size = _box("size", size)
        self.thumbnail_size = _box("thumbnail_size", thumbnail_size)
        super().__init__(collection_name=collection_name, **kwargs)


def _box(name: str, size: Any) -> dict[str, Any] | None:
    if size is None:
        return None
    if not isinstance(size, (list, tuple)) or not 2 <= len(size) <= 3:
        raise TypeError(f"{name} is (width, height) or (width, height, force), not {size!r}")
    return dict(zip(("width", "height", "force"), (*size, False), strict=False))
