# SPDX-License-Identifier: Apache-2.0
"""Uniqueness, by the arguments that MongoEngine's projects give."""

from __future__ import annotations

from typing import Any

from rest_framework.exceptions import ValidationError

from mongodb.compat.rest_framework_mongoengine.repr import smart_repr
from mongodb.rest_framework import validators as _ours

__all__ = [
    "MongoValidatorMixin",
    "OptionalUniqueTogetherValidator",
    "UniqueTogetherValidator",
    "UniqueValidator",
]


class MongoValidatorMixin:
    """Leaves the document that is changed out of what is searched."""

    def exclude_current_instance(self, queryset: Any, instance: Any) -> Any:
        """Return the queryset without the document."""
        return queryset if instance is None else queryset.filter(pk__ne=instance.pk)


class UniqueValidator(MongoValidatorMixin, _ours.UniqueValidator):
    """Refuse a value another document has, in the field that this one validates."""

    def __init__(self, queryset: Any, message: Any = None, lookup: str = "") -> None:
        super().__init__(queryset, "", message)
        self.lookup = lookup

    def __call__(self, value: Any, serializer_field: Any) -> None:
        name = serializer_field.source_attrs[-1]
        full = f"{name}__{self.lookup}" if self.lookup else name
        _ours.UniqueValidator(self.queryset, full, self.message)(value, serializer_field)

    def __repr__(self) -> str:
        return f"<{type(self).__name__}(queryset={smart_repr(self.queryset)})>"


class OptionalUniqueTogetherValidator(MongoValidatorMixin, _ours.UniqueTogetherValidator):
    """Refuse a combination another document has; who leaves a part out is not asked."""

    missing_message = "This field is required."

    def __init__(self, queryset: Any, fields: Any, message: Any = None) -> None:
        super().__init__(queryset, tuple(fields), message)

    def __call__(self, attrs: dict[str, Any], serializer: Any) -> None:
        self.enforce_required_fields(attrs, serializer)
        if all(attrs.get(name, "") is not None for name in self.fields):
            super().__call__(attrs, serializer)

    def enforce_required_fields(self, attrs: dict[str, Any], serializer: Any) -> None:
        """Nothing is required."""

    def __repr__(self) -> str:
        queryset = smart_repr(self.queryset)
        return f"<{type(self).__name__}(queryset={queryset}, fields={self.fields!r})>"


class UniqueTogetherValidator(OptionalUniqueTogetherValidator):
    """The same; all parts are required of a new document."""

    def enforce_required_fields(self, attrs: dict[str, Any], serializer: Any) -> None:
        """Raise for parts of a new document that are missing."""
        if serializer.instance is not None:
            return
        missing = {n: self.missing_message for n in self.fields if n not in attrs}
        if missing:
            raise ValidationError(missing, code="required")
