# SPDX-License-Identifier: Apache-2.0
"""The small changes that tests/mutants.py makes of a module: one at a time, each by its number."""

import ast
import copy
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

SWAPS: dict[type, type] = {
    ast.And: ast.Or, ast.Or: ast.And, ast.Eq: ast.NotEq, ast.NotEq: ast.Eq, ast.Lt: ast.LtE,
    ast.LtE: ast.Lt, ast.Gt: ast.GtE, ast.GtE: ast.Gt, ast.Is: ast.IsNot, ast.IsNot: ast.Is,
    ast.In: ast.NotIn, ast.NotIn: ast.In, ast.Add: ast.Sub, ast.Sub: ast.Add,
    ast.Mult: ast.Add, ast.FloorDiv: ast.Mult, ast.Mod: ast.Mult, ast.BitOr: ast.BitAnd,
}  # fmt: skip
LEFT_OUT = (ast.Call, ast.Yield, ast.YieldFrom, ast.Await)


@dataclass
class Mutant:
    """A change, and the lines that a test must run to notice it."""

    what: str
    first: int
    last: int
    unit: tuple[int, ...]  # the first lines of the functions around it, outermost first
    default: bool  # a parameter's default: evaluated once, when the function is made
    tree: ast.Module

    def text(self, lines: list[str]) -> str:
        return lines[self.first - 1].strip()


class Mutator(ast.NodeTransformer):
    """Makes the change of one number; counts how many there are."""

    def __init__(self, wanted: int) -> None:
        self.wanted = wanted
        self.count = 0
        self.found: tuple[str, int, int, tuple[int, ...], bool] | None = None
        self.functions: list[int] = []
        self.in_default = False
        self.statement: ast.stmt | None = None

    def _take(self, node: Any, what: str) -> bool:
        self.count += 1
        if self.count - 1 != self.wanted:
            return False
        last = node.end_lineno or node.lineno
        self.found = (what, node.lineno, last, tuple(self.functions), self.in_default)
        return True

    # What is not changed

    def visit_FunctionDef(self, node: ast.FunctionDef) -> ast.AST:
        node.decorator_list = [self.visit(one) for one in node.decorator_list]
        first = min([node.lineno, *(one.lineno for one in node.decorator_list)])
        self.functions.append(first)
        self.in_default = True
        node.args.defaults = [self.visit(one) for one in node.args.defaults]
        node.args.kw_defaults = [one and self.visit(one) for one in node.args.kw_defaults]
        self.in_default = False
        node.body = self._body(node.body)
        self.functions.pop()
        return node

    visit_AsyncFunctionDef = visit_FunctionDef  # type: ignore[assignment]

    def _body(self, body: list[ast.stmt]) -> list[ast.stmt]:
        return [self.visit(one) for one in body]

    def visit_Raise(self, node: ast.Raise) -> ast.AST:
        return ast.Pass() if self._take(node, "raise left out") else node  # not its words

    def visit_JoinedStr(self, node: ast.JoinedStr) -> ast.AST:
        return node

    def visit_AnnAssign(self, node: ast.AnnAssign) -> ast.AST:
        if node.value is not None:
            node.value = self.visit(node.value)
            if not isinstance(node.target, ast.Name) and self._take(node, "assignment left out"):
                return ast.Pass()
        return node

    def visit_Assign(self, node: ast.Assign) -> ast.AST:
        if any(isinstance(one, ast.Name) and one.id.startswith("__") for one in node.targets):
            return node  # __all__, __slots__
        node.value = self.visit(node.value)
        node.targets = [one if isinstance(one, ast.Name) else self.visit(one)
                        for one in node.targets]  # fmt: skip
        whole = all(isinstance(one, (ast.Attribute, ast.Subscript)) for one in node.targets)
        return ast.Pass() if whole and self._take(node, "assignment left out") else node

    def visit_AugAssign(self, node: ast.AugAssign) -> ast.AST:
        self.generic_visit(node)
        return ast.Pass() if self._take(node, "assignment left out") else node

    # Statements

    def visit_Expr(self, node: ast.Expr) -> ast.AST:
        if isinstance(node.value, ast.Constant):
            return node  # a docstring
        self.generic_visit(node)
        if isinstance(node.value, LEFT_OUT) and self._take(node, "call left out"):
            return ast.Pass()
        return node

    def visit_Delete(self, node: ast.Delete) -> ast.AST:
        return ast.Pass() if self._take(node, "del left out") else node

    def visit_Break(self, node: ast.Break) -> ast.AST:
        return ast.Continue() if self._take(node, "break continues") else node

    def visit_Continue(self, node: ast.Continue) -> ast.AST:
        return ast.Break() if self._take(node, "continue breaks") else node

    def visit_Return(self, node: ast.Return) -> ast.AST:
        self.generic_visit(node)
        plain = isinstance(node.value, ast.Constant) and node.value.value is None
        if node.value is None or plain:
            return ast.Pass() if self._take(node, "goes on") else node
        if self._take(node, "returns None"):
            node.value = ast.Constant(None)
        return node

    def visit_With(self, node: ast.With) -> ast.AST:
        self.generic_visit(node)
        first = node.items[0].context_expr
        if all(one.optional_vars is None for one in node.items) and self._take(first, "no with"):
            return ast.If(test=ast.Constant(True), body=node.body, orelse=[])
        return node

    def visit_If(self, node: ast.If) -> ast.AST:
        if isinstance(node.test, ast.Name) and node.test.id == "TYPE_CHECKING":
            return node
        raises = len(node.body) == 1 and isinstance(node.body[0], ast.Raise) and not node.orelse
        node.test = self.visit(node.test)
        node.body = node.body if raises else self._body(node.body)
        node.orelse = self._body(node.orelse)
        if self._take(node.test, "if always"):
            node.test = ast.Constant(True)
        if self._take(node.test, "if never"):
            node.test = ast.Constant(False)
        return node

    def visit_While(self, node: ast.While) -> ast.AST:
        self.generic_visit(node)
        if not isinstance(node.test, ast.Constant) and self._take(node.test, "while never"):
            node.test = ast.Constant(False)
        return node

    # Expressions

    def visit_BoolOp(self, node: ast.BoolOp) -> ast.AST:
        self.generic_visit(node)
        name = type(node.op).__name__.lower()
        if self._take(node, f"{name} turned round"):
            node.op = SWAPS[type(node.op)]()
        for at, one in enumerate(node.values):
            if self._take(one, f"{name} without part {at + 1}"):
                rest = [*node.values[:at], *node.values[at + 1 :]]
                return rest[0] if len(rest) == 1 else ast.BoolOp(node.op, rest)
        return node

    def visit_UnaryOp(self, node: ast.UnaryOp) -> ast.AST:
        self.generic_visit(node)
        return node.operand if self._take(node, f"{type(node.op).__name__} left out") else node

    def visit_BinOp(self, node: ast.BinOp) -> ast.AST:
        self.generic_visit(node)
        if type(node.op) in SWAPS and self._take(node, f"{type(node.op).__name__} changed"):
            node.op = SWAPS[type(node.op)]()
        return node

    def visit_Compare(self, node: ast.Compare) -> ast.AST:
        self.generic_visit(node)
        for at, op in enumerate(node.ops):
            if type(op) in SWAPS and self._take(node, f"{type(op).__name__} turned"):
                node.ops[at] = SWAPS[type(op)]()
        return node

    def visit_IfExp(self, node: ast.IfExp) -> ast.AST:
        self.generic_visit(node)
        if self._take(node, "always the first"):
            return node.body
        return node.orelse if self._take(node, "always the second") else node

    def visit_comprehension(self, node: ast.comprehension) -> ast.AST:
        self.generic_visit(node)
        for at, one in enumerate(node.ifs):
            if self._take(one, "condition left out"):
                node.ifs[at] = ast.Constant(True)
        return node

    def visit_Slice(self, node: ast.Slice) -> ast.AST:
        self.generic_visit(node)
        if node.lower is not None and self._take(node, "slice from the start"):
            node.lower = None
        if node.upper is not None and self._take(node, "slice to the end"):
            node.upper = None
        return node

    def visit_Dict(self, node: ast.Dict) -> ast.AST:
        self.generic_visit(node)
        for at, value in enumerate(node.values):
            if self._take(value, "entry left out"):
                keys = [*node.keys[:at], *node.keys[at + 1 :]]
                return ast.Dict(keys, [*node.values[:at], *node.values[at + 1 :]])
        return node

    def visit_Constant(self, node: ast.Constant) -> ast.AST:
        value: Any = node.value
        change: Any = value
        if isinstance(value, bool):
            change = not value
        elif isinstance(value, int):
            change = value + 1
        elif isinstance(value, str):
            change = "" if value else "x"
        elif value is None:
            change = 1
        if change is not value and self._take(node, f"{value!r:.30} to {change!r}"):
            return ast.Constant(change)
        return node

    def visit_Call(self, node: ast.Call) -> ast.AST:
        name = node.func.id if isinstance(node.func, ast.Name) else ""
        if name in ("TypeVar", "cast"):
            return node
        self.generic_visit(node)
        for at, keyword in enumerate(node.keywords):
            if self._take(keyword.value, f"without {keyword.arg or '**'}="):
                del node.keywords[at]
                break
        return node


def mutants(source: str) -> Iterator[Callable[[], Mutant]]:
    """Yield what makes each mutant of a module."""
    tree = ast.parse(source)
    counter = Mutator(-1)
    counter.visit(copy.deepcopy(tree))

    def make(number: int) -> Mutant:
        mutator = Mutator(number)
        changed = mutator.visit(copy.deepcopy(tree))
        assert mutator.found is not None
        what, first, last, unit, default = mutator.found
        return Mutant(what, first, last, unit, default, ast.fix_missing_locations(changed))

    for number in range(counter.count):
        yield lambda number=number: make(number)
