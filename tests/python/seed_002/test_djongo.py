# SPDX-License-Identifier: Apache-2.0
"""The blocks of seed_002.md about Djongo, under their headings."""

import os
import pathlib
from collections.abc import Callable
from decimal import Decimal
from typing import Any

import pytest
from bson import ObjectId
from django.db import IntegrityError, connections, models
from django.http import Http404

HERE = pathlib.Path(__file__).with_name("seed_002.md")


@pytest.fixture
def seed(django_seed: Callable[[pathlib.Path], Any]) -> Any:
    return django_seed(HERE)


@pytest.fixture
def shop(seed: Any, monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """The functions of the block on CRUD, over the models of those before."""
    for heading in ("Defining Models with Djongo", "Embedded Documents", "Array Fields"):
        seed.run(heading)
    seed.importable(monkeypatch)
    return seed.run("CRUD Operations with Djongo")


def test_database_configuration(django_seed: Any, djongo_at: Any, tmp_path: pathlib.Path) -> None:
    seed = django_seed(HERE)
    entry = seed.run("Database Configuration")["DATABASES"]["default"]
    parameters = djongo_at(entry).get_connection_params()
    assert parameters == {
        "db": "mydatabase", "host": "mongodb://localhost:27017", "port": None,
        "username": "your_username", "password": "your_password",
        "options": {"authSource": "admin", "authMechanism": "SCRAM-SHA-1"},
    }  # fmt: skip
    host = connections["default"].settings_dict["HOST"]
    client = {"host": host if "mongodb://" in host else f"docstore://{tmp_path}/s.docstore"}
    entry = {**entry, "NAME": f"djongo_{os.getpid()}", "CLIENT": client}
    wrapper = djongo_at(entry)
    assert isinstance(wrapper.command({"ping": 1})["ok"], float)


def test_production_configuration(
    django_seed: Any, djongo_at: Any, tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    host = connections["default"].settings_dict["HOST"]
    if "mongodb://" not in host:
        host = f"docstore://{tmp_path}/s.docstore"
    monkeypatch.setenv("MONGODB_URI", host)
    monkeypatch.setenv("MONGODB_NAME", f"djongo_{os.getpid()}")
    entry = django_seed(HERE).run("Production Configuration")["DATABASES"]["default"]
    wrapper = djongo_at(entry)
    assert wrapper.get_connection_params()["options"]["maxPoolSize"] == 50

    class Thing(models.Model):
        size = models.PositiveIntegerField()

        class Meta:
            app_label = "mongodb"

    with wrapper.schema_editor() as editor:
        editor.create_model(Thing)
    with pytest.raises(IntegrityError):  # ENFORCE_SCHEMA
        wrapper.command({"insert": "mongodb_thing", "documents": [{"size": -1}]})


def test_schema_is_not_enforced_unless_asked(
    django_seed: Any, djongo_at: Any, tmp_path: pathlib.Path
) -> None:
    class Thing(models.Model):
        size = models.PositiveIntegerField()

        class Meta:
            app_label = "mongodb"

    django_seed(HERE)
    host = connections["default"].settings_dict["HOST"]
    if "mongodb://" not in host:
        host = f"docstore://{tmp_path}/s.docstore"
    entry = {"ENGINE": "djongo", "NAME": f"djongo_{os.getpid()}", "CLIENT": {"host": host}}
    wrapper = djongo_at(entry)
    with wrapper.schema_editor() as editor:
        editor.create_model(Thing)
    wrapper.command({"insert": "mongodb_thing", "documents": [{"size": -1}]})


def test_defining_models_with_djongo(seed: Any) -> None:
    author = seed.run("Defining Models with Djongo")["Author"]
    author.objects.create(name="Ann", email="a@b.c")
    assert str(author.objects.get(email="a@b.c")) == "Ann"
    with pytest.raises(IntegrityError):
        author.objects.create(name="Bob", email="a@b.c")


def test_embedded_documents(seed: Any) -> None:
    names = seed.run("Embedded Documents")
    where = {"street": "S", "city": "Ulm", "state": "B", "zip_code": "1", "country": "D"}
    made = names["Customer"].objects.create(
        name="Ann", email="a@b.c", shipping_address=names["Address"](**where), billing_address=where
    )
    found = names["Customer"].objects.get(shipping_address__city="Ulm")
    assert found == made and isinstance(found.billing_address, names["Address"])
    assert found.billing_address.street == "S"
    (row,) = connections["default"].documents({"find": "customers"})
    assert row["shipping_address"] == where


def test_array_fields(seed: Any) -> None:
    seed.run("Embedded Documents")
    names = seed.run("Array Fields")
    customer = names["Customer"].objects.create(
        name="Ann", email="a@b.c", shipping_address={}, billing_address={}
    )
    item = names["OrderItem"](product_id="p", product_name="P", unit_price=Decimal("1.50"))
    order = names["Order"].objects.create(
        order_number="1", customer=customer, items=[item], tags=["new"], total_amount=2
    )
    found = names["Order"].objects.get(items__product_id="p", tags__contains=["new"])
    assert found == order and found.items == [item] and found.items[0].quantity == 1


def test_crud_operations_with_djongo(shop: dict[str, Any]) -> None:
    author = shop["create_author"]("Ann", "a@b.c")
    assert list(shop["get_active_authors"]()) == [author]
    customer = shop["create_customer_with_address"]("Bob", "b@b.c", *"sctzd")
    lines = [{"product_id": "1", "product_name": "P", "quantity": 2, "unit_price": Decimal("3")}]
    order = shop["create_order"](customer.pk, "7", lines)
    assert order.total_amount == 6 and list(shop["get_customer_orders"](customer.pk)) == [order]
    assert list(shop["search_orders"]("pending", 5, 7)) == [order]
    assert list(shop["search_orders"](min_amount=7)) == []
    assert shop["update_order_status"](order.pk, "shipped").status == "shipped"
    with pytest.raises(ValueError, match="not found"):
        shop["update_order_status"](99, "shipped")
    assert shop["add_order_tag"](order.pk, "gift").tags == ["new", "gift"]
    shop["soft_delete_author"](author.pk)
    assert list(shop["get_active_authors"]()) == []
    shop["hard_delete_order"](order.pk)
    with pytest.raises(Http404):
        shop["hard_delete_order"](order.pk)


def test_array_references_and_mongo_aggregate(django_seed: Any, orm: Callable[..., None]) -> None:
    from djongo import models as djongo

    class Person(djongo.Model):
        _id = djongo.ObjectIdAutoField(primary_key=True)
        name = djongo.CharField(max_length=9)
        objects = djongo.DjongoManager()

        class Meta:
            app_label = "mongodb"

    class Entry(djongo.Model):
        people = djongo.ArrayReferenceField(to=Person, on_delete=djongo.CASCADE)

        class Meta:
            app_label = "mongodb"

    orm(Person, Entry)
    ann, bob = (Person.objects.create(name=name) for name in ("Ann", "Bob"))
    entry = Entry.objects.create()
    entry.people.add(ann, bob)
    entry = Entry.objects.get()
    assert entry.people_id == [ann.pk, bob.pk] and isinstance(ann.pk, ObjectId)
    assert list(entry.people.all().order_by("name")) == [ann, bob]
    entry.people.remove(ann)
    assert [one.name for one in Entry.objects.get().people.filter(name="Bob")] == ["Bob"]
    assert list(Entry.objects.filter(people__contains=[bob.pk])) == [entry]
    entry.people.set([ann])
    entry.people.create(name="Cy")
    assert entry.people.count() == 2
    found = Person.objects.mongo_aggregate([{"$match": {"name": "Bob"}}, {"$project": {"_id": 0}}])
    assert list(found) == [{"name": "Bob"}]
    assert Person.objects.mongo_count_documents({}) == 3
