# SPDX-License-Identifier: Apache-2.0
"""Text of a statement to tokens."""

from __future__ import annotations

import re
from typing import NamedTuple

from mongodb.backend.sql.errors import SQLSyntaxError

__all__ = ["Token", "tokens"]


class Token(NamedTuple):
    """`kind` is name (quoted), word (upper case), string, number, param, op or end."""

    kind: str
    text: str
    at: int


_TOKEN = re.compile(
    r"""\s+|--[^\n]*|/\*.*?\*/
    |(?P<string>'(?:[^']|'')*')
    |(?P<name>"(?:[^"]|"")*"|`(?:[^`]|``)*`|\[[A-Za-z_][\w ]*\])
    |(?P<number>\d+\.?\d*(?:[eE][+-]?\d+)?|\.\d+(?:[eE][+-]?\d+)?)
    |(?P<param>%s|%\((?P<key>[^)]*)\)s)
    |(?P<word>[A-Za-z_][\w$]*)
    |(?P<op><>|!=|>=|<=|\|\||->>|->|::|<<|>>|%%|[-+*/%^&|#~=<>(),.;?])
    """,
    re.X | re.S,
)


def tokens(text: str, has_params: bool) -> list[Token]:
    """Return the tokens of a statement, an `end` last.

    Without parameters `%` is an ordinary character, as in Python's database interface. Raises
    SQLSyntaxError at a character that begins no token.
    """
    out = []
    at = 0
    size = len(text)
    while at < size:
        found = _TOKEN.match(text, at)
        if found is None:
            raise SQLSyntaxError(f"{text[at]!r} is not understood", text, at)
        kind = found.lastgroup
        piece = found.group()
        if kind == "key":
            kind = "param"
        if kind == "param" and not has_params:
            kind, piece = "op", "%"
            out.append(Token(kind, piece, at))
            at += 1
            continue
        if kind == "string":
            piece = piece[1:-1].replace("''", "'")
            if has_params:
                piece = piece.replace("%%", "%")
        elif kind == "name":
            quote = piece[0]
            piece = piece[1:-1].replace(quote * 2, quote)
            if has_params:
                piece = piece.replace("%%", "%")
        elif kind == "word":
            out.append(Token("word", piece, at))
            at = found.end()
            continue
        elif kind == "op" and piece == "%%":
            piece = "%"
        if kind is not None:
            out.append(Token(kind, piece, at))
        at = found.end()
    out.append(Token("end", "", size))
    return out
