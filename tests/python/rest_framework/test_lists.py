# SPDX-License-Identifier: Apache-2.0
"""Lists written in C say what Django REST Framework's own path says."""

import json
from types import SimpleNamespace
from typing import Any

import pytest
from rest_framework import renderers, serializers
from rest_framework.test import APIRequestFactory
from rest_framework.viewsets import ModelViewSet

from mongodb import _core
from mongodb.rest_framework import plan
from mongodb.rest_framework.pagination import PageNumberPagination
from mongodb.rest_framework.renderers import JSONRenderer
from mongodb.rest_framework.serializers import DocumentSerializer

from .conftest import Address, Person


class PersonSerializer(DocumentSerializer):
    class Meta:
        model = Person
        fields = "__all__"


class ComputingSerializer(DocumentSerializer):
    shout = serializers.SerializerMethodField()
    city = serializers.CharField(source="address.city", default=None)
    name = serializers.CharField()

    class Meta:
        model = Person
        fields = ["id", "name", "shout", "city", "tags"]

    def get_shout(self, person: Any) -> str:
        return str(person.name.upper())


class OverridingSerializer(DocumentSerializer):
    class Meta:
        model = Person
        fields = ["name"]

    def to_representation(self, instance: Any) -> Any:
        return {"who": instance.name}


def view(serializer: Any, renderer: Any, **attributes: Any) -> Any:
    attributes = {
        "queryset": Person.objects.all(),
        "serializer_class": serializer,
        "renderer_classes": [renderer],
        "authentication_classes": [],
        **attributes,
    }
    return type("PeopleViewSet", (ModelViewSet,), attributes).as_view({"get": "list"})


def body(answer: Any, path: str = "/") -> bytes:
    response = answer(APIRequestFactory().get(path))
    response.render()
    assert response.status_code == 200, response.content
    return bytes(response.content)


@pytest.mark.parametrize(
    "serializer", [PersonSerializer, ComputingSerializer, OverridingSerializer]
)
def test_bytes_equal_those_of_the_stock_renderer(people: list[Any], serializer: Any) -> None:
    ours = body(view(serializer, JSONRenderer))
    stock = body(view(serializer, renderers.JSONRenderer))
    assert ours == stock
    assert len(json.loads(ours)) == 3


def asked_in_python(serializer: Any, documents: list[Any]) -> set[str]:
    """The fields that C left to the serializer, of this and of nested ones."""
    names = set()

    def show(field: Any, document: Any) -> Any:
        names.add(field.field_name)
        return plan.show_field(field, document)

    _core.rows(serializer, documents, (plan.TOOLS[0], show, *plan.TOOLS[2:]))
    return names


def test_plain_fields_need_no_python(people: list[Any]) -> None:
    documents = list(Person.objects.all())
    assert asked_in_python(PersonSerializer(), documents) <= {"created_at", "active"}


def test_method_is_asked_for_its_field_only(people: list[Any]) -> None:
    documents = list(Person.objects.all())
    assert asked_in_python(ComputingSerializer(), documents) == {"shout", "city"}


def test_changed_document_shows_its_changes(people: list[Any]) -> None:
    documents = list(Person.objects.all())
    documents[1].name = "Robert"
    rows = PersonSerializer(documents, many=True).data
    assert [row["name"] for row in rows][1] == "Robert"


def test_page_equals_that_of_the_stock_renderer(people: list[Any]) -> None:
    class Pages(PageNumberPagination):
        page_size = 2

    ours = body(view(PersonSerializer, JSONRenderer, pagination_class=Pages), "/?page=1")
    stock = body(view(PersonSerializer, renderers.JSONRenderer, pagination_class=Pages), "/?page=1")
    assert ours == stock
    page = json.loads(ours)
    assert page["count"] == 3 and len(page["results"]) == 2


def test_list_that_a_view_changed_is_shown_changed(people: list[Any]) -> None:
    class PeopleViewSet(ModelViewSet[Any]):
        queryset = Person.objects.all()
        serializer_class = PersonSerializer
        renderer_classes = [JSONRenderer]
        authentication_classes: list[Any] = []

        def list(self, request: Any, *args: Any, **kwargs: Any) -> Any:
            response = super().list(request, *args, **kwargs)
            response.data[0]["extra"] = 1
            response.data[1]["tags"].append("new")
            return response

    rows = json.loads(body(PeopleViewSet.as_view({"get": "list"})))
    assert rows[0]["extra"] == 1 and rows[1]["tags"] == ["new"] and len(rows) == 3


def test_class_level_queryset_is_asked_anew(odm: SimpleNamespace) -> None:
    answer = view(PersonSerializer, renderers.JSONRenderer)
    assert json.loads(body(answer)) == []
    odm.Person(name="New", email="new@example.com").save()
    assert len(json.loads(body(answer))) == 1


def test_field_missing_in_an_old_document_shows_its_default(odm: SimpleNamespace) -> None:
    odm.Person._get_collection().insert_one({"name": "Old"})
    ours = json.loads(body(view(PersonSerializer, JSONRenderer)))
    stock = json.loads(body(view(PersonSerializer, renderers.JSONRenderer)))
    for row in (*ours, *stock):
        row.pop("created_at")
    assert ours == stock
    assert ours[0]["active"] is True and ours[0]["tags"] == [] and ours[0]["age"] is None


def test_value_of_another_type_is_shown_as_python_shows_it(odm: SimpleNamespace) -> None:
    odm.Person._get_collection().insert_one(
        {"name": "Odd", "score": 3, "age": 4.0, "tags": ["x", 5]}
    )
    try:
        stock = body(view(PersonSerializer, renderers.JSONRenderer))
    except Exception as error:
        with pytest.raises(type(error)):
            body(view(PersonSerializer, JSONRenderer))
        return
    assert json.loads(body(view(PersonSerializer, JSONRenderer))) == json.loads(stock)


def test_embedded_document_serializer_stands_alone() -> None:
    class AddressSerializer(DocumentSerializer):
        class Meta:
            model = Address
            fields = "__all__"

    serializer = AddressSerializer(data={"street": "1 Rue", "city": "Paris"})
    assert serializer.is_valid(), serializer.errors
    assert serializer.save().city == "Paris"
    assert AddressSerializer([Address(street="1", city="X")], many=True).data == [
        {"street": "1", "city": "X", "zip": None}
    ]


@pytest.mark.parametrize(
    "changed",
    [
        {"TIME_ZONE": "Europe/Oslo"},
        {"USE_TZ": False},
        {"REST_FRAMEWORK": {"UNICODE_JSON": False}},
        {"REST_FRAMEWORK": {"COMPACT_JSON": False}},
        {"REST_FRAMEWORK": {"DATETIME_FORMAT": "%d.%m.%Y %H:%M", "DATE_FORMAT": "%d.%m.%Y"}},
        {"REST_FRAMEWORK": {"COERCE_DECIMAL_TO_STRING": False}},
    ],
    ids=lambda changed: str(changed),
)
def test_bytes_follow_the_settings(people: list[Any], changed: dict[str, Any]) -> None:
    from django.conf import settings
    from django.test import override_settings

    if "REST_FRAMEWORK" in changed:
        changed = {"REST_FRAMEWORK": {**settings.REST_FRAMEWORK, **changed["REST_FRAMEWORK"]}}

    class Serializer(DocumentSerializer):
        class Meta:
            model = Person
            fields = "__all__"

    with override_settings(**changed):
        ours = body(view(Serializer, JSONRenderer))
        stock = body(view(Serializer, renderers.JSONRenderer))
    assert ours == stock


def test_settings_that_change_later_are_followed(people: list[Any]) -> None:
    from django.conf import settings
    from django.test import override_settings

    changed = {**settings.REST_FRAMEWORK, "DATE_FORMAT": "%d.%m.%Y"}
    before = body(view(PersonSerializer, JSONRenderer))
    with override_settings(REST_FRAMEWORK=changed):
        ours = body(view(PersonSerializer, JSONRenderer))
        assert ours == body(view(PersonSerializer, renderers.JSONRenderer)) != before
    assert body(view(PersonSerializer, JSONRenderer)) == before


def test_empty_list_and_empty_page(odm: SimpleNamespace) -> None:
    assert body(view(PersonSerializer, JSONRenderer)) == b"[]"

    class Pages(PageNumberPagination):
        page_size = 2

    page = body(view(PersonSerializer, JSONRenderer, pagination_class=Pages))
    assert json.loads(page) == {"count": 0, "next": None, "previous": None, "results": []}


def test_nested_serializers_are_written_in_c(people: list[Any]) -> None:
    class AddressSerializer(DocumentSerializer):
        class Meta:
            model = Address
            fields = ["city", "zip"]

    class Serializer(DocumentSerializer):
        address = AddressSerializer()
        addresses = AddressSerializer(many=True)

        class Meta:
            model = Person
            fields = ["name", "address", "addresses", "country"]

    assert asked_in_python(Serializer(), list(Person.objects.all())) == set()
    ours = body(view(Serializer, JSONRenderer))
    assert ours == body(view(Serializer, renderers.JSONRenderer))
    assert json.loads(ours)[0]["addresses"][0] == {"city": "Lyon", "zip": "69000"}


def test_depth_and_a_nested_method_fall_back(people: list[Any]) -> None:
    class AddressSerializer(DocumentSerializer):
        line = serializers.SerializerMethodField()

        class Meta:
            model = Address
            fields = ["line"]

        def get_line(self, address: Any) -> str:
            return f"{address.street}, {address.city}"

    class Serializer(DocumentSerializer):
        address = AddressSerializer()
        addresses = AddressSerializer(many=True)

        class Meta:
            model = Person
            fields = ["name", "address", "addresses", "country"]
            depth = 1

    ours = body(view(Serializer, JSONRenderer))
    assert ours == body(view(Serializer, renderers.JSONRenderer))
    assert json.loads(ours)[0]["country"] == {"code": "FR", "name": "France"}


def test_one_query_for_a_list_of_references(people: list[Any]) -> None:
    from mongodb import query_counter

    with query_counter() as queries:
        body(view(PersonSerializer, JSONRenderer))
        assert queries == 1


@pytest.mark.parametrize(
    "queryset",
    [
        lambda: Person.objects.only("name"),
        lambda: Person.objects.exclude("tags", "age"),
        lambda: Person.objects.only("address__city"),
        lambda: Person.objects.fields(slice__tags=1),
    ],
)
def test_documents_loaded_in_part_show_what_the_stock_renderer_shows(
    people: list[Any], queryset: Any
) -> None:
    ours = json.loads(body(view(PersonSerializer, JSONRenderer, queryset=queryset())))
    stock = json.loads(body(view(PersonSerializer, renderers.JSONRenderer, queryset=queryset())))
    assert ours == stock


def test_documents_loaded_as_far_as_shown_are_written_in_c(people: list[Any]) -> None:
    class Serializer(DocumentSerializer):
        class Meta:
            model = Person
            fields = ["id", "name", "tags"]

    documents = list(Person.objects.only("name", "tags"))
    assert asked_in_python(Serializer(), documents) == set()
