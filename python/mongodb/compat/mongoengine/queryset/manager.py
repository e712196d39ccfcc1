# SPDX-License-Identifier: Apache-2.0
"""Managers."""

from __future__ import annotations

from mongodb.queryset.manager import QuerySetManager, queryset_manager

__all__ = ["QuerySetManager", "queryset_manager"]
