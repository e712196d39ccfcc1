# SPDX-License-Identifier: Apache-2.0
"""Serializers of embedded documents, and of documents that take any field."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from django.utils.translation import gettext_lazy as _
from rest_framework.exceptions import ValidationError

from .fields import DynamicField
from .serializers import DocumentSerializer

__all__ = ["DynamicDocumentSerializer", "EmbeddedDocumentSerializer"]


class EmbeddedDocumentSerializer(DocumentSerializer):
    """A serializer of a document inside another one: no key, no uniqueness of its own."""

    def get_unique_together_validators(self) -> list[Any]:
        return []


class DynamicDocumentSerializer(DocumentSerializer):
    """A serializer of a DynamicDocument: what no field declares is taken and shown as it is.

    Refused are names that the class itself uses and those that no field can have.
    """

    def to_internal_value(self, data: Any) -> Any:
        found = super().to_internal_value(data)
        if isinstance(data, Mapping):
            model, field = self.get_model(), DynamicField(allow_null=True)
            known = {*self.fields, *(one.source for one in self.fields.values()), *model._fields}
            names = [name for name in data if name not in known]
            wrong = [name for name in names if not _is_free(model, name)]
            if wrong:
                raise ValidationError({name: [_("No field has this name.")] for name in wrong})
            for name in names:
                found[name] = field.run_validation(data[name])
        return found

    def to_representation(self, instance: Any) -> Any:
        shown = super().to_representation(instance)
        field = DynamicField()
        for name in instance._dynamic_names():
            if name not in shown:
                value = getattr(instance, name)
                shown[name] = None if value is None else field.to_representation(value)
        return shown


def _is_free(model: Any, name: str) -> bool:
    """Whether an instance may have the attribute: it is none of the class's, nor a private one."""
    plain = not name.startswith(("_", "$")) and "." not in name and "\0" not in name
    return bool(name) and plain and not hasattr(model, name)
