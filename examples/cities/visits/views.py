# SPDX-License-Identifier: Apache-2.0
"""Visits as an API: DRF's own classes over Django's own ORM."""

from rest_framework import filters, pagination, viewsets

from .models import Visit
from .serializers import VisitSerializer


class Pages(pagination.PageNumberPagination):
    page_size = 20


class VisitViewSet(viewsets.ModelViewSet):
    """Who was in which city, and how it was."""

    queryset = Visit.objects.all()
    serializer_class = VisitSerializer
    pagination_class = Pages
    filter_backends = [filters.SearchFilter, filters.OrderingFilter]
    search_fields = ["city_name", "opinion__text", "sights__name"]
    ordering_fields = ["day", "city_name"]
