# SPDX-License-Identifier: Apache-2.0
"""Queries: querysets, Q, and what aggregate() computes."""

from mongodb.errors import (
    DoesNotExist,
    InvalidQueryError,
    MultipleObjectsReturned,
    NotUniqueError,
    OperationError,
)
from mongodb.fields.references import CASCADE, DENY, DO_NOTHING, NULLIFY, PULL
from mongodb.queryset.expressions import Aggregate, Avg, Count, F, Max, Min, Sum
from mongodb.queryset.manager import QuerySetManager, queryset_manager
from mongodb.queryset.q import Q, QNode
from mongodb.queryset.queryset import QuerySet, QuerySetNoCache

__all__ = [
    "CASCADE",
    "DENY",
    "DO_NOTHING",
    "NULLIFY",
    "PULL",
    "Aggregate",
    "Avg",
    "Count",
    "DoesNotExist",
    "F",
    "InvalidQueryError",
    "Max",
    "Min",
    "MultipleObjectsReturned",
    "NotUniqueError",
    "OperationError",
    "Q",
    "QNode",
    "QuerySet",
    "QuerySetManager",
    "QuerySetNoCache",
    "Sum",
    "queryset_manager",
]
