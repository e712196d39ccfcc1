# SPDX-License-Identifier: Apache-2.0
"""Django's ORM on the embedded store, beside Django on SQLite."""

import datetime
import functools
import unittest
import uuid
from collections.abc import Callable
from decimal import Decimal
from typing import Any

from django.db import connections, models
from django.test import TestCase
from rest_framework import renderers, serializers, viewsets
from rest_framework.test import APIRequestFactory
from support import compare

COUNT = 10_000
AUTHORS = 200
OURS, PEER = "embedded", "sqlite"


@functools.cache
def declare() -> Any:
    """The models: rows of plain columns, rows of others, and two tables with a key between."""

    class Plain(models.Model):
        name = models.CharField(max_length=100)
        email = models.CharField(max_length=100, db_index=True)
        age = models.IntegerField(db_index=True)
        score = models.FloatField()
        active = models.BooleanField()
        joined = models.DateTimeField()
        visits = models.BigIntegerField()

        class Meta:
            app_label = "orm"

    class Mixed(models.Model):
        price = models.DecimalField(max_digits=10, decimal_places=2)
        day = models.DateField()
        key = models.UUIDField()
        data = models.JSONField()

        class Meta:
            app_label = "orm"

    class Author(models.Model):
        name = models.CharField(max_length=100, db_index=True)

        class Meta:
            app_label = "orm"

    class Book(models.Model):
        title = models.CharField(max_length=100)
        pages = models.IntegerField(db_index=True)
        author = models.ForeignKey(Author, models.CASCADE, related_name="books")

        class Meta:
            app_label = "orm"

    return Plain, Mixed, Author, Book


def open_stores(folder: str) -> None:
    named = {
        "default": {"ENGINE": "django.db.backends.dummy"},
        OURS: {"ENGINE": "mongodb.backend", "NAME": f"{folder}/orm.docstore"},
        PEER: {"ENGINE": "django.db.backends.sqlite3", "NAME": f"{folder}/orm.sqlite3"},
    }
    connections.settings = connections.configure_settings(named)


def fill(alias: str) -> None:
    Plain, Mixed, Author, Book = declare()
    with connections[alias].schema_editor() as editor:
        for model in (Plain, Mixed, Author, Book):
            editor.create_model(model)
    start = datetime.datetime(2024, 1, 1, tzinfo=datetime.UTC)
    Plain.objects.using(alias).bulk_create(
        Plain(name=f"Person {i}", email=f"person{i}@example.com", age=i % 90, score=i * 1.25,
              active=i % 2 == 0, joined=start + datetime.timedelta(minutes=i), visits=i * 1000)
        for i in range(COUNT)
    )  # fmt: skip
    Mixed.objects.using(alias).bulk_create(
        Mixed(price=Decimal(i) / 100, day=start.date() + datetime.timedelta(days=i % 3000),
              key=uuid.UUID(int=i * 7919), data={"n": i, "tags": ["a", "b"], "deep": {"x": None}})
        for i in range(COUNT)
    )  # fmt: skip
    authors = [Author(id=i + 1, name=f"Author {i}") for i in range(AUTHORS)]
    Author.objects.using(alias).bulk_create(authors)
    Book.objects.using(alias).bulk_create(
        Book(title=f"Book {i}", pages=i % 700, author_id=i * 31 % AUTHORS + 1) for i in range(COUNT)
    )


def compiled(alias: str, query: Any) -> Any:
    """What has to be done for a query before the store sees it."""
    sql, params = query.query.get_compiler(alias).as_sql()
    if alias == OURS:
        plan = connections[alias].connection.plan(sql, list(params))
        return plan.query.command(params, [])
    return sql


def list_view(alias: str) -> Callable[[], None]:
    """A DRF list of 100 models by DRF's own serializer and renderer: the whole request."""
    Plain = declare()[0]

    class PlainSerializer(serializers.ModelSerializer[Any]):
        class Meta:
            model = Plain
            fields = "__all__"

    class PlainViewSet(viewsets.ModelViewSet[Any]):
        serializer_class = PlainSerializer
        renderer_classes = [renderers.JSONRenderer]

        def get_queryset(self) -> Any:
            return Plain.objects.using(alias).order_by("pk")[:100]

    view, request = PlainViewSet.as_view({"get": "list"}), APIRequestFactory().get("/")
    assert len(view(request).data) == 100
    return lambda: view(request).render()


def suite(alias: str, many: int) -> Callable[[], None]:
    """So many tests of a TestCase, each of which writes, reads and is rolled back."""
    _, _, Author, Book = declare()

    def test(self: Any) -> None:
        Book.objects.using(alias).create(title="x", pages=1, author=self.author)
        self.author.name = "renamed"
        self.author.save(using=alias)
        assert Book.objects.using(alias).filter(author__name="renamed").count() == 11

    def set_up(cls: Any) -> None:
        cls.author = Author.objects.using(alias).create(name="of tests")
        Book.objects.using(alias).bulk_create(
            Book(title=f"b{i}", pages=i, author=cls.author) for i in range(10)
        )

    body: dict[str, Any] = {f"test_{i}": test for i in range(many)}
    body.update(databases={alias}, setUpTestData=classmethod(set_up))
    case = type("Suite", (TestCase,), body)

    def run() -> None:
        result = unittest.TestResult()
        unittest.defaultTestLoader.loadTestsFromTestCase(case).run(result)
        assert result.wasSuccessful(), (result.errors + result.failures)[0][1]

    return run


def works(alias: str) -> list[tuple[str, int, float, Callable[[], Any]]]:
    """Of each work: its name, how many there are in a run, the ratio to reach, the run."""
    Plain, Mixed, Author, Book = declare()
    plain, mixed = Plain.objects.using(alias), Mixed.objects.using(alias)
    author, book = Author.objects.using(alias), Book.objects.using(alias)

    def times(many: int, run: Callable[[int], Any]) -> Callable[[], None]:
        def repeat() -> None:
            for i in range(many):
                run(i)

        return repeat

    def create(i: int) -> None:
        author.create(name=f"New {i}")

    def create_book(i: int) -> None:
        book.create(title=f"New {i}", pages=i, author_id=i % AUTHORS + 1)

    def save(i: int) -> None:
        held[i % len(held)].save(using=alias)

    held, listed = list(plain[:50]), list_view(alias)
    inner = author.filter(name__startswith="Author 1").values("pk")
    shape = book.filter(author__name="Author 7", pages__gt=3).order_by("-pages")
    return [
        ("iterate 10,000 rows of 8 columns", COUNT, 1 / 0.65, lambda: len(list(plain.all()))),
        ("values_list of 2", COUNT, 1, lambda: len(list(plain.values_list("name", "age")))),
        ("only of 2", COUNT, 1, lambda: len(list(plain.only("name", "age")))),
        ("Decimal, date, UUID and JSON rows", COUNT, 1, lambda: len(list(mixed.all()))),
        ("select_related", COUNT, 1, lambda: len(list(book.select_related("author")))),
        ("get(pk)", 500, 1, times(500, lambda i: plain.get(pk=i * 17 + 1))),
        ("create", 200, 1, times(200, create)),
        ("create with a foreign key", 200, 1, times(200, create_book)),
        ("save", 200, 1, times(200, save)),
        ("update by key", 200, 1, times(200, lambda i: plain.filter(pk=i + 1).update(age=i))),
        ("filter, order, slice 20", 100, 1 / 1.3, times(100, lambda i: list(
            plain.filter(age__gt=30 + i % 9).order_by("email")[:20]))),
        ("filter on a foreign key's column", 50, 1 / 1.3, times(50, lambda i: list(
            book.filter(author__name=f"Author {i}")))),
        ("exists", 300, 1 / 1.3, times(300, lambda i: plain.filter(age=i % 95).exists())),
        ("count", 50, 1 / 1.3, times(50, lambda i: plain.filter(age=i % 90).count())),
        ("count of all", 200, 1 / 1.3, times(200, lambda i: plain.count())),
        ("aggregate", 5, 1 / 1.3, times(5, lambda i: plain.aggregate(
            models.Avg("score"), models.Max("visits"), models.Sum("age")))),
        ("annotate with Count over a reverse key", 2, 1 / 1.3, times(2, lambda i: list(
            author.filter(pk__lte=AUTHORS).annotate(n=models.Count("books"))))),
        ("subquery in", 10, 1 / 1.3, times(10, lambda i: list(book.filter(author__in=inner)))),
        ("TestCase, a test of 200", 200, 1 / 1.2, suite(alias, 200)),
        ("DRF list of 100", 20, 1, times(20, lambda i: listed())),
        ("compile only", 300, 1, times(300, lambda i: compiled(alias, shape.filter(pages__lt=i)))),
    ]  # fmt: skip


def rows(uri: str, folder: str, rounds: int) -> list[dict[str, Any]]:
    open_stores(folder)
    for alias in (OURS, PEER):
        fill(alias)
    out = []
    for ours, peer in zip(works(OURS), works(PEER), strict=True):
        name, many, target, _ = ours
        times = compare({OURS: ours[3], PEER: peer[3]}, rounds)
        took = {who: timing.wall / many * 1e6 for who, timing in times.items()}
        out.append(
            {
                "work": f"Django's ORM, {name}, embedded; SQLite",
                "ours": f"{took[OURS]:.1f} µs",
                "peer": f"{took[PEER]:.1f} µs",
                "ratio": took[PEER] / took[OURS],
                "target": round(target, 2),
            }
        )
    connections.close_all()
    return out
