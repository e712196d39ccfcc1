# SPDX-License-Identifier: Apache-2.0
"""Documents, with MongoEngine's habits where they cost nothing."""

from __future__ import annotations

from typing import Any

from bson import SON
from bson.errors import InvalidDocument
from bson.raw_bson import RawBSONDocument

from mongodb import document as _document
from mongodb import embedded as _embedded
from mongodb._indexes import parse_keys
from mongodb._registry import _document_registry
from mongodb.compat.mongoengine._beside import beside
from mongodb.compat.mongoengine._changes import EMPTY, in_their_shape
from mongodb.compat.mongoengine._fetching import as_dbrefs, fetch_related, refers
from mongodb.compat.mongoengine._loading import check_known
from mongodb.compat.mongoengine._map_reduce import MapReduceDocument
from mongodb.compat.mongoengine._pymongo import as_pymongo
from mongodb.compat.mongoengine._words import in_their_words
from mongodb.compat.mongoengine.connection import get_db, use
from mongodb.compat.mongoengine.queryset.queryset import QuerySet
from mongodb.errors import (
    FieldDoesNotExist,
    InvalidCollectionError,
    NotUniqueError,
    OperationError,
    ValidationError,
)
from mongodb.queryset.lookups import db_path
from mongodb.signals import post_delete, pre_delete

__all__ = [
    "Document",
    "DynamicDocument",
    "DynamicEmbeddedDocument",
    "EmbeddedDocument",
    "InvalidCollectionError",
    "MapReduceDocument",
    "NotUniqueError",
    "OperationError",
]


_ignored = ("_cls", "_created", "_auto_dereference", "__auto_convert")


class _Slot:
    """A field's descriptor that looks at what is assigned."""

    def __init__(self, slot: Any) -> None:
        self.slot = slot

    def __get__(self, instance: Any, owner: Any = None) -> Any:
        return self.slot.__get__(instance, owner)

    def __set__(self, instance: Any, value: Any) -> None:
        self.note(instance, value)
        self.slot.__set__(instance, value)

    def note(self, instance: Any, value: Any) -> None:
        """Look at a value before it is assigned."""


class _Immutable(_Slot):
    """Part of the shard key."""

    def note(self, instance: Any, value: Any) -> None:
        """Refuse to change it once it is stored."""
        if not instance._created and value != self.slot.__get__(instance):
            name = self.slot.__get__(None, type(instance)).name
            raise OperationError(f"Shard Keys are immutable. Tried to update {name}")


class _Key(_Slot):
    """The primary key: an unsaved document that is given one is taken for the stored one."""

    def note(self, instance: Any, value: Any) -> None:
        if instance._created and instance._stored() is None:
            instance.__dict__["_keyed"] = True


class _Habits:
    """What documents and embedded documents do otherwise."""

    _meta: dict[str, Any]

    @property
    def my_metaclass(self) -> Any:
        """The metaclass."""
        return type(type(self))

    def __init__(self, *args: Any, **values: Any) -> None:
        if args:
            raise TypeError(
                "Instantiating a document with positional arguments is not supported. "
                "Please use `field_name=value` keyword arguments."
            )
        super().__init__(**values)
        self.__dict__.pop("_keyed", None)  # a key among the first values is one of a new document

    _plain_init = __init__

    def __str__(self) -> str:  # `__unicode__` is what Python 2's projects have kept
        text: Any = getattr(self, "__unicode__", None)
        return super().__str__() if text is None else str(text())

    def __getitem__(self, name: str) -> Any:
        try:
            return super().__getitem__(name)  # type: ignore[misc]
        except KeyError:
            if self._meta.get("strict", True):
                raise
            return self._unknown(name)  # type: ignore[attr-defined]

    def _init_unknown(self, values: dict[str, Any]) -> None:
        super()._init_unknown(values)  # type: ignore[misc]
        if not self._dynamic and not self._meta.get("strict", True):  # type: ignore[attr-defined]
            known = {*self._fields, "pk", "_id", *_ignored}  # type: ignore[attr-defined]
            names = [name for name in values if name not in known]
            if names:  # `strict` is about what is stored
                raise FieldDoesNotExist(
                    f"{type(self).__name__} has no field {', '.join(sorted(names))}"
                )

    def _announce(self, values: dict[str, Any]) -> None:
        stored = None if values else self._stored()  # type: ignore[attr-defined]
        if stored is not None:  # it is loaded
            found = {name: getattr(self, name, None) for name in self._fields}  # type: ignore[attr-defined]
            values = {name: one for name, one in found.items() if one is not None}
        super()._announce(values)  # type: ignore[misc]

    def _changes(self) -> bytes | None:
        changes: bytes | None = super()._changes()  # type: ignore[misc]
        assigned = self.__dict__.get("_assigned")
        if changes is None or (EMPTY not in changes and not assigned):
            return changes
        return in_their_shape(self, changes, assigned or set())

    def _unsaved_fields(self) -> list[str]:
        names: list[str] = super()._unsaved_fields()  # type: ignore[misc]
        key = self._fields.get(self._meta.get("id_field") or "")  # type: ignore[attr-defined]
        made = key is not None and key._auto_gen and self._stored() is None  # type: ignore[attr-defined]
        return [name for name in names if not made or name != key.db_field]

    def _clear_changed_fields(self) -> None:
        """Take the values as they are for the stored ones."""
        self.__dict__.pop("_assigned", None)
        super()._clear_changed_fields()  # type: ignore[misc]

    def _validate(self, clean: bool, everything: bool) -> None:
        try:
            super()._validate(clean, everything)  # type: ignore[misc]
        except ValidationError as error:
            raise in_their_words(self, error) from error


class Document(_Habits, _document.Document):
    """A document of a collection."""

    _is_base = True
    _schema_embedded = False

    def save(self, *args: Any, **kwargs: Any) -> Any:
        """Insert the document, or send what changed since it was loaded. Return the document."""
        if self._created and self._stored() is None:
            kwargs.pop("save_condition", None)  # nothing is there that could be otherwise
        elif self._meta.get("shard_key"):
            self._check_shard_key()
        try:
            saved = super().save(*args, **kwargs)
        except TypeError as error:
            if "cannot be stored as BSON" not in str(error):
                raise
            raise InvalidDocument(f"cannot encode object: {error}") from error
        self.__dict__.pop("_assigned", None)
        return saved

    def delete(
        self, signal_kwargs: Any = None, _seen: set[Any] | None = None, **write_concern: Any
    ) -> None:
        """Delete the document; by its queryset's `delete()` where a class has one of its own."""
        queryset = self._qs()
        if type(queryset).delete is QuerySet.delete or self.pk is None:
            super().delete(signal_kwargs, _seen, **write_concern)
            return
        extra = dict(signal_kwargs or {})
        pre_delete.send(type(self), document=self, **extra)
        queryset.filter(**self._object_key).delete(write_concern=write_concern)
        post_delete.send(type(self), document=self, **extra)

    def _check_shard_key(self) -> None:
        """Refuse changes of the parts of a shard key that are inside embedded documents."""
        names = self._meta["shard_key"]
        for name in (names,) if isinstance(names, str) else names:
            path = "" if name == "pk" else db_path(type(self), name)
            if "." in path and path in self._get_changed_fields():
                raise OperationError(f"Shard Keys are immutable. Tried to update {name}")

    @classmethod
    def _from_son(cls, son: Any, _auto_dereference: bool = True, created: bool = False) -> Any:
        document = super()._from_son(son, _auto_dereference)
        check_known(cls, [document])
        return document._as_new() if created else document

    @classmethod
    def from_json(cls, json_data: str, created: bool = False, **kwargs: Any) -> Any:
        """Return the document that extended JSON describes: new, or taken as one of the store."""
        document = super().from_json(json_data, created, **kwargs)
        document._created = created
        return document

    def reload(self, *fields: Any, max_depth: int = 1) -> Any:
        """Read the document, or some fields of it, from the store again."""
        self.__dict__.pop("_assigned", None)
        return super().reload(*fields, max_depth=max_depth)

    _keys_name_documents = True

    @classmethod
    def _class_made(cls) -> None:
        """Guard the shard key; note on an unsaved document that it was given a key."""
        for field in cls._fields.values():
            named = getattr(field, "document_type_obj", None)
            if field.kind == "embedded" and isinstance(named, str):
                if named in _document_registry:
                    field.document_type  # noqa: B018  raises if it is no embedded document
        key = cls._meta.get("id_field")
        names = cls._meta.get("shard_key") or ()
        names = (names,) if isinstance(names, str) else names
        for name in {key if name == "pk" else name for name in names} & cls._fields.keys():
            type.__setattr__(cls, name, _Immutable(cls.__dict__.get(name) or getattr(cls, name)))
        if key in cls._fields and key not in names:
            type.__setattr__(cls, key, _Key(cls.__dict__[key]))

    def _replacement(self, data: bytes) -> Any:
        """Return the update that stores a document whose key may be there already."""
        if not self.__dict__.pop("_keyed", False):
            return RawBSONDocument(data)
        return {"$set": RawBSONDocument(data)}

    def _reference(self) -> Any:
        stored = self.__dict__.get("_stored_as")
        return (
            SON([("_cls", self._class_name), ("_ref", self.to_dbref())])
            if stored is None
            else stored
        )

    def select_related(self, max_depth: int = 1) -> Any:
        """Fetch the referenced documents now."""
        fetch_related([self])
        return self

    def _fetch_field(self, at: int) -> None:
        """A field that `only()` or `exclude()` left out has its default, which is not saved.

        Lists and dicts are fetched: what is added to an empty one would replace the stored.
        """
        if isinstance(self._fields[self._fields_ordered[at]].get_default(), (list, dict)):
            super()._fetch_field(at)

    @property
    def _data(self) -> dict[str, Any]:
        """The values; references in lists and dicts are not fetched for it."""
        values = {
            name: as_dbrefs(field, self._get(at)) if refers(field) else getattr(self, name)
            for at, (name, field) in enumerate(self._fields.items())
        }
        return values | self._beside_fields()

    @classmethod
    def create_index(cls, keys: Any, background: bool = False, **kwargs: Any) -> str:
        """Create one index, which begins with `_cls` where a class can have subclasses."""
        pairs = parse_keys(cls, keys)
        inherits = cls._meta.get("allow_inheritance") and cls._meta.get("index_cls", True)
        plain = all(kind in (1, -1) for _, kind in pairs)
        if inherits and plain and kwargs.pop("cls", True) and pairs[0][0] != "_cls":
            pairs.insert(0, ("_cls", 1))
        return super().create_index(pairs, background, **kwargs)

    @classmethod
    def _ready(cls) -> Any:
        use(cls._alias())
        try:
            return super()._ready()
        except OperationError as error:
            raise as_pymongo(error) from error

    @classmethod
    def _readable(cls) -> Any:
        return cls._ready()  # an index that cannot be made stops MongoEngine's reads too

    @classmethod
    def drop_collection(cls) -> None:
        """Drop the collection with all its documents and indexes."""
        use(cls._alias())
        super().drop_collection()

    @classmethod
    def _get_db(cls) -> Any:
        return get_db(cls._alias())

    @classmethod
    def _queryset(cls, default: Any = None) -> Any:
        return super()._queryset(default or QuerySet)


class DynamicDocument(_document.DynamicDocument, Document):
    """A document that takes any field."""

    _is_base = True
    _dynamic = True


class EmbeddedDocument(_Habits, _embedded.EmbeddedDocument):
    """A document inside another one."""

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        for base in cls.__mro__[1:]:
            meta = getattr(base, "_meta", {})
            if meta and not meta.get("abstract") and not meta.get("allow_inheritance"):
                raise ValueError(
                    f"Document {base.__name__} may not be subclassed. "
                    'To enable inheritance, use the "allow_inheritance" meta attribute.'
                )

    _is_base = True
    _schema_embedded = True


class DynamicEmbeddedDocument(_embedded.DynamicEmbeddedDocument, EmbeddedDocument):
    """An embedded document that takes any field."""

    _is_base = True
    _schema_embedded = True
    _dynamic = True


__getattr__ = beside(__name__)
