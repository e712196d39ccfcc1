# SPDX-License-Identifier: Apache-2.0
"""Requests that no document can answer: a 400 that names what is wrong, or a 404; never a 500."""

import base64
import datetime
import enum
import itertools
import json
import random
import time
from collections.abc import Iterator
from typing import Any

import pytest
from django.core.exceptions import ImproperlyConfigured
from django.test import override_settings
from rest_framework.exceptions import ValidationError as RefusedError
from rest_framework.test import APIRequestFactory
from rest_framework.viewsets import ModelViewSet

from mongodb import Document, EmbeddedDocument, OperationError, connect, disconnect
from mongodb.fields import (
    BinaryField,
    BooleanField,
    ComplexDateTimeField,
    DateField,
    DateTimeField,
    Decimal128Field,
    DecimalField,
    DictField,
    DynamicField,
    EmailField,
    EmbeddedDocumentField,
    EmbeddedDocumentListField,
    EnumField,
    FloatField,
    IntField,
    ListField,
    LongField,
    MapField,
    ObjectIdField,
    ReferenceField,
    SortedListField,
    StringField,
    URLField,
    UUIDField,
)
from mongodb.queryset import geo
from mongodb.queryset.lookups import OPERATORS
from mongodb.rest_framework.filters import DocumentFilter, OrderingFilter, SearchFilter
from mongodb.rest_framework.pagination import CursorPagination
from mongodb.rest_framework.renderers import JSONRenderer
from mongodb.rest_framework.serializers import DocumentSerializer


class Color(enum.Enum):
    RED = "red"
    BLUE = "blue"


class OddTarget(Document):
    number = IntField(primary_key=True)


class OddPart(EmbeddedDocument):
    n = IntField()
    s = StringField()


class Odd(Document):
    string = StringField()
    email = EmailField()
    url = URLField()
    integer = IntField()
    long = LongField()
    floating = FloatField()
    price = DecimalField(max_digits=10, decimal_places=2)
    exact = Decimal128Field()
    boolean = BooleanField()
    when = DateTimeField()
    day = DateField()
    moment = ComplexDateTimeField()
    oid = ObjectIdField()
    uid = UUIDField()
    binary = BinaryField(max_bytes=100)
    color = EnumField(Color)
    choice = StringField(choices=["a", "b"])
    level = IntField(choices=[(1, "low"), (2, "high")])
    strings = ListField(StringField())
    ints = ListField(IntField())
    anything = ListField()
    dictionary = DictField()
    mapping = MapField(IntField())
    part = EmbeddedDocumentField(OddPart)
    parts = EmbeddedDocumentListField(OddPart)
    target = ReferenceField(OddTarget)
    targets = ListField(ReferenceField(OddTarget))
    dynamic = DynamicField()
    ordered = SortedListField(IntField())


class OddKey(Document):
    """Fields that are looked up before they are saved."""

    key = IntField(primary_key=True)
    text = StringField(unique=True, sparse=True)
    number = IntField(unique=True, sparse=True)
    price = DecimalField(unique=True, sparse=True)
    exact = Decimal128Field(unique=True, sparse=True)
    uid = UUIDField(unique=True, sparse=True)
    dynamic = DynamicField(unique=True, sparse=True)
    floating = FloatField(unique=True, sparse=True)
    when = DateTimeField(unique_with="text", sparse=True)


class OddSerializer(DocumentSerializer):
    class Meta:
        model = Odd
        fields = "__all__"


class OddKeySerializer(DocumentSerializer):
    class Meta:
        model = OddKey
        fields = "__all__"


FIELDS = [*Odd._fields, "part__n", "parts__s", "dictionary__k", "mapping__k", "ints__0"]
LOOKUPS = ["exact", "isnull", "range", "not__gt", *sorted(OPERATORS - geo.OPERATORS)]


class OddViewSet(ModelViewSet[Any]):
    queryset = Odd.objects.all()
    serializer_class: Any = OddSerializer
    renderer_classes = [JSONRenderer]
    filter_backends = [DocumentFilter, SearchFilter, OrderingFilter]
    filterset_fields = {name: LOOKUPS for name in FIELDS}
    search_fields = ["string", "$email", "=url", "^choice"]


class OddNameSerializer(DocumentSerializer):
    class Meta:
        model = Odd
        fields = ["string"]


class OddNames(OddViewSet):
    serializer_class = OddNameSerializer


class OddKeyViewSet(ModelViewSet[Any]):
    queryset = OddKey.objects.all()
    serializer_class = OddKeySerializer
    renderer_classes = [JSONRenderer]


@pytest.fixture(scope="module", autouse=True)
def store() -> Iterator[None]:
    connect("nonsense", host="docstore://:memory:")
    yield
    disconnect()


@pytest.fixture(autouse=True)
def documents() -> Any:
    Odd.objects.delete()
    OddKey.objects.delete()
    OddTarget(number=1).save()
    Odd(string="b").save()
    return Odd(string="a", price="1.5", integer=3, color=Color.RED, level=2).save()


def answer(view: Any, action: dict[str, str], request: Any, **path: Any) -> Any:
    """The rendered response; what a view raises beyond DRF's exceptions is raised here."""
    return view.as_view(action)(request, **path).render()


def listed(params: dict[str, str], view: Any = None) -> Any:
    return answer(view or OddNames, {"get": "list"}, APIRequestFactory().get("/", params))


TEXTS = [
    "abc", "0", "1", "-1", "1,2", "0,0", "2,x", "NaN", "inf", "-Infinity", "1e999", "9" * 20,
    "-" + "9" * 25, "1." + "1" * 58, "9" * 400, "1e-7000", "true", "perhaps", "2024-02-30",
    "2024-13-45T99:99", "0001-01-01T00:00:00+14:00", "9999-12-31T23:59:59-14:00", "a\0b", "\0", "(",
    "[", "*", "(?P<x>", "\\", "(?<=a+)", "{}", "[]", "null", "$where", "f" * 24, "z" * 24,
    "12345678-1234-1234-1234-1234567890ab", "\u202e", "\U0001f600", "a,,b", ",", ".", "1.5", "0x10",
    "1_000", "\u0663", "1" * 5000, "a(?i)b", "\\u1234", "a{1,99999}", "==", "AAAA", "int", "99",
]  # fmt: skip


def test_every_lookup_of_every_field_takes_any_text() -> None:
    chance = random.Random(1)
    for name in FIELDS:
        for lookup in LOOKUPS:
            key = name if lookup == "exact" else f"{name}__{lookup}"
            for text in chance.sample(TEXTS, 1):
                response = listed({key: text}, OddNames)
                if response.status_code == 400:
                    assert list(response.data) == [key], (key, text)
                else:
                    assert response.status_code == 200, (key, text)


NUMBERS = ["integer", "long", "ints", "part__n", "level", "ordered", "ints__in", "integer__gte"]
REFUSED = {
    **dict.fromkeys(NUMBERS, ["abc", "NaN", "1.5", "9" * 20, "9" * 400, "1_0", "\u0663", "\0"]),
    "floating__lt": ["abc", "NaN", "inf", "1e999", "1_0", "\0"],
    "price": ["abc", "NaN", "1." + "1" * 58, "1e-7000", "1_0"],
    "price__lte": ["abc", "NaN", "Infinity", "9" * 59],
    "exact__gt": ["abc", "NaN", "9" * 59, "1e9999"],
    "boolean": ["perhaps", "2", "nul"],
    "when": ["abc", "2024-02-30", "0001-01-01T00:00:00+14:00", "NaN"],
    "day__gte": ["abc", "2024-02-30", "2024-13-01"],
    "moment": ["abc", "2024-02-30"],
    "oid": ["abc", "z" * 24, "1" * 12],
    "id": ["abc", "z" * 24],
    "id__in": ["abc", "f" * 24 + ",abc"],
    "uid__ne": ["abc", "1" * 31],
    "binary": ["abc", "\u0663"],
    "color": ["green", "RED"],
    "choice": ["c", "A"],
    "choice__in": ["a,c"],
    "level__nin": ["3", "1,3"],
    "target": ["abc", "9" * 20],
    "targets": ["abc"],
    "targets__all": ["1,x"],
    "string": ["a\0b"],
    "string__contains": ["a\0b"],
    "string__regex": ["(", "[", "*", "(?P<x>", "(?<=a+)", "\0"],
    "string__iregex": ["a{2,1}"],
    "string__mod": ["1", "0,0", "x,1", "1,2,3"],
    "strings__size": ["-1", "many", "1.5", "9" * 20],
    "string__type": ["nonsense", "99", "1.5"],
    "string__exists": ["perhaps"],
    "string__isnull": ["perhaps"],
    "integer__range": ["1", "1,2,3", "a,2", "1,"],
    "parts__elemMatch": ["{}", "a"],
    "integer__contains": ["1"],
    "part": ["abc"],
}


@pytest.mark.parametrize("name", REFUSED)
def test_what_can_be_no_value_is_refused_with_its_name(name: str) -> None:
    for text in REFUSED[name]:
        response = listed({name: text})
        assert (response.status_code, list(response.data)) == (400, [name]), text


ANSWERED = {
    "integer": ["3", " +3 ", "-0"], "level": ["2"], "color": ["red"], "choice": ["b"],
    "price": ["1.50", "15e-1"], "integer__range": ["1,5"], "integer__isnull": ["false", "true"],
    "integer__mod": ["2,1"], "string__type": ["string", "2", "-1"], "strings__size": ["0"],
    "when__lt": ["2024-05-31T12:00:00Z", "2024-05-31"], "day": ["2024-05-31"], "binary": ["AAAA"],
    "floating": ["1e3", "-.5"], "oid": ["f" * 24], "target": ["1"], "string__regex": ["^[ab]$"],
    "uid": ["12345678-1234-1234-1234-1234567890ab"], "integer__lte": [str(2**63 - 1)],
    "dictionary__k": ["x"], "level__in": ["1,2", ",,"], "integer__not__gt": ["2"],
}  # fmt: skip


@pytest.mark.parametrize("name", ANSWERED)
def test_what_is_a_value_is_answered(name: str) -> None:
    for text in ANSWERED[name]:
        assert listed({name: text}).status_code == 200, text


def test_answers_of_filters() -> None:
    def found(**params: str) -> list[str]:
        return [row["string"] for row in listed(params).data]

    assert found(level="2") == found(color="red") == found(price="1.50") == ["a"]
    assert found(integer__isnull="true") == ["b"] and found(integer__isnull="no") == ["a"]
    assert found(integer__range="1,3") == ["a"] and found(integer__range="4,9") == []
    assert found(integer__mod="2,1") == ["a"] and found(integer__type="int") == ["a"]


def test_a_filter_that_cannot_be_is_the_projects_mistake() -> None:
    class Wrong(OddViewSet):
        filterset_fields = {"nothing": ["exact"], "string": ["near"]}

    for name in ("nothing", "string__near"):
        with pytest.raises(ImproperlyConfigured, match="filterset_fields"):
            listed({name: "1"}, Wrong)


def test_a_pattern_that_only_the_store_refuses(mongod: str, monkeypatch: Any) -> None:
    """Python's patterns are not PCRE's."""
    for host in (mongod, "docstore://:memory:"):
        disconnect()
        connect("nonsense_patterns", host=host)
        Odd(string="a").save()
        for params in ({"string__regex": r"\u1234"}, {"search": r"\u1234"}):
            response = listed(params)
            assert (response.status_code, list(response.data)) == (400, list(params))
        Odd.drop_collection()
    disconnect()
    connect("nonsense", host="docstore://:memory:")


def test_other_errors_of_the_store_stay_what_they_are(monkeypatch: Any) -> None:
    class Failing(OddViewSet):
        queryset = Odd.objects.hint("no such index")

    with pytest.raises(OperationError):
        listed({"ordering": "-string"}, Failing)


def test_search_terms_are_counted_once_and_capped() -> None:
    begun = time.monotonic()
    assert listed({"search": "a " * 3000}).status_code == 200
    response = listed({"search": " ".join(f"w{n}" for n in range(3000))})
    assert (response.status_code, list(response.data)) == (400, ["search"])
    assert time.monotonic() - begun < 5
    assert listed({"search": " ".join(f"w{n}" for n in range(32))}).status_code == 200


@pytest.mark.parametrize("text", ["\0", "a\0b", "(", "'", '"', "a,,b", "\u202e", "x" * 20000])
def test_any_search_is_answered(text: str) -> None:
    response = listed({"search": text})
    if response.status_code == 400:
        assert list(response.data) == ["search"]
    else:
        assert response.status_code == 200


def test_pages_far_away() -> None:
    from mongodb.rest_framework.pagination import LimitOffsetPagination, PageNumberPagination

    class Paged(OddViewSet):
        pagination_class: Any = LimitOffsetPagination
        queryset = Odd.objects.order_by("id")

    LimitOffsetPagination.default_limit, before = 1, LimitOffsetPagination.default_limit
    try:
        for params in ({"limit": "9" * 30}, {"offset": "9" * 30}, {"limit": "0"}, {"limit": "x"}):
            assert listed(params, Paged).status_code == 200
    finally:
        LimitOffsetPagination.default_limit = before

    class Numbered(PageNumberPagination):
        page_size = 1

    class Pages(OddViewSet):
        pagination_class = Numbered
        queryset = Odd.objects.order_by("id")

    for page in ("9" * 30, "x", "-1", "0", "1" * 5000):
        assert listed({"page": page}, Pages).status_code == 404

    class ByCursor(CursorPagination):
        page_size = 1
        ordering = "integer"

    class Cursors(OddViewSet):
        pagination_class = ByCursor
        filter_backends: list[Any] = []

    for position in ("p=abc", "p=" + "9" * 30, "p=%00", "r=x", "o=x", "\udcff"):
        cursor = base64.b64encode(position.encode("utf-8", "surrogateescape")).decode()
        assert listed({"cursor": cursor}, Cursors).status_code in (200, 404)
    assert listed({"cursor": base64.b64encode(b"p=abc").decode()}, Cursors).status_code == 404


@pytest.mark.parametrize("view", [OddViewSet, OddKeyViewSet])
def test_ids_in_paths_that_are_none(view: Any) -> None:
    ways = itertools.cycle(
        {"get": "retrieve", "patch": "partial_update", "delete": "destroy"}.items()
    )
    for key in [*TEXTS, 2**63, -(2**70), 10**400, 1.5, float("nan"), True]:
        method, action = next(ways)
        request = getattr(APIRequestFactory(), method)("/", {}, format="json")
        assert answer(view, {method: action}, request, pk=key).status_code == 404, (method, key)


def nested(start: str, end: str, depth: int) -> str:
    return start * depth + "1" + end * depth


VALUES = [
    *("0", "-1", "1.5", "true", "null", "[]", "{}", "[null]", "[[[]]]", '""', '"abc"', '"=="'),
    *("1e400", "-1e999", "NaN", "Infinity", '"NaN"', '"Infinity"', '"1e400"', "[NaN]"),
    *("9223372036854775808", "1" + "0" * 30, "1" + "0" * 4000, "1" * 5000, '"' + "1" * 5000 + '"'),
    *('"' + "9" * 59 + '"', '"1e999999"', '"1E-7000"', '{"a":1e400}', '{"k":-1e999}'),
    *(r'"a\u0000b"', r'"\ud800"', r'"\udfff x"', r'["\ud800"]', r'{"\ud800":1}', r'{"a":"\ud800"}'),
    *(r'{"a\u0000b":1}', '{"$set":{"a":1}}', '{"$where":"1"}', '{"a.b":1}', '{"":1}', '{"$gt":""}'),
    *('{"$ref":"x","$id":1}', '{"_cls":"Nope","n":1}', r'{"a":{"$c":{"d.e":"\u0000"}}}'),
    *('"2024-02-30"', '"0001-01-01T00:00:00+14:00"', '"9999-12-31T23:59:59-14:00"'),
    *(nested("[", "]", 150), nested("[", "]", 900), nested('{"a":', "}", 150)),
    *(nested('{"a":', "}", 900), nested("[", "]", 100000), nested('{"a":', "}", 100000)),
    *('{"n":1180591620717411303424}', "[1180591620717411303424]", '[{"n":1180591620717411303424}]'),
    *(
        '{"s":"\\u0000","n":1}',
        '"' + "f" * 24 + '"',
        '["' + "f" * 24 + '"]',
        '"' + "AAAA" * 99 + '"',
    ),
]


def sent(view: Any, method: str, body: str, key: Any = None) -> Any:
    action = {"post": "create", "put": "update", "patch": "partial_update"}[method]
    request = getattr(APIRequestFactory(), method)("/", body, content_type="application/json")
    return answer(view, {method: action}, request, **({} if key is None else {"pk": key}))


def check_body(view: Any, method: str, name: str, body: str, key: Any = None) -> None:
    response = sent(view, method, body, key)
    where = (method, name, body[:60])
    if response.status_code == 400:
        assert set(response.data) <= {name, "detail", "non_field_errors"}, where
        json.loads(response.content)
    else:
        assert response.status_code in (200, 201), where
        shown = answer(view, {"get": "list"}, APIRequestFactory().get("/"))
        assert shown.status_code == 200, where


def test_every_field_takes_any_value_of_a_body(documents: Any) -> None:
    chance = random.Random(2)
    for name in Odd._fields:
        for value in chance.sample(VALUES, 6):
            method = chance.choice(["post", "put", "patch"])
            key = None if method == "post" else documents.pk
            check_body(OddViewSet, method, name, f'{{"{name}": {value}}}', key)
        Odd.objects(pk__ne=documents.pk).delete()


def test_every_unique_field_takes_any_value_of_a_body() -> None:
    chance = random.Random(3)
    for name in OddKey._fields:
        for value in chance.sample(VALUES, 12):
            OddKey.objects.delete()
            method = chance.choice(["post", "put", "patch"])
            if method != "post":
                OddKey(key=1, text="q").save()
            more = {"key": "1", "text": '"q"'}
            more.pop(name, None)
            body = ", ".join(f'"{k}": {v}' for k, v in {name: value, **more}.items())
            check_body(OddKeyViewSet, method, name, f"{{{body}}}", None if method == "post" else 1)


@pytest.mark.parametrize(
    "body",
    [
        nested("[", "]", 100000),
        nested('{"a":', "}", 100000),
        '{"string":' + nested("[", "]", 100000) + "}",
        "[" * 100000,
        '{"string": "' + "x" * 20_000_000 + '"}',
        '{"dynamic": ["' + "x" * 20_000_000 + '"]}',
        *("[", "{", "\xff", "null", "[]", "1", '"x"', '{"string":1}{}', '[{"string":"x"}]'),
        *(r'{"\ud800": 1}', r'{"string": "\udc00"}', '{"floating": 1e400}', '{"floating": "nan"}'),
    ],
    ids=lambda body: body[:12],
)
@override_settings(DATA_UPLOAD_MAX_MEMORY_SIZE=None)
def test_bodies_that_are_refused(documents: Any, body: str) -> None:
    ways = [("post", None), ("put", documents.pk), ("patch", documents.pk)]
    for method, key in ways if len(body) < 1_000_000 else ways[::2]:
        assert sent(OddViewSet, method, body, key).status_code == 400
    assert sorted(one.string for one in Odd.objects) == ["a", "b"]


def test_a_body_that_looks_suspicious_is_taken() -> None:
    response = sent(OddViewSet, "post", r'{"string": "\ud83d\ude00", "floating": 1e300}')
    assert response.status_code == 201
    assert (response.data["string"], response.data["floating"]) == ("\U0001f600", 1e300)


def test_a_unique_value_that_looks_like_an_operator_is_a_value() -> None:
    OddKey(key=1, dynamic={"a": 1}).save()
    assert sent(OddKeyViewSet, "post", '{"key": 2, "dynamic": {"$gt": ""}}').status_code == 201
    response = sent(OddKeyViewSet, "post", '{"key": 3, "dynamic": {"a": 1}}')
    assert (response.status_code, list(response.data)) == (400, ["dynamic"])


def test_unique_together_is_asked_on_put_and_patch() -> None:
    OddKey(key=1, text="a", when=datetime.datetime(2024, 1, 1)).save()
    OddKey(key=2, text="b", when=datetime.datetime(2024, 1, 2)).save()
    for method, body in (
        ("put", {"key": 2, "text": "a", "when": "2024-01-01T00:00:00Z"}),
        ("patch", {"text": "a", "when": "2024-01-01T00:00:00Z"}),
    ):
        serializer = OddKeySerializer(
            OddKey.objects.get(key=2), data=body, partial=method == "patch"
        )
        validators = serializer.get_unique_together_validators()
        assert not serializer.is_valid()  # before anything is sent to the store
        with pytest.raises(RefusedError, match="unique set"):
            validators[0]({"text": "a", "when": datetime.datetime(2024, 1, 1)}, serializer)
    same = OddKeySerializer(
        OddKey.objects.get(key=2), data={"key": 2, "text": "b", "when": "2024-01-02T00:00:00Z"}
    )
    assert same.is_valid(), same.errors
