# SPDX-License-Identifier: Apache-2.0
"""Templates of commands: made once for a statement's text, filled with each call's parameters."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

__all__ = ["Call", "P", "R", "Splice", "compile_template"]

Bound = Callable[[Sequence[Any], Sequence[Any]], Any]


@dataclass(frozen=True, slots=True)
class P:
    """The parameter at a position."""

    at: int


@dataclass(frozen=True, slots=True)
class R:
    """The result of the query that runs before, at a position."""

    at: int


@dataclass(frozen=True, slots=True)
class Call:
    """What a function makes of filled-in arguments."""

    function: Callable[..., Any]
    args: tuple[Any, ...]


@dataclass(frozen=True, slots=True)
class Splice:
    """Within a list: the items of what a template gives."""

    item: Any


def compile_template(template: Any) -> Bound:
    """Return a function of (parameters, results) that makes the template's value."""
    names: dict[str, Any] = {}
    source = _source(template, names)
    code = f"lambda p, r: {source}"
    return eval(code, names)  # type: ignore[no-any-return]


def _source(one: Any, names: dict[str, Any]) -> str:
    if isinstance(one, P):
        return f"p[{one.at}]"
    if isinstance(one, R):
        return f"r[{one.at}]"
    if isinstance(one, Call):
        args = ", ".join(_source(arg, names) for arg in one.args)
        return f"{_named(one.function, names)}({args})"
    if isinstance(one, dict):
        return "{" + ", ".join(f"{k!r}: {_source(v, names)}" for k, v in one.items()) + "}"
    if isinstance(one, (list, tuple)):
        items = (f"*{_source(v.item, names)}" if isinstance(v, Splice) else _source(v, names)
                 for v in one)  # fmt: skip
        return "[" + ", ".join(items) + "]"
    if one is None or isinstance(one, (bool, int, str)):
        return repr(one)
    return _named(one, names)


def _named(value: Any, names: dict[str, Any]) -> str:
    for name, known in names.items():
        if known is value:
            return name
    name = f"c{len(names)}"
    names[name] = value
    return name
