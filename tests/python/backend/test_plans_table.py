# SPDX-License-Identifier: Apache-2.0
"""Everyday queries: the stages by which each store finds their rows, and how many documents it
looks at. None scans where an index serves."""

import datetime
import functools
from collections.abc import Callable
from typing import Any

import pytest
from django.db import connections, models
from django.db.models import Count, Max, Q

BOOKS, AUTHORS = 600, 40
POINT = {"IDHACK", "EXPRESS_IXSCAN"}
INDEX = {"IXSCAN"}


@functools.cache
def declare() -> Any:
    class PlanAuthor(models.Model):
        name = models.CharField(max_length=20, db_index=True)
        code = models.CharField(max_length=20, unique=True)

        class Meta:
            app_label = "mongodb"

    class PlanBook(models.Model):
        title = models.CharField(max_length=20)
        pages = models.IntegerField(db_index=True)
        rank = models.IntegerField(null=True, db_index=True)
        day = models.DateField(db_index=True)
        at = models.DateTimeField(db_index=True)
        author = models.ForeignKey(PlanAuthor, models.CASCADE, related_name="books")

        class Meta:
            app_label = "mongodb"

    return PlanAuthor, PlanBook


def fill(Author: Any, Book: Any) -> None:
    start = datetime.datetime(2020, 1, 1, tzinfo=datetime.UTC)
    authors = [Author(id=i, name=f"a{i % 20}", code=f"c{i}") for i in range(1, AUTHORS + 1)]
    Author.objects.bulk_create(authors)
    Book.objects.bulk_create(
        Book(
            id=i, title=f"t{i}", pages=i % 200, rank=i % 30 or None, author_id=i % AUTHORS + 1,
            day=(start + datetime.timedelta(days=i * 3)).date(),
            at=start + datetime.timedelta(days=i * 3, hours=i % 24),
        )
        for i in range(1, BOOKS + 1)
    )  # fmt: skip


# Of each query: its name, the query, how many documents it may look at, the stages there may be.
# mongod's explain of a pipeline gives the documents of its scan twice.
def table(Author: Any, Book: Any) -> list[tuple[str, Callable[[], Any], int, set[str]]]:
    books, authors = Book.objects, Author.objects
    day = datetime.date(2021, 5, 5)
    return [
        ("get(pk)", lambda: books.get(pk=5), 1, POINT | INDEX),
        ("get(unique)", lambda: authors.get(code="c5"), 1, INDEX),
        ("filter(indexed)", lambda: list(books.filter(pages=5)), 3, INDEX),
        ("filter(indexed lt)", lambda: list(books.filter(pages__lt=7)), 21, INDEX),
        ("filter(indexed, may be NULL, lt)", lambda: list(books.filter(rank__lt=2)), 20, INDEX),
        ("filter(indexed in)", lambda: list(books.filter(pages__in=[3, 5])), 6, INDEX),
        ("filter(indexed range)", lambda: list(books.filter(pages__range=(3, 5))), 9, INDEX),
        ("filter(indexed startswith)", lambda: list(authors.filter(name__startswith="a12")), 2,
         INDEX),
        ("filter(fk=)", lambda: list(books.filter(author=authors.get(pk=2))), 16, INDEX | POINT),
        ("filter(Q | Q)", lambda: list(books.filter(Q(pages=3) | Q(pages=5))), 6, INDEX),
        ("filter(Q | Q) of two", lambda: list(books.filter(Q(pages=3) | Q(rank=5))), 23, INDEX),
        ("filter(pk__in=)", lambda: list(books.filter(pk__in=[1, 2, 3])), 3, INDEX),
        ("in_bulk()", lambda: books.in_bulk([1, 2, 3]), 3, INDEX),
        ("order_by(indexed)[:20]", lambda: list(books.order_by("pages")[:20]), 20, INDEX),
        ("order_by(-indexed)[:20]", lambda: list(books.order_by("-pages")[:20]), 20, INDEX),
        ("values()[:20] in order", lambda: list(books.order_by("day").values("title")[:20]), 20,
         INDEX),
        ("first()", lambda: books.first(), 1, INDEX),
        ("last()", lambda: books.last(), 1, INDEX),
        ("earliest()", lambda: books.earliest("day"), 1, INDEX),
        ("latest()", lambda: books.latest("day"), 1, INDEX),
        ("order_by(-pk)[:20]", lambda: list(books.order_by("-pk")[:20]), 20, INDEX),
        ("select_related(fk).order_by()[:20]",
         lambda: list(books.select_related("author").order_by("pages")[:20]), 40, INDEX),
        ("filter(fk__name=)", lambda: list(books.filter(author__name="a5")), 34, INDEX),
        ("filter(fk__unique=)", lambda: list(books.filter(author__code="c5")), 17, INDEX),
        ("filter(fk__in=queryset)",
         lambda: list(books.filter(author__in=authors.filter(name="a5"))), 34, INDEX),
        ("filter(pk__in=subquery)",
         lambda: list(authors.filter(pk__in=books.filter(pages=5).values("author"))), 6, INDEX),
        ("filter(date__year)", lambda: list(books.filter(day__year=2021)), 122, INDEX),
        ("filter(datetime__year)", lambda: list(books.filter(at__year=2021)), 122, INDEX),
        ("filter(datetime__date)", lambda: list(books.filter(at__date=day)), 1, INDEX),
        ("filter(date=)", lambda: list(books.filter(day=day)), 1, INDEX),
        ("count()", lambda: books.count(), 0, {"RECORD_STORE_FAST_COUNT", "COUNT"}),
        ("count() of some", lambda: books.filter(pages=5).count(), 0,
         {"COUNT", "COUNT_SCAN", "IXSCAN"}),
        ("count() by fk__name", lambda: books.filter(author__name="a5").count(), 2,
         {"COUNT", "COUNT_SCAN", "IXSCAN"}),
        ("exists()", lambda: books.filter(pages=5).exists(), 1, INDEX),
        ("aggregate of some", lambda: books.filter(pages=5).aggregate(Max("rank")), 6, INDEX),
        ("annotate(Count) of a few",
         lambda: list(authors.filter(pk__lt=3).annotate(Count("books"))), 32, INDEX),
        ("prefetch_related()",
         lambda: list(authors.filter(pk__lt=3).prefetch_related("books")), 32, INDEX),
        ("update() by key", lambda: books.filter(pk=3).update(rank=4), 1, POINT | INDEX),
        ("delete() by key", lambda: books.filter(pk=599).delete(), 3, POINT | INDEX),
    ]  # fmt: skip


READS = ("find", "aggregate", "count", "update", "delete", "distinct")
LEAVES = {"COLLSCAN", "IXSCAN", "IDHACK", "EXPRESS_IXSCAN", "COUNT_SCAN", "DISTINCT_SCAN",
          "RECORD_STORE_FAST_COUNT"}  # fmt: skip


def examined(plan: Any) -> tuple[set[str], int]:
    """The stages that find documents, and how many documents were looked at."""
    stages: set[str] = set()
    documents = 0
    if isinstance(plan, list):
        parts = plan
    else:
        if plan.get("stage") in LEAVES:
            stages.add(plan["stage"])
        documents = plan.get("totalDocsExamined", 0)
        skipped = ("rejectedPlans", "allPlansExecution", "command", "slotBasedPlan")
        parts = [one for name, one in plan.items() if name not in skipped]
    for part in parts:
        if isinstance(part, (dict, list)):
            more, count = examined(part)
            stages, documents = stages | more, documents + int(count)
    return stages, documents


def explained(connection: Any, commands: list[Any]) -> tuple[set[str], int]:
    stages: set[str] = set()
    documents = 0
    for command in commands:
        asked = {"explain": command, "verbosity": "executionStats"}
        more, count = examined(connection.run(asked))
        stages, documents = stages | more, documents + count
    return stages, documents


def test_everyday_queries_scan_nowhere(
    orm: Callable[..., None], monkeypatch: pytest.MonkeyPatch
) -> None:
    made = declare()
    orm(*made)
    fill(*made)
    connection: Any = connections["default"].connection
    sent: list[Any] = []
    opened, send = connection._open, connection._send

    def note(command: Any) -> None:
        # the embedded store counts a collection by its metadata; its explain names the scan
        known = connection.embedded and command.get("count") and not command["query"]
        if next(iter(command)) in READS and not known:
            sent.append(command)

    monkeypatch.setattr(connection, "_open", lambda c, s: (note(c), opened(c, s))[1])
    monkeypatch.setattr(connection, "_send", lambda c, *more: (note(c), send(c, *more))[1])
    wrong = []
    for name, query, most, allowed in table(*made):
        sent.clear()
        query()
        commands, found = list(sent), (set(), 0)
        found = explained(connection, commands)
        if not found[0] <= allowed or found[1] > most:
            wrong.append((name, found, most, commands))
    assert not wrong, "\n".join(map(str, wrong))
