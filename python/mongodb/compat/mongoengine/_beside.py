# SPDX-License-Identifier: Apache-2.0
"""Names that MongoEngine's modules have because they import them: projects take them from there."""

from __future__ import annotations

import importlib
from collections.abc import Callable
from typing import Any

__all__ = ["beside"]

_PACKAGE = __name__.rpartition(".")[0]
_PLACES = (
    "base base.common base.utils errors connection context_managers document fields queryset "
    "queryset.base queryset.transform queryset.visitor common pymongo_support dereference"
).split()


def beside(module: str) -> Callable[[str], Any]:
    """Return the `__getattr__` of a module: what it lacks is looked for in the others."""

    def find(name: str) -> Any:
        if not name.startswith("__"):
            for place in _PLACES:
                found = vars(importlib.import_module(f"{_PACKAGE}.{place}"))
                if name in found:
                    return found[name]
        raise AttributeError(f"module {module!r} has no attribute {name!r}")

    return find
