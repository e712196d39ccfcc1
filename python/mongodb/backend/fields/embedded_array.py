# SPDX-License-Identifier: Apache-2.0
"""EmbeddedModelArrayField: a list of an embedded model's instances."""

from __future__ import annotations

from typing import Any

from mongodb.backend.fields import values
from mongodb.backend.fields.array import ArrayField, ArrayLength
from mongodb.backend.fields.embedded import EmbeddedModelField
from mongodb.backend.fields.transforms import EachTransform

__all__ = ["EmbeddedModelArrayField", "EmbeddingArray"]


class EmbeddingArray(ArrayField):
    """What arrays of one embedded model and of one of several have in common."""

    def __init__(self, base_field: Any, **kwargs: Any) -> None:
        if "size" in kwargs:
            raise ValueError(f"{type(self).__name__} does not support size.")
        super().__init__(base_field, **kwargs)

    def get_db_prep_value(self, value: Any, connection: Any, prepared: bool = False) -> Any:
        if value is not None and not isinstance(value, (list, tuple)):
            raise TypeError(
                f"Expected list of {self.base_field.expected()!r} instances, not {type(value)!r}."
            )
        return super().get_db_prep_value(value, connection, prepared)

    def to_python(self, value: Any) -> Any:
        if isinstance(value, str):
            return [self.base_field.parse(one) for one in values.from_text(value)]
        return value

    def value_to_string(self, obj: Any) -> Any:
        items = self.value_from_object(obj)
        if items is None:
            return None
        return values.dumps([None if one is None else self.base_field.plain(one) for one in items])

    # Lookups

    def get_lookup(self, name: str) -> Any:
        found = super().get_lookup(name)
        if found in (None, ArrayLength) or name == "isnull":
            return None if found is ArrayLength else found
        return self._refuse

    def _refuse(self, lhs: Any, rhs: Any) -> Any:
        raise ValueError(
            f"Lookups aren't supported on {type(self).__name__}. "
            "Try querying one of its embedded fields instead."
        )

    def get_transform(self, name: str) -> Any:
        # names are those of the embedded model's fields, but for len, positions and slices
        if name == "len":
            return ArrayLength
        found = None if name[:1].isalpha() else super().get_transform(name)
        if found is not None:
            return found
        field = self.base_field.subfield(name)
        return lambda lhs: EachTransform(field, (field.column,), type(self).__name__, lhs)


class EmbeddedModelArrayField(EmbeddingArray):
    """A list of instances. `embedded_model` is the class or a lazy reference to it."""

    def __init__(self, embedded_model: Any, **kwargs: Any) -> None:
        super().__init__(EmbeddedModelField(embedded_model), **kwargs)

    @property
    def embedded_model(self) -> Any:
        return self.base_field.embedded_model

    def get_internal_type(self) -> str:
        return "EmbeddedModelArrayField"

    def deconstruct(self) -> Any:
        name, path, args, kwargs = super().deconstruct()
        del kwargs["base_field"]
        kwargs["embedded_model"] = values.reference(self.embedded_model)
        return name, path, args, kwargs
