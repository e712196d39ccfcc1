# SPDX-License-Identifier: Apache-2.0
"""DocumentSerializer: fields, validation, saving, errors in DRF's shape."""

import datetime
from types import SimpleNamespace
from typing import Any

import pytest
from rest_framework import serializers
from rest_framework.test import APIRequestFactory
from rest_framework.viewsets import ModelViewSet

from mongodb import (
    DecimalField,
    DictField,
    Document,
    EmbeddedDocumentField,
    FieldDoesNotExist,
    IntField,
    StringField,
)
from mongodb.rest_framework.fields import ObjectIdField
from mongodb.rest_framework.serializers import DocumentSerializer
from mongodb.rest_framework.validators import UniqueTogetherValidator, UniqueValidator

from .conftest import Address, Country, Person


class AddressSerializer(DocumentSerializer):
    class Meta:
        model = Address
        fields = "__all__"


class PersonSerializer(DocumentSerializer):
    class Meta:
        model = Person
        fields = "__all__"


class PeopleViewSet(ModelViewSet[Any]):
    queryset = Person.objects.all()
    serializer_class = PersonSerializer
    authentication_classes: list[Any] = []


def call(method: str, data: Any = None, pk: Any = None) -> Any:
    actions = {"post": "create", "patch": "partial_update", "put": "update", "delete": "destroy"}
    actions["get"] = "retrieve" if pk else "list"
    request = getattr(APIRequestFactory(), method)("/", data, format="json")
    kwargs = {"pk": pk} if pk else {}
    response = PeopleViewSet.as_view({method: actions[method]})(request, **kwargs)
    response.render()
    return response


def test_fields_follow_the_document() -> None:
    fields = PersonSerializer().fields
    assert fields["name"].required and fields["name"].max_length == 30
    assert fields["id"].read_only and isinstance(fields["id"], ObjectIdField)
    assert fields["created_at"].read_only
    assert not fields["age"].required and fields["age"].max_value == 150
    assert isinstance(fields["status"], serializers.ChoiceField)
    assert isinstance(fields["address"], DocumentSerializer)
    assert isinstance(fields["addresses"], serializers.ListSerializer)
    assert not fields["active"].required


def test_meta_exclude_and_extra_kwargs() -> None:
    class Serializer(DocumentSerializer):
        class Meta:
            model = Person
            exclude = ["photo", "token"]
            read_only_fields = ["age"]
            extra_kwargs = {"name": {"min_length": 2}}

    fields = Serializer().fields
    assert "photo" not in fields and fields["age"].read_only and fields["name"].min_length == 2


def test_unknown_field_is_refused() -> None:
    class Serializer(DocumentSerializer):
        class Meta:
            model = Person
            fields = ["nothing"]

    with pytest.raises(Exception, match="nothing"):
        _ = Serializer().fields


def test_create_and_show(odm: SimpleNamespace) -> None:
    odm.Country(code="FR", name="France").save()
    response = call(
        "post",
        {
            "name": "Ada",
            "email": "ada@example.com",
            "age": 36,
            "price": "9.99",
            "born": "1815-12-10",
            "seen": "2024-02-29T23:59:59Z",
            "tags": ["x"],
            "country": "FR",
            "address": {"street": "1 Rue", "city": "Paris"},
            "addresses": [{"street": "2", "city": "Lyon"}],
        },
    )
    assert response.status_code == 201, response.data
    person = odm.Person.objects.get(email="ada@example.com")
    assert person.address.city == "Paris" and person.addresses[0].city == "Lyon"
    assert person.country.name == "France" and person.born == datetime.date(1815, 12, 10)
    assert response.data["country"] == "FR" and response.data["id"] == str(person.id)
    assert response.data["price"] == "9.99" and response.data["seen"] == "2024-02-29T23:59:59Z"


def test_errors_have_field_paths(odm: SimpleNamespace) -> None:
    response = call(
        "post",
        {
            "name": "",
            "email": "nonsense",
            "age": 200,
            "status": "gone",
            "country": "XX",
            "tags": ["much too long a tag"],
            "address": {"street": "1"},
            "addresses": [{"street": "1", "city": "Paris"}, {"city": "x" * 30}],
        },
    )
    assert response.status_code == 400
    errors = response.data
    assert {"name", "email", "age", "status", "country", "tags"} <= set(errors)
    assert errors["address"]["city"][0].code == "required"
    # the shape is that of DRF's own ListSerializer: by position
    assert set(errors["addresses"][1]) == {"street", "city"}
    assert odm.Person.objects.count() == 0


def test_duplicate_is_an_error_of_its_field(odm: SimpleNamespace) -> None:
    odm.Person(name="A", email="a@example.com").save()
    response = call("post", {"name": "B", "email": "a@example.com"})
    assert response.status_code == 400 and response.data["email"][0].code == "unique"


def test_duplicate_that_wins_the_race_is_the_same_error(odm: SimpleNamespace) -> None:
    odm.Person(name="A", email="a@example.com").save()
    serializer = PersonSerializer(data={"name": "B", "email": "b@example.com"})
    assert serializer.is_valid(), serializer.errors
    serializer.validated_data["email"] = "a@example.com"
    with pytest.raises(serializers.ValidationError) as refused:
        serializer.save()
    assert refused.value.detail["email"][0].code == "unique"


def test_a_combination_that_another_has_is_refused(odm: SimpleNamespace) -> None:
    class Seat(Document):
        row = StringField()
        number = IntField(unique_with="row")

    class Serializer(DocumentSerializer):
        class Meta:
            model = Seat
            fields = ["row", "number"]

    Seat.drop_collection()
    first, second = Seat(row="a", number=1).save(), Seat(row="a", number=2).save()
    taken = {"row": "a", "number": 1}
    for serializer in (
        Serializer(data=taken),
        Serializer(second, data=taken),
        Serializer(second, data={"number": 1}, partial=True),
    ):
        assert not serializer.is_valid()
        (refusal,) = serializer.errors["non_field_errors"]
        assert refusal.code == "unique" and "row, number" in refusal
    for serializer in (
        Serializer(first, data=taken),
        Serializer(second, data={"number": 3}, partial=True),
        Serializer(data={"row": "b", "number": 1}),
        Serializer(data={"row": "b"}),
        Serializer(data={"row": "a", "number": 2**70}),
    ):
        assert "non_field_errors" not in serializer.errors if not serializer.is_valid() else True
    own = UniqueTogetherValidator(Seat.objects, ("row", "number"), message="{field_names}: taken")
    with pytest.raises(serializers.ValidationError, match="row, number: taken"):
        own(taken, Serializer())


def test_unique_values_may_look_like_operators(odm: SimpleNamespace) -> None:
    class Shape(Document):
        spec = DictField()
        n = IntField(unique=True)
        price = DecimalField(unique=True)

    class Serializer(DocumentSerializer):
        spec = serializers.DictField(validators=[UniqueValidator(Shape.objects, "spec")])

        class Meta:
            model = Shape
            fields = ["spec", "n", "price"]

    Shape.drop_collection()
    Shape(spec={"gt": 1}, n=1, price="1.50").save()
    same = Serializer(data={"spec": {}, "price": "1.50"})
    assert not same.is_valid() and same.errors["price"][0].code == "unique"
    again = Serializer(data={"spec": {"gt": 1}, "n": 2})
    assert not again.is_valid() and again.errors["spec"][0].code == "unique"
    assert Serializer(data={"spec": {"gt": 0}, "n": 2}).is_valid()
    assert Serializer(data={"spec": {"$exists": True}, "n": 2}).is_valid()
    huge = Serializer(data={"spec": {}, "n": 2**70})
    assert huge.is_valid() or huge.errors["n"][0].code != "unique"


def test_saving_a_document_under_its_own_unique_value(odm: SimpleNamespace) -> None:
    person = odm.Person(name="A", email="a@example.com").save()
    response = call("patch", {"email": "a@example.com", "name": "B"}, pk=str(person.id))
    assert response.status_code == 200, response.data
    assert odm.Person.objects.get(id=person.id).name == "B"


def test_patch_of_an_embedded_document_keeps_the_rest(people: list[Any]) -> None:
    response = call("patch", {"address": {"city": "Nice"}}, pk=str(people[0].id))
    assert response.status_code == 200, response.data
    person = Person.objects.get(id=people[0].id)
    assert person.address.city == "Nice" and person.address.street == "1 Rue"


def test_put_replaces_the_embedded_document(people: list[Any]) -> None:
    response = call(
        "put",
        {"name": "Ada", "email": "ada@example.com", "address": {"street": "9", "city": "Oslo"}},
        pk=str(people[0].id),
    )
    assert response.status_code == 200, response.data
    assert Person.objects.get(id=people[0].id).address.street == "9"


def test_delete(people: list[Any]) -> None:
    assert call("delete", pk=str(people[1].id)).status_code == 204
    assert Person.objects.count() == 2


@pytest.mark.parametrize("pk", ["5f0000000000000000000099", "nonsense", "0"])
def test_missing_and_malformed_ids_are_404(odm: SimpleNamespace, pk: str) -> None:
    assert call("get", pk=pk).status_code == 404


def test_nested_validated_data_are_dicts(odm: SimpleNamespace) -> None:
    class Serializer(DocumentSerializer):
        address = AddressSerializer()
        addresses = AddressSerializer(many=True)

        class Meta:
            model = Person
            fields = ["name", "email", "address", "addresses"]

    serializer = Serializer(
        data={
            "name": "Ada",
            "email": "ada@example.com",
            "address": {"street": "1", "city": "X"},
            "addresses": [{"street": "2", "city": "Y"}],
        }
    )
    assert serializer.is_valid(), serializer.errors
    assert isinstance(serializer.validated_data["address"], dict)
    assert isinstance(serializer.validated_data["addresses"][0], dict)
    assert serializer.save().addresses[0].city == "Y"


def test_depth_nests_references(people: list[Any]) -> None:
    class Serializer(DocumentSerializer):
        class Meta:
            model = Person
            fields = ["name", "country"]
            depth = 1

    assert Serializer(people[0]).data["country"] == {"code": "FR", "name": "France"}
    assert Serializer(Person.objects.all(), many=True).data[0]["country"]["name"] == "France"
    assert Serializer(people[1]).data["country"] is None


def test_object_id_field_of_a_reference(people: list[Any]) -> None:
    class Serializer(DocumentSerializer):
        country_code = serializers.CharField(source="country.pk", read_only=True)

        class Meta:
            model = Person
            fields = ["name", "country_code"]

    assert Serializer(people[0]).data["country_code"] == "FR"


def test_own_primary_key_is_writable(odm: SimpleNamespace) -> None:
    class Serializer(DocumentSerializer):
        class Meta:
            model = Country
            fields = "__all__"

    serializer = Serializer(data={"code": "DE", "name": "Germany"})
    assert serializer.is_valid(), serializer.errors
    serializer.save()
    again = Serializer(data={"code": "DE", "name": "Deutschland"})
    assert not again.is_valid() and again.errors["code"][0].code == "unique"


def test_key_of_a_stored_document_stays(odm: SimpleNamespace) -> None:
    class Serializer(DocumentSerializer):
        class Meta:
            model = Country
            fields = "__all__"

    germany = Country(code="DE", name="Germany").save()
    same = Serializer(germany, data={"code": "DE", "name": "Deutschland"})
    assert same.is_valid(), same.errors
    same.save()
    other = Serializer(germany, data={"code": "DD"}, partial=True)
    assert other.is_valid(), other.errors
    with pytest.raises(serializers.ValidationError) as refused:
        other.save()
    assert refused.value.detail["code"][0].code == "immutable"
    assert [c.name for c in Country.objects] == ["Deutschland"]


def test_malformed_object_id_is_an_error() -> None:
    class Serializer(serializers.Serializer[Any]):
        key = ObjectIdField()

    serializer = Serializer(data={"key": "xyz"})
    assert not serializer.is_valid() and serializer.errors["key"][0].code == "invalid"


class Attributed(Document):
    n = IntField()
    part = EmbeddedDocumentField(Address)
    note: Any = None  # not stored
    meta = {"collection": "drf_attributed"}

    @property
    def double(self) -> int:
        return 2 * self.n

    @double.setter
    def double(self, value: int) -> None:
        self.n = value // 2


class AttributedSerializer(DocumentSerializer):
    class Meta:
        model = Attributed
        fields = ("n",)


@pytest.mark.usefixtures("connected")
def test_saving_with_a_name_that_no_document_has_is_refused() -> None:
    stored = Attributed(n=1).save()
    for instance in (None, stored):
        serializer = AttributedSerializer(instance, data={"n": 2})
        assert serializer.is_valid()
        with pytest.raises(FieldDoesNotExist, match="Attributed has no field nope"):
            serializer.save(nope=1)
    assert stored.n == 1
    assert Attributed.objects.get(pk=stored.pk).n == 1


@pytest.mark.usefixtures("connected")
def test_saving_sets_attributes_that_the_class_has() -> None:
    stored = Attributed(n=1).save()
    serializer = AttributedSerializer(stored, data={"n": 2})
    assert serializer.is_valid()
    assert serializer.save(note="kept", double=8).note == "kept"
    assert Attributed.objects.get(pk=stored.pk).n == 4


@pytest.mark.usefixtures("connected")
def test_a_part_of_an_embedded_document_that_it_lacks_is_refused() -> None:
    class Part(AddressSerializer):
        nope = serializers.IntegerField()

        class Meta(AddressSerializer.Meta):
            fields = ("city", "nope")

    class Serializer(DocumentSerializer):
        part = Part()

        class Meta:
            model = Attributed
            fields = ("part",)

    stored = Attributed(part=Address(street="a", city="b")).save()
    serializer = Serializer(stored, data={"part": {"city": "c", "nope": 1}}, partial=True)
    assert serializer.is_valid()
    with pytest.raises(FieldDoesNotExist, match="Address has no field nope"):
        serializer.save()
    assert stored.part.city == "b"
