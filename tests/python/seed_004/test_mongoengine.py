# SPDX-License-Identifier: Apache-2.0
"""The blocks of seed_004.md about MongoEngine, under their heading "Approach 2"."""

import os
import pathlib
import sys
from collections.abc import Iterator
from typing import Any

import pytest
from django.test import RequestFactory

import mongodb
from mongodb.compat.mongoengine import connection
from mongodb.compat.mongoengine.fields import EmbeddedDocumentField

from ..projects import Project, project_of

HERE = pathlib.Path(__file__).with_name("seed_004.md")
HEADING = "Approach 2: MongoEngine (ODM Layer)"


@pytest.fixture
def project(monkeypatch: pytest.MonkeyPatch) -> Iterator[Project]:
    with project_of(HERE, monkeypatch) as found:
        yield found


@pytest.fixture
def documents(project: Project, connected: str) -> Any:
    # the block uses a field that its import leaves out
    return project.run("documents", HEADING, 1, EmbeddedDocumentField=EmbeddedDocumentField)


def test_configuration_in_settings(
    project: Project, store_uri: str, monkeypatch: pytest.MonkeyPatch, capsys: Any
) -> None:
    monkeypatch.setenv("MONGO_URI", store_uri)
    monkeypatch.setattr(sys, "argv", ["manage.py", "runserver"])
    try:
        project.run("settings", HEADING, 0, os=os)
        assert "MongoEngine connected to mydatabase" in capsys.readouterr().out
        assert connection.get_db().name == "mydatabase"
        assert connection.get_connection().admin.command("ping")["ok"]
    finally:
        connection.disconnect_all()


def test_defining_document_schemas(documents: Any) -> None:
    author = documents.Author(name="Ada")
    documents.BlogPost(title="T", content="C", author=author, tags=["a"]).save()
    found = documents.BlogPost.objects.get(tags="a")
    assert (found.author.name, found.is_published) == ("Ada", "draft")
    keys = [one["key"] for one in mongodb.get_db().blog_posts.index_information().values()]
    assert [("is_published", 1), ("tags", 1)] in keys and [("published_date", -1)] in keys
    with pytest.raises(mongodb.ValidationError, match="is_published"):
        documents.BlogPost(title="T", content="C", is_published="maybe").save()


def test_using_mongoengine_in_django_views(project: Project, documents: Any) -> None:
    # the block names another variable than the one that it has made
    block = project.blocks[HEADING][2].replace("author=author ", "author=author_doc ")
    project.blocks[HEADING][2] = block
    views = project.run("views", HEADING, 2)
    views.redirect = lambda to: to
    views.render = lambda request, template, context: [one.title for one in context["posts"]]
    make = RequestFactory()
    for title in ("first", "second"):
        sent = make.post("/", {"title": title, "content": "c", "author_name": "Ada"})
        assert views.create_blog_post(sent) == "blog_posts_list"
    assert sorted(views.list_blog_posts(make.get("/"))) == ["first", "second"]
    assert documents.BlogPost.objects.first().author.name == "Ada"
