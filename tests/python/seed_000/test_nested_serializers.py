# SPDX-License-Identifier: Apache-2.0
"""Nested Serializers: embedded documents inside a document."""

from typing import Any

import pytest

HOME = {"street": "1 Main St", "city": "Oslo", "country": "NO"}


@pytest.fixture
def nested(connected: str, seed: Any) -> Any:
    seed.run("Embedded Documents")
    exec(
        "from rest_framework import serializers\n"
        "from mongodb.rest_framework.serializers import DocumentSerializer",
        seed.names,
    )
    return seed.run("Nested Serializers")["UserSerializer"]


def test_nested_serializers(nested: Any, seed: Any) -> None:
    User = seed.names["User"]
    data = {"name": "A", "email": "a@example.com", "address": HOME, "addresses": [HOME, HOME]}
    serializer = nested(data=data)
    assert serializer.is_valid(), serializer.errors
    assert type(serializer.validated_data["address"]) is dict
    user = serializer.save()
    found = User.objects.get(id=user.id)
    assert found.address.city == "Oslo" and len(found.addresses) == 2
    shown = nested(found).data
    assert shown["address"] == {**HOME, "postal_code": None}
    assert shown["addresses"] == [{**HOME, "postal_code": None}] * 2


def test_errors_name_the_inner_field(nested: Any) -> None:
    inner = {"street": "", "city": "x"}
    serializer = nested(
        data={"name": "A", "email": "a@example.com", "address": inner, "addresses": [HOME, inner]}
    )
    assert not serializer.is_valid()
    assert set(serializer.errors["address"]) == {"street", "country"}
    assert set(serializer.errors["addresses"][1]) == {"street", "country"}


def test_serializer_of_an_embedded_document_alone(nested: Any, seed: Any) -> None:
    serializer = seed.names["AddressSerializer"](data=HOME)
    assert serializer.is_valid(), serializer.errors
    address = serializer.save()
    assert type(address) is seed.names["Address"] and address.city == "Oslo"
    assert set(seed.names["AddressSerializer"](address).data) == {*HOME, "postal_code"}
