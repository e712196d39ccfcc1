# SPDX-License-Identifier: Apache-2.0
"""Values of fields within arrays and documents: to BSON, from BSON, to text and back. What is to be
done is looked up once for a query, not for each row."""

from __future__ import annotations

import inspect
import json
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

from django.core.exceptions import FieldDoesNotExist, FieldError, ValidationError
from django.core.serializers.json import DjangoJSONEncoder
from django.db.models import ForeignKey, Model, signals
from django.db.models.base import ModelState
from django.db.models.expressions import Col
from django.db.models.fields.related_descriptors import ForeignKeyDeferredAttribute
from django.db.models.query_utils import DeferredAttribute

from mongodb.backend.dbapi import adapt
from mongodb.backend.plan.json import JSON_NULL

__all__ = [
    "UnknownLookup", "as_text", "from_text", "joined", "model_reader", "nested_error", "prefixed",
    "public_path", "reader", "reference", "to_bson", "write_model",
]  # fmt: skip

Reader = Callable[[Any], Any]


class UnknownLookup(FieldError, FieldDoesNotExist):
    """A lookup names neither a field of the embedded model nor a lookup there is."""


def to_bson(value: Any) -> Any:
    """Return a prepared value as BSON has it, arrays and documents with all that is in them."""
    if isinstance(value, dict):
        return {key: to_bson(one) for key, one in value.items()}
    if isinstance(value, (list, tuple)):
        return [to_bson(one) for one in value]
    return None if value is JSON_NULL else adapt(value)


def reader(field: Any, connection: Any) -> Reader | None:
    """Return what makes a field's value of BSON; None when it is the value already."""
    source = field
    while isinstance(source, ForeignKey):
        source = source.target_field
    column = Col("", source, source)
    steps = [*connection.ops.get_db_converters(column), *source.get_db_converters(connection)]
    if not steps:
        return None
    if len(steps) == 1:
        only = steps[0]
        return lambda value: only(value, column, connection)

    def convert(value: Any) -> Any:
        for step in steps:
            value = step(value, column, connection)
        return value

    return convert


def model_reader(model: Any, connection: Any) -> Reader:
    """Return what makes an instance of an embedded model of a document.

    It looks at the model's fields at the first document: a model may embed itself."""
    known: tuple[Any, Any] | None = None

    def read(document: Any) -> Any:
        nonlocal known
        if not isinstance(document, dict):
            return document
        if known is None:
            columns = [(field.column, field.attname, reader(field, connection), field)
                       for field in _fields(model)]  # fmt: skip
            known = (plain_instance if is_plain(model) else called_instance), columns
        make, columns = known
        return make(model, columns, document)

    return read


def is_plain(model: Any) -> bool:
    """Whether making an instance runs no code but Django's own."""
    own = model.__init__ is Model.__init__ and model.__setattr__ is Model.__setattr__
    heard = signals.pre_init.has_listeners(model) or signals.post_init.has_listeners(model)
    stored = all(type(inspect.getattr_static(model, field.attname)) in _DESCRIPTORS
                 for field in _fields(model))  # fmt: skip
    return own and stored and not heard


_DESCRIPTORS = (DeferredAttribute, ForeignKeyDeferredAttribute)


def plain_instance(model: Any, columns: Any, document: dict[str, Any]) -> Any:
    """Return the instance that `called_instance` makes, its values set as they are."""
    instance = model.__new__(model)
    values = instance.__dict__
    values["_state"] = state = ModelState()
    state.adding = False
    for column, name, convert, field in columns:
        value = document.get(column, _MISSING)
        if value is _MISSING:
            value = field.get_default()
        elif convert is not None and value is not None:
            value = convert(value)
        values[name] = value
    return instance


def called_instance(model: Any, columns: Any, document: dict[str, Any]) -> Any:
    """Return an instance made by calling the model."""
    values = []
    for column, _, convert, field in columns:
        if column in document:
            value = document[column]
            values.append(value if convert is None or value is None else convert(value))
        else:
            values.append(field.get_default())
    instance = model(*values)
    instance._state.adding = False
    return instance


_MISSING = object()


def _fields(model: Any) -> Any:
    return [field for field in model._meta.concrete_fields if field.column is not None]


def write_model(instance: Any, connection: Any, *, saving: bool = True) -> dict[str, Any]:
    """Return the document of an embedded model's instance; `saving` runs its fields' pre_save."""
    add = instance._state.adding
    document = {}
    for field in _fields(type(instance)):
        if saving:
            value = field.get_db_prep_save(field.pre_save(instance, add), connection)
        else:
            value = field.get_db_prep_value(getattr(instance, field.attname), connection)
        if field.primary_key and value is None:
            continue  # the key of an embedded model is not stored unless it is set
        document[field.column] = to_bson(value)
    if saving:
        instance._state.adding = False
    return document


# Text, for serializers


def as_text(field: Any, value: Any) -> Any:
    """Return a field's value as JSON can hold it."""
    if value is None:
        return None
    return field.value_to_string(_holder(field, value))


def _holder(field: Any, value: Any) -> Any:
    return SimpleNamespace(**{getattr(field, "attname", None) or "value": value})


def from_text(value: Any) -> Any:
    """Return what a serializer's text holds; ValidationError where it is no JSON."""
    try:
        return json.loads(value)
    except ValueError:
        raise ValidationError(
            "“%(value)s” is not valid JSON.", "invalid", {"value": value}
        ) from None


def dumps(value: Any) -> str:
    return json.dumps(value, cls=DjangoJSONEncoder)


# Errors


def prefixed(error: ValidationError, prefix: Any, code: Any, params: dict[str, Any]) -> Any:
    """Return an error whose messages stand behind a prefix; their parameters are kept."""
    made = []
    for one in error.error_list:
        every = {**(one.params or {}), **params}
        text = " ".join([str(prefix % params if params else prefix), *one])
        # what is formatted here is not formatted again
        made.append(ValidationError(text.replace("%", "%%") if every else text,
                                    one.code if code is None else code, every))  # fmt: skip
    return joined(made)


def joined(errors: list[Any]) -> ValidationError:
    """Return errors as one; a single one keeps its code and parameters."""
    return errors[0] if len(errors) == 1 else ValidationError(errors)


def nested_error(error: ValidationError) -> ValidationError:
    """Return the errors of an embedded model's fields as one list, each behind its field's name."""
    made: list[Any] = []
    for name, errors in error.error_dict.items():
        for one in errors:
            if name == "__all__":
                made.append(one)
            else:
                made += prefixed(ValidationError([one]), f"{name}:", one.code, {}).error_list
    return joined(made)


# Migrations


def reference(model: Any) -> str:
    """Return the label of a model, or of a lazy reference to one, as migrations write it."""
    if isinstance(model, str):
        app, _, name = model.rpartition(".")
        return f"{app}.{name.lower()}" if app else name.lower()
    return str(model._meta.label_lower)


def public_path(path: str) -> str:
    """Return the path that migrations name: the package's, which stays when modules move."""
    package, _, name = path.rpartition(".")
    return f"mongodb.backend.fields.{name}" if package.startswith("mongodb.backend.") else path
