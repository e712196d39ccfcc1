# SPDX-License-Identifier: Apache-2.0
"""Serializers of documents."""

from __future__ import annotations

from typing import Any, NamedTuple

from rest_framework.serializers import raise_errors_on_nested_writes

from mongodb.rest_framework.dynamic import DynamicDocumentSerializer, EmbeddedDocumentSerializer
from mongodb.rest_framework.serializers import DocumentSerializer

__all__ = [
    "Customization",
    "DocumentSerializer",
    "DynamicDocumentSerializer",
    "EmbeddedDocumentSerializer",
    "raise_errors_on_nested_writes",
]


class Customization(NamedTuple):
    """What a serializer's Meta says of the fields inside one of its fields."""

    fields: Any
    exclude: Any
    extra_kwargs: Any
    validate_methods: Any
