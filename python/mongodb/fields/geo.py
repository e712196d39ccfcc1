# SPDX-License-Identifier: Apache-2.0
"""Fields that hold places: GeoJSON geometries, and pairs of the older `2d` indexes."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from mongodb.fields.base_field import BaseField

__all__ = [
    "GeoJsonBaseField",
    "GeoPointField",
    "LineStringField",
    "MultiLineStringField",
    "MultiPointField",
    "MultiPolygonField",
    "PointField",
    "PolygonField",
]


def _is_number(value: Any) -> bool:
    return isinstance(value, (int, float))


def _point(value: Any) -> str | None:
    """Return what is wrong with a position, or None."""
    if not isinstance(value, (list, tuple)):
        return "Points must be a list of coordinate pairs"
    if len(value) != 2:
        return f"Value ({value!r}) must be a two-dimensional point"
    if not all(_is_number(one) for one in value):
        return f"Both values ({value!r}) in point must be float or int"
    if not all(math.isfinite(one) for one in value):
        return f"Both values ({value!r}) in point must be finite numbers"
    return None


def _starts(value: Any, depth: int) -> bool:
    """Whether there is something so many lists deep."""
    for _ in range(depth):
        if not isinstance(value, (list, tuple)) or not value:
            return False
        value = value[0]
    return True


def _each(check: Callable[[Any], str | None], values: Iterable[Any]) -> str | None:
    """Return what is wrong with the parts, each fault once."""
    found = [error for error in map(check, values) if error]
    return ", ".join(dict.fromkeys(found)) or None


def _line(value: Any) -> str | None:
    if not isinstance(value, (list, tuple)):
        return "LineStrings must contain list of coordinate pairs"
    if not _starts(value, 2):
        return "Invalid LineString must contain at least one valid point"
    return _each(_point, value)


def _ring(value: Any) -> str | None:
    wrong = _line(value)
    if wrong is None and list(value[0]) != list(value[-1]):
        return "LineStrings must start and end at the same point"
    return wrong


def _polygon(value: Any) -> str | None:
    if not isinstance(value, (list, tuple)):
        return "Polygons must contain list of linestrings"
    if not _starts(value, 3):
        return "Invalid Polygon must contain at least one valid linestring"
    return _each(_ring, value)


class GeoJsonBaseField(BaseField):
    """A geometry; given as GeoJSON or as its coordinates, stored as GeoJSON.

    It gets a 2dsphere index unless `auto_index` is False.
    """

    kind = "python"
    _type = "GeoBase"
    _geo_index: str | bool = "2dsphere"
    _depth = 0  # lists above the numbers
    _parts = ""
    _check: Callable[[Any], str | None] = staticmethod(_point)

    def __init__(self, auto_index: bool = True, *args: Any, **kwargs: Any) -> None:
        self._name = f"{self._type}Field"
        self.auto_index = auto_index
        if not auto_index:
            self._geo_index = False
        super().__init__(*args, **kwargs)

    def validate(self, value: Any, clean: bool = True) -> None:
        if isinstance(value, Mapping):
            if value.keys() != {"type", "coordinates"}:
                self.error(
                    f"{self._name} can only accept a valid GeoJson dictionary or lists of (x, y)"
                )
            if value["type"] != self._type:
                self.error(f'{self._name} type must be "{self._type}"')
            value = value["coordinates"]
        if not isinstance(value, (list, tuple)):
            self.error(f"{self._name} can only accept lists of [x, y]")
        wrong = self._fault(value)
        if wrong:
            self.error(wrong)

    def _fault(self, value: Any) -> str | None:
        """Return what is wrong with coordinates, or None."""
        if self._depth and not _starts(value, self._depth):
            return f"Invalid {self._type} must contain at least one valid {self._parts}"
        wrong = _each(type(self)._check, value) if self._parts else type(self)._check(value)
        return f"Invalid {self._type}:\n{wrong}" if wrong and self._headed else wrong

    _headed = True

    def to_mongo(self, value: Any) -> Any:
        if value is None or isinstance(value, Mapping):
            return value
        return {"type": self._type, "coordinates": value}

    def prepare_query_value(self, op: str | None, value: Any) -> Any:
        if value is None:
            return None
        self.validate(value)
        return self.to_mongo(value)


class PointField(GeoJsonBaseField):
    """A point: [longitude, latitude]."""

    kind = "python"
    _type = "Point"
    _headed = False


class LineStringField(GeoJsonBaseField):
    """A line: a list of points."""

    kind = "python"
    _type = "LineString"
    _depth, _parts = 2, "point"


class PolygonField(GeoJsonBaseField):
    """A polygon: its outline and then its holes, each a line that ends where it starts."""

    kind = "python"
    _type = "Polygon"
    _depth, _parts = 3, "linestring"
    _check = staticmethod(_ring)


class MultiPointField(GeoJsonBaseField):
    """A list of points."""

    kind = "python"
    _type = "MultiPoint"
    _depth, _parts = 2, "point"
    _headed = False


class MultiLineStringField(GeoJsonBaseField):
    """A list of lines."""

    kind = "python"
    _type = "MultiLineString"
    _depth, _parts = 3, "linestring"
    _check = staticmethod(_line)


class MultiPolygonField(GeoJsonBaseField):
    """A list of polygons."""

    kind = "python"
    _type = "MultiPolygon"
    _depth, _parts = 4, "Polygon"
    _check = staticmethod(_polygon)


class GeoPointField(BaseField):
    """A pair (x, y) on a plane, stored as it is, with a `2d` index."""

    kind = "python"
    _geo_index: str | bool = "2d"

    def validate(self, value: Any, clean: bool = True) -> None:
        if not isinstance(value, (list, tuple)):
            self.error("GeoPointField can only accept tuples or lists of (x, y)")
        wrong = _point(value)
        if wrong:
            self.error(wrong)

    def prepare_query_value(self, op: str | None, value: Any) -> Any:
        if value is not None:
            self.validate(value)
        return value
