# SPDX-License-Identifier: Apache-2.0
"""Documents of these tests, connected to each kind of store in turn."""

import datetime
import decimal
import uuid
from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any

import pytest

import mongodb
from mongodb import CASCADE, Document, EmbeddedDocument
from mongodb.fields import (
    BinaryField,
    BooleanField,
    DateField,
    DateTimeField,
    DecimalField,
    DictField,
    EmailField,
    EmbeddedDocumentField,
    FloatField,
    IntField,
    ListField,
    ObjectIdField,
    ReferenceField,
    StringField,
    UUIDField,
)


class Address(EmbeddedDocument):
    street = StringField(required=True)
    city = StringField(required=True, max_length=20)
    zip = StringField()


class Country(Document):
    code = StringField(primary_key=True)
    name = StringField(required=True)

    meta = {"collection": "drf_countries"}


class Person(Document):
    name = StringField(required=True, max_length=30)
    email = EmailField(unique=True)
    age = IntField(min_value=0, max_value=150)
    score = FloatField()
    price = DecimalField(max_digits=10, decimal_places=2)
    active = BooleanField(default=True)
    born = DateField()
    seen = DateTimeField()
    token = UUIDField()
    photo = BinaryField()
    other = ObjectIdField()
    status = StringField(choices=["new", "old"])
    tags = ListField(StringField(max_length=10))
    counts = DictField()
    country = ReferenceField(Country, reverse_delete_rule=CASCADE)
    address = EmbeddedDocumentField(Address)
    addresses = ListField(EmbeddedDocumentField(Address))
    created_at = DateTimeField(auto_now_add=True)

    meta = {"collection": "drf_people", "ordering": ["name"]}


@pytest.fixture(scope="module")
def connected(store_uri: str) -> Iterator[None]:
    mongodb.connect("drf_tests", host=store_uri)
    yield
    mongodb.disconnect()


@pytest.fixture
def odm(connected: None) -> Iterator[SimpleNamespace]:
    """The document classes, on empty collections."""
    Person.drop_collection()
    Country.drop_collection()
    yield SimpleNamespace(Person=Person, Country=Country, Address=Address)


@pytest.fixture
def people(odm: SimpleNamespace) -> list[Any]:
    """Three people with every kind of value, and with none."""
    france = Country(code="FR", name="France").save()
    full = Person(
        name="Ada “quoted” \\ \n \u2028 é",
        email="ada@example.com",
        age=36,
        score=1.5,
        price=decimal.Decimal("12.50"),
        active=False,
        born=datetime.date(1815, 12, 10),
        seen=datetime.datetime(2024, 2, 29, 23, 59, 59, 123000),
        token=uuid.UUID("12345678-1234-5678-1234-567812345678"),
        photo=b"\x00\x01\xff",
        other="5f0000000000000000000001",
        status="new",
        tags=["a", "b"],
        counts={"x": 1, "deep": {"when": datetime.datetime(2024, 1, 1), "list": [1.0, None, True]}},
        country=france,
        address=Address(street="1 Rue", city="Paris"),
        addresses=[
            Address(street="2 Rue", city="Lyon", zip="69000"),
            Address(street="3", city="X"),
        ],
    )
    bare = Person(name="Bob")
    bare.email = "bob@example.com"
    return [full.save(), bare.save(), Person(name="Cy", email="cy@example.com", score=3.0).save()]
