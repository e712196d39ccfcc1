# SPDX-License-Identifier: Apache-2.0
"""Classes whose querysets read otherwise inside a `with` block, in the context that entered it."""

from __future__ import annotations

import contextvars
from typing import Any

__all__ = ["ALONE", "IDS", "Scope"]

_Classes = contextvars.ContextVar[tuple[Any, ...]]

IDS: _Classes = contextvars.ContextVar("mongodb_ids", default=())  # references are read as ids
ALONE: _Classes = contextvars.ContextVar("mongodb_alone", default=())  # without subclasses


class Scope:
    """A block in which a class is among a variable's classes."""

    _among: _Classes

    def __init__(self, cls: Any) -> None:
        self.cls = cls

    def __enter__(self) -> Any:
        self._among.set((*self._among.get(), self.cls))
        return self.cls

    def __exit__(self, *args: object) -> None:
        inside = list(self._among.get())
        inside.remove(self.cls)
        self._among.set(tuple(inside))
