# SPDX-License-Identifier: Apache-2.0
"""Serializer fields for places."""

from collections.abc import Mapping
from typing import Any

from django.utils.translation import gettext_lazy as _
from rest_framework import serializers

from mongodb import fields as odm
from mongodb.errors import ValidationError

from .fields import plain

__all__ = ["GeoJSONField", "GeoPointField"]

GEOMETRIES: dict[str, type[odm.GeoJsonBaseField]] = {
    vars(field)["_type"]: field
    for field in (
        odm.PointField,
        odm.LineStringField,
        odm.PolygonField,
        odm.MultiPointField,
        odm.MultiLineStringField,
        odm.MultiPolygonField,
    )
}


class GeoPointField(serializers.Field):
    """A pair [x, y]."""

    default_error_messages = {
        "not_a_list": _("Expected a list of two numbers but got type “{input_type}”.")
    }

    def to_internal_value(self, data: Any) -> Any:
        if not isinstance(data, list | tuple):
            self.fail("not_a_list", input_type=type(data).__name__)
        check(odm.GeoPointField(), data)
        return [float(one) for one in data]

    def to_representation(self, value: Any) -> Any:
        return plain(value)


class GeoJSONField(serializers.Field):
    """A geometry: GeoJSON out; GeoJSON, or only its coordinates, in."""

    default_error_messages = {
        "invalid_type": _("Expected GeoJSON or a list of coordinates but got “{input_type}”."),
        "invalid_geotype": _("Expected a geometry “{expected}” but got “{geo_type}”."),
    }

    def __init__(self, geo_type: str, **kwargs: Any) -> None:
        if geo_type not in GEOMETRIES:
            raise ValueError(f"geo_type is one of {', '.join(GEOMETRIES)}, not {geo_type!r}")
        self.geo_type = geo_type
        super().__init__(**kwargs)

    def to_internal_value(self, data: Any) -> Any:
        if isinstance(data, Mapping):
            if not {"type", "coordinates"} <= data.keys():
                self.fail("invalid_type", input_type=", ".join(map(str, data)) or "{}")
            if data["type"] != self.geo_type:
                self.fail("invalid_geotype", expected=self.geo_type, geo_type=data["type"])
            data = data["coordinates"]
        if not isinstance(data, list | tuple):
            self.fail("invalid_type", input_type=type(data).__name__)
        check(GEOMETRIES[self.geo_type](), data)
        return data

    def to_representation(self, value: Any) -> Any:
        if isinstance(value, Mapping):
            return plain(value)
        return {"type": self.geo_type, "coordinates": plain(value)}


def check(field: Any, value: Any) -> None:
    """Raise DRF's error for a value that a document's field refuses."""
    try:
        field.validate(value)
    except ValidationError as error:
        raise serializers.ValidationError(error.message) from error
