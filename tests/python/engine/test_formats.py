# SPDX-License-Identifier: Apache-2.0
"""Files that older programs made are opened, and answer what they answered then."""

import logging
import os
import pathlib
import signal
import sqlite3
import subprocess
import sys

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


@pytest.mark.parametrize("name", NAMES)
def test_an_upgrade_says_so_once(
    name: str, tmp_path: pathlib.Path, caplog: pytest.LogCaptureFixture
) -> None:
    path = unpack(name, tmp_path)
    caplog.set_level(logging.INFO, "mongodb")
    for log in ([], ["info"], []):
        caplog.clear()
        with _core.Client(f"docstore://{path}{'' if log else '?readOnly=true'}") as client:
            own = client.run("admin", {"serverStatus": 1})["storageEngine"]["format"]
            for target, lines in (("global", len(log)), ("startupWarnings", 0)):
                assert client.run("admin", {"getLog": target})["totalLinesWritten"] == lines
        found = [(record.levelno, record.getMessage()) for record in caplog.records]
        if log:
            words = f"'{path}' was upgraded from format {name.split('_')[1]} to {own}: older"
            assert len(found) == 1 and found[0][0] == logging.INFO
            assert found[0][1].startswith(words)
        else:
            assert found == []


OPENING = """
import resource, signal, sys
from mongodb import _core
signal.signal(signal.SIGXFSZ, signal.SIG_DFL)
resource.setrlimit(resource.RLIMIT_FSIZE, (int(sys.argv[2]), int(sys.argv[2])))
_core.Client("docstore://" + sys.argv[1])
"""


def test_an_upgrade_that_is_killed_leaves_the_file_as_it_was(tmp_path: pathlib.Path) -> None:
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
    killed = 0
    for turn, written in enumerate((100, 20_000, 60_000, 110_000, 170_000, 3_000_000)):
        name = NAMES[turn % len(NAMES)]
        path = unpack(name, tmp_path)
        command = [sys.executable, "-c", OPENING, str(path), str(written)]
        done = subprocess.run(command, env=environment, check=False)
        assert done.returncode in (0, -signal.SIGXFSZ)
        killed += done.returncode != 0
        if done.returncode:
            with _core.Client(f"docstore://{path}?readOnly=true") as client:
                compare(client, name)
        with _core.Client(f"docstore://{path}") as client:
            compare(client, name)
            use(client)
        path.unlink()
    assert 2 < killed < 6


def test_there_is_a_file_of_every_format() -> None:
    with _core.Client("docstore://:memory:"):
        pass
    formats = {int(name.split("_")[1]) for name in NAMES}
    assert formats >= {1, 2, 3}


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
