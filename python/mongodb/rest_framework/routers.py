# SPDX-License-Identifier: Apache-2.0
"""DRF's routers: a viewset's name is that of its documents' class."""

from __future__ import annotations

from typing import Any

from rest_framework import routers

__all__ = ["DefaultRouter", "DocumentRouterMixin", "SimpleRouter"]


class DocumentRouterMixin:
    """Takes the name of the URLs from the viewset's queryset."""

    def get_default_basename(self, viewset: Any) -> str:
        """Return the name of the class of the viewset's documents, in lower case."""
        queryset = getattr(viewset, "queryset", None)
        if queryset is None:
            raise AssertionError(
                f"{viewset.__name__} has no `queryset` to take a name from: give register() a "
                "`basename`"
            )
        return str(queryset.model.__name__.lower())


class SimpleRouter(DocumentRouterMixin, routers.SimpleRouter):
    """Routes for a viewset's list and its documents."""


class DefaultRouter(DocumentRouterMixin, routers.DefaultRouter):
    """The same with a root that lists the viewsets."""
