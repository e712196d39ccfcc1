# SPDX-License-Identifier: Apache-2.0
"""Hostile bytes and files: a clear error with its code, and the data as it was."""

import functools
import os
import pathlib
import sqlite3
import struct
from collections.abc import Iterator
from typing import Any

import bson
import pytest
from bson.codec_options import CodecOptions

from mongodb import _core, errors

MEGABYTE = 1024 * 1024
LENIENT = CodecOptions[dict[str, Any]](unicode_decode_error_handler="replace")


@pytest.fixture
def client() -> Iterator[_core.Client]:
    with _core.Client("docstore://:memory:") as opened:
        opened.run("db", {"insert": "c", "documents": [{"_id": 1, "a": 1}]})
        yield opened
        left = opened.run("db", {"find": "c"})["cursor"]["firstBatch"]
        assert left == [{"_id": 1, "a": 1}]
        assert opened.run("db", {"validate": "c"})["valid"]


def code_of(reply: dict[str, Any]) -> int | None:
    if "writeErrors" in reply:
        return int(reply["writeErrors"][0]["code"])
    return None if reply["ok"] else int(reply["code"])


def run(client: _core.Client, command: dict[str, Any]) -> int | None:
    return code_of(client.run("db", command, check=False))


def nested(levels: int) -> bytes:
    """A document with so many levels below it."""
    document = b"\x05\0\0\0\0"
    for _ in range(levels):
        document = struct.pack("<i", len(document) + 8) + b"\x03a\0" + document + b"\0"
    return document


def insert_of(document: bytes) -> bytes:
    array = struct.pack("<i", len(document) + 8) + b"\x030\0" + document + b"\0"
    fields = b"\x02insert\0\x02\0\0\0c\0\x04documents\0" + array
    return struct.pack("<i", len(fields) + 5) + fields + b"\0"


def test_every_truncation_of_a_command_is_refused(client: _core.Client) -> None:
    command = bson.encode({"insert": "c", "documents": [{"a": [1, {"b": "text"}], "c": b"x"}]})
    for size in range(len(command)):
        with pytest.raises((ValueError, errors.MongoError)):
            client.run_raw("db", command[:size])


def test_every_wrong_byte_of_a_command_is_refused_or_answered(client: _core.Client) -> None:
    command = bson.encode({"find": "c", "filter": {"a": {"$in": [1, "x", None]}}, "limit": 1})
    for at in range(len(command)):
        for byte in (0, 1, 0x7F, 0x80, 0xFF):
            damaged = command[:at] + bytes([byte]) + command[at + 1 :]
            try:
                reply = bson.decode(client.run_raw("db", damaged, check=False), LENIENT)
            except (ValueError, errors.MongoError):
                continue
            assert reply["ok"] or reply["code"] > 0


@pytest.mark.parametrize("name", ["\u00e9" * 300, "a" + "\u20ac" * 300, "\U0001f600" * 200])
def test_errors_are_utf8_however_they_are_cut(client: _core.Client, name: str) -> None:
    for command in (
        {name: 1},
        {"find": "c", name: 1},
        {"find": "c", "filter": {"a": {"$" + name: 1}}},
        {"update": "c", "updates": [{"q": {}, "u": {"$" + name: {"a": 1}}}]},
        {"aggregate": "c", "pipeline": [{"$" + name: 1}], "cursor": {}},
    ):
        assert run(client, command) is not None


@pytest.mark.parametrize(
    "document",
    [
        b"\x0c\0\0\0\x01a\0\0\0\0\0\0",  # a double cut short
        b"\x0e\0\0\0\x02a\0\xff\xff\xff\x7fx\0",  # a string longer than everything
        b"\x09\0\0\0\x08a\0\x02\0",  # a boolean of 2
        b"\x08\0\0\0\x20a\0\0",  # a type that is none
        b"\x0d\0\0\0\x03a\0\x09\0\0\0\0\0",  # a document longer than its parent
        b"\x0c\0\0\0\x02a\0\0\0\0\0\0",  # a string without its NUL
    ],
)
def test_corrupt_bson_is_refused(client: _core.Client, document: bytes) -> None:
    with pytest.raises((ValueError, errors.MongoError), match="BSON"):
        client.run_raw("db", insert_of(document))


@pytest.mark.parametrize(
    ("command", "code"),
    [
        ({"frobnicate": 1}, 59),
        ({"find": "c", "filter": {"a": {"$nope": 1}}}, 2),
        ({"find": "c", "filter": 5}, 14),
        ({"find": "c", "limit": "many"}, 14),
        ({"find": "c", "nope": 1}, 40415),
        ({"find": 7}, 2),
        ({"find": ""}, 73),
        ({"insert": "c" * 300, "documents": [{}]}, 73),
        ({"insert": "c", "documents": "none"}, 14),
        ({"insert": "c", "documents": [{"_id": [1]}]}, 53),
        ({"update": "c", "updates": [{"q": {}, "u": {"$nope": {"a": 1}}}]}, 9),
        ({"update": "c", "updates": [{"q": {}, "u": {"$inc": {"a": "x"}}}]}, 14),
        ({"update": "c", "updates": [{"q": {}, "u": 5}]}, 9),
        ({"delete": "c", "deletes": [{"q": {"_id": 1}, "limit": 1}] * 100001}, 16),
        ({"aggregate": "c", "pipeline": [{"$nope": 1}], "cursor": {}}, 40324),
        ({"aggregate": "c", "pipeline": [{"$match": {}}] * 1001, "cursor": {}}, 9),
        ({"aggregate": "c", "pipeline": [{"$project": {"x": {"$nope": 1}}}], "cursor": {}}, 31325),
        ({"find": "c", "filter": {"a": {"$regex": "("}}}, 51091),
        ({"find": "c", "filter": {"a": {"$regex": "(" * 5000 + ")" * 5000}}}, 51091),
        ({"createIndexes": "c", "indexes": [{"key": {"a": "nope"}, "name": "x"}]}, 67),
    ],
)
def test_wrong_commands_have_the_codes_of_mongod(
    client: _core.Client, command: dict[str, Any], code: int
) -> None:
    assert run(client, command) == code


def test_documents_over_16_megabytes_are_refused(client: _core.Client) -> None:
    big = "x" * (16 * MEGABYTE)
    assert run(client, {"insert": "c", "documents": [{"a": big}]}) == 2
    assert run(client, {"update": "c", "updates": [{"q": {}, "u": {"$set": {"b": big}}}]}) == 17419
    assert run(client, {"update": "c", "updates": [{"q": {"_id": 1}, "u": {"b": big}}]}) == 17419
    upsert = {"q": {"_id": 2}, "u": {"$set": {"b": big}}, "upsert": True}
    assert run(client, {"update": "c", "updates": [upsert]}) == 17419
    twice = [{"$project": {"x": [{"$literal": big[:-100]}] * 1, "y": {"$literal": big[:-100]}}}]
    assert run(client, {"aggregate": "c", "pipeline": twice, "cursor": {}}) == 10334


@pytest.mark.parametrize("levels", [181, 190])
def test_documents_over_180_levels_are_refused(client: _core.Client, levels: int) -> None:
    reply = bson.decode(client.run_raw("db", insert_of(nested(levels)), check=False))
    assert code_of(reply) == 15


@pytest.mark.parametrize("levels", [200, 1000, 100_000])
def test_commands_over_200_levels_are_refused(client: _core.Client, levels: int) -> None:
    with pytest.raises((ValueError, errors.MongoError), match="nest|depth"):
        client.run_raw("db", insert_of(nested(levels)))


def test_deep_filters_expressions_and_pipelines_are_answered(client: _core.Client) -> None:
    wrap: Any = functools.reduce
    deep_and = wrap(lambda inner, _: {"$and": [inner]}, range(90), {"a": 2})
    assert run(client, {"find": "c", "filter": deep_and}) is None
    deep_not = {"$expr": wrap(lambda inner, _: {"$not": inner}, range(180), True)}
    assert run(client, {"find": "c", "filter": deep_not}) is None
    lookups: list[Any] = wrap(
        lambda inner, _: [{"$lookup": {"from": "c", "as": "x", "pipeline": inner}}], range(25), []
    )
    assert run(client, {"aggregate": "c", "pipeline": lookups, "cursor": {}}) == 232
    level: dict[str, Any] = wrap(lambda inner, _: {"a": inner}, range(90), "$x")
    stages = [{"$project": {"x": level}}] * 300
    assert run(client, {"aggregate": "c", "pipeline": stages, "cursor": {}}) == 15
    reduce = {"input": {"$range": [0, 100000]}, "initialValue": [], "in": ["$$value"]}
    stages = [{"$group": {"_id": {"$reduce": reduce}}}]
    assert run(client, {"aggregate": "c", "pipeline": stages, "cursor": {}}) == 15


def make_store(path: pathlib.Path) -> bytes:
    with _core.Client(f"docstore://{path}") as client:
        client.run("db", {"createIndexes": "c", "indexes": [{"key": {"n": 1}, "name": "n"}]})
        documents = [{"_id": i, "n": i, "t": "x" * 200} for i in range(500)]
        client.run("db", {"insert": "c", "documents": documents})
    return path.read_bytes()


def refusal(path: pathlib.Path, **options: Any) -> errors.OperationError:
    with pytest.raises(errors.OperationError) as caught:
        _core.Client(f"docstore://{path}", options or None).close()
    assert str(path) in str(caught.value)
    return caught.value


@pytest.mark.parametrize("content", [b"hello", b"hello\n" * 100, bytes(range(256)) * 300])
def test_a_file_that_is_no_store_is_refused_and_kept(
    tmp_path: pathlib.Path, content: bytes
) -> None:
    path = tmp_path / "letter.txt"
    path.write_bytes(content)
    assert refusal(path).code == 38
    assert path.read_bytes() == content


def test_another_sqlite_database_is_refused_and_kept(tmp_path: pathlib.Path) -> None:
    path = tmp_path / "other.db"
    with sqlite3.connect(path) as other:
        other.execute("CREATE TABLE t(a)")
    other.close()
    content = path.read_bytes()
    assert refusal(path).code == 38
    assert path.read_bytes() == content


def test_a_folder_a_missing_folder_and_a_missing_file_are_refused(tmp_path: pathlib.Path) -> None:
    assert refusal(tmp_path).code == 38
    assert refusal(tmp_path / "no" / "such" / "file").code == 38
    assert refusal(tmp_path / "missing", create=False).code == 38
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("size", [50, 1000, 16384, 16384 * 3])
def test_a_truncated_store_is_refused_and_kept(tmp_path: pathlib.Path, size: int) -> None:
    path = tmp_path / "store.docstore"
    content = make_store(path)[:size]
    path.write_bytes(content)
    assert refusal(path).code in (290, 38)
    assert path.read_bytes() == content


PAGE_RESERVED = 8  # at a page's end: its checksum; zeros: it has none


def page_of(content: bytes, at: int) -> slice:
    size = int.from_bytes(content[16:18], "big")
    return slice(at - at % size, at - at % size + size)


def without_checksum(content: bytearray, at: int) -> None:
    end = page_of(content, at).stop
    content[end - PAGE_RESERVED : end] = bytes(PAGE_RESERVED)


def test_a_store_of_a_newer_version_is_refused_and_kept(tmp_path: pathlib.Path) -> None:
    path = tmp_path / "store.docstore"
    make_store(path)
    with sqlite3.connect(path) as raw:
        raw.execute("PRAGMA user_version=99")
    raw.close()
    content = bytearray(path.read_bytes())
    without_checksum(content, 0)  # SQLite has left the old one
    path.write_bytes(content)
    error = refusal(path)
    assert error.code == 191
    assert "99" in str(error)
    assert path.read_bytes() == content


def damage(path: pathlib.Path, *, told_by_page: bool) -> int:
    """Change a byte of a document; how many documents are in its page."""
    content = bytearray(make_store(path))
    at = content.index(b"x" * 200)
    beside = content[page_of(content, at)].count(b"x" * 200)
    content[at + 5] ^= 1
    if not told_by_page:
        without_checksum(content, at)
    path.write_bytes(content)
    return beside


def readable(client: _core.Client) -> int:
    codes = [run(client, {"find": "c", "filter": {"_id": i}, "limit": 1}) for i in range(500)]
    assert set(codes) == {None, 290}
    return codes.count(None)


def test_a_damaged_document_is_told_and_others_are_read(tmp_path: pathlib.Path) -> None:
    path = tmp_path / "store.docstore"
    damage(path, told_by_page=False)
    with _core.Client(f"docstore://{path}") as client:
        assert run(client, {"find": "c", "batchSize": 1000}) == 290
        report = client.run("db", {"validate": "c"})
        assert not report["valid"] and report["nInvalidDocuments"] == 1
        assert readable(client) == 499


def test_a_damaged_page_is_told_and_others_are_read(tmp_path: pathlib.Path) -> None:
    path = tmp_path / "store.docstore"
    beside = damage(path, told_by_page=True)
    with _core.Client(f"docstore://{path}") as client:
        assert run(client, {"find": "c", "batchSize": 1000}) == 290
        report = client.run("db", {"validate": "c"})
        assert not report["valid"] and "page" in str(report["errors"])
        assert readable(client) == 500 - beside


def test_a_store_opened_for_reading_refuses_writes(tmp_path: pathlib.Path) -> None:
    path = tmp_path / "store.docstore"
    content = make_store(path)
    with _core.Client(f"docstore://{path}", {"readOnly": True}) as client:
        assert run(client, {"insert": "c", "documents": [{"n": -1}]}) == 20
        assert run(client, {"drop": "c"}) == 20
        assert client.run("db", {"count": "c"})["n"] == 500
    assert path.read_bytes() == content


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_a_read_only_file_and_folder_are_told(tmp_path: pathlib.Path) -> None:
    path = tmp_path / "store.docstore"
    make_store(path)
    path.chmod(0o400)
    try:
        with _core.Client(f"docstore://{path}") as client:
            assert run(client, {"insert": "c", "documents": [{"n": -1}]}) in (20, 38)
    except errors.OperationError as error:
        assert error.code in (20, 38)
    tmp_path.chmod(0o500)
    try:
        assert refusal(tmp_path / "new.docstore").code == 38
    finally:
        tmp_path.chmod(0o700)


@pytest.mark.parametrize(
    "uri", ["", "docstore:", "docstore://", "docstore:///", "docstore://%zz", "mysql://host/db"]
)
def test_uris_that_name_no_store_are_refused(uri: str) -> None:
    with pytest.raises(errors.MongoError):
        _core.Client(uri)
