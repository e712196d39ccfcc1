# SPDX-License-Identifier: Apache-2.0
"""Querysets."""

from __future__ import annotations

from mongodb.compat.mongoengine._beside import beside
from mongodb.compat.mongoengine.queryset.field_list import QueryFieldList
from mongodb.compat.mongoengine.queryset.queryset import QuerySet, QuerySetNoCache
from mongodb.queryset import (
    CASCADE,
    DENY,
    DO_NOTHING,
    NULLIFY,
    PULL,
    DoesNotExist,
    InvalidQueryError,
    MultipleObjectsReturned,
    NotUniqueError,
    OperationError,
    Q,
    QuerySetManager,
    queryset_manager,
)

__all__ = [
    "CASCADE",
    "DENY",
    "DO_NOTHING",
    "NULLIFY",
    "PULL",
    "DoesNotExist",
    "InvalidQueryError",
    "MultipleObjectsReturned",
    "NotUniqueError",
    "OperationError",
    "Q",
    "QueryFieldList",
    "QuerySet",
    "QuerySetManager",
    "QuerySetNoCache",
    "queryset_manager",
]


__getattr__ = beside(__name__)
