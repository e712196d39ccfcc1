# SPDX-License-Identifier: Apache-2.0
"""Record numbers are never given twice: what comes after the last document is new, and found."""

import pathlib
import random

import pytest

from mongodb import _core


def numbers(client: _core.Client, name: str = "c") -> dict[object, int]:
    found = client.cursor("db", {"find": name, "showRecordId": True})
    return {document["_id"]: document["$recordId"] for document in found}


def insert(client: _core.Client, *ids: object, session: _core.Session | None = None) -> None:
    documents = [{"_id": name} for name in ids]
    client.run("db", {"insert": "c", "documents": documents}, session=session)


def delete(client: _core.Client, query: object, session: _core.Session | None = None) -> None:
    client.run("db", {"delete": "c", "deletes": [{"q": query, "limit": 0}]}, session=session)


@pytest.fixture
def client() -> _core.Client:
    return _core.Client("docstore://:memory:")


def test_a_cursor_between_batches_misses_no_new_document(client: _core.Client) -> None:
    insert(client, *range(5))
    cursor = client.cursor("db", {"find": "c", "batchSize": 5})
    assert [next(cursor)["_id"] for _ in range(5)] == [0, 1, 2, 3, 4]
    delete(client, {"_id": 4})
    insert(client, "new")
    assert [document["_id"] for document in cursor] == ["new"]


def test_numbers_grow_across_deletes_restarts_and_clearing(tmp_path: pathlib.Path) -> None:
    path = tmp_path / "store.docstore"
    with _core.Client(f"docstore://{path}") as client:
        insert(client, 1, 2, 3)
        delete(client, {"_id": {"$gte": 2}})
        insert(client, "after")
        assert numbers(client)["after"] == 4
        delete(client, {"_id": "after"})
    with _core.Client(f"docstore://{path}") as client:
        insert(client, "restarted")
        assert numbers(client) == {1: 1, "restarted": 5}
        delete(client, {})
        insert(client, "cleared")
        assert numbers(client) == {"cleared": 6}
        client.run("db", {"compact": "c"})
        client.run("db", {"renameCollection": "db.c", "to": "db.d"}, check=False)
        insert(client, "again")
        assert numbers(client) == {"cleared": 6, "again": 7}


def test_numbers_grow_across_savepoints_and_drops(client: _core.Client) -> None:
    insert(client, 1)
    session = client.session()
    session.begin({"savepoints": True})
    insert(client, *range(2, 60), session=session)
    client.run("db", {"savepoint": "s"}, session=session)
    insert(client, "undone", session=session)
    client.run("db", {"create": "made"}, session=session)
    client.run("db", {"rollbackToSavepoint": "s"}, session=session)
    insert(client, "kept", session=session)
    client.run("db", {"savepoint": "t"}, session=session)
    client.run("db", {"drop": "c"}, session=session)
    client.run("db", {"rollbackToSavepoint": "t"}, session=session)
    insert(client, "last", session=session)
    client.run("db", {"savepoint": "u"}, session=session)
    delete(client, {}, session=session)
    insert(client, "gone", session=session)
    client.run("db", {"rollbackToSavepoint": "u"}, session=session)
    session.commit()
    session.close()
    found = numbers(client)
    assert found["kept"] > 60 and found["last"] > found["kept"]
    assert len(found) == 61 == client.run("db", {"count": "c"})["n"]
    insert(client, "more")
    assert numbers(client)["more"] > found["last"]
    assert client.run("db", {"validate": "c"})["valid"]


def test_a_drop_in_a_transaction_leaves_nothing(client: _core.Client) -> None:
    insert(client, 1, 2)
    session = client.session()
    session.begin({"savepoints": True})
    insert(client, 3, session=session)
    client.run("db", {"drop": "c"}, session=session)
    insert(client, 4, session=session)
    session.commit()
    session.close()
    assert numbers(client) == {4: 1}
    assert client.run("db", {"count": "c"})["n"] == 1
    assert client.run("db", {"validate": "c"})["valid"]


@pytest.mark.parametrize("seed", range(3))
def test_counts_and_order_hold_for_random_writes(seed: int) -> None:
    chance = random.Random(seed)
    given: dict[object, int] = {}
    with _core.Client("docstore://:memory:") as client:
        for step in range(120):
            count = chance.choice([1, 1, 2, 40])
            insert(client, *(f"{step}-{n}" for n in range(count)))
            if chance.random() < 0.4:
                last = max(numbers(client).items(), key=lambda item: item[1])[0]
                delete(client, {"_id": last})
            if chance.random() < 0.1:
                delete(client, {} if chance.random() < 0.3 else {"_id": {"$regex": "7$"}})
            found = numbers(client)
            assert client.run("db", {"count": "c"})["n"] == len(found)
            backward = client.cursor("db", {"find": "c", "hint": {"$natural": -1}})
            assert [document["_id"] for document in backward] == list(reversed(found))
            new = {name: number for name, number in found.items() if name not in given}
            assert all(found[name] == given[name] for name in found if name in given)
            assert not set(new.values()) & set(given.values())
            given |= new
        assert client.run("db", {"validate": "c"})["valid"]
