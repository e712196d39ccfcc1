# SPDX-License-Identifier: Apache-2.0
"""What serializers know of a class of documents."""

from __future__ import annotations

from typing import Any, NamedTuple

from mongodb.rest_framework.mapping import common_kwargs, has_default

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
    return common_kwargs(model_field)


def get_relation_kwargs(field_name: str, relation_info: RelationInfo) -> dict[str, Any]:
    """Return the arguments of the serializer field for a reference."""
    kwargs = common_kwargs(relation_info.model_field)
    if relation_info.related_model is not None and not kwargs.get("read_only"):
        kwargs["queryset"] = relation_info.related_model.objects
    return kwargs


def get_nested_relation_kwargs(field_name: str, relation_info: RelationInfo) -> dict[str, Any]:
    """Return the arguments of the serializer for the documents that a field refers to."""
    return {"read_only": True}


def get_generic_embedded_kwargs(field_name: str, relation_info: RelationInfo) -> dict[str, Any]:
    """Return the arguments of the serializer field for an embedded document of any class."""
    return common_kwargs(relation_info.model_field)


def get_nested_embedded_kwargs(field_name: str, relation_info: RelationInfo) -> dict[str, Any]:
    """Return the arguments of the serializer for an embedded document."""
    return common_kwargs(relation_info.model_field)
