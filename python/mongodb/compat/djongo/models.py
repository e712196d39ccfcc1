# SPDX-License-Identifier: Apache-2.0
"""`from djongo import models`: Django's models, and Djongo's spellings of MongoDB's fields."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from django.db import NotSupportedError, connections
from django.db.models import *  # noqa: F403
from django.db.models import Field, Manager, Model
from django.db.models.base import ModelBase
from django.db.models.fields.related import lazy_related_operation

from mongodb.backend import fields
from mongodb.backend.fields import ObjectIdAutoField, ObjectIdField
from mongodb.backend.models import EmbeddedModel

__all__ = [
    "ArrayField", "ArrayReferenceField", "DjongoManager", "EmbeddedField", "ObjectIdAutoField",
    "ObjectIdField",
]  # fmt: skip


def _embedded(container: Any) -> Any:
    """Return the embedded model of a container; an abstract one becomes one, and can be called."""
    if not isinstance(container, type) or issubclass(container, EmbeddedModel):
        return container
    if not issubclass(container, Model) or not container._meta.abstract:
        raise TypeError(f"model_container: an abstract model expected, not {container!r}")
    made = container.__dict__.get("_embedded_model")
    if made is None:
        meta = type("Meta", (), {"managed": False, **_app_label(container)})
        attrs = {"__module__": container.__module__, "Meta": meta,
                 "__qualname__": container.__qualname__}  # fmt: skip
        kind = type(EmbeddedModel)
        made = kind(container.__name__, (container, EmbeddedModel), attrs)
        container._embedded_model = made

        def new(cls: Any, *args: Any, **kwargs: Any) -> Any:
            return object.__new__(made if cls is container else cls)

        container.__new__ = new
    return made


def _app_label(container: ModelBase) -> dict[str, Any]:
    label = getattr(container.Meta, "app_label", None)  # type: ignore[attr-defined]
    return {"app_label": label} if label else {}


def _no_forms(options: dict[str, Any]) -> None:
    for name in ("model_form_class", "model_form_kwargs_l"):
        if options.pop(name, None):
            raise NotSupportedError(f"{name}: the form is made of the model; override formfield()")


class _Embedded(fields.EmbeddedModelField):
    """Takes dicts for instances."""

    def _instance(self, value: Any) -> Any:
        return self.embedded_model(**value) if isinstance(value, dict) else value

    def pre_save(self, model_instance: Any, add: bool) -> Any:
        value = self._instance(super().pre_save(model_instance, add))
        setattr(model_instance, self.attname, value)
        return value

    def get_db_prep_value(self, value: Any, *args: Any, **kwargs: Any) -> Any:
        return super().get_db_prep_value(self._instance(value), *args, **kwargs)

    def get_db_prep_save(self, value: Any, connection: Any) -> Any:
        return super().get_db_prep_save(self._instance(value), connection)

    def to_python(self, value: Any) -> Any:
        return self._instance(super().to_python(value))

    def deconstruct(self) -> Any:
        name, _, args, kwargs = super().deconstruct()
        return name, "mongodb.backend.fields.EmbeddedModelField", args, kwargs


def EmbeddedField(model_container: Any, **options: Any) -> Any:  # noqa: N802
    """Return a field that embeds an abstract model's instance."""
    _no_forms(options)
    return _Embedded(_embedded(model_container), **options)


def ArrayField(model_container: Any, **options: Any) -> Any:  # noqa: N802
    """Return a field for a list of an abstract model's instances, or of a field's values."""
    _no_forms(options)
    if isinstance(model_container, Field):
        return fields.ArrayField(model_container, **options)
    return fields.EmbeddedModelArrayField(_embedded(model_container), **options)


class ArrayReferenceField(fields.ArrayField):
    """References to many rows, as an array of their keys in the row's own document."""

    def __init__(self, to: Any, on_delete: Any = None, base_field: Any = None, **kw: Any) -> None:
        self.to = to
        kw.setdefault("default", list)
        kw.setdefault("blank", True)
        super().__init__(base_field or Field(), **kw)

    def get_attname(self) -> str:
        return f"{self.name}_id"

    def contribute_to_class(self, cls: Any, name: str, **kwargs: Any) -> None:
        super().contribute_to_class(cls, name, **kwargs)
        setattr(cls, name, _Descriptor(self))
        if not cls._meta.abstract:
            lazy_related_operation(self._resolved, cls, self.to, field=self)

    def _resolved(self, cls: Any, model: Any, field: Any = None) -> None:
        self.to = model
        key = model._meta.pk
        while key.remote_field:
            key = key.target_field
        self.base_field = key

    def deconstruct(self) -> Any:
        name, _, args, kwargs = super().deconstruct()
        kwargs.pop("base_field")
        kwargs["to"] = self.to if isinstance(self.to, str) else self.to._meta.label_lower
        return name, f"{__name__}.ArrayReferenceField", args, kwargs


class _Descriptor:
    def __init__(self, field: Any) -> None:
        self.field = field

    def __get__(self, instance: Any, owner: Any) -> Any:
        return self.field if instance is None else _References(instance, self.field)


class _References:
    """The rows that one refers to: a queryset, with `add`, `remove`, `set`, `clear`, `create`."""

    def __init__(self, instance: Any, field: Any) -> None:
        self.instance, self.field = instance, field

    @property
    def _keys(self) -> list[Any]:
        return list(getattr(self.instance, self.field.attname) or [])

    def _save(self, keys: list[Any]) -> None:
        setattr(self.instance, self.field.attname, keys)
        self.instance.save(update_fields=[self.field.name])

    def all(self) -> Any:
        return self.field.to._default_manager.filter(pk__in=self._keys)

    def add(self, *rows: Any) -> None:
        keys = self._keys
        self._save(keys + [key for key in map(_key, rows) if key not in keys])

    def remove(self, *rows: Any) -> None:
        gone = set(map(_key, rows))
        self._save([key for key in self._keys if key not in gone])

    def set(self, rows: Any) -> None:
        self._save(list(dict.fromkeys(map(_key, rows))))

    def clear(self) -> None:
        self._save([])

    def create(self, **values: Any) -> Any:
        row = self.field.to._default_manager.create(**values)
        self.add(row)
        return row

    def __getattr__(self, name: str) -> Any:
        return getattr(self.all(), name)


def _key(row: Any) -> Any:
    return row.pk if isinstance(row, Model) else row


class DjongoManager(Manager):  # type: ignore[type-arg]
    """Adds `mongo_aggregate`, `mongo_find`, …: PyMongo's methods on the model's collection."""

    def mongo_aggregate(self, pipeline: Any, **options: Any) -> Iterator[dict[str, Any]]:
        """Give the documents of a pipeline, in the transaction if one is open."""
        connection: Any = connections[self.db]
        command = {"aggregate": self.model._meta.db_table, "pipeline": list(pipeline),
                   "cursor": {}, **options}  # fmt: skip
        return iter(connection.documents(command))

    def __getattr__(self, name: str) -> Any:
        if not name.startswith("mongo_"):
            raise AttributeError(f"{type(self).__name__!r} object has no attribute {name!r}")
        connection: Any = connections[self.db]
        connection.ensure_connection()
        handle = connection.connection.handle
        collection = handle.pymongo()[handle.name][self.model._meta.db_table]
        return getattr(collection, name.removeprefix("mongo_"))
