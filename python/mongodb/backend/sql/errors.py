# SPDX-License-Identifier: Apache-2.0
"""What is wrong with a statement's text."""

from __future__ import annotations

__all__ = ["SQLSyntaxError"]


class SQLSyntaxError(Exception):
    """A statement that cannot be read; the message shows where."""

    def __init__(self, message: str, text: str = "", at: int = 0) -> None:
        near = text[max(0, at - 20) : at + 20].replace("\n", " ")
        super().__init__(f"{message}, near {near!r}" if near else message)
