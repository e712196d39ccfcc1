# SPDX-License-Identifier: Apache-2.0
"""Fields."""

from __future__ import annotations

from mongodb import fields as _fields
from mongodb.fields import *  # noqa: F403
from mongodb.fields.base import BaseField
from mongodb.fields.nested import ComplexBaseField

RECURSIVE_REFERENCE_CONSTANT = "self"

__all__ = sorted(  # noqa: PLE0605
    {*_fields.__all__, "BaseField", "ComplexBaseField"}
    - {"CASCADE", "DENY", "DO_NOTHING", "NULLIFY", "PULL", "BaseField", "ComplexBaseField"}
)
_ = (BaseField, ComplexBaseField)
