# SPDX-License-Identifier: Apache-2.0
"""Serializers of Django's models, with MongoDB's own fields: arrays, embedded models, ObjectIds.

Validated data of an embedded model is an instance of it, so DRF's own `create` and `update` save
it. `FIELDS` may stand in any serializer's `serializer_field_mapping`: what is in it makes the
serializer field that fits the model's. The backend puts it into DRF's own `ModelSerializer`.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from django.db.models import Model
from django.utils.translation import gettext_lazy as _
from rest_framework import serializers
from rest_framework.utils import html
from rest_framework.validators import UniqueValidator

from mongodb.backend import fields as model_fields
from mongodb.backend.fields.polymorphic import LABEL
from mongodb.backend.fields.values import as_text
from mongodb.backend.models import EmbeddedModel

from .fields import DynamicField, ObjectIdField, is_blank
from .prototypes import kept

__all__ = ["FIELDS", "ModelSerializer", "register"]

empty = serializers.empty


class FromModelField(serializers.ModelField):
    """Stands in a mapping of fields: making one makes the field that fits the model's."""

    def __new__(cls, model_field: Any, maker: Any = None, **kwargs: Any) -> Any:
        maker = maker or ModelSerializer()
        if isinstance(model_field, model_fields.ArrayField):
            return array_field(maker, model_field, kwargs)
        models = model_field.models()
        if not models:
            return DocumentField(**kwargs)
        if len(models) == 1 and model_field.is_of_one_model:
            if models[0] not in models_above(maker):
                kwargs["instance_validators"] = kwargs.pop("validators", ())
                return nested_class(type(maker), models[0])(**kwargs)
        return EmbeddedField(models=models, maker=type(maker),
                             is_labelled=not model_field.is_of_one_model, **kwargs)  # fmt: skip


FIELDS: dict[Any, Any] = {
    model_fields.ArrayField: FromModelField,
    model_fields.EmbeddedModelField: FromModelField,
    model_fields.PolymorphicEmbeddedModelField: FromModelField,
    model_fields.ObjectIdField: ObjectIdField,
    model_fields.ObjectIdAutoField: ObjectIdField,
}


def register() -> None:
    """Let DRF's own ModelSerializer know the fields. Those of other models stay as they are."""
    serializers.ModelSerializer.serializer_field_mapping.update(FIELDS)


class ModelSerializer(serializers.ModelSerializer[Any]):
    """DRF's, of models with MongoDB's own fields, and of embedded models.

    Embedded models become nested serializers that can be written, arrays lists of their items'
    fields. A PATCH of an embedded model keeps what was not sent.
    """

    serializer_field_mapping = {**serializers.ModelSerializer.serializer_field_mapping, **FIELDS}

    def __init__(self, *args: Any, instance_validators: Any = (), **kwargs: Any) -> None:
        self.instance_validators = list(instance_validators)
        super().__init__(*args, **kwargs)

    @classmethod
    def many_init(cls, *args: Any, **kwargs: Any) -> Any:
        made = super().many_init(*args, **kwargs)
        if is_embedded(cls) and type(made) is serializers.ListSerializer:
            made.__class__ = EmbeddedListSerializer
        return made

    # Fields

    def get_default_field_names(self, declared_fields: Any, model_info: Any) -> list[str]:
        names = super().get_default_field_names(declared_fields, model_info)
        # the key that every model is given is not stored within documents
        hidden = model_info.pk.name if is_embedded(self) and model_info.pk.auto_created else None
        return [name for name in names if name != hidden]

    def build_standard_field(self, field_name: str, model_field: Any) -> Any:
        cls, kwargs = super().build_standard_field(field_name, model_field)
        if issubclass(cls, FromModelField):
            kwargs["maker"] = self
        if is_embedded(self) and "validators" in kwargs:  # `unique` has no effect there
            kwargs["validators"] = [
                one for one in kwargs["validators"] if not isinstance(one, UniqueValidator)
            ]
        return cls, kwargs

    def build_relational_field(self, field_name: str, relation_info: Any) -> Any:
        cls, kwargs = super().build_relational_field(field_name, relation_info)
        key = relation_info.related_model._meta.pk
        if issubclass(cls, serializers.PrimaryKeyRelatedField) and FIELDS.get(type(key)):
            kwargs.setdefault("pk_field", ObjectIdField())
        return cls, kwargs

    def build_nested_field(self, field_name: str, relation_info: Any, nested_depth: int) -> Any:
        _cls, kwargs = super().build_nested_field(field_name, relation_info, nested_depth)
        return nested_class(type(self), relation_info.related_model, nested_depth - 1), kwargs

    def get_validators(self) -> list[Any]:
        if is_embedded(self):
            return list(getattr(self.Meta, "validators", None) or ())
        return super().get_validators()

    def get_uniqueness_extra_kwargs(
        self, field_names: Any, declared_fields: Any, extra_kwargs: Any
    ) -> Any:
        if is_embedded(self):
            return extra_kwargs, {}
        return super().get_uniqueness_extra_kwargs(field_names, declared_fields, extra_kwargs)

    # An embedded model's values

    def get_value(self, dictionary: Any) -> Any:
        value = super().get_value(dictionary)
        if is_embedded(self) and html.is_html_input(dictionary) and is_blank(value):
            return None if self.allow_null else value if self.required else empty
        return value

    def run_validation(self, data: Any = empty) -> Any:
        if self.parent is None or not is_embedded(self):
            return super().run_validation(data)
        is_done, value = self.validate_empty_values(data)
        if is_done:
            return value
        before = stored(self)
        if before is None and getattr(self.root, "partial", False):
            # a part of nothing: all that is required must be there
            values = type(self)(context=self.context).run_validation(data)
        else:
            values = super().run_validation(data)
        made = instance_of(self, values, before)
        for check in self.instance_validators:
            check(made)
        return made

    def create(self, validated_data: dict[str, Any]) -> Any:
        if is_embedded(self):
            return instance_of(self, validated_data, None)
        return super().create(validated_data)

    def update(self, instance: Any, validated_data: dict[str, Any]) -> Any:
        if not is_embedded(self):
            return super().update(instance, validated_data)
        for name, value in validated_data.items():
            setattr(instance, name, value)
        return instance


class EmbeddedListSerializer(serializers.ListSerializer[Any]):
    """Embedded models that a field declares with `many=True`."""

    def run_validation(self, data: Any = empty) -> Any:
        found = super().run_validation(data)
        # DRF's own `create` refuses lists here: it takes them for rows of other tables
        return tuple(found) if isinstance(found, list) and self.parent is not None else found


def is_embedded(serializer: Any) -> bool:
    """Whether a serializer's model has no collection of its own."""
    model = getattr(getattr(serializer, "Meta", None), "model", None)
    return isinstance(model, type) and issubclass(model, EmbeddedModel)


def stored(field: Any) -> Any:
    """The embedded instance that a PATCH is about; None within arrays and where there is none."""
    above = field.parent
    if above is None:
        found = field.instance
    elif not isinstance(above, serializers.Serializer):
        return None
    else:
        owner = stored(above)
        found = getattr(owner, field.source, None) if owner is not None else None
    return found if isinstance(found, Model) and getattr(field.root, "partial", False) else None


def instance_of(serializer: Any, values: dict[str, Any], before: Any) -> Any:
    """An instance with these values; the others are those it had before, or the defaults."""
    if before is None:
        return serializer.Meta.model(**values)
    fields = type(before)._meta.concrete_fields
    made = type(before)(**{one.attname: getattr(before, one.attname) for one in fields})
    made._state.adding = before._state.adding
    for name, value in values.items():
        setattr(made, name, value)
    return made


def models_above(serializer: Any) -> list[Any]:
    """The models whose instances this one's are shown in, and its own."""
    found = []
    while serializer is not None:
        if isinstance(serializer, serializers.ModelSerializer) and hasattr(serializer, "Meta"):
            found.append(serializer.Meta.model)
        serializer = serializer.parent
    return found


def nested_class(maker: Any, of: Any, levels: int = 0) -> Any:
    """The class of serializers of a model within that of another's, which maps fields as that."""
    made = kept(maker, "_nested_classes")
    if (of, levels) not in made:

        class NestedSerializer(ModelSerializer):
            serializer_field_mapping = {**maker.serializer_field_mapping, **FIELDS}
            serializer_related_field = maker.serializer_related_field

            class Meta:
                model = of
                fields = serializers.ALL_FIELDS
                depth = levels

        NestedSerializer.__name__ = f"{of.__name__}Serializer"
        made[of, levels] = NestedSerializer
    return made[of, levels]


# Arrays


def array_field(maker: Any, field: Any, kwargs: dict[str, Any]) -> Any:
    """The list field of an array."""
    cls, of_item = maker.build_standard_field("child", field.base_field)
    for name in ("required", "read_only", "label", "help_text"):
        of_item.pop(name, None)
    if issubclass(cls, serializers.ModelField) and not issubclass(cls, FromModelField):
        cls = ItemField
    if not kwargs.get("read_only"):
        if not field.blank:
            kwargs.setdefault("allow_empty", False)
        if isinstance(field.base_field, model_fields.ArrayField):
            kwargs["validators"] = [*kwargs.get("validators", ()), SameLengths(field)]
    kwargs.setdefault("child", cls(**of_item))
    return serializers.ListField(**kwargs)


class SameLengths:
    """Arrays within an array have as many items as each other."""

    def __init__(self, field: Any) -> None:
        self.message = field.error_messages["nested_array_mismatch"]

    def __call__(self, value: Any) -> None:
        if len({len(one or ()) for one in value}) > 1:
            raise serializers.ValidationError(self.message, code="nested_array_mismatch")


class ItemField(serializers.ModelField):
    """An item of an array whose field DRF knows nothing of: its text."""

    def to_representation(self, value: Any) -> Any:
        if value is None or isinstance(value, bool | int | float | str):
            return value
        return as_text(self.model_field, value)


# Documents


class JSONTextField(serializers.Field):
    """Documents, whose text in HTML forms is JSON."""

    _is_jsonfield = True
    default_error_messages = {
        "not_a_dict": _("Expected a dictionary of items but got type “{input_type}”."),
        "not_json": _("Value must be valid JSON."),
    }

    def __init__(self, **kwargs: Any) -> None:
        kwargs.setdefault("style", {"base_template": "textarea.html"})
        super().__init__(**kwargs)

    def get_value(self, dictionary: Any) -> Any:
        value = super().get_value(dictionary)
        if html.is_html_input(dictionary) and isinstance(value, str):
            try:
                return json.loads(value) if value.strip() else None
            except ValueError:
                return NotJSON(value)
        return value

    def document(self, data: Any) -> dict[str, Any]:
        if isinstance(data, NotJSON):
            self.fail("not_json")
        if not isinstance(data, Mapping):
            self.fail("not_a_dict", input_type=type(data).__name__)
        return dict(data)


class NotJSON(str):
    """What a form sent in the place of JSON."""

    is_json_string = True  # the form shows it again as it is


class DocumentField(JSONTextField, DynamicField):
    """A document of no model."""

    def to_internal_value(self, data: Any) -> Any:
        return super().to_internal_value(self.document(data))


class EmbeddedField(JSONTextField):
    """An embedded model of one of several classes, which `_label` names; or of a class that the
    serializer is itself inside of, and that is as deep as it is."""

    default_error_messages = {
        "no_label": _("This field is required: one of {labels}."),
        "label": _("“{label}” is none of {labels}."),
    }

    def __init__(self, models: Any, maker: Any, is_labelled: bool = True, **kwargs: Any) -> None:
        self.models = {model._meta.label: model for model in models}
        self.maker = maker
        self.is_labelled = is_labelled
        super().__init__(**kwargs)

    def chosen(self, data: dict[str, Any], before: Any) -> Any:
        """The model that the data names."""
        if not self.is_labelled:
            return next(iter(self.models.values()))
        label = data.pop(LABEL, empty)
        if label is empty and before is not None:
            return type(before)
        model = self.models.get(label) if isinstance(label, str) else None
        if model is None:
            key, labels = "label", ", ".join(self.models)
            try:
                self.fail("no_label" if label is empty else key, label=label, labels=labels)
            except serializers.ValidationError as error:
                raise serializers.ValidationError({LABEL: error.detail}) from None
        return model

    def to_internal_value(self, data: Any) -> Any:
        data = self.document(data)
        before = stored(self)
        model = self.chosen(data, before)
        if type(before) is not model:
            before = None
        nested = nested_class(self.maker, model)(
            instance=before, partial=before is not None, context=self.context
        )
        return instance_of(nested, nested.run_validation(data), before)

    def to_representation(self, value: Any) -> Any:
        nested = nested_class(self.maker, type(value))()
        nested.bind(field_name=self.field_name or "item", parent=self)
        shown = nested.to_representation(value)
        return {**shown, LABEL: type(value)._meta.label} if self.is_labelled else shown
