# SPDX-License-Identifier: Apache-2.0
"""A document that a DENY rule keeps, or that somebody changed, is a conflict, with its reason."""

from typing import Any

import pytest
from django.core.exceptions import ValidationError as DjangoError
from django.utils import translation
from django.utils.translation import gettext_lazy as _
from rest_framework.exceptions import ValidationError
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


class Berth(Document):
    code = StringField(unique=True)
    pier = StringField(unique_with="place")
    place = StringField()

    def clean(self) -> None:
        if self.place == "?":
            raise DjangoError({"place": _("This field is required.")})
        if self.pier == "%s":
            raise DjangoError(_("This field is required."))


class BerthSerializer(DocumentSerializer):
    class Meta:
        model = Berth
        fields = ["code", "pier", "place"]
        validators: list[Any] = []
        extra_kwargs = {"code": {"validators": []}}


def refused(**data: str) -> Any:
    serializer = BerthSerializer(data=data)
    assert serializer.is_valid(), serializer.errors
    with pytest.raises(ValidationError) as caught:
        serializer.save()
    return caught.value.detail


def test_what_saving_refuses_is_said_in_the_language_of_the_request(connected: str) -> None:
    Berth(code="a", pier="b", place="c").save()
    with translation.override("de"):
        (said,) = refused(code="a", pier="x", place="x")["code"]
        assert (str(said), said.code) == ("Dieses Feld muss eindeutig sein.", "unique")
        (said,) = refused(code="b", pier="b", place="c")["non_field_errors"]
        assert str(said) == "Die Felder pier, place müssen eine eindeutige Menge bilden."
        required = "Dieses Feld ist zwingend erforderlich."
        assert refused(code="b", pier="b", place="?") == {"place": [required]}
        assert refused(code="b", pier="%s", place="c") == {"non_field_errors": [required]}
