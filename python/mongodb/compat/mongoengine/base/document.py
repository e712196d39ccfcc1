# SPDX-License-Identifier: Apache-2.0
"""The common base of documents."""

from __future__ import annotations

from mongodb.base_document import BaseDocument
from mongodb.errors import NON_FIELD_ERRORS

__all__ = ["NON_FIELD_ERRORS", "BaseDocument"]
