# SPDX-License-Identifier: Apache-2.0
"""Values at dotted paths of what is stored."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

__all__ = ["NOTHING", "stored_at"]

NOTHING = object()


def stored_at(value: Any, path: str) -> Any:
    """Return what is stored at a dotted path, or NOTHING."""
    for part in path.split("."):
        if isinstance(value, list) and part.isdigit():
            value = value[int(part)] if int(part) < len(value) else NOTHING
        else:
            value = value.get(part, NOTHING) if isinstance(value, Mapping) else NOTHING
    return value
