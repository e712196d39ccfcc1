# SPDX-License-Identifier: Apache-2.0
"""DRF's viewsets; documents are looked up by `id`."""

from __future__ import annotations

from rest_framework import viewsets
from rest_framework.viewsets import ViewSet

from .generics import GenericAPIView

__all__ = ["GenericViewSet", "ModelViewSet", "ReadOnlyModelViewSet", "ViewSet"]


class GenericViewSet(viewsets.GenericViewSet, GenericAPIView):
    """The base of viewsets: `queryset`, `serializer_class`."""


class ReadOnlyModelViewSet(viewsets.ReadOnlyModelViewSet, GenericViewSet):
    """Lists and shows documents."""


class ModelViewSet(viewsets.ModelViewSet, GenericViewSet):
    """Makes, shows, lists, changes and deletes documents."""
