# SPDX-License-Identifier: Apache-2.0
"""Whatever plan is chosen, a query finds what a scan of the whole collection finds.

PLAN_SEEDS=400 runs more collections than the suite does; PLAN_MONGOD=1 asks mongod too.
"""

import collections
import datetime
import decimal
import os
import random
import re
from collections.abc import Iterator
from typing import Any

import bson
import pytest

from mongodb import _core

FIELDS = ("a", "b", "c.d", "c.e", "f")
SCALARS: tuple[Any, ...] = (
    None,
    0,
    1,
    2,
    -1,
    2.5,
    float("nan"),
    bson.Int64(2),
    bson.Decimal128("2.5"),
    -0.0,
    bson.Int64(2**53 - 1),
    bson.Int64(2**53 + 1),
    float(2**53),
    bson.Decimal128("9007199254740993"),
    bson.Decimal128("-0"),
    bson.Decimal128("NaN"),
    "",
    "ab",
    "abc",
    "b",
    True,
    False,
    {"x": 1},
    {},
    datetime.datetime(2020, 1, 1),
    bson.ObjectId("5f0000000000000000000001"),
    bson.Binary(b"ab", 0),
    bson.MinKey(),
    bson.MaxKey(),
    bson.Regex("^ab"),
    bson.Timestamp(1, 1),
)
KEYS: tuple[dict[str, Any], ...] = (
    {"a": 1},
    {"a": -1},
    {"b": 1, "a": -1},
    {"c.d": 1},
    {"c.d": 1, "c.e": 1},
    {"c": 1},
    {"f": 1, "b": 1, "a": 1},
    {"a": 1, "c.e": -1},
    {"b": -1, "f": 1},
    {"b": 1, "f": -1, "a": 1},
    {"a": "hashed"},
    {"f": 1, "a": "hashed"},
    {"c.d": -1, "b": 1},
    {"a": 1, "f": 1},
)


def value(r: random.Random, depth: int = 0) -> Any:
    if depth < 2 and r.random() < 0.25:
        return [value(r, depth + 1) for _ in range(r.randrange(4))]
    return r.choice(SCALARS)


def document(r: random.Random, i: int, arrays: bool) -> dict[str, Any]:
    doc: dict[str, Any] = {"_id": i}
    pick = (lambda: value(r)) if arrays else (lambda: r.choice(SCALARS))
    for name in ("a", "b", "f"):
        if r.random() < 0.8:
            doc[name] = pick()
    if arrays and "a" in doc and isinstance(doc["a"], list):
        for name in ("b", "f"):  # no index over two arrays
            if isinstance(doc.get(name), list):
                doc[name] = r.choice(SCALARS)
    elif isinstance(doc.get("b"), list) and isinstance(doc.get("f"), list):
        doc["f"] = 1

    def inner() -> dict[str, Any]:
        return {k: r.choice(SCALARS) for k in ("d", "e") if r.random() < 0.8}

    flat = not any(isinstance(doc.get(k), list) for k in ("a", "b", "f"))
    if arrays and flat and r.random() < 0.4:
        doc["c"] = [r.choice((inner(), inner(), 1, None)) for _ in range(r.randrange(4))]
    elif r.random() < 0.8:
        doc["c"] = inner()
    return doc


def predicate(r: random.Random) -> Any:
    v = value(r) if r.random() < 0.3 else r.choice(SCALARS)
    plain = v if not isinstance(v, bson.Regex) else 1
    return r.choice(
        (
            lambda: v,
            lambda: {"$eq": plain},
            lambda: {r.choice(("$gt", "$gte", "$lt", "$lte")): plain},
            lambda: {"$gte": plain, "$lt": r.choice(SCALARS[:21])},
            lambda: {"$ne": plain},
            lambda: {"$in": [r.choice(SCALARS) for _ in range(r.randrange(4))]},
            lambda: {"$nin": [r.choice(SCALARS) for _ in range(r.randrange(3))]},
            lambda: {"$exists": r.random() < 0.5},
            lambda: {"$type": r.choice(("int", "number", "string", "null", "object", "array"))},
            lambda: {"$not": {r.choice(("$gt", "$lt", "$gte", "$lte")): plain}},
            lambda: {"$elemMatch": {"$gte": plain, "$lt": r.choice(SCALARS[:21])}},
            lambda: {"$all": [plain, r.choice(SCALARS[:19])]},
            lambda: {"$size": r.randrange(3)},
            lambda: re.compile(r.choice(("^a", "^ab", "b", "^ab?"))),
            lambda: {"$mod": [2, r.randrange(2)]},
        )
    )()


def query(r: random.Random, depth: int = 0) -> dict[str, Any]:
    if depth < 2 and r.random() < 0.25:
        op = r.choice(("$or", "$and", "$nor"))
        return {op: [query(r, depth + 1) for _ in range(r.randrange(1, 4))]}
    if r.random() < 0.1:
        return {"c": {"$elemMatch": {"d": predicate(r), "e": predicate(r)}}}
    return {r.choice(FIELDS): predicate(r) for _ in range(r.randrange(1, 4))}


def sort(r: random.Random) -> dict[str, int]:
    fields = r.sample(FIELDS, r.randrange(1, 3))
    return {f: r.choice((1, -1)) for f in fields}


@pytest.fixture
def client() -> Iterator[_core.Client]:
    client = _core.Client("docstore://:memory:")
    yield client
    client.close()


def ids(client: _core.Client, command: dict[str, Any]) -> Any:
    reply = client.run("t", {**command, "batchSize": 10_000}, check=False)
    if not reply["ok"]:
        return reply["code"]
    return [d["_id"] for d in reply["cursor"]["firstBatch"]]


def make_indexes(r: random.Random) -> list[dict[str, Any]]:
    indexes = []
    for i, key in enumerate(r.sample(KEYS, 5)):
        spec: dict[str, Any] = {"key": key, "name": f"i{i}"}
        kind = r.random()
        if kind < 0.2 and "hashed" not in key.values():
            spec["sparse"] = True
        elif kind < 0.3 and "hashed" not in key.values():
            spec["unique"] = True
        elif kind < 0.5:
            field = r.choice(("a", "b", "f"))
            spec["partialFilterExpression"] = r.choice(
                (
                    {field: {"$exists": True}},
                    {field: {"$gt": 0}},
                    {field: {"$type": "string"}},
                    {field: {"$lte": "abc"}},
                )
            )
        indexes.append(spec)
    return indexes


def whole(spec: dict[str, Any]) -> bool:
    """Whether the index has an entry for each document."""
    return "sparse" not in spec and "partialFilterExpression" not in spec


class Checker:
    """Asks a query in every way there is and compares with a scan."""

    def __init__(
        self, client: _core.Client, docs: list[dict[str, Any]], specs: list[dict[str, Any]]
    ) -> None:
        self.client = client
        self.docs = {d["_id"]: d for d in docs}
        self.specs = specs
        self.hints = [s["name"] for s in specs if whole(s)]
        self.ranks: dict[str, Any] = {}

    def rank(self, order: dict[str, int]) -> dict[int, int]:
        """The place of each document in an order; those the order does not tell apart share one."""
        name = repr(order)
        if name not in self.ranks:
            up, down = (
                ids(
                    self.client, {"find": "c", "sort": {**order, "_id": d}, "hint": {"$natural": 1}}
                )
                for d in (1, -1)
            )
            place = {one: at for at, one in enumerate(down)}
            rank, ranks = 0, {}
            for at, one in enumerate(up):
                rank += at > 0 and place[one] > place[up[at - 1]]
                ranks[one] = rank
            self.ranks[name] = ranks
        return self.ranks[name]

    def ways(self, command: dict[str, Any]) -> Iterator[Any]:
        """The answer of every index, and of the planner: raced, raced again, remembered."""
        for hint in self.hints:
            yield hint, ids(self.client, {**command, "hint": hint})
        for turn in range(3):
            yield turn, ids(self.client, command)

    def directed(self, r: random.Random) -> tuple[dict[str, Any], dict[str, int]]:
        """A query an index is made for: values of its first part, in the second's order."""
        keys = [list(s["key"]) for s in self.specs if len(s["key"]) > 1] or [["a", "f"]]
        first, second, *_ = r.choice(keys)
        there = [d[first] for d in self.docs.values() if first in d] or [1]
        there = [v for v in there if not isinstance(v, (bson.Regex, list))] or [1]
        order = {second: r.choice((1, -1))}
        other = r.choice([k for k in ("a", "b") if k != first])
        return r.choice(
            (
                {},
                {first: {"$in": [r.choice(there) for _ in range(3)]}},
                {first: {"$in": [r.choice(there) for _ in range(30)]}},
                {"$or": [{first: r.choice(there)}, {other: {"$in": there[:5]}}]},
                {"$or": [{first: r.choice(there)}, {first: {"$in": there[:3]}, other: there[0]}]},
            )
        ), order

    def check(
        self, r: random.Random, filter: dict[str, Any], order: dict[str, int] | None = None
    ) -> None:
        command: dict[str, Any] = {"find": "c", "filter": filter}
        scan = ids(self.client, {**command, "hint": {"$natural": 1}})
        for way, found in self.ways(command):
            assert found == scan if isinstance(scan, int) else sorted(found) == sorted(scan), (
                command,
                way,
            )
        if isinstance(scan, int):
            return
        for hint in ({}, *({"hint": h} for h in self.hints)):
            counted = self.client.run("t", {"count": "c", "query": filter, **hint})["n"]
            assert counted == len(scan), (command, hint)
        self.check_sorted(r, command, scan, order or sort(r))
        self.check_pages(r, command, scan)
        self.check_covered(r, command)

    def check_sorted(
        self,
        r: random.Random,
        command: dict[str, Any],
        scan: list[int],
        order: dict[str, int],
    ) -> None:
        ordered = {**command, "sort": order}
        plain = ids(self.client, {**ordered, "hint": {"$natural": 1}})
        if isinstance(plain, int):
            return
        if isinstance(ids(self.client, {"find": "c", "sort": order, "hint": {"$natural": 1}}), int):
            return
        rank = self.rank(order)
        for way, found in self.ways(ordered):
            assert sorted(found) == sorted(scan), (ordered, way)
            got = [rank[i] for i in found]
            assert got == sorted(got), (ordered, way)
        page = {**ordered, "skip": r.randrange(4), "limit": r.randrange(1, 12)}
        first = plain[page["skip"] : page["skip"] + page["limit"]]
        for way, found in self.ways(page):
            assert len(found) == len(first), (page, way)
            assert set(found) <= set(scan), (page, way)
            assert [rank[i] for i in found] == [rank[i] for i in first], (page, way)

    def check_covered(self, r: random.Random, command: dict[str, Any]) -> None:
        """Projections an index may answer by itself."""
        field = r.choice(("a", "b", "f", "_id"))
        part = {field: 1} if field == "_id" else {field: 1, "_id": 0}
        want = None
        for hint in ({"$natural": 1}, *self.hints, None):
            asked = {**command, "projection": part, "batchSize": 50, "skip": 1}
            if hint is not None:
                asked["hint"] = hint
            if want is not None and r.random() < 0.5:
                asked |= {"sort": {field: 1}, "skip": 0}
            reply = self.client.run("t", asked, check=False)
            if not reply["ok"]:
                continue
            got = reply["cursor"]["firstBatch"]
            while reply["cursor"]["id"]:
                more = {"getMore": reply["cursor"]["id"], "collection": "c", "batchSize": 5}
                reply = self.client.run("t", more)
                got += reply["cursor"]["nextBatch"]
            have = sorted(map(repr, got))
            if want is None:
                everything = {**command, "projection": part, "hint": hint, "batchSize": 10_000}
                all_of = self.client.run("t", everything)["cursor"]["firstBatch"]
                want = sorted(map(repr, all_of))
            if asked["skip"]:
                assert len(have) == max(0, len(want) - 1), asked
                assert not collections.Counter(have) - collections.Counter(want), asked
            else:
                assert have == want, asked

    def check_pages(self, r: random.Random, command: dict[str, Any], scan: list[int]) -> None:
        """Skips, limits, projections and batches of one, which stop between two documents."""
        skip, limit = r.randrange(6), r.randrange(1, 8)
        page = {**command, "skip": skip, "limit": limit, "projection": {"a": 1}}
        for hint in ({}, *({"hint": h} for h in self.hints)):
            found = ids(self.client, {**page, **hint})
            assert len(found) == max(0, min(limit, len(scan) - skip)), (page, hint)
            assert len(set(found)) == len(found) and set(found) <= set(scan), (page, hint)
        reply = self.client.run("t", {**command, "batchSize": 1})
        got = [d["_id"] for d in reply["cursor"]["firstBatch"]]
        while reply["cursor"]["id"]:
            more = {"getMore": reply["cursor"]["id"], "collection": "c", "batchSize": 3}
            reply = self.client.run("t", more)
            got += [d["_id"] for d in reply["cursor"]["nextBatch"]]
        assert sorted(got) == sorted(scan), command


def same(v: Any) -> Any:
    """A value as the keys of an index have it: 1 and 1.0 are one."""
    if isinstance(v, dict):
        return {name: same(part) for name, part in v.items()}
    if isinstance(v, list):
        return [same(part) for part in v]
    number = v.to_decimal() if isinstance(v, bson.Decimal128) else v
    if isinstance(number, (int, float, decimal.Decimal)) and not isinstance(number, bool):
        exact = decimal.Decimal(number)
        return "number" if exact.is_nan() else exact.normalize() + 0
    return v


def refill(r: random.Random, client: _core.Client, arrays: bool) -> Checker:
    docs = [document(r, i, arrays) for i in range(120)]
    specs = make_indexes(r)
    client.run("t", {"drop": "c"}, check=False)
    made = []
    for spec in specs:
        if client.run("t", {"createIndexes": "c", "indexes": [spec]}, check=False)["ok"]:
            made.append(spec)
    insert = {"insert": "c", "documents": docs, "ordered": False}
    failed = {e["index"] for e in client.run("t", insert, check=False).get("writeErrors", [])}
    return Checker(client, [d for d in docs if d["_id"] not in failed], made)


SEEDS = int(os.environ.get("PLAN_SEEDS", "8"))


@pytest.mark.parametrize("arrays", [False, True])
@pytest.mark.parametrize("seed", range(SEEDS))
def test_index_plans_find_what_a_scan_finds(client: _core.Client, seed: int, arrays: bool) -> None:
    r = random.Random(seed * 2 + arrays)
    checker = refill(r, client, arrays)
    for at in range(60):
        checker.check(r, *(checker.directed(r) if at % 3 == 0 else (query(r),)))


@pytest.mark.parametrize("seed", range(SEEDS))
def test_distinct_by_index_has_the_values_of_a_scan(client: _core.Client, seed: int) -> None:
    r = random.Random(1000 + seed)
    checker = refill(r, client, arrays=seed % 2 == 1)
    client.run("t", {"insert": "plain", "documents": list(checker.docs.values())})
    for field in (*FIELDS, "c", "_id"):
        for filter in ({}, query(r, 2), {field: predicate(r)}):
            command = {"key": field, "query": filter}
            found = client.run("t", {"distinct": "c", **command}, check=False)
            expected = client.run("t", {"distinct": "plain", **command}, check=False)
            if not expected["ok"]:
                assert found["code"] == expected["code"]
                continue
            values, wanted = found["values"], expected["values"]
            assert sorted(map(repr, map(same, values))) == sorted(map(repr, map(same, wanted))), (
                command
            )


@pytest.mark.skipif("PLAN_MONGOD" not in os.environ, reason="on request")
@pytest.mark.parametrize("seed", range(SEEDS))
def test_index_plans_find_what_mongod_finds(client: _core.Client, mongod: str, seed: int) -> None:
    r = random.Random(2000 + seed)
    checker = refill(r, client, arrays=seed % 2 == 1)
    other = _core.Client(mongod)
    other.run("agree", {"drop": "c"}, check=False)
    other.run("agree", {"insert": "c", "documents": list(checker.docs.values())})
    for _ in range(100):
        command = {"find": "c", "filter": query(r), "batchSize": 10_000}
        found = ids(client, command)
        reply = other.run("agree", command, check=False)
        if not reply["ok"]:
            assert found == reply["code"], command
            continue
        assert sorted(found) == sorted(d["_id"] for d in reply["cursor"]["firstBatch"]), command
    other.close()


def test_partial_index_on_a_type_serves_only_that_type(client: _core.Client) -> None:
    docs = [{"_id": 1, "a": "x", "b": 1}, {"_id": 2, "a": None, "b": 1}, {"_id": 3, "a": 5, "b": 1}]
    client.run("t", {"insert": "c", "documents": docs})
    partial = {"a": {"$type": "string"}}
    spec = {"key": {"b": 1}, "name": "b_1", "partialFilterExpression": partial}
    client.run("t", {"createIndexes": "c", "indexes": [spec]})
    for kind, found in (("null", [2]), ("string", [1]), ("int", [3])):
        assert ids(client, {"find": "c", "filter": {"b": 1, "a": {"$type": kind}}}) == found
