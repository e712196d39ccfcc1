# SPDX-License-Identifier: Apache-2.0
"""The Python blocks of README.md and docs/*.md run, and say the truth.

The blocks of a page run in order, in one namespace, on a store in memory. A statement whose last
line ends with `# -> text` has that repr (`...` stands for anything), one that ends with
`# raises Error: text` raises it. A comment `<!-- not run: why -->` before a block leaves it out.
"""

import ast
import pathlib
import re
import sys
import types
from collections.abc import Iterator
from typing import Any

import pytest

import mongodb
from mongodb import _registry

ROOT = pathlib.Path(__file__).parents[2]
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]
BLOCK = re.compile(r"(?ms)^(<!-- not run: [^\n]+ -->\n)?```python\n(.*?)^```")


def blocks(page: pathlib.Path) -> list[tuple[int, str]]:
    """The first line's number and the text of each block that runs."""
    text = page.read_text()
    return [
        (text.count("\n", 0, found.start(2)), found[2])
        for found in BLOCK.finditer(text)
        if not found[1]
    ]


def like(wanted: str, shown: str) -> bool:
    pattern = ".*".join(re.escape(part) for part in wanted.split("..."))
    return re.fullmatch(pattern, shown, re.DOTALL) is not None


def run(statement: ast.stmt, lines: list[str], names: dict[str, Any], where: str) -> None:
    last = lines[statement.end_lineno - 1]
    note = re.search(r"  # (->|raises) (.*)$", last)
    where = f"{where}:{statement.lineno}"
    if note and note[1] == "raises":
        name, _, text = note[2].partition(": ")
        with pytest.raises(Exception) as caught:
            exec(compile(ast.Module([statement], []), where, "exec"), names)
        kinds = [cls.__name__ for cls in type(caught.value).__mro__]
        assert name in kinds and like(f"...{text}...", str(caught.value)), (where, caught.value)
    elif note and isinstance(statement, ast.Expr):
        value = eval(compile(ast.Expression(statement.value), where, "eval"), names)
        assert like(note[2], repr(value)), f"{where}: {value!r}"
    else:
        exec(compile(ast.Module([statement], []), where, "exec"), names)


@pytest.fixture
def memory(monkeypatch: pytest.MonkeyPatch, tmp_path: pathlib.Path) -> Iterator[None]:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("MONGODB_URI", "docstore://:memory:")
    mongodb.disconnect_all()
    # the pages' classes must not take the names of other tests' classes
    monkeypatch.setattr(_registry, "_document_registry", dict(_registry._document_registry))
    mongodb.register_connection("default", "docs")
    yield
    mongodb.disconnect_all()


@pytest.fixture
def models(models_on: Any) -> Iterator[Any]:
    with models_on("docstore://:memory:") as make:
        yield make


@pytest.mark.parametrize("page", [page for page in PAGES if blocks(page)], ids=lambda p: p.name)
def test_blocks_run(
    page: pathlib.Path,
    memory: None,
    monkeypatch: pytest.MonkeyPatch,
    request: pytest.FixtureRequest,
) -> None:
    names: dict[str, Any] = {"__name__": f"docs_{page.stem}"}
    make = None
    if page.name == "orm.md":  # its models get their tables as soon as they are declared
        names["__name__"] = "mongodb.docs"
        make = request.getfixturevalue("models")
    if page.name == "README.md":  # its project is called shop
        for name in ("shop", "shop.documents"):
            module = types.ModuleType(name)
            module.__dict__.update(__path__=[], __getattr__=lambda wanted: names[wanted])
            monkeypatch.setitem(sys.modules, name, module)
    for first, text in blocks(page):
        tree = ast.parse("\n" * first + text)
        lines = ("\n" * first + text).splitlines()
        for statement in tree.body:
            run(statement, lines, names, page.name)
            meta = isinstance(statement, ast.ClassDef) and getattr(
                names[statement.name], "_meta", 0
            )
            if make is not None and meta and not meta.abstract:
                make(names[statement.name])


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_links_lead_somewhere(page: pathlib.Path) -> None:
    for target in re.findall(r"\]\(([^)#:]+)(?:#[^)]*)?\)", page.read_text()):
        assert (page.parent / target).exists(), target
