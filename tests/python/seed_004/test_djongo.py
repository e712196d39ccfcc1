# SPDX-License-Identifier: Apache-2.0
"""The blocks of seed_004.md about Djongo, under their heading "Approach 3"."""

import os
import pathlib
from collections.abc import Callable
from typing import Any

import pytest
from django.db import connections
from django.test import RequestFactory

HERE = pathlib.Path(__file__).with_name("seed_004.md")
HEADING = "Approach 3: Djongo (ORM Transpiler)"


@pytest.fixture
def seed(django_seed: Callable[[pathlib.Path], Any]) -> Any:
    return django_seed(HERE)


def test_database_configuration_in_settings(
    seed: Any, djongo_at: Any, tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    host = connections["default"].settings_dict["HOST"]
    if "mongodb://" not in host:
        host = f"docstore://{tmp_path}/s.docstore"
    monkeypatch.setenv("MONGO_URI", host)
    monkeypatch.setenv("MONGO_DB_NAME", f"djongo_{os.getpid()}")
    entry = seed.run(HEADING, 0, os=os)["DATABASES"]["default"]
    wrapper = djongo_at(entry)
    wrapper.command({"insert": "t", "documents": [{"_id": 1}]})
    assert wrapper.documents({"find": "t"}) == [{"_id": 1}]


def test_defining_models_normally(seed: Any) -> None:
    note = seed.run(HEADING, 1)["Note"]
    note.objects.create(title="T", content="C")
    assert str(note.objects.get(title="T")) == "T"


def test_using_djongo_in_django_views(seed: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    seed.run(HEADING, 1)
    seed.importable(monkeypatch)
    views = seed.run(HEADING, 2)
    views["redirect"] = lambda to: to
    views["render"] = lambda request, template, context=None: [n.title for n in context["notes"]]
    make = RequestFactory()
    for title in ("first", "second"):
        posted = make.post("/", {"title": title, "content": "c"})
        assert views["create_note"](posted) == "list_notes"
    assert views["list_notes"](make.get("/")) == ["second", "first"]
