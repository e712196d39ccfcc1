# SPDX-License-Identifier: Apache-2.0
"""The library's documents."""

from django.urls import reverse

from mongodb import (
    CASCADE,
    DENY,
    BooleanField,
    DateTimeField,
    Document,
    EmbeddedDocument,
    EmbeddedDocumentField,
    EmbeddedDocumentListField,
    IntField,
    ListField,
    MapField,
    ReferenceField,
    StringField,
)


class House(Document):
    name = StringField(required=True, max_length=40)
    meta = {"ordering": ["name"]}

    def __str__(self):
        return self.name


class Author(Document):
    name = StringField(required=True, max_length=40, unique=True)
    house = ReferenceField(House, reverse_delete_rule=DENY)
    meta = {"ordering": ["name"], "permissions": [("honour_author", "Can honour author")]}

    def __str__(self):
        return self.name


class Imprint(EmbeddedDocument):
    city = StringField(required=True, max_length=20)
    year = IntField(min_value=1400)

    def __str__(self):
        return self.city


class Remark(EmbeddedDocument):
    text = StringField(required=True, max_length=50)
    stars = IntField(choices=[(1, "poor"), (5, "great")])

    def __str__(self):
        return self.text


class Book(Document):
    title = StringField(required=True, max_length=60)
    slug = StringField(max_length=60, unique=True)
    author = ReferenceField(Author, required=True, reverse_delete_rule=CASCADE)
    genre = StringField(choices=[("n", "Novel"), ("p", "Poems")], default="n")
    lent = BooleanField(default=False)
    imprint = EmbeddedDocumentField(Imprint)
    remarks = EmbeddedDocumentListField(Remark)
    tags = ListField(StringField(max_length=20))
    bought = DateTimeField()
    meta = {"ordering": ["title"]}

    def __str__(self):
        return self.title

    def get_absolute_url(self):
        return reverse("book", args=[self.slug])


class Seat(EmbeddedDocument):
    holder = ReferenceField(Author)


class Club(Document):
    name = StringField(required=True, max_length=20)
    members = ListField(ReferenceField(Author))
    offices = MapField(ReferenceField(Author))
    seats = EmbeddedDocumentListField(Seat)

    def __str__(self):
        return self.name
