# SPDX-License-Identifier: Apache-2.0
"""Model fields of MongoDB's own: ObjectIds, arrays, documents within documents."""

import mongodb.backend.urls  # noqa: F401  the patterns' `object_id`, before any pattern is made
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
