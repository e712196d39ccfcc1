# SPDX-License-Identifier: Apache-2.0
"""Django's own compilers write the statements; here stands only what differs."""

from __future__ import annotations

from typing import Any

from django.db.models.sql import compiler as django

from mongodb.backend.cells import ANY, Cell
from mongodb.backend.register import is_plain_json

__all__ = [
    "SQLAggregateCompiler", "SQLCompiler", "SQLDeleteCompiler", "SQLInsertCompiler",
    "SQLUpdateCompiler", "Statement",
]  # fmt: skip


class Statement(str):
    """A query's text, with what Django wants of each of its columns; `made` once they are so."""

    cells: tuple[Cell | None, ...] = ()
    made = False


class SQLCompiler(django.SQLCompiler):
    """Queries."""

    _outer = False  # whether the text that is asked for is the whole statement's
    _statement: Statement | None = None

    def execute_sql(self, *args: Any, **kwargs: Any) -> Any:
        self._outer = True
        return super().execute_sql(*args, **kwargs)

    def as_sql(self, *args: Any, **kwargs: Any) -> Any:
        outer, self._outer = self._outer, False
        sql, params = super().as_sql(*args, **kwargs)
        if outer and sql:
            sql = self._statement = Statement(sql)
            sql.cells = self._cells()
        return sql, params

    def _cells(self) -> tuple[Cell | None, ...]:
        expressions = [one[0] for one in self.select]
        if self.has_composite_fields(expressions):  # of several columns each
            return ()
        return tuple(map(self._cell, expressions))

    def _cell(self, expression: Any) -> Cell | None:
        """What is wanted of a column, when none but the backend's own converter makes it."""
        ours = self.connection.ops.get_db_converters(expression)
        of_field = expression.get_db_converters(self.connection)
        if not ours and len(of_field) == 1 and is_plain_json(of_field[0]):
            return ANY
        return None if len(ours) != 1 or of_field else getattr(ours[0], "cell", None)

    def get_converters(self, expressions: Any) -> Any:
        """Converters of the columns that the cursor has not made already."""
        statement = self._statement
        if statement is None or not statement.made:
            return super().get_converters(expressions)
        left = list(expressions)
        for at, (cell, own) in enumerate(zip(statement.cells, self.select, strict=False)):
            if cell is not None and at < len(left) and left[at] is own[0]:
                left[at] = None
        return super().get_converters(left) if any(left) else {}


class SQLInsertCompiler(django.SQLInsertCompiler, SQLCompiler):
    """Inserts."""


class SQLDeleteCompiler(django.SQLDeleteCompiler, SQLCompiler):
    """Deletes."""


class SQLUpdateCompiler(django.SQLUpdateCompiler, SQLCompiler):
    """Updates."""


class SQLAggregateCompiler(django.SQLAggregateCompiler, SQLCompiler):
    """Aggregates over a query."""
