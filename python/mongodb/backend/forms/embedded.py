# SPDX-License-Identifier: Apache-2.0
"""A form within a form for an embedded model."""

from __future__ import annotations

import json
from typing import Any

from django import forms
from django.core.exceptions import ValidationError
from django.db.models import Model
from django.forms.models import modelform_factory
from django.utils.html import format_html

__all__ = [
    "EmbeddedJSONField",
    "EmbeddedModelField",
    "EmbeddedModelWidget",
    "PrefixWidget",
    "in_lines",
    "nested_prefix",
    "no_errors",
]


class EmbeddedModelField(forms.Field):
    """Shows the model's form; its fields' names begin with `prefix`."""

    def __init__(self, model: Any, prefix: str, *args: Any, **kwargs: Any) -> None:
        self.model = model
        self.prefix = prefix
        self.model_form_cls = modelform_factory(model, fields="__all__")
        kwargs["widget"] = EmbeddedModelWidget()
        super().__init__(*args, **kwargs)

    def get_bound_field(self, form: Any, field_name: str) -> Any:
        return EmbeddedModelBoundField(form, self, field_name)

    def _clean_bound_field(self, bound: Any) -> Any:
        if not bound.has_data():
            if self.required:
                raise ValidationError(self.error_messages["required"], code="required")
            return None
        nested = bound.nested_form
        if not nested.is_valid():
            raise ValidationError([one for errors in nested.errors.values() for one in errors])
        return self.model(**nested.cleaned_data)


class EmbeddedJSONField(forms.JSONField):
    """Embedded models that embed themselves: JSON, as deep as they are. `field` is the model's."""

    def __init__(self, field: Any, **kwargs: Any) -> None:
        self.field = field
        super().__init__(**kwargs)

    def to_python(self, value: Any) -> Any:
        made = super().to_python(value)
        if made is None or made == []:
            return made
        found = self.field.to_python(json.dumps(made))
        if not isinstance(found, (list, Model)):
            raise ValidationError(self.error_messages["invalid"], "invalid", {"value": value})
        return found

    def prepare_value(self, value: Any) -> Any:
        items = value if isinstance(value, list) else [value]
        if any(isinstance(one, Model) for one in items):  # not what was sent before
            value = _plain(self.field, value)
        return super().prepare_value(value)

    def has_changed(self, initial: Any, data: Any) -> bool:
        try:
            return bool(self.to_python(data) != (initial or None))
        except ValidationError:
            return True


def _plain(field: Any, value: Any) -> Any:
    from mongodb.backend.fields.values import as_text

    if isinstance(value, list):
        return [_plain(field.base_field, one) for one in value]
    if isinstance(value, Model):
        label = {} if field.is_of_one_model else {"_label": value._meta.label}
        fields = [one for one in value._meta.concrete_fields if not one.auto_created]
        return {one.name: _plain(one, getattr(value, one.attname)) for one in fields} | label
    return value if isinstance(value, (str, int, float)) else as_text(field, value)


def nested_prefix(form: Any, field: Any) -> str:
    """Return what the names of the inner form's inputs begin with."""
    return f"{form.prefix}-{field.prefix}" if form.prefix else str(field.prefix)


def no_errors(form: Any) -> Any:
    """Return an empty list of errors: the inner form shows its own."""
    return form.error_class(renderer=form.renderer)


def in_lines(form: Any) -> str:
    """Return a form whose fields the admin shows side by side, in as many lines as they need."""
    return format_html('<div class="flex-container form-multiline">{}</div>', form.as_div())


class EmbeddedModelBoundField(forms.BoundField):
    """Renders and checks one form, which shows its own errors beside its fields."""

    def __init__(self, form: Any, field: Any, name: str) -> None:
        super().__init__(form, field, name)
        bound = form.is_bound and self.has_data()
        self.nested_form = field.model_form_cls(
            data=form.data if bound else None,
            files=form.files if bound else None,
            instance=self.initial,
            prefix=nested_prefix(form, field),
        )

    def has_data(self) -> bool:
        """Whether anything was filled in."""
        return any(self.data.values())

    @property
    def errors(self) -> Any:
        if self.nested_form.is_bound and not self.nested_form.is_valid():
            return no_errors(self.form)
        return super().errors

    def _has_changed(self) -> bool:
        if not self.nested_form.is_bound:
            return self.initial is not None
        return bool(self.nested_form.has_changed())

    def __str__(self) -> str:
        return in_lines(self.nested_form)


class PrefixWidget(forms.Widget):
    """Picks what belongs to inner forms out of the outer form's data; they render themselves."""

    def value_from_datadict(self, data: Any, files: Any, name: str) -> Any:
        return {key: data[key] for key in data if key.startswith(f"{name}-")}

    def value_omitted_from_data(self, data: Any, files: Any, name: str) -> bool:
        return not any(key.startswith(f"{name}-") for key in data)


class EmbeddedModelWidget(PrefixWidget):
    """An inner form's place, with the field's label for its title."""

    use_fieldset = True

    def id_for_label(self, id_: str) -> str:
        return ""  # its inputs have labels of their own
