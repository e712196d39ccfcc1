# SPDX-License-Identifier: Apache-2.0
"""Python values to BSON and back, compared with PyMongo's bson."""

import collections
import datetime as dt
import decimal
import enum
import gc
import math
import re
import tracemalloc
import types
import uuid
from typing import Any

import bson
import pytest
from bson import (
    DBRef,
    Decimal128,
    Int64,
    MaxKey,
    MinKey,
    ObjectId,
    Regex,
    Timestamp,
)
from bson.binary import Binary, UuidRepresentation
from bson.code import Code
from bson.codec_options import CodecOptions, DatetimeConversion
from bson.datetime_ms import DatetimeMS
from bson.raw_bson import RawBSONDocument

from mongodb import _core

OPTIONS: CodecOptions[dict[str, Any]] = CodecOptions(
    uuid_representation=UuidRepresentation.STANDARD,
    datetime_conversion=DatetimeConversion.DATETIME_AUTO,
)


class Text(str):
    pass


class Colour(enum.Enum):
    RED = "red"


class Level(enum.IntEnum):
    HIGH = 5


VALUES: dict[str, Any] = {
    "int32": 1,
    "int32_min": -(2**31),
    "int32_over": 2**31,
    "int64": 2**63 - 1,
    "int64_min": -(2**63),
    "int64_narrow": Int64(5),
    "double": 1.5,
    "infinite": math.inf,
    "text": "é𝄞",
    "empty": "",
    "inner_nul": "a\0b",
    "subclass": Text("q"),
    "none": None,
    "true": True,
    "bytes": b"\0xx",
    "list": [1, "2", [3, {}]],
    "tuple": (1, (2,)),
    "document": {"j": {"k": [], "": 1}},
    "ordered": collections.OrderedDict(z=1, a=2),
    "object_id": ObjectId(),
    "decimal": Decimal128("1.10"),
    "decimal_nan": Decimal128("NaN"),
    "binary_user": Binary(b"z", 128),
    "binary_old": Binary(b"zz", 2),
    "binary_empty": Binary(b"", 5),
    "uuid": uuid.UUID(int=2**128 - 5),
    "regex": Regex("a.*é", "imsx"),
    "pattern": re.compile("x", re.IGNORECASE),
    "pattern_bytes": re.compile(b"x"),
    "code": Code("f()"),
    "code_scope": Code("f()", {"x": [1]}),
    "code_empty_scope": Code("f()", {}),
    "dbref": DBRef("c", ObjectId()),
    "dbref_extra": DBRef("c", 1, "db", x=1),
    "timestamp": Timestamp(2**32 - 1, 6),
    "min": MinKey(),
    "max": MaxKey(),
    "date": dt.datetime(2020, 2, 29, 1, 2, 3, 456789),
    "date_early": dt.datetime(1, 1, 1),
    "date_late": dt.datetime(9999, 12, 31, 23, 59, 59, 999999),
    "date_before": dt.datetime(1969, 12, 31, 23, 59, 59, 999500),
    "date_aware": dt.datetime(1900, 1, 1, tzinfo=dt.timezone(dt.timedelta(hours=2, minutes=30))),
    "date_utc": dt.datetime(2024, 1, 1, tzinfo=dt.UTC),
    "date_far": DatetimeMS(2**60),
    "date_far_before": DatetimeMS(-(2**60)),
}


@pytest.mark.parametrize("name", VALUES)
def test_values_encode_and_decode_as_pymongo_does(name: str) -> None:
    document = {"v": VALUES[name], "in": {"a": [VALUES[name]]}}
    data = _core.encode(document)
    assert data == bson.encode(document, codec_options=OPTIONS)
    ours, theirs = _core.decode(data), bson.decode(data, codec_options=OPTIONS)
    assert repr(ours) == repr(theirs)
    assert type(ours["v"]) is type(theirs["v"])


def test_whole_document_in_order() -> None:
    data = _core.encode(VALUES)
    assert data == bson.encode(VALUES, codec_options=OPTIONS)
    assert list(_core.decode(data)) == list(VALUES)


def test_what_pymongo_does_not_encode_is_stored_as_its_nearest() -> None:
    assert _core.encode({"v": decimal.Decimal("2.50")}) == _core.encode({"v": Decimal128("2.50")})
    assert _core.encode({"v": dt.date(2020, 1, 2)}) == _core.encode({"v": dt.datetime(2020, 1, 2)})
    assert _core.encode({"v": Colour.RED, "l": Level.HIGH}) == _core.encode({"v": "red", "l": 5})
    assert _core.encode({"v": bytearray(b"x")}) == _core.encode({"v": b"x"})
    proxy = types.MappingProxyType({"a": 1})
    assert _core.encode({"v": proxy}) == _core.encode({"v": {"a": 1}})
    assert _core.encode(proxy) == _core.encode({"a": 1})


def test_bytes_and_raw_documents_pass_through() -> None:
    data = _core.encode(VALUES)
    assert _core.encode(data) == data
    assert _core.encode(memoryview(data)) == data
    assert _core.encode(RawBSONDocument(data)) == data
    assert _core.decode(_core.encode({"r": RawBSONDocument(data)}))["r"] == _core.decode(data)


def test_options_of_decode() -> None:
    data = _core.encode({"d": dt.datetime(2020, 1, 1), "n": Int64(1), "r": DBRef("c", 1)})
    out = _core.decode(data, tz_aware=True, plain_int=True, raw_dbref=True)
    assert out["d"] == dt.datetime(2020, 1, 1, tzinfo=dt.UTC)
    assert type(out["n"]) is int
    assert out["r"] == {"$ref": "c", "$id": 1}


def test_legacy_types() -> None:
    data = b"\x0e\0\0\0\x0ea\0\x02\0\0\0x\0\0"  # a symbol
    assert _core.decode(data) == {"a": "x"}
    undefined = b"\x08\0\0\0\x06a\0\0"
    assert _core.decode(undefined) == {"a": None}


CYCLE: dict[str, Any] = {}
CYCLE["again"] = CYCLE

REFUSED: list[tuple[Any, type[Exception], str]] = [
    ({"a": {"b": [1, object()]}}, TypeError, "'a.b.1'"),
    ({"a": {"b": 2**63}}, OverflowError, "'a.b'"),
    ({"a": {"b": -(2**63) - 1}}, OverflowError, "'a.b'"),
    ({"x": {1: 2}}, TypeError, "'x'"),
    ({"x": {"a\0": 2}}, ValueError, "NUL"),
    ({"x": "\ud800"}, ValueError, "surrogates"),
    ({"d": decimal.Decimal("1" * 40)}, ValueError, "34 digits"),
    ({"s": {1, 2}}, TypeError, "'s'"),
    ({"r": re.compile("a\0b")}, ValueError, "NUL"),
    (CYCLE, ValueError, "deeply"),
    (b"abc", ValueError, "Invalid BSON"),
    (5, TypeError, "int"),
    ([1], TypeError, "list"),
]


@pytest.mark.parametrize("index", range(len(REFUSED)))
def test_refusals_name_the_field(index: int) -> None:
    value, kind, words = REFUSED[index]
    with pytest.raises(kind, match=re.escape(words)):
        _core.encode(value)


def test_a_mapping_that_changes_while_encoded_is_an_error() -> None:
    target: dict[str, Any] = {}

    class Evil(collections.abc.Mapping[str, Any]):
        def __getitem__(self, key: str) -> Any:
            target["more"] = 1
            return 1

        def __iter__(self) -> Any:
            return iter(["a"])

        def __len__(self) -> int:
            return 1

    target.update(a=Evil(), b=2)
    with pytest.raises(RuntimeError, match="changed size"):
        _core.encode(target)


def test_a_list_that_shrinks_while_encoded_is_fine() -> None:
    items: list[Any] = []

    class Evil(collections.abc.Mapping[str, Any]):
        def __getitem__(self, key: str) -> Any:
            items.clear()
            return 1

        def __iter__(self) -> Any:
            return iter(["a"])

        def __len__(self) -> int:
            return 1

    items.extend([Evil(), 2, 3])
    assert _core.decode(_core.encode({"l": items})) == {"l": [{"a": 1}]}


def test_truncated_documents_are_refused() -> None:
    data = _core.encode(VALUES)
    for size in range(len(data)):
        with pytest.raises(bson.errors.InvalidBSON):
            _core.decode(data[:size])


def test_invalid_utf8_is_refused_when_read() -> None:
    data = _core.encode({"a": "xx"}).replace(b"xx", b"\xff\xfe")
    with pytest.raises(bson.errors.InvalidBSON, match="UTF-8"):
        _core.decode(data)


def test_encoding_and_decoding_leaks_nothing() -> None:
    def work(times: int) -> int:
        for _ in range(times):
            _core.decode(_core.encode(VALUES))
            for value, kind, _ in REFUSED:
                try:
                    _core.encode(value)
                except kind:
                    pass
        gc.collect()
        return tracemalloc.get_traced_memory()[0]

    tracemalloc.start()
    try:
        work(2000)  # until the interpreter's own free lists are full
        # One object lost in each round would be 1,000 times 16 bytes or more, each time; threads of
        # other tests allocate too, but not each time.
        growths = []
        for _ in range(3):
            before = work(500)
            growths.append(work(1000) - before)
        assert min(growths) < 15_000, growths
    finally:
        tracemalloc.stop()
