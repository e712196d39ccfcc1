# SPDX-License-Identifier: Apache-2.0
"""Seed 000: queryset operations."""

import datetime
from typing import Any

import pytest

from mongodb import get_db


@pytest.fixture
def people(connected: str, seed: Any) -> Any:
    """The seed's User with the fields that its queries name, and some documents."""
    seed.run("3. Define a Document")
    exec(
        "class User(Document):\n"
        "    name = StringField()\n    email = EmailField()\n    age = IntField()\n"
        "    created_at = DateTimeField(auto_now_add=True)\n    is_active = BooleanField()\n"
        "    is_premium = BooleanField()\n    tags = ListField(StringField())\n"
        "    phone = StringField()\n    password = StringField()\n    secret_key = StringField()\n"
        "    age_group = StringField()\n    department = StringField()\n"
        "    meta = {'collection': 'users'}\n",
        seed.names,
    )
    User = seed.names["User"]
    User.objects.insert(
        [
            User(name="John", email="john@example.com", age=25, is_active=True, password="p",
                 tags=["python", "web", "django"], age_group="a", department="x",
                 created_at=datetime.datetime(2024, 1, 1)),
            User(name="Johnson", email="j2@example.com", age=70, is_active=True, is_premium=True,
                 tags=["python"], phone="1", age_group="b", department="x",
                 created_at=datetime.datetime(2024, 1, 2)),
            User(name="anna", email="a@example.com", age=10, is_active=False, tags=["spam"],
                 age_group="a", department="y", secret_key="s",
                 created_at=datetime.datetime(2024, 1, 3)),
            User(name="Bob", email="b@example.com", age=18,
                 created_at=datetime.datetime(2024, 1, 4)),
        ]
    )  # fmt: skip
    return User


def names_of(users: Any) -> set[str]:
    return {user.name for user in users}


def test_basic_queries(people: Any, seed: Any) -> None:
    names = seed.run("Basic Queries")
    assert len(names["users"]) == 4
    assert names_of(names["active_users"]) == {"John", "Johnson"}
    assert names_of(names["adults"]) == {"John", "Johnson", "Bob"}
    assert names["user"].name == "John" and names["exists"] is True and names["count"] == 2


QUERY_OPERATORS = [
    {"Johnson", "John"}, {"Johnson", "John", "Bob"}, {"John", "anna", "Bob"},
    {"John", "anna", "Bob"}, {"Johnson", "anna", "Bob"}, {"John", "Johnson"}, {"John", "Johnson"},
    {"John", "Johnson"}, {"Johnson"}, {"John", "Johnson"}, {"John", "Johnson"},
    {"John", "Johnson", "Bob"}, {"John"}, {"John"}, {"Johnson"}, {"John", "anna", "Bob"},
    {"John", "Johnson", "anna", "Bob"},
]  # fmt: skip


def test_query_operators(people: Any, seed: Any) -> None:
    seed.run("Query Operators")
    lines = [
        line for line in seed.blocks["Query Operators"][0].splitlines() if line.startswith("User")
    ]
    assert len(lines) == len(QUERY_OPERATORS)
    for line, expected in zip(lines, QUERY_OPERATORS, strict=True):
        assert names_of(eval(line, seed.names)) == expected, line


def test_complex_queries(people: Any, seed: Any) -> None:
    block = seed.blocks["Complex Queries"][0]
    parts = block.split("\n\n")
    expected = [
        {"Johnson", "anna"},
        {"John", "Johnson"},
        {"John", "Johnson", "Bob"},
        {"John", "Johnson", "Bob"},
    ]
    exec(parts[0], seed.names)
    for part, wanted in zip(parts[1:], expected, strict=True):
        exec(part, seed.names)
        assert names_of(seed.names["users"]) == wanted
    seed.run("Complex Queries")
    with pytest.raises(TypeError, match="no \\^"):
        seed.names["Q"](age=1) ^ seed.names["Q"](age=2)


def test_ordering_and_limiting(people: Any, seed: Any) -> None:
    seed.run("Ordering and Limiting")
    User = people
    assert [u.name for u in User.objects.order_by("name")] == ["Bob", "John", "Johnson", "anna"]
    assert [u.name for u in User.objects.order_by("-created_at")][0] == "Bob"
    assert [u.age for u in User.objects.order_by("age", "-name")] == [10, 18, 25, 70]
    assert len(User.objects.limit(2)) == 2 and len(User.objects.skip(3).limit(10)) == 1
    assert len(User.objects.all()[:3]) == 3 and len(User.objects.all()[2:3]) == 1
    assert len(User.objects.all()[20:30]) == 0
    assert User.objects.order_by("age")[1].name == "Bob"
    assert User.objects.order_by("age").first().name == "anna"
    assert User.objects.order_by("age").last().name == "Johnson"


def test_field_selection(people: Any, seed: Any) -> None:
    users = seed.run("Field Selection")["users"]
    assert users.as_command().get("projection") is None
    User = people
    john = User.objects.only("name", "email").get(name="John")
    john.name = "Jon"
    john.save()
    raw = get_db().users.find_one({"name": "Jon"})
    assert raw["age"] == 25 and raw["tags"] == ["python", "web", "django"]
    assert john.age == 25  # fetched when it is read
    hidden = User.objects.exclude("password", "secret_key").get(name="Jon")
    hidden.tags.append("new")
    hidden.save()
    raw = get_db().users.find_one({"name": "Jon"})
    assert raw["password"] == "p" and raw["tags"][-1] == "new"


def test_aggregation(people: Any, seed: Any) -> None:
    names = seed.run("Aggregation")
    assert names["total_age"] == {"age__sum": 123}
    assert names["avg_age"] == {"age__avg": 30.75}
    assert names["min_age"] == {"age__min": 10} and names["max_age"] == {"age__max": 70}
    assert names["user_count"] == {"id__count": 4}
    assert names["stats"] == {"total_users": 4, "avg_age": 30.75, "min_age": 10, "max_age": 70}
    groups = {one["_id"]: one["count"] for one in names["age_groups"]}
    assert groups == {"a": 2, "b": 1, None: 1}
    nobody = people.objects.filter(age__gt=1000)
    assert nobody.aggregate(names["Sum"]("age")) == {"age__sum": None}
    assert nobody.aggregate(n=names["Count"]("id")) == {"n": 0}


def test_raw_queries(people: Any, seed: Any) -> None:
    names = seed.run("Raw Queries")
    assert names_of(names["users"]) == {"John", "Johnson", "Bob"}
    assert list(names["results"]) == [{"_id": "x", "count": 2}]
    assert people.objects.raw({"age": 70}).filter(is_active=True).count() == 1


def test_queryset_methods_of_the_reference(people: Any) -> None:
    objects = people.objects
    assert objects.all().count() == 4
    assert names_of(objects.exclude(name="John")) == {"Johnson", "anna", "Bob"}
    assert names_of(objects.exclude(is_active=True)) == {"anna", "Bob"}
    assert list(objects.aggregate({"$match": {"age": 10}}, {"$project": {"_id": 0, "age": 1}})) == [
        {"age": 10}
    ]
    created = objects.create(name="New", age=1)
    assert objects.get(name="New") == created
    assert objects.filter(name="New").update(age=2) == 1
    assert objects.filter(name="New").delete() == 1
    assert objects.filter(name="New").exists() is False


def test_4_query_optimization(people: Any, seed: Any) -> None:
    seed.run("Basic Document Definition")
    BlogPost = seed.names["BlogPost"]
    for user in people.objects:
        BlogPost(title=user.name, author=user).save()
    names = seed.run("4. Query Optimization", offset=0, page_size=2)
    assert len(names["page"]) == 2
    from mongodb import query_counter

    with query_counter() as counter:
        assert {post.author.name for post in names["posts"]} == names_of(
            people.objects.all()._with()
        )
    assert counter <= 3
    with query_counter() as counter:
        assert [post.author.id for post in BlogPost.objects] and counter == 1
    with query_counter() as counter:
        assert [post.author.name for post in BlogPost.objects] and counter == 2
