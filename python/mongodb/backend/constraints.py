# SPDX-License-Identifier: Apache-2.0
"""Unique constraints on fields within documents."""

from __future__ import annotations

from typing import Any

from django.core import checks
from django.db.models import UniqueConstraint

from mongodb.backend.indexes import EmbeddedNames, embedded_field

__all__ = ["EmbeddedFieldUniqueConstraint"]


class EmbeddedFieldUniqueConstraint(EmbeddedNames, UniqueConstraint):
    """A unique index over dotted names, `"product.sku"`.

    Within arrays each element's value is unique in the whole collection; there NULLs cannot be told
    apart, so it takes `nulls_distinct=False`.
    """

    meta_option_name = "constraints"

    def check(self, model: Any, connection: Any) -> list[Any]:
        found = super().check(model, connection)
        if self.nulls_distinct is False:
            return found
        names = [name for name in self.fields if "." in name]
        known = {field.name: field for field in model._meta.get_fields() if field.concrete}
        for name in {name.partition(".")[0] for name in names} & set(known):
            kind = type(known[name]).__name__
            if hasattr(known[name], "base_field"):
                found.append(checks.Error(
                    f"EmbeddedFieldUniqueConstraint {self.name!r} must have nulls_distinct=False "
                    f"since it references {kind} '{name}'.",
                    obj=model, id="mongodb.constraints.embedded_unique.E001",
                ))  # fmt: skip
        return found

    _check = check

    def constraint_sql(self, model: Any, schema_editor: Any) -> None:
        schema_editor.deferred_sql.append(self.create_sql(model, schema_editor))

    def create_sql(self, model: Any, schema_editor: Any) -> Any:
        return schema_editor.index_sql(model, self.mongodb_index(model, schema_editor))

    def remove_sql(self, model: Any, schema_editor: Any) -> Any:
        return schema_editor._delete_index_sql(model, self.name)

    def mongodb_index(self, model: Any, editor: Any) -> dict[str, Any]:
        """Return the index as createIndexes takes it."""
        found = [embedded_field(model, name) for name in self.fields]
        spec: dict[str, Any] = {"name": self.name, "key": {path: 1 for _, path in found},
                                "unique": True}  # fmt: skip
        partial: dict[str, Any] = {}
        if self.nulls_distinct is not False:
            partial = {path: {"$gte": editor.least(fields[-1])} for fields, path in found}
        if self.condition is not None:
            partial |= editor.partial(model, self.condition)
        if partial:
            spec["partialFilterExpression"] = partial
        return spec

    def validate(self, model: Any, instance: Any, exclude: Any = None, using: Any = None) -> None:
        """The store checks it; looking first would miss what others write meanwhile."""
