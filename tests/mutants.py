# SPDX-License-Identifier: Apache-2.0
"""Change the package's Python one small step at a time; name the changes that no test notices.

make mutants                              every module of documents, a sample of each
make mutants ONLY="_persist base"         these modules
make mutants EVERY=1                      every mutant instead of a sample

A mutant runs in a copy of the installed package that comes first on the path, with the tests that
are about documents, in memory only. Survivors are printed with their line; some change nothing that
can be seen.
"""

import ast
import copy
import os
import pathlib
import random
import shutil
import subprocess
import sys
import tempfile
import time

ROOT = pathlib.Path(__file__).resolve().parent.parent
MODULES = [
    "document", "base", "embedded", "_persist", "_rollback", "_stamps", "_collections",
    "_delete_rules", "_inside", "context_managers", "fields/base", "fields/nested", "fields/dates",
    "fields/lists", "fields/references", "fields/sequence", "fields/scalar",
]  # fmt: skip
TESTS = [
    "tests/python/documents",
    "tests/python/test_document.py",
    "tests/python/test_mistakes.py",
    "tests/python/test_mongoengine_habits.py",
    "tests/python/test_partial_documents.py",
    "tests/python/seed_000/test_documents.py",
    "tests/python/seed_000/test_validation.py",
    "tests/python/seed_000/test_advanced.py",
    "tests/python/seed_000/test_reading_rules.py",
    "tests/python/seed_000/test_custom_fields.py",
]
# Words in the names of tests that start processes, servers or write files.
SLOW = "mongod file manage_py pytest_django server aliases imported commands forked".split()
SAMPLE = 12  # mutants of one module, unless EVERY is set
SWAPS: dict[type, type] = {
    ast.And: ast.Or, ast.Or: ast.And, ast.Eq: ast.NotEq, ast.NotEq: ast.Eq, ast.Lt: ast.LtE,
    ast.LtE: ast.Lt, ast.Gt: ast.GtE, ast.GtE: ast.Gt, ast.Is: ast.IsNot, ast.IsNot: ast.Is,
    ast.In: ast.NotIn, ast.NotIn: ast.In, ast.Add: ast.Sub, ast.Sub: ast.Add,
}  # fmt: skip


class Mutator(ast.NodeTransformer):
    """Makes the change of one number; counts how many there are."""

    def __init__(self, wanted: int) -> None:
        self.wanted = wanted
        self.count = 0
        self.line = 0
        self.what = ""

    def _take(self, node: ast.AST, what: str) -> bool:
        self.count += 1
        if self.count - 1 != self.wanted:
            return False
        self.line, self.what = getattr(node, "lineno", 0), what
        return True

    def visit_FunctionDef(self, node: ast.FunctionDef) -> ast.AST:
        node.body = [self.visit(one) for one in node.body]
        return node

    visit_AsyncFunctionDef = visit_FunctionDef  # type: ignore[assignment]

    def visit_AnnAssign(self, node: ast.AnnAssign) -> ast.AST:
        if node.value is not None:
            node.value = self.visit(node.value)
        return node

    def visit_BoolOp(self, node: ast.BoolOp) -> ast.AST:
        self.generic_visit(node)
        if self._take(node, f"{type(node.op).__name__} turned round"):
            node.op = SWAPS[type(node.op)]()
        return node

    def visit_Compare(self, node: ast.Compare) -> ast.AST:
        self.generic_visit(node)
        if type(node.ops[0]) in SWAPS and self._take(node, f"{type(node.ops[0]).__name__} turned"):
            node.ops[0] = SWAPS[type(node.ops[0])]()
        return node

    def visit_If(self, node: ast.If) -> ast.AST:
        self.generic_visit(node)
        if self._take(node, "if always"):
            node.test = ast.Constant(True)
        if self._take(node, "if never"):
            node.test = ast.Constant(False)
        return node

    def visit_IfExp(self, node: ast.IfExp) -> ast.AST:
        self.generic_visit(node)
        if self._take(node, "branches changed"):
            node.body, node.orelse = node.orelse, node.body
        return node

    def visit_Return(self, node: ast.Return) -> ast.AST:
        self.generic_visit(node)
        if node.value is not None and self._take(node, "returns None"):
            node.value = ast.Constant(None)
        return node

    def visit_Constant(self, node: ast.Constant) -> ast.AST:
        if isinstance(node.value, bool) and self._take(node, f"not {node.value}"):
            return ast.copy_location(ast.Constant(not node.value), node)
        if type(node.value) is int and self._take(node, f"{node.value} + 1"):
            return ast.copy_location(ast.Constant(node.value + 1), node)
        return node

    def visit_Expr(self, node: ast.Expr) -> ast.AST:
        if isinstance(node.value, ast.Constant):
            return node  # a docstring
        self.generic_visit(node)
        if isinstance(node.value, ast.Call) and self._take(node, "call left out"):
            return ast.copy_location(ast.Pass(), node)
        return node

    def visit_Call(self, node: ast.Call) -> ast.AST:
        self.generic_visit(node)
        for at, keyword in enumerate(node.keywords):
            if keyword.arg and self._take(node, f"without {keyword.arg}="):
                del node.keywords[at]
                break
        return node


def mutants(source: str) -> int:
    counter = Mutator(-1)
    counter.visit(ast.parse(source))
    return counter.count


def mutate(source: str, number: int) -> tuple[str, int, str]:
    mutator = Mutator(number)
    tree = mutator.visit(copy.deepcopy(ast.parse(source)))
    return ast.unparse(ast.fix_missing_locations(tree)), mutator.line, mutator.what


def killed(path: pathlib.Path) -> bool:
    command = [sys.executable, "-m", "pytest", "-x", "-q", "-p", "no:cacheprovider"]
    command += ["-k", " and ".join(f"not {word}" for word in SLOW), *TESTS]
    env = {**os.environ, "PYTHONPATH": str(path), "PYTHONDONTWRITEBYTECODE": "1"}
    try:
        done = subprocess.run(command, cwd=ROOT, env=env, capture_output=True, timeout=300)
    except subprocess.TimeoutExpired:
        return True
    return done.returncode != 0


def main() -> int:
    import mongodb

    home = pathlib.Path(mongodb.__file__).parent
    names = os.environ.get("ONLY", "").split() or MODULES
    chosen = random.Random(int(os.environ.get("SEED", "0")))
    survivors = tried = 0
    with tempfile.TemporaryDirectory() as folder:
        path = pathlib.Path(folder)
        shutil.copytree(home, path / "mongodb", ignore=shutil.ignore_patterns("__pycache__"))
        if killed(path):
            print("the tests fail without a mutant", file=sys.stderr)
            return 1
        for name in names:
            file = path / "mongodb" / f"{name}.py"
            source = file.read_text()
            numbers = list(range(mutants(source)))
            if not os.environ.get("EVERY"):
                numbers = sorted(chosen.sample(numbers, min(SAMPLE, len(numbers))))
            for number in numbers:
                text, line, what = mutate(source, number)
                file.write_text(text)
                begin = time.monotonic()
                tried += 1
                if not killed(path):
                    survivors += 1
                    shown = source.splitlines()[line - 1].strip()
                    print(f"{name}.py:{line}: {what}: {shown}", flush=True)
                elif os.environ.get("VERBOSE"):
                    print(f"  killed {name}:{line} in {time.monotonic() - begin:.0f} s", flush=True)
            file.write_text(source)
    print(f"{tried} mutants, {survivors} survived")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
