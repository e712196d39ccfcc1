# SPDX-License-Identifier: Apache-2.0
"""Arithmetic of F and conditions that are nested too deeply are refused where they are built, in
words; what is long, not deep, is not."""

import functools
import operator
from collections.abc import Callable
from typing import Any

import pytest

import mongodb
from mongodb import F, Q, fields
from mongodb.errors import InvalidQueryError

pytestmark = pytest.mark.usefixtures("connected")


class ExpressionDepth(mongodb.Document):
    n = fields.IntField()


STEPS: dict[str, tuple[Any, Callable[[Any], Any]]] = {
    "left": (F("n"), lambda e: e + 1),
    "right": (F("n"), lambda e: 1 - e),
    "both": (F("n"), lambda e: e * e),
    "negative": (F("n"), lambda e: -e),
    "power": (F("n"), lambda e: e**2),
    "and_or": (Q(n=1), lambda q: Q(n=1) & (q | Q(n=2))),
    "not": (Q(n=1), lambda q: ~q),
    "within": (Q(n=1), lambda q: Q(q)),
}


def nested(kind: str, times: int) -> Any:
    start, step = STEPS[kind]
    return functools.reduce(lambda made, _: step(made), range(times), start)


@pytest.mark.parametrize("kind", STEPS)
def test_nested_too_deeply_is_refused_in_words(kind: str) -> None:
    with pytest.raises(InvalidQueryError, match="nested more than 100 deep"):
        nested(kind, 5000)


@pytest.mark.parametrize("kind", ["left", "right"])
def test_arithmetic_of_some_depth_is_computed(kind: str) -> None:
    ExpressionDepth(n=3).save()
    ExpressionDepth.objects.update(n=nested(kind, 80))
    assert ExpressionDepth.objects.get().n == (83 if kind == "left" else 3)


@pytest.mark.parametrize(("kind", "times"), [("left", 99), ("and_or", 49), ("not", 99)])
def test_what_is_built_can_be_shown_and_sent_or_is_refused(kind: str, times: int) -> None:
    made = nested(kind, times)
    assert repr(made)
    try:
        ExpressionDepth.objects.filter(Q(n=made) if kind == "left" else made).first()
    except (InvalidQueryError, ValueError) as error:
        assert "depth" in str(error) or "nested" in str(error)


@pytest.mark.parametrize("join", [operator.and_, operator.or_])
def test_long_conditions_are_not_deep(join: Callable[[Any, Any], Any]) -> None:
    ExpressionDepth(n=3).save()
    many = functools.reduce(join, (Q(n__gte=i % 3) for i in range(1500)))
    assert ExpressionDepth.objects.filter(many).count() == 1


def test_djangos_conditions_nested_too_deeply_are_refused_in_words() -> None:
    models = pytest.importorskip("django.db.models")
    made = models.Q(n=1)
    for _ in range(5000):
        made = models.Q(n=1) & (made | models.Q(n=2))
    with pytest.raises(InvalidQueryError, match="nested too deeply|nested more than"):
        ExpressionDepth.objects.filter(made)
