# SPDX-License-Identifier: Apache-2.0
"""The schema editor's part in embedded models: they have no collection, so migrations do nothing
to them."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from mongodb.backend.fields.values import to_bson
from mongodb.backend.plan.functions import cast
from mongodb.backend.plan.scope import PlanError
from mongodb.backend.schema import DatabaseSchemaEditor

__all__ = ["SchemaEditor", "is_embedded", "places", "reach", "within"]


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

    def alter_embedded(self, model: Any, old: Any, new: Any, apps: Any) -> None:
        """Change a field of an embedded model in all documents; `old` or `new` may be None."""
        changes = self._changes(old, new)
        fields: dict[Any, Any] = {}
        for one, steps in places(apps, model):
            table = one._meta.db_table
            if one not in {other for other, _ in fields}:
                self.connection.ensure_connection()
                self.connection.connection.tables.get(table)  # the validator's part in it is kept
                self._command({"collMod": table, "validator": {}})
            field = one._meta.get_field(_name_of(one, steps[0][1]))
            fields[one, field] = None
            column = field.column
            for change in changes:
                made = within(f"${column}", steps[1:], change)
                update = {"q": {column: {"$ne": None}}, "u": [{"$set": {column: made}}],
                          "multi": True}  # fmt: skip
                self._command({"update": table, "updates": [update]})
        for one, field in fields:
            self.reshape(one, field)

    def rename_embedded(self, old: str, model: Any, apps: Any) -> None:
        """Write an embedded model's new name where documents say what they are."""
        new = model._meta.label
        for one, steps in places(apps, model):
            if steps[-1] == ("label", new):
                column = one._meta.get_field(_name_of(one, steps[0][1])).column
                way = (*steps[1:-1], ("label", old))
                made = within(f"${column}", way, _filled_anew("_label", new))
                update = {"q": {column: {"$ne": None}}, "u": [{"$set": {column: made}}],
                          "multi": True}  # fmt: skip
                self._command({"update": one._meta.db_table, "updates": [update]})

    def _command(self, command: dict[str, Any]) -> None:
        if self.collect_sql:
            self.collected_sql.append(f"-- {command!r}")
        else:
            self.connection.command(command)  # type: ignore[attr-defined]

    def _changes(self, old: Any, new: Any) -> list[Any]:
        """What is done to each embedded document, in turn."""
        if new is None:
            return [_removed(old.column)]
        out = []
        if old is not None and old.column != new.column:
            out.append(_renamed(old.column, new.column))
        if old is not None:
            types = old.db_type(self.connection), new.db_type(self.connection)
            if types[0] != types[1] and is_castable(types[1]):
                out.append(_converted(new.column, types[1]))
        if old is None or (old.null and not new.null):
            default = self.effective_default(new)
            if default is not None:
                out.append(_filled(new.column, to_bson(default)))
        return out


# Changes within embedded models

Steps = tuple[tuple[str, str], ...]


def _name_of(model: Any, column: str) -> str:
    return next(field.name for field in model._meta.local_concrete_fields if field.column == column)


def is_castable(type_: str) -> bool:
    """Whether values can be converted to a type."""
    try:
        cast("$x", type_)
    except PlanError:
        return False
    return True


def places(apps: Any, model: Any) -> Iterator[tuple[Any, Steps]]:
    """Give each collection's model, and the way in its documents, where a model is embedded."""
    for one in apps.get_models(include_auto_created=True):
        if one._meta.managed and not one._meta.proxy:
            for steps in _ways(model, one._meta.local_concrete_fields, ()):
                yield one, steps


def _ways(model: Any, fields: Any, above: tuple[Any, ...]) -> Iterator[Steps]:
    for field in fields:
        steps: Steps = (("field", field.column),)
        inner = field
        while hasattr(inner, "base_field"):
            steps, inner = (*steps, ("each", "")), inner.base_field
        models = getattr(inner, "models", tuple)()
        for one in models:
            label = one._meta.label
            way = steps if inner.is_of_one_model else (*steps, ("label", label))
            if one._meta.label == model._meta.label:
                yield way
            if one not in above:
                for rest in _ways(model, one._meta.local_concrete_fields, (*above, one)):
                    yield (*way, *rest)


def within(document: str, steps: Steps, change: Any) -> Any:
    """Return the expression of a value with `change` made to the document at the end of a way."""
    return reach(document, steps, lambda found: _of_object(found, change(found)))


def reach(document: str, steps: Steps, change: Any, depth: int = 0) -> Any:
    """Return the expression of a value with `change` made to what is at the end of a way."""
    if not steps:
        return change(document)
    (kind, name), rest = steps[0], steps[1:]
    if kind == "each":
        item = f"v{depth}"
        inside = reach(f"$${item}", rest, change, depth + 1)
        items = {"$map": {"input": document, "as": item, "in": inside}}
        return {"$cond": [{"$isArray": [document]}, items, document]}
    if kind == "label":
        inside = reach(document, rest, change, depth)
        return {"$cond": [{"$eq": [f"{document}._label", name]}, inside, document]}
    inside = reach(f"{document}.{name}", rest, change, depth)
    return _of_object(document, {"$mergeObjects": [document, {name: inside}]})


def _of_object(document: str, made: Any) -> Any:
    return {"$cond": [{"$eq": [{"$type": document}, "object"]}, made, document]}


def _pairs(document: str, stage: Any) -> Any:
    return {"$arrayToObject": [stage({"$objectToArray": document})]}


def _renamed(old: str, new: str) -> Any:
    key = {"$cond": [{"$eq": ["$$p.k", old]}, new, "$$p.k"]}
    pair = {"k": key, "v": "$$p.v"}
    return lambda document: _pairs(
        document, lambda pairs: {"$map": {"input": pairs, "as": "p", "in": pair}}
    )


def _removed(name: str) -> Any:
    test = {"$ne": ["$$p.k", name]}
    return lambda document: _pairs(
        document, lambda pairs: {"$filter": {"input": pairs, "as": "p", "cond": test}}
    )


def _filled(name: str, value: Any) -> Any:
    """What has no value gets one."""
    return lambda document: {
        "$mergeObjects": [
            document,
            {name: {"$ifNull": [f"{document}.{name}", {"$literal": value}]}},
        ]
    }


def _filled_anew(name: str, value: Any) -> Any:
    return lambda document: {"$mergeObjects": [document, {name: {"$literal": value}}]}


def _converted(name: str, type_: str) -> Any:
    return lambda document: {"$mergeObjects": [document, {name: cast(f"{document}.{name}", type_)}]}
