# SPDX-License-Identifier: Apache-2.0
"""A condition within documents keeps the same rows as a filter of the match language and as an
expression: made by chance, on each kind of store."""

import random
from collections.abc import Callable
from typing import Any

from django.db import connections

from mongodb.backend.plan.bind import compile_template
from mongodb.backend.plan.predicates import condition, filter_for
from mongodb.backend.plan.prepare import LANGUAGE
from mongodb.backend.plan.scope import Planner, Scope, Source, TableInfo
from mongodb.backend.sql.parser import _Parser

INFO = TableInfo("t", "id", {"id": "integer", "tags": "array", "who": "object", "parts": "array"},
                 True)  # fmt: skip
VALUES = {
    "PATH(who, 'n')": int, "PATH(who, 's')": str, "PATH(PATH(who, 'in'), 'n')": int,
    "EACH(parts, 'n')": int, "EACH(parts, 's')": str, "PATH(tags, 0)": int, "PATH(tags, 2)": int,
    "PATH(PATH(parts, 1), 'n')": int, "EACH(PATH(who, 'list'), 'n')": int,
}  # fmt: skip


def value(rng: random.Random, kind: type) -> Any:
    return rng.choice([0, 1, 2, 3]) if kind is int else rng.choice(["a", "ab", "b", "B"])


def maybe(rng: random.Random, make: Callable[[], Any]) -> Any:
    return None if rng.random() < 0.2 else make()


def part(rng: random.Random) -> dict[str, Any]:
    fields = {"n": maybe(rng, lambda: value(rng, int)), "s": maybe(rng, lambda: value(rng, str))}
    return {key: one for key, one in fields.items() if rng.random() < 0.85}


def document(rng: random.Random, at: int) -> dict[str, Any]:
    def parts() -> list[Any]:
        return [part(rng) for _ in range(rng.randrange(4))]

    who = {**part(rng), "in": maybe(rng, lambda: part(rng)), "list": maybe(rng, parts)}
    tags = [value(rng, int) for _ in range(rng.randrange(4))]
    return {"_id": at, "tags": maybe(rng, lambda: tags), "who": maybe(rng, lambda: who),
            "parts": maybe(rng, parts)}  # fmt: skip


def random_condition(rng: random.Random) -> tuple[str, list[Any]]:
    """A condition and its parameters."""
    if rng.random() < 0.4:
        some = [value(rng, int) for _ in range(rng.randrange(4))]
        name = rng.choice(["ARRAY_CONTAINS", "ARRAY_OVERLAPS", "ARRAY_WITHIN", "len", "exact"])
        if name == "len":
            return "ARRAY_LEN(tags) = %s", [len(some)]
        return ("tags = %s" if name == "exact" else f"{name}(tags, %s)"), [some]
    path, kind = rng.choice(list(VALUES.items()))
    op = rng.choice(["=", "<", ">=", "IN", "NULL", "LIKE"])
    if op == "IN":
        return f"{path} IN (%s, %s)", [value(rng, kind), value(rng, kind)]
    if op == "NULL":
        return (f"{path} IS NULL" if not path.startswith("EACH") else f"{path} = %s"), (
            [] if not path.startswith("EACH") else [value(rng, kind)]
        )
    if op == "LIKE" and kind is str:
        return f"{path} ILIKE %s", [value(rng, str) + "%"]
    return f"{path} {'=' if op == 'LIKE' else op} %s", [value(rng, kind)]


def test_filters_and_expressions_keep_the_same_rows(orm: Callable[..., None]) -> None:
    connection: Any = connections["default"]
    rng = random.Random(5)
    rows = [document(rng, at) for at in range(120)]
    connection.command({"insert": "t", "documents": rows})

    def kept(test: Any) -> list[int]:
        found = connection.documents({"find": "t", "filter": test, "projection": {"_id": 1}})
        return sorted(one["_id"] for one in found)

    for _ in range(250):
        text, params = random_condition(rng)
        for negated in (False, True):
            made = []
            for how in (filter_for, condition):
                scope = Scope(Planner({}.__getitem__, LANGUAGE))
                scope.add(Source("t", INFO))
                template = how(scope, _Parser(text, True).expr(), negated)
                made.append(compile_template(template)(params, ()))
            assert kept(made[0]) == kept({"$expr": made[1]}), (text, params, negated)
