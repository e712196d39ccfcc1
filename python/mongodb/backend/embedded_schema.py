# SPDX-License-Identifier: Apache-2.0
"""The schema editor's part in embedded models: they have no collection, so migrations do nothing
to them."""

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
    """Leaves embedded models alone."""

    create_model = _ignoring("create_model")
    delete_model = _ignoring("delete_model")
    alter_db_table = _ignoring("alter_db_table")
    add_field = _ignoring("add_field")
    alter_field = _ignoring("alter_field")
    alter_unique_together = _ignoring("alter_unique_together")
    rename_index = _ignoring("rename_index")

    remove_field = _ignoring("remove_field")
    add_index = _ignoring("add_index")
    add_constraint = _ignoring("add_constraint")
    remove_index = _ignoring("remove_index")
    remove_constraint = _ignoring("remove_constraint")
