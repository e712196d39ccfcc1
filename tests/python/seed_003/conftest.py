# SPDX-License-Identifier: Apache-2.0
"""Runs the code blocks of seed_003.rst as they are written, under the library's own name."""

import doctest
import pathlib
import re
import textwrap
from collections.abc import Callable
from typing import Any

import pytest

import mongodb.compat

TEXT = pathlib.Path(__file__).with_name("seed_003.rst").read_text()
_UNDERLINE = re.compile(r"^(=+|-+|~+|\^+)$")


def _blocks() -> dict[str, list[str]]:
    """The code blocks by the heading, or the attribute, that they stand under."""
    lines = TEXT.splitlines()
    out: dict[str, list[str]] = {}
    heading = ""
    at = 0
    while at < len(lines):
        line = lines[at]
        if line and at + 1 < len(lines) and _UNDERLINE.match(lines[at + 1]):
            heading = line.strip("`")
        elif line.strip().endswith("::") or line.strip() == ".. code-block:: pycon":
            own = len(line) - len(line.lstrip())
            body = []
            at += 1
            while at < len(lines) and (
                not lines[at].strip() or len(lines[at]) - len(lines[at].lstrip()) > own
            ):
                body.append(lines[at])
                at += 1
            if not line.strip().startswith("..") or "pycon" in line:
                out.setdefault(heading, []).append(textwrap.dedent("\n".join(body)).strip("\n"))
            continue
        at += 1
    return out


class Seed:
    """The seed's names, models and collections."""

    def __init__(self, make: Callable[..., None]) -> None:
        self.make = make
        self.names: dict[str, Any] = {"__name__": "mongodb.seed"}
        self.blocks = _blocks()

    def define(self, heading: str, at: int = 0) -> dict[str, Any]:
        """Run a block of models, and make their collections."""
        before = set(self.names)
        code = self.blocks[heading][at].replace("):\n    ...\n", "):\n    pass\n")
        exec(compile(code, f"<{heading}>", "exec", dont_inherit=True), self.names)
        new = [one for name, one in self.names.items() if name not in before]
        self.make(*(one for one in new if hasattr(one, "_meta") and not one._meta.abstract))
        return self.names

    def talk(self, heading: str) -> None:
        """Run a block of a console; what it shows must come, but for the answers of create()."""
        (block,) = self.blocks[heading]
        examples = doctest.DocTestParser().get_examples(block + "\n")
        assert examples
        for example in examples:
            answer = eval(example.source, self.names)
            if ".create(" not in example.source:
                assert repr(answer) == example.want.strip(), example.source


@pytest.fixture
def seed(orm: Callable[..., None]) -> Seed:
    """The seed's blocks on each kind of store."""
    mongodb.compat.install("django_mongodb_backend")
    return Seed(orm)
