# SPDX-License-Identifier: Apache-2.0
"""on_delete of keys within documents."""

from collections.abc import Callable
from typing import Any

import pytest
from django.db import connections, models

from mongodb.backend.fields import (
    EmbeddedModelArrayField,
    EmbeddedModelField,
    PolymorphicEmbeddedModelArrayField,
)
from mongodb.backend.models import EmbeddedModel


@pytest.fixture
def make(orm: Callable[..., None]) -> Callable[[Any], Any]:
    """Declare a book that embeds a writer, whose key has an on_delete, in every way."""

    def declare(on_delete: Any) -> Any:
        class House(models.Model):
            class Meta:
                app_label = "mongodb"

        class Writer(EmbeddedModel):
            name = models.CharField(max_length=9)
            house = models.ForeignKey(House, on_delete, null=True, default=7)

            class Meta:
                app_label = "mongodb"

        class Part(EmbeddedModel):
            writer = EmbeddedModelField(Writer)

            class Meta:
                app_label = "mongodb"

        class Book(models.Model):
            writer = EmbeddedModelField(Writer, null=True)
            parts = EmbeddedModelArrayField(Part, default=list)
            some = PolymorphicEmbeddedModelArrayField([Writer, Part], default=list)

            class Meta:
                app_label = "mongodb"

        orm(House, Book)
        House.objects.bulk_create([House(id=1), House(id=2)])

        def book(at: int, **values: Any) -> None:
            Book.objects.create(id=at, **values)

        one, two = Writer(name="a", house_id=1), Writer(name="b", house_id=2)
        book(1, writer=one)
        book(2, writer=two, parts=[Part(writer=one), Part(writer=two)])
        book(3, some=[one, Part(writer=one), two])
        return House

    return declare


def rows() -> dict[int, Any]:
    connection: Any = connections["default"]
    return {row.pop("_id"): row for row in connection.documents({"find": "mongodb_book"})}


def test_cascade_deletes_the_row_or_the_item(make: Any) -> None:
    house = make(models.CASCADE)
    house.objects.filter(pk=1).delete()
    found = rows()
    assert sorted(found) == [2, 3]
    assert [part["writer"]["name"] for part in found[2]["parts"]] == ["b"]
    assert [one.get("name") for one in found[3]["some"]] == ["b"]


@pytest.mark.parametrize(
    ("on_delete", "value"),
    [(models.SET_NULL, None), (models.SET_DEFAULT, 7), (models.SET(5), 5)],
)
def test_another_value_is_set(make: Any, on_delete: Any, value: Any) -> None:
    house = make(on_delete)
    house.objects.get(pk=1).delete()
    found = rows()
    assert found[1]["writer"]["house_id"] == value
    assert [part["writer"]["house_id"] for part in found[2]["parts"]] == [value, 2]
    some = found[3]["some"]
    assert [some[0]["house_id"], some[1]["writer"]["house_id"], some[2]["house_id"]] == [
        value, value, 2
    ]  # fmt: skip


def test_protect_and_restrict_refuse(make: Any) -> None:
    house = make(models.PROTECT)
    with pytest.raises(models.ProtectedError, match=r"Book.writer.house refers to it") as refused:
        house.objects.all().delete()
    assert [one.pk for one in refused.value.protected_objects] == [1]
    assert house.objects.count() == 2 and len(rows()) == 3


def test_do_nothing_does_nothing(make: Any) -> None:
    house = make(models.DO_NOTHING)
    before = rows()
    house.objects.all().delete()
    assert rows() == before


def test_there_is_no_way_back(make: Any) -> None:
    house = make(models.CASCADE)
    assert not hasattr(house, "writer_set")
    assert [field.name for field in house._meta.get_fields()] == ["id"]
