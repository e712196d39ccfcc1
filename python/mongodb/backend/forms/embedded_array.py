# SPDX-License-Identifier: Apache-2.0
"""A formset within a form for a list of embedded models."""

from __future__ import annotations

from typing import Any

from django import forms
from django.core.exceptions import ValidationError
from django.forms import formset_factory, model_to_dict
from django.forms.models import modelform_factory
from django.utils.html import format_html, format_html_join
from django.utils.text import capfirst

from mongodb.backend.forms.embedded import PrefixWidget, in_lines, no_errors

__all__ = ["EmbeddedModelArrayBoundField", "EmbeddedModelArrayField", "FormsetField"]


class FormsetField(forms.Field):
    """Shows a form for each item, and `extra_forms` empty ones; at most `max_num`."""

    def __init__(self, form: Any, item_name: Any, *, prefix: str, max_num: int | None = None,
                 extra_forms: int = 3, **kwargs: Any) -> None:  # fmt: skip
        self.prefix = prefix
        self.formset = formset_factory(form, can_delete=True, can_delete_extra=False,
                                       max_num=max_num, extra=extra_forms,
                                       validate_max=True)  # fmt: skip
        self.item_name = item_name
        kwargs["widget"] = PrefixWidget()
        super().__init__(**kwargs)

    def get_bound_field(self, form: Any, field_name: str) -> Any:
        return EmbeddedModelArrayBoundField(form, self, field_name)

    def _clean_bound_field(self, bound: Any) -> Any:
        formset = bound.formset
        if not formset.is_bound:
            return []
        if not formset.is_valid():
            raise ValidationError(formset.errors + formset.non_form_errors())
        return self.items(
            [data for data in formset.cleaned_data if data and not data.get("DELETE")]
        )

    def initial_items(self, instances: Any) -> list[Any]:
        """Return the formset's initial data."""
        raise NotImplementedError

    def items(self, filled: list[Any]) -> list[Any]:
        """Return the instances of the forms' data."""
        raise NotImplementedError


class EmbeddedModelArrayField(FormsetField):
    """A list of instances of one embedded model."""

    def __init__(self, model: Any, **kwargs: Any) -> None:
        self.model = model
        form = modelform_factory(model, fields="__all__")
        super().__init__(form, capfirst(model._meta.verbose_name), **kwargs)

    def initial_items(self, instances: Any) -> list[Any]:
        return [model_to_dict(one) for one in instances or []]

    def items(self, filled: list[Any]) -> list[Any]:
        return [self.model(**{k: v for k, v in data.items() if k != "DELETE"}) for data in filled]


class EmbeddedModelArrayBoundField(forms.BoundField):
    """Renders and checks one formset, which shows its forms' errors beside their fields."""

    def __init__(self, form: Any, field: Any, name: str) -> None:
        super().__init__(form, field, name)
        data = self.data if form.is_bound and self.data else None
        items = field.initial_items(self.initial)
        self.formset = field.formset(data, initial=items, prefix=self.html_name)

    @property
    def errors(self) -> Any:
        if self.formset.is_bound and not self.formset.is_valid():
            return no_errors(self.form)
        return super().errors

    def _has_changed(self) -> bool:
        if not self.formset.is_bound:
            return bool(self.initial)
        return bool(self.formset.has_changed())

    def __str__(self) -> str:
        items = ((self.field.item_name, n, in_lines(f)) for n, f in enumerate(self.formset, 1))
        return format_html("<div>{}{}{}</div>", self.formset.non_form_errors(),
                           format_html_join("\n", _ITEM, items),
                           self.formset.management_form)  # fmt: skip


_ITEM = "<fieldset><legend>{} {}</legend>{}</fieldset>"
