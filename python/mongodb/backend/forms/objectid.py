# SPDX-License-Identifier: Apache-2.0
"""A form field for ObjectIds."""

from __future__ import annotations

from typing import Any

from bson import ObjectId
from bson.errors import InvalidId
from django.core.exceptions import ValidationError
from django.forms import Field
from django.utils.translation import gettext_lazy as _

__all__ = ["ObjectIdField"]


class ObjectIdField(Field):
    """24 hexadecimal digits."""

    default_error_messages = {"invalid": _("Enter a valid Object Id.")}

    def prepare_value(self, value: Any) -> Any:
        return str(value) if isinstance(value, ObjectId) else value

    def to_python(self, value: Any) -> Any:
        if value in self.empty_values:
            return None
        try:
            return value if isinstance(value, ObjectId) else ObjectId(value)
        except (InvalidId, TypeError):
            raise ValidationError(self.error_messages["invalid"], code="invalid") from None
