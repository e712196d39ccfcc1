# SPDX-License-Identifier: Apache-2.0
"""to_json() in C says what PyMongo's json_util says, character by character."""

import datetime
import json
import math
import random
import re
import uuid
from typing import Any

import bson
import pytest
from bson import json_util
from bson.binary import UuidRepresentation
from bson.son import SON

from mongodb import (
    BinaryField,
    Document,
    DynamicDocument,
    DynamicField,
    EmbeddedDocument,
    EmbeddedDocumentField,
    ListField,
    StringField,
    UUIDField,
    _core,
)

OPTIONS: Any = bson.CodecOptions(
    document_class=SON, uuid_representation=UuidRepresentation.STANDARD
)


def dumped(document: dict[str, Any]) -> str:
    known = bson.decode(bson.encode(document, codec_options=OPTIONS), OPTIONS)
    return json_util.dumps(known, json_options=json_util.LEGACY_JSON_OPTIONS)


def written(document: dict[str, Any]) -> str | None:
    return _core.Raw(bson.encode(document, codec_options=OPTIONS)).json()


VALUES: list[Any] = [
    None, True, False, 0, -1, 2**31, -(2**63), 2**63 - 1, bson.Int64(5),
    0.0, -0.0, 1.0, 1e22, 1e-7, 123456789.125, 1.7976931348623157e308, 5e-324,
    math.nan, math.inf, -math.inf,
    "", "plain", "a\"b\\c/d", "\x00\x01\x1f\x7f\n\t\r\b\f", "ä€😀\u2028\u2029", "x" * 300,
    b"", b"a", b"ab", b"abc", bytes(range(256)), bson.Binary(b"xyz", 2), bson.Binary(b"x", 5),
    bson.Binary(b"x", 128), uuid.UUID(int=2**127 + 5), bson.Binary(bytes(16), 3),
    bson.ObjectId("0123456789abcdef01234567"),
    datetime.datetime(1, 1, 1), datetime.datetime(1969, 12, 31, 23, 59, 59, 999000),
    datetime.datetime(2024, 2, 29, 12, 30, 1, 5000), datetime.datetime(9999, 12, 31),
    re.compile("a.*b\"", re.IGNORECASE | re.MULTILINE), bson.Regex("ä", "msx"), bson.Regex(""),
    bson.Timestamp(2**32 - 1, 7), bson.MinKey(), bson.MaxKey(), bson.Code("f()"),
    *map(bson.Decimal128, "0 -0 1E+3 1.50 -12345678901234567890.1234567890 1E-6176 NaN Infinity "
                          "-Infinity 9.999999999999999999999999999999999E+6144".split()),
    bson.DBRef("a", 1), bson.DBRef("a", bson.ObjectId(), "db"), bson.DBRef("a", 1, "db", x=2),
    bson.DBRef("a", 1, x=2), {}, [], {"": ""}, [[[]]], {"a": {"b": [{"c": 1}]}},
]  # fmt: skip


@pytest.mark.parametrize("value", VALUES, ids=lambda value: repr(value)[:40])
def test_each_kind_of_value(value: Any) -> None:
    for document in ({"a": value}, {'ä"': [value, value]}, {"a": {"b": value, "c": 1}}):
        assert written(document) == dumped(document)


def random_value(draw: random.Random, depth: int) -> Any:
    kind = draw.randrange(10 if depth < 4 else 8)
    if kind < 6:
        return draw.choice(VALUES)
    if kind == 6:
        return draw.choice([draw.getrandbits(63), draw.uniform(-1e9, 1e9), draw.random()])
    if kind == 7:
        return "".join(chr(draw.choice([*range(1, 140), 0x20AC, 0x1F600])) for _ in range(9))
    if kind == 8:
        return [random_value(draw, depth + 1) for _ in range(draw.randrange(5))]
    names = ["a", "b", "é", "$x", "a b", "\x7f"]
    return {draw.choice(names): random_value(draw, depth + 1) for _ in range(draw.randrange(5))}


def test_generated_documents() -> None:
    draw = random.Random(20)
    for _ in range(3000):
        document = {f"k{n}": random_value(draw, 0) for n in range(draw.randrange(6))}
        assert written(document) == dumped(document), document


@pytest.mark.parametrize(
    "document",
    [
        {"a": SON([("$id", 1), ("$ref", "x")])},
        {"a": SON([("$ref", "x"), ("$db", "d"), ("$id", 1)])},
        {"a": {"$ref": "x"}},
        {"a": bson.Code("f()", {"x": 1})},
        {"a": bson.Binary(b"x", 4)},
    ],
)
def test_what_is_rare_is_left_to_json_util(document: dict[str, Any]) -> None:
    data = bson.encode(document)
    assert _core.Raw(data).json() is None


class Paper(Document):
    title = StringField(db_field="t")
    key = UUIDField()
    data = BinaryField()
    any = DynamicField()
    many = ListField(DynamicField())


class PaperPart(EmbeddedDocument):
    name = StringField(db_field="n")


class LoosePaper(DynamicDocument):
    part = EmbeddedDocumentField(PaperPart)


def test_documents_and_querysets(connected: str) -> None:
    for at, value in enumerate(VALUES):
        if not isinstance(value, (bson.DBRef, bson.Code, bson.Regex, re.Pattern)):
            Paper(
                title=f"ä{at}", key=uuid.UUID(int=at), data=b"d", any=value, many=[1, value]
            ).save()
    LoosePaper(part=PaperPart(name="x"), extra={"a": [1, None]}).save()
    options = json_util.LEGACY_JSON_OPTIONS
    for cls in (Paper, LoosePaper):
        stored = list(cls.objects.order_by("pk").as_pymongo())
        assert cls.objects.order_by("pk").to_json() == json_util.dumps(stored, json_options=options)
        for document, one in zip(cls.objects.order_by("pk"), stored, strict=True):
            assert document.to_json() == json_util.dumps(one, json_options=options)
            again = cls.from_json(document.to_json())
            assert again.to_json() == document.to_json()
    assert Paper.objects(title="none").to_json() == Paper.objects.none().to_json() == "[]"
    assert len(json.loads(Paper.objects.batch_size(3).only("title").to_json())) > 30
    assert json.loads(Paper.objects.limit(1).to_json(indent=2, sort_keys=True))[0]["t"] == "ä0"
    named = json.loads(Paper.objects.first().to_json(use_db_field=False))
    assert named["title"] == "ä0" and named["key"] == {"$uuid": "0" * 32}
