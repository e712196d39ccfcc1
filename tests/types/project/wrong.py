# SPDX-License-Identifier: Apache-2.0
"""What type checkers must refuse: each line that ends with `# error`, and no other."""

from mongodb import (
    Document,
    EmbeddedDocument,
    EmbeddedDocumentField,
    IntField,
    ListField,
    ReferenceField,
    StringField,
    connect,
)
from mongodb.typed import Document as TypedDocument


class Place(EmbeddedDocument):
    street = StringField(required=True)


class Person(Document):
    name = StringField(required=True)
    nick = StringField()
    age = IntField(default=0)
    place = EmbeddedDocumentField(Place)
    friend = ReferenceField("Person")
    tags = ListField(StringField())
    short = StringField(max_lenght=3)  # error


class Account(TypedDocument):
    owner: StringField[str] = StringField(required=True)
    limit: IntField = IntField()


def changes(person: Person) -> None:
    person.age = "no"  # error
    person.name = None  # error
    person.nick = 3  # error
    person.tags = [1]  # error
    person.place = Person()  # error


def values(person: Person) -> str:
    print(person.nick.upper())  # error
    print(person.agee)  # error
    print(person.place.street)  # error
    return person.nick  # error


def queries() -> None:
    print(Person.objects.first().name)  # error
    print(Person.objects.get(name="x").agee)  # error
    print(Person.objects[:3].name)  # error
    number: str = Person.objects.count()  # error
    print(number)
    for one in Person.objects:
        one.age = "no"  # error


def arguments() -> None:
    Account(owner="Ada", limit=3)
    Account()
    Account(owner="Ada", limit=None)
    Account(ower="Ada")  # error
    Account(owner=3)  # error
    Account(limit="x")  # error


def connects() -> None:
    connection = connect("shop")
    connection.drop_databse("shop")  # error
