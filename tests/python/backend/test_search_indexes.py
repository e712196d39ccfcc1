# SPDX-License-Identifier: Apache-2.0
"""SearchIndex and VectorSearchIndex are declared and migrated everywhere, and made on Atlas."""

import logging
from collections.abc import Callable
from typing import Any

import pytest
from django.db import DatabaseError, connection, models
from django.db.migrations.writer import MigrationWriter

from mongodb.backend.ddl_indexes import Indexes
from mongodb.backend.fields import ArrayField, EmbeddedModelField
from mongodb.backend.indexes import SearchIndex, VectorSearchIndex
from mongodb.backend.managers import MongoManager
from mongodb.backend.models import EmbeddedModel


def declare() -> Any:
    class SearchMaker(EmbeddedModel):
        name = models.CharField(max_length=10)
        since = models.DateField(null=True)

        class Meta:
            app_label = "mongodb"

    class SearchArticle(models.Model):
        title = models.CharField(max_length=10)
        pages = models.IntegerField(default=0)
        maker = EmbeddedModelField(SearchMaker, null=True)
        vector = ArrayField(models.FloatField(), size=3, null=True)
        objects = MongoManager()

        class Meta:
            app_label = "mongodb"
            indexes = [
                SearchIndex(fields=["title", "pages", "maker.since"], name="search_words"),
                SearchIndex(field_mappings={"title": {"type": "token"}}, analyzer="lucene.simple"),
                VectorSearchIndex(
                    fields=["vector", "pages"], similarities="cosine", name="search_near"
                ),
            ]

    return SearchArticle


WORDS = {
    "name": "search_words",
    "type": "search",
    "definition": {
        "mappings": {
            "dynamic": False,
            "fields": {
                "title": {"type": "string"},
                "pages": {"type": "number"},
                "maker": {
                    "type": "document", "dynamic": False, "fields": {"since": {"type": "date"}},
                },
            },
        }
    },
}  # fmt: skip
NEAR = {
    "name": "search_near",
    "type": "vectorSearch",
    "definition": {
        "fields": [
            {"type": "vector", "path": "vector", "numDimensions": 3, "similarity": "cosine"},
            {"type": "filter", "path": "pages"},
        ]
    },
}


def named(article: Any) -> Any:
    with connection.cursor() as cursor:
        found = connection.introspection.get_constraints(cursor, article._meta.db_table)
    return {name: one["type"] for name, one in found.items() if "earch" in (one["type"] or "")}


def test_they_are_migrated_where_there_is_no_atlas(
    orm: Callable[..., None], caplog: pytest.LogCaptureFixture
) -> None:
    article = declare()
    with caplog.at_level(logging.WARNING, "mongodb"):
        orm(article)
    assert caplog.text.count("the store has no Atlas Search") == 3
    second = article._meta.indexes[1]
    assert named(article) == {
        "search_words": "search", second.name: "search", "search_near": "vectorSearch",
    }  # fmt: skip
    warnings = [
        one.id for index in article._meta.indexes for one in index.check(article, connection)
    ]
    assert warnings == ["mongodb.W002"] * 3
    stages = [{"$search": {"index": "search_words", "text": {"query": "a", "path": "title"}}}]
    with pytest.raises(DatabaseError, match=r"(?i)atlas|\$search"):
        list(article.objects.raw_aggregate(stages))
    with connection.schema_editor() as editor:
        new = VectorSearchIndex(fields=["vector"], similarities=["cosine"], name="search_new")
        editor.rename_index(article, article._meta.indexes[2], new)
        editor.remove_index(article, article._meta.indexes[0])
    assert named(article) == {second.name: "search", "search_new": "vectorSearch"}
    article.objects.create(title="a", vector=[1.0, 2.0, 3.0])
    assert article.objects.get().vector == [1.0, 2.0, 3.0]


def test_they_are_made_where_there_is_atlas(
    orm: Callable[..., None], monkeypatch: pytest.MonkeyPatch
) -> None:
    sent: list[dict[str, Any]] = []
    monkeypatch.setattr(Indexes, "on_atlas", lambda self, command: sent.append(command) or True)
    article = declare()
    orm(article)
    table = article._meta.db_table
    assert [one["createSearchIndexes"] for one in sent] == [table] * 3
    first, second, third = (one["indexes"][0] for one in sent)
    assert first == WORDS
    assert second["definition"] == {
        "mappings": {"dynamic": False, "fields": {"title": {"type": "token"}}},
        "analyzer": "lucene.simple",
    }
    assert third == NEAR
    with connection.schema_editor() as editor:
        editor.remove_index(article, article._meta.indexes[0])
    assert sent[-1] == {"dropSearchIndex": table, "name": "search_words"}


def test_migrations_write_them_down() -> None:
    for index in (
        SearchIndex(fields=["title"], name="a", search_analyzer="lucene.english"),
        SearchIndex(field_mappings={"title": {"type": "token"}}, name="b"),
        VectorSearchIndex(fields=["vector"], similarities=["cosine"], name="c"),
    ):
        text, imports = MigrationWriter.serialize(index)
        names: dict[str, Any] = {}
        exec("\n".join(imports), names)
        assert eval(text, names) == index


def test_mistakes_are_told() -> None:
    with pytest.raises(ValueError, match="fields or field_mappings, not both"):
        SearchIndex(fields=["a"], field_mappings={"a": {}}, name="x")
    with pytest.raises(ValueError, match="'near' is no similarity"):
        VectorSearchIndex(fields=["a"], similarities="near", name="x")


@pytest.mark.parametrize(
    ("fields", "similarities", "said"),
    [(["title"], "cosine", "needs an ArrayField with a size"),
     (["vector"], ["cosine", "cosine"], "has 1 vectors and 2 similarities"),
     (["nothing"], "cosine", "refers to the nonexistent field 'nothing'")],
)  # fmt: skip
def test_check_tells_of_fields_that_are_no_vectors(
    orm: Callable[..., None], fields: list[str], similarities: Any, said: str
) -> None:
    index = VectorSearchIndex(fields=fields, similarities=similarities, name="x")
    assert any(said in one.msg for one in index.check(declare(), connection))
