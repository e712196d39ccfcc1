# SPDX-License-Identifier: Apache-2.0
"""Uniqueness, asked before saving so that the answer names the field."""

import math
from collections.abc import Mapping
from typing import Any

from django.utils.translation import gettext_lazy as _
from rest_framework.exceptions import ValidationError

from mongodb.errors import MongoError
from mongodb.queryset.lookups import db_path

__all__ = ["UniqueTogetherValidator", "UniqueValidator", "check_finite"]


def check_finite(value: float) -> None:
    """Refuse NaN and the infinities: JSON has no words for them."""
    if not math.isfinite(value):
        raise ValidationError(_("A valid number is required."), code="invalid")


def matches(queryset: Any, values: dict[str, Any]) -> Any:
    """The documents with these values; None when a field refuses one: validation will say so."""
    found = queryset.all()
    try:
        for name, value in values.items():
            if isinstance(value, Mapping):  # it may look like an operator, and is a value
                found = found.filter(__raw__={db_path(queryset.model, name): {"$eq": value}})
            else:
                found = found.filter(**{name: value})
        found.as_command()
    except (MongoError, ValueError, TypeError):
        return None
    return found


class UniqueValidator:
    """Refuse a value another document has. The unique index stays the last word."""

    message = _("This field must be unique.")
    requires_context = True

    def __init__(self, queryset: Any, field_name: str, message: str | None = None) -> None:
        self.queryset = queryset
        self.field_name = field_name
        self.message = message or self.message

    def __call__(self, value: Any, serializer_field: Any) -> None:
        if value is None:
            return
        found = matches(self.queryset, {self.field_name: value})
        if found is None:
            return
        instance = getattr(serializer_field.parent, "instance", None)
        if instance is not None and getattr(instance, "pk", None) is not None:
            found = found.filter(pk__ne=instance.pk)
        if found.exists():
            raise ValidationError(self.message, code="unique")

    def __repr__(self) -> str:
        return f"<{type(self).__name__}(field_name={self.field_name!r})>"


class UniqueTogetherValidator:
    """Refuse a combination of values another document has."""

    message = _("The fields {field_names} must make a unique set.")
    requires_context = True

    def __init__(self, queryset: Any, fields: tuple[str, ...], message: str | None = None) -> None:
        self.queryset = queryset
        self.fields = fields
        self.message = message or self.message

    def __call__(self, attrs: dict[str, Any], serializer: Any) -> None:
        instance = serializer.instance
        values = {}
        for name in self.fields:
            if name in attrs:
                values[name] = attrs[name]
            elif instance is not None:
                values[name] = getattr(instance, name)
            else:
                return
        found = matches(self.queryset, values)
        if found is None:
            return
        if instance is not None:
            found = found.filter(pk__ne=instance.pk)
        if found.exists():
            names = ", ".join(self.fields)
            raise ValidationError(self.message.format(field_names=names), code="unique")

    def __repr__(self) -> str:
        return f"<{type(self).__name__}(fields={self.fields!r})>"
