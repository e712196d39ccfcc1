# SPDX-License-Identifier: Apache-2.0
"""What lookups and updates know of `Q` and `F`: below them, so that both may import it."""

from collections.abc import Iterable, Iterator
from typing import Any

from mongodb.errors import InvalidQueryError

__all__ = ["MAX_NESTED", "Condition", "Expression", "depth_above"]

# Each is two levels of a command at least, of which MongoDB takes 200.
MAX_NESTED = 100


def depth_above(parts: Iterable[Any], what: str) -> int:
    """Return how deep something of these parts is nested; refuse what no server takes."""
    depth = 1 + max((getattr(part, "depth", 0) for part in parts), default=0)
    if depth > MAX_NESTED:
        raise InvalidQueryError(f"{what} nested more than {MAX_NESTED} deep: no store takes it")
    return depth


class Condition:
    """A filter that is made for a class of documents."""

    def to_bson(self, document: Any) -> Any:
        """Return the filter as `_core.Raw`; `document` is the class whose fields it names."""
        raise NotImplementedError


class Expression:
    """A value that the store computes."""

    depth = 1

    def to_expression(self, document: Any) -> Any:
        """Return the aggregation expression; `document` is the class whose fields it names."""
        raise NotImplementedError

    def names(self) -> Iterator[str]:
        """Yield the names of fields that it is computed from."""
        return iter(())
