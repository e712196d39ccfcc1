# SPDX-License-Identifier: Apache-2.0
"""Forms within forms, and formsets of lists of embedded documents."""

from __future__ import annotations

from typing import Any

from django import forms
from django.core.exceptions import ImproperlyConfigured, ValidationError
from django.forms.formsets import BaseFormSet, formset_factory
from django.forms.models import modelform_factory
from django.utils.html import format_html, format_html_join
from django.utils.text import capfirst
from django.utils.translation import gettext_lazy as _

from mongodb._registry import is_embedded_class

__all__ = [
    "BaseEmbeddedFormSet",
    "EmbeddedDocumentListField",
    "Nested",
    "embedded_formset_factory",
    "list_field_of",
]


class PrefixWidget(forms.Widget):
    """The place of inner forms, which read their data and render themselves."""

    use_fieldset = True

    def value_from_datadict(self, data: Any, files: Any, name: str) -> Any:
        sent = {key: data[key] for key in data if key.startswith(f"{name}-")}
        return {**sent, **{key: files[key] for key in files or () if key.startswith(f"{name}-")}}

    def value_omitted_from_data(self, data: Any, files: Any, name: str) -> bool:
        return not self.value_from_datadict(data, files, name)

    def id_for_label(self, id_: str) -> str:
        return ""  # the inputs have labels of their own


class Nested(forms.Field):
    """A field whose input is a form or a formset."""

    widget = PrefixWidget

    def __init__(self, **kwargs: Any) -> None:
        if not hasattr(forms.Field, "_clean_bound_field"):
            raise ImproperlyConfigured("forms inside forms need Django 5.2 or newer")
        super().__init__(**kwargs)

    def get_bound_field(self, form: Any, field_name: str) -> Any:
        """Return the field with its inner form."""
        return NestedBoundField(form, self, field_name)

    def nested(self, bound: Any, sent: bool) -> Any:
        """Return the inner form or formset, with data if any was `sent`."""
        raise NotImplementedError

    def made(self, nested: Any) -> Any:
        """Return the value of a valid inner form."""
        raise NotImplementedError

    def errors_of(self, nested: Any) -> list[Any]:
        """Return its errors for the outer form."""
        raise NotImplementedError

    def _clean_bound_field(self, bound: Any) -> Any:  # Django 5.2 and newer
        if self.disabled:
            return bound.initial
        nested = bound.inner
        if not nested.is_bound:
            value = None
        elif not nested.is_valid():
            raise ValidationError(self.errors_of(nested) or [self.error_messages["required"]])
        else:
            value = self.made(nested)
        if self.required and not value:
            raise ValidationError(self.error_messages["required"], code="required")
        return value


class NestedBoundField(forms.BoundField):
    """Renders and checks the inner form, which shows its errors beside its fields."""

    def __init__(self, form: Any, field: Any, name: str) -> None:
        super().__init__(form, field, name)
        self.inner = field.nested(self, form.is_bound and bool(self.data) and not field.disabled)

    @property
    def errors(self) -> Any:
        if self.inner.is_bound and not self.inner.is_valid():
            return self.form.error_class(renderer=self.form.renderer)
        return super().errors

    def _has_changed(self) -> bool:
        inner = self.inner
        return bool(inner.is_bound and (getattr(inner, "emptied", False) or inner.has_changed()))

    def __str__(self) -> str:
        if isinstance(self.inner, BaseFormSet):
            return _rendered(self.inner, capfirst(self.field.document._meta.verbose_name))
        return str(format_html('<div class="embedded">{}</div>', self.inner.as_div()))


def _rendered(formset: Any, title: str) -> str:
    items = ((title, n, form.as_div()) for n, form in enumerate(formset, 1))
    inside = format_html_join("\n", "<fieldset><legend>{} {}</legend>{}</fieldset>", items)
    errors, management = formset.non_form_errors(), formset.management_form
    return str(format_html('<div class="embedded">{}{}{}</div>', errors, inside, management))


class EmbeddedDocumentListField(Nested):
    """A formset for a list of embedded documents inside the form of the document."""

    def __init__(
        self, *, document: Any, form: Any = None, max_num: int | None = None, extra: int = 1,
        can_order: bool = False, can_delete: bool = True, **kwargs: Any,
    ) -> None:  # fmt: skip
        from mongodb.forms import DocumentForm

        self.document = document
        inner = modelform_factory(document, form or DocumentForm, fields="__all__")
        self.formset = formset_factory(
            inner, formset=BaseEmbeddedFormSet, extra=extra, max_num=max_num,
            validate_max=max_num is not None, can_order=can_order, can_delete=can_delete,
            can_delete_extra=False,
        )  # fmt: skip
        super().__init__(**kwargs)

    def nested(self, bound: Any, sent: bool) -> Any:
        form = bound.form
        return self.formset(
            data=form.data if sent else None,
            files=form.files if sent else None,
            items=bound.initial,
            prefix=bound.html_name,
        )

    def made(self, nested: Any) -> Any:
        return nested.items()

    def errors_of(self, nested: Any) -> list[Any]:
        inner = [one for form in nested.errors for errors in form.values() for one in errors]
        return [*nested.non_form_errors(), *inner]


class BaseEmbeddedFormSet(BaseFormSet):
    """A form for each embedded document of a list, and empty ones for more.

    With an `instance`, the list is that document's field `field_name`: a valid formset has put
    what was sent there, and `save()` saves the document. Else `items` are given and asked for.
    """

    document: Any = None
    field_name: str = ""
    save_as_new = False
    _pk_field = None
    default_error_messages = {
        **BaseFormSet.default_error_messages,
        "moved": _("The list was changed meanwhile: look at it again, and send your changes then."),
    }

    def __init__(
        self, data: Any = None, files: Any = None, instance: Any = None, save_as_new: bool = False,
        prefix: Any = None, queryset: Any = None, items: Any = None, **kwargs: Any,
    ) -> None:  # fmt: skip
        if instance is None and self.document is not None:
            instance = self.document()
        self.instance = instance
        if items is None and instance is not None:
            items = getattr(instance, self.field_name)
        self._given = list(items or ())
        self.new_objects: list[Any] = []
        self.changed_objects: list[Any] = []
        self.deleted_objects: list[Any] = []
        super().__init__(data, files, prefix=prefix, **kwargs)

    @classmethod
    def get_default_prefix(cls) -> str:
        return cls.field_name or "form"

    def get_queryset(self) -> list[Any]:
        """Return the documents that the first forms are about."""
        return self._given

    def initial_form_count(self) -> int:
        if not self.is_bound:
            return len(self._given)
        return min(int(super().initial_form_count()), len(self._given))

    def _construct_form(self, i: int, **kwargs: Any) -> Any:
        if i < self.initial_form_count():
            item = self._given[i]
            kwargs["instance"] = type(item)._restore(item._snapshot())
        return super()._construct_form(i, **kwargs)

    def full_clean(self) -> None:
        super().full_clean()
        if self.is_bound and not self.is_valid_so_far():
            return
        if self.is_bound and self.instance is not None:
            setattr(self.instance, self.field_name, self.items())

    def is_valid_so_far(self) -> bool:
        """Whether nothing wrong was found; of forms that go, nothing matters."""
        kept = [form for form in self.forms if not self._goes(form)]
        return not self._non_form_errors and all(form.is_valid() for form in kept)

    def _goes(self, form: Any) -> bool:
        return bool(self.can_delete and self._should_delete_form(form))

    def clean(self) -> None:
        if int(super().initial_form_count()) != len(self._given):
            raise ValidationError(self.error_messages["moved"], code="moved")

    def items(self) -> list[Any]:
        """Return the list as it was sent, in the order that was asked for."""
        self.new_objects, self.changed_objects, self.deleted_objects = [], [], []
        kept: list[tuple[Any, Any]] = []
        for at, form in enumerate(self.forms):
            old = at < self.initial_form_count()
            if self._goes(form):
                if old:
                    self.deleted_objects.append(form.instance)
                continue
            if not old and not form.has_changed():
                continue
            if not old:
                self.new_objects.append(form.instance)
            elif form.has_changed():
                self.changed_objects.append((form.instance, form.changed_data))
            place = form.cleaned_data.get("ORDER") if self.can_order else None
            kept.append(((place is None, place or 0, at), form.instance))
        return [item for _, item in sorted(kept, key=lambda pair: pair[0])]

    def save(self, commit: bool = True) -> list[Any]:
        """Save the document with its list; return what is new or changed."""
        if not self.is_valid():
            raise ValueError("The list could not be saved because the data didn't validate.")
        if commit and self.instance is not None:
            self.instance.save()
        return [*self.new_objects, *(one for one, _ in self.changed_objects)]

    def save_m2m(self) -> None:
        """Nothing is left to save: references are in the list."""


def list_field_of(document: Any, embedded: Any, name: str | None = None) -> str:
    """Return the name of the field that is a list of these embedded documents."""
    found = [
        one.name for one in document._fields.values()
        if one.kind == "list" and getattr(one._item, "kind", "") == "embedded"
        and (embedded is None or issubclass(embedded, one._item.document_type))
    ]  # fmt: skip
    what = "embedded documents" if embedded is None else f"{embedded.__name__} documents"
    if name is not None and name not in found:
        raise ImproperlyConfigured(f"{document.__name__}.{name} is no list of {what}")
    if name is None and len(found) != 1:
        many = f"several lists of {what}: name one of {', '.join(found)}"
        raise ImproperlyConfigured(
            f"{document.__name__} has {many if found else f'no list of {what}'}"
        )
    return name or found[0]


def embedded_formset_factory(
    document: Any, field_name: str | None = None, *, form: Any = None, formset: Any = None,
    embedded: Any = None, extra: int = 1, can_order: bool = False, can_delete: bool = True,
    max_num: int | None = None, validate_max: bool = False, min_num: int | None = None,
    validate_min: bool = False, absolute_max: int | None = None, can_delete_extra: bool = True,
    renderer: Any = None, fields: Any = None, exclude: Any = None, **form_options: Any,
) -> Any:  # fmt: skip
    """Return a formset class for a list of embedded documents of a Document class.

    `form`, `fields`, `exclude`, `widgets`, … are for the form of one of them.
    """
    from mongodb.forms import DocumentForm

    name = list_field_of(document, embedded, field_name)
    embedded = embedded or document._fields[name]._item.document_type
    if not is_embedded_class(embedded):
        raise ImproperlyConfigured(f"{embedded.__name__} is no EmbeddedDocument")
    base = form or DocumentForm
    meta = getattr(base, "Meta", None)
    if (
        fields is None
        and exclude is None
        and not (hasattr(meta, "fields") or hasattr(meta, "exclude"))
    ):
        fields = "__all__"
    inner = modelform_factory(embedded, base, fields=fields, exclude=exclude, **form_options)
    made = formset_factory(
        inner, formset=formset or BaseEmbeddedFormSet, extra=extra, can_order=can_order,
        can_delete=can_delete, max_num=max_num, validate_max=validate_max, min_num=min_num,
        validate_min=validate_min, absolute_max=absolute_max, can_delete_extra=can_delete_extra,
        renderer=renderer,
    )  # fmt: skip
    made.document, made.field_name, made.model = document, name, embedded
    return made
