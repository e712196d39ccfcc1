# SPDX-License-Identifier: Apache-2.0
"""Write the fuzzers' first inputs, taken from the language's cases, into a folder.

    python fuzz/seeds.py FOLDER    FOLDER/bson/…, FOLDER/filter/…

fuzz/corpus/ holds inputs that once failed; it is read besides.
"""

import hashlib
import pathlib
import random
import struct
import sys
from collections.abc import Iterator
from typing import Any

import bson

ROOT = pathlib.Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT / "tests" / "lang"))
import record  # noqa: E402

LARGEST = 2500
DOCUMENTS = 4


def cases() -> Iterator[tuple[dict[str, Any], list[bytes]]]:
    for path in sorted((ROOT / "tests" / "lang").glob("*.json")):
        for case in record.cases_of(record.load(path)):
            yield case["command"], [bson.encode(doc) for doc in case["docs"][:DOCUMENTS]]


def message(command: bytes, documents: list[bytes]) -> bytes:
    """An OP_MSG with a body and, if there are documents, a sequence of them."""
    body = struct.pack("<I", 0) + b"\0" + command
    if documents:
        section = b"documents\0" + b"".join(documents)
        body += b"\1" + struct.pack("<i", len(section) + 4) + section
    return struct.pack("<iiii", len(body) + 16, 1, 0, 2013) + body


def inputs(command: dict[str, Any], docs: list[bytes]) -> Iterator[tuple[str, bytes]]:
    """The inputs a case gives, each with the fuzzer it is for."""
    name = next(iter(command))
    all_docs = b"".join(docs)
    if docs:
        yield "bson", docs[0]
        yield (
            "key",
            bson.encode({str(i): value for i, value in enumerate(bson.decode(docs[0]).values())}),
        )
    if name == "find":
        yield "filter", bson.encode(command.get("filter", {})) + (docs or [bson.encode({})])[0]
    elif name == "aggregate":
        yield "pipeline", bson.encode({"pipeline": command["pipeline"]}) + all_docs
        for stage in command["pipeline"]:
            for value in (
                stage.get("$project", {}).values()
                if isinstance(stage.get("$project"), dict)
                else ()
            ):
                yield "pipeline", bson.encode({"expr": value}) + all_docs
    elif name == "update":
        for statement in command["updates"]:
            yield "update", bson.encode(statement) + all_docs
    insert = bson.encode({"insert": "c", "documents": [bson.decode(doc) for doc in docs]})
    encoded = bson.encode(command)
    yield "command", (insert if docs else b"") + encoded
    yield "frame", message(encoded, docs[:1])


def shape(value: Any) -> Any:
    """What an input looks like: names that mean something, and types. Of inputs of one shape the
    first is kept: the fuzzer finds the others by itself, and fast instead of reading them all."""
    if isinstance(value, dict):
        return tuple(
            (key if key.startswith("$") else "", shape(inner)) for key, inner in value.items()
        )
    if isinstance(value, list):
        return ("array", *dict.fromkeys(shape(inner) for inner in value))
    return type(value).__name__


def sessions() -> Iterator[bytes]:
    """Steps of fuzz_session: a client and a collection, an action, a number."""
    for action in range(20):
        yield bytes([0, 0, 9, 0, 4, 4, 0, action, 1, 0, 7, 0])
    yield bytes([0, 0, 9, 0, 10, 0, 0, 0, 29, 0, 4, 4, 0, 7, 0, 1, 1, 3, 0, 11, 0])
    yield bytes([0, 0, 9, 0, 5, 4, 1, 2, 0, 0, 7, 0, 0, 5, 4, 0, 15, 0, 0, 5, 4])
    yield bytes([0, 0, 9, 0, 13, 1, 0, 10, 0, 0, 1, 5, 1, 14, 1, 0, 12, 0, 0, 16, 1])


def query(command: bytes) -> bytes:
    """An OP_QUERY: the oldest handshake."""
    body = struct.pack("<I", 0) + b"admin.$cmd\0" + struct.pack("<ii", 0, -1) + command
    return struct.pack("<iiii", len(body) + 16, 1, 0, 2004) + body


def connections() -> Iterator[bytes]:
    """What fuzz_connection is given: how it is sent, then messages."""
    hello = {"hello": 1, "helloOk": True, "$db": "admin", "compression": ["zlib"]}
    hello["client"] = {"driver": {"name": "x", "version": "1"}, "os": {"type": "Linux"}}
    hello["speculativeAuthenticate"] = {"saslStart": 1, "mechanism": "SCRAM-SHA-256", "db": "a"}
    news = {"processId": bson.ObjectId(b"\0" * 12), "counter": bson.Int64(0)}
    awaited = {"hello": 1, "$db": "admin", "topologyVersion": news, "maxAwaitTimeMS": 10}
    session = {"id": bson.Binary(b"\1" * 16, 4)}
    inside = {"lsid": session, "txnNumber": bson.Int64(1), "autocommit": False, "$db": "d"}
    commands: list[dict[str, Any]] = [
        {"insert": "c", "documents": [{"_id": 1}, {"_id": 2}], "$db": "d"},
        {"find": "c", "batchSize": 1, "$db": "d"},
        {"insert": "c", "documents": [{"_id": 3}], "startTransaction": True, **inside},
        {"commitTransaction": 1, **inside, "$db": "admin"},
        {"saslStart": 1, "mechanism": "PLAIN", "payload": b"x", "$db": "admin"},
        {"endSessions": [session], "$db": "admin"},
    ]
    messages = [message(bson.encode(hello), []), query(bson.encode({"isMaster": 1}))]
    messages += [message(bson.encode(command), []) for command in commands]
    exhaust = bytearray(message(bson.encode(awaited), []))
    exhaust[18] = 1
    messages += [
        bytes(exhaust),
        message(bson.encode({"insert": "c", "$db": "d"}), [bson.encode({})]),
    ]
    silent = bytearray(messages[2])
    silent[16] = 2
    messages.append(bytes(silent))
    yield from (bytes([how]) + one for one in messages for how in (0, 1, 2, 24))
    yield from (bytes([how]) + b"".join(messages) for how in (0, 1, 2, 24))


def damages() -> Iterator[bytes]:
    """Changes of a store's file: options, then {where, how long, what} a few times."""
    chance = random.Random(1)
    for options in [0, 1, 2] * 30:
        data = bytes([options])
        for _ in range(chance.randint(1, 4)):
            size = chance.choice([1, 1, 2, 8, 40])
            data += struct.pack("<I", chance.randrange(1 << 18))[:3] + bytes([size])
            data += chance.randbytes(size)
        yield data


def write(folder: pathlib.Path, fuzzer: str, data: bytes) -> None:
    target = folder / fuzzer
    target.mkdir(parents=True, exist_ok=True)
    (target / hashlib.sha1(data).hexdigest()).write_bytes(data)


def main(folder: pathlib.Path) -> None:
    for data in sessions():
        write(folder, "session", data)
    seen = set()
    for command, docs in cases():
        try:
            looks = repr((next(iter(command)), shape(command)))
            for fuzzer, data in inputs(command, docs):
                if fuzzer in ("command", "frame") and (fuzzer, looks) in seen:
                    continue
                if len(data) <= LARGEST:
                    seen.add((fuzzer, looks))
                    write(folder, fuzzer, data)
        except (bson.errors.BSONError, KeyError, TypeError, AttributeError):
            continue  # a case of wrong types
    for data in damages():
        write(folder, "store", data)
    for data in connections():
        write(folder, "connection", data)


if __name__ == "__main__":
    main(pathlib.Path(sys.argv[1]))
