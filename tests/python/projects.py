# SPDX-License-Identifier: Apache-2.0
"""Runs a seed's blocks that are modules of a project written for MongoEngine."""

import contextlib
import importlib
import pathlib
import re
import sys
import textwrap
import types
from collections.abc import Iterator
from typing import Any

import pytest

from mongodb import _registry

NAMES = {
    "mongoengine": "mongodb.compat.mongoengine",
    "mongoengine.errors": "mongodb.compat.mongoengine.errors",
    **{
        f"rest_framework_mongoengine{one}": f"mongodb.compat.rest_framework_mongoengine{one}"
        for one in ("", ".serializers", ".viewsets")
    },
}


class Project:
    """Runs the blocks as modules of one package."""

    def __init__(self, path: pathlib.Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self.package = f"{path.stem}_app"
        self.patch = monkeypatch
        self.blocks: dict[str, list[str]] = {}
        heading = ""
        for part in re.split(r"(?ms)^(#+ [^\n]+$| *```.*?^ *```$)", path.read_text()):
            if part.startswith("#"):
                heading = part.lstrip("# ")
            elif part.lstrip().startswith("```python"):
                lines = part.strip("\n").split("\n")[1:-1]
                self.blocks.setdefault(heading, []).append(textwrap.dedent("\n".join(lines)))
        for name, ours in NAMES.items():
            monkeypatch.setitem(sys.modules, name, importlib.import_module(ours))
        package = types.ModuleType(self.package)
        package.__path__ = []
        monkeypatch.setitem(sys.modules, self.package, package)

    def run(self, module: str, heading: str, at: int = 0, **names: Any) -> Any:
        """Run a block as a module, or as the rest of one, where there are names already."""
        name = f"{self.package}.{module}"
        if name not in sys.modules:
            made = types.ModuleType(name)
            made.__package__ = self.package
            self.patch.setitem(sys.modules, name, made)
        found = sys.modules[name]
        found.__dict__.update(names)
        code = compile(self.blocks[heading][at], f"<{heading}>", "exec", dont_inherit=True)
        exec(code, found.__dict__)
        return found


@contextlib.contextmanager
def project_of(path: pathlib.Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Project]:
    """A seed's project; the classes that it declares are forgotten at the end."""
    known = dict(_registry._document_registry)
    yield Project(path, monkeypatch)
    _registry._document_registry.clear()
    _registry._document_registry.update(known)
