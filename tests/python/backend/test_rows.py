# SPDX-License-Identifier: Apache-2.0
"""Rows that C makes of BSON are those that the plain path makes: documents as dicts, values by
path, then what the column's type and Django's converter make of each."""

import datetime
import random
import uuid
from collections.abc import Iterator
from typing import Any

import pytest
from bson import (
    Binary,
    Code,
    DatetimeMS,
    DBRef,
    Decimal128,
    Int64,
    MaxKey,
    MinKey,
    ObjectId,
    Regex,
    Timestamp,
)

from mongodb import _core
from mongodb.backend import cells
from mongodb.backend.cursor import value_at

CELLS = [None, cells.ANY, cells.NAIVE, cells.INT, cells.FLOAT, cells.BOOL, cells.DATETIME,
         cells.DATE, cells.TIME, cells.UUID,
         *(cells.decimal_cell(n) for n in (None, 0, 2, 30))]  # fmt: skip
AFTER = [None, cells.PLAIN, cells.DATE, cells.TIME, cells.NAIVE, repr]
KEYS = ["a", "b", "c", "é", "$ref", "$id", "0"]
DECIMALS = ["0", "-0", "0E+3", "1", "1.5", "-1.50", "12.345", "12.355", "1E+20", "1E-20", "9E+40",
            "1234567890123456789012345678901234", "99999999999999999999999999999999.99",
            "1E+6000", "1E-6100", "NaN", "-NaN", "sNaN", "Infinity", "-Infinity"]  # fmt: skip


def scalar(chance: random.Random) -> Any:
    start = datetime.datetime(1970, 1, 1)
    return chance.choice([
        lambda: None, lambda: True, lambda: False, lambda: chance.choice([0, 1, 2, -1]),
        lambda: chance.randrange(-(2**31), 2**31), lambda: Int64(chance.choice([0, 1, 2**62 + 1])),
        lambda: chance.choice([0.0, -0.0, 1.0, 2.5, 1e300, float("nan"), float("-inf")]),
        lambda: Decimal128(chance.choice(DECIMALS)), lambda: Decimal128(str(chance.random())),
        lambda: start + datetime.timedelta(milliseconds=chance.randrange(-(6 * 10**13), 10**14)),
        lambda: datetime.datetime(1, 1, 1, 23, 59, 59, 999000),
        lambda: DatetimeMS(chance.choice([-(2**62), 2**62, 253402300800000, -62135596800001])),
        lambda: DatetimeMS(10**18 + chance.randrange(-(6 * 10**16), 2 * 10**17)),
        lambda: DatetimeMS(10**18 + chance.choice([-62135596800000000, 253402300799999999, -1])),
        lambda: DatetimeMS(10**18 + chance.choice([-62135596800000001, 253402300800000000])),
        lambda: chance.choice(["", "x", "é\0", "12", "1.5", "NaN", "2024-01-01"]),
        lambda: uuid.UUID(int=chance.getrandbits(128)).hex,
        lambda: str(uuid.UUID(int=chance.getrandbits(128))),
        lambda: chance.choice(["A" * 32, "_" * 32, " " * 32, "0" * 31, "+" + "0" * 31, "0" * 32]),
        lambda: uuid.UUID(int=chance.getrandbits(128)), lambda: b"\0\1",
        lambda: Binary(b"x", chance.choice([2, 3, 5, 128])), lambda: ObjectId(),
        lambda: Regex("a", "i"), lambda: Code("f()"), lambda: Code("f()", {"x": 1}),
        lambda: Timestamp(1, 2), lambda: MinKey(), lambda: MaxKey(),
        lambda: DBRef("c", 1), lambda: DBRef("c", 1, "d", a=2),
    ])()  # fmt: skip


def value(chance: random.Random, depth: int = 0) -> Any:
    kind = chance.random()
    if depth < 3 and kind < 0.25:
        keys = chance.sample(KEYS, chance.randrange(4))
        return {key: value(chance, depth + 1) for key in keys}
    if depth < 3 and kind < 0.3:
        return [value(chance, depth + 1) for _ in range(chance.randrange(3))]
    return scalar(chance)


@pytest.fixture(scope="module")
def client() -> Iterator[_core.Client]:
    with _core.Client("docstore://:memory:") as opened:
        yield opened


def rows_of(client: _core.Client, made: _core.Columns, many: int = 100) -> list[Any]:
    with client.cursor("d", {"find": "c"}, plain_int=True, batch_size=3) as cursor:
        out = []
        while True:
            rows = cursor.rows(made, many)
            out += rows
            if len(rows) < many:
                return out


def outcome(run: Any) -> Any:
    try:
        return repr(run())
    except Exception as error:
        return type(error)


@pytest.mark.parametrize("seed", range(40))
def test_rows_are_those_of_the_plain_path(client: _core.Client, seed: int) -> None:
    chance = random.Random(seed)
    names = ["a", "b", "c", "é"]
    documents = [
        {"_id": at, **{name: value(chance) for name in chance.sample(names, chance.randrange(5))}}
        for at in range(12)
    ]
    client.run("d", {"drop": "c"}, check=False)
    client.run("d", {"insert": "c", "documents": documents})
    with client.cursor("d", {"find": "c"}, plain_int=True) as cursor:
        plain = list(cursor)
    for _ in range(12):
        many = chance.randrange(1, 7)
        paths = [
            (chance.choice([*names, "_id", "none"]),
             *(chance.choice(KEYS) for _ in range(chance.choice([0, 0, 0, 1, 2]))))
            for _ in range(many)
        ]  # fmt: skip
        after = {at: one for at in range(many) if (one := chance.choice(AFTER)) is not None}
        wanted = tuple(chance.choice(CELLS) for _ in range(many))
        safe = []
        for at, path in enumerate(paths):
            first, then = after.get(at), wanted[at]
            steps = [first.make if isinstance(first, cells.Cell) else first, then and then.make]

            def column(path: Any = path, steps: Any = steps) -> list[Any]:
                out = []
                for document in plain:
                    cell = value_at(document, path)
                    for step in steps:
                        cell = cell if step is None else step(cell)
                    out.append((cell,))
                return out

            made = cells.columns([path], {0: first} if first else {}, (then,))
            expected = outcome(column)
            assert outcome(lambda made=made: rows_of(client, made)) == expected, (path, steps)
            if isinstance(expected, str):
                safe.append((at, column()))
        if safe:
            made = cells.columns(
                [paths[at] for at, _ in safe],
                {new: after[at] for new, (at, _) in enumerate(safe) if at in after},
                tuple(wanted[at] for at, _ in safe),
            )
            together = [tuple(c[0] for c in row) for row in zip(*(c for _, c in safe), strict=True)]
            assert repr(rows_of(client, made, chance.choice([1, 2, 4, 6, 100]))) == repr(together)


def test_a_key_that_is_there_twice_counts_last(client: _core.Client) -> None:
    made = cells.columns([("a",), ("a", "b"), ("a",)], {}, (cells.INT, None, cells.FLOAT))
    client.run("d", {"drop": "c"}, check=False)
    client.run("d", {"insert": "c", "documents": [{"_id": 1, "a": 5}, {"_id": 2, "a": {"b": 6}}]})
    assert rows_of(client, made) == [(5, None, 5.0), ({"b": 6}, 6, {"b": 6})]


@pytest.mark.parametrize(
    "wrong",
    [[1], [((), 0, 0, None)], [((1,), 0, 0, None)], [(("a",), 99, 0, None)],
     [(("a",), -1, 0, None)], [(["a"], 0, 0, None)], [(("a",), 0)]],
)  # fmt: skip
def test_columns_that_make_no_sense_are_refused(wrong: Any) -> None:
    with pytest.raises((TypeError, ValueError)):
        _core.Columns(wrong)


def test_rows_take_columns(client: _core.Client) -> None:
    with client.cursor("d", {"find": "c"}) as cursor:
        with pytest.raises(TypeError, match="Columns"):
            cursor.rows([("a",)], 1)  # type: ignore[arg-type]
