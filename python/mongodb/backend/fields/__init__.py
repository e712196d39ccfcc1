# SPDX-License-Identifier: Apache-2.0
"""Model fields of MongoDB's own: ObjectIds, arrays, documents within documents."""

from mongodb.backend.fields.array import Array, ArrayField
from mongodb.backend.fields.embedded import EmbeddedModelField
from mongodb.backend.fields.embedded_array import EmbeddedModelArrayField
from mongodb.backend.fields.objectid import ObjectIdAutoField, ObjectIdField
from mongodb.backend.fields.polymorphic import (
    PolymorphicEmbeddedModelArrayField,
    PolymorphicEmbeddedModelField,
)
from mongodb.backend.fields.regex import RegexField

__all__ = [
    "Array", "ArrayField", "EmbeddedModelArrayField", "EmbeddedModelField", "ObjectIdAutoField",
    "ObjectIdField", "PolymorphicEmbeddedModelArrayField", "PolymorphicEmbeddedModelField",
    "RegexField",
]  # fmt: skip
