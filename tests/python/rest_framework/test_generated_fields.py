# SPDX-License-Identifier: Apache-2.0
"""What a document's field says is what its serializer's field does: labels, limits, keys."""

import datetime
import decimal
import uuid
from typing import Any

import pytest
from bson import DBRef, Decimal128, Int64, ObjectId, Regex, Timestamp
from rest_framework import serializers

from mongodb import Document, EmbeddedDocument, fields
from mongodb.rest_framework import fields as rest_fields
from mongodb.rest_framework.filters import OrderingFilter
from mongodb.rest_framework.serializers import DocumentSerializer
from mongodb.rest_framework.validators import UniqueValidator


class NumberedThing(Document):
    id = fields.SequenceField(primary_key=True)
    tone = fields.StringField(choices=["low", "high"], max_length=5, verbose_name="Tone")
    level = fields.IntField(choices=[1, 2], min_value=1, max_value=2, help_text="How high")
    place = fields.PointField()


class UniquePart(EmbeddedDocument):
    code = fields.StringField(unique=True)


class PartedThing(Document):
    parts = fields.ListField(fields.EmbeddedDocumentField(UniquePart))
    thing = fields.ReferenceField(NumberedThing)


class ThingSerializer(DocumentSerializer):
    class Meta:
        model = NumberedThing
        fields = "__all__"


class PartedSerializer(DocumentSerializer):
    class Meta:
        model = PartedThing
        fields = "__all__"


def test_key_that_the_store_counts_is_read_only() -> None:
    assert ThingSerializer().fields["id"].read_only


def test_choices_keep_the_label_and_drop_the_limits() -> None:
    made = ThingSerializer().fields
    assert type(made["tone"]) is type(made["level"]) is serializers.ChoiceField
    assert (made["tone"].label, made["level"].help_text) == ("Tone", "How high")
    assert not made["tone"].required and made["tone"].allow_null


def test_unique_within_a_document_asks_no_collection() -> None:
    part = PartedSerializer().fields["parts"].child
    assert not any(isinstance(one, UniqueValidator) for one in part.fields["code"].validators)
    serializer = PartedSerializer(data={"parts": [{"code": "a"}]})
    assert serializer.is_valid(), serializer.errors


def test_key_field_of_a_reference_shows_and_reads_the_key() -> None:
    class Hex(serializers.Field[Any, Any, Any, Any]):
        def to_representation(self, value: Any) -> str:
            return f"{value:x}"

    field = rest_fields.ReferenceField(document_type=NumberedThing, pk_field=Hex())
    assert field.to_representation(NumberedThing(id=255)) == "ff"
    assert field.to_representation(DBRef("numbered_thing", 255)) == "ff"
    shown = rest_fields.ReferenceField(document_type=NumberedThing, read_only=True)
    assert shown.queryset is None
    assert shown.to_representation(NumberedThing(id=255)) == 255


@pytest.mark.parametrize(
    ("data", "code", "words"),
    [
        ({"type": "Point"}, "invalid_type", "type"),
        ({}, "invalid_type", "{}"),
        ({"type": "Polygon", "coordinates": []}, "invalid_geotype", "Polygon"),
        ("here", "invalid_type", "str"),
    ],
)
def test_place_that_is_none_is_refused_by_what_it_is(data: Any, code: str, words: str) -> None:
    with pytest.raises(serializers.ValidationError) as refused:
        ThingSerializer().fields["place"].to_internal_value(data)
    (detail,) = refused.value.detail
    assert detail.code == code
    assert f"“{words}”" in detail


@pytest.mark.parametrize("model", [None, "Thing", int, ThingSerializer, 5])
def test_model_that_is_no_document_is_the_projects_mistake(model: Any) -> None:
    meta = type("Meta", (), {"model": model, "fields": "__all__"})
    cls = type("OddSerializer", (DocumentSerializer,), {"Meta": meta})
    with pytest.raises(AssertionError, match="OddSerializer"):
        _ = cls().fields


def test_fields_to_order_by_are_those_of_the_serializer_with_its_context() -> None:
    class Hiding(ThingSerializer):
        secret = serializers.CharField(source="tone", write_only=True)
        whole = serializers.SerializerMethodField()
        near = serializers.CharField(source="place.type")

        class Meta(ThingSerializer.Meta):
            pass

        def get_fields(self) -> Any:
            made = super().get_fields()
            if self.context.get("short"):
                del made["level"]
            return made

    class View:
        def get_serializer_class(self) -> Any:
            return Hiding

    names = [name for name, _ in OrderingFilter().get_default_valid_fields(None, View())]
    assert names == ["id", "tone", "level", "place", "place__type"]
    short = OrderingFilter().get_default_valid_fields(None, View(), {"short": True})
    assert [name for name, _ in short] == ["id", "tone", "place", "place__type"]


def test_form_part_without_fields_is_not_blank() -> None:
    assert not rest_fields.is_blank({})
    assert not rest_fields.is_blank("")
    assert rest_fields.is_blank({"a": "", "b": []})
    assert not rest_fields.is_blank({"a": "", "b": "x"})


def test_reason_of_what_bson_cannot_hold() -> None:
    assert rest_fields.refused_part(ValueError("field 'a.b': too\nlong")) == ("a.b", "too\nlong")
    assert rest_fields.refused_part(ValueError("other")) == ("", "other")


KEY = ObjectId("5f" + "0" * 22)


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        (None, None),
        (True, True),
        (Int64(5), 5),
        (1.5, 1.5),
        (decimal.Decimal("1.50"), "1.50"),
        (Decimal128("1.50"), "1.50"),
        (KEY, str(KEY)),
        (uuid.UUID(int=5), str(uuid.UUID(int=5))),
        (datetime.date(2024, 5, 31), "2024-05-31"),
        (datetime.time(12, 30), "12:30:00"),
        (b"\x00\x01\xff", "AAH/"),
        ({"a": (KEY, {1.5}), 5: Int64(1)}, {"a": [str(KEY), [1.5]], "5": 1}),
        (Timestamp(5, 6), {"t": 5, "i": 6}),
        (Regex("^a"), "^a"),
        (DBRef("things", KEY), {"$ref": "things", "$id": str(KEY)}),
        (NumberedThing(id=7), 7),
    ],
    ids=lambda one: repr(one)[:40],
)
def test_values_of_bson_are_plain_in_json(value: Any, shown: Any) -> None:
    found = rest_fields.plain(value)
    assert found == shown
    assert type(found) is type(shown)


def test_limits_of_decimals_and_fields_of_any_value() -> None:
    class LimitedThing(Document):
        amount = fields.DecimalField(min_value=1, max_value=5)
        free = fields.DynamicField()

    class Serializer(DocumentSerializer):
        class Meta:
            model = LimitedThing
            fields = "__all__"

    made = Serializer().fields
    assert (made["amount"].min_value, made["amount"].max_value) == (1, 5)
    assert type(made["free"]) is rest_fields.DynamicField
