# SPDX-License-Identifier: Apache-2.0
"""Names of fields that this version does not have; using one says so."""

from __future__ import annotations

from typing import Any

from mongodb.errors import NotSupportedError
from mongodb.fields.base import BaseField

__all__ = [
    "CachedReferenceField",
    "GenericLazyReferenceField",
    "GenericReferenceField",
    "LazyReferenceField",
]


class _Unsupported(BaseField):
    feature = ""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        raise NotSupportedError(
            f"{type(self).__name__} is not supported yet: {self.feature} come in a later version",
            code=238,
            code_name="NotImplemented",
        )


def _field(name: str, feature: str) -> Any:
    return type(
        name,
        (_Unsupported,),
        {"feature": feature, "__module__": __name__, "__doc__": f"Not supported yet: {feature}."},
    )


GenericReferenceField = _field("GenericReferenceField", "generic references")
GenericLazyReferenceField = _field("GenericLazyReferenceField", "generic references")
LazyReferenceField = _field("LazyReferenceField", "lazy reference objects")
CachedReferenceField = _field("CachedReferenceField", "cached references")
