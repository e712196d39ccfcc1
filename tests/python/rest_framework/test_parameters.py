# SPDX-License-Identifier: Apache-2.0
"""Texts of queries as values of fields, one by one."""

import datetime
import decimal
import uuid
from typing import Any

import pytest
from bson import ObjectId

from mongodb import Document, fields
from mongodb.rest_framework.parameters import Refused, conditions


class Doubled(fields.IntField):
    """Stores twice the number: what a text means is the field's to say."""

    def to_mongo(self, value: Any) -> Any:
        return int(value) * 2


class ParameterDoc(Document):
    number = fields.IntField()
    size = fields.LongField()
    photo = fields.BinaryField()
    name = fields.StringField()
    tags = fields.ListField(fields.StringField())
    grid = fields.ListField(fields.ListField(fields.IntField()))
    counts = fields.DictField()
    any = fields.DynamicField()
    doubled = Doubled()
    price = fields.DecimalField()
    level = fields.IntField(choices=[(1, "low"), (2, "high")])
    day = fields.DateField()
    when = fields.DateTimeField()
    token = fields.UUIDField()
    other = fields.ObjectIdField()


@pytest.mark.parametrize(
    ("name", "lookup", "text", "meant"),
    [
        ("number", "range", "2,5", {"number__gte": 2, "number__lte": 5}),
        ("when", "year", "2024", {"when__year": 2024}),
        ("day", "year__gte", " 2024", {"day__year__gte": 2024}),
        ("when", "date", "2024-05-31", {"when__date": datetime.datetime(2024, 5, 31)}),
        ("number", "isnull", "true", {"number": None}),
        ("number", "isnull", "false", {"number__ne": None}),
        ("number", "exact", "0" * 30 + "7", {"number": 7}),
        ("number", "exact", " -" + "0" * 30 + "7 ", {"number": -7}),
        ("size", "exact", str(2**63 - 1), {"size": 2**63 - 1}),
        ("size", "exact", str(-(2**63)), {"size": -(2**63)}),
        ("number", "in", "1,,2", {"number__in": [1, 2]}),
        ("number", "mod", "1,0", {"number__mod": [1, 0]}),
        ("number", "mod", "-3,2", {"number__mod": [-3, 2]}),
        ("number", "type", "int", {"number__type": "int"}),
        ("number", "type", "16", {"number__type": 16}),
        ("number", "exists", "false", {"number__exists": False}),
        ("photo", "exact", "AAH/", {"photo": b"\x00\x01\xff"}),
        ("name", "regex", "^a.b$", {"name__regex": "^a.b$"}),
        ("name", "icontains", "(", {"name__icontains": "("}),
        ("tags", "exact", "a", {"tags": "a"}),
        ("tags", "size", "0", {"tags__size": 0}),
        ("grid", "exact", "3", {"grid": 3}),
        ("any", "exact", "3", {"any": "3"}),
        ("doubled", "exact", "x", {"doubled": "x"}),
        ("level", "exact", "2", {"level": 2}),
        ("level", "gte", "3", {"level__gte": 3}),
        ("price", "exact", "1.50", {"price": decimal.Decimal("1.50")}),
        ("day", "exact", "2024-05-31", {"day": datetime.datetime(2024, 5, 31)}),
        (
            "when",
            "exact",
            "2024-05-31T12:00:00+02:00",
            {"when": datetime.datetime(2024, 5, 31, 10)},
        ),
        ("token", "exact", str(uuid.UUID(int=5)), {"token": uuid.UUID(int=5)}),
        ("other", "exact", "5f" + "0" * 22, {"other": ObjectId("5f" + "0" * 22)}),
    ],
    ids=str,
)
def test_what_a_text_means(name: str, lookup: str, text: str, meant: dict[str, Any]) -> None:
    found = conditions(ParameterDoc, name, lookup, text)
    assert found == meant
    assert {key: type(value) for key, value in found.items()} == {
        key: type(value) for key, value in meant.items()
    }


@pytest.mark.parametrize(
    ("name", "lookup", "text"),
    [
        ("number", "range", "2"),
        ("size", "exact", str(2**63)),
        ("size", "exact", str(-(2**63) - 1)),
        ("size", "exact", "-9999999999999999999"),
        ("size", "exact", "9" * 21),
        ("number", "exact", "1" * 5000),  # int() itself refuses more than 4,300 digits
        ("number", "mod", "0,1"),
        ("number", "mod", "1"),
        ("number", "type", "integer"),
        ("number", "type", "20"),
        ("photo", "exact", "AAH/!"),
        ("photo", "exact", "A A H /"),
        ("name", "regex", "("),
        ("name", "exact", "a\0"),
        ("tags", "elemMatch", "a"),
        ("tags", "match", "a"),
        ("tags", "size", "-1"),
        ("counts", "exact", "{}"),
        ("level", "exact", "3"),
        ("price", "exact", "NaN"),
        ("price", "exact", "1_0"),
        ("price", "exact", "1" * 35),
        ("day", "exact", "today"),
    ],
    ids=lambda one: str(one)[:30],
)
def test_a_text_that_means_nothing_is_refused(name: str, lookup: str, text: str) -> None:
    with pytest.raises(Refused):
        conditions(ParameterDoc, name, lookup, text)
