# SPDX-License-Identifier: Apache-2.0
"""Form fields for MongoDB's own model fields."""

from mongodb.backend.forms.array import SimpleArrayField, SplitArrayField, SplitArrayWidget
from mongodb.backend.forms.embedded import EmbeddedJSONField, EmbeddedModelField
from mongodb.backend.forms.embedded_array import EmbeddedModelArrayField
from mongodb.backend.forms.objectid import ObjectIdField
from mongodb.backend.forms.polymorphic import (
    PolymorphicEmbeddedModelArrayField,
    PolymorphicEmbeddedModelField,
)

__all__ = [
    "EmbeddedJSONField", "EmbeddedModelArrayField", "EmbeddedModelField", "ObjectIdField",
    "PolymorphicEmbeddedModelArrayField", "PolymorphicEmbeddedModelField", "SimpleArrayField",
    "SplitArrayField", "SplitArrayWidget",
]  # fmt: skip
