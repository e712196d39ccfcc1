# SPDX-License-Identifier: Apache-2.0
"""The common base of documents."""

from __future__ import annotations

from mongodb.base_document import BaseDocument
from mongodb.compat.mongoengine._beside import beside
from mongodb.errors import NON_FIELD_ERRORS

__all__ = ["NON_FIELD_ERRORS", "BaseDocument"]


__getattr__ = beside(__name__)
