# SPDX-License-Identifier: Apache-2.0
"""Work in a thread beside a running loop; asyncio is imported when there is one to be used."""

from __future__ import annotations

from collections.abc import Callable
from typing import ParamSpec, TypeVar

P = ParamSpec("P")
T = TypeVar("T")

__all__ = ["to_thread"]


async def to_thread(function: Callable[P, T], /, *args: P.args, **kwargs: P.kwargs) -> T:
    """Return what the function returns, called in a thread."""
    import asyncio  # a fifth of the package's import, and whoever awaits has it

    return await asyncio.to_thread(function, *args, **kwargs)
