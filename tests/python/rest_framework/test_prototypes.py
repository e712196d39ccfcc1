# SPDX-License-Identifier: Apache-2.0
"""Serializer fields that are made once and copied: which may be, and what a copy shares."""

from typing import Any

import pytest
from rest_framework import serializers

from mongodb import Document, fields
from mongodb.rest_framework.fields import GenericReferenceField
from mongodb.rest_framework.prototypes import copy_field, is_copyable
from mongodb.rest_framework.serializers import DocumentSerializer


class Named(serializers.CharField):
    pass


def check(value: Any) -> None:
    raise serializers.ValidationError("never")


def of(child: Any) -> serializers.ListField:
    return serializers.ListField(child=child)


@pytest.mark.parametrize(
    ("field", "kwargs", "may"),
    [
        (serializers.CharField(), {}, True),
        (serializers.CharField(), {"validators": [check]}, False),
        (Named(), {}, False),
        (of(serializers.CharField()), {}, True),
        (of(serializers.CharField(validators=[check])), {}, False),
        (of(Named()), {}, False),
        (of(of(serializers.IntegerField())), {}, True),
        (of(of(Named())), {}, False),
        (serializers.DictField(child=serializers.IntegerField()), {}, True),
    ],
)
def test_fields_of_known_classes_without_validators_are_kept(
    field: Any, kwargs: dict[str, Any], may: bool
) -> None:
    assert is_copyable(field, kwargs) is may


def test_a_copy_shares_nothing_that_a_request_could_change() -> None:
    field = of(serializers.CharField(max_length=3, style={"rows": 1}))
    copy = copy_field(field)
    for one in (copy, copy.child):
        one.error_messages["required"] = "changed"
        one.style["rows"] = 9
        one._kwargs["label"] = "changed"
        one.validators.append(check)
    assert field.child.style == {"rows": 1} and field.style == {}
    assert "label" not in field.child._kwargs and "label" not in field._kwargs
    assert check not in field.child.validators and check not in field.validators
    for one in (field, field.child):
        assert one.error_messages["required"] != "changed"


def test_the_child_of_a_copy_belongs_to_the_copy() -> None:
    field = of(serializers.CharField())
    copy = copy_field(field)
    assert copy.child is not field.child
    assert copy.child.parent is copy and field.child.parent is field
    assert (copy.child.field_name, copy.child.source_attrs) == ("", [""])


class PrototypeDoc(Document):
    anything = fields.GenericReferenceField(choices=["PrototypeDoc"])
    code = fields.StringField(unique=True)


class PrototypeSerializer(DocumentSerializer):
    class Meta:
        model = PrototypeDoc
        fields = "__all__"


class ReadingSerializer(DocumentSerializer):
    class Meta:
        model = PrototypeDoc
        fields = "__all__"
        read_only_fields = ("code",)


def test_references_to_any_document_keep_their_choices() -> None:
    field = PrototypeSerializer().fields["anything"]
    assert type(field) is GenericReferenceField
    assert list(field.classes) == ["PrototypeDoc"]


def test_only_what_is_written_must_be_unique() -> None:
    def checks(serializer: Any, name: str) -> int:
        validators = serializer.fields[name].validators
        return sum(type(one).__name__ == "UniqueValidator" for one in validators)

    assert checks(PrototypeSerializer(), "code") == 1
    assert checks(ReadingSerializer(), "code") == 0
    assert checks(PrototypeSerializer(), "id") == 0
