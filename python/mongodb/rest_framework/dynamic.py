# SPDX-License-Identifier: Apache-2.0
"""Serializers of embedded documents, and of documents that take any field."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from .fields import DynamicField
from .serializers import DocumentSerializer

__all__ = ["DynamicDocumentSerializer", "EmbeddedDocumentSerializer"]


class EmbeddedDocumentSerializer(DocumentSerializer):
    """A serializer of a document inside another one: no key, no uniqueness of its own."""

    def get_unique_together_validators(self) -> list[Any]:
        return []


class DynamicDocumentSerializer(DocumentSerializer):
    """A serializer of a DynamicDocument: what no field declares is taken and shown as it is."""

    def to_internal_value(self, data: Any) -> Any:
        found = super().to_internal_value(data)
        if isinstance(data, Mapping):
            field = DynamicField(allow_null=True)
            known = {*self.fields, *(one.source for one in self.fields.values())}
            for name in data:
                if name not in known and name not in self.get_model()._fields:
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
