# SPDX-License-Identifier: Apache-2.0
"""DRF's generic views; documents are looked up by `id`."""

from __future__ import annotations

from typing import Any

from django.http import Http404
from rest_framework import generics

from mongodb.errors import DoesNotExist, MongoError, ValidationError

__all__ = [
    "CreateAPIView",
    "DestroyAPIView",
    "GenericAPIView",
    "ListAPIView",
    "ListCreateAPIView",
    "RetrieveAPIView",
    "RetrieveDestroyAPIView",
    "RetrieveUpdateAPIView",
    "RetrieveUpdateDestroyAPIView",
    "UpdateAPIView",
    "get_object_or_404",
]


def get_object_or_404(queryset: Any, *args: Any, **kwargs: Any) -> Any:
    """Return the only match; Http404 when there is none, or none can be."""
    try:
        return queryset.get(*args, **kwargs)
    except (TypeError, ValueError, DoesNotExist, ValidationError) as error:
        known = isinstance(error, (DoesNotExist, ValidationError))
        if isinstance(error, MongoError) and not known:
            raise
        raise Http404 from error


class GenericAPIView(generics.GenericAPIView):
    """The base of views: `queryset`, `serializer_class`."""

    lookup_field = "id"


class CreateAPIView(GenericAPIView, generics.CreateAPIView):
    """POST makes a document."""


class ListAPIView(GenericAPIView, generics.ListAPIView):
    """GET lists documents."""


class RetrieveAPIView(GenericAPIView, generics.RetrieveAPIView):
    """GET shows a document."""


class DestroyAPIView(GenericAPIView, generics.DestroyAPIView):
    """DELETE deletes a document."""


class UpdateAPIView(GenericAPIView, generics.UpdateAPIView):
    """PUT and PATCH change a document."""


class ListCreateAPIView(GenericAPIView, generics.ListCreateAPIView):
    """GET lists documents, POST makes one."""


class RetrieveUpdateAPIView(GenericAPIView, generics.RetrieveUpdateAPIView):
    """GET shows a document, PUT and PATCH change it."""


class RetrieveDestroyAPIView(GenericAPIView, generics.RetrieveDestroyAPIView):
    """GET shows a document, DELETE deletes it."""


class RetrieveUpdateDestroyAPIView(GenericAPIView, generics.RetrieveUpdateDestroyAPIView):
    """GET shows a document, PUT and PATCH change it, DELETE deletes it."""
