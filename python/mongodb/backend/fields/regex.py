# SPDX-License-Identifier: Apache-2.0
"""BSON regular expressions."""

from __future__ import annotations

import re
from typing import Any

from bson import Regex
from django.core.exceptions import ValidationError
from django.db.models import Field
from django.utils.translation import gettext_lazy as _

from mongodb.backend.fields import values

__all__ = ["RegexField"]


class RegexField(Field):
    """A regular expression, `re.Pattern`; one that Python does not know stays a `bson.Regex`."""

    description = _("Regular expression")
    default_error_messages = {"invalid": _("“%(value)s” is not a regular expression: %(why)s.")}

    def db_type(self, connection: Any) -> str:
        return "regex"

    def get_internal_type(self) -> str:
        return "RegexField"

    def deconstruct(self) -> Any:
        name, path, args, kwargs = super().deconstruct()
        return name, values.public_path(path), args, kwargs

    def to_python(self, value: Any) -> Any:
        if value is None or isinstance(value, (re.Pattern, Regex)):
            return value
        flags, pattern = re.fullmatch(r"(?:/([a-z]*):)?(.*)", str(value), re.S).groups()  # type: ignore[union-attr]
        try:
            return Regex(pattern, flags or 0).try_compile()
        except re.error as error:
            raise ValidationError(
                self.error_messages["invalid"], "invalid", {"value": value, "why": error}
            ) from None

    def get_prep_value(self, value: Any) -> Any:
        value = self.to_python(super().get_prep_value(value))
        return Regex.from_native(value) if isinstance(value, re.Pattern) else value

    def from_db_value(self, value: Any, expression: Any, connection: Any) -> Any:
        if not isinstance(value, Regex):
            return value
        try:
            return value.try_compile()
        except re.error:
            return value

    def value_to_string(self, obj: Any) -> Any:
        value = self.get_prep_value(self.value_from_object(obj))
        if value is None:
            return None
        letters = "".join(letter for letter, flag in _FLAGS if value.flags & flag)
        return f"/{letters}:{value.pattern}"


_FLAGS = (("i", re.I), ("l", re.L), ("m", re.M), ("s", re.S), ("u", re.U), ("x", re.X))
