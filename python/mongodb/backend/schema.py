# SPDX-License-Identifier: Apache-2.0
"""Migrations: collections, their validators, indexes, and the documents that change with them."""

from __future__ import annotations

import datetime
from typing import Any

from bson import ObjectId
from bson.decimal128 import Decimal128
from django.db import NotSupportedError
from django.db.backends.base.schema import BaseDatabaseSchemaEditor
from django.db.backends.utils import names_digest, split_identifier
from django.db.models import CompositePrimaryKey, UniqueConstraint
from django.db.models.sql.query import Query

from mongodb.backend.dbapi import adapt
from mongodb.backend.fields.rules import bson_types, inner_rule
from mongodb.backend.plan.bind import compile_template
from mongodb.backend.plan.functions import cast
from mongodb.backend.plan.predicates import filter_for
from mongodb.backend.plan.prepare import LANGUAGE
from mongodb.backend.plan.scope import PlanError, Planner, Scope, Source
from mongodb.backend.sql.parser import _Parser
from mongodb.backend.tables import COUNTERS

__all__ = ["DatabaseSchemaEditor"]

# The least value of a type: a partial index over values from there on leaves out null and missing,
# and the planner sees that an equality is among them.
_LEAST: list[tuple[str, Any]] = [
    ("varchar", ""),
    ("char", ""),
    ("text", ""),
    ("bool", False),
    ("decimal", Decimal128("-Infinity")),
    ("date", datetime.datetime(1, 1, 1)),
    ("time", datetime.datetime(1, 1, 1)),
    ("objectid", ObjectId("0" * 24)),
    ("binary", b""),
    ("json", {}),
    ("array", []),
    ("object", {}),
]


class DatabaseSchemaEditor(BaseDatabaseSchemaEditor):
    """Runs commands where SQL backends write DDL; `sqlmigrate` shows them."""

    def __init__(self, connection: Any, collect_sql: bool = False, atomic: bool = True) -> None:
        super().__init__(connection, collect_sql, atomic)
        self.atomic_migration = self.atomic_migration and connection.features.can_rollback_ddl

    # Commands

    def run(self, command: dict[str, Any]) -> dict[str, Any]:
        if self.collect_sql:
            self.collected_sql.append(repr(command))
            return {}
        return self.connection.command(command)  # type: ignore[attr-defined, no-any-return]

    def forget(self, table: str) -> None:
        if self.connection.connection is not None:
            self.connection.connection.tables.forget(table)

    def _exists(self, table: str) -> bool:
        found = self.connection.documents(  # type: ignore[attr-defined]
            {"listCollections": 1, "filter": {"name": table}, "nameOnly": True}
        )
        return bool(found)

    def _schema(self, table: str) -> dict[str, Any]:
        found = self.connection.documents(  # type: ignore[attr-defined]
            {"listCollections": 1, "filter": {"name": table}}
        )
        if not found:
            return {"bsonType": "object", "description": "django", "properties": {}}
        validator = found[0].get("options", {}).get("validator", {})
        return validator.get("$jsonSchema") or {  # type: ignore[no-any-return]
            "bsonType": "object", "description": "django", "properties": {}}  # fmt: skip

    def _set_schema(self, table: str, schema: dict[str, Any]) -> None:
        required = [
            path
            for path, rule in schema["properties"].items()
            if "null" not in rule.get("bsonType", ["null"]) and rule.get("bsonType")
        ]
        schema.pop("required", None)
        if required:
            schema["required"] = required
        self.run({"collMod": table, "validator": {"$jsonSchema": schema}})
        self.forget(table)

    # Columns

    def path(self, field: Any) -> str:
        """Return the field of the document that holds a model's field."""
        if field.primary_key and not isinstance(field, CompositePrimaryKey):
            return "_id"
        return str(field.column)

    def rule(self, field: Any) -> dict[str, Any]:
        """Return what the validator says of a field."""
        type_ = field.db_type(self.connection) or ""
        rule: dict[str, Any] = {"description": type_.replace(", ", ",")}
        if self.path(field) != field.column:
            rule["title"] = field.column
        if not field.null and not field.primary_key and "json" not in type_:
            kinds = bson_types(type_)
            if kinds:
                rule["bsonType"] = kinds
        if "unsigned" in type_:
            rule["minimum"] = 0
        return {**rule, **inner_rule(field, self.connection)}

    def _columns(self, model: Any) -> list[Any]:
        return [f for f in model._meta.local_concrete_fields if f.column is not None]

    # Collections

    def create_model(self, model: Any) -> None:
        table = model._meta.db_table
        schema = {
            "bsonType": "object",
            "description": "django",
            "properties": {self.path(f): self.rule(f) for f in self._columns(model)},
        }
        required = [path for path, rule in schema["properties"].items()  # type: ignore[attr-defined]
                    if "bsonType" in rule]  # fmt: skip
        if required:
            schema["required"] = required
        self.run({"create": table, "validator": {"$jsonSchema": schema}})
        self.forget(table)
        indexes = [one for f in self._columns(model) for one in self.field_indexes(model, f)]
        for fields in model._meta.unique_together:
            indexes.append(self.unique_index(model, [model._meta.get_field(n) for n in fields]))
        pk = model._meta.pk
        if isinstance(pk, CompositePrimaryKey):
            indexes.append(self.unique_index(model, list(pk.fields), f"{table}_pk"))
        self.create_indexes(table, indexes)
        for constraint in model._meta.constraints:
            self.add_constraint(model, constraint)
        for index in model._meta.indexes:
            self.add_index(model, index)
        for field in model._meta.local_many_to_many:
            if field.remote_field.through._meta.auto_created:
                self.create_model(field.remote_field.through)

    def delete_model(self, model: Any) -> None:
        for field in model._meta.local_many_to_many:
            if field.remote_field.through._meta.auto_created:
                self.delete_model(field.remote_field.through)
        table = model._meta.db_table
        self.run({"drop": table})
        self.run({"delete": COUNTERS, "deletes": [{"q": {"_id": table}, "limit": 1}]})
        self.forget(table)

    def alter_db_table(self, model: Any, old_db_table: str, new_db_table: str) -> None:
        if old_db_table == new_db_table:
            return
        name = self.connection.connection.handle.name
        self.connection.connection.admin(
            {"renameCollection": f"{name}.{old_db_table}", "to": f"{name}.{new_db_table}"}
        )
        for one in self.connection.documents({"find": COUNTERS, "filter": {"_id": old_db_table}}):  # type: ignore[attr-defined]
            self.run({"insert": COUNTERS, "documents": [{"_id": new_db_table, "n": one["n"]}]})
            self.run({"delete": COUNTERS, "deletes": [{"q": {"_id": old_db_table}, "limit": 1}]})
        self.forget(old_db_table)
        self.forget(new_db_table)

    def alter_db_table_comment(self, *args: Any) -> None:
        pass

    def alter_db_tablespace(self, *args: Any) -> None:
        pass

    # Indexes

    def create_indexes(self, table: str, indexes: list[dict[str, Any]]) -> None:
        if indexes:
            self.run({"createIndexes": table, "indexes": indexes})

    def field_indexes(self, model: Any, field: Any) -> list[dict[str, Any]]:
        """Return the indexes that a field's own options ask for."""
        if field.primary_key:
            return []
        if field.unique:
            return [self.unique_index(model, [field])]
        if field.db_index:
            name = self._create_index_name(model._meta.db_table, [field.column], "")
            return [{"name": name, "key": {self.path(field): 1}}]
        return []

    def unique_index(
        self, model: Any, fields: list[Any], name: str | None = None
    ) -> dict[str, Any]:
        """Return a unique index that lets any number of NULLs in, as SQL does."""
        columns = [f.column for f in fields]
        index: dict[str, Any] = {
            "name": name or self._create_index_name(model._meta.db_table, columns, "_uniq"),
            "key": {self.path(f): 1 for f in fields},
            "unique": True,
        }
        partial = {self.path(f): {"$gte": self._least(f)} for f in fields
                   if f.null and not f.primary_key}  # fmt: skip
        if partial:
            index["partialFilterExpression"] = partial
        return index

    def _least(self, field: Any) -> Any:
        type_ = (field.db_type(self.connection) or "").lower()
        for prefix, least in _LEAST:
            if type_.startswith(prefix):
                return least
        return float("-inf")

    def add_index(self, model: Any, index: Any) -> None:
        if index.contains_expressions and not self.connection.features.supports_expression_indexes:
            return
        key: dict[str, Any] = {}
        for name, order in index.fields_orders:
            key[self.path(model._meta.get_field(name))] = -1 if order == "DESC" else 1
        spec: dict[str, Any] = {"name": index.name, "key": key}
        if index.condition is not None:
            spec["partialFilterExpression"] = self.partial(model, index.condition)
        self.create_indexes(model._meta.db_table, [spec])

    def remove_index(self, model: Any, index: Any) -> None:
        if index.contains_expressions and not self.connection.features.supports_expression_indexes:
            return
        self.run({"dropIndexes": model._meta.db_table, "index": index.name})

    def rename_index(self, model: Any, old_index: Any, new_index: Any) -> None:
        self.remove_index(model, old_index)
        self.add_index(model, new_index)

    def partial(self, model: Any, condition: Any) -> dict[str, Any]:
        """Return the partialFilterExpression of a Q."""
        query = Query(model=model, alias_cols=False)
        where = query.build_where(condition)
        compiler = query.get_compiler(connection=self.connection)
        sql, params = where.as_sql(compiler, self.connection)
        parser = _Parser(sql, True)
        scope = Scope(Planner(self.connection.connection.tables.get, LANGUAGE))
        scope.add(Source("", self.connection.connection.tables.get(model._meta.db_table)))
        try:
            test = filter_for(scope, parser.expr())
        except PlanError as error:
            raise NotSupportedError(f"the condition of an index: {error}") from None
        made = compile_template(test)([adapt(p) for p in params], ())
        return _partial(made)

    def add_constraint(self, model: Any, constraint: Any) -> None:
        if not isinstance(constraint, UniqueConstraint):
            return
        if constraint.contains_expressions or constraint.deferrable:
            return
        fields = [model._meta.get_field(name) for name in constraint.fields]
        spec = self.unique_index(model, fields, constraint.name)
        if constraint.condition is not None:
            more = self.partial(model, constraint.condition)
            spec["partialFilterExpression"] = {**spec.get("partialFilterExpression", {}), **more}
        self.create_indexes(model._meta.db_table, [spec])

    def remove_constraint(self, model: Any, constraint: Any) -> None:
        if not isinstance(constraint, UniqueConstraint):
            return
        if constraint.contains_expressions or constraint.deferrable:
            return
        self.run({"dropIndexes": model._meta.db_table, "index": constraint.name})

    def alter_unique_together(self, model: Any, old: Any, new: Any) -> None:
        olds, news = {tuple(one) for one in old}, {tuple(one) for one in new}
        for fields in olds - news:
            self._drop_by_key(model, [model._meta.get_field(n) for n in fields], unique=True)
        for fields in news - olds:
            index = self.unique_index(model, [model._meta.get_field(n) for n in fields])
            self.create_indexes(model._meta.db_table, [index])

    def alter_index_together(self, model: Any, old: Any, new: Any) -> None:
        olds, news = {tuple(one) for one in old}, {tuple(one) for one in new}
        for fields in olds - news:
            self._drop_by_key(model, [model._meta.get_field(n) for n in fields], unique=False)
        for names in news - olds:
            fields_ = [model._meta.get_field(n) for n in names]
            name = self._create_index_name(
                model._meta.db_table, [f.column for f in fields_], "_idx"
            )
            self.create_indexes(
                model._meta.db_table, [{"name": name, "key": {self.path(f): 1 for f in fields_}}]
            )

    def _indexes(self, table: str) -> list[dict[str, Any]]:
        return self.connection.documents({"listIndexes": table})  # type: ignore[attr-defined, no-any-return]

    def _drop_by_key(self, model: Any, fields: list[Any], unique: bool) -> None:
        table = model._meta.db_table
        meta = {c.name for c in model._meta.constraints} | {i.name for i in model._meta.indexes}
        key = [self.path(f) for f in fields]
        found = [one for one in self._indexes(table) if list(one["key"]) == key
                 and bool(one.get("unique")) == unique and one["name"] not in meta]  # fmt: skip
        if len(found) != 1:
            raise ValueError(
                f"Found wrong number ({len(found)}) of constraints for "
                f"{table}({', '.join(f.column for f in fields)})"
            )
        self.run({"dropIndexes": table, "index": found[0]["name"]})

    # Fields

    def add_field(self, model: Any, field: Any) -> None:
        if field.many_to_many and field.remote_field.through._meta.auto_created:
            self.create_model(field.remote_field.through)
            return
        if field.column is None or field.db_type(self.connection) is None:
            return
        table, path = model._meta.db_table, self.path(field)
        default = self.effective_default(field)
        self.run({"collMod": table, "validator": {}})
        self.run({"update": table, "updates": [
            {"q": {}, "u": {"$set": {path: adapt(default)}}, "multi": True}]})  # fmt: skip
        schema = self._schema_of(model, table)
        schema["properties"][path] = self.rule(field)
        self._set_schema(table, schema)
        self.create_indexes(table, self.field_indexes(model, field))

    def _schema_of(self, model: Any, table: str) -> dict[str, Any]:
        """The schema as the model's fields say; collMod {} forgot the stored one."""
        known = self.connection.connection.tables.get(table)
        schema: dict[str, Any] = {"bsonType": "object", "description": "django", "properties": {}}
        fields = {f.column: f for f in self._columns(model)}
        for column, type_ in known.types.items():
            field = fields.get(column)
            path = known.path(column)
            rule = self.rule(field) if field is not None else {"description": type_}
            if path != column:
                rule["title"] = column
            schema["properties"][path] = rule
        return schema

    def remove_field(self, model: Any, field: Any) -> None:
        if field.many_to_many and field.remote_field.through._meta.auto_created:
            self.delete_model(field.remote_field.through)
            return
        if field.column is None or field.db_type(self.connection) is None:
            return
        table, path = model._meta.db_table, self.path(field)
        schema = self._schema_of(model, table)
        schema["properties"].pop(path, None)
        for one in self._indexes(table):
            if path in one["key"]:
                self.run({"dropIndexes": table, "index": one["name"]})
        self._set_schema(table, schema)
        self.run({"update": table, "updates": [
            {"q": {}, "u": {"$unset": {path: ""}}, "multi": True}]})  # fmt: skip

    def alter_field(self, model: Any, old_field: Any, new_field: Any, strict: bool = False) -> None:
        if not self._field_should_be_altered(old_field, new_field):
            return
        old_type, new_type = old_field.db_type(self.connection), new_field.db_type(self.connection)
        if old_type is None and new_type is None:
            both = old_field.remote_field and new_field.remote_field
            if both and old_field.remote_field.through and new_field.remote_field.through:
                if old_field.remote_field.through._meta.auto_created:
                    self._alter_many_to_many(model, old_field, new_field, strict)
                return
            return
        if old_type is None or new_type is None:
            raise ValueError(
                f"Cannot alter field {old_field} into {new_field} - they do not properly define "
                "db_type (are you using a badly-written custom field?)"
            )
        table = model._meta.db_table
        old_path, new_path = self.path(old_field), self.path(new_field)
        schema = self._schema_of(model, table)
        if "_id" in (old_path, new_path) and old_path != new_path:
            raise NotSupportedError(
                f"{model._meta.label}: the primary key cannot become another field: make a new "
                "model, copy the rows, and remove the old one"
            )
        if old_type != new_type and new_path != "_id":
            self._try_conversion(table, old_path, new_type)
        kept = self._moved_indexes(model, old_field, new_field, old_path, new_path)
        self.run({"collMod": table, "validator": {}})
        if old_path != new_path:
            self.run({"update": table, "updates": [
                {"q": {}, "u": {"$rename": {old_path: new_path}}, "multi": True}]})  # fmt: skip
        if old_type != new_type and new_path != "_id":
            self._convert(table, new_path, old_type, new_type)
        if old_field.null and not new_field.null:
            default = adapt(self.effective_default(new_field))
            if default is not None:
                self.run({"update": table, "updates": [
                    {"q": {new_path: None}, "u": {"$set": {new_path: default}},
                     "multi": True}]})  # fmt: skip
        schema["properties"] = {
            new_path if path == old_path else path: self.rule(new_field) if path == old_path else r
            for path, r in schema["properties"].items()
        }
        self._set_schema(table, schema)
        self.create_indexes(table, [*kept, *self._new_indexes(model, old_field, new_field)])

    def _moved_indexes(self, model: Any, old: Any, new: Any, old_path: str, new_path: str) -> Any:
        """Drop the indexes that the change concerns; return those to make again."""
        table = model._meta.db_table
        own = {one["name"] for one in self.field_indexes(model, old)}
        wanted = self.field_indexes(model, new)
        same = old_path == new_path and self.field_indexes(model, old) == wanted
        kept = []
        for one in self._indexes(table):
            if old_path not in one["key"] or one["name"] == "_id_":
                continue
            if list(one["key"]) == [old_path] and (one["name"] in own or one.get("unique")):
                if not same and one["name"] in own:
                    self.run({"dropIndexes": table, "index": one["name"]})
                continue
            if old_path != new_path:
                self.run({"dropIndexes": table, "index": one["name"]})
                key = {new_path if k == old_path else k: v for k, v in one["key"].items()}
                kept.append({**{k: v for k, v in one.items() if k not in ("v", "ns")}, "key": key})
        return kept

    def _new_indexes(self, model: Any, old: Any, new: Any) -> list[dict[str, Any]]:
        wanted = self.field_indexes(model, new)
        there = {one["name"] for one in self._indexes(model._meta.db_table)}
        return [one for one in wanted if one["name"] not in there]

    def _try_conversion(self, table: str, path: str, new: str) -> None:
        """Convert every value without writing: what cannot be is refused before a change."""
        try:
            made = cast(f"${path}", new)
        except PlanError:
            return
        stages = [{"$match": {path: {"$ne": None}}}, {"$group": {"_id": None, "v": {"$max": made}}}]
        if not self.collect_sql:
            self.connection.documents({"aggregate": table, "pipeline": stages, "cursor": {}})  # type: ignore[attr-defined]

    def _convert(self, table: str, path: str, old: str, new: str) -> None:
        try:
            made = cast(f"${path}", new)
        except PlanError:
            return
        change = {"$set": {path: {"$ifNull": [made, None]}}}
        self.run({"update": table, "updates": [
            {"q": {path: {"$ne": None}}, "u": [change], "multi": True}]})  # fmt: skip

    def _create_index_name(self, table_name: Any, column_names: Any, suffix: str = "") -> str:
        _, table = split_identifier(str(table_name))
        digest = names_digest(table, *column_names, length=8)
        return f"{table}_{'_'.join(column_names)}_{digest}{suffix}"[:120]

    def execute(self, sql: Any, params: Any = ()) -> None:
        if self.collect_sql:
            self.collected_sql.append(str(sql))
            return
        with self.connection.cursor() as cursor:
            cursor.execute(str(sql), params)


def _partial(test: Any) -> Any:
    """A filter in the words that partial indexes know."""
    if isinstance(test, dict):
        out = {}
        for key, value in test.items():
            if key in ("$ne", "$nin", "$not", "$regex", "$expr"):
                raise NotSupportedError(
                    f"MongoDB's partial indexes have no {key}: use equality, <, <=, >, >=, "
                    "isnull=True"
                )
            out[key] = _partial(value)
        return out
    return [_partial(one) for one in test] if isinstance(test, list) else test
