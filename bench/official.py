# SPDX-License-Identifier: Apache-2.0
"""Django's ORM on mongod, beside MongoDB's own backend on the same mongod."""

import functools
from collections.abc import Callable
from typing import Any
from urllib.parse import urlsplit

from django.db import connections, models
from support import compare

COUNT = 5_000
AUTHORS = 100
OURS, PEER = "on_mongod", "official"


@functools.cache
def declare() -> Any:
    """Keys of one's own: the official backend has no counted ones."""

    class Writer(models.Model):
        key = models.IntegerField(primary_key=True)
        name = models.CharField(max_length=100, db_index=True)

        class Meta:
            app_label = "orm"

    class Novel(models.Model):
        key = models.IntegerField(primary_key=True)
        title = models.CharField(max_length=100)
        pages = models.IntegerField(db_index=True)
        score = models.FloatField()
        writer = models.ForeignKey(Writer, models.CASCADE, related_name="novels")

        class Meta:
            app_label = "orm"

    return Writer, Novel


def open_stores(uri: str) -> None:
    where = urlsplit(uri)
    host = f"{where.scheme}://{where.netloc}/?{where.query}"
    named = {
        "default": {"ENGINE": "django.db.backends.dummy"},
        OURS: {"ENGINE": "mongodb.backend", "NAME": "bench_ours", "HOST": host},
        PEER: {"ENGINE": "django_mongodb_backend", "NAME": "bench_official", "HOST": host},
    }
    connections.settings = connections.configure_settings(named)


def fill(alias: str) -> None:
    Writer, Novel = declare()
    with connections[alias].schema_editor() as editor:
        for model in (Writer, Novel):
            editor.create_model(model)
    Writer.objects.using(alias).bulk_create(
        Writer(key=i, name=f"Writer {i}") for i in range(AUTHORS)
    )
    Novel.objects.using(alias).bulk_create(
        Novel(key=i, title=f"Novel {i}", pages=i % 700, score=i * 1.25, writer_id=i * 31 % AUTHORS)
        for i in range(COUNT)
    )


def works(alias: str) -> list[tuple[str, int, Callable[[], Any]]]:
    """Of each work: its name, how many there are in a run, the run."""
    Writer, Novel = declare()
    novels, writers = Novel.objects.using(alias), Writer.objects.using(alias)
    held = list(novels.order_by("key")[:50])
    made = iter(range(COUNT, 10**9))

    def times(many: int, run: Callable[[int], Any]) -> Callable[[], None]:
        def repeat() -> None:
            for i in range(many):
                run(i)

        return repeat

    def create(i: int) -> None:
        novels.create(key=next(made), title="New", pages=i, score=1.5, writer_id=i % AUTHORS)

    return [
        ("iterate 5,000 rows", COUNT, lambda: len(list(novels.all()))),
        ("values_list of 2", COUNT, lambda: len(list(novels.values_list("title", "pages")))),
        ("select_related", COUNT, lambda: len(list(novels.select_related("writer")))),
        ("get(pk)", 100, times(100, lambda i: novels.get(pk=i * 17))),
        ("create", 50, times(50, create)),
        ("save", 50, times(50, lambda i: held[i].save(using=alias))),
        ("filter, order, slice 20", 20, times(20, lambda i: list(
            novels.filter(pages__gt=30 + i).order_by("pages")[:20]))),
        ("filter on a foreign key's column", 10, times(10, lambda i: list(
            novels.filter(writer__name=f"Writer {i}")))),
        ("exists", 50, times(50, lambda i: novels.filter(pages=i).exists())),
        ("count", 50, times(50, lambda i: novels.filter(pages=i).count())),
        ("aggregate", 5, times(5, lambda i: novels.aggregate(
            models.Avg("score"), models.Sum("pages")))),
        ("annotate with Count over a reverse key", 2, times(2, lambda i: list(
            writers.annotate(n=models.Count("novels"))))),
        ("subquery in", 5, times(5, lambda i: list(
            novels.filter(writer__in=writers.filter(name__startswith="Writer 1"))))),
    ]  # fmt: skip


def rows(uri: str, folder: str, rounds: int) -> list[dict[str, Any]]:
    open_stores(uri)
    for alias in (OURS, PEER):
        fill(alias)
    out = []
    for (name, many, ours), (_, _, peer) in zip(works(OURS), works(PEER), strict=True):
        times = compare({OURS: ours, PEER: peer}, rounds)
        took = {who: timing.wall / many * 1e6 for who, timing in times.items()}
        out.append(
            {
                "work": f"Django's ORM, {name}, mongod; django-mongodb-backend",
                "ours": f"{took[OURS]:.1f} µs",
                "peer": f"{took[PEER]:.1f} µs",
                "ratio": took[PEER] / took[OURS],
                "target": 2.5 if name.startswith("iterate") else 1,
            }
        )
    connections.close_all()
    return out
