# SPDX-License-Identifier: Apache-2.0
"""Going through a statement's tokens."""

from __future__ import annotations

from typing import Any

from mongodb.backend.sql.errors import SQLSyntaxError
from mongodb.backend.sql.lexer import Token, tokens

__all__ = ["Reader"]


class Reader:
    """The tokens of a text, and where a parser is among them."""

    def __init__(self, text: str, has_params: bool) -> None:
        self.text = text
        self.has_params = has_params
        self.tokens = tokens(text, has_params)
        self.at = 0
        self.params = 0

    @property
    def token(self) -> Token:
        return self.tokens[self.at]

    def fail(self, message: str) -> SQLSyntaxError:
        return SQLSyntaxError(message, self.text, self.token.at)

    def is_word(self, *words: str) -> bool:
        token = self.token
        return token.kind == "word" and token.text.upper() in words

    def word(self, *words: str) -> bool:
        """Take one of the words if it is next."""
        if self.is_word(*words):
            self.at += 1
            return True
        return False

    def words(self, *words: str) -> bool:
        """Take these words if they come next, in this order."""
        for i, one in enumerate(words):
            token = self.tokens[min(self.at + i, len(self.tokens) - 1)]
            if token.kind != "word" or token.text.upper() != one:
                return False
        self.at += len(words)
        return True

    def need_word(self, *words: str) -> str:
        token = self.token
        if not self.word(*words):
            raise self.fail(f"{' or '.join(words)} expected")
        return token.text.upper()

    def op(self, *ops: str) -> str | None:
        token = self.token
        if token.kind == "op" and token.text in ops:
            self.at += 1
            return token.text
        return None

    def need_op(self, op: str) -> None:
        if self.op(op) is None:
            raise self.fail(f"{op!r} expected")

    def is_op(self, op: str) -> bool:
        return self.token.kind == "op" and self.token.text == op

    def name(self) -> str:
        token = self.token
        if token.kind not in ("name", "word"):
            raise self.fail("a name expected")
        self.at += 1
        return token.text

    def comma(self, one: Any) -> list[Any]:
        out = [one()]
        while self.op(","):
            out.append(one())
        return out
