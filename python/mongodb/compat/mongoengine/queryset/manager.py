# SPDX-License-Identifier: Apache-2.0
"""Managers."""

from __future__ import annotations

from mongodb.compat.mongoengine._beside import beside
from mongodb.queryset.manager import QuerySetManager, queryset_manager

__all__ = ["QuerySetManager", "queryset_manager"]


__getattr__ = beside(__name__)
