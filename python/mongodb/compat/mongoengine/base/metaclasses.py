# SPDX-License-Identifier: Apache-2.0
"""The metaclasses of documents."""

from __future__ import annotations

from mongodb._metaclass import DocumentMetaclass, TopLevelDocumentMetaclass
from mongodb.compat.mongoengine._beside import beside

__all__ = ["DocumentMetaclass", "TopLevelDocumentMetaclass"]


__getattr__ = beside(__name__)
