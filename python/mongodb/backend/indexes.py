# SPDX-License-Identifier: Apache-2.0
"""Indexes on fields within documents: `EmbeddedFieldIndex(fields=["address.city"])`."""

from __future__ import annotations

from typing import Any

from django.core import checks
from django.core.exceptions import FieldDoesNotExist
from django.db.backends.utils import names_digest, split_identifier
from django.db.models import Index, JSONField

__all__ = ["EmbeddedFieldIndex", "embedded_field", "index_name", "unknown_names"]


def embedded_field(model: Any, name: str) -> tuple[list[Any], str]:
    """Return the fields along a dotted name, and the path of documents that it is.

    Raises FieldDoesNotExist where the name leads nowhere.
    """
    first, _, rest = name.partition(".")
    try:
        field = model._meta.get_field(first)
    except FieldDoesNotExist:
        raise FieldDoesNotExist(f"{model.__name__} has no field named '{first}'.") from None
    column = "_id" if field.primary_key and model._meta.managed else field.column
    if not rest:
        return [field], column
    inner = getattr(field, "base_field", field)
    embedded = getattr(inner, "models", tuple)()
    for one in embedded:
        try:
            fields, path = embedded_field(one, rest)
        except FieldDoesNotExist:
            if len(embedded) == 1:
                raise
            continue
        return [field, *fields], f"{column}.{path}"
    if embedded:
        raise FieldDoesNotExist(f"The models of field '{first}' have no field named '{rest}'.")
    raise FieldDoesNotExist(f"{model.__name__} has no field named '{name}'.")


def __getattr__(name: str) -> Any:
    if name in ("SearchIndex", "VectorSearchIndex"):
        from mongodb.backend import search

        return getattr(search, name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def _below_json(model: Any, name: str) -> str | None:
    """Return the path of documents of a dotted name that begins with a JSONField, else None."""
    first, dot, rest = name.partition(".")
    field = next((one for one in model._meta.fields if one.name == first), None)
    if not dot or not isinstance(field, JSONField) or not all(rest.split(".")):
        return None
    return f"{field.column}.{rest}"


class EmbeddedNames:
    """Of an index or a constraint: its fields may be dotted names."""

    fields: Any
    meta_option_name: str

    def check(self, model: Any, connection: Any) -> list[Any]:
        return unknown_names(model, self.fields, self.meta_option_name)

    _check = check  # before Django 6


def unknown_names(model: Any, names: Any, option: str) -> list[Any]:
    """Return an error for each dotted name that leads nowhere."""
    found = []
    for name in names:
        if option == EmbeddedFieldIndex.meta_option_name and _below_json(model, name):
            continue
        try:
            embedded_field(model, name)
        except FieldDoesNotExist:
            message = f"'{option}' refers to the nonexistent field '{name}'."
            found.append(checks.Error(message, obj=model, id="models.E012"))
    return found


def index_name(model: Any, index: Index) -> str:
    """Return a name for an index that was given none."""
    _, table = split_identifier(model._meta.db_table)
    names = [f"-{name}" if order else name for name, order in index.fields_orders]
    digest = names_digest(table, *names, index.suffix, length=6)
    name = f"{table[:11]}_{index.fields_orders[0][0][:7]}_{digest}_{index.suffix}"
    return f"D{name[1:]}" if name[0] == "_" or name[0].isdigit() else name


class EmbeddedFieldIndex(EmbeddedNames, Index):
    """An index over dotted names, keys below a JSONField too; arrays make it a multikey index."""

    meta_option_name = "indexes"

    def set_name_with_model(self, model: Any) -> None:
        self.name = index_name(model, self)

    def create_sql(self, model: Any, schema_editor: Any, using: str = "", **kwargs: Any) -> Any:
        return schema_editor.index_sql(model, self.mongodb_index(model, schema_editor))

    def mongodb_index(self, model: Any, editor: Any) -> dict[str, Any]:
        """Return the index as createIndexes takes it."""
        key = {_below_json(model, name) or embedded_field(model, name)[1]:
               -1 if order == "DESC" else 1 for name, order in self.fields_orders}  # fmt: skip
        spec = {"name": self.name, "key": key}
        if self.condition is not None:
            spec["partialFilterExpression"] = editor.partial(model, self.condition)
        return spec
