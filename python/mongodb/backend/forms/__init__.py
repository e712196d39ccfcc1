# SPDX-License-Identifier: Apache-2.0
"""Form fields for MongoDB's own model fields."""

from mongodb.backend.forms.array import SimpleArrayField, SplitArrayField, SplitArrayWidget
from mongodb.backend.forms.embedded import EmbeddedModelField
from mongodb.backend.forms.embedded_array import EmbeddedModelArrayField
from mongodb.backend.forms.objectid import ObjectIdField

__all__ = [
    "EmbeddedModelArrayField", "EmbeddedModelField", "ObjectIdField", "SimpleArrayField",
    "SplitArrayField", "SplitArrayWidget",
]  # fmt: skip
