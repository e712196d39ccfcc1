# SPDX-License-Identifier: Apache-2.0
"""A document that a DENY rule keeps is a conflict, with its reason."""

import pytest
from rest_framework.test import APIRequestFactory
from rest_framework.viewsets import ModelViewSet

from mongodb import DENY, Document, OperationError, ProtectedError
from mongodb.fields import ReferenceField, StringField
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
