# SPDX-License-Identifier: Apache-2.0
"""Migrations. Django's own editor writes the definitions; `ddl` reads them back and carries them
out."""

from __future__ import annotations

import datetime
import decimal
import json
import uuid
from collections.abc import Iterator
from typing import Any

from bson import ObjectId, json_util
from django.db import NotSupportedError
from django.db.backends.base.schema import BaseDatabaseSchemaEditor
from django.db.models.sql.query import Query

from mongodb.backend import rules
from mongodb.backend.fields.rules import inner_rule
from mongodb.backend.plan.json import JSON_NULL
from mongodb.backend.plan.scope import TableInfo

__all__ = ["DatabaseSchemaEditor"]


class DatabaseSchemaEditor(BaseDatabaseSchemaEditor):
    """Writes definitions in the dialect of `sql.definitions`."""

    sql_delete_index = "DROP INDEX %(name)s ON %(table)s"
    sql_rename_index = "ALTER TABLE %(table)s RENAME INDEX %(old_name)s TO %(new_name)s"
    sql_create_column_inline_fk = (
        "CONSTRAINT %(name)s REFERENCES %(to_table)s(%(to_column)s)%(deferrable)s"
    )

    def __enter__(self) -> Any:
        self.connection.ensure_connection()
        return super().__enter__()

    def quote_value(self, value: Any) -> str:
        """Return a value as it stands in a definition."""
        if value is None or value is JSON_NULL:
            return "NULL"
        if isinstance(value, bool):
            return "TRUE" if value else "FALSE"
        if isinstance(value, (int, float)):
            return repr(value)
        if isinstance(value, datetime.timedelta):
            return str(value // datetime.timedelta(microseconds=1))
        if isinstance(value, str):
            return _quoted(str(value))
        for types, name, text in (
            (datetime.datetime, "TIMESTAMP", str),
            (datetime.date, "DATE", str),
            (datetime.time, "TIME", str),
            (decimal.Decimal, "DECIMAL", str),
            (uuid.UUID, "", lambda one: one.hex),
            ((bytes, bytearray, memoryview), "BYTES", lambda one: bytes(one).hex()),
            (ObjectId, "OBJECTID", str),
            ((dict, list), "JSON", json_util.dumps),
        ):
            if isinstance(value, types):  # type: ignore[arg-type]
                quoted = _quoted(text(value))
                return f"{name}({quoted})" if name else quoted
        raise ValueError(f"a {type(value).__name__} cannot stand in a definition: {value!r}")

    def table_sql(self, model: Any) -> Any:
        """Return the table's definition with its foreign keys: they may name tables to come."""
        before = len(self.deferred_sql)
        sql, params = super().table_sql(model)
        later = self.deferred_sql[before:]
        keys = [one for one in later if getattr(one, "template", None) == self.sql_create_fk]
        if sql is None or not keys:
            return sql, params
        self.deferred_sql[before:] = [one for one in later if one not in keys]
        written = (
            "CONSTRAINT {name} FOREIGN KEY ({column}) REFERENCES {to_table} ({to_column})"
            "{deferrable}".format(**one.parts)
            for one in keys
        )
        return f"{sql.removesuffix(')')}, {', '.join(written)})", params

    def _iter_column_sql(
        self, column_db_type: str, params: Any, model: Any, field: Any, *more: Any
    ) -> Iterator[str]:
        if field.remote_field:  # a key ends at the millisecond, as what it leads to
            column_db_type = column_db_type.removesuffix("(6)")
        yield from super()._iter_column_sql(column_db_type, params, model, field, *more)
        yield from self._shape(field)

    def _shape(self, field: Any) -> Iterator[str]:
        rule = inner_rule(field, self.connection)
        if rule:
            yield f"SHAPE {_quoted(json.dumps(rule))}"

    def _alter_field(
        self, model: Any, old_field: Any, new_field: Any, old_type: Any, new_type: Any, *args: Any
    ) -> None:
        super()._alter_field(model, old_field, new_field, old_type, new_type, *args)
        if any(self._shape(new_field)) or (old_type != new_type and any(self._shape(old_field))):
            self.reshape(model, new_field)

    def reshape(self, model: Any, field: Any) -> None:
        """Write down what is within a field's documents and arrays."""
        change = self.sql_alter_column_type % {
            "column": self.quote_name(field.column), "type": field.db_type(self.connection),
            "collation": "",
        }  # fmt: skip
        changes = " ".join([change, *self._shape(field)])
        table = self.quote_name(model._meta.db_table)
        self.execute(self.sql_alter_column % {"table": table, "changes": changes}, None)

    def index_sql(self, model: Any, spec: dict[str, Any]) -> str:
        """Return the statement that makes an index which SQL has no words for."""
        table, name = self.quote_name(model._meta.db_table), self.quote_name(spec["name"])
        return f"CREATE INDEX {name} ON {table} SPEC {_quoted(json_util.dumps(spec))}"

    def least(self, field: Any) -> Any:
        """Return the least value of a field's type, where a partial index begins."""
        return rules.least(field.db_type(self.connection) or "")

    def partial(self, model: Any, condition: Any) -> dict[str, Any]:
        """Return the partialFilterExpression of a Q."""
        query = Query(model=model, alias_cols=False)
        sql, params = query.build_where(condition).as_sql(
            query.get_compiler(connection=self.connection), self.connection
        )
        types = {f.column: (f.db_type(self.connection) or "").lower()
                 for f in model._meta.local_concrete_fields if f.column is not None}  # fmt: skip
        info = TableInfo(model._meta.db_table, model._meta.pk.column, types, True)
        test = rules.holds(info, sql % tuple(map(self.quote_value, params)))
        if rules.beyond(test):
            raise NotSupportedError(
                "MongoDB's partial indexes know equality, <, <=, >, >= and isnull=False only, not "
                f"{condition}"
            )
        return test

    def prepare_default(self, value: Any) -> str:
        return self.quote_value(value)

    def _column_default_sql(self, field: Any) -> str:
        return "%s"


def _quoted(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"
