# SPDX-License-Identifier: Apache-2.0
"""Filtering, searching and ordering document querysets by query parameters."""

from typing import Any

import pytest
from django.core.exceptions import ImproperlyConfigured
from rest_framework.response import Response
from rest_framework.test import APIRequestFactory
from rest_framework.viewsets import ModelViewSet

from mongodb import Document, IntField, ListField, ReferenceField
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
        "country__name": ["exact", "icontains", "in", "isnull", "range"],
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
        ("country__name=France", ["Ada"]),
        ("country__name=Spain", []),
        ("country__name__icontains=FRA", ["Ada"]),
        ("country__name__in=Spain,France", ["Ada"]),
        ("country__name__range=E,G", ["Ada"]),
        ("country__name__isnull=false", ["Ada"]),
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


class FilteredTown(Document):
    people = IntField()
    meta = {"collection": "drf_filtered_towns"}


class FilteredStreet(Document):
    town = ReferenceField(FilteredTown)
    towns = ListField(ReferenceField("FilteredTown"))
    next = ReferenceField("self")
    meta = {"collection": "drf_filtered_streets"}


class FilteredStreets(ModelViewSet[Any]):
    queryset = FilteredStreet.objects.all()
    filter_backends = [DocumentFilter]
    authentication_classes: list[Any] = []
    filterset_fields = {
        "town__people": ["gte", "exact"],
        "towns__people": ["lt"],
        "next__town__people": ["exact"],
        "town__id": ["exact"],
    }

    def list(self, request: Any, *args: Any, **kwargs: Any) -> Response:
        return Response(self.filter_queryset(self.get_queryset()).count())


def test_filters_lead_through_references(odm: Any) -> None:
    FilteredTown.drop_collection()
    FilteredStreet.drop_collection()
    small, big = FilteredTown(people=5).save(), FilteredTown(people=50).save()
    first = FilteredStreet(town=small, towns=[small, big]).save()
    FilteredStreet(town=big, towns=[big], next=first).save()

    def ask(query: str) -> Response:
        view = FilteredStreets.as_view({"get": "list"})
        return view(APIRequestFactory().get("/?" + query))  # type: ignore[return-value]

    for query in ("town__people__gte=6", "towns__people__lt=6", "next__town__people=5",
                  f"town__id={big.pk}", "town__people=50&next__town__people=5"):  # fmt: skip
        assert ask(query).data == 1, query
    assert ask("town__people__gte=5").data == 2
    for query in ("town__people__gte=many", "town__id=nonsense", "next__town__people=1.5"):
        answer = ask(query)
        assert answer.status_code == 400 and list(answer.data) == [query.split("=")[0]], query


def test_a_filter_of_a_name_that_is_not_behind_the_reference(odm: Any) -> None:
    class Wrong(FilteredStreets):
        filterset_fields = ["town__mayor"]

    with pytest.raises(ImproperlyConfigured, match="FilteredTown has no field 'mayor'"):
        Wrong.as_view({"get": "list"})(APIRequestFactory().get("/?town__mayor=x"))
