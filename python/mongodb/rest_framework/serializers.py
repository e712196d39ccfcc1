# SPDX-License-Identifier: Apache-2.0
"""Serializers made from documents, as DRF's ModelSerializer is made from models; and that of
models with MongoDB's own fields."""

import copy
import functools
import json
from typing import Any

from django.core.exceptions import ValidationError as DjangoValidationError
from django.utils.translation import gettext_lazy as _
from rest_framework import serializers
from rest_framework.exceptions import ValidationError as RefusedError
from rest_framework.utils import html

from mongodb import errors
from mongodb.document import Document
from mongodb.embedded import EmbeddedDocument

from .fields import DynamicField, ObjectIdField, ReferenceField, is_blank, refused_part
from .keeper import know
from .lists import DocumentListSerializer
from .mapping import build_child, serializer_field
from .nested import Inside, check_nested, part_meta
from .prototypes import copy_field, is_copyable, kept
from .validators import UniqueTogetherValidator

__all__ = ["DocumentSerializer", "DynamicField", "ObjectIdField", "ReferenceField"]


def __getattr__(name: str) -> Any:
    if name == "ModelSerializer":  # documents need nothing of the ORM's backend
        from .models import ModelSerializer

        return ModelSerializer
    if name in ("DynamicDocumentSerializer", "EmbeddedDocumentSerializer"):
        from . import dynamic

        return getattr(dynamic, name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


ALL_FIELDS = serializers.ALL_FIELDS
DEEPEST = 10
# What a store answers to names it does not keep, and to documents beyond 16 MiB.
REFUSED_CODES = {2, 52, 56, 57, 10334, 17419, 17420}


class DocumentSerializer(serializers.ModelSerializer[Any]):
    """A serializer of a Document or EmbeddedDocument.

    `Meta` takes `model`, `fields` or `exclude`, `read_only_fields`, `extra_kwargs` and `depth`,
    with DRF's meaning. Embedded documents become nested serializers, references their primary keys
    (nested and read-only within `depth`). Nested validated data are dicts.
    """

    @classmethod
    def many_init(cls, *args: Any, **kwargs: Any) -> Any:
        meta = getattr(cls, "Meta", None)
        if getattr(meta, "list_serializer_class", None) is not None:
            return super().many_init(*args, **kwargs)
        for_list = {
            key: kwargs.pop(key, None) for key in ("allow_empty", "max_length", "min_length")
        }
        for_list = {key: value for key, value in for_list.items() if value is not None}
        child = cls(*args, **kwargs)
        for_list.update(
            {
                key: value
                for key, value in kwargs.items()
                if key in serializers.LIST_SERIALIZER_KWARGS
            }
        )
        return DocumentListSerializer(*args, child=child, **for_list)

    # Fields

    def get_fields(self) -> dict[str, Any]:
        model = self.get_model()
        declared = copy.deepcopy(self._declared_fields)
        meta, inside = part_meta(self, model)
        if inside:  # else nothing is set, so that what is kept for the class serves
            self.Meta, self.inside = meta, inside
        names = self.get_field_names(declared, model)
        depth = getattr(self.Meta, "depth", 0)
        if not 0 <= depth <= DEEPEST:
            raise AssertionError(f"'depth' of {type(self).__name__} must be from 0 to {DEEPEST}.")
        extra = self.get_extra_kwargs()
        copies = kept(type(self), "_prototypes") if self.builds_plainly() else None
        fields = {}
        for name in names:
            if name in declared:
                fields[name] = declared[name]
            elif copies is not None and not extra.get(name) and name not in self.inside:
                fields[name] = self.copied_field(copies, model, name, depth)
            else:
                fields[name] = self.new_field(model, name, depth, extra.get(name, {}))[0]
        check_nested(self, self.inside, fields)
        return fields

    # What Meta says of the fields inside a field; Meta has only the rest of it then.
    inside: dict[str, Inside] = {}  # noqa: RUF012

    def inner_class(self, name: str, cls: Any) -> Any:
        """A nested serializer's class as Meta wants it for this field."""
        inside = self.inside.get(name)
        return cls if inside is None else inside.customized(cls, kept(type(self), "_customized"))

    def new_field(
        self, model: Any, name: str, depth: int, extra: dict[str, Any]
    ) -> tuple[Any, dict[str, Any]]:
        """The field of that name and the arguments it was made of."""
        source = extra.get("source", "*")
        source = name if source == "*" else source
        cls, built = self.build_field(source, model, model, depth)
        kwargs = self.include_extra_kwargs(built, extra)
        return cls(**kwargs), kwargs

    def copied_field(self, copies: dict[Any, Any], model: Any, name: str, depth: int) -> Any:
        field = model._fields.get(name)
        found = copies.get(name)
        if found is not None and found[0] is field and found[1] == field.__dict__:
            return copy_field(found[2])
        made, kwargs = self.new_field(model, name, depth, {})
        if field is not None and is_copyable(made, kwargs):
            copies[name] = (field, dict(field.__dict__), copy_field(made))
        return made

    made_by: type  # the class of ours whose subclass it is

    def builds_plainly(self) -> bool:
        """Whether nobody changed how fields are made of the document's."""
        cls, ours = type(self), self.made_by
        return BUILDERS.isdisjoint(self.__dict__) and all(
            getattr(cls, name) is getattr(ours, name) for name in BUILDERS
        )

    def get_model(self) -> Any:
        meta = getattr(self, "Meta", None)
        name = type(self).__name__
        if meta is None or not hasattr(meta, "model"):
            raise AssertionError(f"Class {name} is missing the “Meta.model” attribute.")
        model = meta.model
        if not (isinstance(model, type) and issubclass(model, Document | EmbeddedDocument)):
            raise AssertionError(
                f"“Meta.model” of {name} must be a Document or EmbeddedDocument, found {model!r}."
            )
        return model

    def get_default_field_names(self, declared_fields: Any, model_info: Any) -> list[str]:
        return list(dict.fromkeys([*model_info._fields_ordered, *declared_fields]))

    def build_field(
        self, field_name: str, info: Any, model_class: Any, nested_depth: int
    ) -> tuple[Any, dict[str, Any]]:
        name = field_name
        if name == "pk":
            name = model_class._meta.get("id_field") or name
        field = model_class._fields.get(name)
        if field is not None:
            return serializer_field(self, model_class, name, field, nested_depth)
        if hasattr(model_class, field_name):
            return serializers.ReadOnlyField, {}
        return self.build_unknown_field(field_name, model_class)

    def build_embedded_field(
        self, name: str, field: Any, kwargs: dict[str, Any]
    ) -> tuple[Any, dict[str, Any]]:
        if field.document_type in self.models_above():
            return RecursiveField, {**kwargs, "document_type": field.document_type}
        return self.inner_class(name, self.nested_class(field.document_type)), kwargs

    def build_reference_field(
        self, name: str, field: Any, kwargs: dict[str, Any], depth: int
    ) -> tuple[Any, dict[str, Any]]:
        if depth:
            kwargs = {key: kwargs[key] for key in ("label", "help_text") if key in kwargs}
            cls = self.inner_class(name, self.nested_class(field.document_type, depth - 1))
            return cls, {**kwargs, "read_only": True}
        if not kwargs.get("read_only"):
            kwargs["document_type"] = field.document_type
        return ReferenceField, kwargs

    def build_list_field(
        self, name: str, field: Any, kwargs: dict[str, Any], depth: int
    ) -> tuple[Any, dict[str, Any]]:
        inner = getattr(field, "field", None)
        if inner is not None and getattr(inner, "document_type", None) is not None:
            cls, inner_kwargs = serializer_field(self, None, name, inner, depth)
            if cls is RecursiveField:
                return cls, {**kwargs, "document_type": inner.document_type, "many": True}
            if issubclass(cls, serializers.BaseSerializer):
                if inner_kwargs.get("read_only"):
                    kwargs = {"read_only": True}
                return cls, {**kwargs, "many": True}
        kwargs["child"] = (
            DynamicField(allow_null=True)
            if inner is None
            else build_child(self, name, inner, depth)
        )
        if getattr(field, "max_length", None) is not None:
            kwargs["max_length"] = field.max_length
        if field.required:
            kwargs["allow_empty"] = False
        return serializers.ListField, kwargs

    def nested_class(self, document_type: Any, nested_depth: int = 0) -> Any:
        made = kept(type(self), "_nested_classes")
        found = made.get((document_type, nested_depth))
        if found is None:
            found = made[document_type, nested_depth] = make_nested(document_type, nested_depth)
        return found

    def models_above(self) -> list[Any]:
        """The classes whose documents this one's are shown in, and its own."""
        found = []
        one: Any = self
        while one is not None:
            if isinstance(one, DocumentSerializer):
                found.append(one.get_model())
            one = one.parent
        return found

    def get_value(self, dictionary: Any) -> Any:
        value = super().get_value(dictionary)
        if html.is_html_input(dictionary) and not self.required and is_blank(value):
            return serializers.empty  # a part of a form that was left empty was not sent
        return value

    # Validators

    def get_validators(self) -> list[Any]:
        validators = getattr(getattr(self, "Meta", None), "validators", None)
        if validators is not None:
            return list(validators)
        return self.get_unique_together_validators()

    def get_unique_together_validators(self) -> list[Any]:
        model = self.get_model()
        if not issubclass(model, Document):
            return []
        writable = {field.source for field in self._writable_fields}
        found = []
        for name, field in model._fields.items():
            partners = getattr(field, "unique_with", None) or ()
            partners = [partners] if isinstance(partners, str) else list(partners)
            names = tuple(dict.fromkeys([*partners, name]))
            if partners and writable.issuperset(names):
                found.append(UniqueTogetherValidator(model.objects, names))
        return found

    def get_unique_for_date_validators(self) -> list[Any]:
        return []

    def get_uniqueness_extra_kwargs(
        self, field_names: Any, declared_fields: Any, extra_kwargs: Any
    ) -> tuple[Any, Any]:
        return extra_kwargs, {}

    # Saving

    def create(self, validated_data: dict[str, Any]) -> Any:
        model = self.get_model()
        return self.save_document(model(**self.to_values(model, validated_data)), validated_data)

    def update(self, instance: Any, validated_data: dict[str, Any]) -> Any:
        model = type(instance)
        self.keep_key(instance, validated_data)
        instance._check_names(validated_data)
        for name, value in validated_data.items():
            field = model._fields.get(name)
            present = getattr(instance, name, None) if field is not None else None
            if self.partial and isinstance(value, dict) and isinstance(present, EmbeddedDocument):
                self.patch_embedded(present, value)
            else:
                setattr(instance, name, to_document_value(field, value))
        return self.save_document(instance, validated_data)

    def keep_key(self, instance: Any, validated_data: dict[str, Any]) -> None:
        """Refuse another primary key: saving under it would leave the old document where it is."""
        if isinstance(instance, EmbeddedDocument):
            return
        name = type(instance)._meta["id_field"]
        if name in validated_data and validated_data[name] != instance.pk:
            message = _("The key of a stored document cannot be changed.")
            raise RefusedError({name: [serializers.ErrorDetail(message, code="immutable")]})

    def patch_embedded(self, present: Any, value: dict[str, Any]) -> None:
        """PATCH of an embedded document: what was not sent stays."""
        present._check_names(value)
        for name, item in value.items():
            field = type(present)._fields.get(name)
            inner = getattr(present, name, None)
            if isinstance(item, dict) and isinstance(inner, EmbeddedDocument):
                self.patch_embedded(inner, item)
            else:
                setattr(present, name, to_document_value(field, item))

    def to_values(self, model: Any, data: dict[str, Any]) -> dict[str, Any]:
        return {
            name: to_document_value(model._fields.get(name), value) for name, value in data.items()
        }

    def save_document(self, document: Any, validated_data: dict[str, Any]) -> Any:
        """Save; what the document or its indexes refuse is answered in DRF's shape."""
        if isinstance(document, EmbeddedDocument):
            return document
        try:
            document.save()
        except errors.NotUniqueError as error:
            raise RefusedError(self.duplicate_detail(document, error)) from error
        except errors.ValidationError as error:
            raise RefusedError(refusal_detail(error)) from error
        except DjangoValidationError as error:  # of a document's clean()
            raise RefusedError(serializers.as_serializer_error(error)) from error
        except (OverflowError, TypeError, ValueError) as error:
            path, reason = refused_part(error)
            if not path:
                raise
            raise RefusedError({path.split(".")[0]: [reason]}) from error
        except errors.OperationError as error:
            if error.code not in REFUSED_CODES:
                raise
            raise RefusedError({"non_field_errors": [str(error)]}) from error
        return document

    def duplicate_detail(self, document: Any, error: Any) -> dict[str, Any]:
        stored = getattr(type(document), "_reverse_db_field_map", {})
        pattern = (error.details or {}).get("keyPattern") or {}
        names = [stored.get(key.split(".")[0], key) for key in pattern] or ["non_field_errors"]
        message = _("This field must be unique.")
        if len(names) > 1:
            message = _("The fields {field_names} must make a unique set.")
            message = message.format(field_names=", ".join(names))
            names = ["non_field_errors"]
        return {names[0]: [serializers.ErrorDetail(message, code="unique")]}

    def run_validation(self, data: Any = serializers.empty) -> Any:
        try:
            return super().run_validation(data)
        except (
            errors.ValidationError
        ) as error:  # a document's own validator, called by a serializer
            raise RefusedError(refusal_detail(error)) from error


BUILDERS = frozenset(
    "build_field build_embedded_field build_reference_field build_list_field build_unknown_field "
    "nested_class inner_class models_above include_extra_kwargs new_field copied_field".split()
)


def make_nested(document_type: Any, nested_depth: int = 0) -> Any:
    """The serializer of a class of documents inside others."""

    class NestedSerializer(DocumentSerializer):
        class Meta:
            model = document_type
            fields = ALL_FIELDS
            depth = nested_depth

    NestedSerializer.__name__ = f"{document_type.__name__}Serializer"
    return NestedSerializer


class RecursiveField(serializers.Field):
    """Embedded documents of a class that the serializer is itself inside of: as deep as they are.

    A nested serializer would have itself as a field, without end.
    """

    _is_jsonfield = True  # in HTML forms its text is JSON

    def __init__(self, document_type: Any, many: bool = False, **kwargs: Any) -> None:
        kwargs.setdefault("style", {"base_template": "textarea.html"})
        super().__init__(**kwargs)
        self.document_type = document_type
        self.many = many

    @functools.cached_property
    def nested(self) -> Any:
        """The serializer of the documents. Its own fields are made when a document is met."""
        made = make_nested(self.document_type)(
            many=self.many,
            read_only=self.read_only,
            required=self.required,
            allow_null=self.allow_null,
        )
        made.bind(field_name=self.field_name, parent=self.parent)
        return made

    def get_value(self, dictionary: Any) -> Any:
        value = super().get_value(dictionary)
        if html.is_html_input(dictionary) and isinstance(value, str):
            try:
                return json.loads(value)
            except ValueError:
                return value
        return value

    def run_validation(self, data: Any = serializers.empty) -> Any:
        return self.nested.run_validation(data)

    def to_representation(self, value: Any) -> Any:
        return self.nested.to_representation(value)


def refusal_detail(error: Any) -> Any:
    """A document's ValidationError as DRF's details: by field, lists of messages, nested."""
    detail = error.to_dict() or {"non_field_errors": [str(error)]}
    detail = {
        ("non_field_errors" if key in ("__all__", "") else key): value
        for key, value in detail.items()
    }
    return _listed(detail)


def _listed(detail: Any) -> Any:
    if isinstance(detail, dict):
        return {str(key): _listed(value) for key, value in detail.items()}
    if isinstance(detail, list):
        return [str(item) for item in detail]
    return [str(detail)]


def to_document_value(field: Any, value: Any) -> Any:
    """Validated data as the document's field takes them: dicts become embedded documents."""
    if field is None or value is None:
        return value
    target = getattr(field, "document_type", None)
    if isinstance(value, dict) and target is not None and issubclass(target, EmbeddedDocument):
        return target(
            **{
                name: to_document_value(target._fields.get(name), item)
                for name, item in value.items()
            }
        )
    inner = getattr(field, "field", None)
    if inner is not None and isinstance(value, list | tuple):
        return [to_document_value(inner, item) for item in value]
    if inner is not None and isinstance(value, dict):
        return {key: to_document_value(inner, item) for key, item in value.items()}
    return value


DocumentSerializer.made_by = DocumentSerializer
know(DocumentSerializer, DocumentListSerializer)
