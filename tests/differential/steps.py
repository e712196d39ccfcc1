# SPDX-License-Identifier: Apache-2.0
"""Random interleavings of sessions: steps that name no ids, times or numbers of a store, so that
any part of a sequence is a sequence too."""

import random
from typing import Any, NamedTuple

SESSIONS = 3
COLLECTIONS = ("a", "b", "c")
SLOTS = 4  # cursors and snapshots that a sequence remembers


class Step(NamedTuple):
    who: int  # a session
    what: str
    coll: str = ""
    args: tuple[Any, ...] = ()
    retryable: bool = False  # with a txnNumber, outside of transactions


# What happens how often.
WEIGHTS = {
    "insert": 14,
    "update": 14,
    "delete": 6,
    "modify": 7,
    "find": 14,
    "aggregate": 5,
    "distinct": 3,
    "count": 2,
    "more": 14,
    "kill_cursors": 2,
    "start": 13,
    "commit": 10,
    "abort": 4,
    "late": 2,
    "retry": 6,
    "old_number": 1,
    "snapshot": 4,
    "create": 2,
    "view": 1,
    "index": 4,
    "drop_index": 2,
    "drop": 2,
    "rename": 1,
    "coll_mod": 1,
    "end_session": 1,
    "kill_session": 1,
}


def arguments(what: str, chance: random.Random) -> tuple[Any, ...]:
    """What a step of this kind needs beside a session and a collection."""
    small, flag = lambda: chance.randrange(5), lambda: chance.random() < 0.5
    if what == "insert":
        return (tuple(chance.sample(range(12), chance.randint(1, 3))), small(), flag())
    if what == "update":
        return (chance.randrange(12), small(), chance.choice(("one", "many", "upsert", "two")))
    if what == "delete":
        return (chance.randrange(12), small(), flag())
    if what == "modify":
        return (chance.randrange(12), chance.choice(("remove", "new", "old", "upsert")))
    if what in ("find", "snapshot"):
        return (chance.randrange(4), small(), chance.randrange(SLOTS))
    if what == "aggregate":
        return (chance.randrange(3), small(), chance.randrange(SLOTS))
    if what == "more":
        # of another session, or of another collection, now and then
        return (chance.randrange(SLOTS), small(), chance.random() < 0.1, chance.random() < 0.05)
    if what == "kill_cursors":
        return (chance.randrange(SLOTS),)
    if what == "start":
        return (chance.choice(("", "", "local", "majority", "snapshot")),)
    if what == "index":
        return (chance.randrange(3),)
    if what == "drop_index":
        return (chance.choice(("*", "n", "nope")),)
    if what == "rename":
        return (chance.choice(COLLECTIONS), flag())
    return ()


def generate(seed: int, length: int) -> list[Step]:
    """The sequence of this seed."""
    chance = random.Random(seed)
    kinds, weights = list(WEIGHTS), list(WEIGHTS.values())
    steps = []
    who = 0
    for _ in range(length):
        if chance.random() < 0.5:
            who = chance.randrange(SESSIONS)
        what = chance.choices(kinds, weights)[0]
        coll = chance.choice((*COLLECTIONS, "a", "a"))
        if what in ("find", "insert", "update", "count") and chance.random() < 0.06:
            coll = "v"  # the view
        retryable = what in ("insert", "update", "delete", "modify") and chance.random() < 0.4
        steps.append(Step(who, what, coll, arguments(what, chance), retryable))
    return steps
