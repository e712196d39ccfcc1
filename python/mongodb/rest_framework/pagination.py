# SPDX-License-Identifier: Apache-2.0
"""DRF's paginators, as they are: document querysets count and slice like Django's."""

from rest_framework.pagination import LimitOffsetPagination, PageNumberPagination

__all__ = ["LimitOffsetPagination", "PageNumberPagination"]
