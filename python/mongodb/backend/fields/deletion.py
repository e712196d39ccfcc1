# SPDX-License-Identifier: Apache-2.0
"""Foreign keys within documents. Their models have no collection, so Django's own ways back from
what they refer to are closed; what `on_delete` asks for is done here."""

from __future__ import annotations

import functools
from typing import Any

from django.db import connections, models
from django.db.models.fields.related import lazy_related_operation
from django.db.models.signals import pre_delete

from mongodb.backend.embedded_schema import Steps, places, reach, within
from mongodb.backend.fields.values import to_bson

__all__ = ["watch"]


def watch(model: Any) -> None:
    """Look after the foreign keys of an embedded model."""
    for field in model._meta.local_fields:
        rel = field.remote_field
        if rel is None:
            continue
        # Django's collector would look for rows
        on_delete, rel.on_delete = rel.on_delete, models.DO_NOTHING
        lazy_related_operation(_connect, model, rel.model, field=field, on_delete=on_delete)


def _connect(model: Any, related: Any, field: Any, on_delete: Any) -> None:
    rel = field.remote_field
    if not rel.hidden:
        accessor = rel.get_accessor_name()
        rel.related_name = "+"
        rel.__dict__["hidden"] = True
        if accessor in vars(related):
            delattr(related, accessor)
        related._meta._expire_cache()
    if on_delete is not models.DO_NOTHING:
        uid = ("mongodb", model._meta.label, field.name)
        handler = functools.partial(_deleted, field, on_delete)
        pre_delete.connect(handler, sender=related, weak=False, dispatch_uid=uid)


def _deleted(
    field: Any, on_delete: Any, sender: Any, instance: Any, using: str, **more: Any
) -> None:
    """A row goes: do to what refers to it what the key asks for."""
    connection: Any = connections[using]
    if connection.vendor != "mongodb":
        return
    key = to_bson(
        field.get_db_prep_value(getattr(instance, field.target_field.attname), connection)
    )
    for model, steps in places(field.model._meta.apps, field.model):
        names = [name for kind, name in steps if kind == "field"]
        path = ".".join([*names, field.column])
        table = model._meta.db_table
        found = connection.documents(
            {"find": table, "filter": {path: key}, "projection": {"_id": 1}}
        )
        if not found:
            continue
        rows = model._base_manager.using(using).filter(pk__in=[one["_id"] for one in found])
        if on_delete in (models.PROTECT, models.RESTRICT):
            kind = models.ProtectedError if on_delete is models.PROTECT else models.RestrictedError
            raise kind(
                f"Cannot delete {instance!r}: {model.__name__}.{'.'.join(names)}.{field.name} "
                "refers to it",
                set(rows),
            )
        if on_delete is models.CASCADE and ("each", "") not in steps:
            rows.delete()
            continue
        column, way = names[0], steps[1:]
        if on_delete is models.CASCADE:
            made = _without(f"${column}", way, field.column, key)
        else:
            taken = _Value()
            on_delete(taken, field, [], using)
            value = to_bson(field.get_db_prep_value(taken.value, connection))
            made = within(f"${column}", way, _replaced(field.column, key, value))
        connection.command({"update": table, "updates": [
            {"q": {path: key}, "u": [{"$set": {column: made}}], "multi": True}]})  # fmt: skip


class _Value:
    """Stands for Django's collector, which on_delete tells the value to set."""

    value: Any = None

    def add_field_update(self, field: Any, value: Any, objs: Any) -> None:
        self.value = value


def _replaced(name: str, key: Any, value: Any) -> Any:
    def change(document: str) -> Any:
        at = f"{document}.{name}"
        new = {"$cond": [{"$eq": [at, {"$literal": key}]}, {"$literal": value}, at]}
        return {"$mergeObjects": [document, {name: new}]}

    return change


def _without(document: str, way: Steps, name: str, key: Any) -> Any:
    """The value without the items, of the innermost array, that hold the key."""
    last = len(way) - 1 - way[::-1].index(("each", ""))
    tests, path = [], "$$item"
    for kind, step in way[last + 1 :]:
        if kind == "label":
            tests.append({"$eq": [f"{path}._label", step]})
        else:
            path = f"{path}.{step}"
    holds = {"$and": [*tests, {"$eq": [f"{path}.{name}", {"$literal": key}]}]}

    def change(array: str) -> Any:
        kept = {"$filter": {"input": array, "as": "item", "cond": {"$not": [holds]}}}
        return {"$cond": [{"$isArray": [array]}, kept, array]}

    return reach(document, way[:last], change)
