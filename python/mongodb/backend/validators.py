# SPDX-License-Identifier: Apache-2.0
"""How long arrays may be."""

from __future__ import annotations

from typing import Any

from django.core import validators
from django.utils.deconstruct import deconstructible
from django.utils.translation import ngettext_lazy

__all__ = ["ArrayMaxLengthValidator", "ArrayMinLengthValidator", "LengthValidator"]


def _message(bound: str) -> Any:
    rest = f"it should contain {bound}%(limit_value)d."
    return ngettext_lazy(
        f"List contains %(show_value)d item, {rest}",
        f"List contains %(show_value)d items, {rest}",
        "show_value",
    )


class ArrayMaxLengthValidator(validators.MaxLengthValidator):
    """At most so many items."""

    message = _message("no more than ")


class ArrayMinLengthValidator(validators.MinLengthValidator):
    """At least so many items."""

    message = _message("no fewer than ")


@deconstructible
class LengthValidator(validators.MaxLengthValidator):
    """Just so many items."""

    message = _message("")
    code = "length"

    def compare(self, a: Any, b: Any) -> bool:
        return bool(a != b)
