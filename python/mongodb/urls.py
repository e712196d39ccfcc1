# SPDX-License-Identifier: Apache-2.0
"""ObjectIds in URL patterns: `path("author/<object_id:pk>/", …)`."""

from __future__ import annotations

from bson import ObjectId
from django.urls import register_converter

__all__ = ["ObjectIdConverter"]


class ObjectIdConverter:
    """24 hexadecimal digits."""

    regex = "[0-9a-fA-F]{24}"

    def to_python(self, value: str) -> ObjectId:
        return ObjectId(value)

    def to_url(self, value: ObjectId) -> str:
        return str(value)


register_converter(ObjectIdConverter, "object_id")
