# SPDX-License-Identifier: Apache-2.0
"""Conditions that combine."""

from __future__ import annotations

from mongodb.compat.mongoengine._beside import beside
from mongodb.queryset.q import Q, QCombination, QNode

__all__ = ["Q", "QCombination", "QNode"]


__getattr__ = beside(__name__)
