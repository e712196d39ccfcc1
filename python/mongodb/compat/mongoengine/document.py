# SPDX-License-Identifier: Apache-2.0
"""Documents."""

from __future__ import annotations

from mongodb.document import Document, DynamicDocument
from mongodb.embedded import DynamicEmbeddedDocument, EmbeddedDocument
from mongodb.errors import InvalidCollectionError, NotUniqueError, OperationError

__all__ = [
    "Document",
    "DynamicDocument",
    "DynamicEmbeddedDocument",
    "EmbeddedDocument",
    "InvalidCollectionError",
    "NotUniqueError",
    "OperationError",
]
