# SPDX-License-Identifier: Apache-2.0
"""Serializer fields for BSON's own types and for references."""

import base64
import binascii
import datetime
import decimal
import re
import uuid
from collections.abc import Iterable, Mapping
from typing import Any

from bson import DBRef, Decimal128, Int64, MaxKey, MinKey, ObjectId, Regex, Timestamp
from bson.datetime_ms import DatetimeMS
from bson.errors import InvalidId
from django.conf import settings
from django.utils.translation import gettext_lazy as _
from rest_framework import serializers

from mongodb._core import encode
from mongodb._registry import class_of_collection, document_class
from mongodb.document import Document
from mongodb.errors import DoesNotExist, NotRegistered
from mongodb.fields import LazyReference

__all__ = [
    "BinaryField",
    "DateTimeField",
    "DynamicField",
    "EnumField",
    "GenericReferenceField",
    "ObjectIdField",
    "ReferenceField",
]


# BSON's own types that DRF's encoder cannot write.
BSON_TYPES = (ObjectId, Decimal128, Regex, Timestamp, DBRef, DatetimeMS, MinKey, MaxKey)


class ObjectIdField(serializers.Field):
    """An ObjectId as its 24 hexadecimal digits."""

    default_error_messages = {"invalid": _("“{input}” is not a valid ObjectId.")}

    def to_internal_value(self, data: Any) -> ObjectId:
        try:
            return ObjectId(str(data))
        except InvalidId:
            raise self.fail("invalid", input=data) from None

    def to_representation(self, value: Any) -> str:
        return str(value)


class BinaryField(serializers.Field):
    """Bytes as base64 text."""

    default_error_messages = {
        "invalid": _("Not valid base64."),
        "max_bytes": _("Ensure this value has at most {max_bytes} bytes."),
    }

    def __init__(self, max_bytes: int | None = None, **kwargs: Any) -> None:
        self.max_bytes = max_bytes
        super().__init__(**kwargs)

    def to_internal_value(self, data: Any) -> bytes:
        try:
            value = base64.b64decode(data, validate=True)
        except (TypeError, ValueError, binascii.Error):
            self.fail("invalid")
        if self.max_bytes is not None and len(value) > self.max_bytes:
            self.fail("max_bytes", max_bytes=self.max_bytes)
        return value

    def to_representation(self, value: Any) -> Any:
        if not isinstance(value, bytes | bytearray | memoryview):
            return plain(value)  # something else is stored there; bytes(5) are five zero bytes
        return base64.b64encode(value).decode("ascii")


class DateTimeField(serializers.DateTimeField):
    """A date and time; a naive one, as documents have it, is UTC."""

    def to_representation(self, value: Any) -> Any:
        if isinstance(value, datetime.datetime) and value.tzinfo is None and settings.USE_TZ:
            value = value.replace(tzinfo=datetime.UTC)
        return super().to_representation(value)


class DynamicField(serializers.Field):
    """A value of any type: BSON's own types become JSON the way the other fields write them."""

    default_error_messages = {"invalid": _("This value cannot be stored: {reason}.")}

    def to_internal_value(self, data: Any) -> Any:
        try:
            encode({"value": data})
        except (ValueError, OverflowError) as error:
            self.fail("invalid", reason=refused_part(error)[1])
        except TypeError:
            pass  # a value that fields of the document convert
        return data

    def to_representation(self, value: Any) -> Any:
        return plain(value)


class EnumField(serializers.ChoiceField):
    """A member of an Enum, as its value."""

    def to_representation(self, value: Any) -> Any:
        return getattr(value, "value", value)


class ReferenceField(serializers.PrimaryKeyRelatedField[Any]):
    """A reference, as the primary key of the document it points at.

    Reading it never queries: the key is in the referring document. Writing looks the document up
    and refuses a key that is not there. HTML forms offer the documents to choose from.
    """

    def __init__(self, document_type: Any = None, **kwargs: Any) -> None:
        self.document_type = document_type
        if document_type is not None and not kwargs.get("read_only"):
            kwargs.setdefault("queryset", document_type.objects.all())
        super().__init__(**kwargs)

    def get_queryset(self) -> Any:
        # A queryset kept on a serializer's class must not answer from an earlier request.
        return None if self.queryset is None else self.queryset.all()

    def to_internal_value(self, data: Any) -> Any:
        if self.pk_field is not None:
            data = self.pk_field.to_internal_value(data)
        if isinstance(data, bool | Mapping | list):
            self.fail("incorrect_type", data_type=type(data).__name__)
        try:
            return self.get_queryset().get(pk=data)
        except (DoesNotExist, ValueError):
            self.fail("does_not_exist", pk_value=data)
        except TypeError:
            self.fail("incorrect_type", data_type=type(data).__name__)

    def to_representation(self, value: Any) -> Any:
        key = value.id if isinstance(value, DBRef) else getattr(value, "pk", value)
        return plain(key) if self.pk_field is None else self.pk_field.to_representation(key)


class GenericReferenceField(serializers.Field):
    """A reference to a document of any class, as `{"_cls": name, "_id": key}`.

    Reading it never queries. Writing looks the document up.
    """

    default_error_messages = {
        "not_a_dict": _("Expected a dictionary of items but got type “{input_type}”."),
        "missing_items": _("Expected a dictionary with “_cls” and “_id”."),
        "undefined_model": _("There is no class “{name}” to refer to."),
        "not_found": _("There is no {name} with the key “{pk_value}”."),
    }

    def __init__(self, classes: Iterable[str] = (), **kwargs: Any) -> None:
        self.classes = list(classes)
        super().__init__(**kwargs)

    def to_internal_value(self, data: Any) -> Any:
        if not isinstance(data, Mapping):
            self.fail("not_a_dict", input_type=type(data).__name__)
        if not {"_cls", "_id"} <= data.keys():
            self.fail("missing_items")
        name, key = data["_cls"], data["_id"]
        try:
            cls = document_class(name)
        except (NotRegistered, AttributeError, TypeError):
            self.fail("undefined_model", name=name)
        if self.classes and not {cls._class_name, cls.__name__} & set(self.classes):
            self.fail("undefined_model", name=name)
        try:
            return cls.objects.get(pk=key)
        except (DoesNotExist, ValueError, TypeError):
            self.fail("not_found", name=cls.__name__, pk_value=key)

    def to_representation(self, value: Any) -> Any:
        if isinstance(value, LazyReference):
            return {"_cls": value.document_type.__name__, "_id": plain(value.pk)}
        if isinstance(value, Document):
            return {"_cls": type(value).__name__, "_id": plain(value.pk)}
        cls = class_of_collection(value.collection) if isinstance(value, DBRef) else None
        return plain(value) if cls is None else {"_cls": cls.__name__, "_id": plain(value.id)}


def is_blank(value: Any) -> bool:
    """Whether a form's part has fields and nothing in them."""
    values = list(value.values()) if isinstance(value, dict) else []
    return bool(values) and all(item in ("", []) for item in values)


def refused_part(error: Exception) -> tuple[str, str]:
    """The path and the reason of what BSON cannot hold; no path for other errors."""
    found = re.match(r"field '(.*?)': (.*)", str(error), re.DOTALL)
    return (found[1], found[2]) if found else ("", str(error))


def plain(value: Any) -> Any:
    """A decoded BSON value as JSON has it."""
    if isinstance(value, Int64):
        return int(value)
    if value is None or isinstance(value, bool | int | float | str):
        return value
    if isinstance(value, datetime.datetime):
        return DateTimeField().to_representation(value)
    if isinstance(value, datetime.date | datetime.time):
        return value.isoformat()
    if isinstance(value, decimal.Decimal | Decimal128 | ObjectId | uuid.UUID):
        return str(value)
    if isinstance(value, bytes):
        return base64.b64encode(value).decode("ascii")
    if isinstance(value, Mapping):
        return {str(key): plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple | set | frozenset):
        return [plain(item) for item in value]
    if isinstance(value, Timestamp):
        return {"t": value.time, "i": value.inc}
    if isinstance(value, Regex):
        return str(value.pattern)
    if isinstance(value, DBRef):
        return plain(value.as_doc())
    if isinstance(value, Document):
        return plain(value.pk)
    if hasattr(value, "to_dict"):
        return plain(value.to_dict())
    return str(value)
