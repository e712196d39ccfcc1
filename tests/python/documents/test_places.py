# SPDX-License-Identifier: Apache-2.0
"""Geographic fields, their indexes and lookups; text search."""

from typing import Any

import bson
import pytest

import mongodb
from mongodb import Document, EmbeddedDocument, get_db
from mongodb.errors import (
    InvalidDocumentError,
    InvalidQueryError,
    NotSupportedError,
    ValidationError,
)
from mongodb.fields import (
    EmbeddedDocumentField,
    FloatField,
    GenericReferenceField,
    GeoPointField,
    LineStringField,
    ListField,
    MultiLineStringField,
    MultiPointField,
    MultiPolygonField,
    PointField,
    PolygonField,
    StringField,
)

RING = [[0, 0], [4, 0], [4, 4], [0, 0]]


@pytest.fixture
def place(connected: str) -> Any:
    """A class with two places; the queries run on a server only."""

    class Place(Document):
        name = StringField()
        at = PointField()
        flat = GeoPointField()
        way = LineStringField(auto_index=False)

    Place(name="near", at=[10.0, 60.0], flat=[1, 2], way=[[0, 0], [2, 2]]).save()
    Place(name="far", at={"type": "Point", "coordinates": [11.0, 60.0]}, flat=(5, 6)).save()
    return Place


@pytest.fixture
def server(connected: str) -> None:
    if connected.startswith("docstore"):
        pytest.skip("the embedded engine has no geography and no text search yet")


def test_places_are_stored_as_mongoengine_stores_them(place: Any) -> None:
    stored = list(get_db().place.find({}, {"_id": 0, "name": 0}).sort("name", -1))
    assert stored == [
        {
            "at": {"type": "Point", "coordinates": [10.0, 60.0]},
            "flat": [1, 2],
            "way": {"type": "LineString", "coordinates": [[0, 0], [2, 2]]},
        },
        {"at": {"type": "Point", "coordinates": [11.0, 60.0]}, "flat": [5, 6]},
    ]
    found = place.objects.get(name="near")
    assert found.at == {"type": "Point", "coordinates": [10.0, 60.0]} and found.flat == [1, 2]
    assert found._get_changed_fields() == []
    found.at["coordinates"][0] = 10.5
    found.save()
    assert get_db().place.find_one({"name": "near"})["at"]["coordinates"] == [10.5, 60.0]
    assert place.objects.filter(name="near").update(at=[1, 1]) == 1
    assert place.objects.get(at=[1, 1]).name == "near"


@pytest.mark.parametrize(
    ("field", "value", "message"),
    [
        (PointField(), "x", "PointField can only accept lists of [x, y]"),
        (PointField(), [1, 2, 3], "Value ([1, 2, 3]) must be a two-dimensional point"),
        (PointField(), [1, "b"], "Both values ([1, 'b']) in point must be float or int"),
        (PointField(), [1, float("nan")], "finite"),
        (PointField(), {"type": "Line", "coordinates": [1, 2]}, 'type must be "Point"'),
        (PointField(), {"coordinates": [1, 2]}, "PointField can only accept a valid GeoJson"),
        (GeoPointField(), "x", "GeoPointField can only accept tuples or lists of (x, y)"),
        (GeoPointField(), [1], "Value ([1]) must be a two-dimensional point"),
        (LineStringField(), [], "Invalid LineString must contain at least one valid point"),
        (LineStringField(), [[1, 2], 5], "Points must be a list of coordinate pairs"),
        (LineStringField(), [[1]], "Invalid LineString:\nValue ([1]) must be"),
        (PolygonField(), [[1, 2]], "Invalid Polygon must contain at least one valid linestring"),
        (PolygonField(), [[[1, 2], [3, 4]]], "LineStrings must start and end at the same point"),
        (PolygonField(), [RING, 5], "LineStrings must contain list of coordinate pairs"),
        (PolygonField(), [RING, []], "Invalid LineString must contain at least one valid point"),
        (MultiPointField(), [1, 2], "Invalid MultiPoint must contain at least one valid point"),
        (MultiPointField(), [[1, "b"]], "Both values ([1, 'b']) in point"),
        (MultiLineStringField(), [[[1, 2], [3]]], "Invalid MultiLineString:\nValue ([3])"),
        (MultiPolygonField(), [[RING], 5], "Polygons must contain list of linestrings"),
        (MultiPolygonField(), [[RING], []], "Invalid Polygon must contain at least one"),
        (MultiPolygonField(), [[[[1, 2], [3, 4]]]], "Invalid MultiPolygon:\nLineStrings must"),
    ],
)
def test_a_place_that_is_none_is_refused(field: Any, value: Any, message: str) -> None:
    with pytest.raises(ValidationError) as refused:
        field.validate(value)
    assert message in str(refused.value)
    with pytest.raises(ValidationError):
        field.prepare_query_value(None, value)


def test_places_that_are_missing_are_found(place: Any) -> None:
    place(name="nowhere").save()
    assert place.objects.get(at=None).name == place.objects.get(flat=None).name == "nowhere"
    assert PointField().to_mongo(None) is None


@pytest.mark.parametrize(
    ("field", "value"),
    [
        (LineStringField(), [[1, 2], (3, 4)]),
        (PolygonField(), [RING]),
        (MultiPointField(), [[1, 2]]),
        (MultiLineStringField(), [[[1, 2], [3, 4]], [[1, 2]]]),
        (MultiPolygonField(), {"type": "MultiPolygon", "coordinates": [[RING]]}),
    ],
)
def test_a_place_is_taken(field: Any, value: Any) -> None:
    field.validate(value)


def test_indexes_come_with_the_fields(connected: str, caplog: pytest.LogCaptureFixture) -> None:
    class Corner(EmbeddedDocument):
        at = PointField()

    class Stall(Document):
        at = PointField()
        inner = EmbeddedDocumentField(Corner)
        none = PointField(auto_index=False)
        title = StringField()
        meta = {"indexes": [{"fields": ["$title"]}, ("at", "2dsphere"), "title"]}

    wanted = [[("title", "text")], [("at", "2dsphere")], [("inner.at", "2dsphere")]]
    with caplog.at_level("INFO", "mongodb"):
        Stall(title="x", at=[1, 2]).save()
    made = {tuple(index["key"].items()) for index in get_db().stall.list_indexes()}
    assert (("title", 1),) in made
    if connected.startswith("docstore"):
        assert made == {(("_id", 1),), (("title", 1),)}
        assert Stall.pending_indexes() == wanted and "waits for a MongoDB server" in caplog.text
        Stall.ensure_indexes()
        with pytest.raises(NotSupportedError):
            Stall.create_index(("at", "2dsphere"))
    else:
        assert Stall.pending_indexes() == [] and len(made) == 5
    missing = [] if Stall.pending_indexes() == [] else wanted
    assert Stall.compare_indexes()["missing"] == missing
    assert Stall.objects.get(title="x").at["coordinates"] == [1, 2]


@pytest.mark.parametrize(
    ("lookups", "names"),
    [
        ({"at__near": [10, 60]}, ["near", "far"]),
        ({"at__near": [10, 60], "at__max_distance": 1000}, ["near"]),
        ({"at__min_distance": 1000, "at__near": [10, 60]}, ["far"]),
        ({"at__near_sphere": [11, 60], "at__max_distance": 1000}, ["far"]),
        ({"at__near": {"type": "Point", "coordinates": [11, 60]}}, ["far", "near"]),
        ({"at__within_box": [[9, 59], [10.5, 61]]}, ["near"]),
        ({"at__geo_within_box": [[9, 59], [10.5, 61]]}, ["near"]),
        ({"at__within_polygon": [[9, 59], [10.5, 59], [10.5, 61]]}, ["near"]),
        ({"at__within_distance": [[10, 60], 0.1]}, ["near"]),
        ({"at__within_spherical_distance": [[10, 60], 0.001]}, ["near"]),
        ({"at__geo_within_center": [[10, 60], 0.1]}, ["near"]),
        ({"at__geo_within_sphere": [[10, 60], 0.001]}, ["near"]),
        ({"at__geo_within": [[[9, 59], [10.5, 59], [10.5, 61], [9, 61], [9, 59]]]}, ["near"]),
        ({"at__not__geo_within_box": [[9, 59], [10.5, 61]]}, ["far"]),
        ({"way__geo_intersects": [0, 0]}, ["near"]),
        ({"way__geo_intersects": [[0, 2], [2, 0]]}, ["near"]),
        ({"flat__near": [5, 5]}, ["far", "near"]),
        ({"flat__near": [5, 5], "flat__max_distance": 2}, ["far"]),
        ({"flat__within_box": [[0, 0], [3, 3]]}, ["near"]),
        ({"flat__within_distance": [[1, 1], 2]}, ["near"]),
    ],
)
def test_lookup_finds_what_mongodb_finds(
    place: Any, connected: str, lookups: dict[str, Any], names: list[str]
) -> None:
    found = place.objects.filter(**lookups)
    if connected.startswith("docstore"):
        with pytest.raises(NotSupportedError, match=r"\$\w+ is not supported by this store yet"):
            list(found)
        with pytest.raises(NotSupportedError, match=r"\$\w+ is not supported by this store yet"):
            found.count()
        return
    assert [one.name for one in found] == names
    assert found.count() == len(names) and found.exists()
    assert found.limit(1).count(True) == 1
    assert [one.name for one in found.order_by("name")] == sorted(names)
    with mongodb.atomic():
        assert found.count() == len(names)


def test_a_distance_belongs_to_its_place(place: Any) -> None:
    near = {"$near": {"$geometry": {"type": "Point", "coordinates": [1, 2]}, "$maxDistance": 5}}
    both = place.objects.filter(at__near=[1, 2], at__max_distance=5)
    assert both._query == {"at": near}
    assert place.objects(at__near=[1, 2]).filter(at__max_distance=5)._query == {"at": near}
    assert place.objects(name="x", flat__near=[1, 2], flat__min_distance=1)._query == {
        "name": "x",
        "flat": {"$near": [1, 2], "$minDistance": 1},
    }

    class Visit(Document):
        of = GenericReferenceField()
        at = PointField(auto_index=False)

    key = bson.ObjectId()
    for names in (("of", "at__near", "at__max_distance"), ("at__max_distance", "at__near", "of")):
        given = {"of": key, "at__near": [1, 2], "at__max_distance": 5}
        query = Visit.objects.filter(**{name: given[name] for name in names})._query
        assert query == {"at": near, "of._ref.$id": key}
    with pytest.raises(InvalidQueryError, match="at__max_distance needs at__near"):
        place.objects.filter(at__max_distance=5)._query  # noqa: B018


@pytest.mark.parametrize(
    ("lookups", "message"),
    [
        ({"name__near": [1, 2]}, "near is for geographic fields, not for a StringField"),
        ({"at__near": "x"}, "lists of coordinates, not 'x'"),
        ({"at__near": {"a": 1}}, "type and coordinates"),
        ({"flat__near": [1]}, r"near takes a point \(x, y\), not \[1\]"),
        ({"at__within_box": [1, 2]}, "two corners"),
        ({"at__within_polygon": [[1, 2]]}, "three or more points"),
        ({"at__within_distance": [[1, 2]]}, "a point and a distance"),
        ({"at__near": [1, 2], "at__max_distance": -1}, "not negative, not -1"),
    ],
)
def test_a_lookup_says_what_it_takes(place: Any, lookups: dict[str, Any], message: str) -> None:
    with pytest.raises(InvalidQueryError, match=message):
        place.objects.filter(**lookups)._query  # noqa: B018


def test_near_takes_plain_coordinates_in_a_list(server: None) -> None:
    class OldPlace(Document):
        at = ListField(FloatField())
        meta = {"indexes": [("at", "2d")]}

    OldPlace(at=[1, 1]).save()
    assert OldPlace.objects(at__near=[1, 2], at__max_distance=2).count() == 1
    assert OldPlace.objects(at__near=[1, 2], at__max_distance=2).delete() == 1


def test_text_search(connected: str) -> None:
    class Notice(Document):
        title = StringField()
        body = StringField()
        meta = {"indexes": [{"fields": ["$title", "$body"], "weights": {"title": 10}}]}

    Notice(title="x", body="about dogs").save()
    Notice(title="dogs", body="x").save()
    found = Notice.objects.search_text("dogs").order_by("$text_score")
    if connected.startswith("docstore"):
        with pytest.raises(NotSupportedError, match=r"\$text is not supported"):
            found.count()
        return
    assert [one.title for one in found] == ["dogs", "x"] and found.count() == 2
    best = found.first()
    assert best.get_text_score() > 5 and "_text_score" not in best.to_mongo()
    with pytest.raises(InvalidDocumentError, match="has a score"):
        Notice.objects.first().get_text_score()
    with pytest.raises(InvalidDocumentError, match="has a score"):
        Notice.objects.search_text("dogs", text_score=False).first().get_text_score()
