# SPDX-License-Identifier: Apache-2.0
"""Custom Fields: ObjectIds of the document and of what it refers to."""

from typing import Any


def test_custom_fields(users: Any, seed: Any) -> None:
    exec("from mongodb.rest_framework.serializers import DocumentSerializer", seed.names)
    serializer = seed.run("Custom Fields")["UserSerializer"]
    author = users(name="A", email="a@example.com").save()
    user = users(name="B", email="b@example.com", author=author).save()
    found = users.objects.get(id=user.id)
    assert serializer(found).data == {
        "id": str(user.id),
        "name": "B",
        "email": "b@example.com",
        "author_id": str(author.id),
    }


def test_id_of_a_reference_costs_no_query(users: Any, seed: Any) -> None:
    from mongodb import query_counter

    exec("from mongodb.rest_framework.serializers import DocumentSerializer", seed.names)
    serializer = seed.run("Custom Fields")["UserSerializer"]
    author = users(name="A", email="a@example.com").save()
    for number in range(5):
        users(name=f"B{number}", email="b@example.com", author=author).save()
    with query_counter() as queries:
        rows = serializer(users.objects.filter(name__startswith="B"), many=True).data
        assert [row["author_id"] for row in rows] == [str(author.id)] * 5
        assert queries == 1


def test_document_without_a_reference_leaves_the_field_out(users: Any, seed: Any) -> None:
    exec("from mongodb.rest_framework.serializers import DocumentSerializer", seed.names)
    serializer = seed.run("Custom Fields")["UserSerializer"]
    alone = users(name="A", email="a@example.com").save()
    assert serializer(alone).data.get("author_id") is None
