# SPDX-License-Identifier: Apache-2.0
"""ViewSets: plain rest_framework viewsets over documents, with extra actions."""

from typing import Any

import pytest


@pytest.fixture
def api(users: Any, seed: Any, client: Any) -> Any:
    exec(seed.blocks["Basic Serializers"][0].split("# Custom serializer")[0], seed.names)
    return client(seed.run("ViewSets")["UserViewSet"])


def test_viewsets(users: Any, api: Any) -> None:
    ann = users(name="Ann", email="ann@example.com").save()
    users(name="Bob", email="bob@example.com", is_active=False).save()
    assert [row["name"] for row in api.get("/users/").json()] == ["Ann"]
    assert [row["name"] for row in api.get("/users/active_users/").json()] == ["Ann"]
    answer = api.post(f"/users/{ann.id}/set_password/", {"password": "abc"}, format="json")
    assert answer.status_code == 200 and answer.json() == {"status": "password set"}
    assert users.objects.get(id=ann.id).password == "cba"


def test_create_update_and_delete(users: Any, api: Any) -> None:
    made = api.post("/users/", {"name": "Ann", "email": "ann@example.com"}, format="json")
    assert made.status_code == 201
    address = f"/users/{made.json()['id']}/"
    assert api.get(address).json()["email"] == "ann@example.com"
    changed = api.patch(address, {"age": 31}, format="json")
    assert changed.status_code == 200 and users.objects.get().age == 31
    replaced = api.put(address, {"name": "Anna", "email": "anna@example.com"}, format="json")
    assert replaced.status_code == 200 and users.objects.get().name == "Anna"
    assert api.delete(address).status_code == 204 and users.objects.count() == 0


def test_missing_and_malformed_ids_are_404(users: Any, api: Any) -> None:
    for key in ("5f0000000000000000000000", "nonsense", "12"):
        assert api.get(f"/users/{key}/").status_code == 404
        assert api.delete(f"/users/{key}/").status_code == 404


def test_document_outside_the_queryset_is_404(users: Any, api: Any) -> None:
    bob = users(name="Bob", email="bob@example.com", is_active=False).save()
    assert api.get(f"/users/{bob.id}/").status_code == 404


def test_browsable_pages_have_forms(users: Any, api: Any) -> None:
    ann = users(name="Ann", email="ann@example.com").save()
    for path, method in (("/users/", "POST"), (f"/users/{ann.id}/", "PUT")):
        page = api.get(path, HTTP_ACCEPT="text/html")
        text = page.content.decode()
        assert page.status_code == 200 and "HTML form" in text and "Raw data" in text
        assert f">{method}</button>" in text.replace("\n", "").replace("  ", "")
        assert 'name="email"' in text and '<select class="form-control" name="author"' in text


def test_form_is_saved_and_refused(users: Any, api: Any) -> None:
    form = {"name": "Ann", "email": "ann@example.com", "age": "", "author": "", "is_active": "true"}
    saved = api.post("/users/", form, HTTP_ACCEPT="text/html")
    assert saved.status_code == 201 and users.objects.get().age is None
    refused = api.post("/users/", {**form, "email": "no"}, HTTP_ACCEPT="text/html")
    assert refused.status_code == 400 and "valid email" in refused.content.decode()


def test_options_describe_the_fields(users: Any, api: Any) -> None:
    fields = api.options("/users/").json()["actions"]["POST"]
    assert fields["name"] == {
        "type": "string",
        "required": True,
        "read_only": False,
        "label": "Name",
        "max_length": 100,
    }
    assert fields["id"]["read_only"] and fields["email"]["type"] == "email"
