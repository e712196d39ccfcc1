# SPDX-License-Identifier: Apache-2.0
"""Serializer fields, by the names and arguments that MongoEngine's projects give."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from django.utils.translation import gettext_lazy as _
from rest_framework import serializers
from rest_framework.fields import DictField

from mongodb import _registry
from mongodb.errors import NotRegistered, ValidationError
from mongodb.fields.base_field import BaseField
from mongodb.rest_framework import fields as _ours
from mongodb.rest_framework import geo as _geo
from mongodb.rest_framework.fields import DynamicField, GenericReferenceField, ObjectIdField
from mongodb.rest_framework.files import FileField, ImageField

__all__ = [
    "AttributedDocumentField",
    "ComboReferenceField",
    "DictField",
    "DocumentField",
    "DynamicField",
    "FileField",
    "GenericEmbeddedDocumentField",
    "GenericEmbeddedField",
    "GenericField",
    "GenericReferenceField",
    "GeoJSONField",
    "GeoPointField",
    "MongoValidatingField",
    "ImageField",
    "ObjectIdField",
    "ReferenceField",
]


class GenericField(DynamicField):
    """Any value. A dict with a `_cls` is an embedded document of that class, and is shown as such
    a dict; in lists and dicts too."""

    default_error_messages = {  # noqa: RUF012
        "undefined_model": _("Document `{doc_cls}` has not been defined."),
    }

    def to_internal_value(self, data: Any) -> Any:
        return self._made(super().to_internal_value(data))

    def _made(self, data: Any) -> Any:
        if isinstance(data, list):
            return [self._made(one) for one in data]
        if not isinstance(data, Mapping):
            return data
        values = {name: self._made(one) for name, one in data.items()}
        if "_cls" not in values:
            return values
        cls = _embedded_class(values.pop("_cls"))
        if cls is None:
            self.fail("undefined_model", doc_cls=data["_cls"])
        return cls(**values)

    def to_representation(self, value: Any) -> Any:
        if _registry.is_document(value) and value._schema_embedded:
            shown = {name: self.to_representation(getattr(value, name)) for name in value._fields}
            return {"_cls": value._class_name, **shown}
        if isinstance(value, Mapping):
            return {str(name): self.to_representation(one) for name, one in value.items()}
        if isinstance(value, list):
            return [self.to_representation(one) for one in value]
        return super().to_representation(value)


def _embedded_class(name: Any) -> Any:
    """Return the class of embedded documents of that name, or None."""
    try:
        cls = _registry.get_document(name)
    except (NotRegistered, TypeError, AttributeError):
        return None
    return cls if _registry.is_embedded_class(cls) else None


class GeoPointField(_geo.GeoPointField):
    """A pair [x, y], of numbers or of their texts."""

    default_error_messages = {  # noqa: RUF012
        "not_a_list": _("Points must be a list of coordinates, not a `{input_type}`."),
    }

    def to_internal_value(self, data: Any) -> Any:
        return super().to_internal_value(_numbers(data) if isinstance(data, list) else data)


def _numbers(values: list[Any]) -> list[Any]:
    try:
        return [float(one) if isinstance(one, str) else one for one in values]
    except ValueError:
        return values


class GeoJSONField(_geo.GeoJSONField):
    """A geometry: GeoJSON out; GeoJSON, or only its coordinates, in."""

    default_error_messages = {  # noqa: RUF012
        "invalid_type": _(
            "A value must be a geojson geometry or a geojson coordinates, not `{input_type}`."
        ),
        "invalid_geotype": _("The geometry is expected to be '{expected}', not '{geo_type}'."),
    }

    def to_internal_value(self, data: Any) -> Any:
        if isinstance(data, Mapping) and data.get("type") == self.geo_type:
            _geo.check(_geo.GEOMETRIES[self.geo_type](), data)  # as documents say it
        return super().to_internal_value(data)


class DocumentField(serializers.Field):
    """A document's field that no serializer field is made for; it converts and validates."""

    def __init__(self, model_field: Any, **kwargs: Any) -> None:
        self.model_field = model_field
        super().__init__(**kwargs)

    def get_attribute(self, instance: Any) -> Any:
        return instance

    def to_internal_value(self, data: Any) -> Any:
        return self.model_field.to_python(data)

    def to_representation(self, value: Any) -> Any:
        stored = self.model_field.__get__(value, type(value))
        return None if stored is None else _ours.plain(self.model_field.to_mongo(stored))

    def run_validators(self, value: Any) -> None:
        try:
            self.model_field.validate(value)
        except ValidationError as error:
            raise serializers.ValidationError(error.message) from error
        super().run_validators(value)


class AttributedDocumentField(DocumentField):
    """The same, given the field's value."""

    def get_attribute(self, instance: Any) -> Any:
        return serializers.Field.get_attribute(self, instance)

    def to_representation(self, value: Any) -> Any:
        return _ours.plain(self.model_field.to_mongo(value))


class MongoValidatingField:
    """Validates by a document's field, of the class `mongo_field`."""

    mongo_field: Any = BaseField

    def run_validators(self, value: Any) -> None:
        """Validate as documents do."""
        try:
            self.mongo_field().validate(value)
        except ValidationError as error:
            raise serializers.ValidationError(error.message) from error
        super().run_validators(value)  # type: ignore[misc]


class GenericEmbeddedField(serializers.Field):
    """An embedded document of any class, as a dict with its class in `_cls`."""

    default_error_messages = {  # noqa: RUF012
        "not_a_dict": _('Expected a dictionary of items but got type "{input_type}".'),
        "not_a_doc": _("Expected a document but got type '{input_type}'"),
        "undefined_model": _("Document `{doc_cls}` has not been defined."),
        "missing_class": _("Missing class name in `_cls`."),
    }

    def to_internal_value(self, data: Any) -> Any:
        if not isinstance(data, Mapping):
            self.fail("not_a_dict", input_type=type(data).__name__)
        values = dict(data)
        if "_cls" not in values:
            self.fail("missing_class")
        name = values.pop("_cls")
        try:
            cls = _registry.get_document(name)
        except NotRegistered:
            self.fail("undefined_model", doc_cls=name)
        if not _registry.is_embedded_class(cls):
            self.fail("undefined_model", doc_cls=name)
        return cls(**values)

    def to_representation(self, value: Any) -> Any:
        if not _registry.is_document(value):
            self.fail("not_a_doc", input_type=type(value).__name__)
        shown = {name: getattr(value, name) for name in value._fields}
        given = {name: _ours.plain(one) for name, one in shown.items() if one is not None}
        return {"_cls": value._class_name, **given}


class GenericEmbeddedDocumentField(GenericEmbeddedField):
    """The same for a document's GenericEmbeddedDocumentField."""

    def __init__(self, model_field: Any = None, **kwargs: Any) -> None:
        self.model_field = model_field
        super().__init__(**kwargs)


class ReferenceField(_ours.ReferenceField):
    """A reference as its document's key; `model` or `queryset` says among which."""

    def __init__(self, model: Any = None, queryset: Any = None, **kwargs: Any) -> None:
        if model is not None:
            kwargs["document_type"] = model
        if queryset is not None:
            kwargs["queryset"] = queryset
        super().__init__(**kwargs)

    def to_internal_value(self, data: Any) -> Any:
        if isinstance(data, Mapping) and "_id" in data:
            data = data["_id"]
        return super().to_internal_value(data)


class ComboReferenceField(ReferenceField):
    """A reference as its key, or as its whole document: what is sent decides."""

    def __init__(self, serializer: Any, **kwargs: Any) -> None:
        self.serializer = serializer
        kwargs.setdefault("model", None if kwargs.get("queryset") else serializer.Meta.model)
        super().__init__(**kwargs)

    def to_internal_value(self, data: Any) -> Any:
        if not isinstance(data, Mapping) or "_id" in data or "_cls" in data:
            return super().to_internal_value(data)
        made = self.serializer(data=data)
        made.is_valid(raise_exception=True)
        return made.Meta.model(**made.validated_data)

    def to_representation(self, value: Any) -> Any:
        if not self.get_depth(self):
            return super().to_representation(value)
        return self.serializer(value, context=self.context).data

    def use_pk_only_optimization(self) -> bool:
        return not self.get_depth(self)

    @classmethod
    def get_depth(cls, field: Any) -> int:
        """Return the `depth` of the serializer that the field is in."""
        while field is not None:
            if hasattr(field, "Meta"):
                return int(getattr(field.Meta, "depth", 0))
            field = field.parent
        return 0
