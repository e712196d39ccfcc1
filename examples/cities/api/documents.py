# SPDX-License-Identifier: Apache-2.0
"""The demo's data: cities of the world, and a small blog."""

from mongodb import CASCADE, Document, EmbeddedDocument
from mongodb.fields import (
    BooleanField,
    DateTimeField,
    EmailField,
    EmbeddedDocumentField,
    FloatField,
    IntField,
    ListField,
    ReferenceField,
    StringField,
)


class Location(EmbeddedDocument):
    latitude = FloatField(required=True, min_value=-90, max_value=90)
    longitude = FloatField(required=True, min_value=-180, max_value=180)


class City(Document):
    id = IntField(primary_key=True, help_text="The city's number at GeoNames")
    name = StringField(required=True, max_length=200)
    country = StringField(required=True, min_length=2, max_length=2)
    country_name = StringField()
    population = IntField(min_value=0)
    timezone = StringField()
    location = EmbeddedDocumentField(Location)

    meta = {
        "collection": "cities",
        "indexes": ["name", "-population", [("country", 1), ("population", -1)]],
        "ordering": ["-population"],
        "verbose_name_plural": "cities",
    }

    def __str__(self) -> str:
        return f"{self.name} ({self.country})"


class User(Document):
    name = StringField(required=True, max_length=100)
    email = EmailField(required=True, unique=True)
    age = IntField(min_value=0, max_value=150)
    is_active = BooleanField(default=True)
    created_at = DateTimeField(auto_now_add=True)

    meta = {"collection": "users", "ordering": ["name"]}

    def __str__(self) -> str:
        return self.name


class Comment(EmbeddedDocument):
    author = StringField(required=True, max_length=100)
    text = StringField(required=True, max_length=1000)


class Post(Document):
    title = StringField(required=True, max_length=200)
    content = StringField()
    author = ReferenceField(User, required=True, reverse_delete_rule=CASCADE)
    tags = ListField(StringField(max_length=50))
    comments = ListField(EmbeddedDocumentField(Comment))
    published = BooleanField(default=False)
    created_at = DateTimeField(auto_now_add=True)
    updated_at = DateTimeField(auto_now=True)

    meta = {"collection": "posts", "indexes": ["author", "tags"], "ordering": ["-created_at"]}

    def __str__(self) -> str:
        return self.title
