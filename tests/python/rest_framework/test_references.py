# SPDX-License-Identifier: Apache-2.0
"""Generic, lazy and copying references in serializers."""

from typing import Any

import pytest

from mongodb import Document
from mongodb.fields import (
    CachedReferenceField,
    GenericLazyReferenceField,
    GenericReferenceField,
    LazyReferenceField,
    ListField,
    StringField,
)
from mongodb.rest_framework.serializers import DocumentSerializer


class Linked(Document):
    name = StringField()


class LinkedItem(Document):
    code = StringField(primary_key=True)


class LinkTo(Document):
    any = GenericReferenceField(choices=[Linked, LinkedItem])
    many = ListField(GenericReferenceField())
    lazy = LazyReferenceField(Linked)
    lazies = ListField(LazyReferenceField(Linked))
    lazy_any = GenericLazyReferenceField()
    kept = CachedReferenceField(Linked, fields=["name"])


class LinkSerializer(DocumentSerializer):
    class Meta:
        model = LinkTo
        fields = ["any", "many", "lazy", "lazies", "lazy_any", "kept"]


def test_references_go_in_and_out(connected: str) -> None:
    ada, thing = Linked(name="Ada").save(), LinkedItem(code="x").save()
    key = str(ada.pk)
    sent = {
        "any": {"_cls": "Linked", "_id": key},
        "many": [{"_cls": "LinkedItem", "_id": "x"}],
        "lazy": key,
        "lazies": [key],
        "lazy_any": {"_cls": "LinkedItem", "_id": "x"},
        "kept": key,
    }
    serializer = LinkSerializer(data=sent)
    serializer.is_valid(raise_exception=True)
    serializer.save()
    LinkTo().save()
    found = LinkTo.objects(any=ada).get()
    assert found.many == [thing] and found.lazy.fetch() == ada and found.kept.name == "Ada"
    assert serializer.data == LinkSerializer(found).data == sent
    listed = LinkSerializer(LinkTo.objects, many=True).data
    assert listed == [LinkSerializer(one).data for one in LinkTo.objects] and listed[0] == sent


@pytest.mark.parametrize(
    ("field", "value", "message"),
    [
        ("any", "x", "Expected a dictionary"),
        ("any", {"_id": 1}, "“_cls” and “_id”"),
        ("any", {"_cls": "Nobody", "_id": 1}, "no class “Nobody”"),
        ("any", {"_cls": "LinkTo", "_id": "a" * 24}, "no class “LinkTo”"),
        ("any", {"_cls": "Linked", "_id": "bad"}, "no Linked with the key “bad”"),
        ("any", {"_cls": "Linked", "_id": "a" * 24}, "no Linked with the key"),
        ("any", {"_cls": ["Linked"], "_id": 1}, "no class"),
        ("lazy", "a" * 24, "does not exist"),
        ("kept", {"a": 1}, "Incorrect type"),
    ],
)
def test_what_refers_to_nothing_is_refused(
    connected: str, field: str, value: Any, message: str
) -> None:
    serializer = LinkSerializer(data={field: value})
    assert not serializer.is_valid()
    assert message in str(serializer.errors[field])
