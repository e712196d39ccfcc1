# SPDX-License-Identifier: Apache-2.0
"""DRF's paginators: document querysets count and slice like Django's."""

from typing import Any

from rest_framework import pagination
from rest_framework.exceptions import NotFound
from rest_framework.pagination import LimitOffsetPagination, PageNumberPagination

from mongodb.errors import InvalidQueryError, ValidationError

__all__ = ["CursorPagination", "LimitOffsetPagination", "PageNumberPagination"]


class CursorPagination(pagination.CursorPagination):
    """DRF's; a cursor whose position is no value of the field is an invalid cursor."""

    def paginate_queryset(self, queryset: Any, request: Any, view: Any = None) -> Any:
        try:
            return super().paginate_queryset(queryset, request, view)
        except (InvalidQueryError, ValidationError) as error:
            if request.query_params.get(self.cursor_query_param) is None:
                raise
            raise NotFound(self.invalid_cursor_message) from error
