# SPDX-License-Identifier: Apache-2.0
"""What this backend changes in Django itself, once, when it is loaded: JSONField and its lookups,
which have a form for each of Django's own databases and none that others can use; the check of the
fields that indexes name, which may be within documents; what DRF's ModelSerializer knows."""

from __future__ import annotations

import json
from typing import Any

from django.apps import apps
from django.core.signals import request_started
from django.db.backends.signals import connection_created
from django.db.models import JSONField, Model
from django.db.models.fields import json as django_json

from mongodb.backend import migrations
from mongodb.backend.plan.json import JSON_NULL

__all__ = ["is_plain_json", "register"]

_from_text = JSONField.from_db_value


def _from_db_value(self: Any, value: Any, expression: Any, connection: Any) -> Any:
    if connection.vendor != "mongodb":
        return _from_text(self, value, expression, connection)
    if self.decoder is None or value is None:
        return value
    return json.loads(json.dumps(value), cls=self.decoder)


def is_plain_json(converter: Any) -> bool:
    """Whether a field's converter leaves JSON values as they are read."""
    field = getattr(converter, "__self__", None)
    return getattr(converter, "__func__", None) is _from_db_value and field.decoder is None


def _path(lhs: str, keys: list[Any]) -> str:
    texts = (key if isinstance(key, int) else json.dumps(str(key)) for key in keys)
    quoted = (str(text).replace("'", "''").replace("%", "%%") for text in texts)
    return ", ".join([lhs, *(f"'{key}'" for key in quoted)])


def _key_transform(self: Any, compiler: Any, connection: Any) -> tuple[str, tuple[Any, ...]]:
    lhs, params, keys = self.preprocess_lhs(compiler, connection)
    return f"JSON_GET({_path(lhs, keys)})", tuple(params)


def _key_text(self: Any, compiler: Any, connection: Any) -> tuple[str, tuple[Any, ...]]:
    lhs, params, keys = self.preprocess_lhs(compiler, connection)
    return f"JSON_TEXT({_path(lhs, keys)})", tuple(params)


def _exact(self: Any, compiler: Any, connection: Any) -> tuple[str, tuple[Any, ...]]:
    lhs, left = self.process_lhs(compiler, connection)
    rhs, right = self.process_rhs(compiler, connection)  # Django 6.1 warns of None there
    if self.rhs is None:
        return f"JSON_EQ({lhs}, %s)", (*left, JSON_NULL)
    if rhs == "%s" and list(right) == ["null"] and self.rhs != "null":
        right = [JSON_NULL]
    return f"JSON_EQ({lhs}, {rhs})", (*left, *right)


def _has(name: str) -> Any:
    def as_mongodb(self: Any, compiler: Any, connection: Any) -> tuple[str, tuple[Any, ...]]:
        above: list[Any] = []
        if isinstance(self.lhs, django_json.KeyTransform):
            lhs, params, above = self.lhs.preprocess_lhs(compiler, connection)
        else:
            lhs, params = self.process_lhs(compiler, connection)
        rhs = self.rhs if isinstance(self.rhs, (list, tuple)) else [self.rhs]
        parts = []
        for key in rhs:
            keys = [key]
            if isinstance(key, django_json.KeyTransform):
                *_, keys = key.preprocess_lhs(compiler, connection)
            parts.append(f"{name}({_path(lhs, [*above, *keys])})")
        joined = (self.logical_operator or " AND ").join(parts)
        return f"({joined})", tuple(params) * len(parts)

    return as_mongodb


def _key_is_null(self: Any, compiler: Any, connection: Any) -> tuple[str, tuple[Any, ...]]:
    lhs, params, keys = self.lhs.preprocess_lhs(compiler, connection)
    test = f"JSON_HAS_AT({_path(lhs, keys)})"
    return (f"NOT {test}" if self.rhs else test), tuple(params)


_check_local_fields: Any = Model._check_local_fields.__func__


def _check_names(cls: Any, fields: Any, option: str) -> list[Any]:
    from mongodb.backend.indexes import unknown_names

    dotted = [name for name in fields if "." in name]
    plain = [name for name in fields if "." not in name]
    return [*_check_local_fields(cls, plain, option), *unknown_names(cls, dotted, option)]


def _adopt_rest_framework(**_: Any) -> None:
    """Where DRF is installed, let its ModelSerializer know the fields that only this backend has.

    It cannot be imported before Django is set up, which is when this module is."""
    if apps.ready:
        for signal in _SIGNALS:
            signal.disconnect(_adopt_rest_framework)
        if apps.is_installed("rest_framework"):
            from mongodb.rest_framework import models

            models.register()


_SIGNALS = (request_started, connection_created)


def register() -> None:
    """Install the changes; a second call does nothing new."""
    JSONField.from_db_value = _from_db_value  # type: ignore[method-assign]
    Model._check_local_fields = classmethod(_check_names)
    migrations.register()
    for signal in _SIGNALS:
        signal.connect(_adopt_rest_framework)
    for cls, method in (
        (django_json.KeyTransform, _key_transform),
        (django_json.KeyTextTransform, _key_text),
        (django_json.JSONExact, _exact),
        (django_json.HasKeyLookup, _has("JSON_HAS")),
        (django_json.HasKeyOrArrayIndex, _has("JSON_HAS_AT")),
        (django_json.KeyTransformIsNull, _key_is_null),
    ):
        cls.as_mongodb = method
