# SPDX-License-Identifier: Apache-2.0
"""EmbeddedModel: the base of what is stored within other models' documents."""

from __future__ import annotations

from typing import Any

from django.core import checks
from django.db import NotSupportedError, models
from django.db.models.base import ModelBase

from mongodb.backend.fields.deletion import watch
from mongodb.backend.managers import EmbeddedModelManager

__all__ = ["EmbeddedModel"]

_INDEX = "EmbeddedFieldIndex in Meta.indexes on the top-level model."
_UNIQUE = "EmbeddedFieldUniqueConstraint in Meta.constraints on the top-level model."
_FIELD_OPTIONS = (("db_index", "W004", _INDEX), ("unique", "W005", _UNIQUE))
_META_OPTIONS = (
    ("constraints", "W006", _UNIQUE), ("indexes", "W007", _INDEX),
    ("unique_together", "W008", _UNIQUE),
)  # fmt: skip


class _NoAttribute:
    """Hides an attribute of models that a kind of them does not have."""

    def __get__(self, instance: Any, owner: Any) -> Any:
        raise AttributeError("embedded models are saved with the model that embeds them")


class _EmbeddedModelBase(ModelBase):
    """Embedded models are unmanaged, whatever their Meta inherits: migrations make nothing."""

    def __new__(cls, name: str, bases: Any, attrs: Any, **kwargs: Any) -> Any:
        made: Any = super().__new__(cls, name, bases, attrs, **kwargs)
        made._meta.managed = False
        made._meta.original_attrs["managed"] = False
        if not made._meta.abstract:
            watch(made)
        return made


class EmbeddedModel(models.Model, metaclass=_EmbeddedModelBase):
    """Has no collection of its own: it is saved, read and deleted with what embeds it."""

    objects = EmbeddedModelManager()
    is_embedded = True
    prepare_database_save = _NoAttribute()  # update(field=instance) takes it for a value

    class Meta:
        abstract = True
        managed = False

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, EmbeddedModel) or self.pk is not None:
            return super().__eq__(other)
        if type(self) is not type(other):
            return NotImplemented
        names = [field.attname for field in self._meta.concrete_fields]
        return all(getattr(self, name) == getattr(other, name) for name in names)

    __hash__ = models.Model.__hash__

    @classmethod
    def check(cls, **kwargs: Any) -> list[Any]:
        found = super().check(**kwargs)
        for field in cls._meta.fields:
            for option, id_, instead in _FIELD_OPTIONS:
                if getattr(field, option) and not (field.auto_created or field.remote_field):
                    found.append(_without_effect(f"{option}=True on embedded fields", instead,
                                                 field, id_))  # fmt: skip
        for option, id_, instead in _META_OPTIONS:
            if getattr(cls._meta, option):
                found.append(_without_effect(f"Meta.{option} on embedded models", instead,
                                             cls, id_))  # fmt: skip
        return found

    def save(self, *args: Any, **kwargs: Any) -> None:
        raise NotSupportedError("EmbeddedModels cannot be saved.")

    def delete(self, *args: Any, **kwargs: Any) -> Any:
        raise NotSupportedError("EmbeddedModels cannot be deleted.")


def _without_effect(what: str, instead: str, where: Any, id_: str) -> Any:
    return checks.Warning(f"{what} has no effect: use {instead}", obj=where,
                          id=f"mongodb.fields.embedded_model.{id_}")  # fmt: skip
