# SPDX-License-Identifier: Apache-2.0
"""Forms within a form for an embedded model of one of several classes: a choice of the class, and
the form of each."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from django import forms
from django.core.exceptions import ValidationError
from django.forms.models import modelform_factory
from django.utils.html import format_html, format_html_join
from django.utils.text import capfirst
from django.utils.translation import gettext_lazy as _

from mongodb.backend.forms.embedded import (
    EmbeddedModelWidget,
    in_lines,
    nested_prefix,
    no_errors,
)
from mongodb.backend.forms.embedded_array import FormsetField

__all__ = ["PolymorphicEmbeddedModelArrayField", "PolymorphicEmbeddedModelField"]

_LABEL = "_label"


class PolymorphicEmbeddedModelField(forms.Field):
    """`models` are the classes to choose from; the inputs' names begin with `prefix`."""

    def __init__(self, models: Sequence[Any], prefix: str, **kwargs: Any) -> None:
        self.models = tuple(models)
        self.prefix = prefix
        self.form_classes = {model._meta.label: modelform_factory(model, fields="__all__")
                             for model in self.models}  # fmt: skip
        kwargs["widget"] = EmbeddedModelWidget()
        super().__init__(**kwargs)

    def get_bound_field(self, form: Any, field_name: str) -> Any:
        return PolymorphicBoundField(form, self, field_name)

    def _clean_bound_field(self, bound: Any) -> Any:
        if not bound.chosen:
            if self.required:
                raise ValidationError(self.error_messages["required"], code="required")
            return None
        nested = bound.forms.get(bound.chosen)
        if nested is None:
            raise ValidationError(
                forms.ChoiceField.default_error_messages["invalid_choice"],
                "invalid_choice", {"value": bound.chosen},
            )  # fmt: skip
        if not nested.is_valid():
            raise ValidationError([one for errors in nested.errors.values() for one in errors])
        return nested._meta.model(**nested.cleaned_data)


class PolymorphicBoundField(forms.BoundField):
    """Renders and checks the form of the chosen class."""

    def __init__(self, form: Any, field: Any, name: str) -> None:
        super().__init__(form, field, name)
        prefix = nested_prefix(form, field)
        initial = self.initial
        before = type(initial)._meta.label if isinstance(initial, field.models) else ""
        self.before = before
        self.choice_name = f"{prefix}-{_LABEL}"
        self.chosen = self.data.get(self.choice_name, "") if form.is_bound else before
        self.forms = {}
        for label, make in field.form_classes.items():
            bound = form.is_bound and label == self.chosen
            self.forms[label] = make(
                data=form.data if bound else None,
                files=form.files if bound else None,
                instance=initial if label == before else None,
                prefix=f"{prefix}-{label.rpartition('.')[2].lower()}",
                use_required_attribute=False,  # of the classes not chosen nothing is
            )

    @property
    def errors(self) -> Any:
        nested = self.forms.get(self.chosen)
        if nested is not None and nested.is_bound and not nested.is_valid():
            return no_errors(self.form)
        return super().errors

    def _has_changed(self) -> bool:
        nested = self.forms.get(self.chosen)
        return self.chosen != self.before or (nested is not None and nested.has_changed())

    def __str__(self) -> str:
        titles = {form._meta.model._meta.label: capfirst(form._meta.model._meta.verbose_name)
                  for form in self.forms.values()}  # fmt: skip
        select = forms.Select(choices=[("", "---------"), *titles.items()])
        choice = select.render(self.choice_name, self.chosen, {"id": f"id_{self.choice_name}"})
        parts = format_html_join(
            "\n", "<fieldset><legend>{}</legend>{}</fieldset>",
            ((titles[label], in_lines(form)) for label, form in self.forms.items()),
        )  # fmt: skip
        return format_html("<div><div>{}</div>\n{}</div>", choice, parts)


class PolymorphicEmbeddedModelArrayField(FormsetField):
    """A choice of the class and its form for each item."""

    def __init__(self, models: Sequence[Any], **kwargs: Any) -> None:
        self.models = tuple(models)
        item = PolymorphicEmbeddedModelField(models, prefix="item", required=False, label="")
        super().__init__(type("ItemForm", (forms.Form,), {"item": item}), _("Item"), **kwargs)

    def initial_items(self, instances: Any) -> list[Any]:
        return [{"item": one} for one in instances or []]

    def items(self, filled: list[Any]) -> list[Any]:
        return [data["item"] for data in filled if data.get("item") is not None]
