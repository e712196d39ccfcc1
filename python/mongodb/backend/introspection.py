# SPDX-License-Identifier: Apache-2.0
"""Collections, their fields and indexes, for inspectdb, migrate --fake-initial and tests."""

from __future__ import annotations

from typing import Any

from django.db.backends.base.introspection import BaseDatabaseIntrospection, FieldInfo, TableInfo
from django.db.models import Index

__all__ = ["DatabaseIntrospection"]

_FIELDS = {
    "integer auto": "AutoField", "bigint auto": "BigAutoField", "smallint auto": "SmallAutoField",
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
        return _FIELDS[data_type]

    def get_table_list(self, cursor: Any) -> list[TableInfo]:
        connection: Any = self.connection
        batch = connection.documents({"listCollections": 1, "nameOnly": True})
        return [
            TableInfo(one["name"], "v" if one.get("type") == "view" else "t")
            for one in sorted(batch, key=lambda one: one["name"])
            if not one["name"].startswith(("system.", "__"))
        ]

    def get_table_description(self, cursor: Any, table_name: str) -> list[FieldInfo]:
        connection: Any = self.connection
        info = connection.connection.tables.get(table_name)
        if not info.whole:
            return self._sampled(table_name)
        rules = self._schema(table_name)
        out = []
        for column, type_ in info.types.items():
            rule = rules.get(info.path(column), {})
            size = None
            if "(" in type_ and not type_.startswith("decimal"):
                size = int(type_.partition("(")[2].rstrip(")"))
            precision = scale = None
            if type_.startswith("decimal("):
                precision, scale = (int(x) for x in type_[8:-1].split(","))
            null = "null" in rule.get("bsonType", ["null"])
            out.append(FieldInfo(column, type_, size, size, precision, scale, null, None, None))
        return out

    def _schema(self, table_name: str) -> dict[str, Any]:
        connection: Any = self.connection
        found = connection.documents({"listCollections": 1, "filter": {"name": table_name}})
        if not found:
            return {}
        schema = found[0].get("options", {}).get("validator", {}).get("$jsonSchema", {})
        return schema.get("properties", {})  # type: ignore[no-any-return]

    def _sampled(self, table_name: str) -> list[FieldInfo]:
        connection: Any = self.connection
        types: dict[str, str] = {}
        for document in connection.documents({"find": table_name, "limit": 100}):
            for key, value in document.items():
                if value is not None:
                    types.setdefault(key, _SAMPLED.get(type(value).__name__, "json"))
        return [FieldInfo(k, t, None, None, None, None, k != "_id", None, None)
                for k, t in types.items()]  # fmt: skip

    def get_sequences(self, cursor: Any, table_name: str, table_fields: Any = ()) -> list[Any]:
        connection: Any = self.connection
        info = connection.connection.tables.get(table_name)
        if info.pk and "auto" in info.types.get(info.pk, ""):
            return [{"table": table_name, "column": info.pk}]
        return []

    def get_relations(self, cursor: Any, table_name: str) -> dict[str, Any]:
        return {}

    def get_constraints(self, cursor: Any, table_name: str) -> dict[str, Any]:
        connection: Any = self.connection
        info = connection.connection.tables.get(table_name)
        columns = {info.path(column): column for column in info.types}
        out: dict[str, Any] = {}
        try:
            indexes = connection.documents({"listIndexes": table_name})
        except Exception:
            return out
        for one in indexes:
            key = one["key"]
            primary = one["name"] == "_id_"
            out[one["name"]] = {
                "columns": [columns.get(path, path) for path in key],
                "primary_key": primary, "unique": primary or bool(one.get("unique")),
                "foreign_key": None, "check": False, "index": True,
                "orders": ["DESC" if way == -1 else "ASC" for way in key.values()],
                "type": Index.suffix if all(w in (1, -1) for w in key.values())
                else str(next(w for w in key.values() if w not in (1, -1))),
            }  # fmt: skip
        return out


_SAMPLED = {"str": "text", "int": "bigint", "Int64": "bigint", "float": "real", "bool": "bool",
            "datetime": "datetime", "bytes": "binary", "Decimal128": "decimal(30,10)",
            "ObjectId": "char(24)"}  # fmt: skip
