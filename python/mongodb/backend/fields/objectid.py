# SPDX-License-Identifier: Apache-2.0
"""ObjectIds: keys that the client makes, and fields that hold them."""

from __future__ import annotations

from typing import Any

from bson import ObjectId
from bson.errors import InvalidId
from django.core.exceptions import ValidationError
from django.db.models import AutoField, Field
from django.utils.functional import cached_property
from django.utils.translation import gettext_lazy as _

from mongodb.backend import forms
from mongodb.backend.fields.values import public_path

__all__ = ["ObjectIdAutoField", "ObjectIdField"]


class _ObjectIdMixin:
    default_error_messages = {"invalid": _("“%(value)s” is not a valid Object Id.")}
    description = _("Object Id")

    def db_type(self, connection: Any) -> str:
        return "objectId"

    def rel_db_type(self, connection: Any) -> str:
        return "objectId"

    def to_python(self, value: Any) -> Any:
        if value is None or isinstance(value, ObjectId):
            return value
        try:
            return ObjectId(value)
        except (InvalidId, TypeError):
            raise ValidationError(
                self.error_messages["invalid"],  # type: ignore[attr-defined]
                code="invalid",
                params={"value": value},
            ) from None

    def get_prep_value(self, value: Any) -> Any:
        return self.to_python(Field.get_prep_value(self, value))  # type: ignore[arg-type]

    def value_to_string(self, obj: Any) -> Any:
        value = self.value_from_object(obj)  # type: ignore[attr-defined]
        return None if value is None else str(value)

    def formfield(self, **kwargs: Any) -> Any:
        return Field.formfield(self, **{"form_class": forms.ObjectIdField, **kwargs})  # type: ignore[arg-type]


class ObjectIdField(_ObjectIdMixin, Field):
    """An ObjectId."""

    def deconstruct(self) -> Any:
        name, path, args, kwargs = super().deconstruct()
        return name, public_path(path), args, kwargs

    def get_internal_type(self) -> str:
        return "ObjectIdField"


class ObjectIdAutoField(_ObjectIdMixin, AutoField):
    """A primary key that is an ObjectId, made when a row is inserted without one."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        kwargs["db_column"] = "_id"
        super().__init__(*args, **kwargs)

    def deconstruct(self) -> Any:
        name, path, args, kwargs = super().deconstruct()
        kwargs.pop("db_column", None)
        return name, public_path(path), args, kwargs

    def get_internal_type(self) -> str:
        return "ObjectIdAutoField"

    @cached_property
    def validators(self) -> list[Any]:
        return [*self.default_validators, *self._validators]

    def formfield(self, **kwargs: Any) -> Any:
        return None
