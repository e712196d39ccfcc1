# SPDX-License-Identifier: Apache-2.0
"""Which serializer field, with which arguments, stands for each field of a document."""

import datetime
import decimal
import enum
import re
import uuid
from typing import Any

import pytest
from bson import Decimal128, Int64, ObjectId, Regex, Timestamp
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.test import APIRequestFactory

from mongodb import Document, EmbeddedDocument, fields
from mongodb.rest_framework.fields import DynamicField
from mongodb.rest_framework.filters import DocumentFilter, OrderingFilter
from mongodb.rest_framework.serializers import DocumentSerializer


class Tone(enum.Enum):
    RED = 1
    DARK_BLUE = 2


class MapPart(EmbeddedDocument):
    n = fields.IntField(required=True)
    more = fields.ListField(fields.EmbeddedDocumentField("self"))


class MapOther(Document):
    name = fields.StringField()


class OwnString(fields.StringField):
    pass


class Everything(Document):
    code = fields.StringField(primary_key=True, max_length=5)
    text = fields.StringField(
        max_length=9, min_length=2, verbose_name="The text", help_text="Some."
    )
    needed = OwnString(required=True)
    given = fields.StringField(required=True, default="x")
    pattern = fields.StringField(regex="^a+$")
    alone = fields.EmailField(unique=True)
    page = fields.URLField(max_length=7)
    n = fields.IntField(min_value=1, max_value=3)
    big = fields.LongField(required=True, unique=True)
    counted = fields.SequenceField()
    f = fields.FloatField(min_value=0.5)
    price = fields.DecimalField(max_digits=5, decimal_places=2, max_value=9)
    rounded = fields.DecimalField(precision=3)
    exact = fields.Decimal128Field()
    flag = fields.BooleanField(default=False)
    at = fields.DateTimeField(auto_now=True)
    made = fields.DateField(auto_now_add=True)
    fine = fields.ComplexDateTimeField(required=True)
    key = fields.ObjectIdField()
    token = fields.UUIDField()
    data = fields.BinaryField(max_bytes=4)
    any = fields.DynamicField()
    tone = fields.EnumField(Tone)
    one_of = fields.IntField(choices=[(1, "one"), (2, "two")], required=True, unique=True)
    words = fields.ListField(fields.StringField(max_length=3), max_length=2, required=True)
    numbers = fields.SortedListField(fields.IntField(required=True))
    loose = fields.ListField()
    grid = fields.ListField(fields.ListField(fields.FloatField()))
    open = fields.DictField()
    map = fields.MapField(fields.IntField(min_value=2))
    part = fields.EmbeddedDocumentField(MapPart, required=True)
    parts = fields.EmbeddedDocumentListField(MapPart)
    named = fields.MapField(fields.EmbeddedDocumentField(MapPart))
    other = fields.ReferenceField(MapOther)
    others = fields.ListField(fields.ReferenceField(MapOther))


class EverythingSerializer(DocumentSerializer):
    class Meta:
        model = Everything
        fields = "__all__"


SHOWN = """
EverythingSerializer():
    code = CharField(max_length=5, validators=[<UniqueValidator(field_name='code')>])
    text = CharField(allow_blank=True, allow_null=True, help_text='Some.', label='The text', max_length=9, min_length=2, required=False)
    needed = CharField()
    given = CharField(required=False)
    pattern = RegexField(allow_blank=True, allow_null=True, regex=re.compile('^a+$'), required=False)
    alone = EmailField(allow_blank=True, allow_null=True, required=False, validators=[<UniqueValidator(field_name='alone')>])
    page = URLField(allow_blank=True, allow_null=True, max_length=7, required=False)
    n = IntegerField(allow_null=True, max_value=3, min_value=1, required=False)
    big = IntegerField(validators=[<UniqueValidator(field_name='big')>])
    counted = IntegerField(allow_null=True, required=False)
    f = FloatField(allow_null=True, min_value=0.5, required=False, validators=[<function check_finite>])
    price = DecimalField(allow_null=True, decimal_places=2, max_digits=5, max_value=9, required=False)
    rounded = DecimalField(allow_null=True, decimal_places=3, max_digits=None, required=False)
    exact = DecimalField(allow_null=True, decimal_places=None, max_digits=None, required=False)
    flag = BooleanField(allow_null=True, required=False)
    at = DateTimeField(read_only=True)
    made = DateField(read_only=True)
    fine = DateTimeField()
    key = ObjectIdField(allow_null=True, required=False)
    token = UUIDField(allow_null=True, required=False)
    data = BinaryField(allow_null=True, max_bytes=4, required=False)
    any = DynamicField(allow_null=True, required=False)
    tone = EnumField(allow_null=True, choices=[(1, 'Red'), (2, 'Dark blue')], required=False)
    one_of = ChoiceField(choices=[(1, 'one'), (2, 'two')], validators=[<UniqueValidator(field_name='one_of')>])
    words = ListField(allow_empty=False, child=CharField(allow_blank=True, max_length=3), max_length=2, required=False)
    numbers = ListField(allow_null=True, child=IntegerField(allow_null=False), required=False)
    loose = ListField(allow_null=True, child=DynamicField(allow_null=True), required=False)
    grid = ListField(allow_null=True, child=ListField(allow_null=True, child=FloatField(allow_null=True, validators=[<function check_finite>])), required=False)
    open = DictField(allow_null=True, child=DynamicField(allow_null=True), required=False)
    map = DictField(allow_null=True, child=IntegerField(allow_null=True, min_value=2), required=False)
    part = MapPartSerializer():
        n = IntegerField()
        more = RecursiveField(allow_null=True, document_type=MapPart, many=True, required=False)
    parts = MapPartSerializer(allow_null=True, many=True, required=False):
        n = IntegerField()
        more = RecursiveField(allow_null=True, document_type=MapPart, many=True, required=False)
    named = MapPartSerializer(allow_null=True, many=True, required=False):
        n = IntegerField()
        more = RecursiveField(allow_null=True, document_type=MapPart, many=True, required=False)
    other = ReferenceField(allow_null=True, document_type=MapOther, required=False)
    others = ListField(allow_null=True, child=ReferenceField(allow_null=True, document_type=MapOther), required=False)
"""  # noqa: E501


def shown(serializer: Any) -> str:
    return re.sub(r"<class '[^']*\.(\w+)'>", r"\1", repr(serializer))


def test_fields_of_every_kind() -> None:
    assert shown(EverythingSerializer()) == SHOWN.strip()


def test_references_become_documents_as_deep_as_asked() -> None:
    class Leading(Document):
        next = fields.ReferenceField("self", required=True, help_text="h", verbose_name="v")
        many = fields.ListField(fields.ReferenceField(MapOther))

    class Serializer(DocumentSerializer):
        class Meta:
            model = Leading
            fields = ["next", "many"]
            depth = 1

    found = Serializer().fields
    assert found["next"].read_only and found["next"].label == "v"
    assert found["next"].help_text == "h"
    assert type(found["next"].fields["next"]).__name__ == "ReferenceField"
    assert found["many"].read_only and "name" in found["many"].child.fields
    for depth in (-1, 11):
        Serializer.Meta.depth = depth
        with pytest.raises(AssertionError, match="depth"):
            _ = Serializer().fields


def test_choices_in_every_spelling() -> None:
    class Choosing(Document):
        pairs = fields.StringField(choices=[("a", "A")])
        plain = fields.StringField(choices=["a", "b"], required=True, help_text="h")
        tones = fields.EnumField(Tone, choices=[Tone.DARK_BLUE])
        items = fields.ListField(fields.StringField(choices=["a"]))

    class Serializer(DocumentSerializer):
        class Meta:
            model = Choosing
            fields = "__all__"

    found = Serializer().fields
    assert dict(found["pairs"].choices) == {"a": "A"}
    assert dict(found["plain"].choices) == {"a": "a", "b": "b"} and found["plain"].help_text == "h"
    assert dict(found["tones"].choices) == {2: "Dark blue"}
    assert dict(found["items"].child.choices) == {"a": "a"}
    assert found["plain"].required and not found["pairs"].required and found["pairs"].allow_null


def test_declared_fields_win_and_unknown_ones_are_refused() -> None:
    class Own(DocumentSerializer):
        text = serializers.IntegerField()
        extra = serializers.CharField(source="code")

        class Meta:
            model = Everything
            fields = ["pk", "text", "extra", "get_pairs", "renamed"]
            extra_kwargs = {"renamed": {"source": "n", "label": "L"}}

    Everything.get_pairs = property(lambda self: 5)  # type: ignore[attr-defined]
    try:
        found = Own().fields
    finally:
        del Everything.get_pairs  # type: ignore[attr-defined]
    assert [type(one).__name__ for one in found.values()] == [
        "CharField", "IntegerField", "CharField", "ReadOnlyField", "IntegerField",
    ]  # fmt: skip
    assert found["renamed"].source == "n" and found["renamed"].label == "L"
    assert found["renamed"].max_value == 3

    class Bare(DocumentSerializer):
        pass

    class Wrong(DocumentSerializer):
        class Meta:
            model = int
            fields = "__all__"

    for cls in (Bare, Wrong):
        with pytest.raises(AssertionError, match="model"):
            _ = cls().fields


def test_bytes_and_ids_are_checked() -> None:
    def refused(name: str, value: Any) -> list[str]:
        serializer = EverythingSerializer(data={name: value}, partial=True)
        serializer.is_valid()
        return [one.code for one in serializer.errors.get(name, [])]

    assert refused("data", "YWJjZA==") == [] and refused("data", "YWJjZGU=") == ["max_bytes"]
    assert refused("data", "?") == refused("data", 5) == ["invalid"]
    assert refused("key", "5" * 24) == [] and refused("key", "x") == ["invalid"]
    assert refused("any", {"a": [1, None]}) == [] and refused("any", {"a\0": 1}) == ["invalid"]
    assert refused("any", 2**70) == ["invalid"]
    assert refused("f", "nan") == ["invalid"] and refused("f", 0.5) == []
    assert refused("tone", 3) == ["invalid_choice"] and refused("tone", 2) == []


def test_values_without_a_field_are_shown_as_json_has_them() -> None:
    oid, when = ObjectId(), datetime.datetime(2024, 5, 31, 12)
    show = DynamicField().to_representation
    for value, seen in (
        (Int64(5), 5), (None, None), (True, True), (1.5, 1.5), ("x", "x"),
        (when, "2024-05-31T12:00:00Z"), (when.date(), "2024-05-31"), (when.time(), "12:00:00"),
        (decimal.Decimal("1.10"), "1.10"), (Decimal128("1.10"), "1.10"), (oid, str(oid)),
        (uuid.UUID(int=5), str(uuid.UUID(int=5))), (b"abcd", "YWJjZA=="),
        ({1: {"a": oid}}, {"1": {"a": str(oid)}}), ([oid, (1, {2})], [str(oid), [1, [2]]]),
        (Timestamp(5, 6), {"t": 5, "i": 6}), (Regex("^a", "i"), "^a"),
    ):  # fmt: skip
        found = show(value)
        assert found == seen and type(found) is type(seen), value


def test_the_form_of_the_filters() -> None:
    class View:
        filterset_fields: Any = {"n": ["exact", "gte"], "part__n": "lt", "text": ["odd"]}

    def form(query: str) -> str:
        request = Request(APIRequestFactory().get(f"/?{query}"))
        return DocumentFilter().to_html(request, Everything.objects, View())

    shown = form("n__gte=7&page=2&search=%3Cx%3E")
    for part in ('name="n"', 'name="n__gte"', 'value="7"', 'name="part__n__lt"', "n ≥",
                 "part n &lt;", 'name="search" value="&lt;x&gt;"', "text odd"):  # fmt: skip
        assert part in shown, part
    assert 'name="page"' not in shown and shown.count('type="hidden"') == 1
    parameters = DocumentFilter().get_schema_operation_parameters(View())
    assert parameters[1] == {
        "name": "n__gte", "required": False, "in": "query", "description": "n gte",
        "schema": {"type": "string"},
    }  # fmt: skip
    View.filterset_fields = ["n"]
    assert form("").count("<label>") == 1
    View.filterset_fields = None
    assert form("") == ""


def test_fields_that_may_be_ordered_by() -> None:
    class Ordered(DocumentSerializer):
        label = serializers.CharField(source="text", write_only=True)
        size = serializers.IntegerField(source="part.n", label="Size")
        whole = serializers.CharField(source="*")

        class Meta:
            model = Everything
            fields = ["n", "label", "size", "whole"]

    class View:
        def get_serializer_class(self) -> Any:
            return Ordered

    backend, objects = OrderingFilter(), Everything.objects
    view: Any = View()
    assert backend.get_valid_fields(objects, view) == [("n", "N"), ("part__n", "Size")]
    view.ordering_fields = "__all__"
    named = dict(backend.get_valid_fields(objects, view))
    assert (
        named["text"] == "The text" and named["n"] == "n" and set(named) == set(Everything._fields)
    )
    view.ordering_fields = ["n", ("part__n", "Size")]
    assert backend.get_valid_fields(objects, view) == [("n", "n"), ("part__n", "Size")]

    class Nameless:
        def get_serializer_class(self) -> Any:
            raise AssertionError("no serializer_class")

    for other in (Nameless(), object()):
        assert dict(backend.get_valid_fields(objects, other)) == named
