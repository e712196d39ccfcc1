# SPDX-License-Identifier: Apache-2.0
"""Places in serializers."""

from typing import Any

import pytest

from mongodb import Document
from mongodb.fields import GeoPointField, ListField, PointField, PolygonField
from mongodb.rest_framework.serializers import DocumentSerializer


class Spot(Document):
    at = PointField(required=True)
    flat = GeoPointField()
    area = PolygonField()
    more = ListField(PointField())


class SpotSerializer(DocumentSerializer):
    class Meta:
        model = Spot
        fields = ["at", "flat", "area", "more"]


def test_geojson_goes_in_and_out(connected: str) -> None:
    ring = [[0, 0], [1, 0], [1, 1], [0, 0]]
    sent = {"at": [1, 2], "flat": [3, 4], "area": {"type": "Polygon", "coordinates": [ring]},
            "more": [[5, 6]]}  # fmt: skip
    serializer = SpotSerializer(data=sent)
    serializer.is_valid(raise_exception=True)
    serializer.save()
    shown = {
        "at": {"type": "Point", "coordinates": [1, 2]},
        "flat": [3.0, 4.0],
        "area": {"type": "Polygon", "coordinates": [ring]},
        "more": [{"type": "Point", "coordinates": [5, 6]}],
    }
    assert serializer.data == shown
    assert SpotSerializer(Spot.objects.get()).data == shown
    assert SpotSerializer(Spot.objects, many=True).data == [shown]


@pytest.mark.parametrize(
    ("field", "value", "message"),
    [
        ("at", "x", "Expected GeoJSON"),
        ("at", {"type": "Line", "coordinates": [1, 2]}, "Expected a geometry “Point”"),
        ("at", [1, 2, 3], "two-dimensional"),
        ("flat", {"x": 1}, "list of two numbers"),
        ("flat", [1, "a"], "float or int"),
        ("area", [[[0, 0], [1, 1]]], "start and end"),
    ],
)
def test_what_is_no_place_is_refused(field: str, value: Any, message: str) -> None:
    serializer = SpotSerializer(data={"at": [1, 2], field: value})
    assert not serializer.is_valid()
    assert message in str(serializer.errors[field])
