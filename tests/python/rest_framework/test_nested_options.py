# SPDX-License-Identifier: Apache-2.0
"""Options of a serializer's Meta for the fields inside its fields."""

from typing import Any

import pytest
from django.core.exceptions import ImproperlyConfigured
from rest_framework import serializers as drf

import mongodb
from mongodb.compat.rest_framework_mongoengine import fields as their_fields
from mongodb.compat.rest_framework_mongoengine import serializers as theirs
from mongodb.rest_framework.serializers import DocumentSerializer

SERIALIZERS = pytest.mark.parametrize("base", [DocumentSerializer, theirs.DocumentSerializer])


class OptionsPart(mongodb.EmbeddedDocument):
    name = mongodb.StringField()
    size = mongodb.IntField()


class OptionsCase(mongodb.EmbeddedDocument):
    part = mongodb.EmbeddedDocumentField(OptionsPart)
    code = mongodb.StringField()


class OptionsOwner(mongodb.Document):
    name = mongodb.StringField()
    email = mongodb.StringField()


class OptionsThing(mongodb.Document):
    name = mongodb.StringField()
    part = mongodb.EmbeddedDocumentField(OptionsPart)
    parts = mongodb.ListField(mongodb.EmbeddedDocumentField(OptionsPart))
    by_name = mongodb.MapField(mongodb.EmbeddedDocumentField(OptionsPart))
    case = mongodb.EmbeddedDocumentField(OptionsCase)
    owner = mongodb.ReferenceField(OptionsOwner)


class OptionsLoop(mongodb.EmbeddedDocument):
    word = mongodb.StringField()
    below = mongodb.EmbeddedDocumentField("self")


class OptionsTree(mongodb.Document):
    top = mongodb.EmbeddedDocumentField(OptionsLoop)


class OptionsUnique(mongodb.Document):
    meta = {"indexes": [{"fields": ["left", "right"], "unique": True}]}  # noqa: RUF012
    code = mongodb.StringField(unique=True)
    left = mongodb.IntField()
    right = mongodb.IntField(default=3)


def made(base: Any, document: Any = OptionsThing, **options: Any) -> Any:
    attributes = {name: options.pop(name) for name in list(options) if name[:9] == "validate_"}
    if not {"fields", "exclude"} & options.keys():
        options["fields"] = "__all__"
    meta = type("Meta", (), {"model": document, **options})
    return type("OptionsSerializer", (base,), {"Meta": meta, **attributes})


def thing() -> OptionsThing:
    return OptionsThing(
        name="n",
        part=OptionsPart(name="a", size=1),
        parts=[OptionsPart(name="b", size=2)],
        by_name={"c": OptionsPart(name="c", size=3)},
        case=OptionsCase(part=OptionsPart(name="d", size=4), code="e"),
    )


@SERIALIZERS
@pytest.mark.parametrize("child", ["", "child."])
def test_fields_choose_what_is_shown_inside(base: Any, child: str) -> None:
    names = ["part", "part.name", f"parts.{child}name", f"by_name.{child}size", "case.part.size"]
    assert made(base, fields=names)(thing()).data == {
        "part": {"name": "a"},
        "parts": [{"name": "b"}],
        "by_name": {"c": {"size": 3}},
        "case": {"part": {"size": 4}},
    }


@SERIALIZERS
def test_exclude_leaves_out_what_is_inside(base: Any) -> None:
    names = ["id", "name", "owner", "case", "part.size", "parts.size", "by_name.child.name"]
    assert made(base, exclude=names)(thing()).data == {
        "part": {"name": "a"},
        "parts": [{"name": "b"}],
        "by_name": {"c": {"size": 3}},
    }


@SERIALIZERS
def test_what_is_inside_is_read_only_or_has_other_arguments(base: Any) -> None:
    cls = made(
        base,
        fields=["part", "parts"],
        read_only_fields=["part.size"],
        extra_kwargs={"parts.name": {"default": "none"}},
    )
    given = {"part": {"name": "a", "size": 5}, "parts": [{"size": 2}]}
    serializer = cls(data=given)
    assert serializer.is_valid(), serializer.errors
    assert serializer.validated_data == {
        "part": {"name": "a"},
        "parts": [{"name": "none", "size": 2}],
    }


@SERIALIZERS
def test_a_method_checks_what_is_inside(base: Any) -> None:
    def check(self: Any, value: Any) -> Any:
        if value == "bad":
            raise drf.ValidationError("No.")
        return value.upper()

    cls = made(base, validate_part__name=check, validate_parts__child__name=check)
    wrong = cls(data={"part": {"name": "bad"}, "parts": [{"name": "bad"}]})
    assert not wrong.is_valid()
    assert wrong.errors["part"] == {"name": ["No."]}
    right = cls(data={"part": {"name": "a"}, "parts": [{"name": "b"}]})
    assert right.is_valid(), right.errors
    assert right.validated_data["part"] == {"name": "A"}
    assert right.validated_data["parts"] == [{"name": "B"}]


@SERIALIZERS
def test_options_reach_the_documents_that_are_referred_to(base: Any) -> None:
    one = thing()
    one.owner = OptionsOwner(name="o", email="secret")
    shown = made(base, fields=["owner", "owner.name"], depth=1)(one).data
    assert shown == {"owner": {"name": "o"}}


@SERIALIZERS
def test_options_for_what_has_no_inside_are_refused(base: Any) -> None:
    with pytest.raises(ImproperlyConfigured, match="'name'"):
        made(base, fields=["name", "name.first"])().fields  # noqa: B018
    with pytest.raises(ImproperlyConfigured, match="'owner'"):
        made(base, exclude=["owner.email"])().fields  # noqa: B018
    with pytest.raises(ImproperlyConfigured, match="colour"):
        made(base, fields=["part.colour"])().fields["part"].fields  # noqa: B018


def test_the_same_options_make_a_nested_class_once() -> None:
    cls = made(DocumentSerializer, extra_kwargs={"part.name": {"default": "x"}})
    assert type(cls().fields["part"]) is type(cls().fields["part"])
    cls.Meta.extra_kwargs = {"part.name": {"default": "y"}}
    assert cls().fields["part"].fields["name"].default == "y"


# What Django REST Framework MongoEngine's projects configure


def test_their_serializer_shows_itself_with_the_arguments_of_its_fields() -> None:
    assert repr(made(theirs.DocumentSerializer, exclude=["case", "by_name", "owner"])()) == (
        "OptionsSerializer():\n"
        "    id = ObjectIdField(read_only=True)\n"
        "    name = CharField(required=False)\n"
        "    parts = EmbeddedSerializer(many=True, required=False):\n"
        "        name = CharField(required=False)\n"
        "        size = IntegerField(required=False)\n"
        "    part = EmbeddedSerializer(required=False):\n"
        "        name = CharField(required=False)\n"
        "        size = IntegerField(required=False)"
    )


def test_their_unique_indexes_are_asked_for_and_shown() -> None:
    assert repr(made(theirs.DocumentSerializer, OptionsUnique)()) == (
        "OptionsSerializer():\n"
        "    id = ObjectIdField(read_only=True)\n"
        "    code = CharField(required=True, "
        "validators=[<UniqueValidator(queryset=OptionsUnique.objects)>])\n"
        "    left = IntegerField(required=True)\n"
        "    right = IntegerField(default=3)\n"
        "    class Meta:\n"
        "        validators = [<UniqueTogetherValidator(queryset=OptionsUnique.objects, "
        "fields=('left', 'right'))>]"
    )


def test_their_embedded_documents_end_at_a_depth() -> None:
    cls = made(theirs.DocumentSerializer, OptionsTree, depth_embedding=2)
    assert repr(cls()).count("word = ") == 2
    assert "below = HiddenField(default=None, required=False)" in repr(cls())
    assert repr(made(theirs.DocumentSerializer, OptionsTree)()).count("word = ") == 5


def test_their_methods_make_fields() -> None:
    class OptionsChosen(theirs.DocumentSerializer):
        serializer_embedded_nested = made(theirs.EmbeddedDocumentSerializer, OptionsPart)

        class Meta:
            model = OptionsThing

        def build_standard_field(self, field_name: str, model_field: Any) -> Any:
            cls, kwargs = super().build_standard_field(field_name, model_field)
            return cls, {**kwargs, "help_text": field_name} if field_name == "name" else kwargs

    made_fields = OptionsChosen().fields
    assert made_fields["name"].help_text == "name"
    assert isinstance(made_fields["part"], OptionsChosen.serializer_embedded_nested)


def test_their_generic_field_makes_and_shows_documents() -> None:
    field = their_fields.GenericField()
    shown = {"_cls": "OptionsPart", "name": "a", "size": None}
    assert field.to_representation([OptionsPart(name="a")]) == [shown]
    assert field.run_validation({"x": shown}) == {"x": OptionsPart(name="a")}
    with pytest.raises(drf.ValidationError, match="has not been defined"):
        field.run_validation([{"_cls": "OptionsNobody"}])
