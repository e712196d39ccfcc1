# SPDX-License-Identifier: Apache-2.0
"""ArrayField: lists of another field's values, stored as BSON arrays."""

from __future__ import annotations

from typing import Any

from django.core import checks
from django.core.exceptions import ValidationError
from django.db.models import Field, Func, IntegerField, JSONField, Transform, Value
from django.db.models.fields.mixins import CheckFieldDefaultMixin
from django.db.models.lookups import Exact, FieldGetDbPrepValueMixin, In, Lookup
from django.utils.functional import cached_property
from django.utils.translation import gettext_lazy as _

from mongodb.backend import forms
from mongodb.backend.fields import values
from mongodb.backend.validators import ArrayMaxLengthValidator, LengthValidator

__all__ = ["Array", "ArrayField", "ElementTransform", "SliceTransform"]


_DELIMITERS = ",|;"  # in forms, from the innermost array outwards


class ArrayField(CheckFieldDefaultMixin, Field):
    """A list. `size` is how many items it has, `max_size` how many it may have."""

    empty_strings_allowed = False
    default_error_messages = {
        "item_invalid": _("Item %(nth)s in the array did not validate:"),
        "nested_array_mismatch": _("Nested arrays must have the same length."),
        "not_a_list": _("“%(value)s” is not a list."),
    }
    _default_hint = ("list", "[]")

    def __init__(
        self, base_field: Any, max_size: int | None = None, size: int | None = None, **kwargs: Any
    ) -> None:
        self.base_field = base_field
        self.max_size = max_size
        self.size = size
        limits: list[Any] = []
        if max_size:
            limits.append(ArrayMaxLengthValidator(max_size))
        if size:
            limits.append(LengthValidator(size))
        self.default_validators = [*self.default_validators, *limits]
        super().__init__(**kwargs)

    # The base field belongs to the model, and has the array's name

    def set_attributes_from_name(self, name: str) -> None:
        super().set_attributes_from_name(name)
        self.base_field.set_attributes_from_name(name)

    def contribute_to_class(self, cls: Any, name: str, **kwargs: Any) -> None:
        super().contribute_to_class(cls, name, **kwargs)
        inner = self.base_field
        while inner is not None:
            inner.model = cls
            if hasattr(inner, "resolve"):
                inner.resolve(cls)
            inner = getattr(inner, "base_field", None)

    @property
    def description(self) -> str:
        return f"Array of {self.base_field.description}"

    @property
    def embeds(self) -> bool:
        """Whether the items are embedded models."""
        return bool(getattr(self.base_field, "embeds", False))

    @property
    def is_flat(self) -> bool:
        """Whether the items are neither arrays nor documents: what an index has keys for."""
        return not (self.embeds or isinstance(self.base_field, (ArrayField, JSONField)))

    def check(self, **kwargs: Any) -> list[Any]:
        found = super().check(**kwargs)
        if self.base_field.remote_field:
            found.append(checks.Error("Base field for array cannot be a related field.",
                                      obj=self, id="mongodb.fields.array.E002"))  # fmt: skip
        else:
            found += self._check_base()
        if self.size and self.max_size:
            found.append(checks.Error("ArrayField cannot have both size and max_size.",
                                      obj=self, id="mongodb.fields.array.E003"))  # fmt: skip
        return found

    def _check_base(self) -> list[Any]:
        of_base = self.base_field.check()
        found = []
        for kind, word, id_ in (
            (checks.Error, "errors", "mongodb.fields.array.E001"),
            (checks.Warning, "warnings", "mongodb.fields.array.W004"),
        ):
            told = "\n    ".join(f"{e.msg} ({e.id})" for e in of_base if isinstance(e, kind))
            if told:
                found.append(
                    kind(f"Base field for array has {word}:\n    {told}", obj=self, id=id_)
                )
        return found

    @classmethod
    def _choices_is_value(cls, value: Any) -> bool:
        return isinstance(value, (list, tuple)) or super()._choices_is_value(value)

    def deconstruct(self) -> Any:
        name, path, args, kwargs = super().deconstruct()
        kwargs["base_field"] = self.base_field.clone()
        for option in ("max_size", "size"):
            if getattr(self, option) is not None:
                kwargs[option] = getattr(self, option)
        return name, values.public_path(path), args, kwargs

    def db_type(self, connection: Any) -> str:
        return "array"

    def get_internal_type(self) -> str:
        return "ArrayField"

    # Values

    def _item(self, value: Any, connection: Any) -> Any:
        if self.embeds:
            return self.base_field.get_db_prep_save(value, connection)
        made = self.base_field.get_db_prep_value(value, connection, prepared=False)
        return values.to_bson(made)

    def get_db_prep_value(self, value: Any, connection: Any, prepared: bool = False) -> Any:
        if isinstance(value, (list, tuple)):
            return [self._item(one, connection) for one in value]
        return value

    def get_db_converters(self, connection: Any) -> list[Any]:
        convert = values.reader(self.base_field, connection)
        converters = super().get_db_converters(connection)
        if convert is None:
            return converters

        def read(value: Any, expression: Any, connection: Any) -> Any:
            return [convert(one) for one in value] if isinstance(value, list) else value

        return [read, *converters]

    def to_python(self, value: Any) -> Any:
        if isinstance(value, str):
            value = values.from_text(value)
            if not isinstance(value, list):
                raise ValidationError(self.error_messages["not_a_list"], "not_a_list",
                                      {"value": value})  # fmt: skip
            value = [self.base_field.to_python(one) for one in value]
        return value

    def value_to_string(self, obj: Any) -> Any:
        items = self.value_from_object(obj)
        if items is None:
            return None
        return values.dumps([values.as_text(self.base_field, one) for one in items])

    # Validation

    def _each_item(self, items: Any, check: Any) -> None:
        wrong: list[Any] = []
        for nth, one in enumerate(items, 1):
            try:
                check(one)
            except ValidationError as error:
                head = self.error_messages["item_invalid"]
                found = values.prefixed(error, head, "item_invalid", {"nth": nth})
                wrong += found.error_list
        if wrong:
            raise values.joined(wrong)

    def validate(self, value: Any, model_instance: Any) -> None:
        super().validate(value, model_instance)
        if value is None:
            return
        if not isinstance(value, (list, tuple)):
            raise ValidationError(self.error_messages["not_a_list"], "not_a_list", {"value": value})
        self._each_item(value, lambda one: self.base_field.validate(one, model_instance))
        if isinstance(self.base_field, ArrayField) and len({len(one or ()) for one in value}) > 1:
            raise ValidationError(
                self.error_messages["nested_array_mismatch"], "nested_array_mismatch"
            )

    def run_validators(self, value: Any) -> None:
        super().run_validators(value)
        if isinstance(value, (list, tuple)):
            self._each_item(value, self.base_field.run_validators)

    def formfield(self, **kwargs: Any) -> Any:
        if self.embeds and self.base_field.is_endless():
            return Field.formfield(self, form_class=forms.EmbeddedJSONField, field=self, **kwargs)
        if self.embeds:
            return super().formfield(**{
                **self.base_field.of_array(), "max_num": self.size or self.max_size,
                "prefix": self.name, **kwargs,
            })  # fmt: skip
        return super().formfield(**{
            "form_class": forms.SimpleArrayField, "base_field": self.base_field.formfield(),
            "delimiter": _DELIMITERS[min(self._depth(), len(_DELIMITERS) - 1)],
            "max_length": self.max_size, "length": self.size, **kwargs,
        })  # fmt: skip

    def _depth(self) -> int:
        """How many levels of arrays are within this one."""
        inner = self.base_field
        return 1 + inner._depth() if isinstance(inner, ArrayField) else 0

    # Lookups

    def get_transform(self, name: str) -> Any:
        found = super().get_transform(name)
        if found is not None:
            return found
        start, _, end = name.partition("_")
        if start.isdecimal() and not _:
            return lambda lhs: ElementTransform(int(start), self.base_field, lhs)
        if start.isdecimal() and end.isdecimal():
            return lambda lhs: SliceTransform(int(start), int(end), lhs)
        return None


# Transforms


class ElementTransform(Transform):
    """`tags__0`: one item of an array."""

    def __init__(self, at: int, base_field: Any, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, output_field=base_field, **kwargs)
        self.at = at

    def as_sql(self, compiler: Any, connection: Any, **extra: Any) -> Any:  # type: ignore[override]
        sql, params = compiler.compile(self.lhs)
        return f"PATH({sql}, {self.at})", params


class SliceTransform(Transform):
    """`tags__0_2`: the items from one position to before another."""

    def __init__(self, start: int, end: int, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.start, self.end = start, end

    def as_sql(self, compiler: Any, connection: Any, **extra: Any) -> Any:  # type: ignore[override]
        sql, params = compiler.compile(self.lhs)
        return f"ARRAY_SLICE({sql}, {self.start}, {self.end})", params


@ArrayField.register_lookup
class ArrayLength(Transform):
    """`tags__len`: how many items there are."""

    lookup_name = "len"
    function = "ARRAY_LEN"

    @cached_property
    def output_field(self) -> Any:
        field = IntegerField()
        field.name = f"{getattr(self.lhs.output_field, 'name', 'array')}__len"  # for its messages
        return field


class Array(Func):
    """An array of expressions."""

    function = "ARRAY"


# Lookups


class _ArrayLookup(FieldGetDbPrepValueMixin):
    """A lookup whose other side is an array: a list, of expressions too, or an expression."""

    def __init__(self, lhs: Any, rhs: Any) -> None:
        field = lhs.output_field
        several = isinstance(self, In)
        if not several and isinstance(rhs, (list, tuple)) and any(map(_is_expression, rhs)):
            base = field.base_field
            items = (one if _is_expression(one) else Value(one, output_field=base) for one in rhs)
            rhs = Array(*items, output_field=field)
        super().__init__(lhs, rhs)  # type: ignore[call-arg]

    def process_lhs(self, compiler: Any, connection: Any, lhs: Any = None) -> Any:
        sql, params = super().process_lhs(compiler, connection, lhs)  # type: ignore[misc]
        field = self.lhs.output_field  # type: ignore[attr-defined]
        if isinstance(field, ArrayField) and not field.is_flat:
            # the match language takes an array for one of its items too
            sql = f"WHOLE({sql})"
        return sql, params


def _is_expression(value: Any) -> bool:
    return hasattr(value, "resolve_expression")


def _check_list(lookup: Any, value: Any, of: str) -> None:
    if not _is_expression(value) and not isinstance(value, (list, tuple, set, frozenset)):
        name = getattr(lookup.lhs.output_field, "name", None) or "an array"
        hint = f"; {name}__contains=[{value!r}] asks for one item" if of == "values" else ""
        raise ValueError(
            f"{lookup.lookup_name} of {name} takes a list of {of}, not {value!r}{hint}"
        )


class _ArrayTest(_ArrayLookup, Lookup):
    function: str

    def get_prep_lookup(self) -> Any:
        _check_list(self, self.rhs, "values")
        return super().get_prep_lookup()

    def as_sql(self, compiler: Any, connection: Any) -> Any:
        left, left_params = self.process_lhs(compiler, connection)
        right, right_params = self.process_rhs(compiler, connection)
        return f"{self.function}({left}, {right})", (*left_params, *right_params)


@ArrayField.register_lookup
class ArrayContains(_ArrayTest):
    """All the given values are among the items."""

    lookup_name = "contains"
    function = "ARRAY_CONTAINS"


@ArrayField.register_lookup
class ArrayContainedBy(_ArrayTest):
    """All items are among the given values."""

    lookup_name = "contained_by"
    function = "ARRAY_WITHIN"


@ArrayField.register_lookup
class ArrayOverlap(_ArrayTest):
    """Some item is among the given values; of a query, among the items of any of its rows."""

    lookup_name = "overlap"
    function = "ARRAY_OVERLAPS"

    def process_rhs(self, compiler: Any, connection: Any) -> Any:
        sql, params = super().process_rhs(compiler, connection)
        return (f"ARRAY_ROWS({sql})" if sql.startswith("(SELECT") else sql), params


@ArrayField.register_lookup
class ArrayExact(_ArrayLookup, Exact):
    """The items are the given values, in their order."""

    def get_prep_lookup(self) -> Any:
        if self.rhs is not None:
            _check_list(self, self.rhs, "values")
        return super().get_prep_lookup()


@ArrayField.register_lookup
class ArrayIn(_ArrayLookup, In):
    """The array is one of the given arrays."""

    def get_prep_lookup(self) -> Any:
        _check_list(self, self.rhs, "lists")
        if not _is_expression(self.rhs):
            for one in self.rhs:
                if one is not None:
                    _check_list(self, one, "lists")
        return super().get_prep_lookup()
