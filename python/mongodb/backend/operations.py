# SPDX-License-Identifier: Apache-2.0
"""How Django spells things for this store, and how values go there and come back."""

from __future__ import annotations

import datetime
import functools
import json
import re
from collections.abc import Callable, Iterable, Sequence
from typing import Any

from bson import Decimal128
from django.conf import settings
from django.db import DataError, NotSupportedError
from django.db.backends.base.operations import BaseDatabaseOperations
from django.db.models import AutoField
from django.db.models.constants import OnConflict
from django.db.models.expressions import Col
from django.utils import timezone

from mongodb.backend import cells
from mongodb.backend.plan.json import JSON_NULL
from mongodb.backend.tables import COUNTERS

__all__ = ["DatabaseOperations"]

Converter = Callable[[Any, Any, Any], Any]


class DatabaseOperations(BaseDatabaseOperations):
    """The dialect: Django's own SQL, with functions that plan/functions.py has rows for."""

    compiler_module = "mongodb.backend.compiler"
    explain_prefix = "EXPLAIN"
    cast_char_field_without_max_length = "text"
    cast_data_types = {
        "AutoField": "integer", "BigAutoField": "bigint", "SmallAutoField": "smallint",
    }  # fmt: skip
    integer_field_ranges = {
        **BaseDatabaseOperations.integer_field_ranges,
        "PositiveBigIntegerField": (0, 9223372036854775807),
    }
    set_operators = {"union": "UNION", "intersection": "INTERSECT", "difference": "EXCEPT"}

    def quote_name(self, name: str) -> str:
        if name.startswith('"') and name.endswith('"'):
            return name
        return f'"{name}"'

    def bulk_batch_size(self, fields: Sequence[Any], objs: Sequence[Any]) -> int:
        return max(len(objs), 1) if len(fields) < 1 else min(max(len(objs), 1), 10_000)

    def no_limit_value(self) -> int:
        return -1

    def pk_default_value(self) -> str:
        return "DEFAULT"

    def distinct_sql(self, fields: list[str], params: list[Any]) -> tuple[list[str], list[Any]]:
        if fields:
            flat = [one for group in params for one in group]
            return [f"DISTINCT ON ({', '.join(fields)})"], flat
        return ["DISTINCT"], []

    def return_insert_columns(self, fields: Iterable[Any]) -> tuple[str, tuple[()]]:
        columns = ", ".join(
            f"{self.quote_name(f.model._meta.db_table)}.{self.quote_name(f.column)}" for f in fields
        )
        return (f"RETURNING {columns}", ()) if columns else ("", ())

    def fetch_returned_insert_rows(self, cursor: Any) -> Any:
        return cursor.fetchall()

    def on_conflict_suffix_sql(
        self, fields: Any, on_conflict: Any, update_fields: Any, unique_fields: Any
    ) -> str:
        if on_conflict == OnConflict.IGNORE:
            return "ON CONFLICT DO NOTHING"
        if on_conflict == OnConflict.UPDATE:
            keys = ", ".join(map(self.quote_name, unique_fields))
            changes = ", ".join(
                f"{self.quote_name(f)} = EXCLUDED.{self.quote_name(f)}" for f in update_fields
            )
            return f"ON CONFLICT({keys}) DO UPDATE SET {changes}"
        return ""

    def bulk_insert_sql(self, fields: Any, placeholder_rows: Any) -> str:
        rows = ", ".join(f"({', '.join(row)})" for row in placeholder_rows)
        return f"VALUES {rows}"

    def last_executed_query(self, cursor: Any, sql: str, params: Any) -> str:
        sql = cursor.statement or sql  # as what wraps statements left it
        if not params:
            return sql
        if isinstance(params, dict):
            return sql % {key: repr(value) for key, value in params.items()}
        return sql % tuple(repr(one) if not isinstance(one, str) else f"'{one}'" for one in params)

    def lookup_cast(self, lookup_type: str, internal_type: str | None = None) -> str:
        text = ("iexact", "contains", "icontains", "startswith", "istartswith", "endswith",
                "iendswith", "regex", "iregex")  # fmt: skip
        known = ("CharField", "TextField", "SlugField", "EmailField", "FileField", "FilePathField",
                 "GenericIPAddressField", "URLField", "UUIDField", "ArrayField", None)  # fmt: skip
        return "CAST(%s AS text)" if lookup_type in text and internal_type not in known else "%s"

    def fk_on_delete_sql(self, operation: str) -> str:
        if operation:
            rule = operation.replace(" ", "_")
            raise NotSupportedError(
                f"the store carries out no ON DELETE {operation}; models.{rule} does it in Python, "
                f"models.DB_{rule} cannot"
            )
        return ""

    def deferrable_sql(self) -> str:
        return " DEFERRABLE INITIALLY DEFERRED"

    def sql_flush(self, style: Any, tables: Any, *, reset_sequences: bool = False,
                  allow_cascade: bool = False) -> list[str]:  # fmt: skip
        out = [f"DELETE FROM {self.quote_name(table)};" for table in tables]
        return [*out, *self._recounted(tables)] if reset_sequences else out

    def sequence_reset_sql(self, style: Any, model_list: Any) -> list[str]:
        return self._recounted([
            model._meta.db_table for model in model_list
            if any(isinstance(field, AutoField) for field in model._meta.local_fields)
        ])  # fmt: skip

    def _recounted(self, tables: Sequence[str]) -> list[str]:
        """The statements after which keys go on from the greatest that is there."""
        names = ("'" + table.replace("'", "''") + "'" for table in tables)
        return [f'DELETE FROM "{COUNTERS}" WHERE "_id" = {name};' for name in names]

    def execute_sql_flush(self, sql_list: Iterable[str]) -> None:
        connection: Any = self.connection
        with connection.cursor() as cursor, connection.constraint_checks_disabled():
            for sql in sql_list:
                cursor.execute(sql)
        connection.connection.references.forget()

    # Dates

    def _zone(self, tzname: str | None) -> str | None:
        # "UTC+05:00" is what Python calls a fixed offset
        return re.sub(r"^UTC(?=[+-])", "", tzname) if tzname and settings.USE_TZ else None

    def date_extract_sql(self, lookup_type: str, sql: str, params: Any) -> tuple[str, Any]:
        return f"DATE_EXTRACT({_part(lookup_type)}, {sql})", params

    def _zoned(self, name: str, lookup_type: str, sql: str, params: Any, tzname: str | None) -> Any:
        return self._in_zone(f"{name}({_part(lookup_type)}, ", sql, params, tzname)

    def _in_zone(self, opening: str, sql: str, params: Any, tzname: str | None) -> Any:
        """A call whose last arguments are a date and the zone that it is looked at in."""
        zone, kept = self._zone(tzname), self._zone(self.connection.timezone_name)
        if zone is None or zone == kept:
            return f"{opening}{sql})", params
        if kept not in (None, "UTC"):  # the connection's TIME_ZONE
            sql, params = f"FROM_ZONE({sql}, %s)", (*params, kept)
        return f"{opening}{sql}, %s)", (*params, zone)

    def datetime_extract_sql(self, lookup_type: str, sql: str, params: Any, tzname: Any) -> Any:
        return self._zoned("DATETIME_EXTRACT", lookup_type, sql, params, tzname)

    def time_extract_sql(self, lookup_type: str, sql: str, params: Any) -> Any:
        return f"TIME_EXTRACT({_part(lookup_type)}, {sql})", params

    def date_trunc_sql(self, lookup_type: str, sql: str, params: Any, tzname: Any = None) -> Any:
        return self._zoned("DATE_TRUNC", lookup_type, sql, params, tzname)

    def datetime_trunc_sql(self, lookup_type: str, sql: str, params: Any, tzname: Any) -> Any:
        return self._zoned("DATETIME_TRUNC", lookup_type, sql, params, tzname)

    def time_trunc_sql(self, lookup_type: str, sql: str, params: Any, tzname: Any = None) -> Any:
        return self._zoned("TIME_TRUNC", lookup_type, sql, params, tzname)

    def datetime_cast_date_sql(self, sql: str, params: Any, tzname: Any) -> Any:
        return self._in_zone("CAST_DATE(", sql, params, tzname)

    def datetime_cast_time_sql(self, sql: str, params: Any, tzname: Any) -> Any:
        return self._in_zone("CAST_TIME(", sql, params, tzname)

    def combine_duration_expression(self, connector: str, sub_expressions: list[str]) -> str:
        left, right = sub_expressions
        name = {"+": "DURATION_ADD", "-": "DURATION_SUB"}.get(connector)
        return f"({left} {connector} {right})" if name is None else f"{name}({left}, {right})"

    def subtract_temporals(self, internal_type: str, lhs: Any, rhs: Any) -> tuple[str, Any]:
        left, left_params = lhs
        right, right_params = rhs
        return f"DATE_DIFF({left}, {right})", (*left_params, *right_params)

    def format_for_duration_arithmetic(self, sql: str) -> str:
        return sql

    # Values to the store

    def adapt_datetimefield_value(self, value: Any) -> Any:
        if value is None or hasattr(value, "resolve_expression"):
            return value
        if timezone.is_aware(value):
            if not settings.USE_TZ:
                raise ValueError(
                    "MongoDB backend does not support timezone-aware datetimes when USE_TZ is "
                    "False."
                )
            value = timezone.make_naive(value, self.connection.timezone)
        return value

    def adapt_timefield_value(self, value: Any) -> Any:
        if value is None or hasattr(value, "resolve_expression"):
            return value
        if timezone.is_aware(value):
            raise ValueError("MongoDB backend does not support timezone-aware times.")
        return value

    def adapt_datefield_value(self, value: Any) -> Any:
        return value

    def adapt_decimalfield_value(
        self, value: Any, max_digits: Any = None, decimal_places: Any = None
    ) -> Any:
        return value

    def adapt_integerfield_value(self, value: Any, internal_type: str) -> Any:
        return value

    def adapt_json_value(self, value: Any, encoder: Any) -> Any:
        if value is None:
            return JSON_NULL
        if encoder is None and _is_plain(value):
            return value
        try:
            return json.loads(json.dumps(value, cls=encoder))
        except json.JSONDecodeError as error:
            raise DataError(f"{encoder.__name__} wrote what is no JSON: {error}") from error

    # Values from the store

    def get_db_converters(self, expression: Any) -> list[Converter]:
        converters = super().get_db_converters(expression)
        if getattr(expression.output_field, "of_items", False):
            return converters  # a list: its own converter knows its items
        kind = expression.output_field.get_internal_type()
        known = _CONVERTERS.get(kind)
        if known is not None:
            converters.append(known)
        elif kind in _MAKERS:
            converters.append(_MAKERS[kind](self, expression))
        elif kind == "DurationField":
            converters.insert(0, _duration)
        return converters

    def conditional_expression_supported_in_where_clause(self, expression: Any) -> bool:
        return True


def _part(lookup_type: str) -> str:
    """The name of a date's part, as it stands in SQL."""
    return "'" + lookup_type.lower().replace("'", "''").replace("%", "%%") + "'"


def _is_plain(value: Any) -> bool:
    if isinstance(value, dict):
        return all(type(k) is str and _is_plain(v) for k, v in value.items())
    if isinstance(value, list):
        return all(map(_is_plain, value))
    return value is None or type(value) in (str, int, float, bool)


@functools.cache
def _converter(cell: cells.Cell) -> Any:
    """The cell's function as Django calls it."""
    make: Any = cell.make

    def convert(value: Any, expression: Any, connection: Any) -> Any:
        return make(value)

    convert.cell = cell  # type: ignore[attr-defined]
    return convert


def _datetime(value: Any, expression: Any, connection: Any) -> Any:
    if isinstance(value, datetime.datetime) and settings.USE_TZ and not timezone.is_aware(value):
        value = value.replace(tzinfo=datetime.UTC)
        if connection.timezone is not datetime.UTC:
            value = value.replace(tzinfo=None)
            value = timezone.make_aware(value, connection.timezone)
    return value


def _datetime_utc(value: Any, expression: Any, connection: Any) -> Any:
    return _datetime(value, expression, connection)


_datetime_utc.cell = cells.DATETIME  # type: ignore[attr-defined]


def _datetimes(ops: Any, expression: Any) -> Converter:
    utc = settings.USE_TZ and ops.connection.timezone is datetime.UTC
    return _datetime_utc if utc else _datetime


def _decimal(ops: Any, expression: Any) -> Converter:
    places = None
    if isinstance(expression, Col):
        places = int(expression.output_field.decimal_places)
    return _converter(cells.decimal_cell(places))  # type: ignore[no-any-return]


def _duration(value: Any, expression: Any, connection: Any) -> Any:
    if isinstance(value, Decimal128):
        value = value.to_decimal()
    return None if value is None else int(value)


_whole_types = (
    "IntegerField BigIntegerField SmallIntegerField PositiveIntegerField "
    "PositiveSmallIntegerField PositiveBigIntegerField AutoField BigAutoField SmallAutoField"
)
_CONVERTERS: dict[str, Converter] = {
    "DateField": _converter(cells.DATE), "TimeField": _converter(cells.TIME),
    "FloatField": _converter(cells.FLOAT), "BooleanField": _converter(cells.BOOL),
    "NullBooleanField": _converter(cells.BOOL), "UUIDField": _converter(cells.UUID),
    **dict.fromkeys(_whole_types.split(), _converter(cells.INT)),
}  # fmt: skip
_MAKERS: dict[str, Any] = {"DateTimeField": _datetimes, "DecimalField": _decimal}
