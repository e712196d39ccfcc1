# SPDX-License-Identifier: Apache-2.0
"""A recursive-descent parser of the SQL that Django's compiler and its users' apps write: queries
and changes of rows; `definitions` has the grammar of tables and indexes."""

from __future__ import annotations

from typing import Any

from mongodb.backend.sql import nodes as n
from mongodb.backend.sql.definitions import VERBS, definition
from mongodb.backend.sql.errors import SQLSyntaxError
from mongodb.backend.sql.expressions import Expressions

__all__ = ["SQLSyntaxError", "parse", "parse_counted", "parse_expression"]

_ENDS_SELECT = frozenset(
    "FROM WHERE GROUP HAVING ORDER LIMIT OFFSET UNION INTERSECT EXCEPT FOR ON INNER LEFT JOIN "
    "CROSS USING SET VALUES RETURNING WINDOW FETCH AS".split()
)


def parse(text: str, has_params: bool = True) -> n.Node:
    """Return the statement of a text. Raises SQLSyntaxError."""
    return parse_counted(text, has_params)[0]


def parse_counted(text: str, has_params: bool = True) -> tuple[n.Node, int]:
    """Return the statement of a text, and how many parameters it names."""
    parser = _Parser(text, has_params)
    return parser.statement(), parser.params


def parse_expression(text: str) -> n.Node:
    """Return the tree of a value or a condition, without parameters."""
    parser = _Parser(text, False)
    return parser.finished(parser.expr())  # type: ignore[no-any-return]


class _Parser(Expressions):
    """Reads statements."""

    def __init__(self, text: str, has_params: bool) -> None:
        super().__init__(text, has_params)
        self.queries: dict[str, n.Select] = {}  # those of WITH, by name

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
