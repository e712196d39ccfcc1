# SPDX-License-Identifier: Apache-2.0
"""API Reference: each line of the lists runs with values for its names."""

from typing import Any

import mongodb
from mongodb import query_counter


def lines_of(seed: Any, heading: str) -> list[str]:
    lines = [line.partition("  #")[0].strip() for line in seed.blocks[heading][0].splitlines()]
    return [line for line in lines if line and not line.startswith("#")]


def test_document_methods(users: Any, seed: Any) -> None:
    lines = lines_of(seed, "Document Methods")
    document = users(name="A", email="a@example.com", age=3)
    names: dict[str, Any] = {"document": document, "Document": users}
    order = [line for line in lines if line != "document.delete()"]
    order.insert(order.index("document.to_json()") + 1, "document.delete()")
    results: dict[str, Any] = {}
    for line in order:
        if line == "Document.objects.get(**kwargs)":
            users(name="B", email="b@example.com").save()
        given = {"name": "B", "email": "b@example.com"} if "create(" in line else {"name": "B"}
        if "create_index" in line:
            given = {"unique": False}
        results[line] = eval(line, {**names, "kwargs": given, "keys": [("age", 1)]})
        if "create(" in line:
            assert users.objects.count() == 2
    assert results["document.to_dict()"]["age"] == 3
    assert '"age": 3' in results["document.to_json()"]
    assert results["Document.objects.get(**kwargs)"].name == "B"
    assert results["Document.objects.update(**kwargs)"] == 2
    assert results["Document.objects.delete()"] == 2
    assert results["Document.create_index(keys, **kwargs)"] == "age_1"
    assert "users" not in mongodb.get_db().list_collection_names()


def test_queryset_methods(users: Any, seed: Any) -> None:
    one = users(name="A", email="a@example.com", age=3).save()
    other = users(name="B", email="b@example.com", age=4, author=one).save()
    queryset = users.objects
    names = {"queryset": queryset, "n": 1, "raw_query": {"age": 3}}
    values = {
        "queryset.filter(**kwargs)": ("kwargs", {"age": 3}, [one]),
        "queryset.exclude(**kwargs)": ("kwargs", {"age": 3}, [other]),
        "queryset.get(**kwargs)": ("kwargs", {"age": 4}, other),
        "queryset.order_by(*fields)": ("fields", ["-age"], [other, one]),
        "queryset.only(*fields)": ("fields", ["name"], [one, other]),
        "queryset.exclude(*fields)": ("fields", ["password"], [one, other]),
        "queryset.select_related(*fields)": ("fields", ["author"], [one, other]),
        "queryset.aggregate(*pipeline)": (
            "pipeline",
            [{"$group": {"_id": None, "n": {"$sum": 1}}}],
            [{"_id": None, "n": 2}],
        ),
        "queryset.all()": ("x", None, [one, other]),
        "queryset.first()": ("x", None, one),
        "queryset.last()": ("x", None, other),
        "queryset.count()": ("x", None, 2),
        "queryset.exists()": ("x", None, True),
        "queryset.limit(n)": ("x", None, [one]),
        "queryset.skip(n)": ("x", None, [other]),
        "queryset.raw(raw_query)": ("x", None, [one]),
    }
    lines = lines_of(seed, "QuerySet Methods")
    assert set(lines) == set(values)
    for line in lines:
        name, given, expected = values[line]
        found = eval(line, {**names, name: given})
        many = isinstance(expected, list)
        assert (list(found) if many else found) == expected, line


def test_field_types_reference(connected: str, seed: Any) -> None:
    seed.run("Embedded Documents")
    names = {**seed.names, "field": mongodb.fields.IntField()}
    fields = {}
    for at, line in enumerate(lines_of(seed, "Field Types Reference")):
        given = "User" if line.startswith("Reference") else "Address"
        fields[f"f{at}"] = eval(line, {**names, "document_type": given})
    assert len(fields) == 21
    holder = type("Holder", (mongodb.Document,), fields)
    holder().save()
    assert holder.objects.count() == 1


def test_select_related_costs_one_query_more(users: Any) -> None:
    one = users(name="A", email="a@example.com").save()
    for number in range(10):
        users(name=f"B{number}", email="b@example.com", author=one).save()
    with query_counter() as queries:
        found = users.objects.filter(name__startswith="B").select_related("author")
        assert {user.author.name for user in found} == {"A"}
        assert queries <= 2
