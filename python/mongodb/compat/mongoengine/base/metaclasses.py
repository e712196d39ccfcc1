# SPDX-License-Identifier: Apache-2.0
"""The metaclasses of documents."""

from __future__ import annotations

from mongodb._metaclass import DocumentMetaclass, TopLevelDocumentMetaclass

__all__ = ["DocumentMetaclass", "TopLevelDocumentMetaclass"]
