# SPDX-License-Identifier: Apache-2.0
"""Form fields for arrays: one text with a delimiter, or an input for each item."""

from __future__ import annotations

import copy
from typing import Any

from django import forms
from django.core.exceptions import ImproperlyConfigured, ValidationError
from django.utils.translation import gettext_lazy as _

from mongodb.backend.validators import (
    ArrayMaxLengthValidator,
    ArrayMinLengthValidator,
    LengthValidator,
)

__all__ = ["SimpleArrayField", "SplitArrayField", "SplitArrayWidget"]

_INVALID = {"item_invalid": _("Item %(nth)s in the array did not validate:")}


def _item_errors(field: Any, error: ValidationError, nth: int) -> list[Any]:
    from mongodb.backend.fields.values import prefixed

    head = field.error_messages["item_invalid"]
    return prefixed(error, head, "item_invalid", {"nth": nth}).error_list  # type: ignore[no-any-return]


def _is_unchanged(field: Any, initial: Any, made: Any) -> bool:
    return initial in field.empty_values and made in field.empty_values


class SimpleArrayField(forms.CharField):
    """The items in one text, between them a delimiter."""

    default_error_messages = _INVALID

    def __init__(self, base_field: Any, *, delimiter: str = ",", max_length: int | None = None,
                 min_length: int | None = None, length: int | None = None,
                 **kwargs: Any) -> None:  # fmt: skip
        self.base_field = base_field
        self.delimiter = delimiter
        super().__init__(**kwargs)
        limits = {"max_length": max_length, "min_length": min_length, "length": length}
        kinds: Any = (ArrayMaxLengthValidator, ArrayMinLengthValidator, LengthValidator)
        given = [name for name, limit in limits.items() if limit is not None]
        if length is not None and len(given) > 1:
            raise ImproperlyConfigured(
                f"The length and {given[0]} parameters are mutually exclusive."
            )
        for (name, limit), kind in zip(limits.items(), kinds, strict=True):
            if limit is not None:
                setattr(self, name, limit)
                self.validators.append(kind(int(limit)))

    def prepare_value(self, value: Any) -> Any:
        if isinstance(value, list):
            return self.delimiter.join(str(self.base_field.prepare_value(one)) for one in value)
        return value

    def _every(self, items: Any, make: Any) -> list[Any]:
        made, wrong = [], []
        for nth, one in enumerate(items, 1):
            try:
                made.append(make(one))
            except ValidationError as error:
                wrong += _item_errors(self, error, nth)
        if wrong:
            raise ValidationError(wrong)
        return made

    def to_python(self, value: Any) -> Any:
        items = value if isinstance(value, list) else value.split(self.delimiter) if value else []
        return self._every(items, self.base_field.to_python)

    def validate(self, value: Any) -> None:
        super().validate(value)
        self._every(value, self.base_field.validate)

    def run_validators(self, value: Any) -> None:
        super().run_validators(value)
        self._every(value, self.base_field.run_validators)

    def clean(self, value: Any) -> Any:
        return [self.base_field.clean(one) for one in super().clean(value)]

    def has_changed(self, initial: Any, data: Any) -> bool:
        try:
            if _is_unchanged(self, initial, self.to_python(data)):
                return False
        except ValidationError:
            pass
        return super().has_changed(initial, data)


class SplitArrayWidget(forms.Widget):
    """An input for each item."""

    template_name = "django/forms/widgets/multiwidget.html"

    def __init__(self, widget: Any, size: int, **kwargs: Any) -> None:
        self.widget = widget() if isinstance(widget, type) else widget
        self.size = size
        super().__init__(**kwargs)

    @property
    def is_hidden(self) -> bool:
        return bool(self.widget.is_hidden)

    @property
    def media(self) -> Any:
        return self.widget.media

    @property
    def needs_multipart_form(self) -> bool:  # type: ignore[override]
        return bool(self.widget.needs_multipart_form)

    def __deepcopy__(self, memo: Any) -> Any:
        made = super().__deepcopy__(memo)
        made.widget = copy.deepcopy(self.widget)
        return made

    def _of_each(self, method: str, data: Any, files: Any, name: str) -> list[Any]:
        ask = getattr(self.widget, method)
        return [ask(data, files, f"{name}_{at}") for at in range(self.size)]

    def value_from_datadict(self, data: Any, files: Any, name: str) -> Any:
        return self._of_each("value_from_datadict", data, files, name)

    def value_omitted_from_data(self, data: Any, files: Any, name: str) -> bool:
        return all(self._of_each("value_omitted_from_data", data, files, name))

    def id_for_label(self, id_: str) -> str:
        return f"{id_}_0" if id_ else id_

    def get_context(self, name: str, value: Any, attrs: Any = None) -> Any:
        context = super().get_context(name, value, attrs)
        if self.is_localized:
            self.widget.is_localized = True
        items = list(value or [])
        items += [None] * (self.size - len(items))
        common = self.build_attrs(attrs or {})
        context["widget"]["subwidgets"] = []
        for at, item in enumerate(items):
            own = {**common, "id": f"{common['id']}_{at}"} if common.get("id") else common
            inner = self.widget.get_context(f"{name}_{at}", item, own)["widget"]
            context["widget"]["subwidgets"].append(inner)
        return context


class SplitArrayField(forms.Field):
    """A fixed number of inputs; `remove_trailing_nulls` cuts empty ones off the end."""

    default_error_messages = _INVALID

    def __init__(self, base_field: Any, size: int, *, remove_trailing_nulls: bool = False,
                 **kwargs: Any) -> None:  # fmt: skip
        self.base_field = base_field
        self.size = size
        self.remove_trailing_nulls = remove_trailing_nulls
        kwargs.setdefault("widget", SplitArrayWidget(widget=base_field.widget, size=size))
        super().__init__(**kwargs)

    def _kept(self, items: list[Any]) -> int:
        """How many items stay."""
        many = len(items)
        while self.remove_trailing_nulls and many and self._is_empty(items[many - 1]):
            many -= 1
        return many

    def _is_empty(self, item: Any) -> bool:
        return item in self.base_field.empty_values

    def to_python(self, value: Any) -> Any:
        return [self.base_field.to_python(one) for one in super().to_python(value)]

    def clean(self, value: Any) -> Any:
        if self.required and not any(value):
            raise ValidationError(self.error_messages["required"], code="required")
        items = list(value) + [None] * (self.size - len(value))
        cleaned: list[Any] = []
        wrong: list[list[Any]] = []
        for nth, one in enumerate(items, 1):
            try:
                cleaned.append(self.base_field.clean(one))
                wrong.append([])
            except ValidationError as error:
                cleaned.append(None)
                wrong.append(_item_errors(self, error, nth))
        many = self._kept(cleaned)
        told = [error for errors in wrong[:many] for error in errors]
        if told:
            raise ValidationError(told)
        return cleaned[:many]

    def has_changed(self, initial: Any, data: Any) -> bool:
        try:
            made = self.to_python(data)
        except ValidationError:
            return super().has_changed(initial, data)
        made = made[: self._kept(made)]
        return not _is_unchanged(self, initial, made) and super().has_changed(initial, made)
