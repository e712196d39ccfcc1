# SPDX-License-Identifier: Apache-2.0
"""Fields of documents as Django's forms, views and admin know them: as fields of its own classes.

`_meta.get_field()` gives these. Each stands for one field of a document, which it keeps as
`document_field`; what Django's class has not is read from there. Only Django's side imports this.
"""

from __future__ import annotations

import datetime
import enum
from typing import Any

from bson import Decimal128
from django.conf import settings
from django.core.exceptions import ValidationError
from django.db import models
from django.utils import timezone

from mongodb import fields as documents
from mongodb.errors import ValidationError as DocumentError
from mongodb.fields.base_field import BaseField
from mongodb.forms import fields as forms
from mongodb.forms.errors import django_error

__all__ = ["DocumentModelField", "model_field", "wrap"]


class DocumentModelField:
    """What all of them share; the other base is a field class of Django's."""

    document_field: Any
    formfield: Any  # Django's class has it

    def __getattr__(self, name: str) -> Any:
        if name[:2] == "__" or "document_field" not in self.__dict__:
            raise AttributeError(name)
        return getattr(self.document_field, name)

    @property
    def validators(self) -> list[Any]:
        """What the form's field checks; the document checks the rest."""
        return [*self.default_validators, *self._validators]

    def to_python(self, value: Any) -> Any:
        """Return the document's value of a text, such as a key in an address."""
        if value is None or value == "":
            return None
        try:
            value = self.document_field.to_python(value)
            self.document_field.validate(value)
        except DocumentError as error:
            raise ValidationError(error.message, code="invalid") from error
        except (TypeError, ValueError, ArithmeticError) as error:
            raise ValidationError(str(error), code="invalid") from error
        return value

    def clean(self, value: Any, model_instance: Any) -> Any:
        """Return the document's value, checked as the document checks it."""
        value = self.to_python(value)
        document = self.model() if model_instance is None else model_instance
        wrong = document._field_error(self.document_field, value, True)
        if wrong is not None:
            raise django_error(wrong)
        return value

    def value_from_object(self, obj: Any) -> Any:
        """Return what a form shows at first."""
        return getattr(obj, self.name)

    def value_to_string(self, obj: Any) -> str:
        """Return the value as the text that `to_python()` takes."""
        return str(self.value_from_object(obj))

    def save_form_data(self, instance: Any, data: Any) -> None:
        """Set what the form's field made of the input."""
        setattr(instance, self.name, data)

    def pre_save(self, model_instance: Any, add: bool) -> Any:
        """Return the value as it is: documents are saved as a whole."""
        return getattr(model_instance, self.name)

    def get_prep_value(self, value: Any) -> Any:
        """Return the value as it is: the document's field converts it."""
        return value

    def get_db_prep_value(self, value: Any, connection: Any, prepared: bool = False) -> Any:
        """Return the value as it is: no SQL is made of it."""
        return value

    def contribute_to_class(self, cls: Any, name: str, private_only: bool = False) -> None:
        """Refuse: the field belongs to a document."""
        raise TypeError(f"{self.name} is a field of the document {self.model.__name__}")


class _Text(DocumentModelField):
    def formfield(self, **kwargs: Any) -> Any:
        if self.null and not self.choices:
            kwargs.setdefault("empty_value", None)
        shortest = getattr(self.document_field, "min_length", None)
        if shortest is not None and not self.choices:
            kwargs.setdefault("min_length", shortest)
        return super().formfield(**kwargs)


class TextField(_Text, models.TextField):
    """Text of any length."""


class CharField(_Text, models.CharField):
    """Text with a limit, or one of some choices."""


class EmailField(_Text, models.EmailField):
    """An e-mail address."""

    default_validators: list[Any] = []  # the document's field has its own rules


class URLField(_Text, models.URLField):
    """An address."""

    default_validators: list[Any] = []


class _Limited(DocumentModelField):
    def formfield(self, **kwargs: Any) -> Any:
        limits = {"min_value": self.document_field.min_value,
                  "max_value": self.document_field.max_value}  # fmt: skip
        if not self.choices:
            kwargs = {**{k: v for k, v in limits.items() if v is not None}, **kwargs}
        return super().formfield(**kwargs)


class IntegerField(_Limited, models.BigIntegerField):
    """A whole number of 64 bits."""


class FloatField(_Limited, models.FloatField):
    """A floating point number."""


class DecimalField(_Limited, models.DecimalField):
    """An exact decimal number."""

    def value_from_object(self, obj: Any) -> Any:
        value = super().value_from_object(obj)
        return value.to_decimal() if isinstance(value, Decimal128) else value


class BooleanField(DocumentModelField, models.BooleanField):
    """True or False; with neither a default nor `required`, or nothing."""


class DateTimeField(DocumentModelField, models.DateTimeField):
    """A moment. What documents give without a zone is UTC."""

    def value_from_object(self, obj: Any) -> Any:
        value = super().value_from_object(obj)
        if settings.USE_TZ and isinstance(value, datetime.datetime) and timezone.is_naive(value):
            return value.replace(tzinfo=datetime.UTC)
        return value


class DateField(DocumentModelField, models.DateField):
    """A day."""


class UUIDField(DocumentModelField, models.UUIDField):
    """A UUID."""


class BinaryField(DocumentModelField, models.BinaryField):
    """Bytes; no form shows them."""


class ObjectIdField(DocumentModelField, models.Field):
    """An ObjectId, as text of 24 digits."""

    def get_internal_type(self) -> str:
        return "CharField"

    def formfield(self, **kwargs: Any) -> Any:
        if self.auto_created:
            return None
        return super().formfield(**{"form_class": forms.KeyField, "key": self, **kwargs})


class EnumField(DocumentModelField, models.CharField):
    """A member of an Enum, in forms its value."""

    def to_python(self, value: Any) -> Any:
        for member in self.document_field._enum_cls:
            if value is member or str(value) == str(member.value):
                return member
        return super().to_python(value)

    def value_from_object(self, obj: Any) -> Any:
        value = super().value_from_object(obj)
        return value.value if isinstance(value, enum.Enum) else value


class ReferenceField(DocumentModelField, models.ForeignKey):
    """A reference: the choice of a document."""

    def value_from_object(self, obj: Any) -> Any:
        value = getattr(obj, self.name)
        return getattr(value, "pk", value)  # without a query

    def save_form_data(self, instance: Any, data: Any) -> None:
        setattr(instance, self.name, data)

    @property
    def related_model(self) -> Any:
        """The class of the documents it refers to."""
        return self.remote_field.model

    def formfield(self, *, using: Any = None, **kwargs: Any) -> Any:
        queryset = self.remote_field.model._default_manager
        return super().formfield(using=using, **{"queryset": queryset, **kwargs})

    def to_python(self, value: Any) -> Any:
        return self.target_field.to_python(value)

    def clean(self, value: Any, model_instance: Any) -> Any:
        return self.to_python(value)


class FileField(DocumentModelField, models.FileField):
    """A file of GridFS. What was sent is stored when the document is saved."""

    form_class: Any = forms.StoredFileField

    def value_from_object(self, obj: Any) -> Any:
        value = getattr(obj, self.name)
        return value if value else None

    def save_form_data(self, instance: Any, data: Any) -> None:
        if data is not None:  # None: nothing was sent; False: the file is taken away
            forms.keep_upload(instance, self.name, data)

    def formfield(self, **kwargs: Any) -> Any:
        return models.Field.formfield(self, **{"form_class": self.form_class, **kwargs})


class ImageField(FileField):
    """An image of GridFS."""

    form_class = forms.StoredImageField


class JSONField(DocumentModelField, models.Field):
    """Anything that has no inputs of its own: extended JSON of what is stored."""

    def get_internal_type(self) -> str:
        return "JSONField"

    def formfield(self, **kwargs: Any) -> Any:
        return super().formfield(
            **{"form_class": forms.ExtendedJSONField, "field": self.document_field, **kwargs}
        )


class ListField(DocumentModelField, models.Field):
    """A list of values, references or embedded documents."""

    @property
    def base_field(self) -> Any:
        """The field of an item."""
        return wrap(self.document_field._item, self.model, self.name)

    @property
    def path_infos(self) -> list[Any]:
        """Where a lookup goes on: for items that are embedded documents."""
        found = getattr(self.base_field, "path_infos", None)
        if found is None:
            raise AttributeError("path_infos")
        return list(found)

    def value_from_object(self, obj: Any) -> Any:
        value = getattr(obj, self.name)
        if isinstance(self.base_field, ReferenceField):
            return [getattr(one, "pk", one) for one in value or ()]
        return value

    def save_form_data(self, instance: Any, data: Any) -> None:
        setattr(instance, self.name, list(data or ()))

    def get_internal_type(self) -> str:
        return "JSONField"

    def formfield(self, **kwargs: Any) -> Any:
        return forms.of_list(self, **kwargs)


class EmbeddedField(DocumentModelField, models.Field):
    """An embedded document: a form inside the form."""

    @property
    def path_infos(self) -> list[Any]:
        """Where a lookup goes on."""
        return [forms.Inside(self.model._meta, self.document_field.document_type._meta)]

    def get_internal_type(self) -> str:
        return "JSONField"

    def formfield(self, **kwargs: Any) -> Any:
        document = self.document_field.document_type
        if forms.holds_itself(document):
            kwargs = {"form_class": forms.ExtendedJSONField, "field": self.document_field, **kwargs}
            return super().formfield(**kwargs)
        kwargs.pop("widget", None)
        return super().formfield(
            **{"form_class": forms.EmbeddedDocumentField, "document": document, **kwargs}
        )


class NoKey(DocumentModelField, models.Field):
    """The primary key that an embedded document has not."""

    def value_from_object(self, obj: Any) -> Any:
        return None

    def formfield(self, **kwargs: Any) -> Any:
        return None


_CLASSES: tuple[tuple[Any, Any], ...] = (
    (documents.ComplexDateTimeField, DateTimeField),
    (documents.EnumField, EnumField),
    (documents.EmailField, EmailField),
    (documents.URLField, URLField),
    (documents.StringField, TextField),
    (documents.IntField, IntegerField),
    (documents.SequenceField, IntegerField),
    (documents.VersionField, IntegerField),
    (documents.FloatField, FloatField),
    (documents.DecimalField, DecimalField),
    (documents.Decimal128Field, DecimalField),
    (documents.BooleanField, BooleanField),
    (documents.DateField, DateField),
    (documents.DateTimeField, DateTimeField),
    (documents.UUIDField, UUIDField),
    (documents.BinaryField, BinaryField),
    (documents.ObjectIdField, ObjectIdField),
    (documents.ReferenceField, ReferenceField),
    (documents.LazyReferenceField, ReferenceField),
    (documents.CachedReferenceField, ReferenceField),
    (documents.ImageField, ImageField),
    (documents.FileField, FileField),
    (documents.EmbeddedDocumentField, EmbeddedField),
)
# What no form can offer inputs for.
_NOT_EDITABLE = (
    documents.SequenceField,
    documents.VersionField,
    documents.BinaryField,
    documents.GenericReferenceField,
    documents.GenericLazyReferenceField,
    documents.GenericEmbeddedDocumentField,
)


def _class_for(field: Any) -> Any:
    if isinstance(field, documents.ListField):
        return JSONField if field.field is None else ListField
    for theirs, ours in _CLASSES:
        if isinstance(field, theirs):
            if ours is TextField and (field.choices or field.max_length):
                return CharField
            return ours
    return JSONField


def model_field(owner: Any, name: str) -> Any:
    """Return the field of that name of a Document class; without a name, the key it has not."""
    if not name:
        made = _placed(NoKey(blank=True), owner, "pk", None)
        made.document_field = BaseField(db_field="pk")
        return made
    return wrap(owner._fields[name], owner, name)


def wrap(field: Any, owner: Any, name: str) -> Any:
    """Return Django's view of a field of a document, or of a list's items."""
    cls = _class_for(field)
    options = _options(field, cls)
    if cls is ReferenceField:
        made = cls(field.document_type, _on_delete(field), related_name="+", **options)
    else:
        made = cls(**options)
    made.document_field = field
    names = list(owner._fields)
    made.creation_counter = names.index(name) if name in names else len(names)
    return _placed(made, owner, name, field.db_field)


def _placed(made: Any, owner: Any, name: str, column: str | None) -> Any:
    made.set_attributes_from_name(name)
    made.column, made.concrete = column or name, True
    made.model = owner
    made.opts = owner._meta
    return made


def _on_delete(field: Any) -> Any:
    rules = {documents.CASCADE: models.CASCADE, documents.DENY: models.PROTECT,
             documents.NULLIFY: models.SET_NULL}  # fmt: skip
    return rules.get(getattr(field, "reverse_delete_rule", documents.DO_NOTHING), models.DO_NOTHING)


def _options(field: Any, cls: Any) -> dict[str, Any]:
    needed = field.required and not field._auto_gen and not field.auto_created
    now = getattr(field, "auto_now", False) or getattr(field, "auto_now_add", False)
    options: dict[str, Any] = {
        "verbose_name": field.verbose_name,
        "help_text": field.help_text or "",
        "primary_key": field.primary_key,
        "unique": bool(field.unique and not field.unique_with),
        "blank": not needed,
        "null": not field.required,
        "db_column": field.db_field,
        "auto_created": field.auto_created,
        "editable": not now and not isinstance(field, _NOT_EDITABLE),
    }
    if field.default is not None and field.default not in (list, dict):
        options["default"] = field.default
    if cls is BooleanField:
        options["null"] = options["null"] and (field.default is None or field.null)
    if cls in (CharField, EmailField, URLField):
        options["max_length"] = field.max_length
    if cls is DecimalField:
        for name in ("max_digits", "decimal_places"):
            options[name] = getattr(field, name, None)
    if cls is EnumField:
        options["choices"] = [(one.value, _label(one)) for one in field.choices]
    elif field.choices and cls is not ListField:
        values = field.choice_values()
        options["choices"] = [(one, field.choice_label(one)) for one in values]
    return options


def _label(member: Any) -> Any:
    return getattr(member, "label", None) or member.name.replace("_", " ").capitalize()
