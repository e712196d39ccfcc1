# SPDX-License-Identifier: Apache-2.0
"""A log that was long once and has begun anew holds nobody's time against them."""

import os
import pathlib
import time
import uuid
from typing import Any

import pytest
from bson import Binary, Int64

from mongodb import MongoError, _core


def begin(client: _core.Client) -> dict[str, Any]:
    lsid = {"id": Binary(uuid.uuid4().bytes, 4)}
    own = {"lsid": lsid, "txnNumber": Int64(1), "autocommit": False}
    client.run("db", {"find": "c", "startTransaction": True, **own})
    return own


def test_a_transaction_may_pause_once_a_long_log_has_ended(tmp_path: pathlib.Path) -> None:
    path = tmp_path / "long.docstore"
    with _core.Client(f"docstore://{path}?idleTransactionMS=300") as client:
        client.run("db", {"insert": "c", "documents": [{"_id": 1}]})
        held = begin(client)
        large = b"\0" * 15_000_000
        for n in range(6):
            client.run("db", {"insert": "large", "documents": [{"_id": n, "x": large}]})
        log = pathlib.Path(f"{path}-wal")
        assert log.stat().st_size > 64 << 20
        with pytest.raises(MongoError, match="kept the log from ending"):
            while True:  # until it is ended
                client.run("db", {"find": "c", **held})
                time.sleep(0.6)
        for n in range(3):
            client.run("db", {"insert": "c", "documents": [{"n": n}]})
        assert os.path.getsize(log) < 64 << 20
        own = begin(client)
        time.sleep(1.5)
        assert client.run("db", {"find": "c", **own})["ok"] == 1


def test_only_who_is_left_behind_keeps_the_log_from_ending(
    tmp_path: pathlib.Path, caplog: pytest.LogCaptureFixture
) -> None:
    """Transactions that follow each other without a pause are not told to have been left open."""
    large = b"\0" * 15_000_000
    for left_open in (False, True):
        with _core.Client(f"docstore://{tmp_path / str(left_open)}.docstore") as client:
            client.run("db", {"insert": "c", "documents": [{"_id": 1}]})
            held = [begin(client)]
            for n in range(6):
                client.run("db", {"insert": "large", "documents": [{"_id": n, "x": large}]})
                held.append(begin(client))
                if not left_open:
                    client.run("admin", {"abortTransaction": 1, **held.pop(0)})
        told = caplog.text
        caplog.clear()
        assert ("this process reads an old state" in told) == left_open, told
