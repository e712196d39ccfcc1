# SPDX-License-Identifier: Apache-2.0
"""Errors."""

from __future__ import annotations

from mongodb.errors import (
    BulkWriteError,
    DeprecatedError,
    DoesNotExist,
    FieldDoesNotExist,
    InvalidDocumentError,
    InvalidQueryError,
    LookUpError,
    MultipleObjectsReturned,
    NotRegistered,
    NotUniqueError,
    OperationError,
    SaveConditionError,
    ValidationError,
)
from mongodb.errors import MongoError as MongoEngineException

__all__ = [
    "BulkWriteError",
    "DeprecatedError",
    "DoesNotExist",
    "FieldDoesNotExist",
    "InvalidDocumentError",
    "InvalidQueryError",
    "LookUpError",
    "MongoEngineException",
    "MultipleObjectsReturned",
    "NotRegistered",
    "NotUniqueError",
    "OperationError",
    "SaveConditionError",
    "ValidationError",
]
