# SPDX-License-Identifier: Apache-2.0
"""The base of querysets."""

from __future__ import annotations

from mongodb.compat.mongoengine._beside import beside
from mongodb.fields.references import CASCADE, DENY, DO_NOTHING, NULLIFY, PULL
from mongodb.queryset.queryset import QuerySet as BaseQuerySet

__all__ = ["CASCADE", "DENY", "DO_NOTHING", "NULLIFY", "PULL", "BaseQuerySet"]


__getattr__ = beside(__name__)
