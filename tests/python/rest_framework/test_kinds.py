# SPDX-License-Identifier: Apache-2.0
"""Every kind of field through a serializer and back, and partial updates of what is inside."""

import enum
import json
from types import SimpleNamespace
from typing import Any

import pytest
from rest_framework import renderers
from rest_framework.test import APIRequestFactory
from rest_framework.viewsets import ModelViewSet

from mongodb import Document, EmbeddedDocument, fields
from mongodb.rest_framework.renderers import JSONRenderer
from mongodb.rest_framework.serializers import DocumentSerializer


class Color(enum.Enum):
    RED = "red"
    DARK_BLUE = "blue"


class KindsPart(EmbeddedDocument):
    size = fields.IntField(required=True)
    note = fields.StringField()


class Box(EmbeddedDocument):
    part = fields.EmbeddedDocumentField(KindsPart)
    count = fields.IntField()


class Thing(Document):
    name = fields.StringField(regex=r"^[a-z]+$")
    color = fields.EnumField(Color)
    moment = fields.ComplexDateTimeField()
    exact = fields.Decimal128Field()
    parts = fields.EmbeddedDocumentListField(KindsPart)
    counts = fields.MapField(fields.IntField())
    named = fields.MapField(fields.EmbeddedDocumentField(KindsPart))
    ordered = fields.SortedListField(fields.IntField())
    anything = fields.DynamicField()
    table = fields.ListField(fields.ListField(fields.IntField()))
    box = fields.EmbeddedDocumentField(Box)
    others = fields.ListField(fields.ReferenceField("self"))
    days = fields.DictField(fields.DateField())
    choice = fields.IntField(choices=[(1, "one"), (2, "two")])
    letters = fields.ListField(fields.StringField(choices=["a", "b"]))
    number = fields.LongField()
    key = fields.UUIDField()
    link = fields.URLField()

    meta = {"collection": "drf_things"}


class ThingSerializer(DocumentSerializer):
    class Meta:
        model = Thing
        fields = "__all__"


class ThingViewSet(ModelViewSet[Any]):
    queryset = Thing.objects.all()
    serializer_class = ThingSerializer
    renderer_classes = [JSONRenderer]


FULL = {
    "name": "x",
    "color": "blue",
    "moment": "2024-01-02T03:04:05.123456Z",
    "exact": "1.50",
    "parts": [{"size": 1, "note": "q"}],
    "counts": {"k": 1},
    "named": {"k": {"size": 1, "note": None}},
    "ordered": [1, 2, 3],
    "anything": {"x": [1, "y"]},
    "table": [[1, 2], [3]],
    "box": {"part": {"size": 5, "note": "keep"}, "count": 1},
    "days": {"x": "2024-01-01"},
    "choice": 1,
    "letters": ["a"],
    "number": 2**40,
    "key": "12345678-1234-5678-1234-567812345678",
    "link": "http://example.com/",
}


@pytest.fixture
def thing(odm: SimpleNamespace) -> Any:
    Thing.drop_collection()
    first = Thing(name="first").save()
    serializer = ThingSerializer(data={**FULL, "ordered": [3, 1, 2], "others": [str(first.id)]})
    assert serializer.is_valid(), serializer.errors
    return serializer.save()


def send(method: str, data: Any, thing: Any, **how: Any) -> Any:
    request = getattr(APIRequestFactory(), method)("/", data, **(how or {"format": "json"}))
    actions = {"patch": "partial_update", "put": "update", "post": "create"}
    response = ThingViewSet.as_view({method: actions[method]})(request, pk=str(thing.id))
    response.render()
    return response


def test_every_kind_comes_back_as_it_was_sent(thing: Any) -> None:
    first = Thing.objects.get(name="first")
    shown = ThingSerializer(Thing.objects.get(id=thing.id)).data
    assert json.loads(renderers.JSONRenderer().render(shown)) == {
        **FULL,
        "id": str(thing.id),
        "others": [str(first.id)],
    }
    assert Thing.objects.get(color=Color.DARK_BLUE).id == thing.id


def test_bytes_equal_those_of_the_stock_renderer(thing: Any) -> None:
    written = []
    for renderer in (JSONRenderer, renderers.JSONRenderer):
        view = type("View", (ThingViewSet,), {"renderer_classes": [renderer]})
        written.append(view.as_view({"get": "list"})(APIRequestFactory().get("/")).render().content)
    assert written[0] == written[1]


def test_patch_reaches_embedded_documents_inside(thing: Any) -> None:
    assert send("patch", {"box": {"part": {"size": 6}}}, thing).status_code == 200
    found = Thing.objects.get(id=thing.id)
    assert (found.box.part.size, found.box.part.note, found.box.count) == (6, "keep", 1)


def test_patch_of_a_missing_embedded_document_needs_its_required_fields(thing: Any) -> None:
    first = Thing.objects.get(name="first")
    refused = send("patch", {"box": {"part": {"note": "x"}}}, first)
    assert refused.status_code == 400 and set(refused.data["box"]["part"]) == {"size"}
    assert Thing.objects.get(id=first.id).box is None


def test_put_replaces_and_null_empties(thing: Any) -> None:
    assert send("put", {"name": "y", "box": None, "parts": None}, thing).status_code == 200
    found = Thing.objects.get(id=thing.id)
    assert found.name == "y" and found.box is None and found.parts == []


def test_errors_name_positions_and_keys(thing: Any) -> None:
    bad = {
        "name": "X1",
        "color": "green",
        "choice": 3,
        "letters": ["c"],
        "counts": {"k": "z"},
        "others": ["zz"],
        "parts": [{"size": "z"}],
        "exact": "many",
        "key": "k",
    }
    refused = send("put", bad, thing)
    assert refused.status_code == 400 and set(refused.data) == set(bad)
    assert set(refused.data["counts"]) == {"k"}


def test_choices_have_labels() -> None:
    built = ThingSerializer().fields
    assert built["color"].choices == {"red": "Red", "blue": "Dark blue"}
    assert built["choice"].choices == {1: "one", 2: "two"}


def test_empty_part_of_a_form_was_not_sent(thing: Any) -> None:
    class Serializer(DocumentSerializer):
        class Meta:
            model = Thing
            fields = ["name", "box"]

    from django.http import QueryDict

    empty = Serializer(data=QueryDict("name=x&box.count=&box.part.size=&box.part.note="))
    assert empty.is_valid(), empty.errors
    assert "box" not in empty.validated_data
    given = Serializer(data=QueryDict("name=x&box.count=2&box.part.size=&box.part.note="))
    assert given.is_valid(), given.errors
    assert given.save().box.count == 2


def test_text_of_json_is_read_in_forms_alone() -> None:
    from django.http import QueryDict

    from mongodb.fields import EmbeddedDocumentField, IntField

    class KindBranch(EmbeddedDocument):
        n = IntField()
        below = EmbeddedDocumentField("self")

    class KindBush(Document):
        branch = EmbeddedDocumentField(KindBranch)

    class Serializer(DocumentSerializer):
        class Meta:
            model = KindBush
            fields = ["branch"]

    form = Serializer(data=QueryDict('branch.n=1&branch.below={"n": 2}'))
    assert form.is_valid(), form.errors
    assert form.validated_data["branch"]["below"]["n"] == 2
    sent = Serializer(data={"branch": {"n": 1, "below": '{"n": 2}'}})
    assert not sent.is_valid() and "below" in sent.errors["branch"]
    bare = Serializer(data=QueryDict("branch.n=1"))
    assert bare.is_valid(), bare.errors
