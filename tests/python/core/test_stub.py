# SPDX-License-Identifier: Apache-2.0
"""The stub file of the C core names exactly what the module has."""

import ast
import pathlib

import pytest

from mongodb import _core

STUB = pathlib.Path(_core.__file__).with_name("_core.pyi")


def declared() -> dict[str, ast.stmt]:
    stub = STUB
    if not stub.exists():
        stub = pathlib.Path(__file__).parents[3] / "python" / "mongodb" / "_core.pyi"
    found: dict[str, ast.stmt] = {}
    for node in ast.parse(stub.read_text()).body:
        if isinstance(node, ast.ClassDef | ast.FunctionDef):
            found[node.name] = node
        elif isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name):
            if not node.target.id.startswith("_"):
                found[node.target.id] = node
    return found


def test_names_of_the_module() -> None:
    public = {name for name in vars(_core) if not name.startswith("__")}
    assert public == set(declared())


@pytest.mark.parametrize("name", ["Client", "Session", "Cursor", "RawBatch", "Batch"])
def test_members_of_classes(name: str) -> None:
    node = declared()[name]
    assert isinstance(node, ast.ClassDef)
    listed = {n.name for n in node.body if isinstance(n, ast.FunctionDef)} - {"__getattr__"}
    for member in listed - {"__buffer__"}:
        assert hasattr(getattr(_core, name), member), member
    public = {m for m in vars(getattr(_core, name)) if not m.startswith("_")}
    assert {m for m in public if m not in listed} <= {"refs", "origin", "schema", "mask"}
