# SPDX-License-Identifier: Apache-2.0
"""Querysets."""

from __future__ import annotations

from mongodb.fields.references import CASCADE, DENY, DO_NOTHING, NULLIFY, PULL
from mongodb.queryset.queryset import QuerySet, QuerySetNoCache

__all__ = [
    "CASCADE",
    "DENY",
    "DO_NOTHING",
    "NULLIFY",
    "PULL",
    "QuerySet",
    "QuerySetNoCache",
]
