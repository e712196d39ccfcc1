# SPDX-License-Identifier: Apache-2.0
"""Serializer fields for files in GridFS."""

from typing import Any

from rest_framework import serializers

__all__ = ["FileField", "ImageField"]


class _ById:
    def to_representation(self, value: Any) -> str | None:
        return str(value.grid_id) if getattr(value, "grid_id", None) is not None else None


class FileField(_ById, serializers.FileField):
    """An upload in; out, the id of the file, which asks the store for nothing."""


class ImageField(_ById, serializers.ImageField):
    """The same for images."""
