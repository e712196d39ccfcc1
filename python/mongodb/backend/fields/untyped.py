# SPDX-License-Identifier: Apache-2.0
"""What is within documents of no model: any BSON value, under any key."""

from __future__ import annotations

import datetime
import json
from typing import Any

from bson import Decimal128, json_util
from django.conf import settings
from django.core.exceptions import ValidationError
from django.db.models import Field
from django.utils import timezone

from mongodb.backend.fields.array import ArrayLength
from mongodb.backend.fields.transforms import PathTransform
from mongodb.backend.fields.values import to_bson

__all__ = ["AnyField", "as_bson", "below", "from_bson", "from_text", "plain"]


def as_bson(value: Any) -> Any:
    """Return a value of a program as BSON has it: aware times in UTC, decimals as Decimal128."""
    if isinstance(value, dict):
        return {str(key): as_bson(one) for key, one in value.items()}
    if isinstance(value, (list, tuple)):
        return [as_bson(one) for one in value]
    if isinstance(value, datetime.datetime) and timezone.is_aware(value):
        return timezone.make_naive(value, datetime.UTC)
    return to_bson(value)


def from_bson(value: Any) -> Any:
    """Return a value of a document as a program has it: with USE_TZ, aware times."""
    if isinstance(value, dict):
        return {key: from_bson(one) for key, one in value.items()}
    if isinstance(value, list):
        return [from_bson(one) for one in value]
    if isinstance(value, Decimal128):
        return value.to_decimal()
    if isinstance(value, datetime.datetime) and settings.USE_TZ and timezone.is_naive(value):
        return value.replace(tzinfo=datetime.UTC)
    return value


def plain(value: Any) -> Any:
    """Return a value as JSON has it, types beside those of JSON in MongoDB's extended form."""
    return json.loads(json_util.dumps(as_bson(value)))


def from_text(text: str) -> Any:
    """Return the value of such a JSON text."""
    try:
        return json_util.loads(text, json_options=_NAIVE)
    except ValueError:
        raise ValidationError(
            "“%(value)s” is not valid JSON.", "invalid", {"value": text}
        ) from None


_NAIVE = json_util.JSONOptions(tz_aware=False)


class AnyField(Field):
    """A value of any type below a key; asked for by every lookup of text and of numbers."""

    def __init__(self, key: Any) -> None:
        super().__init__(null=True)
        self.set_attributes_from_name(str(key))
        self.key = key
        self.column = key

    def get_internal_type(self) -> str:
        return "TextField"

    def get_db_prep_value(self, value: Any, connection: Any, prepared: bool = False) -> Any:
        return as_bson(value)

    def get_db_converters(self, connection: Any) -> list[Any]:
        return [lambda value, expression, connection: from_bson(value)]

    def get_transform(self, name: str) -> Any:
        return ArrayLength if name == "len" else below(name)


def below(name: str) -> Any:
    """Return the transform of what is below a key; a number names an item of an array."""
    field = AnyField(int(name) if name.isdecimal() else name)
    return lambda lhs: PathTransform(field, lhs)
