# SPDX-License-Identifier: Apache-2.0
"""Collections, their fields and indexes, for inspectdb, migrate --fake-initial and tests."""

from __future__ import annotations

import json
from collections import namedtuple
from typing import Any

from django import VERSION
from django.db import DatabaseError
from django.db.backends.base.introspection import BaseDatabaseIntrospection
from django.db.backends.base.introspection import FieldInfo as BaseFieldInfo
from django.db.backends.base.introspection import TableInfo as BaseTableInfo
from django.db.models import DO_NOTHING, Index

from mongodb.backend.plan.scope import US

__all__ = ["DatabaseIntrospection"]

TableInfo = namedtuple("TableInfo", [*BaseTableInfo._fields, "comment"])
FieldInfo = namedtuple("FieldInfo", [*BaseFieldInfo._fields, "is_auto", "comment"])

_FIELDS = {
    "binary": "BinaryField", "bool": "BooleanField", "date": "DateField",
    "datetime": "DateTimeField", "time": "TimeField", "real": "FloatField",
    "integer": "IntegerField", "bigint": "BigIntegerField", "smallint": "SmallIntegerField",
    "integer unsigned": "PositiveIntegerField", "bigint unsigned": "PositiveBigIntegerField",
    "smallint unsigned": "PositiveSmallIntegerField", "json": "JSONField", "text": "TextField",
}  # fmt: skip


class DatabaseIntrospection(BaseDatabaseIntrospection):
    """Reads the collections' schemas; where there is none, samples documents."""

    def get_field_type(self, data_type: str, description: Any) -> Any:
        base = data_type.partition("(")[0].strip()
        if base == "decimal":
            return "DecimalField"
        if base in ("varchar", "char"):
            return "CharField"
        found = _FIELDS[base]
        return found.replace("Integer", "Auto") if getattr(description, "is_auto", False) else found

    def get_table_list(self, cursor: Any) -> list[TableInfo]:
        connection: Any = self.connection
        batch = connection.documents({"listCollections": 1})
        return [
            TableInfo(
                one["name"],
                "v" if one.get("type") == "view" else "t",
                _comment(one.get("options", {})),
            )
            for one in sorted(batch, key=lambda one: one["name"])
            if not one["name"].startswith(("system.", "__"))
        ]

    def get_table_description(self, cursor: Any, table_name: str) -> list[FieldInfo]:
        connection: Any = self.connection
        info = connection.connection.tables.get(table_name)
        if not info.whole:
            there = {"listCollections": 1, "filter": {"name": table_name}, "nameOnly": True}
            if not connection.documents(there):
                raise DatabaseError(f'no such table: "{table_name}"')
            return self._sampled(table_name)
        comments = info.meta.get("comments", {})
        out = []
        for column, type_ in info.types.items():
            size = None
            if "(" in type_ and not type_.startswith(("decimal", "datetime", "time")):
                size = int(type_.partition("(")[2].rstrip(")"))
            precision = scale = None
            if type_.startswith("decimal("):
                precision, scale = (int(x) for x in type_[8:-1].split(","))
            null = column not in info.required and column != info.pk
            default = info.meta.get("defaults", {}).get(column)
            auto = type_.endswith(" auto")
            out.append(FieldInfo(column, type_.removesuffix(" auto"), size, size, precision, scale,
                                 null, default, None, auto, comments.get(column)))  # fmt: skip
        return out

    def _sampled(self, table_name: str) -> list[FieldInfo]:
        connection: Any = self.connection
        types: dict[str, str] = {}
        for document in connection.documents({"find": table_name, "limit": 100}):
            for key, value in document.items():
                if value is not None and key != US:
                    types.setdefault(key, _SAMPLED.get(type(value).__name__, "json"))
        return [FieldInfo(k, t, None, None, None, None, k != "_id", None, None, False, None)
                for k, t in types.items()]  # fmt: skip

    def get_sequences(self, cursor: Any, table_name: str, table_fields: Any = ()) -> list[Any]:
        connection: Any = self.connection
        info = connection.connection.tables.get(table_name)
        if info.pk and "auto" in info.types.get(info.pk, ""):
            return [{"table": table_name, "column": info.pk}]
        return []

    def get_relations(self, cursor: Any, table_name: str) -> dict[str, Any]:
        connection: Any = self.connection
        info = connection.connection.tables.get(table_name)
        more = () if VERSION < (6, 1) else (DO_NOTHING,)  # what the store does on delete
        return {
            key["columns"][0]: (key["to"][0], key["table"], *more)
            for key in info.meta.get("keys", {}).values()
        }

    def get_primary_key_columns(self, cursor: Any, table_name: str) -> list[str] | None:
        connection: Any = self.connection
        info = connection.connection.tables.get(table_name)
        if info.pk is not None:
            return [info.pk]
        return info.meta.get("primary")  # type: ignore[no-any-return]

    def get_constraints(self, cursor: Any, table_name: str) -> dict[str, Any]:
        connection: Any = self.connection
        info = connection.connection.tables.get(table_name)
        columns = {info.path(column): column for column in info.types}
        out: dict[str, Any] = {}
        for name, one in info.meta.get("checks", {}).items():
            out[name] = _constraint(one["columns"], check=True)
        for name, one in info.meta.get("keys", {}).items():
            to = (one["table"], one["to"][0])
            out[name] = _constraint(one["columns"], foreign_key=to)
        try:
            indexes = connection.documents({"listIndexes": table_name})
        except Exception:
            return out
        noted = info.meta.get("indexes", {})
        primary = info.meta.get("primary")
        for one in indexes:
            name, key = one["name"], _visible(one["key"])
            named = [columns.get(path, path) for path in key]
            if name == "_id_":
                if info.pk is not None:
                    out[f"{table_name}_pkey"] = _index([info.pk], key, True, primary=True)
                continue
            unique = bool(one.get("unique"))
            if name in noted:
                named = noted[name]["columns"]
                unique = unique or "deferred" in noted[name]
            out[name] = _index(named, key, unique, primary=named == primary)
        for name, one in noted.items():
            if "twin" in one:
                out[name] = _index(one["columns"], _visible(one["key"]), one["unique"])
            elif "search" in one:
                kind = one["search"]["type"]
                out[name] = _constraint(one["columns"], index=True, type=kind)
        return out


def _visible(key: dict[str, Any]) -> dict[str, Any]:
    """An index's key without what is beside its dates."""
    return {path: way for path, way in key.items() if not path.startswith(f"{US}.")}


def _comment(options: dict[str, Any]) -> str | None:
    title = options.get("validator", {}).get("$jsonSchema", {}).get("title", "")
    return json.loads(title)["comments"].get("") if '"comments"' in title else None


def _constraint(columns: list[str], **what: Any) -> dict[str, Any]:
    return {"columns": list(columns), "primary_key": False, "unique": False, "foreign_key": None,
            "check": False, "index": False, "orders": [], "type": None, **what}  # fmt: skip


def _index(columns: list[str], key: Any, unique: bool, *, primary: bool = False) -> dict[str, Any]:
    other = next((str(way) for way in key.values() if way not in (1, -1)), None)
    return _constraint(
        columns, primary_key=primary, unique=unique or primary, index=True,
        orders=["DESC" if way == -1 else "ASC" for way in key.values()],
        type=other or Index.suffix,
    )  # fmt: skip


_SAMPLED = {"str": "text", "int": "bigint", "Int64": "bigint", "float": "real", "bool": "bool",
            "datetime": "datetime", "bytes": "binary", "Decimal128": "decimal(30,10)",
            "ObjectId": "char(24)"}  # fmt: skip
