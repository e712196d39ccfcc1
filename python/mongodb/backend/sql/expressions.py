# SPDX-License-Identifier: Apache-2.0
"""Expressions, from the loosest operator to the tightest, and conditions, calls and windows."""

from __future__ import annotations

from typing import Any

from mongodb.backend.sql import nodes as n
from mongodb.backend.sql.errors import SQLSyntaxError
from mongodb.backend.sql.literals import TYPED
from mongodb.backend.sql.reader import Reader

__all__ = ["Expressions"]

_COMPARE = {"=": "=", "==": "=", "<>": "<>", "!=": "<>", "<": "<", "<=": "<=", ">": ">",
            ">=": ">="}  # fmt: skip
_MATCH = {"LIKE": "like", "ILIKE": "ilike", "REGEXP": "regexp", "IREGEXP": "iregexp",
          "GLOB": "glob", "CONTAINING": "contains", "ICONTAINING": "icontains",
          "STARTING": "startswith", "ISTARTING": "istartswith", "ENDING": "endswith",
          "IENDING": "iendswith", "IEQUALS": "iexact"}  # fmt: skip
_BITS = frozenset("& | # << >>".split())


class Expressions(Reader):
    """Reads values and conditions."""

    def select(self) -> n.Select:
        """Take a query."""
        raise NotImplementedError

    def order(self) -> n.Order:
        """Take a key of ORDER BY."""
        raise NotImplementedError

    def expr(self) -> n.Node:
        args = [self.conjunction()]
        while self.word("OR"):
            args.append(self.conjunction())
        return args[0] if len(args) == 1 else n.Or(tuple(args))

    def conjunction(self) -> n.Node:
        args = [self.negation()]
        while self.word("AND"):
            args.append(self.negation())
        return args[0] if len(args) == 1 else n.And(tuple(args))

    def negation(self) -> n.Node:
        if self.word("NOT"):
            return n.Not(self.negation())
        return self.comparison()

    def comparison(self) -> n.Node:
        left = self.bits()
        while True:
            op = self.op(*_COMPARE)
            if op is not None:
                left = n.Compare(_COMPARE[op], left, self.bits())
                continue
            if self.word("IS"):
                left = self.is_test(left)
                continue
            if self.word("ISNULL"):
                left = n.IsNull(left)
                continue
            if self.word("NOTNULL"):
                left = n.IsNull(left, True)
                continue
            start = self.at
            negated = self.word("NOT")
            found = self.predicate(left, negated)
            if found is None:
                self.at = start
                return left
            left = found

    def is_test(self, left: n.Node) -> n.Node:
        negated = self.word("NOT")
        if self.word("NULL"):
            return n.IsNull(left, negated)
        if self.words("DISTINCT", "FROM"):
            return n.Compare("is" if negated else "is not", left, self.bits())
        return n.Compare("is not" if negated else "is", left, self.bits())

    def predicate(self, left: n.Node, negated: bool) -> n.Node | None:
        if self.word("IN"):
            self.need_op("(")
            items: Any = self.nested()
            if items is None:
                items = () if self.is_op(")") else tuple(self.comma(self.expr))
            self.need_op(")")
            return n.In(left, items, negated)
        if self.word("BETWEEN"):
            low = self.bits()
            self.need_word("AND")
            return n.Between(left, low, self.bits(), negated)
        if self.token.kind == "word" and self.token.text.upper() in _MATCH:
            kind = _MATCH[self.name().upper()]
            self.word("WITH")
            pattern = self.bits()
            escape: str | None = "\\"
            if self.word("ESCAPE"):
                escape = self.token.text
                self.at += 1
            return n.Match(kind, left, pattern, negated, escape)
        return None

    def bits(self) -> n.Node:
        left = self.sum()
        while self.token.kind == "op" and self.token.text in _BITS:
            op = self.op(*_BITS)
            left = n.Binary(op or "", left, self.sum())
        return left

    def sum(self) -> n.Node:
        left = self.product()
        while op := self.op("+", "-", "||"):
            left = n.Binary(op, left, self.product())
        return left

    def product(self) -> n.Node:
        left = self.power()
        while op := self.op("*", "/", "%"):
            left = n.Binary(op, left, self.power())
        return left

    def power(self) -> n.Node:
        left = self.unary()
        while self.op("^"):
            left = n.Binary("^", left, self.unary())
        return left

    def unary(self) -> n.Node:
        if op := self.op("-", "+", "~"):
            arg = self.unary()
            if op == "-" and isinstance(arg, n.Literal):
                return n.Literal(-arg.value)
            return arg if op == "+" else n.Unary(op, arg)
        return self.suffixed()

    def suffixed(self) -> n.Node:
        out = self.primary()
        while True:
            if self.op("::"):
                out = n.Cast(out, self.type())
            elif op := self.op("->>", "->"):
                out = n.Func("JSON_GET_TEXT" if op == "->>" else "JSON_GET", (out, self.primary()))
            elif self.word("COLLATE"):
                out = n.Func("COLLATE", (out, n.Literal(self.name())))
            else:
                return out

    def primary(self) -> n.Node:
        token = self.token
        if token.kind == "param":
            self.at += 1
            self.params += 1
            return n.Param(self.params - 1)
        if token.kind == "number":
            self.at += 1
            whole = token.text.isdigit()
            return n.Literal(int(token.text) if whole else float(token.text))
        if token.kind == "string":
            self.at += 1
            return n.Literal(token.text)
        if self.op("("):
            return self.parenthesis()
        if token.kind == "name":
            return self.name_or_call()
        if token.kind == "word":
            special = self.special(token.text.upper())
            return special if special is not None else self.name_or_call()
        raise self.fail("an expression expected")

    def parenthesis(self) -> n.Node:
        select = self.nested()
        if select is not None:
            self.need_op(")")
            return n.SubSelect(select)
        items = self.comma(self.expr)
        self.need_op(")")
        return items[0] if len(items) == 1 else n.Tuple(tuple(items))

    def nested(self) -> n.Select | None:
        """Take a query if one follows up to the closing parenthesis, else nothing."""
        at = self.at
        while self.tokens[at].kind == "op" and self.tokens[at].text == "(":
            at += 1
        token = self.tokens[at]
        if token.kind != "word" or token.text.upper() not in ("SELECT", "VALUES"):
            return None
        before = self.at, self.params
        try:
            select = self.select()
        except SQLSyntaxError:
            self.at, self.params = before
            return None
        if not self.is_op(")"):
            self.at, self.params = before
            return None
        return select

    def special(self, word: str) -> n.Node | None:
        if word in ("NULL", "TRUE", "FALSE"):
            self.at += 1
            return n.Literal({"NULL": None, "TRUE": True, "FALSE": False}[word])
        if word == "CASE":
            self.at += 1
            return self.case()
        if word == "EXISTS":
            self.at += 1
            self.need_op("(")
            select = self.select()
            self.need_op(")")
            return n.Exists(select)
        if word == "CAST":
            self.at += 1
            self.need_op("(")
            arg = self.expr()
            self.need_word("AS")
            type_ = self.type()
            self.need_op(")")
            return n.Cast(arg, type_)
        if word in ("CURRENT_TIMESTAMP", "CURRENT_DATE", "CURRENT_TIME"):
            self.at += 1
            if self.op("("):
                self.need_op(")")
            return n.Func(word, ())
        return None

    def case(self) -> n.Case:
        subject = None if self.is_word("WHEN") else self.expr()
        whens = []
        while self.word("WHEN"):
            when = self.expr()
            self.need_word("THEN")
            test = when if subject is None else n.Compare("=", subject, when)
            whens.append((test, self.expr()))
        otherwise = self.expr() if self.word("ELSE") else None
        self.need_word("END")
        return n.Case(tuple(whens), otherwise)

    def type(self) -> str:
        parts = [self.name().lower()]
        while self.token.kind == "word" and self.token.text.upper() in (
            "PRECISION", "VARYING", "UNSIGNED", "WITH", "WITHOUT", "TIME", "ZONE",
        ):  # fmt: skip
            parts.append(self.name().lower())
        if self.op("("):
            sizes = self.comma(lambda: self.tokens[self.at_next()].text)
            self.need_op(")")
            return f"{' '.join(parts)}({','.join(sizes)})"
        if self.op("["):
            self.need_op("]")
        return " ".join(parts)

    def at_next(self) -> int:
        self.at += 1
        return self.at - 1

    def name_or_call(self) -> n.Node:
        quoted = self.token.kind == "name"
        first = self.name()
        if self.op("."):
            if self.op("*"):
                return n.Star(first)
            second = self.name()
            while self.op("."):
                first, second = second, self.name()
            return n.Column(first, second)
        if not quoted and self.op("("):
            return self.call(first.upper())
        return n.Column(None, first)

    def call(self, name: str) -> n.Node:
        distinct = star = False
        args: list[n.Node] = []
        order: list[n.Order] = []
        if self.op("*"):
            star = True
        elif not self.is_op(")"):
            distinct = self.word("DISTINCT")
            self.word("ALL")
            args = self.comma(self.expr)
            if self.words("ORDER", "BY"):
                order = self.comma(self.order)
        self.need_op(")")
        if name in TYPED and len(args) == 1 and isinstance(args[0], n.Literal):
            return TYPED[name](args[0].value)
        where = over = None
        if self.word("FILTER"):
            self.need_op("(")
            self.need_word("WHERE")
            where = self.expr()
            self.need_op(")")
        if self.word("OVER"):
            over = self.window()
        return n.Func(name, tuple(args), distinct, star, where, over, tuple(order))

    def window(self) -> n.Window:
        self.need_op("(")
        partition = self.comma(self.expr) if self.words("PARTITION", "BY") else []
        order = self.comma(self.order) if self.words("ORDER", "BY") else []
        frame = None
        if self.is_word("ROWS", "RANGE", "GROUPS"):
            unit = self.name().lower()
            if self.word("BETWEEN"):
                start = self.bound()
                self.need_word("AND")
                end = self.bound()
            else:
                start, end = self.bound(), ("current", None)
            exclusion = None
            if self.word("EXCLUDE"):
                exclusion = self.name().upper()
                if exclusion in ("CURRENT", "NO"):
                    exclusion += " " + self.name().upper()
            frame = (unit, start, end, exclusion)
        self.need_op(")")
        return n.Window(tuple(partition), tuple(order), frame)

    def bound(self) -> tuple[str, n.Node | None]:
        if self.words("CURRENT", "ROW"):
            return "current", None
        if self.word("UNBOUNDED"):
            return f"unbounded {self.need_word('PRECEDING', 'FOLLOWING').lower()}", None
        value = self.expr()
        return self.need_word("PRECEDING", "FOLLOWING").lower(), value
