# SPDX-License-Identifier: Apache-2.0
"""Lines of the seed's "Limitations" and "Future commitments" about models: each holds here."""

import pathlib
import re
from collections.abc import Callable
from typing import Any

import pytest
from django.core.exceptions import ValidationError
from django.db import NotSupportedError, connections, models

from mongodb.backend.fields import (
    ArrayField,
    EmbeddedModelArrayField,
    EmbeddedModelField,
    RegexField,
)
from mongodb.backend.indexes import EmbeddedFieldIndex
from mongodb.backend.managers import MongoManager
from mongodb.backend.models import EmbeddedModel

TEXT = pathlib.Path(__file__).with_name("seed_001.md").read_text()
APP = "mongodb"


def of_seed(line: str) -> None:
    assert line in " ".join(TEXT.split()), line


def test_does_not_support_embedded_model_within_array_field(orm: Callable[..., None]) -> None:
    of_seed("Does not support `EmbeddedModel` within `ArrayField`.")
    of_seed("Support ArrayFields containing Embedded Models")

    class Leg(EmbeddedModel):
        to = models.CharField(max_length=9)

        class Meta:
            app_label = APP

    class Trip(models.Model):
        legs = ArrayField(EmbeddedModelField(Leg), size=2)

        class Meta:
            app_label = APP

    orm(Trip)
    trip = Trip.objects.create(legs=[Leg(to="Ulm"), Leg(to="Bonn")])
    assert Trip.objects.get(legs__1__to="Bonn").legs == [Leg(to="Ulm"), Leg(to="Bonn")]
    trip.legs.append(Leg(to="x" * 10))
    with pytest.raises(ValidationError, match="to: Ensure this value has at most 9"):
        trip.full_clean()


def test_embedded_documents_cannot_take_django_foreign_keys(orm: Callable[..., None]) -> None:
    of_seed("Embedded documents cannot take Django ForeignKeys.")

    class House(models.Model):
        name = models.CharField(max_length=9)

        class Meta:
            app_label = APP

    class Writer(EmbeddedModel):
        house = models.ForeignKey(House, models.DO_NOTHING)

        class Meta:
            app_label = APP

    class Book(models.Model):
        writer = EmbeddedModelField(Writer)

        class Meta:
            app_label = APP

    orm(House, Book)
    house = House.objects.create(name="H")
    Book.objects.create(writer=Writer(house=house))
    book = Book.objects.get(writer__house__name="H")
    assert book.writer.house == house
    assert list(Book.objects.filter(writer__house=house)) == [book]


def test_arbitrary_or_untyped_embedded_model_field_is_not_supported(
    orm: Callable[..., None],
) -> None:
    of_seed("Arbitrary or untyped `EmbeddedModelField` is not supported.")

    class Note(models.Model):
        data = EmbeddedModelField()
        many = ArrayField(EmbeddedModelField(), default=list)

        class Meta:
            app_label = APP

    orm(Note)
    Note.objects.create(data={"a": {"b": [1, 2]}}, many=[{"x": 1}, {"y": "z"}])
    note = Note.objects.get(data__a__b__1=2)
    assert (note.data, note.many) == ({"a": {"b": [1, 2]}}, [{"x": 1}, {"y": "z"}])


def test_updating_indexes_in_embedded_models_after_the_first_table_creation(
    orm: Callable[..., None],
) -> None:
    of_seed("Updating indexes in `EmbeddedModels` do not work after the first table creation.")

    class Place(EmbeddedModel):
        city = models.CharField(max_length=9)

        class Meta:
            app_label = APP

    class Firm(models.Model):
        place = EmbeddedModelField(Place)
        others = EmbeddedModelArrayField(Place, default=list)

        class Meta:
            app_label = APP

    orm(Firm)
    Firm.objects.create(place=Place(city="Ulm"), others=[Place(city="Bonn")])
    index = EmbeddedFieldIndex(fields=["place.city", "-others.city"], name="later")
    with connections["default"].schema_editor() as editor:
        editor.add_index(Firm, index)
    assert '"later"' in Firm.objects.filter(place__city="Ulm").explain()
    with connections["default"].schema_editor() as editor:
        editor.remove_index(Firm, index)
    assert '"later"' not in Firm.objects.filter(place__city="Ulm").explain()


def test_bson_reg_exp_has_no_custom_field_class(orm: Callable[..., None]) -> None:
    of_seed("`BSONRegExp` has no custom field class.")

    class Rule(models.Model):
        test = RegexField(null=True)

        class Meta:
            app_label = APP

    orm(Rule)
    rule = Rule.objects.create(test=re.compile("^a.b", re.I))
    assert Rule.objects.get(test=re.compile("^a.b", re.I)).test == re.compile("^a.b", re.I)
    assert Rule.objects.create(test="x+").test == "x+"
    assert Rule.objects.latest("pk").test == re.compile("x+", 0)
    assert not Rule.objects.filter(test=re.compile("^a.b")).exists()
    field = Rule._meta.get_field("test")
    assert field.to_python(field.value_to_string(rule)) == rule.test
    with pytest.raises(ValidationError, match="is not a regular expression"):
        Rule(test="(").full_clean()


@pytest.mark.parametrize("orm", ["mongod"], indirect=True)
def test_raw_aggregate_of_geospatial_text_and_atlas_search(orm: Callable[..., None]) -> None:
    of_seed("Vector Search, Atlas Search, and GeoSpatial querying still yield Django QuerySet")

    class Cafe(models.Model):
        name = models.CharField(max_length=9)
        place = EmbeddedModelField()
        objects = MongoManager()

        class Meta:
            app_label = APP

    orm(Cafe)
    connection: Any = connections["default"]
    connection.command({"createIndexes": "mongodb_cafe", "indexes": [
        {"name": "near", "key": {"place": "2dsphere"}}, {"name": "words", "key": {"name": "text"}}
    ]})  # fmt: skip
    for name, x in (("far", 9.0), ("near", 1.0)):
        Cafe.objects.create(name=name, place={"type": "Point", "coordinates": [x, 0.0]})
    near = {"type": "Point", "coordinates": [0.0, 0.0]}
    found = Cafe.objects.raw_aggregate([{"$geoNear": {"near": near, "distanceField": "away"}}])
    assert [(type(one), one.name, one.away > 1e5) for one in found] == [
        (Cafe, "near", True), (Cafe, "far", True)
    ]  # fmt: skip
    found = Cafe.objects.raw_aggregate([{"$match": {"$text": {"$search": "far"}}}])
    assert [one.name for one in found] == ["far"]
    for stage in ("$search", "$vectorSearch"):
        with pytest.raises(NotSupportedError, match=rf"\{stage}: only MongoDB Atlas has it"):
            list(Cafe.objects.raw_aggregate([{stage: {}}]))
