# SPDX-License-Identifier: Apache-2.0
"""Documents of every kind of field, values of every kind, and DRF's own path to compare with.

DRF's own path is the child serializer showing each document, read anew, and DRF's JSONRenderer with
an encoder that knows BSON's own types.
"""

import contextlib
import datetime
import enum
import uuid
from collections.abc import Callable, Iterator
from typing import Any
from unittest import mock

import bson
from bson import (
    Binary,
    Code,
    DatetimeMS,
    DBRef,
    Decimal128,
    Int64,
    MaxKey,
    MinKey,
    ObjectId,
    Regex,
    Timestamp,
)
from bson.raw_bson import RawBSONDocument
from django.utils import timezone
from rest_framework import renderers, serializers

import mongodb
from mongodb import Document, DynamicEmbeddedDocument, EmbeddedDocument, fields
from mongodb.connection import get_connection_handle
from mongodb.rest_framework.lists import DocumentListSerializer
from mongodb.rest_framework.renderers import JSONEncoder, JSONRenderer
from mongodb.rest_framework.serializers import DocumentSerializer


class Shade(enum.Enum):
    DARK = "dark"
    PALE = "pale"


class Inner(EmbeddedDocument):
    word = fields.StringField()
    number = fields.IntField(default=7)
    when = fields.DateTimeField(db_field="w")
    many = fields.ListField(fields.IntField())


class Loose(DynamicEmbeddedDocument):
    word = fields.StringField()


class Family(EmbeddedDocument):
    name = fields.StringField()
    meta = {"allow_inheritance": True}


class Branch(Family):
    size = fields.IntField(db_field="s")


class Knot(EmbeddedDocument):
    word = fields.StringField()
    left = fields.EmbeddedDocumentField("self")
    knots = fields.ListField(fields.EmbeddedDocumentField("self"))


class Eager(EmbeddedDocument):
    word = fields.StringField()

    def __init__(self, **values: Any) -> None:
        super().__init__(**values)
        self.word = f"{self.word}!"


class Loud(fields.StringField):
    def to_python(self, value: Any) -> Any:
        return str(value).upper()


class Target(Document):
    word = fields.StringField()
    meta = {"collection": "same_targets"}


class Named(Document):
    code = fields.StringField(primary_key=True)
    meta = {"collection": "same_named"}


class Parent(Document):
    word = fields.StringField()
    meta = {"collection": "same_parents", "allow_inheritance": True}


class Child(Parent):
    more = fields.IntField()


class Shown(Document):
    """A field of every kind."""

    text = fields.StringField()
    text_default = fields.StringField(default="none")
    text_null = fields.StringField(default="none", null=True)
    text_stored = fields.StringField(db_field="t")
    email = fields.EmailField()
    url = fields.URLField()
    pattern = fields.StringField(regex="^a")
    loud = Loud()
    choice = fields.StringField(choices=["a", "b"])
    pair = fields.IntField(choices=[(1, "one"), (2, "two")])
    shade = fields.EnumField(Shade)
    integer = fields.IntField()
    integer_default = fields.IntField(default=lambda: 3)
    long = fields.LongField()
    real = fields.FloatField()
    exact = fields.DecimalField(max_digits=6, decimal_places=2)
    rounded = fields.DecimalField(precision=3)
    limited = fields.DecimalField(min_value=0, max_value=9)
    forced = fields.DecimalField(force_string=True)
    exact128 = fields.Decimal128Field()
    truth = fields.BooleanField()
    truth_default = fields.BooleanField(default=True)
    moment = fields.DateTimeField()
    fine = fields.ComplexDateTimeField()
    day = fields.DateField()
    key = fields.ObjectIdField()
    token = fields.UUIDField()
    token_text = fields.UUIDField(binary=False)
    data = fields.BinaryField()
    anything = fields.DynamicField()
    inner = fields.EmbeddedDocumentField(Inner)
    loose = fields.EmbeddedDocumentField(Loose)
    family = fields.EmbeddedDocumentField(Family)
    knot = fields.EmbeddedDocumentField(Knot)
    eager = fields.EmbeddedDocumentField(Eager)
    generic = fields.GenericEmbeddedDocumentField()
    words = fields.ListField(fields.StringField())
    untyped = fields.ListField()
    table = fields.ListField(fields.ListField(fields.IntField()))
    sorted = fields.SortedListField(fields.IntField())
    inners = fields.ListField(fields.EmbeddedDocumentField(Inner))
    families = fields.EmbeddedDocumentListField(Family)
    moments = fields.ListField(fields.DateTimeField())
    members = fields.DictField()
    days = fields.DictField(fields.DateField())
    parts = fields.MapField(fields.EmbeddedDocumentField(Inner))
    target = fields.ReferenceField(Target)
    targets = fields.ListField(fields.ReferenceField(Target))
    linked = fields.ReferenceField(Target, dbref=True)
    named = fields.ReferenceField(Named)
    parent = fields.ReferenceField(Parent)
    pointer = fields.GenericReferenceField()
    pointers = fields.ListField(fields.GenericReferenceField())
    lazily = fields.LazyReferenceField(Target)
    lazies = fields.ListField(fields.LazyReferenceField(Target))
    lazy_pointer = fields.GenericLazyReferenceField()
    copied = fields.CachedReferenceField(Target, fields=["word"])
    place = fields.PointField(auto_index=False)
    area = fields.PolygonField(auto_index=False)
    spot = fields.GeoPointField()
    file = fields.FileField()
    image = fields.ImageField()

    meta = {"collection": "same_shown", "auto_create_index": False}

    def shout(self) -> str:
        return f"{self.text}!"

    @property
    def seen(self) -> Any:
        return self.moment


NAMES = [name for name in Shown._fields if name != "id"]
MOMENT = datetime.datetime(2024, 2, 29, 23, 59, 59, 123000)
ID = ObjectId("65e0a1b2c3d4e5f601234567")
UUID = uuid.UUID("12345678-1234-5678-1234-567812345678")
FULL_INNER = {"word": "w", "number": 2, "w": MOMENT, "many": [1, 2]}
STORED: list[Any] = [
    None,
    "",
    "text",
    '“é” \\ " \n \u2028 \x7f \x01 \U0001f600',
    "a",
    "dark",
    "12.50",
    "2024-02-29",
    "2024,02,29,23,59,59,123456",
    str(ID),
    0,
    1,
    2,
    -7,
    2**31,
    Int64(5),
    2**63 - 1,
    -(2**63),
    0.0,
    -0.0,
    1.5,
    0.1 + 0.2,
    1e16,
    1e-5,
    123456789.125,
    5e-324,
    float("nan"),
    float("inf"),
    True,
    False,
    MOMENT,
    datetime.datetime(1969, 12, 31, 23, 59, 59, 999000),
    datetime.datetime(1, 1, 1),
    DatetimeMS(2**60),
    DatetimeMS(-(2**60)),
    DatetimeMS(253402300799999),
    Decimal128("1.50"),
    Decimal128("-0"),
    Decimal128("0.00"),
    Decimal128("1E+3"),
    Decimal128("1E-9"),
    Decimal128("1234567.89"),
    Decimal128("0.1234567890123456789012345678901234"),
    Decimal128("99999999999999999999999999999999.99"),
    Decimal128("NaN"),
    Decimal128("Infinity"),
    Decimal128("sNaN"),
    ID,
    UUID.bytes,
    b"\xff\xfe",
    b"",
    Binary(UUID.bytes, 4),
    Binary(UUID.bytes, 3),
    Binary(b"abc", 128),
    Regex("a+", "i"),
    Timestamp(5, 6),
    Code("x"),
    MinKey(),
    MaxKey(),
    DBRef("same_targets", ID),
    DBRef("same_targets", ID, "other", _cls="Target"),
    [],
    ["a", "b"],
    ["a", None, 5],
    [1, 2.5, [3]],
    [[1], None, [2, 3]],
    [MOMENT, ID, Decimal128("1.1"), None],
    [FULL_INNER, {}],
    [FULL_INNER, None],
    [{"_cls": "Family.Branch", "name": "n", "s": 4}],
    [ID, ID],
    [DBRef("same_targets", ID)],
    {},
    FULL_INNER,
    {"word": 5, "number": None, "w": "soon", "many": None},
    {"word": None, "many": [None, "x"], "extra": {"deep": [MOMENT, {"x": b"\x00"}]}},
    {"_cls": "Inner", "word": "w", "w": MOMENT},
    {"_cls": "Family.Branch", "name": "n", "s": 4},
    {"_cls": "Nobody", "word": "w"},
    {"word": "a", "left": {"word": "b"}, "knots": [{"word": "c", "knots": [{"left": None}]}]},
    {"a": MOMENT, "b": None},
    {"a": FULL_INNER, "b": {}},
    {"a": {"_cls": "Inner", "w": MOMENT}, "b": DBRef("same_targets", ID)},
    {"$ref": "x"},
    {"_cls": "Target", "_ref": DBRef("same_targets", ID)},
    {"_cls": "Child", "_ref": DBRef("same_parents", 5)},
    {"_cls": "Nobody", "_ref": DBRef("same_targets", ID)},
    {"_cls": "Inner", "_ref": DBRef("same_targets", ID)},
    {"_cls": 5, "_ref": 6},
    [{"_cls": "Target", "_ref": DBRef("same_targets", ID)}, None],
    {"_id": ID, "word": "copied"},
    {"_id": 5},
    {"type": "Point", "coordinates": [1, 2.5]},
    {"type": "Point", "coordinates": [1, 2], "crs": {"x": MOMENT}},
    [1.5, Int64(2)],
    {"x": float("nan")},
]


@contextlib.contextmanager
def store() -> Iterator[None]:
    """A store in memory with what references point at."""
    mongodb.connect("same", host="docstore://:memory:")
    Target(id=ID, word="there").save()
    yield
    mongodb.disconnect()


def stored(**values: Any) -> bytes:
    return bson.encode({"_id": ID, **values})


def load(encoded: list[bytes], cls: Any = Shown) -> list[Any]:
    return [mongodb._core.document(cls, one) for one in encoded]


class StockRenderer(renderers.JSONRenderer):
    encoder_class = JSONEncoder


def outcome(show: Callable[..., Any], *args: Any) -> Any:
    """What it gives, or the class of what it raises."""
    try:
        return show(*args)
    except RecursionError:
        return RecursionError
    except Exception as error:
        return type(error)


def ours(make: Callable[[], Any], documents: list[Any], renderer: Any) -> Any:
    """Type and text of the answer, or the class of the exception, and where it was raised."""

    def show() -> Any:
        data = make().data
        return [bytes(renderer().render(data)), outcome(lambda: repr(data))]

    return outcome(show)


def stock(make: Callable[[], Any], renderer: Any) -> Any:
    """The same by DRF's own classes: the child shows each document, and what lists them is DRF's or
    made from it."""
    to_representation = serializers.ListSerializer.to_representation

    def show() -> Any:
        many = make()
        if type(many) is DocumentListSerializer:
            data = [many.child.to_representation(one) for one in many.instance]
        else:
            with mock.patch.object(DocumentListSerializer, "to_representation", to_representation):
                data = many.data
        return [bytes(renderer().render(data)), outcome(lambda: repr(data))]

    return outcome(show)


def compare(
    make: Callable[[list[Any]], Any],
    encoded: list[bytes],
    change: Callable[[list[Any]], None] = lambda documents: None,
    renderer: Any = JSONRenderer,
    usual: Any = StockRenderer,
    read: Callable[[list[bytes]], Any] = load,
) -> Any:
    answers = []
    zone = timezone.get_current_timezone()
    for show in (
        lambda documents: ours(lambda: make(documents), documents, renderer),
        lambda documents: stock(lambda: make(documents), usual),
    ):
        documents = read(encoded)
        change(documents)
        with timezone.override(zone):  # a method may activate another
            answers.append(show(documents))
    assert answers[0] == answers[1]
    if (
        isinstance(answers[0], type) and len(encoded) > 1
    ):  # what is shown besides the one that fails
        for one in encoded:
            compare(make, [one], renderer=renderer, usual=usual, read=read)
    return answers[0]


def serializer_of(name: str) -> Any:
    class OneSerializer(DocumentSerializer):
        class Meta:
            model = Shown
            fields = [name]

    return OneSerializer


class Listing(DocumentListSerializer):
    """Shows its items as ours does."""

    def update(self, instance: Any, validated_data: Any) -> Any:
        return instance


class Backwards(DocumentListSerializer):
    def to_representation(self, data: Any) -> Any:
        return super().to_representation(data)[::-1]


class Numbered(serializers.ListSerializer):
    def to_representation(self, data: Any) -> Any:
        return [{"at": at, **row} for at, row in enumerate(super().to_representation(data))]


class Odd(serializers.ListSerializer):
    @property
    def data(self) -> Any:
        return {"items": super().data}


LISTS = [serializers.ListSerializer, DocumentListSerializer, Listing, Backwards, Numbered, Odd]
# Fields that C shows.
PLAIN = (
    "text text_stored email integer long real exact truth moment day key token data inner words "
    "table inners moments days target choice"
).split()
# What the store's documents are read by.
QUERIES: list[Callable[[Any], Any]] = [
    lambda found: found,
    lambda found: found.only("text", "inner__word", "words"),
    lambda found: found.only("integer", "exact", "moment", "inners"),
    lambda found: found.exclude("text", "inner__number"),
    lambda found: found.exclude("inners__word", "day", "choice"),
    lambda found: found.fields(slice__words=1),
    lambda found: found.no_dereference(),
    lambda found: list(found.only(*PLAIN)),
]


def stored_query(encoded: list[bytes], query: Any) -> Any:
    """The documents as a query reads them from the store."""
    handle = get_connection_handle()
    handle.run({"delete": "same_shown", "deletes": [{"q": {}, "limit": 0}]})
    raw = [
        RawBSONDocument(one[:9] + at.to_bytes(12, "big") + one[21:])
        for at, one in enumerate(encoded)
    ]
    handle.run({"insert": "same_shown", "documents": raw})
    return query(Shown.objects.order_by("id"))
