# SPDX-License-Identifier: Apache-2.0
"""Nothing that is asked of a queryset or a connection is ignored."""

import asyncio
import inspect
from collections.abc import Iterator
from typing import Any

import pytest

import mongodb
from mongodb import Document, InvalidQueryError, connect, connection, disconnect
from mongodb.fields import IntField, ListField, StringField
from mongodb.queryset import QuerySet


class SilentDoc(Document):
    name = StringField()
    n = ListField(IntField())


@pytest.fixture(autouse=True)
def store() -> Iterator[None]:
    connect("silence", host="docstore://:memory:")
    SilentDoc(name="a", n=[1, 2, 3, 4]).save()
    yield
    disconnect()


# What a call needs beside the keyword that does not exist.
ARGUMENTS: dict[str, tuple[Any, ...]] = {
    "average": ("name",), "sum": ("name",), "item_frequencies": ("name",), "distinct": ("name",),
    "batch_size": (2,), "bulk_create": ([],), "insert": ([],), "comment": ("x",),
    "from_json": ("[]",),
    "in_bulk": ([],), "limit": (1,), "skip": (1,), "max_time_ms": (1,), "raw": ({},),
    "read_concern": (None,), "read_preference": ("primary",), "search_text": ("x",),
    "timeout": (True,), "using": ("default",), "where": ("1",), "with_id": (None,),
    "register_connection": ("other",), "get_connection_handle": ("default",),
    "rewind": (), "scalar": ("name",), "values": ("name",), "values_list": ("name",),
}  # fmt: skip
CALLS = {name: value for name, value in inspect.getmembers(QuerySet) if inspect.isfunction(value)}


@pytest.mark.parametrize("name", [name for name in CALLS if not name.startswith("_")])
def test_an_unknown_keyword_of_a_queryset_is_refused(name: str) -> None:
    call = getattr(SilentDoc.objects, name)
    with pytest.raises((TypeError, mongodb.MongoError)):
        found = call(*ARGUMENTS.get(name, ()), nope=1)
        if inspect.iscoroutine(found):
            asyncio.run(found)
        list(found)  # conditions are looked at when they are sent
    assert [one.name for one in SilentDoc.objects] == ["a"]


CONNECTIONS = [one for one in connection.__all__ if inspect.isfunction(getattr(connection, one))]


@pytest.mark.parametrize("name", CONNECTIONS)
def test_an_unknown_keyword_of_a_connection_is_refused(name: str) -> None:
    with pytest.raises((TypeError, mongodb.MongoError)):
        getattr(connection, name)(*ARGUMENTS.get(name, ()), nope=1)
        connection.get_connection_handle("other").client  # noqa: B018


def test_parts_of_lists_are_chosen_in_both_spellings() -> None:
    both = [
        (SilentDoc.objects.fields(slice__n=value), SilentDoc.objects.fields(n={"$slice": value}))
        for value in ([1, 2], 2, -1, [-3, 2])
    ]
    wanted = [[2, 3], [1, 2], [4], [2, 3]]
    assert [[q.first().n for q in pair] for pair in both] == [[one, one] for one in wanted]
    part = SilentDoc.objects.fields(n={"$slice": [1, 2]}).first()
    part.name = "b"
    part.save()
    assert SilentDoc.objects.first().n == [1, 2, 3, 4]
    found = SilentDoc.objects.fields(n={"$elemMatch": {"$gt": 2}}).first()
    assert found.n == [3]
    for wrong in ({"$nope": 1}, {"$slice": 1, "$elemMatch": {}}, "yes", [1, 2]):
        with pytest.raises(InvalidQueryError, match="fields"):
            SilentDoc.objects.fields(n=wrong)
