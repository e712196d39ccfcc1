# SPDX-License-Identifier: Apache-2.0
"""What serializers know of a class of documents."""

from __future__ import annotations

from typing import Any, NamedTuple

from mongodb import fields as odm
from mongodb.rest_framework.mapping import choices_of, has_default, is_generated

__all__ = [
    "FieldInfo",
    "RelationInfo",
    "get_field_info",
    "get_field_kwargs",
    "get_generic_embedded_kwargs",
    "get_nested_embedded_kwargs",
    "get_nested_relation_kwargs",
    "get_relation_info",
    "get_relation_kwargs",
    "has_default",
    "is_abstract_model",
]


class FieldInfo(NamedTuple):
    """A class's primary key, and its other fields by what they are."""

    pk: Any
    fields: dict[str, Any]
    references: dict[str, Any]
    fields_and_pk: dict[str, Any]
    embedded: dict[str, Any]


class RelationInfo(NamedTuple):
    """A field, and the class of the documents that it refers to or holds."""

    model_field: Any
    related_model: Any


def get_relation_info(model_field: Any) -> RelationInfo:
    """Return a field with the class of its documents; None for any class."""
    return RelationInfo(model_field, getattr(model_field, "document_type", None))


def get_field_info(model: Any) -> FieldInfo:
    """Return a class's fields; those of lists and dicts have their items' beside, as `a.child`."""
    key = model._meta.get("id_field")
    info = FieldInfo(model._fields.get(key), {}, {}, {}, {})
    if key is not None:
        info.fields_and_pk[key] = info.fields_and_pk["pk"] = info.pk
    for name, field in model._fields.items():
        if name == key:
            continue
        path = name
        while field is not None:
            _sort_in(info, path, field)
            path, field = f"{path}.child", field._item
    return info


def _sort_in(info: FieldInfo, name: str, field: Any) -> None:
    if field.kind in ("reference", "pointer"):
        info.references[name] = get_relation_info(field)
    elif field.kind == "embedded" or field._generic:
        info.embedded[name] = get_relation_info(field)
    else:
        info.fields[name] = info.fields_and_pk[name] = field


def is_abstract_model(model: Any) -> bool:
    """Whether a class has no collection."""
    return bool(model._abstract)


def get_field_kwargs(field_name: str, model_field: Any) -> dict[str, Any]:
    """Return the arguments of the serializer field for a document's field."""
    kwargs = _told(model_field)
    kwargs["model_field"] = model_field
    if is_generated(model_field):
        kwargs["read_only"] = True
        return kwargs
    filled = has_default(model_field) and model_field.default not in (list, dict)
    kwargs["required"] = bool(model_field.required) and not filled
    if model_field.null:
        kwargs["allow_null"] = True
    if isinstance(model_field, odm.StringField) and model_field.null:
        kwargs["allow_blank"] = True
    choices = choices_of(model_field)
    if choices is not None:
        kwargs["choices"] = tuple(choices)
        return kwargs
    kwargs |= _limits(model_field)
    return kwargs


def _told(field: Any) -> dict[str, Any]:
    named = {"label": field.verbose_name, "help_text": getattr(field, "help_text", None)}
    return {name: text for name, text in named.items() if text}


def _limits(field: Any) -> dict[str, Any]:
    found: dict[str, Any] = {}
    if isinstance(field, odm.DecimalField):
        places = field.precision
        found["decimal_places"] = places
        found["max_digits"] = _DIGITS
        if field.max_value is not None and places is not None:
            found["max_digits"] = len(str(int(field.max_value))) + places
    elif isinstance(field, odm.GeoJsonBaseField):
        found["geo_type"] = field._type
    elif isinstance(field, (odm.ListField, odm.DictField)) and field.required:
        found["allow_empty"] = False
    if isinstance(field, odm.StringField) and field.regex is not None:
        found["regex"] = field.regex
    for name in ("max_length", "min_length", "max_value", "min_value"):
        limit = getattr(field, name, None)
        if limit is not None and isinstance(field, _LIMITED):
            found[name] = limit
    return found


_DIGITS = 65536  # of a decimal number without a greatest value
_LIMITED = (odm.StringField, odm.IntField, odm.FloatField, odm.DecimalField, odm.ListField)


def get_relation_kwargs(field_name: str, relation_info: RelationInfo) -> dict[str, Any]:
    """Return the arguments of the serializer field for a reference."""
    field, related = relation_info
    kwargs = get_field_kwargs(field_name, field)
    if related is None:
        return kwargs
    del kwargs["model_field"]
    if not kwargs.get("read_only"):
        kwargs["queryset"] = related.objects
    return kwargs


def get_nested_relation_kwargs(field_name: str, relation_info: RelationInfo) -> dict[str, Any]:
    """Return the arguments of the serializer for the documents that a field refers to."""
    return {"read_only": True}


def get_generic_embedded_kwargs(field_name: str, relation_info: RelationInfo) -> dict[str, Any]:
    """Return the arguments of the serializer field for an embedded document of any class."""
    return get_field_kwargs(field_name, relation_info.model_field)


def get_nested_embedded_kwargs(field_name: str, relation_info: RelationInfo) -> dict[str, Any]:
    """Return the arguments of the serializer for an embedded document."""
    kwargs = get_field_kwargs(field_name, relation_info.model_field)
    return {name: one for name, one in kwargs.items() if name != "model_field"}
