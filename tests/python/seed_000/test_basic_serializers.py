# SPDX-License-Identifier: Apache-2.0
"""Basic Serializers: all fields of a document, and a chosen few with a computed one."""

from typing import Any

from rest_framework import serializers


def test_basic_serializers(users: Any, seed: Any) -> None:
    names = seed.run("Basic Serializers")
    serializer = names["UserSerializer"]
    user = users(name="John", first_name="John", last_name="Doe", email="j@example.com").save()
    assert serializer(user).data == {
        "id": str(user.id),
        "name": "John",
        "email": "j@example.com",
        "full_name": "John Doe",
    }
    fields = serializer().fields
    assert fields["id"].read_only and isinstance(
        fields["full_name"], serializers.SerializerMethodField
    )


def test_all_fields_of_a_document_are_shown(users: Any, seed: Any) -> None:
    first = seed.blocks["Basic Serializers"][0].split("# Custom serializer")[0]
    exec(first, seed.names)
    serializer = seed.names["UserSerializer"]
    assert set(serializer().fields) == set(users._fields)
    accepted = serializer(data={"name": "Ann", "email": "ann@example.com", "age": "30"})
    assert accepted.is_valid(), accepted.errors
    saved = accepted.save()
    assert users.objects.get(id=saved.id).age == 30
    refused = serializer(data={"email": "nonsense", "age": 200})
    assert not refused.is_valid() and set(refused.errors) == {"name", "email", "age"}


def test_read_only_field_that_is_not_shown_changes_nothing(users: Any, seed: Any) -> None:
    serializer = seed.run("Basic Serializers")["UserSerializer"]
    assert "created_at" not in serializer().fields
    given = serializer(data={"id": "x", "name": "A", "email": "a@example.com"})
    assert given.is_valid(), given.errors
    assert given.save().created_at is not None
