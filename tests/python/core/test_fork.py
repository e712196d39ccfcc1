# SPDX-License-Identifier: Apache-2.0
"""A process that forks in the middle of a transaction."""

import os
import pathlib

import pytest

from mongodb import _core
from mongodb.errors import MongoError

DB = "fork_test"
MEGABYTES = 100  # more than the page cache: part of the transaction is in the log already


@pytest.mark.parametrize("ending", ["abort", "commit", "close", "leave"])
def test_a_child_leaves_its_parents_transaction_alone(ending: str, tmp_path: pathlib.Path) -> None:
    client = _core.Client(f"docstore://{tmp_path}/t.docstore")
    client.run(DB, {"create": "c"})
    session = client.session()
    session.begin()
    for i in range(MEGABYTES // 10):
        document = {"_id": i, "text": chr(97 + i) * (10 << 20)}
        client.run(DB, {"insert": "c", "documents": [document]}, session=session)
    child = os.fork()
    if child == 0:
        try:
            if ending != "leave":
                getattr(session, ending)()
            del session, client
        except MongoError:
            pass
        finally:
            os._exit(0)
    os.waitpid(child, 0)
    for i in range(MEGABYTES // 10):
        find = {"find": "c", "filter": {"_id": i}}
        found = client.run(DB, find, session=session)["cursor"]["firstBatch"]
        assert set(found[0]["text"]) == {chr(97 + i)}
    session.commit()
    assert client.run(DB, {"count": "c"})["n"] == MEGABYTES // 10
    assert client.run(DB, {"validate": "c", "full": True})["valid"]
    client.close()
