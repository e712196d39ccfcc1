# SPDX-License-Identifier: Apache-2.0
"""What a collection's validator says of what is within arrays and documents.

Types are enforced there; NULL is let in, since a document may be older than its model's fields.
"""

from __future__ import annotations

from typing import Any

from mongodb.backend.rules import bson_types

__all__ = ["inner_rule"]


def inner_rule(field: Any, connection: Any, above: tuple[Any, ...] = ()) -> dict[str, Any]:
    """Return what holds of what is within a field's arrays and documents."""
    base = getattr(field, "base_field", None)
    if base is not None:
        rule = _of_value(base, connection, above)
        return {"items": rule} if rule else {}
    models = [model for model in getattr(field, "models", tuple)() if not isinstance(model, str)]
    if len(models) != 1 or models[0] in above:
        return {}
    fields = [one for one in models[0]._meta.concrete_fields if one.column is not None]
    rules = {one.column: _of_value(one, connection, (*above, models[0])) for one in fields}
    known = {column: rule for column, rule in rules.items() if rule}
    return {"properties": known} if known else {}


def _of_value(field: Any, connection: Any, above: tuple[Any, ...]) -> dict[str, Any]:
    type_ = field.db_type(connection) or ""
    kinds = bson_types(type_)
    rule: dict[str, Any] = {"bsonType": [*kinds, "null"]} if kinds else {}
    if "unsigned" in type_:
        rule["minimum"] = 0
    return {**rule, **inner_rule(field, connection, above)}
