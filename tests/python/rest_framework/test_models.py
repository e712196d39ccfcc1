# SPDX-License-Identifier: Apache-2.0
"""Serializers of Django's models with MongoDB's own fields: ours, and DRF's own."""

import datetime
import json
import re
import subprocess
import sys
from collections.abc import Callable, Iterator
from decimal import Decimal
from types import SimpleNamespace
from typing import Any

import pytest
from bson import ObjectId
from django.core.signals import request_started
from django.db import models
from django.http import QueryDict
from django.test import override_settings
from django.urls import clear_url_caches, include, path
from rest_framework import serializers as drf
from rest_framework import viewsets
from rest_framework.routers import DefaultRouter
from rest_framework.test import APIClient

from mongodb.backend import fields
from mongodb.backend.models import EmbeddedModel
from mongodb.rest_framework import serializers as ours
from mongodb.rest_framework.models import FIELDS
from mongodb.rest_framework.renderers import JSONRenderer

urlpatterns: list[Any] = []


def declare() -> SimpleNamespace:
    class Place(EmbeddedModel):
        city = models.CharField(max_length=10)
        zip = models.IntegerField(null=True, blank=True)

        class Meta:
            app_label = "mongodb"

    class Owner(models.Model):
        id = fields.ObjectIdAutoField(primary_key=True)
        name = models.CharField(max_length=10)

        class Meta:
            app_label = "mongodb"

    class Writer(EmbeddedModel):
        name = models.CharField(max_length=10, unique=True)
        rate = models.DecimalField(max_digits=5, decimal_places=2, null=True, blank=True)
        place = fields.EmbeddedModelField(Place, null=True, blank=True)
        owner = models.ForeignKey(Owner, models.DO_NOTHING, null=True, blank=True)
        pupil = fields.EmbeddedModelField("Writer", null=True, blank=True)

        class Meta:
            app_label = "mongodb"

    class Cat(EmbeddedModel):
        name = models.CharField(max_length=10)
        purrs = models.BooleanField(default=True)

        class Meta:
            app_label = "mongodb"

    class Dog(EmbeddedModel):
        name = models.CharField(max_length=10)
        age = models.PositiveIntegerField()

        class Meta:
            app_label = "mongodb"

    class Book(models.Model):
        id = fields.ObjectIdAutoField(primary_key=True)
        title = models.CharField(max_length=20)
        tags = fields.ArrayField(models.CharField(max_length=5), default=list, blank=True,
                                 max_size=3)  # fmt: skip
        days = fields.ArrayField(models.DateField(), null=True, blank=True)
        grid = fields.ArrayField(fields.ArrayField(models.IntegerField()), null=True, blank=True)
        forms = fields.ArrayField(fields.RegexField(), null=True, blank=True)
        writer = fields.EmbeddedModelField(Writer, null=True, blank=True)
        places = fields.EmbeddedModelArrayField(Place, default=list, blank=True)
        pet = fields.PolymorphicEmbeddedModelField([Cat, Dog], null=True, blank=True)
        pets = fields.PolymorphicEmbeddedModelArrayField([Cat, Dog], null=True, blank=True)
        other = fields.ObjectIdField(null=True, blank=True)
        notes = fields.EmbeddedModelField(null=True, blank=True)
        owner = models.ForeignKey(Owner, models.CASCADE, null=True, blank=True)

        class Meta:
            app_label = "mongodb"

    return SimpleNamespace(**{k: v for k, v in locals().items() if isinstance(v, type)})


@pytest.fixture(params=[ours.ModelSerializer, drf.ModelSerializer], ids=["ours", "stock"])
def api(request: pytest.FixtureRequest, orm: Callable[..., None]) -> Iterator[SimpleNamespace]:
    """An API over the models, its client, and what it is made of."""
    request_started.send(sender=None)  # as before a project's first request
    made = declare()
    orm(made.Owner, made.Book)

    class Serializer(request.param):
        class Meta:
            model = made.Book
            fields = "__all__"

    class Books(viewsets.ModelViewSet):
        queryset = made.Book.objects.order_by("pk")
        serializer_class = Serializer

    class Rendered(Books):
        renderer_classes = (JSONRenderer, *viewsets.ModelViewSet.renderer_classes[1:])

    router = DefaultRouter()
    # an ObjectId of another model's key is JSON by our renderer, or by our serializer
    router.register("books", Books if request.param is ours.ModelSerializer else Rendered, "book")
    urlpatterns[:] = [path("", include(router.urls))]
    made.client = APIClient()
    made.Serializer = Serializer
    made.is_ours = request.param is ours.ModelSerializer
    with override_settings(ROOT_URLCONF=__name__):
        clear_url_caches()
        yield made


WHOLE: dict[str, Any] = {
    "title": "A",
    "tags": ["x", "y"],
    "days": ["2024-05-06"],
    "grid": [[1, 2], [3, 4]],
    "forms": ["/iu:a+"],
    "writer": {
        "name": "Ann", "rate": "1.50", "place": {"city": "Bath", "zip": 7},
        "pupil": {"name": "Bob", "rate": None, "place": None, "owner": None, "pupil": None},
    },
    "places": [{"city": "Rome", "zip": None}, {"city": "Oslo", "zip": 1}],
    "pet": {"name": "Tom", "purrs": False, "_label": "mongodb.Cat"},
    "pets": [{"name": "Rex", "age": 3, "_label": "mongodb.Dog"}],
    "other": "0" * 24,
    "notes": {"any": [1, {"thing": None}]},
}  # fmt: skip


def post(api: Any, body: dict[str, Any]) -> Any:
    return api.client.post("/books/", body, format="json")


def test_what_is_sent_comes_back(api: Any) -> None:
    owner = api.Owner.objects.create(name="O")
    body = {**WHOLE, "owner": str(owner.pk), "writer": {**WHOLE["writer"], "owner": str(owner.pk)}}
    reply = post(api, body)
    assert reply.status_code == 201, reply.content
    shown = json.loads(reply.content)
    assert re.fullmatch("[0-9a-f]{24}", shown["id"])
    for where in (f"/books/{shown['id']}/", "/books/"):
        again = json.loads(api.client.get(where, format="json").content)
        again = again[0] if isinstance(again, list) else again
        assert again == shown
    del shown["id"]
    assert shown == body
    book = api.Book.objects.get()
    assert type(book.writer) is api.Writer and type(book.writer.pupil) is api.Writer
    assert book.writer.rate == Decimal("1.50") and book.writer.owner == owner
    assert book.days == [datetime.date(2024, 5, 6)] and book.other == ObjectId("0" * 24)
    assert [type(one) for one in (*book.places, book.pet, *book.pets)] == [
        api.Place, api.Place, api.Cat, api.Dog,
    ]  # fmt: skip
    assert book.forms[0].search("xAAx")


def test_errors_have_paths(api: Any) -> None:
    wrong = {
        "title": "A",
        "tags": ["x", "too long"],
        "grid": [[1, 2], [3]],
        "writer": {"place": {"zip": "x"}, "owner": "nonsense", "rate": "1.555"},
        "places": [{"city": "Rome"}, {"zip": 1}],
        "pet": {"name": "Tom"},
        "pets": [{"_label": "mongodb.Dog", "name": "R"}, {"_label": "shop.Cow"}, 5],
        "other": "nonsense",
        "notes": [1],
        "owner": "nonsense",
    }
    reply = post(api, wrong)
    errors = json.loads(reply.content)
    assert reply.status_code == 400 and set(errors) == set(wrong) - {"title"}
    assert list(errors["tags"]) == ["1"]
    assert set(errors["writer"]) == {"name", "place", "owner", "rate"}
    assert set(errors["writer"]["place"]) == {"city", "zip"}
    assert errors["places"] == {"1": {"city": ["This field is required."]}}
    assert errors["pet"] == {"_label": ["This field is required: one of mongodb.Cat, mongodb.Dog."]}
    assert errors["pets"]["0"] == {"age": ["This field is required."]}
    assert errors["pets"]["1"] == {"_label": ["“shop.Cow” is none of mongodb.Cat, mongodb.Dog."]}
    assert "not a valid" in errors["other"][0] and "dictionary" in errors["notes"][0]
    assert "same length" in errors["grid"][0]
    four = post(api, {"title": "A", "tags": ["a", "b", "c", "d"]})
    assert four.status_code == 400 and "no more than 3" in json.loads(four.content)["tags"][0]
    assert api.Book.objects.count() == 0


def test_a_patch_keeps_what_was_not_sent(api: Any) -> None:
    key = json.loads(post(api, WHOLE).content)["id"]
    where = f"/books/{key}/"

    def patch(**body: Any) -> Any:
        reply = api.client.patch(where, body, format="json")
        return reply.status_code, json.loads(reply.content)

    status, shown = patch(writer={"place": {"zip": 8}, "pupil": {"rate": "2.00"}})
    assert status == 200, shown
    assert shown["writer"]["name"] == "Ann" and shown["writer"]["place"] == {
        "city": "Bath",
        "zip": 8,
    }
    assert shown["writer"]["pupil"]["name"] == "Bob" and shown["writer"]["pupil"]["rate"] == "2.00"
    assert shown["tags"] == ["x", "y"] and api.Book.objects.get().writer.place.zip == 8
    # what is in an array is whole, and so is what was not there
    assert patch(places=[{"zip": 3}])[1] == {"places": {"0": {"city": ["This field is required."]}}}
    assert patch(pets=[{"_label": "mongodb.Dog", "age": 1}])[0] == 400
    assert patch(pet={"purrs": True})[1]["pet"] == {**WHOLE["pet"], "purrs": True}
    assert patch(pet={"_label": "mongodb.Dog", "age": 1})[1] == {
        "pet": {"name": ["This field is required."]}
    }
    assert patch(pet={"_label": "mongodb.Dog", "age": 1, "name": "R"})[1]["pet"]["age"] == 1
    assert patch(writer=None)[1]["writer"] is None
    assert patch(writer={"rate": "1.00"})[1] == {"writer": {"name": ["This field is required."]}}
    assert patch(title="B")[1]["title"] == "B"


def test_keys_that_are_nonsense_are_not_found(api: Any) -> None:
    for key in ("nonsense", "1", "0" * 24, "0" * 23):
        for method in ("get", "put", "patch", "delete"):
            reply = getattr(api.client, method)(f"/books/{key}/", {"title": "A"}, format="json")
            assert reply.status_code == 404, (key, method)


def test_the_browsable_pages_show_forms(api: Any) -> None:
    key = json.loads(post(api, WHOLE).content)["id"]
    for where in ("/books/", f"/books/{key}/"):
        page = api.client.get(where, HTTP_ACCEPT="text/html")
        assert page.status_code == 200
        text = page.content.decode()
        assert 'name="writer.place.city"' in text and 'name="pet"' in text
        assert json.loads(api.client.options(where).content)["name"]
    sent = {
        "title": "B",
        "writer.name": "",
        "writer.place.city": "",
        "pet": "",
        "notes": '{"a": 1}',
    }
    reply = api.client.put(f"/books/{key}/", sent, format="multipart", HTTP_ACCEPT="text/html")
    assert reply.status_code == 200, reply.content
    book = api.Book.objects.get()
    assert (book.title, book.writer, book.pet, book.notes) == ("B", None, None, {"a": 1})
    sent = {"title": "C", "writer.name": "Ann", "pet": "{", "tags": ["x"]}
    reply = api.client.put(f"/books/{key}/", sent, format="multipart", HTTP_ACCEPT="text/html")
    assert reply.status_code == 400 and b"Value must be valid JSON." in reply.content
    sent["pet"] = '{"_label": "mongodb.Cat", "name": "T"}'
    api.client.put(f"/books/{key}/", sent, format="multipart")
    book.refresh_from_db()
    assert (book.writer.name, book.pet.name, book.tags) == ("Ann", "T", ["x"])


def test_the_serializer_says_what_it_is(api: Any) -> None:
    text = repr(api.Serializer())
    assert "tags = ListField(child=CharField(" in text and "ObjectIdField(" in text
    assert "writer = WriterSerializer(" in text and "ModelField" not in text.replace(
        "ItemField", ""
    )


def test_what_serializers_declare(api: Any) -> None:
    class PlaceSerializer(ours.ModelSerializer):
        class Meta:
            model = api.Place
            fields = ["city"]

        def validate_city(self, value: str) -> str:
            if value == "Nowhere":
                raise drf.ValidationError("There is no such city.")
            return value

    class BookSerializer(type(api.Serializer()).__bases__[0]):
        places = PlaceSerializer(many=True)

        class Meta:
            model = api.Book
            fields = ["title", "places", "tags"]
            extra_kwargs = {"tags": {"max_length": 1}}

    good = BookSerializer(data={"title": "A", "places": [{"city": "Rome"}]})
    assert good.is_valid() and good.save().places[0].city == "Rome"
    assert good.data["places"] == [{"city": "Rome"}]
    bad = BookSerializer(data={"title": "A", "places": [{"city": "Nowhere"}], "tags": ["a", "b"]})
    assert not bad.is_valid() and set(bad.errors) == {"places", "tags"}
    alone = PlaceSerializer(data={"city": "Oslo"})
    assert alone.is_valid() and alone.validated_data == {"city": "Oslo"}
    assert type(alone.save()) is api.Place


def test_other_models_are_mapped_as_before() -> None:
    known = drf.ModelSerializer.serializer_field_mapping
    assert all(cls.__module__.startswith("mongodb.") for cls in FIELDS)
    assert known[models.AutoField] is drf.IntegerField and known[models.Field] is drf.ModelField


def test_documents_import_nothing_of_the_orms_backend() -> None:
    code = """
import sys, django
from django.conf import settings
settings.configure(INSTALLED_APPS=["rest_framework", "mongodb"])
django.setup()
from mongodb.rest_framework import serializers
assert "mongodb.backend" not in sys.modules
assert serializers.ModelSerializer.__mro__[1].__module__ == "rest_framework.serializers"
assert not hasattr(serializers, "ModelSerialiser")
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


def test_an_array_that_is_not_blank_has_items(orm: Callable[..., None]) -> None:
    class Filled(models.Model):
        marks = fields.ArrayField(models.IntegerField())
        rows = fields.ArrayField(fields.ArrayField(models.IntegerField(), blank=True), blank=True)

        class Meta:
            app_label = "mongodb"

    class FilledSerializer(ours.ModelSerializer):
        class Meta:
            model = Filled
            fields = ["marks", "rows"]

    orm(Filled)
    wrong = FilledSerializer(data={"marks": [], "rows": [[]]})
    assert not wrong.is_valid() and set(wrong.errors) == {"marks"}
    assert FilledSerializer(data={"marks": [1], "rows": []}).is_valid()


def test_an_empty_part_of_a_form_is_null_missing_or_left_out(orm: Callable[..., None]) -> None:
    class FormPart(EmbeddedModel):
        city = models.CharField(max_length=10)

        class Meta:
            app_label = "mongodb"

    class Formed(models.Model):
        needed = fields.EmbeddedModelField(FormPart)
        free = fields.EmbeddedModelField(FormPart, null=True, blank=True)

        class Meta:
            app_label = "mongodb"

    class FormedSerializer(ours.ModelSerializer):
        class Meta:
            model = Formed
            fields = ["needed", "free"]

    orm(Formed)
    blank = FormedSerializer(data=QueryDict("needed.city=&free.city="))
    assert not blank.is_valid() and set(blank.errors) == {"needed"}
    assert "city" in blank.errors["needed"]
    given = FormedSerializer(data=QueryDict("needed.city=a&free.city="))
    assert given.is_valid(), given.errors
    assert given.validated_data["free"] is None
    part = FormedSerializer(data=QueryDict("needed.city=&free.city=b"), partial=True)
    part.fields["needed"].required = False
    assert part.is_valid(), part.errors
    assert set(part.validated_data) == {"free"}
