# SPDX-License-Identifier: Apache-2.0
"""Serializers of documents."""

from __future__ import annotations

from rest_framework.serializers import raise_errors_on_nested_writes

from mongodb.rest_framework.dynamic import DynamicDocumentSerializer, EmbeddedDocumentSerializer
from mongodb.rest_framework.serializers import DocumentSerializer

__all__ = [
    "DocumentSerializer",
    "DynamicDocumentSerializer",
    "EmbeddedDocumentSerializer",
    "raise_errors_on_nested_writes",
]
