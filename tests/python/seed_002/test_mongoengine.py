# SPDX-License-Identifier: Apache-2.0
"""The blocks of seed_002.md about MongoEngine, under their headings, by `mongodb.compat`."""

import datetime
import json
import pathlib
from collections.abc import Iterator
from typing import Any

import pytest
from django.test import RequestFactory
from rest_framework.test import APIRequestFactory

import mongodb
from mongodb.compat.mongoengine import connection

from ..projects import Project, project_of

HERE = pathlib.Path(__file__).with_name("seed_002.md")
ADDRESS = {"street": "1 Main", "city": "Graz", "state": "St", "zip_code": "8010", "country": "AT"}
PEN = {"product_id": "p1", "product_name": "Pen", "quantity": 2, "unit_price": 1.5}
INK = {"product_id": "p2", "product_name": "Ink", "quantity": 1, "unit_price": 4}


@pytest.fixture
def project(monkeypatch: pytest.MonkeyPatch) -> Iterator[Project]:
    with project_of(HERE, monkeypatch) as found:
        yield found


@pytest.fixture
def documents(project: Project, connected: str) -> Any:
    """The package's documents, of both blocks that declare them."""
    project.run("documents", "Defining Documents with MongoEngine")
    return project.run("documents", "Embedded Documents with MongoEngine")


@pytest.fixture
def services(project: Project, documents: Any) -> Any:
    return project.run("services", "CRUD Operations with MongoEngine")


@pytest.fixture
def views(project: Project, documents: Any) -> Any:
    project.run("serializers", "Using Django REST Framework with MongoDB")
    return project.run("views", "Using Django REST Framework with MongoDB", 1)


def test_database_configuration(project: Project) -> None:
    try:
        settings = project.run("settings", "Database Configuration", 1)
        kept = connection._connection_settings["default"]
        assert settings.MONGODB_SETTINGS["db"] == connection.get_db().name == "mydatabase"
        assert (kept["username"], kept["authentication_source"]) == ("your_username", "admin")
    finally:
        connection.disconnect_all()


def test_production_configuration_with_mongoengine(
    project: Project, store_uri: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    heading = "Production Configuration with MongoEngine"
    try:
        monkeypatch.setenv("MONGODB_URI", store_uri)
        project.run("settings", heading)
        assert connection.get_connection().admin.command("ping")["ok"]
        connection.disconnect_all()
        monkeypatch.delenv("MONGODB_URI")
        project.run("settings", heading)
        client = connection.get_connection()
        assert client.options.pool_options.max_pool_size == 50
        assert client.write_concern.document == {"w": "majority", "j": True}
    finally:
        connection.disconnect_all()


def test_defining_documents_with_mongoengine(project: Project, connected: str) -> None:
    author = project.run("documents", "Defining Documents with MongoEngine").Author
    before = author(name="Ada", email="ada@example.com").save()
    told = before.updated_at
    before.save()
    assert before.updated_at > told and str(author.objects.get()) == "Ada"
    assert author._get_collection_name() == "authors" and author.objects.get().is_active
    with pytest.raises(mongodb.NotUniqueError):
        author(name="Other", email="ada@example.com").save()


def test_embedded_documents_with_mongoengine(documents: Any) -> None:
    home = documents.Address(**ADDRESS)
    customer = documents.Customer(
        name="Bo", email="bo@example.com", shipping_address=home, saved_addresses=[home]
    ).save()
    order = documents.Order(
        order_number="1", customer=customer, items=[documents.OrderItem(**PEN)], tags=["a"]
    ).save()
    found = documents.Order.objects.get()
    assert (found.total_amount, found.items[0].subtotal, found.status) == (3, 3, "pending")
    assert str(found.customer.shipping_address) == "1 Main, Graz, St 8010"
    assert found.customer.saved_addresses.get(city="Graz") == home and str(order) == "Order 1"


def test_crud_operations_with_mongoengine(services: Any) -> None:
    author = services.create_author("Ada", "ada@example.com")
    with pytest.raises(ValueError, match="already exists"):
        services.create_author("Ada", "ada@example.com")
    assert list(services.get_active_authors()) == [author]
    assert services.get_author_by_email("ada@example.com") == author
    assert services.get_author_by_email("nobody@example.com") is None
    customer = services.create_customer_with_address("Bo", "bo@example.com", ADDRESS)
    assert list(services.search_customers("Graz")) == [customer]
    assert list(services.search_customers("Wien")) == []
    order = services.create_order(customer.id, "1", [PEN])
    with pytest.raises(ValueError, match="not found"):
        services.create_order(order.id, "2", [PEN])
    assert list(services.get_orders_by_status("pending")) == [order]
    assert list(services.get_orders_by_status("pending", page=2)) == []
    assert list(services.get_customer_orders(customer.id)) == [order]
    hour = datetime.timedelta(hours=1)
    asked = {"status": ["pending"], "min_amount": 1, "max_amount": 5, "tags": ["new"]}
    now = datetime.datetime.utcnow()
    found = services.search_orders_advanced(start_date=now - hour, end_date=now + hour, **asked)
    assert list(found) == [order]
    assert services.update_order_status(order.id, "shipped").status == "shipped"
    services.add_order_tag(order.id, "rush")
    assert services.add_order_tag(order.id, "rush").tags == ["new", "rush"]
    assert services.remove_order_tag(order.id, "new").tags == ["rush"]
    assert services.add_item_to_order(order.id, INK).total_amount == 7
    moved = services.add_customer_address(customer.id, {**ADDRESS, "city": "Linz"}, True)
    assert moved.shipping_address.city == moved.saved_addresses[0].city == "Linz"
    services.soft_delete_author(author.id)
    assert list(services.get_active_authors()) == []
    services.update_order_status(order.id, "cancelled")
    assert services.delete_cancelled_orders_older_than(-1) == 1
    with pytest.raises(ValueError, match="not found"):
        services.hard_delete_order(order.id)


def test_aggregations_with_mongoengine(project: Project, services: Any) -> None:
    analytics = project.run("analytics", "Aggregations with MongoEngine")
    customer = services.create_customer_with_address("Bo", "bo@example.com", ADDRESS)
    services.create_order(customer.id, "1", [PEN, INK])
    order = services.create_order(customer.id, "2", [PEN])
    services.update_order_status(order.id, "shipped")
    assert analytics.get_revenue_by_status() == [
        {"total_orders": 1, "status": "pending", "total_revenue": 7.0, "avg_order_value": 7.0},
        {"total_orders": 1, "status": "shipped", "total_revenue": 3.0, "avg_order_value": 3.0},
    ]
    month = order.created_at
    (told,) = analytics.get_monthly_revenue(month.year)
    assert (told["month_number"], told["items_sold"]) == (month.month, 3)
    assert told["month_name"] == f"{month:%B}" and told["total_revenue"] == 10.0
    (best,) = analytics.get_top_customers()
    assert (best["customer_name"], best["total_spent"]) == ("Bo", 10.0)
    assert analytics.get_popular_products()[0]["total_quantity"] == 2
    assert analytics.get_orders_by_city() == [
        {"total_orders": 2, "city": "Graz", "total_revenue": 10.0}
    ]


def call(viewset: Any, method: str, action: str, data: Any = None, **kwargs: Any) -> Any:
    request = getattr(APIRequestFactory(), method)("/", data, format="json")
    return viewset.as_view({method: action})(request, **kwargs)


def test_using_django_rest_framework_with_mongodb_serializers(
    project: Project, documents: Any
) -> None:
    made = project.run("serializers", "Using Django REST Framework with MongoDB")
    sent = {"name": "Bo", "email": "bo@example.com", "shipping_address": ADDRESS}
    serializer = made.CustomerSerializer(data={**sent, "saved_addresses": [ADDRESS]})
    assert serializer.is_valid(), serializer.errors
    customer = serializer.save()
    assert customer.shipping_address.city == customer.saved_addresses[0].city == "Graz"
    shown = made.CustomerSerializer(customer).data
    assert shown["shipping_address"] == ADDRESS and shown["id"] == str(customer.pk)
    wrong = made.CustomerSerializer(data={**sent, "shipping_address": {"street": "x"}})
    assert not wrong.is_valid() and set(wrong.errors["shipping_address"]) == {
        "city", "state", "zip_code", "country",
    }  # fmt: skip
    order = made.OrderSerializer(
        data={"order_number": "1", "customer": str(customer.pk), "items": [PEN], "tags": ["a"]}
    )
    assert order.is_valid(), order.errors
    told = made.OrderSerializer(order.save()).data
    assert (told["customer_name"], told["items"][0]["subtotal"]) == ("Bo", "3.00")
    assert documents.Order.objects.get().total_amount == 3


def test_using_django_rest_framework_with_mongodb_views(views: Any) -> None:
    made = call(views.AuthorViewSet, "post", "create", {"name": "Ada", "email": "a@example.com"})
    assert made.status_code == 201, made.data
    listed = call(views.AuthorViewSet, "get", "list").data
    assert [one["name"] for one in listed] == ["Ada"]
    shown = call(views.AuthorViewSet, "get", "retrieve", id=made.data["id"]).data
    assert (shown["name"], shown["id"]) == ("Ada", made.data["id"])
    assert call(views.AuthorViewSet, "get", "retrieve", id="5" * 24).status_code == 404
    assert call(views.AuthorViewSet, "get", "retrieve", id="wrong").status_code == 404
    sent = {"name": "Bo", "email": "bo@example.com", "shipping_address": ADDRESS}
    customer = call(views.CustomerViewSet, "post", "create", sent).data
    request = APIRequestFactory().get("/", {"city": "gra"})
    assert len(views.CustomerViewSet.as_view({"get": "list"})(request).data) == 1
    sent = {"order_number": "1", "customer": customer["id"], "items": [PEN]}
    order = call(views.OrderViewSet, "post", "create", sent)
    assert order.status_code == 201, order.data
    key = order.data["id"]
    request = APIRequestFactory().get("/", {"customer": customer["id"], "status": "pending"})
    assert len(views.OrderViewSet.as_view({"get": "list"})(request).data) == 1
    refused = call(views.OrderViewSet, "post", "update_status", {"status": "lost"}, id=key)
    assert refused.status_code == 400
    done = call(views.OrderViewSet, "post", "update_status", {"status": "shipped"}, id=key)
    assert done.data["status"] == "shipped"
    assert call(views.OrderViewSet, "post", "add_tag", {"tag": "x"}, id=key).data["tags"] == ["x"]
    assert call(views.OrderViewSet, "delete", "destroy", id=key).status_code == 204


def test_indexing_strategies(project: Project, documents: Any) -> None:
    # the block's own imports leave out what the blocks before it had
    module = project.run("documents", "Indexing Strategies")
    module.Product(sku="1", name="Pen", category="c", price=1).save()
    made = mongodb.get_db().products.index_information()
    partial = next(one for one in made.values() if one["key"] == [("stock", 1)])
    assert dict(partial["partialFilterExpression"]) == {"is_active": True}
    assert [("category", 1), ("price", 1)] in [one["key"] for one in made.values()]
    waiting = module.Product.pending_indexes()
    assert len(made) + len(waiting) == 10 if waiting else "textIndexVersion" in str(made)


def test_connection_health_monitoring(project: Project, documents: Any) -> None:
    documents.Author(name="Ada", email="ada@example.com").save()
    health = project.run("health", "Connection Health Monitoring")
    request = RequestFactory().get("/")
    told = json.loads(health.mongodb_health_check(request).content)
    assert (told["status"], told["ok"]) == ("healthy", True), told
    told = json.loads(health.detailed_health_check(request).content)
    assert told["status"] == "healthy" and told["collections"]["authors"] == 1, told
