# SPDX-License-Identifier: Apache-2.0
"""What a misspelt name may have meant; difflib is imported when there is one."""

from __future__ import annotations

from collections.abc import Iterable

__all__ = ["close_to"]


def close_to(name: str, known: Iterable[str], likeness: float = 0.6) -> list[str]:
    """Return the known name that is most like this one, or nothing."""
    import difflib

    return difflib.get_close_matches(name, list(known), 1, likeness)
