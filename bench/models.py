# SPDX-License-Identifier: Apache-2.0
"""The same document, declared in ours and in MongoEngine."""

from types import SimpleNamespace
from typing import Any


def declare(odm: Any, collection: str, alias: str = "default") -> Any:
    """The classes, made with the names of `odm`: mongodb or mongoengine."""
    fields = odm.fields

    class Address(odm.EmbeddedDocument):
        street = fields.StringField()
        city = fields.StringField()
        zip = fields.StringField()

    class Order(odm.EmbeddedDocument):
        sku = fields.StringField(required=True)
        quantity = fields.IntField(min_value=0)
        price = fields.FloatField()

    class Person(odm.Document):
        name = fields.StringField(required=True, max_length=100)
        email = fields.EmailField(required=True)
        age = fields.IntField(min_value=0, max_value=150)
        score = fields.FloatField()
        active = fields.BooleanField(default=True)
        joined = fields.DateTimeField()
        visits = fields.IntField()
        tags = fields.ListField(fields.StringField())
        bio = fields.StringField()
        country = fields.StringField()
        level = fields.IntField()
        address = fields.EmbeddedDocumentField(Address)
        orders = fields.ListField(fields.EmbeddedDocumentField(Order))

        meta = {"collection": collection, "db_alias": alias}

    return SimpleNamespace(Address=Address, Order=Order, Person=Person)
