# SPDX-License-Identifier: Apache-2.0
"""Compile a serializer into a plan that C follows from BSON to JSON.

Each field of the serializer is one entry. A field that is shown as it is stored is written in C;
one that computes (a method, an override, a dotted source) is asked in Python, for that field only.
"""

import datetime
import json
from typing import Any

from django.conf import settings
from django.utils import timezone
from rest_framework import serializers
from rest_framework.settings import api_settings
from rest_framework.utils import encoders

from mongodb._core import JSONPlan

from . import fields, mapping

__all__ = ["Plan", "plan_of"]

# How a stored value is written, by the serializer field that shows it. A subclass of these is
# written in C only when it overrides nothing that shows.
WRITERS: dict[type, str] = {
    serializers.CharField: "string",
    serializers.EmailField: "string",
    serializers.URLField: "string",
    serializers.RegexField: "string",
    serializers.SlugField: "string",
    serializers.IntegerField: "int",
    serializers.FloatField: "float",
    serializers.BooleanField: "bool",
    serializers.DecimalField: "decimal",
    fields.DateTimeField: "datetime",
    serializers.DateField: "date",
    serializers.UUIDField: "uuid",
    fields.ObjectIdField: "objectid",
    fields.BinaryField: "binary",
    fields.ReferenceField: "reference",
    fields.DynamicField: "dynamic",
    serializers.ListField: "list",
    serializers.DictField: "dict",
    serializers.ChoiceField: "string",  # or another; see choice_writer
}
# Kinds of document fields that a writer shows as the serializer field would.
FITS: dict[str, set[str]] = {
    "string": {"StringField", "EmailField", "URLField"},
    "int": {"IntField", "LongField", "SequenceField"},
    "float": {"FloatField"},
    "bool": {"BooleanField"},
    "decimal": {"DecimalField", "Decimal128Field"},
    "datetime": {"DateTimeField"},
    "date": {"DateField"},
    "uuid": {"UUIDField"},
    "objectid": {"ObjectIdField"},
    "binary": {"BinaryField"},
    "reference": {"ReferenceField"},
    "dynamic": {"BaseField", "DynamicField"},
    "list": {"ListField", "EmbeddedDocumentListField"},
    "dict": {"DictField", "MapField"},
}
SHOWN_BY = ("to_representation", "get_attribute")
PYTHON = ("python", None, None)


class Plan:
    """The compiled serializer. Thread-safe."""

    def __init__(self, child: Any) -> None:
        self.names: list[str] = []
        entries = []
        for field in child._readable_fields:
            self.names.append(field.field_name)
            entries.append(entry_of(child, field))
        self.compiled = JSONPlan(entries)

    def write(self, child: Any, documents: list[Any]) -> bytes:
        """The documents as a JSON array."""

        def row(document: Any) -> bytes:
            return dumps(child.to_representation(document))

        def one(at: int, document: Any) -> bytes | None:
            field = child.fields[self.names[at]]
            try:
                value = field.get_attribute(document)
            except serializers.SkipField:
                return None
            value = (
                getattr(value, "pk", value) if hasattr(field, "use_pk_only_optimization") else value
            )
            return dumps(None if value is None else field.to_representation(value))

        return self.compiled.dumps(documents, row, one, shown_zone())


def dumps(value: Any) -> bytes:
    text = json.dumps(
        value,
        cls=encoders.JSONEncoder,
        ensure_ascii=False,
        allow_nan=not api_settings.STRICT_JSON,
        separators=(",", ":"),
    )
    return text.replace("\u2028", "\\u2028").replace("\u2029", "\\u2029").encode()


def shown_zone() -> datetime.tzinfo | str:
    """The time zone that dates and times are shown in, or what ends them as they are stored."""
    if not settings.USE_TZ:
        return ""
    zone = timezone.get_current_timezone()
    return "Z" if str(zone) == "UTC" else zone


def plan_of(child: Any) -> Plan | None:
    """The plan of a serializer, kept on its class when its fields are the same each time. None when
    the serializer must do it all in Python."""
    from .serializers import DocumentSerializer  # the two modules need one another

    cls = type(child)
    if not isinstance(child, DocumentSerializer):
        return None
    if overrides(cls, DocumentSerializer, ("to_representation", "data", "_readable_fields")):
        return None
    if not api_settings.UNICODE_JSON or not api_settings.COMPACT_JSON:
        return None
    if overrides(cls, DocumentSerializer, ("__init__", "fields", "get_fields", "get_field_names")):
        return Plan(child)
    formats = shown_formats()
    kept: tuple[Any, Plan] | None = cls.__dict__.get("_json_plan")
    if kept is None or kept[0] != formats:
        kept = cls._json_plan = (formats, Plan(child))
    return kept[1]


def shown_formats() -> tuple[Any, ...]:
    """The settings that a plan depends on."""
    return (
        api_settings.DATETIME_FORMAT,
        api_settings.DATE_FORMAT,
        api_settings.COERCE_DECIMAL_TO_STRING,
    )


def overrides(cls: type, base: type, names: tuple[str, ...]) -> bool:
    return any(getattr(cls, name, None) is not getattr(base, name, None) for name in names)


def entry_of(child: Any, field: Any) -> tuple[Any, ...]:
    """(JSON key, stored name, writer, argument, nested plan, JSON when missing)."""
    key = dumps(field.field_name) + b":"
    model = child.get_model()
    attributes = field.source_attrs
    name = attributes[0] if len(attributes) == 1 else None
    if name == "pk":
        name = model._meta.get("id_field")
    stored = model._fields.get(name) if name else None
    if name is None or stored is None or overridden_attribute(model, name):
        return key, None, *PYTHON, None
    writer, argument, nested = writer_of(field, stored)
    return key, stored.db_field, writer, argument, nested, missing_json(stored)


def overridden_attribute(model: type, name: str) -> bool:
    """Whether reading the attribute runs code of the user's class (a property of that name)."""
    found = getattr(model, name, None)
    return isinstance(found, property)


def writer_of(field: Any, stored: Any) -> tuple[str, Any, Any]:
    if isinstance(field, serializers.ListSerializer):
        return list_of_documents(field, stored)
    if isinstance(field, serializers.BaseSerializer):
        return embedded(field, stored)
    base = next((cls for cls in type(field).__mro__ if cls in WRITERS), None)
    if base is None or overrides(type(field), base, SHOWN_BY):
        return PYTHON
    writer = WRITERS[base] if base is not serializers.ChoiceField else choice_writer(field)
    if writer is None:
        return PYTHON
    if not plain_options(field):
        return PYTHON
    if mapping.kind_of(stored) not in FITS[writer] or custom(stored):
        return PYTHON
    if writer in ("list", "dict"):
        return collection(writer, field, stored)
    return writer, options(writer, field), None


def choice_writer(field: Any) -> str | None:
    """How a choice is written: as it is stored, when all choices are of one plain type."""
    kinds = {type(value) for value in field.choices}
    return {frozenset({str}): "string", frozenset({int}): "int"}.get(frozenset(kinds))


def options(writer: str, field: Any) -> Any:
    """A writer's argument, or None; fields with options C does not know are written in Python."""
    if writer == "decimal":
        return field.decimal_places if field.decimal_places is not None else -1
    return None


def custom(stored: Any) -> bool:
    """Whether the document's field makes its own Python values."""
    module = type(stored).__module__
    return not module.startswith("mongodb.")


def plain_options(field: Any) -> bool:
    """Whether a field shows values in the default format."""
    if isinstance(field, serializers.DecimalField):
        return not (field.localize or field.normalize_output) and bool(
            getattr(field, "coerce_to_string", api_settings.COERCE_DECIMAL_TO_STRING)
        )
    if isinstance(field, serializers.DateTimeField):
        return (
            field.__dict__.get("format") is None
            and api_settings.DATETIME_FORMAT == "iso-8601"
            and not hasattr(field, "timezone")
        )
    if isinstance(field, fields.DynamicField):
        return bool(api_settings.DATETIME_FORMAT == "iso-8601")
    if isinstance(field, serializers.DateField):
        return field.__dict__.get("format") is None and api_settings.DATE_FORMAT == "iso-8601"
    if isinstance(field, serializers.UUIDField):
        return field.uuid_format == "hex_verbose"
    return not getattr(field, "localize", False)


def collection(writer: str, field: Any, stored: Any) -> tuple[str, Any, Any]:
    inner = getattr(stored, "field", None)
    if inner is None:
        if type(field.child) is fields.DynamicField and plain_options(field.child):
            return writer, ("dynamic", None, None), None
        return PYTHON
    item = writer_of(field.child, inner)
    return PYTHON if item[0] == "python" else (writer, item, None)


def embedded(field: Any, stored: Any) -> tuple[str, Any, Any]:
    if mapping.kind_of(stored) != "EmbeddedDocumentField" or custom(stored):
        return PYTHON
    plan = nested_plan(field)
    return PYTHON if plan is None else ("embedded", None, plan.compiled)


def list_of_documents(field: Any, stored: Any) -> tuple[str, Any, Any]:
    inner = getattr(stored, "field", None)
    if (
        mapping.kind_of(stored) not in FITS["list"]
        or inner is None
        or mapping.kind_of(inner) != "EmbeddedDocumentField"
        or custom(stored)
        or overrides(type(field), serializers.ListSerializer, ("get_attribute",))
    ):
        return PYTHON
    plan = nested_plan(field.child)
    return PYTHON if plan is None else ("list", ("embedded", None, plan.compiled), None)


def nested_plan(child: Any) -> Plan | None:
    plan = plan_of(child)
    if plan is None or plan.compiled.needs_python:
        return None
    return plan


def missing_json(stored: Any) -> bytes | None:
    """What a document without the field shows, or None when Python must make its default."""
    default = getattr(stored, "default", None)
    kind = mapping.kind_of(stored)
    if default is None or default is list or default is dict:
        if kind in FITS["list"] or default is list:
            return b"[]"
        return b"{}" if kind in FITS["dict"] or default is dict else b"null"
    if isinstance(default, bool | int | str):
        return dumps(default)
    return None
