# SPDX-License-Identifier: Apache-2.0
"""Form fields for what documents have and rows have not."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any, NamedTuple

from bson import ObjectId, json_util
from bson.errors import BSONError
from django import forms
from django.core.exceptions import ValidationError
from django.forms.models import ModelMultipleChoiceField, modelform_factory
from django.utils.html import format_html
from django.utils.translation import gettext_lazy as _

from mongodb._core import encode
from mongodb.errors import MongoError
from mongodb.errors import ValidationError as DocumentError
from mongodb.forms.errors import django_error
from mongodb.forms.nested import EmbeddedDocumentListField, Nested

__all__ = [
    "EmbeddedDocumentField",
    "EmbeddedDocumentListField",
    "ExtendedJSONField",
    "KeyField",
    "LinesField",
    "StoredFileField",
    "StoredImageField",
]


class Inside(NamedTuple):
    """A step into an embedded document, as Django's admin follows relations."""

    from_opts: Any
    to_opts: Any
    target_fields: tuple[Any, ...] = ()
    join_field: Any = None
    m2m: bool = False
    direct: bool = True
    filtered_relation: Any = None


# Keys


class KeyField(forms.CharField):
    """An ObjectId; `key` is the model's field."""

    def __init__(self, *, key: Any, **kwargs: Any) -> None:
        self.key = key
        super().__init__(**{**kwargs, "empty_value": None})

    def prepare_value(self, value: Any) -> Any:
        return str(value) if isinstance(value, ObjectId) else value

    def to_python(self, value: Any) -> Any:
        return self.key.to_python(super().to_python(value))

    def has_changed(self, initial: Any, data: Any) -> bool:
        return str(initial or "") != str(data or "").strip()


# JSON


class _Encoder(json.JSONEncoder):
    def default(self, value: Any) -> Any:
        return json_util.default(value, json_util.RELAXED_JSON_OPTIONS)


class _Decoder(json.JSONDecoder):
    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**{**kwargs, "object_hook": _read})


def _read(value: Any) -> Any:
    return json_util.object_hook(value, _OPTIONS)


_OPTIONS = json_util.JSONOptions(tz_aware=False)
# What texts of extended JSON raise that are no values.
_NOT_READ = (TypeError, ValueError, AttributeError, LookupError, ArithmeticError, BSONError)


class ExtendedJSONField(forms.JSONField):
    """A value as extended JSON; `field` is the document's, which converts it."""

    def __init__(self, *, field: Any, **kwargs: Any) -> None:
        self.field = field
        super().__init__(**{"encoder": _Encoder, "decoder": _Decoder, **kwargs})

    def _stored(self, value: Any) -> Any:
        return value if value is None else self.field.to_mongo(value)

    def prepare_value(self, value: Any) -> Any:
        if isinstance(value, forms.fields.InvalidJSONInput):
            return value
        return "" if value is None else super().prepare_value(self._stored(value))

    def to_python(self, value: Any) -> Any:
        try:
            found = super().to_python(value)
            if found is None or isinstance(found, forms.fields.InvalidJSONInput):
                return found
            found = self.field.to_python(found)
            self.field.validate(found)
            encode({"": self.field.to_mongo(found)})
        except DocumentError as error:
            raise django_error(error) from error
        except RecursionError as error:
            raise ValidationError(_("This is nested too deeply."), code="invalid") from error
        except (MongoError, *_NOT_READ) as error:
            raise ValidationError(str(error), code="invalid") from error
        return found

    def bound_data(self, data: Any, initial: Any) -> Any:
        if self.disabled or data is None:
            return super().bound_data(data, initial)
        return forms.fields.InvalidJSONInput(data)  # shown again as it was typed

    def has_changed(self, initial: Any, data: Any) -> bool:
        return bool(super().has_changed(self._stored(initial), self._stored(self._tried(data))))

    def _tried(self, data: Any) -> Any:
        try:
            return self.to_python(data)
        except ValidationError:
            return data


# Lists


class LinesField(forms.CharField):
    """A list of values, one in a line; `item` is the field of one of them.

    A text that would not survive as a line stands in quotes, as JSON has it.
    """

    widget = forms.Textarea
    default_error_messages = {"item_invalid": _("Line %(nth)s: %(message)s")}

    def __init__(self, *, item: Any, **kwargs: Any) -> None:
        self.item = item
        if isinstance(item, forms.CharField):
            item.strip = False  # what is in quotes is kept as it is
        super().__init__(**{**kwargs, "strip": False})

    def prepare_value(self, value: Any) -> Any:
        if isinstance(value, (list, tuple)):
            return "\n".join(self._line(one) for one in value)
        return value

    def _line(self, value: Any) -> str:
        value = "" if value is None else str(self.item.prepare_value(value))
        plain = value and value == value.strip() and value[0] != '"' and len(value.splitlines()) < 2
        return value if plain else json.dumps(value, ensure_ascii=False)

    def to_python(self, value: Any) -> Any:
        if isinstance(value, (list, tuple)):
            return list(value)
        items, wrong = [], []
        for nth, line in enumerate((value or "").splitlines(), 1):
            text = line.strip()
            if not text:
                continue
            try:
                if text[0] == '"':
                    text = json.loads(text)
                    text.encode()  # without lone surrogates
                items.append(text if text == "" else self.item.clean(text))
            except (ValidationError, ValueError) as error:
                told = getattr(error, "messages", ["text in quotes as JSON has it is needed"])
                wrong += [
                    ValidationError(self.error_messages["item_invalid"], code="item_invalid",
                                    params={"nth": nth, "message": one})
                    for one in told
                ]  # fmt: skip
        if wrong:
            raise ValidationError(wrong)
        return items

    def has_changed(self, initial: Any, data: Any) -> bool:
        try:
            return bool(self.to_python(data) != list(initial or ()))
        except ValidationError:
            return True


def of_list(field: Any, **kwargs: Any) -> Any:
    """Return the form field of a model's field that is a list."""
    document_field, base = field.document_field, field.base_field
    common = {"required": not field.blank, "label": field.verbose_name.capitalize(),
              "help_text": field.help_text}  # fmt: skip
    embedded = getattr(base.document_field, "kind", "") == "embedded"
    if embedded and not holds_itself(base.document_field.document_type):
        kwargs.pop("widget", None)
        return _made(EmbeddedDocumentListField, {
            **common, "document": base.document_field.document_type,
            "max_num": document_field.max_length}, kwargs)  # fmt: skip
    if getattr(base, "remote_field", None) is not None:
        return _made(ModelMultipleChoiceField, {
            **common, "queryset": base.remote_field.model._default_manager.all(),
        }, kwargs)  # fmt: skip
    choices = document_field.choices or base.choices
    if choices:
        named = document_field if document_field.choices else base.document_field
        pairs = [(getattr(one, "value", one), named.choice_label(one))
                 for one in named.choice_values()]  # fmt: skip
        if base.choices:
            pairs = list(base.choices)
        return _made(forms.TypedMultipleChoiceField, {
            **common, "choices": pairs, "coerce": base.to_python}, kwargs)  # fmt: skip
    item = base.formfield() if base.editable else None
    simple = item is not None and not isinstance(
        item, (Nested, ExtendedJSONField, LinesField, forms.FileField, forms.MultiValueField)
    )
    if simple:
        return _made(LinesField, {**common, "item": item}, kwargs)
    return _made(ExtendedJSONField, {**common, "field": document_field}, kwargs)


def _made(cls: Any, options: dict[str, Any], given: dict[str, Any]) -> Any:
    chosen = given.pop("form_class", None) or given.pop("choices_form_class", None)
    return (chosen or cls)(**({**options, **given} if chosen is None else {
        "required": options["required"], "label": options["label"],
        "help_text": options["help_text"], **given}))  # fmt: skip


def holds_itself(document: Any) -> bool:
    """Whether embedded documents of the class can hold others of it, however deep."""
    waiting, seen = list(_inside(document)), set()
    while waiting:
        one = waiting.pop()
        if one is document:
            return True
        if one not in seen:
            seen.add(one)
            waiting += _inside(one)
    return False


def _inside(document: Any) -> Iterator[Any]:
    for field in document._fields.values():
        while field._item is not None:
            field = field._item
        if field.kind == "embedded":
            yield field.document_type


# Embedded documents


class EmbeddedDocumentField(Nested):
    """A form for an embedded document inside the form of the document."""

    def __init__(self, *, document: Any, form: Any = None, **kwargs: Any) -> None:
        from mongodb.forms import DocumentForm

        self.document = document
        self.form = modelform_factory(document, form or DocumentForm, fields="__all__")
        super().__init__(**kwargs)

    def nested(self, bound: Any, sent: bool) -> Any:
        form = bound.form
        item = bound.initial
        made = self.form(
            data=form.data if sent else None,
            files=form.files if sent else None,
            instance=None if item is None else _copy_of(item),
            prefix=bound.html_name,
            use_required_attribute=False,
            empty_permitted=not self.required and item is None,
        )
        if sent and item is not None and not self.required:
            empty = self.form(
                data=form.data, files=form.files, prefix=bound.html_name,
                use_required_attribute=False, empty_permitted=True,
            )  # fmt: skip
            if _is_emptied(made, empty):
                empty.emptied = True
                return empty
        return made

    def made(self, nested: Any) -> Any:
        if nested.empty_permitted and not nested.has_changed():
            return None
        return nested.instance

    def errors_of(self, nested: Any) -> list[Any]:
        return [one for errors in nested.errors.values() for one in errors]


def _is_emptied(form: Any, empty: Any) -> bool:
    """Whether all inputs of a document were emptied: sent for a new one they would be nothing.

    A checkbox alone, and a file that nothing was sent for, leave the document what it is.
    """
    changed = form.changed_data
    kept = any(
        isinstance(field, forms.FileField) and form.initial.get(name) and name not in changed
        for name, field in form.fields.items()
    )
    if kept or empty.has_changed():
        return False
    return any(
        isinstance(form.fields[name], Nested)
        or (
            not isinstance(form.fields[name], forms.BooleanField)
            and form[name].data in form.fields[name].empty_values
        )
        for name in changed
    )


def _copy_of(item: Any) -> Any:
    return type(item)._restore(item._snapshot())


# Files


class StoredFileInput(forms.ClearableFileInput):
    """Shows the name of the stored file, which has no address of its own."""

    def is_initial(self, value: Any) -> bool:
        return bool(value)

    def render(self, name: str, value: Any, attrs: Any = None, renderer: Any = None) -> Any:
        kept = value if bool(value) and getattr(value, "grid_id", None) is not None else None
        plain = forms.FileInput(attrs=self.attrs).render(name, None, attrs, renderer)
        if kept is None:
            return plain
        clear = ""
        if not self.is_required:
            box = self.clear_checkbox_name(name)
            clear = format_html('<label><input type="checkbox" name="{}"> {}</label>',
                                box, self.clear_checkbox_label)  # fmt: skip
        return format_html(
            "<span>{}: {} {}</span> {}",
            self.initial_text,
            kept.filename or kept.grid_id,
            clear,
            plain,
        )


class StoredFileField(forms.FileField):
    """A file for GridFS."""

    widget = StoredFileInput


class StoredImageField(forms.ImageField):
    """An image for GridFS."""

    widget = StoredFileInput


_UPLOADS = "_uploads"


def keep_upload(document: Any, name: str, data: Any) -> None:
    """Note what was sent for a field of files: `save()` stores it, so that a form that is not
    valid, or `save(commit=False)` that is never followed by save(), leaves no file behind."""
    waiting = document.__dict__.setdefault(_UPLOADS, {})
    waiting[name] = data
    if "save" not in document.__dict__:
        document.__dict__["save"] = lambda *args, **kwargs: _save(document, *args, **kwargs)


def _save(document: Any, *args: Any, **kwargs: Any) -> Any:
    document.__dict__.pop("save", None)
    for name, data in document.__dict__.pop(_UPLOADS, {}).items():
        if data is False:
            getattr(document, name).delete()
        else:
            data.seek(0)
            setattr(document, name, data)
    return document.save(*args, **kwargs)


def uploads(document: Any) -> frozenset[str]:
    """Return the fields whose files wait for save()."""
    return frozenset(document.__dict__.get(_UPLOADS, ()))
