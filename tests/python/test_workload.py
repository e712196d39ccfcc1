# SPDX-License-Identifier: Apache-2.0
"""Random work on the embedded store and on a mongod: the same answers, the same documents.

python tests/python/test_workload.py URI SECONDS [SEED]    # longer, on a running mongod
"""

import random
import sys
import time
from typing import Any

import bson
import pytest

from mongodb import _core

DB = "workload"
SCALARS: tuple[Any, ...] = (
    None, 0, 1, 2, 3, -1, 2.0, 2.5, float("nan"), bson.Int64(1), bson.Decimal128("2.5"),
    "", "a", "ab", "b", True, False, {}, {"x": 1},
)  # fmt: skip
ENDS = (
    bson.MinKey(),
    bson.MaxKey(),
)  # not asked for: mongod's answers differ by the index it takes
FIELDS = ("a", "b", "c", "d.e", "d.f")
INDEXES: tuple[tuple[dict[str, int], dict[str, Any]], ...] = (
    ({"a": 1}, {}),
    ({"a": -1, "b": 1}, {}),
    ({"b": 1}, {"sparse": True}),
    ({"d.e": 1, "d.f": 1}, {}),
    ({"d.e": 1}, {}),
    ({"c": 1, "a": 1}, {}),
    ({"c": -1}, {}),
    ({"a": 1, "c": 1}, {"partialFilterExpression": {"c": {"$gt": 0}}}),
    ({"u": 1}, {"unique": True, "sparse": True}),
    ({"b": 1, "u": 1}, {"unique": True, "partialFilterExpression": {"u": {"$exists": True}}}),
)
IGNORED = ("$clusterTime", "operationTime", "electionId", "opTime", "ok")


class Work:
    """Commands of one seed."""

    def __init__(self, seed: int) -> None:
        self.r = random.Random(seed)
        self.made = 0

    def scalar(self) -> Any:
        return self.r.choice(SCALARS)

    def stored(self) -> Any:
        return self.r.choice(ENDS) if self.r.random() < 0.05 else self.value()

    def value(self) -> Any:
        if self.r.random() < 0.2:
            return [self.scalar() for _ in range(self.r.randrange(4))]
        return self.scalar()

    def document(self) -> dict[str, Any]:
        r = self.r
        self.made += 1
        doc: dict[str, Any] = {"_id": self.made if r.random() < 0.9 else r.randrange(40)}
        for name in ("a", "b", "c"):
            if r.random() < 0.7:
                doc[name] = self.stored()
        if r.random() < 0.3:
            doc["u"] = r.randrange(30) if r.random() < 0.8 else [1, r.randrange(30)]
        if r.random() < 0.6:
            inner = [
                {k: self.scalar() for k in "ef" if r.random() < 0.7} for _ in range(r.randrange(4))
            ]
            doc["d"] = r.choice((inner, inner[0] if inner else None, 5))
        return doc

    def bound(self) -> Any:
        """No null: mongod's sparse indexes forget the documents that lack the field."""
        return self.r.choice(SCALARS[1:])

    def condition(self) -> Any:
        r = self.r
        kind = r.randrange(14)
        if kind < 3:
            return self.value()
        if kind < 6:
            return {r.choice(("$gt", "$gte", "$lt", "$lte")): self.bound()}
        if kind == 6:
            return {"$gte": self.bound(), "$lt": self.bound()}
        if kind == 7:
            return {r.choice(("$in", "$nin")): [self.value() for _ in range(r.randrange(4))]}
        if kind == 8:
            return r.choice(({"$exists": True}, {"$exists": False}, {"$ne": self.value()}))
        if kind == 9:
            return {"$elemMatch": {r.choice(("$gt", "$lte", "$ne")): self.bound()}}
        if kind == 10:
            return {"$not": {r.choice(("$gt", "$lte", "$eq")): self.bound()}}
        if kind == 11:
            return {"$type": r.choice(("number", "string", "null", "object", "array", "bool"))}
        if kind == 12:
            return {"$regex": r.choice(("^a", "^ab?", "b$", "^")), "$options": r.choice(("", "i"))}
        return r.choice(({"$size": 2}, {"$all": [1, 2]}, {"$mod": [2, 1]}))

    def filter(self, depth: int = 0) -> dict[str, Any]:
        r = self.r
        if depth < 2 and r.random() < 0.2:
            op = r.choice(("$or", "$and", "$nor"))
            return {op: [self.filter(depth + 1) for _ in range(r.randrange(1, 4))]}
        if r.random() < 0.1:
            return {
                "d": {"$elemMatch": {k: self.condition() for k in "ef" if r.random() < 0.8} or {}}
            }
        if r.random() < 0.08:
            return {"_id": r.randrange(max(self.made, 1))}
        if r.random() < 0.05:
            return {"u": r.randrange(30)}
        return {r.choice(FIELDS): self.condition() for _ in range(r.randrange(1, 4))}

    def change(self) -> Any:
        r = self.r
        name = r.choice(("a", "b", "c", "u", "d.e", "d.0.e"))
        return r.choice((
            {"$set": {name: self.value()}},
            {"$set": {name: self.value()}},
            {"$unset": {name: 1}},
            {"$inc": {r.choice(("a", "c", "u")): 1}},
            {"$push": {r.choice("abc"): self.scalar()}},
            {"$pull": {r.choice("abc"): self.scalar()}},
            {"$addToSet": {r.choice("abc"): {"$each": [self.scalar(), self.scalar()]}}},
            {"$rename": {r.choice("abc"): r.choice("bcu")}},
            {"$max": {name: self.scalar()}},
            {k: v for k, v in self.document().items() if k != "_id"},
            [{"$set": {"n": {"$add": [1, {"$ifNull": ["$n", 0]}]}, "a": "$c"}}],
        ))  # fmt: skip

    def change_of_many(self) -> Any:
        """What cannot fail: where a failure leaves off depends on the plan."""
        return self.r.choice((
            {"$set": {self.r.choice("acn"): self.scalar()}},
            {"$unset": {self.r.choice(("a", "u", "d.e")): 1}},
            {"$set": {"m": [1, 2]}, "$min": {"c": self.scalar()}},
            {"$rename": {"a": "q"}},
            [{"$set": {"p": {"$type": "$a"}, "a": "$n"}}],
        ))  # fmt: skip

    def update(self) -> dict[str, Any]:
        many = self.r.random() < 0.5
        change = self.change_of_many() if many else self.change()
        where = self.filter() if many else {"_id": self.r.randrange(max(self.made, 1))}
        upsert = not many and self.r.random() < 0.1
        return {"q": where, "u": change, "multi": many, "upsert": upsert}

    def command(self) -> dict[str, Any]:
        r = self.r
        ordered = r.random() < 0.5
        kind = r.randrange(100)
        if kind < 22:
            docs = [self.document() for _ in range(r.randrange(1, 8))]
            return {"insert": "c", "documents": docs, "ordered": ordered}
        if kind < 42:
            updates = [self.update() for _ in range(r.randrange(1, 4))]
            return {"update": "c", "updates": updates, "ordered": ordered}
        if kind < 47:
            where = self.filter() if r.random() < 0.4 else {"_id": r.randrange(max(self.made, 1))}
            limit = 0 if len(where) > 1 or "_id" not in where else 1
            return {"delete": "c", "deletes": [{"q": where, "limit": limit}]}
        if kind < 52:
            out = {"findAndModify": "c", "query": self.filter(), "sort": {"_id": 1}}
            return out | r.choice(({"remove": True}, {"update": self.change(), "new": ordered}))
        if kind < 58:
            key, options = r.choice(INDEXES)
            name = "_".join(f"{k}_{v}" for k, v in key.items()) + "".join(options)
            if r.random() < 0.3:
                return {"dropIndexes": "c", "index": name}
            return {"createIndexes": "c", "indexes": [{"key": key, "name": name, **options}]}
        if kind < 63:
            return {"count": "c", "query": self.filter()}
        if kind < 66:
            return {"distinct": "c", "key": r.choice(FIELDS), "query": self.filter()}
        sort = {k: r.choice((1, -1)) for k in r.sample(FIELDS, r.randrange(3))} | {"_id": 1}
        if kind < 72:
            match = [{"$match": self.filter()}, {"$sort": sort}, {"$limit": r.randrange(1, 30)}]
            return {"aggregate": "c", "pipeline": match, "cursor": {"batchSize": 1000}}
        out = {"find": "c", "filter": self.filter(), "sort": sort, "batchSize": 1000}
        if r.random() < 0.3:
            out |= {"limit": r.randrange(1, 20), "skip": r.randrange(5)}
        return out


def frozen(value: Any) -> Any:
    """Comparable, NaN included; order of fields kept."""
    if isinstance(value, dict):
        return tuple((k, frozen(v)) for k, v in value.items())
    if isinstance(value, list):
        return [frozen(v) for v in value]
    return (type(value).__name__, repr(value))


def equal(value: Any) -> str:
    """The same for numbers that are equal: which of them stands for all depends on the plan."""
    if isinstance(value, bson.Decimal128):
        value = value.to_decimal()
    number = not isinstance(value, (bool, str, dict, list)) and hasattr(value, "__float__")
    return repr(float(value)) if number else repr(frozen(value))


def answer(client: "_core.Client", command: dict[str, Any]) -> Any:
    reply = client.run(DB, command, check=False)
    if "cursor" in reply:
        return frozen(reply["cursor"]["firstBatch"])
    if "values" in reply:
        return sorted(map(equal, reply["values"]))
    if not reply.get("ok"):
        return reply.get("code")
    out = {k: v for k, v in reply.items() if k not in IGNORED}
    if "createIndexes" in command or "dropIndexes" in command:
        return None
    if "writeErrors" in out:
        errors = [(e["index"], e["code"], frozen(e.get("keyPattern"))) for e in out["writeErrors"]]
        out["writeErrors"] = errors
    return frozen(sorted(out.items(), key=lambda item: item[0]))


def contents(client: "_core.Client") -> list[Any]:
    find = {"find": "c", "sort": {"_id": 1}, "batchSize": 100000}
    return [frozen(d) for d in client.run(DB, find)["cursor"]["firstBatch"]]


def compare(seed: int, steps: int, ours: "_core.Client", theirs: "_core.Client") -> None:
    work = Work(seed)
    for client in (ours, theirs):
        client.run(DB, {"drop": "c"}, check=False)
        client.run(DB, {"create": "c"})
    for step in range(steps):
        command = work.command()
        a, b = answer(ours, command), answer(theirs, command)
        assert a == b, f"seed {seed}, step {step}: {command}"
        if step % 10 == 9:
            assert contents(ours) == contents(theirs), f"seed {seed}, before {step}: {command}"
    assert contents(ours) == contents(theirs), f"seed {seed}: the documents at the end"
    checked = ours.run(DB, {"validate": "c", "full": True})
    assert checked["valid"], checked


@pytest.mark.parametrize("seed", range(6))
def test_random_work_leaves_the_same_documents(seed: int, mongod: str) -> None:
    with _core.Client("docstore://:memory:") as ours, _core.Client(mongod) as theirs:
        compare(seed, 250, ours, theirs)


if __name__ == "__main__":
    DB = "workload_long"
    with _core.Client("docstore://:memory:") as ours, _core.Client(sys.argv[1]) as theirs:
        until = time.monotonic() + float(sys.argv[2])
        seed = int(sys.argv[3]) if len(sys.argv) > 3 else 1000
        while time.monotonic() < until:
            try:
                compare(seed, 200, ours, theirs)
            except AssertionError as e:
                print(str(e)[:1500])
            seed += 1
        print("seeds up to", seed)
