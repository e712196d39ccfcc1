# SPDX-License-Identifier: Apache-2.0
"""Lookups on places: `near` with its distances, `geo_within` and their older names."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any, NamedTuple

from mongodb.errors import InvalidQueryError

__all__ = ["DISTANCES", "OPERATORS", "DistanceMet", "LoneDistance", "condition", "grouped"]

_NEAR = {"near": "$near", "near_sphere": "$nearSphere"}
_SHAPES = {
    "within_box": "$box", "geo_within_box": "$box",
    "within_polygon": "$polygon", "geo_within_polygon": "$polygon",
    "within_distance": "$center", "geo_within_center": "$center",
    "within_spherical_distance": "$centerSphere", "geo_within_sphere": "$centerSphere",
}  # fmt: skip
DISTANCES = {"max_distance": "$maxDistance", "min_distance": "$minDistance"}
OPERATORS = frozenset({*_NEAR, *_SHAPES, *DISTANCES, "geo_within", "geo_intersects"})
_UNTYPED = frozenset({"dynamic", "dict", "embedded"})
_TYPES = (None, "Point", "LineString", "Polygon", "MultiPolygon")


class DistanceMet(Exception):  # noqa: N818
    """A distance among lookups: it says nothing alone, see `grouped`."""


class LoneDistance(InvalidQueryError):
    """A distance without the place that it is measured from."""


class Around(NamedTuple):
    """A place and how far from it."""

    place: Any
    distances: dict[str, Any]


def grouped(lookups: Mapping[str, Any]) -> dict[str, Any]:
    """Return the lookups with each distance beside the place that it is measured from."""
    out = dict(lookups)
    for name, value in lookups.items():
        path, _, op = name.rpartition("__")
        if op not in DISTANCES or not path:
            continue
        near = next((f"{path}__{word}" for word in _NEAR if f"{path}__{word}" in out), None)
        if near is None:
            raise LoneDistance(f"{name} needs {path}__near or {path}__near_sphere beside it")
        if not _is_number(value) or value < 0:
            raise InvalidQueryError(f"{name} takes a number that is not negative, not {value!r}")
        place = out[near] if isinstance(out[near], Around) else Around(out[near], {})
        out[near] = Around(place.place, {**place.distances, DISTANCES[op]: value})
        del out[name]
    return out


def condition(field: Any, op: str, value: Any) -> Any:
    """Return MongoDB's condition; TypeError for a value that is no such place."""
    inner = field
    while inner is not None and inner.kind == "list" and inner._item is not None:
        inner = inner._item
    index = getattr(inner, "_geo_index", None)
    pairs = index is None and field is not None and field.kind == "list"
    if not pairs and index is None and inner is not None and inner.kind not in _UNTYPED:
        raise TypeError(f"{op} is for geographic fields, not for a {type(inner).__name__}")
    planar = pairs or index == "2d"
    if op in _NEAR:
        place, distances = value if isinstance(value, Around) else (value, {})
        return _near(_NEAR[op], planar, place, distances)
    if op in _SHAPES:
        shape = _SHAPES[op]
        _check_shape(op, shape, value)
        return {"$geoWithin": {shape: value}}
    name = "$geoWithin" if op == "geo_within" else "$geoIntersects"
    return {name: _geometry(op, value)}


def _near(name: str, planar: bool, place: Any, distances: dict[str, Any]) -> dict[str, Any]:
    if planar and not isinstance(place, Mapping):
        if not _is_pair(place):
            raise TypeError(f"{name[1:]} takes a point (x, y), not {place!r}")
        return {name: list(place), **distances}
    return {name: {**_geometry(name[1:], place), **distances}}


def _check_shape(op: str, shape: str, value: Any) -> None:
    if not isinstance(value, (list, tuple)):
        raise TypeError(f"{op} takes a list, not {value!r}")
    if shape == "$box" and (len(value) != 2 or not all(_is_pair(one) for one in value)):
        raise TypeError(f"{op} takes two corners [[x1, y1], [x2, y2]], not {value!r}")
    if shape == "$polygon" and (len(value) < 3 or not all(_is_pair(one) for one in value)):
        raise TypeError(f"{op} takes three or more points [[x, y], ...], not {value!r}")
    if shape in ("$center", "$centerSphere") and not (
        len(value) == 2 and _is_pair(value[0]) and _is_number(value[1]) and value[1] >= 0
    ):
        raise TypeError(f"{op} takes a point and a distance [[x, y], distance], not {value!r}")


def _geometry(op: str, value: Any) -> dict[str, Any]:
    """Return {"$geometry": ...} of GeoJSON or of nested coordinates."""
    if isinstance(value, Mapping):
        if "$geometry" in value:
            return dict(value)
        if "type" in value and "coordinates" in value:
            return {"$geometry": dict(value)}
        raise TypeError(f"{op} takes GeoJSON with type and coordinates, not {value!r}")
    depth, inner = 0, value
    while isinstance(inner, (list, tuple)) and inner:
        depth, inner = depth + 1, inner[0]
    if not 0 < depth < len(_TYPES) or not _is_number(inner):
        raise TypeError(f"{op} takes GeoJSON or (nested) lists of coordinates, not {value!r}")
    return {"$geometry": {"type": _TYPES[depth], "coordinates": value}}


def _is_number(value: Any) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool) and math.isfinite(value)


def _is_pair(value: Any) -> bool:
    return isinstance(value, (list, tuple)) and len(value) == 2 and all(map(_is_number, value))
