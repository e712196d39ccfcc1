# SPDX-License-Identifier: Apache-2.0
"""Fields. Embedded documents that are read from one know their document, as `_instance`."""

from __future__ import annotations

import datetime
import uuid
import weakref
from collections.abc import Callable
from decimal import Decimal, Inexact
from typing import Any

from bson import Binary, DBRef, Decimal128
from bson.binary import UuidRepresentation
from bson.tz_util import utc

from mongodb import _registry
from mongodb import fields as _fields
from mongodb.base_document import BaseDocument
from mongodb.compat.mongoengine._beside import beside
from mongodb.compat.mongoengine._fetching import (
    fetch_inside,
    reference,
    refers,
    unfetched,
    untyped,
)
from mongodb.compat.mongoengine.base.fields import dereferences
from mongodb.connection import open_connections
from mongodb.errors import InvalidDocumentError, ValidationError
from mongodb.fields import *  # noqa: F403
from mongodb.fields.lazy import ReadsLazily

RECURSIVE_REFERENCE_CONSTANT = "self"

_RULES = {"CASCADE", "DENY", "DO_NOTHING", "NULLIFY", "PULL", "BaseField"}
__all__ = sorted(set(_fields.__all__) - _RULES)  # noqa: PLE0605


class _Binding:
    """Tells embedded documents whose they are when they are read."""

    def __get__(self, instance: Any, owner: Any = None) -> Any:
        value = super().__get__(instance, owner)  # type: ignore[misc]
        if instance is not None and value is not None and _holds_documents(self):
            _bind(value, instance)
        return value

    def __set__(self, instance: Any, value: Any) -> None:
        item = self._item  # type: ignore[attr-defined]
        if value and isinstance(item, (_fields.EnumField, ReadsLazily)):
            value = self.to_python(value)  # type: ignore[attr-defined]
        told = bool(value) and not instance._created and value != self.__get__(instance)
        super().__set__(instance, value)  # type: ignore[misc]
        if told:
            instance.__dict__.setdefault("_assigned", set()).add(self.name)  # type: ignore[attr-defined]
        if _holds_documents(self):
            _bind(value, instance)


def _holds_documents(field: Any) -> bool:
    while field._item is not None:
        field = field._item
    return bool(field.kind == "embedded" or field._generic)


def _bind(value: Any, instance: Any) -> None:
    if isinstance(value, BaseDocument):
        if value._schema_embedded and value._instance is None:
            value._instance = weakref.proxy(instance)
    elif isinstance(value, (list, tuple)):
        for one in value:
            _bind(one, instance)
    elif isinstance(value, dict):
        for one in value.values():
            _bind(one, instance)


def _any_fetched(field: Any, instance: Any, value: Any) -> Any:
    """Return a container whose items have no field, its documents fetched the first time."""
    if untyped(field) and dereferences(field):
        seen = instance.__dict__.setdefault("_fetched", {})
        if seen.get(field.name) is not value:
            fetch_inside(field, value, instance)
            seen[field.name] = value
    return value


class _Declared:
    """A declaration that cannot work is a ValidationError."""

    _said = ""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        try:
            super().__init__(*args, **kwargs)
        except (InvalidDocumentError, ValidationError) as error:
            raise ValidationError(self._said or str(error)) from error


class ReferenceField(_Declared, _fields.ReferenceField):
    """A reference; a DBRef where nothing is fetched."""

    _said = "Argument to ReferenceField constructor must be a document class or a string"

    @property
    def _auto_dereference(self) -> bool:  # type: ignore[override]
        return dereferences(self)

    def __get__(self, instance: Any, owner: Any = None) -> Any:
        value = super().__get__(instance, owner)
        return value if instance is None else self._unfetched(value, dereferences(self))

    def _unfetched(self, value: Any, fetches: bool) -> Any:
        """Return a bare key as a DBRef; without fetching, a document too."""
        if value is None or isinstance(value, DBRef):
            return value
        if isinstance(value, BaseDocument):
            return value if fetches or value.pk is None else unfetched(self, value)  # type: ignore[attr-defined]
        return DBRef(self.document_type._get_collection_name(), value)


class CachedReferenceField(_Declared, _fields.CachedReferenceField):
    """A reference that keeps a copy of some fields."""

    _said = "Argument to CachedReferenceField constructor must be a document class or a string"


class LazyReferenceField(_Declared, _fields.LazyReferenceField):
    """A reference that reads as a LazyReference."""

    _said = "Argument to LazyReferenceField constructor must be a document class or a string"


class Decimal128Field(_fields.Decimal128Field):
    """A decimal number that is stored as Decimal128 and read as a Decimal."""

    def __get__(self, instance: Any, owner: Any = None) -> Any:
        value = super().__get__(instance, owner)
        return value.to_decimal() if isinstance(value, Decimal128) else value


class EmbeddedDocumentField(_Binding, _Declared, _fields.EmbeddedDocumentField):
    """An embedded document."""

    _said = "Invalid embedded document class provided to an EmbeddedDocumentField"

    @property
    def document_type(self) -> Any:
        try:
            return _fields.EmbeddedDocumentField.document_type.fget(self)  # type: ignore[attr-defined]
        except InvalidDocumentError as error:
            raise ValidationError(self._said) from error


class GenericEmbeddedDocumentField(_Binding, _fields.GenericEmbeddedDocumentField):
    """An embedded document of any class."""


class _Container(_Binding):
    """References inside are fetched when the container is read, those of a class at once."""

    @property
    def _auto_dereference(self) -> bool:
        return dereferences(self)

    def __get__(self, instance: Any, owner: Any = None) -> Any:
        value = super().__get__(instance, owner)
        if instance is None or not value:
            return value
        if not refers(self):
            return _any_fetched(self, instance, value)
        fetches = dereferences(self)
        if fetches:
            fetch_inside(self, value)
        self._show(value, fetches)
        return value

    def _show(self, value: Any, fetched: bool) -> None:
        """Make of references what is shown of them."""


class ListField(_Container, _fields.ListField):
    """A list."""

    def _show(self, value: Any, fetched: bool) -> None:
        if isinstance(self.field, ReferenceField):
            for at, one in enumerate(value):
                if not isinstance(one, BaseDocument if fetched else DBRef):
                    value[at] = self.field._unfetched(one, fetched)


class SortedListField(_fields.SortedListField, ListField):
    """A list that is sorted when it is stored."""


class EmbeddedDocumentListField(_fields.EmbeddedDocumentListField, ListField):
    """A list of embedded documents."""


class DictField(_Container, _fields.DictField):
    """A dict."""


class DynamicField(_fields.DynamicField):
    """Any value; a document is referred to, and fetched when it is read."""

    def __get__(self, instance: Any, owner: Any = None) -> Any:
        value = super().__get__(instance, owner)
        if instance is None or not isinstance(value, (dict, list, DBRef)):
            return value
        holder = [value]
        _any_fetched(self, instance, holder if reference(value) is not None else value)
        if holder[0] is not value:
            instance._put(instance._schema.index(self.name), holder[0])
        return holder[0]


class MapField(_Declared, _fields.MapField, DictField):
    """A dict whose values are of one field."""

    _said = "Argument to MapField constructor must be a valid field"


class DateTimeField(_fields.DateTimeField):
    """A date and time; with a time zone where a connection is `tz_aware`."""


def read_aware() -> None:
    """From now on documents of connections that are `tz_aware` read times with their zone."""

    def read(self: Any, instance: Any, owner: Any = None) -> Any:
        value = _fields.DateTimeField.__get__(self, instance, owner)
        if instance is None or not isinstance(value, datetime.datetime) or value.tzinfo is not None:
            return value
        options = _options_of(instance)
        zone = options.get("tzinfo")
        value = value.replace(tzinfo=utc) if options.get("tz_aware") else value
        return value if zone is None or value.tzinfo is None else value.astimezone(zone)

    if "__get__" not in vars(DateTimeField):  # plain access costs nothing until it is wanted
        DateTimeField.__get__ = read  # type: ignore[method-assign]
        for cls in [*_registry._document_registry.values()]:
            for field in cls._fields.values():
                if isinstance(field, DateTimeField):
                    type.__setattr__(cls, field.name, field)


def _options_of(document: Any) -> Any:
    """Return the options of the connection that a document, or the one around it, is in."""
    while document._schema_embedded and document._instance is not None:
        document = document._instance
    alias = getattr(document, "_db_alias", None) or getattr(document, "_alias", lambda: "default")()
    handle = dict(open_connections()).get(alias)
    return {} if handle is None else handle._pymongo_options


_representation: Callable[[str], int] = lambda alias: UuidRepresentation.STANDARD  # noqa: E731


def represent_uuids(by_alias: Callable[[str], int]) -> None:
    """Ask this for the form in which a connection stores UUIDs."""
    global _representation
    _representation = by_alias


class UUIDField(_fields.UUIDField):
    """A UUID, stored as `connect(uuidRepresentation=...)` says: as Binary 3, if nothing does."""

    kind = "python"

    def _form(self) -> int:
        owner = self.owner_document
        named = getattr(owner, "_alias", None)
        return _representation("default" if named is None else named())

    def to_python(self, value: Any) -> Any:
        if isinstance(value, Binary) and value.subtype == 3 and len(value) == 16:
            form = self._form()
            legacy = form not in (UuidRepresentation.STANDARD, UuidRepresentation.UNSPECIFIED)
            return value.as_uuid(form if legacy else UuidRepresentation.PYTHON_LEGACY)
        return super().to_python(value)

    def to_mongo(self, value: Any) -> Any:
        value = self.to_python(value)
        if not isinstance(value, uuid.UUID) or not self._binary:
            return super().to_mongo(value)
        form = self._form() or UuidRepresentation.STANDARD
        return Binary.from_uuid(value, form)


class EnumField(_fields.EnumField):
    """A member of an Enum, stored as its value."""

    def __set__(self, instance: Any, value: Any) -> None:
        super().__set__(instance, self.to_python(value))


class SequenceField(_fields.SequenceField):
    """A counter; one that was emptied counts on when it is read."""

    def __get__(self, instance: Any, owner: Any = None) -> Any:
        value = super().__get__(instance, owner)
        if instance is not None and value is None and not instance._created:
            value = self.generate()
            self.__set__(instance, value)
        return value


class DecimalField(_fields.DecimalField):
    """A decimal number of two places unless `precision` says otherwise, stored as a double; as
    Decimal128 where a double would lose digits."""

    def __init__(
        self,
        min_value: Any = None,
        max_value: Any = None,
        force_string: bool = False,
        precision: int | None = 2,
        *args: Any,
        **kwargs: Any,
    ) -> None:
        super().__init__(min_value, max_value, force_string, precision, *args, **kwargs)
        if self.precision is not None and (
            not isinstance(self.precision, int) or self.precision < 0
        ):
            self.error("precision must be a positive integer")

    def to_mongo(self, value: Any) -> Any:
        try:
            stored = super().to_mongo(value)
        except Inexact:  # more digits than Decimal128 has
            return float(value)
        if not isinstance(stored, Decimal128):
            return stored
        exact = stored.to_decimal()
        near = float(exact)
        return near if Decimal(repr(near)) == exact else stored


__getattr__ = beside(__name__)
