# SPDX-License-Identifier: Apache-2.0
"""From a document's field to the serializer field that shows and checks it."""

import enum
from typing import Any

from rest_framework import serializers

from mongodb import fields as odm

from .fields import (
    BinaryField,
    DateTimeField,
    DynamicField,
    EnumField,
    GenericReferenceField,
    ObjectIdField,
    ReferenceField,
)
from .files import FileField, ImageField
from .geo import GeoJSONField, GeoPointField
from .validators import UniqueValidator, check_finite

__all__ = ["SERIALIZER_FIELDS", "common_kwargs", "is_generated", "serializer_field"]

# By class name, nearest base first; a subclass of these is shown as its base is.
SERIALIZER_FIELDS: dict[str, type[serializers.Field]] = {
    "StringField": serializers.CharField,
    "EmailField": serializers.EmailField,
    "URLField": serializers.URLField,
    "IntField": serializers.IntegerField,
    "LongField": serializers.IntegerField,
    "SequenceField": serializers.IntegerField,
    "FloatField": serializers.FloatField,
    "DecimalField": serializers.DecimalField,
    "Decimal128Field": serializers.DecimalField,
    "BooleanField": serializers.BooleanField,
    "DateTimeField": DateTimeField,
    "ComplexDateTimeField": DateTimeField,
    "DateField": serializers.DateField,
    "ObjectIdField": ObjectIdField,
    "UUIDField": serializers.UUIDField,
    "BinaryField": BinaryField,
    "ReferenceField": ReferenceField,
    "LazyReferenceField": ReferenceField,
    "CachedReferenceField": ReferenceField,
    "GenericReferenceField": GenericReferenceField,
    "ListField": serializers.ListField,
    "SortedListField": serializers.ListField,
    "EmbeddedDocumentListField": serializers.ListField,
    "DictField": serializers.DictField,
    "MapField": serializers.DictField,
    "FileField": FileField,
    "ImageField": ImageField,
    "GeoPointField": GeoPointField,
    "GeoJsonBaseField": GeoJSONField,
    "DynamicField": DynamicField,
    "EnumField": EnumField,
    "BaseField": DynamicField,
}

LIMITS = {
    serializers.CharField: (("max_length", "max_length"), ("min_length", "min_length")),
    serializers.EmailField: (("max_length", "max_length"), ("min_length", "min_length")),
    serializers.URLField: (("max_length", "max_length"), ("min_length", "min_length")),
    serializers.IntegerField: (("max_value", "max_value"), ("min_value", "min_value")),
    serializers.FloatField: (("max_value", "max_value"), ("min_value", "min_value")),
    serializers.DecimalField: (("max_value", "max_value"), ("min_value", "min_value")),
    serializers.ListField: (("max_length", "max_length"),),
    BinaryField: (("max_bytes", "max_bytes"),),
}


def kind_of(field: Any) -> str:
    """The name of the nearest known class of a document's field."""
    for base in type(field).__mro__:
        if base.__name__ in SERIALIZER_FIELDS or base.__name__ == "EmbeddedDocumentField":
            return base.__name__
    return "BaseField"


def has_default(field: Any) -> bool:
    return getattr(field, "default", None) is not None


def is_generated(field: Any) -> bool:
    """Whether the store or the clock gives the value: such fields are read-only."""
    if getattr(field, "auto_now", False) or getattr(field, "auto_now_add", False):
        return True
    kind = kind_of(field)
    return bool(getattr(field, "primary_key", False)) and kind in ("ObjectIdField", "SequenceField")


def common_kwargs(field: Any) -> dict[str, Any]:
    """What every serializer field is told: required, read-only, null, help text, label."""
    kwargs: dict[str, Any] = {}
    if getattr(field, "verbose_name", None):
        kwargs["label"] = field.verbose_name
    if getattr(field, "help_text", None):
        kwargs["help_text"] = field.help_text
    if is_generated(field):
        kwargs["read_only"] = True
        return kwargs
    wanted = bool(field.required) or bool(getattr(field, "primary_key", False))
    if not wanted or has_default(field):
        kwargs["required"] = False
    if not wanted:
        kwargs["allow_null"] = True
    return kwargs


def choices_of(field: Any) -> list[Any] | None:
    choices = getattr(field, "choices", None)
    if not choices:
        return None
    if all(isinstance(one, enum.Enum) for one in choices):
        return [(one.value, one.name.replace("_", " ").capitalize()) for one in choices]
    return list(choices)


def serializer_field(
    serializer: Any, model: Any, name: str, field: Any, depth: int
) -> tuple[Any, dict[str, Any]]:
    """The class and arguments of the serializer field for `field` of `model`."""
    kind = kind_of(field)
    kwargs = common_kwargs(field)
    if kind == "EmbeddedDocumentField":
        return serializer.build_embedded_field(name, field, kwargs)
    if kind in ("ReferenceField", "LazyReferenceField", "CachedReferenceField"):
        return serializer.build_reference_field(name, field, kwargs, depth)
    if kind in ("ListField", "SortedListField", "EmbeddedDocumentListField"):
        return serializer.build_list_field(name, field, kwargs, depth)
    if kind in ("DictField", "MapField"):
        return build_dict(serializer, model, name, field, kwargs, depth)
    if kind == "GenericReferenceField":
        return GenericReferenceField, {**kwargs, "classes": field.choices}
    kwargs.update(scalar_kwargs(field, kind))
    if SERIALIZER_FIELDS[kind] is serializers.FloatField and not kwargs.get("read_only"):
        kwargs["validators"] = [check_finite]
    if hasattr(model, "objects") and not kwargs.get("read_only"):  # an embedded one has none
        unique = field.unique or getattr(field, "primary_key", False)
        if unique and not getattr(field, "unique_with", None):
            kwargs.setdefault("validators", []).append(UniqueValidator(model.objects, name))
    choices = choices_of(field)
    if choices is not None:
        keep = {"read_only", "required", "allow_null", "label", "help_text", "validators"}
        return SERIALIZER_FIELDS[kind] if kind == "EnumField" else serializers.ChoiceField, {
            "choices": choices,
            **{key: value for key, value in kwargs.items() if key in keep},
        }
    if kind == "StringField" and getattr(field, "regex", None) is not None:
        return serializers.RegexField, {**kwargs, "regex": field.regex}
    return SERIALIZER_FIELDS[kind], kwargs


def scalar_kwargs(field: Any, kind: str) -> dict[str, Any]:
    """Limits of a field as arguments of its serializer field."""
    cls = SERIALIZER_FIELDS[kind]
    kwargs: dict[str, Any] = {}
    if cls is GeoJSONField:
        kwargs["geo_type"] = field._type
    for ours, theirs in LIMITS.get(cls, ()):
        limit = getattr(field, ours, None)
        if limit is not None:
            kwargs[theirs] = limit
    if issubclass(cls, serializers.CharField) and not field.required:
        kwargs["allow_blank"] = True
    if cls is serializers.DecimalField:
        kwargs["max_digits"] = getattr(field, "max_digits", None)
        places = getattr(field, "decimal_places", None)
        kwargs["decimal_places"] = (
            places if places is not None else getattr(field, "precision", None)
        )
    return kwargs


def build_dict(
    serializer: Any, model: Any, name: str, field: Any, kwargs: dict[str, Any], depth: int
) -> tuple[Any, dict[str, Any]]:
    inner = getattr(field, "field", None)
    if inner is None:
        kwargs["child"] = DynamicField(allow_null=True)
    else:
        kwargs["child"] = build_child(serializer, name, inner, depth)
    return serializers.DictField, kwargs


def build_child(serializer: Any, name: str, inner: Any, depth: int) -> Any:
    """The serializer field of a list's or map's items."""
    cls, kwargs = serializer_field(serializer, None, name, inner, depth)
    for word in ("required", "read_only", "default"):
        kwargs.pop(word, None)
    if not isinstance(inner, odm.StringField):
        kwargs.setdefault("allow_null", not inner.required)
    else:
        kwargs.pop("allow_null", None)
    return cls(**kwargs)
