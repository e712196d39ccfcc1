# SPDX-License-Identifier: Apache-2.0
"""What plans decide: list pages, pages far on, distinct, counts and covered finds by an index."""

from typing import Any

from support import compare

from mongodb import _core

COUNT = 300_000
INDEXES: tuple[dict[str, int], ...] = ({"st": 1}, {"ts": 1}, {"n": 1}, {"tags": 1}, {"name": 1})
Work = tuple[str, dict[str, Any], float]

PAGE = {"find": "c", "filter": {"st": "open"}, "sort": {"ts": -1}, "limit": 20}
WORK: tuple[Work, ...] = (
    ("a page of 20, filter on one field, sort on another", PAGE, 1),
    ("the same, two values", {**PAGE, "filter": {"st": {"$in": ["open", "new"]}}}, 1),
    (
        "filter on two fields, few by the second",
        {"find": "c", "filter": {"st": "open", "ts": {"$gte": COUNT - 100}}},
        1,
    ),
    (
        "page 1,700 of 20 by an index (skip 34,000)",
        {"find": "c", "sort": {"ts": 1}, "skip": 34_000, "limit": 20},
        2,
    ),
    ("distinct of 100 values over an index", {"distinct": "c", "key": "n"}, 1),
    (
        "count of 15,000 by an index range",
        {"count": "c", "query": {"n": {"$gte": 10, "$lt": 15}}},
        1,
    ),
    ("the same, multikey", {"count": "c", "query": {"tags": {"$gte": 45}}}, 1),
    (
        "covered find of 5,000 strings",
        {
            "find": "c",
            "filter": {"name": {"$gte": "name 1"}},
            "projection": {"name": 1, "_id": 0},
            "limit": 5_000,
            "batchSize": 5_000,
        },
        2,
    ),
    (
        "covered find of 5,000 numbers",
        {
            "find": "c",
            "filter": {"ts": {"$gte": 1_000}},
            "projection": {"ts": 1, "_id": 0},
            "limit": 5_000,
            "batchSize": 5_000,
        },
        2,
    ),
)


def document(number: int) -> dict[str, Any]:
    return {
        "_id": number,
        "st": ("open", "new", "closed", "done")[number % 4],
        "ts": number,
        "n": number * 7 % 100,
        "tags": [number % 50, number % 30],
        "name": f"name {number}",
        "bio": "Lorem ipsum dolor sit amet, consectetur adipiscing elit. " * 4,
    }


def fill(client: _core.Client) -> None:
    client.run("bench", {"drop": "c"}, check=False)
    for first in range(0, COUNT, 5_000):
        documents = [document(number) for number in range(first, first + 5_000)]
        client.run("bench", {"insert": "c", "documents": documents})
    indexes = [{"key": key, "name": next(iter(key))} for key in INDEXES]
    client.run("bench", {"createIndexes": "c", "indexes": indexes})


def examined(client: _core.Client, command: dict[str, Any]) -> str:
    told = client.run("bench", {"explain": command, "verbosity": "executionStats"})
    stats = told["executionStats"]
    return f"{stats['totalDocsExamined']:,}/{stats['totalKeysExamined']:,}"


def rows(uri: str, folder: str, rounds: int) -> list[dict[str, Any]]:
    clients = {
        "ours": _core.Client(f"docstore://{folder}/plan.docstore"),
        "mongod": _core.Client(uri),
    }
    for client in clients.values():
        fill(client)
    found = []
    for work, command, target in WORK:

        def run(client: _core.Client, command: dict[str, Any] = command) -> None:
            client.run_raw("bench", command)

        times = compare(
            {name: lambda c=client: run(c) for name, client in clients.items()},  # type: ignore[misc]
            rounds,
        )
        looked = {name: examined(client, command) for name, client in clients.items()}
        found.append(
            {
                "work": f"{work} (documents/keys examined: {looked['ours']}, {looked['mongod']})",
                "ours": f"{times['ours'].wall * 1e3:.2f} ms",
                "peer": f"{times['mongod'].wall * 1e3:.2f} ms",
                "ratio": times["mongod"].wall / times["ours"].wall,
                "target": target,
            }
        )
    for client in clients.values():
        client.close()
    return found
