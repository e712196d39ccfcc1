# SPDX-License-Identifier: Apache-2.0
"""Serializers of documents, made the way that MongoEngine's projects configure it: which field a
document's field becomes, with which arguments, and the methods to override."""

from __future__ import annotations

import functools
from typing import Any, NamedTuple

from rest_framework import fields as drf
from rest_framework import serializers
from rest_framework.serializers import raise_errors_on_nested_writes
from rest_framework.utils.field_mapping import ClassLookupDict

from mongodb import fields as odm
from mongodb.compat.rest_framework_mongoengine import fields as ours
from mongodb.compat.rest_framework_mongoengine.repr import serializer_repr
from mongodb.compat.rest_framework_mongoengine.utils import (
    FieldInfo,
    RelationInfo,
    get_field_info,
    get_field_kwargs,
    get_generic_embedded_kwargs,
    get_nested_embedded_kwargs,
    get_nested_relation_kwargs,
    get_relation_kwargs,
    is_abstract_model,
)
from mongodb.compat.rest_framework_mongoengine.validators import (
    UniqueTogetherValidator,
    UniqueValidator,
)
from mongodb.fields.base_field import BaseField
from mongodb.rest_framework import dynamic as _dynamic
from mongodb.rest_framework import serializers as _plain
from mongodb.rest_framework.fields import BinaryField, DateTimeField
from mongodb.rest_framework.keeper import know
from mongodb.rest_framework.prototypes import kept

__all__ = [
    "Customization",
    "DocumentSerializer",
    "DynamicDocumentSerializer",
    "EmbeddedDocumentSerializer",
    "raise_errors_on_nested_writes",
]

Built = tuple[Any, dict[str, Any]]
_OF_CHOICES = frozenset(
    "read_only required default label help_text validators allow_null allow_blank choices".split()
)


class Customization(NamedTuple):
    """What a serializer's Meta says of the fields inside one of its fields."""

    fields: Any
    exclude: Any
    extra_kwargs: Any
    validate_methods: Any


class DocumentSerializer(_plain.DocumentSerializer):
    """A serializer of a document: `Meta.depth` nests what is referred to, `Meta.depth_embedding`
    (5) how deep embedded documents are shown."""

    serializer_field_mapping = {  # noqa: RUF012
        odm.StringField: drf.CharField,
        odm.URLField: drf.URLField,
        odm.EmailField: drf.EmailField,
        odm.IntField: drf.IntegerField,
        odm.LongField: drf.IntegerField,
        odm.FloatField: drf.FloatField,
        odm.DecimalField: drf.DecimalField,
        odm.BooleanField: drf.BooleanField,
        odm.DateTimeField: DateTimeField,
        odm.DateField: drf.DateField,
        odm.ComplexDateTimeField: DateTimeField,
        odm.ObjectIdField: ours.ObjectIdField,
        odm.FileField: ours.FileField,
        odm.ImageField: ours.ImageField,
        odm.SequenceField: drf.IntegerField,
        odm.UUIDField: drf.UUIDField,
        odm.BinaryField: BinaryField,
        odm.EnumField: _plain.DynamicField,
        odm.GeoPointField: ours.GeoPointField,
        odm.GeoJsonBaseField: ours.GeoJSONField,
        odm.DynamicField: ours.DynamicField,
        BaseField: ours.DocumentField,
    }
    # The classes of what is made; None is this package's own.
    serializer_reference_base_field = ours.ReferenceField
    serializer_reference_generic = ours.GenericReferenceField
    serializer_reference_nested: Any = None
    serializer_embedded_generic: Any = ours.GenericEmbeddedDocumentField
    serializer_embedded_nested: Any = None
    serializer_embedded_bottom: Any = drf.HiddenField

    def get_model(self) -> Any:
        model = super().get_model()
        if is_abstract_model(model):
            raise ValueError(f"{model.__name__} is abstract: it has no documents to serialize")
        return model

    # Which fields

    def get_default_field_names(self, declared_fields: Any, model_info: Any) -> list[str]:
        info = get_field_info(self.get_model())
        names = [*(() if info.pk is None else (info.pk.name,)), *declared_fields]
        for kind in (info.fields, info.references, info.embedded):
            names += [name for name in kind if "." not in name]
        return list(dict.fromkeys(names))

    def get_field_names(self, declared_fields: Any, info: Any) -> list[str]:
        """Return the names that Meta chooses; without a word there all, what was declared too."""
        fields, exclude = getattr(self.Meta, "fields", None), getattr(self.Meta, "exclude", None)
        if fields is None and (exclude is None or isinstance(exclude, list | tuple)):
            names = self.get_default_field_names(declared_fields, info)
            unknown = [name for name in exclude or () if name not in names]
            if unknown:
                raise AssertionError(
                    f"Meta.exclude of {type(self).__name__} names {', '.join(unknown)}, which "
                    "is no field"
                )
            return [name for name in names if name not in (exclude or ())]
        return list(super().get_field_names(declared_fields, info))

    # How each is made

    def new_field(self, model: Any, name: str, depth: int, extra: dict[str, Any]) -> Built:
        source = extra.get("source", "*")
        source = name if source == "*" else source
        embedding = getattr(self.Meta, "depth_embedding", 5)
        cls, built = self.build_field(source, get_field_info(model), model, depth, embedding)
        kwargs = self.include_extra_kwargs(built, {**self._of_uniqueness.get(name, {}), **extra})
        return cls(**kwargs), kwargs

    def build_field(  # type: ignore[override]
        self,
        field_name: str,
        info: FieldInfo,
        model_class: Any,
        nested_depth: int,
        embedded_depth: int,
    ) -> Built:
        """Return the class and the arguments of the serializer field of that name."""
        if field_name in info.references:
            found = info.references[field_name]
            if nested_depth and found.related_model is not None:
                return self.build_nested_reference_field(field_name, found, nested_depth)
            return self.build_reference_field(field_name, found, nested_depth)
        if field_name in info.embedded:
            found = info.embedded[field_name]
            if found.related_model is None:
                return self.build_generic_embedded_field(field_name, found, embedded_depth)
            if embedded_depth:
                return self.build_nested_embedded_field(field_name, found, embedded_depth)
            return self.build_bottom_embedded_field(field_name, found, embedded_depth)
        field = info.fields_and_pk.get(field_name)
        if isinstance(field, odm.ListField | odm.DictField):
            child = None
            if getattr(field, "field", None) is not None:
                cls, kwargs = self.build_field(
                    f"{field_name}.child", info, model_class, nested_depth, embedded_depth
                )
                child = cls(**kwargs)
            return self.build_compound_field(field_name, field, child)
        if field is not None:
            return self.build_standard_field(field_name, field)
        if hasattr(model_class, field_name):
            return self.build_property_field(field_name, model_class)
        return self.build_unknown_field(field_name, model_class)

    def build_standard_field(self, field_name: str, model_field: Any) -> Built:
        """Return what shows one value."""
        cls = ClassLookupDict(self.serializer_field_mapping)[model_field]
        kwargs = get_field_kwargs(field_name, model_field)
        if "choices" in kwargs:
            cls = self.serializer_choice_field
            kwargs = {name: one for name, one in kwargs.items() if name in _OF_CHOICES}
        elif "regex" in kwargs:
            cls = drf.RegexField
        if not issubclass(cls, ours.DocumentField):
            kwargs.pop("model_field", None)
        return cls, kwargs

    def build_compound_field(self, field_name: str, model_field: Any, child_field: Any) -> Built:
        """Return what shows a list or a dict; the child is the field of its items, or None."""
        kwargs = get_field_kwargs(field_name, model_field)
        del kwargs["model_field"]
        if child_field is not None:
            kwargs["child"] = child_field
        if isinstance(model_field, odm.ListField):
            return drf.ListField, kwargs
        return ours.DictField, kwargs

    def build_reference_field(  # type: ignore[override]
        self, field_name: str, relation_info: RelationInfo, nested_depth: int
    ) -> Built:
        """Return what shows a reference as a key."""
        kwargs = get_relation_kwargs(field_name, relation_info)
        if relation_info.related_model is not None:
            return self.serializer_reference_base_field, kwargs
        cls = self.serializer_reference_generic
        if not issubclass(cls, ours.DocumentField):
            kwargs.pop("model_field", None)
        return cls, kwargs

    def build_nested_reference_field(
        self, field_name: str, relation_info: RelationInfo, nested_depth: int
    ) -> Built:
        """Return what shows the document that is referred to."""
        base = self.serializer_reference_nested or DocumentSerializer
        options = {"model": relation_info.related_model, "depth": nested_depth - 1}
        cls = self._nested(field_name, "NestedSerializer", base, options)
        return cls, get_nested_relation_kwargs(field_name, relation_info)

    def build_generic_embedded_field(
        self, field_name: str, relation_info: RelationInfo, embedded_depth: int
    ) -> Built:
        """Return what shows an embedded document of any class."""
        cls = self.serializer_embedded_generic
        return cls, get_generic_embedded_kwargs(field_name, relation_info)

    def build_nested_embedded_field(
        self, field_name: str, relation_info: RelationInfo, embedded_depth: int
    ) -> Built:
        """Return what shows an embedded document."""
        base = self.serializer_embedded_nested or EmbeddedDocumentSerializer
        options = {"model": relation_info.related_model, "depth_embedding": embedded_depth - 1}
        cls = self._nested(field_name, "EmbeddedSerializer", base, options)
        return cls, get_nested_embedded_kwargs(field_name, relation_info)

    def build_bottom_embedded_field(
        self, field_name: str, relation_info: RelationInfo, embedded_depth: int
    ) -> Built:
        """Return what stands for an embedded document that is too deep to be shown."""
        kwargs = get_nested_embedded_kwargs(field_name, relation_info)
        return self.serializer_embedded_bottom, {**kwargs, "required": False, "default": None}

    def _nested(self, path: str, name: str, base: Any, options: dict[str, Any]) -> Any:
        head = path.partition(".")[0]
        options["ref_name"] = f"{self.get_model().__name__}.{path}"
        key = (name, base, *options.values())
        made = kept(type(self), "_nested_made")
        if key not in made:
            meta = type("Meta", (), {**options, "fields": serializers.ALL_FIELDS})
            made[key] = type(name, (base,), {"Meta": meta})
        return self.inner_class(head, made[key])

    # Uniqueness

    def _unique_sets(self) -> list[tuple[str, ...]]:
        """Return the fields of the unique indexes that the serializer has all fields of."""
        model = self.get_model()
        if model._schema_embedded:
            return []
        declared = self._declared_fields
        names = set(self.get_field_names(declared, model))
        found = []
        for index in model._meta["index_specs"]:
            stored = tuple(path for path, _ in index["fields"] if path != "_cls")
            parts = tuple(model._reverse_db_field_map.get(path, path) for path in stored)
            if index.get("unique") and names.issuperset(parts):
                found.append(parts)
        return found

    @functools.cached_property
    def _of_uniqueness(self) -> dict[str, dict[str, Any]]:
        """Return the arguments of fields that unique indexes bring along."""
        model, found = self.get_model(), {}
        for names in self._unique_sets():
            for name in names:
                if len(names) == 1:
                    unique = [UniqueValidator(queryset=model.objects)]
                    found[name] = {"required": True, "validators": unique}
                elif name not in found:
                    default = model._fields[name].default
                    asked = {"required": True} if default is None else {"default": default}
                    found[name] = asked
        return found

    def get_unique_together_validators(self) -> list[Any]:
        objects = getattr(self.get_model(), "objects", None)
        together = [names for names in self._unique_sets() if len(names) > 1]
        return [UniqueTogetherValidator(queryset=objects, fields=names) for names in together]

    # Saving

    def recursive_save(self, validated_data: dict[str, Any], instance: Any = None) -> Any:
        """Return the document of validated data, saved."""
        if instance is None:
            return self.create(validated_data)
        return self.update(instance, validated_data)

    def __repr__(self) -> str:
        return serializer_repr(self, indent=1)


class EmbeddedDocumentSerializer(_dynamic.EmbeddedDocumentSerializer, DocumentSerializer):
    """A serializer of a document inside another one: it saves nothing by itself."""


class DynamicDocumentSerializer(_dynamic.DynamicDocumentSerializer, DocumentSerializer):
    """A serializer of a document that takes any field."""


DocumentSerializer.made_by = DocumentSerializer
know(DocumentSerializer)
