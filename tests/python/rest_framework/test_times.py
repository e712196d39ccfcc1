# SPDX-License-Identifier: Apache-2.0
"""Dates and times that C writes in a time zone are those of Django REST Framework."""

import datetime
import json
import zoneinfo
from typing import Any

import pytest
from django.utils import timezone

from mongodb.rest_framework.plan import plan_of
from mongodb.rest_framework.serializers import DocumentSerializer

from .conftest import Person

MOMENTS = [
    datetime.datetime(2024, 2, 29, 23, 59, 59, 123000),
    datetime.datetime(2024, 7, 1),
    datetime.datetime(2024, 10, 27, 0, 30),  # twice in Europe
    datetime.datetime(2024, 10, 27, 1, 30),
    datetime.datetime(1880, 1, 1, 12),  # local mean time: an offset with seconds
    datetime.datetime(1969, 12, 31, 23, 59, 59, 999000),
]
ZONES = [
    zoneinfo.ZoneInfo("UTC"),
    zoneinfo.ZoneInfo("Europe/Berlin"),
    zoneinfo.ZoneInfo("Europe/London"),
    zoneinfo.ZoneInfo("America/St_Johns"),
    zoneinfo.ZoneInfo("Asia/Kathmandu"),
    datetime.timezone(datetime.timedelta(hours=-3, minutes=-30)),
    datetime.UTC,
]


class SeenSerializer(DocumentSerializer):
    class Meta:
        model = Person
        fields = ["seen", "counts"]


@pytest.mark.parametrize("zone", ZONES, ids=str)
def test_times_are_shown_in_the_current_zone(odm: Any, zone: Any) -> None:
    for at, moment in enumerate(MOMENTS):
        Person(name=f"P{at}", email=f"p{at}@example.com", seen=moment).save()
    documents = list(Person.objects.order_by("name"))
    child = SeenSerializer()
    plan = plan_of(child)
    assert plan is not None
    with timezone.override(zone):
        shown = [row["seen"] for row in json.loads(plan.write(child, documents))]
        asked: list[int] = []
        plan.compiled.dumps(
            documents, lambda one: b"", lambda at, one: asked.append(at) or b"0", zone
        )
        assert shown == [child.to_representation(document)["seen"] for document in documents]
    assert asked == []
    assert len(set(shown)) == len(MOMENTS)


def test_zone_that_cannot_tell_is_left_to_python(odm: Any) -> None:
    class Broken(datetime.tzinfo):
        pass

    Person(name="P", email="p@example.com", seen=MOMENTS[0]).save()
    asked: list[int] = []
    plan = plan_of(SeenSerializer())
    assert plan is not None
    documents = list(Person.objects.all())
    plan.compiled.dumps(
        documents, lambda one: b"", lambda at, one: asked.append(at) or b"0", Broken()
    )
    assert asked == [0]


def test_row_that_is_no_bytes_is_a_type_error(odm: Any) -> None:
    plan = plan_of(SeenSerializer())
    assert plan is not None
    with pytest.raises(TypeError):
        plan.compiled.dumps([object()], lambda one: None, lambda at, one: None, "Z")
