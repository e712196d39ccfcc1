# SPDX-License-Identifier: Apache-2.0
"""Files that older programs made are opened, and answer what they answered then."""

import pathlib
import sqlite3

import pytest

from mongodb import MongoError, _core

from .stored_files import NAMES, compare, unpack


def use(client: _core.Client) -> None:
    """Every collection is whole, and takes and gives up documents."""
    for db in ("shop", "other"):
        for entry in client.cursor(db, {"listCollections": 1}):
            name = entry["name"]
            if entry["type"] != "collection" or name.startswith("system."):
                continue
            report = client.run(db, {"validate": name})
            assert report["valid"], report
            before = client.run(db, {"count": name})["n"]
            document = {"_id": "new", "n": -1, "x": 1}
            client.run(db, {"insert": name, "documents": [document]})
            if name == "log":
                continue
            assert client.run(db, {"count": name})["n"] == before + 1
            client.run(db, {"delete": name, "deletes": [{"q": {"_id": "new"}, "limit": 1}]})
            assert client.run(db, {"validate": name})["nrecords"] == before


@pytest.mark.parametrize("name", NAMES)
def test_a_file_of_an_older_format_answers_as_it_did(name: str, tmp_path: pathlib.Path) -> None:
    path = unpack(name, tmp_path)
    for _ in range(2):
        with _core.Client(f"docstore://{path}") as client:
            compare(client, name)
    with _core.Client(f"docstore://{path}") as client:
        use(client)


@pytest.mark.parametrize("name", NAMES)
def test_a_reader_leaves_an_older_file_as_it_is(name: str, tmp_path: pathlib.Path) -> None:
    path = unpack(name, tmp_path)
    before = path.read_bytes()
    with _core.Client(f"docstore://{path}?readOnly=true") as client:
        compare(client, name)
        with pytest.raises(MongoError, match="read-only"):
            client.run("shop", {"insert": "types", "documents": [{}]})
    assert path.read_bytes() == before


def test_there_is_a_file_of_every_format() -> None:
    with _core.Client("docstore://:memory:"):
        pass
    formats = {int(name.split("_")[1]) for name in NAMES}
    assert formats >= {1, 2}


def test_a_newer_format_is_refused_by_both_numbers(tmp_path: pathlib.Path) -> None:
    path = tmp_path / "newer.docstore"
    with _core.Client(f"docstore://{path}") as client:
        client.run("db", {"insert": "c", "documents": [{"_id": 1}]})
    with sqlite3.connect(path) as raw:
        own = raw.execute("PRAGMA user_version").fetchone()[0]
        raw.execute(f"PRAGMA user_version={own + 1}")
        size = raw.execute("PRAGMA page_size").fetchone()[0]
    raw.close()
    whole = path.read_bytes()  # no sum: that one does not fit
    before = whole[: size - 8] + bytes(8) + whole[size:]
    path.write_bytes(before)
    with pytest.raises(MongoError, match=rf"format {own + 1}.* up to {own}\b") as caught:
        _core.Client(f"docstore://{path}")
    assert caught.value.code == 191
    assert path.read_bytes() == before
