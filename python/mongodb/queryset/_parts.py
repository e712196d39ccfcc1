# SPDX-License-Identifier: Apache-2.0
"""Small questions that building a queryset asks."""

from __future__ import annotations

import operator
from collections.abc import Mapping
from typing import Any

from mongodb.errors import InvalidQueryError

__all__ = ["position", "without", "without_children"]


def position(what: str, n: Any) -> int:
    """Return a number of documents, not negative."""
    if type(n) is int and n >= 0:
        return n
    try:
        at = operator.index(n)
    except TypeError:
        raise TypeError(f"{what} of a queryset takes a whole number, not {n!r}") from None
    if at < 0:
        raise InvalidQueryError(f"{what} of a queryset takes no negative number: {at}")
    return at


def without(mapping: Mapping[str, Any], *names: str) -> dict[str, Any]:
    """Return a copy without these keys."""
    return {key: value for key, value in mapping.items() if key not in names}


def without_children(paths: tuple[str, ...]) -> list[str]:
    """Return the paths that are not below another one: MongoDB refuses both."""
    return [p for p in paths if not any(p.startswith(f"{other}.") for other in paths)]
