# SPDX-License-Identifier: Apache-2.0
"""Views, routers, dynamic documents and patches under the names of DRF's modules."""

from collections.abc import Iterator
from typing import Any

import pytest
from bson import DBRef, ObjectId
from rest_framework import serializers as drf
from rest_framework.test import APIRequestFactory

import mongodb
from mongodb.compat.rest_framework_mongoengine import fields, serializers, validators
from mongodb.compat.rest_framework_mongoengine.contrib.patching import get_field_for_path
from mongodb.rest_framework.generics import (
    ListCreateAPIView,
    RetrieveUpdateDestroyAPIView,
    get_object_or_404,
)
from mongodb.rest_framework.patching import Patch, PatchModelMixin
from mongodb.rest_framework.routers import DefaultRouter, SimpleRouter
from mongodb.rest_framework.serializers import (
    DocumentSerializer,
    DynamicDocumentSerializer,
    EmbeddedDocumentSerializer,
)
from mongodb.rest_framework.viewsets import GenericViewSet, ModelViewSet, ReadOnlyModelViewSet


class ModulePart(mongodb.EmbeddedDocument):
    name = mongodb.StringField()
    size = mongodb.IntField()


class ModuleThing(mongodb.Document):
    name = mongodb.StringField(unique=True)
    n = mongodb.IntField()
    tags = mongodb.ListField(mongodb.StringField())
    part = mongodb.EmbeddedDocumentField(ModulePart)


class ModuleLoose(mongodb.DynamicDocument):
    name = mongodb.StringField()


class ModulePair(mongodb.Document):
    a = mongodb.IntField()
    b = mongodb.IntField()


class ThingSerializer(DocumentSerializer):
    class Meta:
        model = ModuleThing
        fields = "__all__"


class ThingView(PatchModelMixin, ModelViewSet):
    queryset = ModuleThing.objects
    serializer_class = ThingSerializer


@pytest.fixture(autouse=True)
def _store() -> Iterator[None]:
    mongodb.connect("modules", host="docstore://:memory:")
    yield
    mongodb.disconnect_all()


def call(view: Any, method: str, data: Any = None, **kwargs: Any) -> Any:
    return view(getattr(APIRequestFactory(), method)("/", data, format="json"), **kwargs)


def test_generic_views_look_documents_up_by_id() -> None:
    class Things(ListCreateAPIView):
        queryset = ModuleThing.objects
        serializer_class = ThingSerializer

    class Thing(RetrieveUpdateDestroyAPIView):
        queryset = ModuleThing.objects
        serializer_class = ThingSerializer

    key = call(Things.as_view(), "post", {"name": "a"}).data["id"]
    assert [one["name"] for one in call(Things.as_view(), "get").data] == ["a"]
    assert call(Thing.as_view(), "patch", {"n": 2}, id=key).data["n"] == 2
    assert call(Thing.as_view(), "get", id=key).data["name"] == "a"
    for missing in (str(ObjectId()), "wrong"):
        assert call(Thing.as_view(), "get", id=missing).status_code == 404
    assert call(Thing.as_view(), "delete", id=key).status_code == 204
    with pytest.raises(Exception, match=r"^$") as caught:
        get_object_or_404(ModuleThing.objects, id=key)
    assert type(caught.value).__name__ == "Http404"


def test_routers_name_viewsets_by_their_documents() -> None:
    class Read(ReadOnlyModelViewSet):
        queryset = ModuleThing.objects
        serializer_class = ThingSerializer

    class Nameless(GenericViewSet):
        pass

    router = SimpleRouter()
    router.register("things", ThingView)
    assert {one.name for one in router.urls} == {"modulething-list", "modulething-detail"}
    assert {one.lookup_field for one in (Read, ThingView)} == {"id"}
    with pytest.raises(AssertionError, match="Nameless has no `queryset`"):
        DefaultRouter().register("none", Nameless)


def test_dynamic_documents_take_and_show_any_field() -> None:
    class Loose(DynamicDocumentSerializer):
        class Meta:
            model = ModuleLoose
            fields = "__all__"

    serializer = Loose(data={"name": "a", "more": {"x": [1]}, "gone": None})
    assert serializer.is_valid(), serializer.errors
    made = serializer.save()
    assert mongodb.get_db().module_loose.find_one()["more"] == {"x": [1]}
    shown = Loose(ModuleLoose.objects, many=True).data
    assert shown == [{"id": str(made.pk), "name": "a", "more": {"x": [1]}}]
    changed = Loose(made, data={"other": 1}, partial=True)
    assert changed.is_valid() and changed.save().other == 1
    assert Loose(ModuleLoose.objects.get()).data["more"] == {"x": [1]}


def test_embedded_documents_have_a_serializer_of_their_own() -> None:
    class Part(EmbeddedDocumentSerializer):
        class Meta:
            model = ModulePart
            fields = "__all__"

    class Thing(DocumentSerializer):
        part = Part()

        class Meta:
            model = ModuleThing
            fields = ("name", "part")

    serializer = Thing(data={"name": "a", "part": {"name": "p", "size": "3"}})
    assert serializer.is_valid(), serializer.errors
    assert serializer.save().part == ModulePart(name="p", size=3)
    assert issubclass(serializers.EmbeddedDocumentSerializer, EmbeddedDocumentSerializer)


def test_a_patch_is_a_list_of_changes() -> None:
    one = ModuleThing(name="a", n=1, tags=["x"], part=ModulePart(name="p")).save()
    ModuleThing(name="b", n=1).save()
    view = ThingView.as_view({"patch": "modify_obj"})
    changes = [
        {"path": "/n", "op": "inc", "value": "4"},
        {"path": "/tags", "op": "push", "value": "y"},
        {"path": "/part/size", "op": "set", "value": 3},
        {"path": "/part/name", "op": "unset", "value": None},
    ]
    assert call(view, "patch", changes, id=str(one.pk)).status_code == 204
    one.reload()
    assert (one.n, one.tags, one.part.size, one.part.name) == (5, ["x", "y"], 3, None)
    view = ThingView.as_view({"patch": "modify_set"})
    assert call(view, "patch", [{"path": "/n", "op": "set", "value": 9}]).status_code == 204
    assert ModuleThing.objects(n=9).count() == 2


@pytest.mark.parametrize(
    "change",
    [
        "text",
        {"path": "/n", "op": "set"},
        {"path": "n", "op": "set", "value": 1},
        {"path": "/none", "op": "set", "value": 1},
        {"path": "/n/x", "op": "set", "value": 1},
        {"path": "/n", "op": "set", "value": "x"},
        {"path": "/n", "op": "push", "value": 1},
        {"path": "/id", "op": "set", "value": "x"},
        {"path": "/n", "op": "unset", "value": 1},
        {"path": "/tags", "op": "pop", "value": "many"},
        {"path": "/n", "op": "drop", "value": 1},
    ],
)
def test_changes_that_cannot_be_are_refused(change: Any) -> None:
    one = ModuleThing(name="a", n=1).save()
    view = ThingView.as_view({"patch": "modify_obj"})
    answer = call(view, "patch", [change], id=str(one.pk))
    assert answer.status_code == 400 and len(answer.data) == 1
    assert ModuleThing.objects.get().n == 1


@pytest.mark.parametrize(
    "name", ["save", "pk", "objects", "_created", "_meta", "__class__", "$set", "a.b", "a\0b", ""]
)
def test_a_dynamic_documents_own_names_are_no_fields(name: str) -> None:
    class Loose(DynamicDocumentSerializer):
        class Meta:
            model = ModuleLoose
            fields = "__all__"

    serializer = Loose(data={"name": "a", name: {"x": 1}, "free": 2})
    assert not serializer.is_valid() and set(serializer.errors) == {name}


class ModuleCase(mongodb.Document):
    n = mongodb.IntField(max_value=5)
    title = mongodb.StringField()
    note = mongodb.StringField()
    part = mongodb.EmbeddedDocumentField(ModulePart)
    parts = mongodb.ListField(mongodb.EmbeddedDocumentField(ModulePart))


class PartNameSerializer(EmbeddedDocumentSerializer):
    class Meta:
        model = ModulePart
        fields = ("name",)


class CaseSerializer(DocumentSerializer):
    part = PartNameSerializer(read_only=True)
    parts = PartNameSerializer(many=True)
    note = drf.CharField(source="title")

    class Meta:
        model = ModuleCase
        fields = ("n", "part", "parts", "note")


class CaseView(PatchModelMixin, ModelViewSet):
    queryset = ModuleCase.objects
    serializer_class = CaseSerializer


@pytest.mark.parametrize(
    ("path", "op", "value"),
    [
        ("/part/name", "set", "of a part that is read only"),
        ("/parts/0__size", "unset", None),
        ("/parts/size", "unset", None),
        ("/parts/0/size", "set", 2),
        ("/n", "set", 99),
    ],
)
def test_a_patch_changes_what_the_serializer_lets_it(path: str, op: str, value: Any) -> None:
    part = ModulePart(name="p", size=1)
    one = ModuleCase(n=1, title="t", note="own", part=part, parts=[part]).save()
    view = CaseView.as_view({"patch": "modify_obj"})
    before = ModuleCase.objects.as_pymongo().get()
    change = {"path": path, "op": op, "value": value}
    assert call(view, "patch", [change], id=str(one.pk)).status_code == 400
    assert ModuleCase.objects.as_pymongo().get() == before
    change = {"path": "/note", "op": "set", "value": "new"}
    assert call(view, "patch", [change], id=str(one.pk)).status_code == 204
    assert ModuleCase.objects.as_pymongo().get() == {**before, "title": "new"}


def test_a_patch_without_a_serializer_takes_paths_as_they_are() -> None:
    patch = Patch(data=[{"path": "/a/0/b", "op": "set", "value": 1}])
    assert patch.is_valid() and patch.validated_data[0]["path"] == ("a", "0", "b")
    assert get_field_for_path(ThingSerializer(), ("tags", "0")).__class__ is drf.CharField


def test_validators_take_mongoengines_arguments() -> None:
    class Unique(drf.Serializer[Any]):
        title = drf.CharField(
            source="name", validators=[validators.UniqueValidator(ModuleThing.objects)]
        )

    class Together(drf.Serializer[Any]):
        a = drf.IntegerField(required=False, allow_null=True)
        b = drf.IntegerField(required=False)

        class Meta:
            validators = (validators.UniqueTogetherValidator(ModulePair.objects, ("a", "b")),)

    class Optional(Together):
        class Meta:
            validators = (
                validators.OptionalUniqueTogetherValidator(ModulePair.objects, ("a", "b")),
            )

    thing = ModuleThing(name="a").save()
    ModulePair(a=1, b=2).save()
    assert not Unique(data={"title": "a"}).is_valid() and Unique(data={"title": "b"}).is_valid()
    assert Unique(thing, data={"title": "a"}).is_valid()
    assert not Together(data={"a": 1, "b": 2}).is_valid()
    assert Together(data={"a": None, "b": 2}).is_valid()
    assert not Together(data={"a": 1}).is_valid() and Optional(data={"a": 1}).is_valid()
    assert not Optional(data={"a": 1, "b": 2}).is_valid()


def test_fields_take_mongoengines_arguments() -> None:
    thing = ModuleThing(name="a").save()
    reference = fields.ReferenceField(ModuleThing)
    for given in (str(thing.pk), {"_id": str(thing.pk)}):
        assert reference.to_internal_value(given) == thing
    assert reference.to_representation(DBRef("module_thing", thing.pk)) == str(thing.pk)
    shown = fields.GenericReferenceField().to_representation(DBRef("module_thing", thing.pk))
    assert shown == {"_cls": "ModuleThing", "_id": str(thing.pk)}
    combo = fields.ComboReferenceField(serializer=ThingSerializer)
    assert combo.to_internal_value(str(thing.pk)) == thing
    assert combo.to_internal_value({"name": "new"}).name == "new"
    part = fields.GenericEmbeddedField()
    assert part.to_internal_value({"_cls": "ModulePart", "size": 1}) == ModulePart(size=1)
    assert part.to_representation(ModulePart(size=1)) == {"_cls": "ModulePart", "size": 1}
    for wrong in (1, {"size": 1}, {"_cls": "NoSuch"}, {"_cls": "ModuleThing"}):
        with pytest.raises(drf.ValidationError):
            part.to_internal_value(wrong)
    number = fields.DocumentField(ModuleThing.n)
    assert number.to_internal_value("3") == 3 and number.to_representation(thing) is None
    with pytest.raises(drf.ValidationError):
        number.run_validators("x")
