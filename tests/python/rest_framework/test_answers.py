# SPDX-License-Identifier: Apache-2.0
"""Answers of list views: nothing leaks from one request to the next, and what goes wrong goes wrong
in the view."""

import datetime
import json
import pickle
import unittest
from types import SimpleNamespace
from typing import Any

import orjson
import pytest
from bson import Decimal128, ObjectId
from django.core.cache import cache
from django.core.exceptions import PermissionDenied
from django.utils import timezone
from django.views.decorators.cache import cache_page
from rest_framework import renderers, serializers
from rest_framework.test import APIRequestFactory
from rest_framework.utils.serializer_helpers import ReturnList
from rest_framework.viewsets import ModelViewSet

from mongodb import Document, EmbeddedDocument, fields
from mongodb.rest_framework.renderers import JSONRenderer
from mongodb.rest_framework.serializers import DocumentSerializer

from .conftest import Address, Person


class PersonSerializer(DocumentSerializer):
    class Meta:
        model = Person
        fields = "__all__"


def view(serializer: Any, **attributes: Any) -> Any:
    attributes = {
        "queryset": Person.objects.all(),
        "serializer_class": serializer,
        "renderer_classes": [JSONRenderer],
        **attributes,
    }
    actions = {"get": "list", "options": "options"}
    return type("PeopleViewSet", (ModelViewSet,), attributes).as_view(actions)


def answer(shown: Any, path: str = "/") -> Any:
    return shown(APIRequestFactory().get(path)).render()


def names_shown(shown: Any, path: str) -> set[str]:
    return set(json.loads(answer(shown, path).content)[0])


def asked_by_staff(serializer: Any) -> bool:
    return "staff" in serializer.context["request"].GET


def removed_in_init(self: Any, *args: Any, **kwargs: Any) -> None:
    DocumentSerializer.__init__(self, *args, **kwargs)
    if not asked_by_staff(self):
        self.fields.pop("score")


def removed_in_get_fields(self: Any) -> Any:
    found = DocumentSerializer.get_fields(self)
    if not asked_by_staff(self):
        del found["score"]
    return found


def hidden_by_extra_kwargs(self: Any) -> Any:
    return {} if asked_by_staff(self) else {"score": {"write_only": True}}


def hidden_by_build_field(self: Any, name: str, *args: Any) -> Any:
    cls, kwargs = DocumentSerializer.build_field(self, name, *args)
    return cls, kwargs if asked_by_staff(self) or name != "score" else {"write_only": True}


@pytest.mark.parametrize(
    "how",
    [
        {"__init__": removed_in_init},
        {"get_fields": removed_in_get_fields},
        {"get_extra_kwargs": hidden_by_extra_kwargs},
        {"build_field": hidden_by_build_field},
    ],
    ids=lambda how: next(iter(how)),
)
def test_field_of_one_request_does_not_appear_in_the_next(
    people: list[Any], how: dict[str, Any]
) -> None:
    meta = type("Meta", (), {"model": Person, "fields": ["name", "score"]})
    shown = view(type("Serializer", (DocumentSerializer,), {**how, "Meta": meta}))
    for _ in range(2):
        assert names_shown(shown, "/?staff=1") == {"name", "score"}
        assert names_shown(shown, "/") == {"name"}


def test_field_removed_by_the_view_is_removed_for_this_request_only(people: list[Any]) -> None:
    def get_serializer(self: Any, *args: Any, **kwargs: Any) -> Any:
        made = ModelViewSet.get_serializer(self, *args, **kwargs)
        if "staff" not in self.request.GET:
            made.child.fields.pop("score")
            made.child.fields["name"].to_representation = lambda value: "hidden"
        return made

    shown = view(PersonSerializer, get_serializer=get_serializer)
    for _ in range(2):
        assert json.loads(answer(shown, "/?staff=1").content)[0]["name"] != "hidden"
        public = json.loads(answer(shown).content)[0]
        assert "score" not in public and public["name"] == "hidden"


def test_field_of_a_nested_serializer_does_not_leak(people: list[Any]) -> None:
    class AddressSerializer(DocumentSerializer):
        class Meta:
            model = Address
            fields = ["city", "street"]

        def get_fields(self) -> Any:
            found = super().get_fields()
            if not asked_by_staff(self):
                del found["street"]
            return found

    class Serializer(DocumentSerializer):
        address = AddressSerializer()
        addresses = AddressSerializer(many=True)

        class Meta:
            model = Person
            fields = ["address", "addresses"]

    shown = view(Serializer)
    for _ in range(2):
        for path, names in (("/?staff=1", {"city", "street"}), ("/", {"city"})):
            row = json.loads(answer(shown, path).content)[0]
            assert set(row["address"]) == set(row["addresses"][0]) == names


def test_class_changed_after_the_first_list_is_seen(people: list[Any], monkeypatch: Any) -> None:
    class Serializer(DocumentSerializer):
        class Meta:
            model = Person
            fields = ["name", "country"]

    assert set(Serializer(Person.objects.all(), many=True).data[0]) == {"name", "country"}
    monkeypatch.setattr(Serializer.Meta, "fields", ["name"])
    assert set(Serializer(Person.objects.all(), many=True).data[0]) == {"name"}
    monkeypatch.setattr(serializers.CharField, "to_representation", lambda self, value: "patched")
    assert Serializer(Person.objects.all(), many=True).data[0] == {"name": "patched"}
    monkeypatch.setattr(Person, "name", property(lambda self: "property"))
    monkeypatch.undo()
    monkeypatch.setattr(Person, "name", property(lambda self: "property"))
    rows = Serializer(Person.objects.order_by("email"), many=True).data
    assert rows[0]["name"] == "property"


def test_permission_refused_by_a_method_field_is_a_403(people: list[Any]) -> None:
    class Serializer(DocumentSerializer):
        secret = serializers.SerializerMethodField()

        class Meta:
            model = Person
            fields = ["name", "secret"]

        def get_secret(self, person: Any) -> None:
            raise PermissionDenied

    assert answer(view(Serializer)).status_code == 403


def test_date_that_cannot_be_shown_fails_in_the_view(odm: SimpleNamespace) -> None:
    odm.Person._get_collection().insert_one({"name": "Late", "seen": datetime.datetime.max})
    with timezone.override(datetime.timezone(datetime.timedelta(hours=2))):
        response = answer(view(PersonSerializer))
    assert response.status_code == 400 and "out of range" in response.content.decode()


def test_zone_in_which_the_view_lists_is_the_one_shown(people: list[Any]) -> None:
    def list_elsewhere(self: Any, request: Any) -> Any:
        with timezone.override(datetime.timezone(datetime.timedelta(hours=2))):
            return ModelViewSet.list(self, request)

    rows = json.loads(answer(view(PersonSerializer, list=list_elsewhere)).content)
    assert rows[0]["seen"] == "2024-03-01T01:59:59.123000+02:00"


def test_data_is_a_list_to_everybody(people: list[Any]) -> None:
    data = PersonSerializer(Person.objects.all(), many=True).data
    rows = [PersonSerializer(person).data for person in Person.objects.all()]
    assert isinstance(data, list) and type(data) is ReturnList
    assert data == rows and rows == data and len(data) == 3
    assert isinstance(data.serializer, serializers.ListSerializer)
    unittest.TestCase().assertListEqual(data, rows)
    assert json.loads(json.dumps(data)) == json.loads(orjson.dumps(data)) == rows
    assert pickle.loads(pickle.dumps(data)) == rows
    assert [*data] == data + [] == [] + data == data[:] == data.copy() == rows


def test_list_view_is_cached_by_cache_page(people: list[Any]) -> None:
    cache.clear()
    shown = cache_page(60)(view(PersonSerializer))
    first = shown(APIRequestFactory().get("/"))
    if not first.is_rendered:
        first.render()
    again = shown(APIRequestFactory().get("/"))
    assert again.content == first.content and len(json.loads(again.content)) == 3


@pytest.mark.parametrize(
    "value", [ObjectId(), Decimal128("1.50"), b"bytes", {"deep": [ObjectId()]}]
)
def test_values_of_bson_in_a_method_field(people: list[Any], value: Any) -> None:
    class Serializer(DocumentSerializer):
        value = serializers.SerializerMethodField()

        class Meta:
            model = Person
            fields = ["value"]

        def get_value(self, person: Any) -> Any:
            return value

    one = json.loads(answer(view(Serializer)).content)[0]
    detail = JSONRenderer().render(Serializer(Person.objects.first()).data)
    assert one == json.loads(detail)
    if isinstance(value, bytes):
        assert one == json.loads(renderers.JSONRenderer().render({"value": value}))
    elif not isinstance(value, dict):
        assert one == {"value": str(value)}


def test_number_where_bytes_are_expected_is_shown_as_a_number(odm: SimpleNamespace) -> None:
    odm.Person._get_collection().insert_one({"name": "Odd", "photo": 2**40})
    assert PersonSerializer(Person.objects.all(), many=True).data[0]["photo"] == 2**40
    assert PersonSerializer(Person.objects.first()).data["photo"] == 2**40


def test_attributes_of_a_renderer_are_followed(people: list[Any]) -> None:
    class Encoder(renderers.JSONRenderer.encoder_class):
        def encode(self, value: Any) -> str:
            return str(super().encode([value]))

    for attributes in (
        {"compact": False},
        {"ensure_ascii": True},
        {"compact": False, "ensure_ascii": True, "strict": False},
        {"encoder_class": Encoder},
        {"get_indent": lambda self, *args: 3},
        {"charset": "utf-8"},
    ):
        ours = type("Ours", (JSONRenderer,), attributes)
        stock = type("Stock", (renderers.JSONRenderer,), attributes)
        shown = [answer(view(PersonSerializer, renderer_classes=[one])) for one in (ours, stock)]
        assert shown[0].content == shown[1].content
        assert shown[0]["Content-Type"] == shown[1]["Content-Type"]


class Reply(EmbeddedDocument):
    text = fields.StringField(required=True)
    quoted = fields.EmbeddedDocumentField("self")
    replies = fields.ListField(fields.EmbeddedDocumentField("self"))


class Thread(Document):
    first = fields.EmbeddedDocumentField(Reply)
    meta = {"collection": "drf_threads"}


class ThreadSerializer(DocumentSerializer):
    class Meta:
        model = Thread
        fields = ["first"]


DEEP = {
    "text": "a",
    "quoted": {"text": "b", "quoted": None, "replies": []},
    "replies": [
        {
            "text": "c",
            "quoted": None,
            "replies": [{"text": "d", "quoted": None, "replies": []}],
        }
    ],
}


def test_documents_of_a_class_inside_itself(odm: SimpleNamespace) -> None:
    Thread.drop_collection()
    serializer = ThreadSerializer(data={"first": DEEP})
    assert serializer.is_valid(), serializer.errors
    serializer.save()
    assert Thread.objects.get().first.replies[0].replies[0].text == "d"
    assert json.loads(json.dumps(ThreadSerializer(Thread.objects.get()).data)) == {"first": DEEP}
    threads = view(ThreadSerializer, queryset=Thread.objects.all())
    assert json.loads(answer(threads).content) == [{"first": DEEP}]
    options = threads(APIRequestFactory().options("/")).render()
    assert options.status_code == 200
    assert "RecursiveField" in repr(ThreadSerializer())
    wrong = ThreadSerializer(data={"first": {"text": "a", "replies": [{"quoted": None}]}})
    assert not wrong.is_valid()
    assert wrong.errors["first"]["replies"][0]["text"][0].code == "required"
    form = renderers.HTMLFormRenderer().render(ThreadSerializer(Thread.objects.get()).data)
    assert "&quot;text&quot;: &quot;c&quot;" in form


def test_documents_that_name_their_class_are_shown_by_their_fields(odm: SimpleNamespace) -> None:
    class Note(EmbeddedDocument):
        when = fields.DateTimeField(db_field="w")

    class Folder(Document):
        generic = fields.GenericEmbeddedDocumentField()
        anything = fields.DynamicField()
        listed = fields.ListField()
        meta = {"collection": "drf_folders"}

    class Serializer(DocumentSerializer):
        class Meta:
            model = Folder
            fields = ["generic", "anything", "listed"]

    Folder.drop_collection()
    note = Note(when=datetime.datetime(2024, 1, 1))
    Folder(generic=note, anything=note, listed=[note]).save()
    shown = {"when": "2024-01-01T00:00:00Z"}
    rows = Serializer(Folder.objects.all(), many=True).data
    assert rows == [{"generic": shown, "anything": shown, "listed": [shown]}]
    assert Serializer(Folder.objects.get()).data == rows[0]
