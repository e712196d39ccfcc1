# SPDX-License-Identifier: Apache-2.0
"""A document that a DENY rule keeps, or that somebody changed, is a conflict, with its reason."""

import pytest
from rest_framework.test import APIRequestFactory
from rest_framework.viewsets import ModelViewSet

from mongodb import DENY, Document, OperationError, ProtectedError
from mongodb.fields import ReferenceField, StringField, VersionField
from mongodb.rest_framework.serializers import DocumentSerializer


class Owner(Document):
    name = StringField()


class Boat(Document):
    owner = ReferenceField(Owner, reverse_delete_rule=DENY)


class OwnerSerializer(DocumentSerializer):
    class Meta:
        model = Owner
        fields = ["id", "name"]


class OwnerViewSet(ModelViewSet):
    queryset = Owner.objects
    serializer_class = OwnerSerializer


def test_a_delete_that_a_rule_denies_is_a_conflict(connected: str) -> None:
    owner = Owner(name="Ada").save()
    boat = Boat(owner=owner).save()
    view = OwnerViewSet.as_view({"delete": "destroy"})
    response = view(APIRequestFactory().delete("/"), pk=str(owner.pk))
    assert response.status_code == 409
    assert str(response.data["detail"]) == (
        "Owner cannot be deleted: Boat.owner refers to it (reverse_delete_rule is DENY)"
    )
    assert response.data["detail"].code == "protected"
    assert Owner.objects.count() == 1
    with pytest.raises(OperationError, match="Boat.owner refers to it") as caught:
        owner.delete()
    assert type(caught.value) is ProtectedError
    boat.delete()
    assert view(APIRequestFactory().delete("/"), pk=str(owner.pk)).status_code == 204


class Logbook(Document):
    text = StringField()
    version = VersionField()


class LogbookSerializer(DocumentSerializer):
    class Meta:
        model = Logbook
        fields = "__all__"


class LogbookViewSet(ModelViewSet):
    queryset = Logbook.objects
    serializer_class = LogbookSerializer


def test_a_change_of_another_version_is_a_conflict(connected: str) -> None:
    book = Logbook(text="a").save()
    view = LogbookViewSet.as_view({"patch": "partial_update"})
    change = {"text": "b", "version": 1}
    answers = [
        view(APIRequestFactory().patch("/", change, format="json"), pk=str(book.pk))
        for _ in range(2)
    ]
    assert [one.status_code for one in answers] == [200, 409]
    assert "was changed since version 1 was read" in answers[1].data["detail"]
    assert answers[1].data["detail"].code == "stale"
    assert book.reload().version == 2
