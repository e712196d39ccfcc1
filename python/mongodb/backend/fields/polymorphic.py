# SPDX-License-Identifier: Apache-2.0
"""Embedded models of several classes: the document's field `_label` says which."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from django.core import checks
from django.core.exceptions import FieldDoesNotExist, ValidationError
from django.db import connections
from django.db.models.fields.related import lazy_related_operation

from mongodb.backend import forms
from mongodb.backend.fields import values
from mongodb.backend.fields.embedded import Embedding, instance_of
from mongodb.backend.fields.embedded_array import EmbeddingArray
from mongodb.backend.fields.rules import bson_types

__all__ = ["PolymorphicEmbeddedModelArrayField", "PolymorphicEmbeddedModelField"]

LABEL = "_label"


class PolymorphicEmbeddedModelField(Embedding):
    """An instance of one of `embedded_models`: classes, or lazy references to them."""

    is_of_one_model = False

    def __init__(self, embedded_models: Sequence[Any], *args: Any, **kwargs: Any) -> None:
        self.embedded_models = tuple(embedded_models)
        super().__init__(*args, **kwargs)

    def models(self) -> tuple[Any, ...]:
        return self.embedded_models

    def expected(self) -> Any:
        return self.embedded_models

    def get_internal_type(self) -> str:
        return "PolymorphicEmbeddedModelField"

    def resolve(self, cls: Any) -> None:
        """Look the models up as soon as they are there, where they are named lazily."""
        lazy = any(isinstance(model, str) for model in self.embedded_models)
        if lazy and not cls._meta.abstract:
            lazy_related_operation(self._resolved, cls, *self.embedded_models, field=self)

    def _resolved(self, cls: Any, *models: Any, field: Any = None) -> None:
        self.embedded_models = models

    def check(self, **kwargs: Any) -> list[Any]:
        found = super().check(**kwargs)
        if any(isinstance(one, checks.Error) for one in found):
            return found
        connection = next((c for c in connections.all() if c.vendor == "mongodb"), None)
        first: dict[str, Any] = {}
        for field in (f for model in self.embedded_models for f in model._meta.fields):
            other = first.setdefault(field.name, field)
            if _kind(other, connection) != _kind(field, connection):
                found.append(checks.Warning(
                    f"Embedded models {other.model._meta.label} and {field.model._meta.label} "
                    f"both have field '{field.name}' of different type.",
                    hint="It may be impossible to query both fields.",
                    obj=self, id="mongodb.fields.embedded_model.W003",
                ))  # fmt: skip
        return found

    def deconstruct(self) -> Any:
        name, path, args, kwargs = super().deconstruct()
        kwargs["embedded_models"] = tuple(map(values.reference, self.embedded_models))
        return name, values.public_path(path), args, kwargs

    def replace_model(self, is_it: Any, new: Any) -> None:
        """Embed `new` in the place of the model for which `is_it(model)` holds."""
        self.embedded_models = tuple(new if is_it(one) else one for one in self.embedded_models)

    # Values

    def document(self, value: Any, connection: Any, *, saving: bool) -> dict[str, Any]:
        made = super().document(value, connection, saving=saving)
        return {**made, LABEL: type(value)._meta.label}

    def get_db_converters(self, connection: Any) -> list[Any]:
        makers = {model._meta.label: values.model_reader(model, connection)
                  for model in self.embedded_models}  # fmt: skip

        def read(value: Any, expression: Any, connection: Any) -> Any:
            if not isinstance(value, dict):
                return value
            make = makers.get(value.get(LABEL, ""))
            if make is None:
                raise ValueError(
                    f"{self}: the document's {LABEL} is {value.get(LABEL)!r}, expected one of "
                    f"{', '.join(makers)}"
                )
            return make(value)

        return [read, *super().get_db_converters(connection)]

    def plain(self, value: Any) -> Any:
        return {**super().plain(value), LABEL: type(value)._meta.label}

    def parse(self, value: Any) -> Any:
        if not isinstance(value, dict):
            return value
        rest = dict(value)
        label = rest.pop(LABEL, None)
        for model in self.embedded_models:
            if model._meta.label == label:
                return instance_of(model, rest)
        raise ValidationError(f"{label!r} is none of the models that {self.name} embeds.")

    def form(self) -> dict[str, Any]:
        return {"form_class": forms.PolymorphicEmbeddedModelField, "models": self.embedded_models,
                "prefix": self.name}  # fmt: skip

    def of_array(self) -> dict[str, Any]:
        """Return what makes the form field of an array of these."""
        kind = forms.PolymorphicEmbeddedModelArrayField
        return {"form_class": kind, "models": self.embedded_models}

    # Lookups

    def subfield(self, name: str) -> Any:
        for model in self.embedded_models:
            try:
                field = model._meta.get_field(name)
            except FieldDoesNotExist:
                continue
            if field.concrete:
                return field
        names = {field.name for model in self.embedded_models for field in model._meta.fields}
        raise values.UnknownLookup(
            f"The models of field '{self.name}' have no field named '{name}'. "
            f"They have {', '.join(sorted(names))}"
        )


def _kind(field: Any, connection: Any) -> Any:
    type_ = str(field.db_type(connection))
    return bson_types(type_) or type_


class PolymorphicEmbeddedModelArrayField(EmbeddingArray):
    """A list of instances of `embedded_models`."""

    def __init__(self, embedded_models: Sequence[Any], **kwargs: Any) -> None:
        super().__init__(PolymorphicEmbeddedModelField(embedded_models), **kwargs)

    @property
    def embedded_models(self) -> Any:
        return self.base_field.embedded_models

    def get_internal_type(self) -> str:
        return "PolymorphicEmbeddedModelArrayField"

    def deconstruct(self) -> Any:
        name, path, args, kwargs = super().deconstruct()
        del kwargs["base_field"]
        kwargs["embedded_models"] = tuple(map(values.reference, self.embedded_models))
        return name, path, args, kwargs
