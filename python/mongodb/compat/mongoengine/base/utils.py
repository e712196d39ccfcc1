# SPDX-License-Identifier: Apache-2.0
"""A regular expression that is compiled at its first use."""

from __future__ import annotations

import re
from typing import Any

__all__ = ["LazyRegexCompiler"]


class LazyRegexCompiler:
    """A descriptor that gives the compiled pattern."""

    def __init__(self, pattern: str, flags: int = 0) -> None:
        self._pattern = pattern
        self._flags = flags
        self._compiled_regex: re.Pattern[str] | None = None

    @property
    def compiled_regex(self) -> re.Pattern[str]:
        """The pattern, compiled."""
        if self._compiled_regex is None:
            self._compiled_regex = re.compile(self._pattern, self._flags)
        return self._compiled_regex

    def __get__(self, instance: Any, owner: Any = None) -> re.Pattern[str]:
        return self.compiled_regex

    def __set__(self, instance: Any, value: Any) -> None:
        raise AttributeError("a pattern of the class cannot be set")
