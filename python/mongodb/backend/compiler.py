# SPDX-License-Identifier: Apache-2.0
"""Django's own compilers write the statements; here stands only what differs."""

from __future__ import annotations

from typing import Any

from django.db.models import Count
from django.db.models.expressions import BaseExpression
from django.db.models.sql import compiler as django

from mongodb.backend import shapes
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
    _rows: shapes.Rows | None = None  # when the model alone says what the columns are

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

    def get_select(self, with_col_aliases: bool = False) -> Any:
        self._rows = None
        key, rows = (None, None) if with_col_aliases else shapes.whole_rows(self)
        if key is None:
            return super().get_select(with_col_aliases)
        if rows is None:
            select, klass_info, annotations = super().get_select()
            self._rows = shapes.keep(self, key, select)
            return list(select), klass_info, annotations
        self._rows = rows
        klass_info = {"model": self.query.model, "select_fields": list(rows.places)}
        return list(rows.select), klass_info, {}

    def _cells(self) -> tuple[Cell | None, ...]:
        rows = self._rows
        if rows is not None and rows.cells is not None:
            return rows.cells
        expressions = [one[0] for one in self.select]
        if self.has_composite_fields(expressions):  # of several columns each
            return ()
        made = tuple(map(self._cell, expressions))
        if rows is not None:
            rows.cells = made
        return made

    def _cell(self, expression: Any) -> Cell | None:
        """What is wanted of a column, when none but the backend's own converter makes it."""
        ours = self.connection.ops.get_db_converters(expression)
        of_field = expression.get_db_converters(self.connection)
        if not ours and len(of_field) == 1 and is_plain_json(of_field[0]):
            return ANY
        if isinstance(expression, Count) and _by_type(expression):
            of_field = of_field[1:]  # makes a whole number of what is one
        return None if len(ours) != 1 or of_field else getattr(ours[0], "cell", None)

    def get_converters(self, expressions: Any) -> Any:
        """Converters of the columns that the cursor has not made already."""
        statement = self._statement
        if statement is None or not statement.made:
            return super().get_converters(expressions)
        rows, left = self._rows, list(expressions)
        whole = rows is not None and len(left) == len(rows.select)
        if whole and rows.converters is not None:  # type: ignore[union-attr]
            return dict(rows.converters)  # type: ignore[union-attr]
        for at, (cell, own) in enumerate(zip(statement.cells, self.select, strict=False)):
            if cell is not None and at < len(left) and left[at] is own[0]:
                left[at] = None
        converters = super().get_converters(left) if any(left) else {}
        if whole:
            rows.converters = dict(converters)  # type: ignore[union-attr]
        return converters


def _by_type(expression: Any) -> bool:
    """Whether Django converts an expression's values by the type of its output alone."""
    return type(expression).convert_value is BaseExpression.convert_value


class SQLInsertCompiler(django.SQLInsertCompiler, SQLCompiler):
    """Inserts."""

    _saved: dict[int, Any] | None = None  # values of the one row by field, saved already

    def as_sql(self) -> Any:
        key, kept = shapes.inserted(self)
        if key is None:
            return super().as_sql()
        fields, one = self.query.fields, self.query.objs[0]
        saved = [self.pre_save_val(field, one) for field in fields]
        params = tuple(map(self.prepare_value, fields, saved))
        plain = not any(hasattr(value, "as_sql") for value in params)
        if kept is not None and plain:
            self.returning_params = kept.returning_params
            return [(kept.text, params)]
        self._saved = dict(zip(map(id, fields), saved, strict=True))
        made = super().as_sql()
        if plain:
            shapes.keep_inserted(self, key, made[0][0])
        return made

    def pre_save_val(self, field: Any, obj: Any) -> Any:
        if self._saved is not None:
            return self._saved[id(field)]
        return super().pre_save_val(field, obj)


class SQLDeleteCompiler(django.SQLDeleteCompiler, SQLCompiler):
    """Deletes."""


class SQLUpdateCompiler(django.SQLUpdateCompiler, SQLCompiler):
    """Updates."""


class SQLAggregateCompiler(django.SQLAggregateCompiler, SQLCompiler):
    """Aggregates over a query."""
