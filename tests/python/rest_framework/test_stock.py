# SPDX-License-Identifier: Apache-2.0
"""REST Framework's and Django's own classes, over documents."""

import json
from types import SimpleNamespace
from typing import Any

import pytest
from django.db.models import Q as DjangoQ
from django.http import Http404
from django.shortcuts import get_object_or_404
from rest_framework import filters, generics, pagination, serializers, validators
from rest_framework.test import APIRequestFactory
from rest_framework.viewsets import ModelViewSet

from mongodb import query_counter
from mongodb.errors import InvalidQueryError
from mongodb.rest_framework.renderers import JSONRenderer
from mongodb.rest_framework.serializers import DocumentSerializer

from .conftest import Country, Person


class NameSerializer(DocumentSerializer):
    class Meta:
        model = Person
        fields = ["name", "email", "age"]


class PeopleViewSet(ModelViewSet[Any]):
    queryset = Person.objects.all()
    serializer_class = NameSerializer


@pytest.fixture
def seven(odm: SimpleNamespace) -> None:
    for at in range(7):
        Person(name=f"n{at}", email=f"n{at}@example.com", age=at).save()


def listed(query: str, **attributes: Any) -> Any:
    view = type("View", (PeopleViewSet,), attributes)
    response = view.as_view({"get": "list"})(APIRequestFactory().get("/?" + query))
    assert response.status_code == 200, response.data
    return response.data


def names(rows: Any) -> list[str]:
    return [row["name"] for row in rows]


def test_search_filter(seven: None) -> None:
    backends = {"filter_backends": [filters.SearchFilter], "search_fields": ["name", "=email"]}
    assert names(listed("search=N3", **backends)) == ["n3"]
    assert names(listed("search=n3 example", **backends)) == []
    assert names(listed("search=n4@example.com", **backends)) == ["n4"]


@pytest.mark.parametrize("fields", [None, "__all__", ["age"]])
def test_ordering_filter(seven: None, fields: Any) -> None:
    backends = {"filter_backends": [filters.OrderingFilter], "ordering_fields": fields}
    assert names(listed("ordering=-age", **backends))[:2] == ["n6", "n5"]


def test_page_numbers_count_without_loading(seven: None) -> None:
    class Pages(pagination.PageNumberPagination):
        page_size = 2

    with query_counter() as queries:
        page = listed("page=2", pagination_class=Pages)
        assert queries == 2
    assert page["count"] == 7 and names(page["results"]) == ["n2", "n3"]
    assert page["next"].endswith("page=3") and page["previous"] is not None


def test_limit_and_offset(seven: None) -> None:
    class Pages(pagination.LimitOffsetPagination):
        default_limit = 3

    assert names(listed("offset=5", pagination_class=Pages)["results"]) == ["n5", "n6"]


def test_cursors_go_forth_and_back(seven: None) -> None:
    class Pages(pagination.CursorPagination):
        page_size = 3
        ordering = "-age"

    page = listed("", pagination_class=Pages)
    seen = names(page["results"])
    while page["next"]:
        page = listed(page["next"].partition("?")[2], pagination_class=Pages)
        seen += names(page["results"])
    assert seen == [f"n{at}" for at in range(6, -1, -1)]
    back = listed(page["previous"].partition("?")[2], pagination_class=Pages)
    assert names(back["results"]) == ["n3", "n2", "n1"]


def test_related_fields(people: list[Any]) -> None:
    class ByKey(DocumentSerializer):
        country = serializers.PrimaryKeyRelatedField(queryset=Country.objects.all())

        class Meta:
            model = Person
            fields = ["name", "country"]

    class BySlug(DocumentSerializer):
        country = serializers.SlugRelatedField("name", queryset=Country.objects.all())

        class Meta:
            model = Person
            fields = ["name", "country"]

    for serializer, good, bad in ((ByKey, "FR", "XX"), (BySlug, "France", "Nowhere")):
        refused = serializer(data={"name": "A", "country": bad})
        assert not refused.is_valid() and refused.errors["country"][0].code == "does_not_exist"
        accepted = serializer(data={"name": "A", "country": good})
        assert accepted.is_valid(), accepted.errors
        assert accepted.validated_data["country"].name == "France"
        assert serializer(people[0]).data["country"] == good


def test_key_of_a_stock_related_field_is_written_as_text(odm: SimpleNamespace) -> None:
    assert json.loads(JSONRenderer().render({"a": odm.Person(name="x").save().id}))["a"]


def test_unique_validator(people: list[Any]) -> None:
    class Serializer(DocumentSerializer):
        name = serializers.CharField(
            validators=[validators.UniqueValidator(queryset=Person.objects.all())]
        )

        class Meta:
            model = Person
            fields = ["name"]

    assert not Serializer(data={"name": "Bob"}).is_valid()
    assert Serializer(people[1], data={"name": "Bob"}).is_valid()


def test_queryset_of_a_view_is_fresh_each_time(odm: SimpleNamespace) -> None:
    assert list(PeopleViewSet.queryset) == []
    Person(name="New", email="new@example.com").save()
    assert [person.name for person in PeopleViewSet().queryset] == ["New"]


@pytest.mark.parametrize("of", [Person, Person.objects.all()])
def test_get_object_or_404(people: list[Any], of: Any) -> None:
    assert get_object_or_404(of, name="Bob").email == "bob@example.com"
    with pytest.raises(Http404):
        get_object_or_404(of, name="Nobody")
    with pytest.raises(Http404):
        generics.get_object_or_404(of, id="nonsense")


def test_djangos_own_q(people: list[Any]) -> None:
    found = Person.objects.filter(DjangoQ(name="Bob") | ~DjangoQ(score__exists=False))
    assert {person.name[:3] for person in found} == {"Ada", "Bob", "Cy"}
    assert Person.objects.filter(DjangoQ(name="Bob", age=3)).count() == 0
    assert Person.objects.filter(~DjangoQ(name="Bob"), name="Cy").count() == 1
    with pytest.raises(InvalidQueryError):
        Person.objects.filter(DjangoQ(name="a") ^ DjangoQ(name="b"))


def test_many_are_created_in_one_request(odm: SimpleNamespace) -> None:
    data = [{"name": f"n{at}", "email": f"n{at}@example.com"} for at in range(3)]
    serializer = NameSerializer(data=data, many=True)
    assert serializer.is_valid(), serializer.errors
    assert len(serializer.save()) == 3 and Person.objects.count() == 3


def test_clean_of_the_document_is_answered_as_400(odm: SimpleNamespace) -> None:
    from mongodb import Document
    from mongodb.errors import ValidationError
    from mongodb.fields import IntField

    class Span(Document):
        low = IntField(required=True)
        high = IntField(required=True)
        meta = {"collection": "drf_spans"}

        def clean(self) -> None:
            if self.low > self.high:
                raise ValidationError("low is above high")

    class SpanSerializer(DocumentSerializer):
        class Meta:
            model = Span
            fields = ["low", "high"]

    class SpanViewSet(ModelViewSet[Any]):
        queryset = Span.objects.all()
        serializer_class = SpanSerializer

    def post(data: Any) -> Any:
        request = APIRequestFactory().post("/", data, format="json")
        return SpanViewSet.as_view({"post": "create"})(request)

    refused = post({"low": 3, "high": 1})
    assert refused.status_code == 400
    assert refused.data == {"non_field_errors": ["low is above high"]}
    assert post({"low": 1, "high": 3}).status_code == 201


def test_stock_serializer_is_not_needed_for_meta(odm: SimpleNamespace) -> None:
    meta = Person._meta
    assert (meta.object_name, meta.model_name, meta.verbose_name) == ("Person", "person", "person")
    assert meta.pk.name == "id" and meta.get_field("name").max_length == 30
    assert Person.objects.model is Person


def test_counting_pages_loads_no_documents(
    odm: SimpleNamespace, monkeypatch: pytest.MonkeyPatch
) -> None:
    from django.core.paginator import Paginator

    odm.Person.objects.insert(
        [odm.Person(name=f"n{at}", email=f"n{at}@example.com") for at in range(5)]
    )
    people = odm.Person.objects.all()
    monkeypatch.setattr(type(people), "_results", lambda self: pytest.fail("documents were loaded"))
    assert Paginator(people, 2).num_pages == 3
