# SPDX-License-Identifier: Apache-2.0
"""A recursive-descent parser of the SQL that Django's compiler and its users' apps write: queries
and changes of rows; `definitions` has the grammar of tables and indexes."""

from __future__ import annotations

from typing import Any

from mongodb.backend.sql import nodes as n
from mongodb.backend.sql.definitions import VERBS, definition
from mongodb.backend.sql.errors import SQLSyntaxError
from mongodb.backend.sql.lexer import Token, tokens
from mongodb.backend.sql.literals import TYPED

__all__ = ["SQLSyntaxError", "parse", "parse_counted"]

_COMPARE = {"=": "=", "==": "=", "<>": "<>", "!=": "<>", "<": "<", "<=": "<=", ">": ">",
            ">=": ">="}  # fmt: skip
_MATCH = {"LIKE": "like", "ILIKE": "ilike", "REGEXP": "regexp", "IREGEXP": "iregexp",
          "GLOB": "glob", "CONTAINING": "contains", "ICONTAINING": "icontains",
          "STARTING": "startswith", "ISTARTING": "istartswith", "ENDING": "endswith",
          "IENDING": "iendswith", "IEQUALS": "iexact"}  # fmt: skip
_ENDS_SELECT = frozenset(
    "FROM WHERE GROUP HAVING ORDER LIMIT OFFSET UNION INTERSECT EXCEPT FOR ON INNER LEFT JOIN "
    "CROSS USING SET VALUES RETURNING WINDOW FETCH AS".split()
)
_BITS = frozenset("& | # << >>".split())


def parse(text: str, has_params: bool = True) -> n.Node:
    """Return the statement of a text. Raises SQLSyntaxError."""
    return parse_counted(text, has_params)[0]


def parse_counted(text: str, has_params: bool = True) -> tuple[n.Node, int]:
    """Return the statement of a text, and how many parameters it names."""
    parser = _Parser(text, has_params)
    return parser.statement(), parser.params


class _Parser:
    def __init__(self, text: str, has_params: bool) -> None:
        self.text = text
        self.has_params = has_params
        self.tokens = tokens(text, has_params)
        self.at = 0
        self.params = 0
        self.queries: dict[str, n.Select] = {}  # those of WITH, by name

    # Tokens

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

    # Statements

    def statement(self) -> n.Node:
        token = self.token
        verb = token.text.upper() if token.kind == "word" else token.text
        if verb == "WITH":
            self.with_queries()
            return self.finished(self.select())
        if verb in VERBS:
            return self.finished(definition(self))
        make: Any = {
            "SELECT": self.select, "VALUES": self.select, "(": self.select,
            "INSERT": self.insert, "REPLACE": self.insert, "UPDATE": self.update,
            "DELETE": self.delete, "SAVEPOINT": self.command, "RELEASE": self.command,
            "ROLLBACK": self.command, "BEGIN": self.command, "START": self.command,
            "COMMIT": self.command,
        }.get(verb)  # fmt: skip
        if make is None:
            raise SQLSyntaxError(
                f"{verb or 'an empty statement'} is not supported as text: use the ORM, a "
                "migration, or PyMongo on get_db()"
            )
        return self.finished(make())

    def finished(self, made: Any) -> Any:
        """Return the statement when nothing follows it."""
        self.op(";")
        if self.token.kind != "end":
            raise self.fail("the end of the statement expected")
        return made

    def command(self) -> n.Command:
        verb = self.name().upper()
        self.word("TRANSACTION", "WORK", "IMMEDIATE")
        if verb == "ROLLBACK" and self.word("TO"):
            verb = "ROLLBACK TO"
        named = verb in ("SAVEPOINT", "RELEASE", "ROLLBACK TO")
        if named:
            self.word("SAVEPOINT")
        return n.Command("BEGIN" if verb == "START" else verb, self.name() if named else None)

    def insert(self) -> n.Insert:
        ignore = self.need_word("INSERT", "REPLACE") == "REPLACE"
        if self.word("OR"):
            self.need_word("IGNORE")
            ignore = True
        self.need_word("INTO")
        table = self.table_name()
        columns: list[str] = []
        rows: list[tuple[n.Node, ...]] = []
        select = None
        if self.op("("):
            columns = self.comma(self.name)
            self.need_op(")")
        if self.words("DEFAULT", "VALUES"):
            rows = [()]
        elif self.is_word("SELECT"):
            select = self.select()
        else:
            self.need_word("VALUES")
            rows = self.comma(self.row)
        conflict: list[str] = []
        update: list[tuple[str, n.Node]] = []
        if self.words("ON", "CONFLICT"):
            if self.op("("):
                conflict = self.comma(self.name)
                self.need_op(")")
            self.need_word("DO")
            if self.word("NOTHING"):
                ignore = True
            else:
                self.need_word("UPDATE")
                self.need_word("SET")
                update = self.comma(self.change)
        returning: list[str] = []
        if self.word("RETURNING"):
            returning = [one.name for one in self.comma(self.column_name)]
        return n.Insert(table, tuple(columns), tuple(rows), select, ignore, tuple(conflict),
                        tuple(update), tuple(returning))  # fmt: skip

    def row(self) -> tuple[n.Node, ...]:
        self.need_op("(")
        items = tuple(self.comma(self.value_or_default))
        self.need_op(")")
        return items

    def value_or_default(self) -> n.Node:
        if self.word("DEFAULT"):
            return n.Func("DEFAULT", ())
        return self.expr()

    def change(self) -> tuple[str, n.Node]:
        name = self.column_name().name
        self.need_op("=")
        return name, self.expr()

    def column_name(self) -> n.Column:
        first = self.name()
        return n.Column(first, self.name()) if self.op(".") else n.Column(None, first)

    def table_name(self) -> str:
        name = self.name()
        while self.op("."):
            name = self.name()
        return name

    def update(self) -> n.Update:
        self.need_word("UPDATE")
        table = self.table_name()
        alias = self.alias() or table
        self.need_word("SET")
        changes = self.comma(self.change)
        where = self.expr() if self.word("WHERE") else None
        return n.Update(table, alias, tuple(changes), where)

    def delete(self) -> n.Delete:
        self.need_word("DELETE")
        self.need_word("FROM")
        table = self.table_name()
        alias = self.alias() or table
        return n.Delete(table, alias, self.expr() if self.word("WHERE") else None)

    # Queries

    def select(self) -> n.Select:
        left = self.select_core()
        while self.is_word("UNION", "INTERSECT", "EXCEPT"):
            op = self.name().lower()
            all_ = self.word("ALL")
            self.word("DISTINCT")
            left = n.Select(op=op, all=all_, left=left, right=self.select_core())
        return self.select_tail(left)

    def select_tail(self, one: n.Select) -> n.Select:
        order: list[n.Order] = []
        limit = offset = None
        update = False
        if self.words("ORDER", "BY"):
            order = self.comma(self.order)
        while True:
            if self.word("LIMIT"):
                limit = self.expr()
            elif self.word("OFFSET"):
                offset = self.expr()
                self.word("ROWS", "ROW")
            elif self.word("FETCH"):
                self.need_word("FIRST", "NEXT")
                limit = self.expr()
                self.need_word("ROWS", "ROW")
                self.need_word("ONLY")
            elif self.word("FOR"):
                if self.word("NO"):
                    self.need_word("KEY")
                self.need_word("UPDATE", "SHARE")
                if self.word("OF"):
                    self.comma(self.column_name)
                while self.word("NOWAIT", "SKIP", "LOCKED"):
                    pass
                update = True
            else:
                break
        if not (order or limit or offset or update):
            return one
        if one.order_by or one.limit or one.offset:
            one = n.Select(columns=(n.Output(n.Star(), None),),
                           source=n.Table(None, "inner", one))  # fmt: skip
        values = {f: getattr(one, f) for f in n.Select.__slots__}
        values.update(order_by=tuple(order), limit=limit, offset=offset, for_update=update)
        return n.Select(**values)

    def select_core(self) -> n.Select:
        if self.op("("):
            inner = self.select()
            self.need_op(")")
            return inner
        if self.word("VALUES"):
            return n.Select(values=tuple(self.comma(self.row)))
        self.need_word("SELECT")
        distinct = self.word("DISTINCT")
        distinct_on: list[n.Node] = []
        if distinct and self.word("ON"):
            self.need_op("(")
            distinct_on = self.comma(self.expr)
            self.need_op(")")
        self.word("ALL")
        columns = self.comma(self.output)
        source = None
        joins: list[n.Join] = []
        if self.word("FROM"):
            source = self.table()
            joins = self.joins()
        where = self.expr() if self.word("WHERE") else None
        group = self.comma(self.expr) if self.words("GROUP", "BY") else []
        having = self.expr() if self.word("HAVING") else None
        return n.Select(tuple(columns), distinct, tuple(distinct_on), source, tuple(joins), where,
                        tuple(group), having)  # fmt: skip

    def output(self) -> n.Output:
        if self.op("*"):
            return n.Output(n.Star(), None)
        expr = self.expr()
        if self.word("AS"):
            return n.Output(expr, self.name())
        token = self.token
        if token.kind == "name" or (
            token.kind == "word" and token.text.upper() not in _ENDS_SELECT
        ):
            return n.Output(expr, self.name())
        return n.Output(expr, None)

    def alias(self) -> str | None:
        if self.word("AS"):
            return self.name()
        token = self.token
        if token.kind == "name" or (
            token.kind == "word" and token.text.upper() not in _ENDS_SELECT
        ):
            return self.name()
        return None

    def with_queries(self) -> None:
        """Take WITH name (columns) AS (query), …: each stands where its name does."""
        self.need_word("WITH")
        if self.word("RECURSIVE"):
            raise self.fail("WITH RECURSIVE is not supported: ask level by level, or $graphLookup")
        while True:
            name = self.name()
            columns: list[str] = []
            if self.op("("):
                columns = self.comma(self.name)
                self.need_op(")")
            self.need_word("AS")
            self.need_op("(")
            select = self.select()
            self.need_op(")")
            if columns:
                pairs = zip(select.columns, columns, strict=True)
                outputs = tuple(n.Output(output.expr, column) for output, column in pairs)
                values = {f: getattr(select, f) for f in n.Select.__slots__}
                select = n.Select(**{**values, "columns": outputs})
            self.queries[name] = select
            if not self.op(","):
                return

    def table(self) -> n.Table:
        if self.op("("):
            inner = self.select()
            self.need_op(")")
            return n.Table(None, self.alias() or "subquery", inner)
        name = self.table_name()
        if name in self.queries:
            return n.Table(None, self.alias() or name, self.queries[name])
        return n.Table(name, self.alias() or name)

    def joins(self) -> list[n.Join]:
        out = []
        while True:
            if self.op(","):
                out.append(n.Join("cross", self.table(), None))
                continue
            if self.words("CROSS", "JOIN"):
                out.append(n.Join("cross", self.table(), None))
                continue
            kind = "inner"
            if self.word("LEFT"):
                self.word("OUTER")
                kind = "left"
            elif not self.word("INNER") and not self.is_word("JOIN"):
                return out
            self.need_word("JOIN")
            table = self.table()
            out.append(n.Join(kind, table, self.expr() if self.word("ON") else None))

    def order(self) -> n.Order:
        expr = self.expr()
        descending = self.word("DESC")
        if not descending:
            self.word("ASC")
        nulls = self.need_word("FIRST", "LAST").lower() if self.word("NULLS") else None
        return n.Order(expr, descending, nulls)

    def comma(self, one: Any) -> list[Any]:
        out = [one()]
        while self.op(","):
            out.append(one())
        return out

    # Expressions, from the loosest operator to the tightest

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
