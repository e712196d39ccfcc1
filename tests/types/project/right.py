# SPDX-License-Identifier: Apache-2.0
"""What type checkers must take: nothing here is an error."""

import enum
from datetime import UTC, datetime
from decimal import Decimal
from typing import assert_type

from mongodb import (
    CASCADE,
    BooleanField,
    DateTimeField,
    DecimalField,
    DictField,
    Document,
    DynamicDocument,
    EmailField,
    EmbeddedDocument,
    EmbeddedDocumentField,
    EmbeddedDocumentList,
    EmbeddedDocumentListField,
    EnumField,
    IntField,
    ListField,
    MapField,
    Q,
    QuerySet,
    ReferenceField,
    StringField,
    connect,
    queryset_manager,
)


class Color(enum.Enum):
    RED = "red"


class Address(EmbeddedDocument):
    street = StringField(required=True)
    city = StringField()


class Author(Document):
    name = StringField(required=True, max_length=80)
    nick = StringField()
    email = EmailField(unique=True)
    age = IntField(default=0)
    height = IntField(min_value=1)
    active = BooleanField(default=True)
    joined = DateTimeField(default=lambda: datetime.now(UTC))
    seen = DateTimeField()
    color = EnumField(Color)
    home = EmbeddedDocumentField(Address)
    office = EmbeddedDocumentField(Address, required=True)
    others = EmbeddedDocumentListField(Address)
    tags = ListField(StringField())
    scores = ListField(IntField(required=True))
    anything = ListField()
    counts = MapField(IntField())
    extra = DictField()

    meta = {"collection": "authors", "ordering": ["name"]}

    @queryset_manager
    def adults(doc_cls, queryset: "QuerySet[Author]") -> "QuerySet[Author]":  # noqa: N805
        return queryset.filter(age__gte=18)


class Book(Document):
    code = StringField(primary_key=True)
    title = StringField(required=True)
    author = ReferenceField(Author, required=True, reverse_delete_rule=CASCADE)
    editor = ReferenceField(Author)
    price = DecimalField(precision=2)


class Note(DynamicDocument):
    text = StringField(default="")


def fields_of(author: Author, book: Book) -> str:
    assert_type(author.name, str)
    assert_type(author.nick, str | None)
    assert_type(author.email, str | None)
    assert_type(author.age, int)
    assert_type(author.height, int | None)
    assert_type(author.active, bool)
    assert_type(author.joined, datetime)
    assert_type(author.seen, datetime | None)
    assert_type(author.color, Color | None)
    assert_type(author.home, Address | None)
    assert_type(author.office, Address)
    assert_type(author.office.city, str | None)
    assert_type(author.others, EmbeddedDocumentList[Address])
    assert_type(author.others[0].street, str)
    assert_type(author.tags, list[str])
    assert_type(author.scores, list[int])
    assert_type(author.counts, dict[str, int])
    assert_type(book.code, str)
    assert_type(book.author, Author)
    assert_type(book.author.name, str)
    assert_type(book.editor, Author | None)
    assert_type(book.price, Decimal | None)
    return author.name


def changes(author: Author, book: Book, note: Note) -> None:
    author.nick = None
    author.seen = "2026-01-01"
    author.tags = ["a", "b"]
    author.tags.append("c")
    author.office = Address(street="Main Street")
    book.price = "12.50"
    book.price = 12
    note.whatever = 1
    assert_type(author.save(), Author)
    assert_type(author.reload(), Author)
    author.delete()


def queries() -> str | None:
    assert_type(Author.objects, QuerySet[Author])
    assert_type(Author.objects.filter(age__gt=3).exclude(nick=None), QuerySet[Author])
    assert_type(
        Author.objects(Q(name="x") | Q(name="y")).order_by("-age").limit(3), QuerySet[Author]
    )
    assert_type(Author.objects.first(), Author | None)
    assert_type(Author.objects.get(name="x"), Author)
    assert_type(Author.objects[0], Author)
    assert_type(Author.objects[:10], QuerySet[Author])
    assert_type(Author.objects.create(name="x"), Author)
    assert_type(Author.objects.get_or_create(name="x"), tuple[Author, bool])
    assert_type(Author.objects.only("name"), QuerySet[Author])
    assert_type([one.name for one in Author.objects.select_related()], list[str])
    assert_type(Author.objects.count(), int)
    assert_type(Author.adults, QuerySet[Author])
    for row in Author.objects.values("name"):
        print(row["name"])
    first = Author.objects.first()
    return first.name if first else None


async def waiting() -> Author:
    found = await Author.objects.afirst()
    assert_type(found, Author | None)
    async for one in Author.objects:
        assert_type(one, Author)
    return await Author.objects.aget(name="x")


def connects() -> None:
    connection = connect("shop")
    assert_type(connection.embedded, bool)
    connection.drop_database("shop")
