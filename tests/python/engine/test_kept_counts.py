# SPDX-License-Identifier: Apache-2.0
"""What a connection keeps of a collection between two writes is what the file says, whoever else
writes meanwhile."""

import contextlib
import pathlib
import random

from mongodb import _core
from mongodb.errors import MongoError


class World:
    """Two clients of one file, as two processes have them, and what must be in it."""

    def __init__(self, path: pathlib.Path, chance: random.Random) -> None:
        self.chance = chance
        self.clients = [_core.Client(f"docstore://{path}") for _ in range(2)]
        self.expected: dict[str, set[int]] = {"a": set(), "b": set()}
        self.next = 0

    def insert(self, client: _core.Client, name: str) -> None:
        count = self.chance.choice([1, 1, 1, 3, 40])
        ids = range(self.next, self.next + count)
        self.next += count
        client.run("t", {"insert": name, "documents": [{"_id": i, "n": i % 5} for i in ids]})
        self.expected[name].update(ids)

    def delete(self, client: _core.Client, name: str) -> None:
        n = self.chance.randrange(5)
        client.run("t", {"delete": name, "deletes": [{"q": {"n": n}, "limit": 0}]})
        self.expected[name] = {i for i in self.expected[name] if i % 5 != n}

    def drop(self, client: _core.Client, name: str) -> None:
        with contextlib.suppress(MongoError):  # it may be missing
            client.run("t", {"drop": name})
        self.expected[name] = set()

    def fail(self, client: _core.Client, name: str) -> None:
        if not self.expected[name]:
            return
        held = next(iter(self.expected[name]))
        documents = [{"_id": i, "n": i % 5} for i in (self.next + 1, held, self.next)]
        client.run("t", {"insert": name, "documents": documents, "ordered": True})
        self.expected[name].add(self.next + 1)
        self.next += 2

    def abort(self, client: _core.Client, name: str) -> None:
        session = client.session()
        session.begin()
        client.run("t", {"insert": name, "documents": [{"_id": "undone"}]}, session)
        session.abort()

    def check(self) -> None:
        for client in self.clients:
            for name, expected in self.expected.items():
                assert client.run("t", {"count": name})["n"] == len(expected)
                found = {d["_id"] for d in client.cursor("t", {"find": name})}
                assert found == expected


def test_two_clients_that_write_in_turn_count_the_same(tmp_path: pathlib.Path) -> None:
    chance = random.Random(20)
    world = World(tmp_path / "x.docstore", chance)
    works = [world.insert, world.insert, world.insert, world.delete, world.fail, world.abort]
    for step in range(400):
        work = world.drop if step % 50 == 49 else chance.choice(works)
        client = world.clients[chance.random() < 0.5]
        work(client, chance.choice(["a", "b"]))
        if chance.random() < 0.3:
            world.check()
    for client in world.clients:
        for name in world.expected:
            world.insert(client, name)
            assert client.run("t", {"validate": name})["valid"]
        client.close()
