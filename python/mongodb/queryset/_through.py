# SPDX-License-Identifier: Apache-2.0
"""What lookups know of references that they lead through: below them, so that both may import."""

from __future__ import annotations

from collections.abc import Sequence
from contextvars import ContextVar
from typing import Any

from mongodb.errors import InvalidQueryError

__all__ = ["JOINS", "ThroughReference"]


class ThroughReference(InvalidQueryError):
    """A name that leads into the documents that a reference points to."""

    def __init__(self, parts: Sequence[str], at: int, path: str, field: Any) -> None:
        super().__init__(
            f"{'__'.join(parts)}: {parts[at - 1]!r} refers to documents of another collection; "
            "filter(), exclude(), Q and order_by() look into them, annotate(name=F(...)) reads them"
        )
        self.at = at  # where in the parts the other document's begin
        self.rest = list(parts[at:])
        self.path = path  # where the key is stored
        self.field = field

    @property
    def target(self) -> Any:
        """The class of the documents."""
        return self.field.document_type


# What makes a condition of lookups through a reference; None where nobody can.
JOINS: ContextVar[Any] = ContextVar("mongodb_joins", default=None)
