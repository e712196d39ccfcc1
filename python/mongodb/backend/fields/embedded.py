# SPDX-License-Identifier: Apache-2.0
"""EmbeddedModelField: a model's instance stored as a document within the row's."""

from __future__ import annotations

from typing import Any

from django.core import checks
from django.core.exceptions import FieldDoesNotExist, ValidationError
from django.db.models import Field
from django.db.models.fields.related import lazy_related_operation
from django.db.models.lookups import Exact, In, IsNull
from django.forms import JSONField

from mongodb.backend import forms
from mongodb.backend.fields import untyped, values
from mongodb.backend.fields.transforms import PathTransform, unknown_field

__all__ = ["EmbeddedModelField", "Embedding", "instance_of"]


class Embedding(Field):
    """What fields of one embedded model and of one of several have in common."""

    embeds = True
    is_of_one_model = True
    stores_model_instance = True
    empty_strings_allowed = False

    def models(self) -> tuple[Any, ...]:
        """Return the models whose instances may be embedded."""
        raise NotImplementedError

    def expected(self) -> Any:
        """Return what isinstance() is asked."""
        raise NotImplementedError

    def contribute_to_class(self, cls: Any, name: str, **kwargs: Any) -> None:
        super().contribute_to_class(cls, name, **kwargs)
        self.resolve(cls)

    def resolve(self, cls: Any) -> None:
        """Look up, as soon as they are there, the models that are named lazily."""
        raise NotImplementedError

    def db_type(self, connection: Any) -> str:
        return "object"

    def check(self, **kwargs: Any) -> list[Any]:
        from mongodb.backend.models import EmbeddedModel

        found = super().check(**kwargs)
        for model in self.models():
            if not (isinstance(model, type) and issubclass(model, EmbeddedModel)):
                found.append(checks.Error(
                    "Embedded models must be a subclass of "
                    f"{EmbeddedModel.__module__}.EmbeddedModel.",
                    obj=self, id="mongodb.fields.embedded_model.E002",
                ))  # fmt: skip
                continue
            found += [
                checks.Error(
                    f"Embedded models cannot have relations to many ({model.__name__}."
                    f"{field.name} is a {type(field).__name__}).",
                    hint="Use an ArrayField of keys, or an embedded array.",
                    obj=self, id="mongodb.fields.embedded_model.E001",
                )
                for field in model._meta.local_many_to_many
            ]  # fmt: skip
        return found

    # Values

    def to_python(self, value: Any) -> Any:
        return self.parse(values.from_text(value)) if isinstance(value, str) else value

    def parse(self, value: Any) -> Any:
        """Return the instance of a serializer's document."""
        raise NotImplementedError

    def _checked(self, value: Any) -> Any:
        if not isinstance(value, self.expected()):
            raise TypeError(f"Expected instance of type {self.expected()!r}, not {type(value)!r}.")
        return value

    def get_db_prep_save(self, value: Any, connection: Any) -> Any:
        if value is None or hasattr(value, "as_sql"):
            return value
        return self.document(self._checked(value), connection, saving=True)

    def get_db_prep_value(self, value: Any, connection: Any, prepared: bool = False) -> Any:
        if value is None or (isinstance(value, dict) and self.models()):
            return value
        return self.document(self._checked(value), connection, saving=False)

    def document(self, value: Any, connection: Any, *, saving: bool) -> dict[str, Any]:
        return values.write_model(value, connection, saving=saving)

    def value_to_string(self, obj: Any) -> Any:
        value = self.value_from_object(obj)
        return None if value is None else values.dumps(self.plain(value))

    def plain(self, value: Any) -> Any:
        """Return an instance as a serializer's document, by its fields' names."""
        fields = [f for f in type(value)._meta.concrete_fields
                  if not f.primary_key or getattr(value, f.attname) is not None]  # fmt: skip
        return {f.name: values.as_text(f, getattr(value, f.attname)) for f in fields}

    # Validation

    def validate(self, value: Any, model_instance: Any) -> None:
        super().validate(value, model_instance)
        if value is None:
            return
        if not isinstance(value, self.expected()):
            raise ValidationError(
                f"Expected instance of type {self.expected()!r}, not {type(value)!r}."
            )
        if isinstance(value, dict):
            return
        try:
            value.full_clean(validate_unique=False, validate_constraints=False)
        except ValidationError as error:
            raise values.nested_error(error) from None

    # Forms

    def formfield(self, **kwargs: Any) -> Any:
        if self.is_endless():
            return Field.formfield(self, form_class=forms.EmbeddedJSONField, field=self, **kwargs)
        return super().formfield(**{**self.form(), **kwargs})

    def is_endless(self) -> bool:
        """Whether forms within forms would have no end: the model is within what it embeds."""
        seen: set[Any] = set()
        ahead = list(self.models())
        while ahead:
            model = ahead.pop()
            if model is getattr(self, "model", None):
                return True
            if model not in seen:
                seen.add(model)
                inner = (getattr(one, "base_field", one) for one in model._meta.concrete_fields)
                ahead += [below for one in inner for below in getattr(one, "models", tuple)()]
        return False

    def form(self) -> dict[str, Any]:
        """Return what makes the form field."""
        raise NotImplementedError

    # Lookups

    def get_lookup(self, name: str) -> Any:
        # other names are those of the embedded model's fields
        return {"exact": Exact, "in": In, "isnull": IsNull}.get(name)

    def get_transform(self, name: str) -> Any:
        field = self.subfield(name)
        return lambda lhs: PathTransform(field, lhs)

    def subfield(self, name: str) -> Any:
        """Return the embedded model's field. Raises FieldError that names those there are."""
        raise NotImplementedError


class EmbeddedModelField(Embedding):
    """An embedded model's instance. `embedded_model` is the class or a lazy reference to it;
    without one the value is a dict of anything that BSON holds."""

    def __init__(self, embedded_model: Any = None, *args: Any, **kwargs: Any) -> None:
        self.embedded_model = embedded_model
        super().__init__(*args, **kwargs)

    def models(self) -> tuple[Any, ...]:
        return () if self.embedded_model is None else (self.embedded_model,)

    def expected(self) -> Any:
        return self.embedded_model or dict

    def get_internal_type(self) -> str:
        return "EmbeddedModelField"

    def resolve(self, cls: Any) -> None:
        """Look the model up as soon as it is there, when it is named lazily."""
        if isinstance(self.embedded_model, str) and not cls._meta.abstract:
            lazy_related_operation(self._resolved, cls, self.embedded_model, field=self)

    def _resolved(self, cls: Any, model: Any, field: Any = None) -> None:
        self.embedded_model = model

    def deconstruct(self) -> Any:
        name, path, args, kwargs = super().deconstruct()
        if self.embedded_model is not None:
            kwargs["embedded_model"] = values.reference(self.embedded_model)
        return name, values.public_path(path), args, kwargs

    def replace_model(self, is_it: Any, new: Any) -> None:
        """Embed `new` in the place of the model for which `is_it(model)` holds."""
        if is_it(self.embedded_model):
            self.embedded_model = new

    # Values

    def document(self, value: Any, connection: Any, *, saving: bool) -> dict[str, Any]:
        if self.embedded_model is None:
            return untyped.as_bson(value)  # type: ignore[no-any-return]
        return super().document(value, connection, saving=saving)

    def get_db_converters(self, connection: Any) -> list[Any]:
        convert = untyped.from_bson
        if self.embedded_model is not None:
            convert = values.model_reader(self.embedded_model, connection)
        converters = super().get_db_converters(connection)
        return [lambda value, expression, connection: convert(value), *converters]

    def to_python(self, value: Any) -> Any:
        if self.embedded_model is None and isinstance(value, str):
            return untyped.from_bson(untyped.from_text(value))
        return super().to_python(value)

    def plain(self, value: Any) -> Any:
        if self.embedded_model is None:
            return untyped.plain(value)
        return super().plain(value)

    def parse(self, value: Any) -> Any:
        if not isinstance(value, dict):
            return value
        if self.embedded_model is None:
            return untyped.from_bson(untyped.from_text(values.dumps(value)))
        return instance_of(self.embedded_model, value)

    def get_transform(self, name: str) -> Any:
        return untyped.below(name) if self.embedded_model is None else super().get_transform(name)

    def subfield(self, name: str) -> Any:
        if self.embedded_model is None:
            return untyped.AnyField(name)
        meta = self.embedded_model._meta
        try:
            field = meta.pk if name == "pk" else meta.get_field(name)
        except FieldDoesNotExist:
            field = None
        if field is None or not field.concrete:
            raise unknown_field(self.embedded_model, name)
        return field

    # Forms

    def form(self) -> dict[str, Any]:
        if self.embedded_model is None:
            return {"form_class": JSONField}
        return {"form_class": forms.EmbeddedModelField, "model": self.embedded_model,
                "prefix": self.name}  # fmt: skip

    def of_array(self) -> dict[str, Any]:
        """Return what makes the form field of an array of these."""
        return {"form_class": forms.EmbeddedModelArrayField, "model": self.embedded_model}


def instance_of(model: Any, document: dict[str, Any]) -> Any:
    """Return an instance of a serializer's document."""
    known = {field.name: field for field in model._meta.concrete_fields}
    strange = set(document) - set(known)
    if strange:
        raise ValidationError(f"{model.__name__} has no field named {', '.join(sorted(strange))}.")
    return model(**{known[name].attname: _parsed(known[name], value)
                    for name, value in document.items()})  # fmt: skip


def _parsed(field: Any, value: Any) -> Any:
    """Return a field's value, which may be text, or a document or an array of them as they are."""
    base = getattr(field, "base_field", field)
    if getattr(base, "embeds", False) and isinstance(value, (dict, list)):
        return [base.parse(one) for one in value] if isinstance(value, list) else base.parse(value)
    return field.to_python(value)
