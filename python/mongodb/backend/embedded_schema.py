# SPDX-License-Identifier: Apache-2.0
"""The schema editor's part in embedded models: they have no collection, so what migrations do to
them is done to the collections that embed them."""

from __future__ import annotations

from typing import Any

from mongodb.backend.schema import DatabaseSchemaEditor

__all__ = ["SchemaEditor", "is_embedded"]


def is_embedded(model: Any) -> bool:
    """Whether a model is embedded in others; models cannot be imported yet when a connection is."""
    return bool(getattr(model, "is_embedded", False))


def _ignoring(name: str) -> Any:
    """A method that does nothing for embedded models."""

    def method(self: Any, model: Any, *args: Any, **kwargs: Any) -> Any:
        if is_embedded(model):
            return None
        return getattr(DatabaseSchemaEditor, name)(self, model, *args, **kwargs)

    method.__name__ = name
    return method


class SchemaEditor(DatabaseSchemaEditor):
    """Leaves embedded models alone, and knows indexes on fields within documents."""

    create_model = _ignoring("create_model")
    delete_model = _ignoring("delete_model")
    alter_db_table = _ignoring("alter_db_table")
    add_field = _ignoring("add_field")
    alter_field = _ignoring("alter_field")
    alter_unique_together = _ignoring("alter_unique_together")
    rename_index = _ignoring("rename_index")

    def remove_field(self, model: Any, field: Any) -> None:
        if is_embedded(model):
            return
        if getattr(field, "embeds", False):
            table, within = model._meta.db_table, f"{self.path(field)}."
            for one in self._indexes(table):
                if any(path.startswith(within) for path in one["key"]):
                    self.run({"dropIndexes": table, "index": one["name"]})
        super().remove_field(model, field)

    def add_index(self, model: Any, index: Any) -> None:
        make = getattr(index, "mongodb_index", None)
        if make is None or is_embedded(model):
            _add_index(self, model, index)
        else:
            self.create_indexes(model._meta.db_table, [make(model, self)])

    def add_constraint(self, model: Any, constraint: Any) -> None:
        make = getattr(constraint, "mongodb_index", None)
        if make is None or is_embedded(model):
            _add_constraint(self, model, constraint)
        else:
            self.create_indexes(model._meta.db_table, [make(model, self)])

    remove_index = _ignoring("remove_index")
    remove_constraint = _ignoring("remove_constraint")


_add_index = _ignoring("add_index")
_add_constraint = _ignoring("add_constraint")
