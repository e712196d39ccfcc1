# SPDX-License-Identifier: Apache-2.0
"""Filtering, searching and ordering document querysets by query parameters."""

from typing import Any

import pytest
from rest_framework.test import APIRequestFactory
from rest_framework.viewsets import ModelViewSet

from mongodb.rest_framework.filters import DocumentFilter, OrderingFilter, SearchFilter
from mongodb.rest_framework.serializers import DocumentSerializer

from .conftest import Person


class PersonSerializer(DocumentSerializer):
    class Meta:
        model = Person
        fields = "__all__"


class PeopleViewSet(ModelViewSet[Any]):
    queryset = Person.objects.all()
    serializer_class = PersonSerializer
    authentication_classes: list[Any] = []
    filter_backends = [DocumentFilter, SearchFilter, OrderingFilter]
    filterset_fields = {
        "age": ["exact", "gte", "lt", "exists"],
        "name": ["exact", "startswith", "in"],
        "active": ["exact"],
        "tags": ["exact", "all", "size"],
        "address__city": ["exact", "icontains"],
        "country": ["exact"],
    }
    search_fields = ["name", "=email", "^status"]
    ordering_fields = ["name", "score"]


def names(query: str) -> list[str]:
    response = PeopleViewSet.as_view({"get": "list"})(APIRequestFactory().get("/?" + query))
    assert response.status_code == 200, response.data
    return [row["name"][:3] for row in response.data]


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("", ["Ada", "Bob", "Cy"]),
        ("age=36", ["Ada"]),
        ("age__gte=30", ["Ada"]),
        ("age__lt=30", []),
        ("age__exists=false", ["Bob", "Cy"]),
        ("name=Bob", ["Bob"]),
        ("name__in=Bob,Cy", ["Bob", "Cy"]),
        ("active=false", ["Ada"]),
        ("tags=a", ["Ada"]),
        ("tags__all=a,b", ["Ada"]),
        ("tags__size=2", ["Ada"]),
        ("address__city=Paris", ["Ada"]),
        ("address__city__icontains=PAR", ["Ada"]),
        ("country=FR", ["Ada"]),
        ("unknown=1", ["Ada", "Bob", "Cy"]),
        ("search=bo", ["Bob"]),
        ("search=cy@example.com", ["Cy"]),
        ("search=ne", ["Ada"]),
        ("search=nowhere", []),
        ("ordering=-name", ["Cy", "Bob", "Ada"]),
        ("ordering=-score,name", ["Cy", "Ada", "Bob"]),
        ("ordering=secret", ["Ada", "Bob", "Cy"]),
    ],
)
def test_query_parameters(people: list[Any], query: str, expected: list[str]) -> None:
    assert names(query) == expected


@pytest.mark.parametrize("query", ["age=x", "active=perhaps", "tags__size=many"])
def test_nonsense_is_a_400_that_names_the_parameter(people: list[Any], query: str) -> None:
    response = PeopleViewSet.as_view({"get": "list"})(APIRequestFactory().get("/?" + query))
    assert response.status_code == 400
    assert set(response.data) == {query.split("=")[0]}
