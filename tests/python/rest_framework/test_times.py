# SPDX-License-Identifier: Apache-2.0
"""Dates and times that C writes in a time zone are those of Django REST Framework."""

import contextlib
import datetime
import decimal
import zoneinfo
from typing import Any

import pytest
from django.test import override_settings
from django.utils import timezone
from rest_framework import serializers

from mongodb import _core
from mongodb.rest_framework import plan
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
    asked = []

    def show(field: Any, document: Any) -> Any:
        asked.append(field.field_name)
        return plan.show_field(field, document)

    child = SeenSerializer()
    with timezone.override(zone):
        shown = _core.rows(child, documents, (plan.TOOLS[0], show, *plan.TOOLS[2:]))
        assert shown == [child.to_representation(document) for document in documents]
    assert asked == []
    assert len({row["seen"] for row in shown}) == len(MOMENTS)


def test_zone_of_another_class_is_left_to_python(odm: Any) -> None:
    class Odd(datetime.tzinfo):
        def utcoffset(self, moment: Any) -> Any:
            return datetime.timedelta(hours=1)

        def dst(self, moment: Any) -> Any:
            return datetime.timedelta(0)

        def tzname(self, moment: Any) -> str:
            return "UTC"

    Person(name="P", email="p@example.com", seen=MOMENTS[0]).save()
    with timezone.override(Odd()):
        shown = SeenSerializer(Person.objects.all(), many=True).data
    assert shown[0]["seen"] == "2024-03-01T00:59:59.123000+01:00"


def test_bad_tools_are_refused(odm: Any) -> None:
    document = Person(name="P", email="p@example.com").save()
    refused: list[Any] = [
        (lambda serializer: 1, *plan.TOOLS[1:]),
        (lambda serializer: [("name",)], *plan.TOOLS[1:]),
        (lambda serializer: [("n", None, "n", (99, None, 0, 0, 0, None))], *plan.TOOLS[1:]),
    ]
    for tools in refused:
        with pytest.raises((TypeError, ValueError)):
            _core.rows(SeenSerializer(), [document], tools)


class NamedSerializer(DocumentSerializer):
    title = serializers.SerializerMethodField()

    class Meta:
        model = Person
        fields = ["title", "seen", "price"]

    def get_title(self, person: Any) -> str:
        self.context["called"](int(person.name))
        return str(person.name)


def named(count: int) -> Any:
    for at in range(count):
        Person(
            name=f"{at:02}", email=f"p{at}@example.com", seen=MOMENTS[at % 2], price="12.50"
        ).save()
    return Person.objects.order_by("name")


def test_the_zone_is_asked_for_once_while_nothing_changes_it(
    odm: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = []
    zone_now = plan.zone_now

    def counted() -> Any:
        asked.append(1)
        return zone_now()

    monkeypatch.setattr(plan, "zone_now", counted)
    context = {"called": lambda at: None}
    shown = NamedSerializer(named(20), many=True, context=context).data
    assert len(shown) == 20
    assert len(asked) == 1


def test_what_a_method_changes_is_followed_from_the_next_field_on(odm: Any) -> None:
    people = list(named(10))

    def all_shown(show: Any) -> Any:
        with contextlib.ExitStack() as stack:
            stack.enter_context(timezone.override(None))
            changes = {
                2: lambda: timezone.activate(zoneinfo.ZoneInfo("Asia/Kathmandu")),
                4: timezone.deactivate,
                6: lambda: stack.enter_context(override_settings(TIME_ZONE="Europe/Berlin")),
                8: lambda: stack.enter_context(override_settings(USE_TZ=False)),
            }
            context = {"called": lambda at: changes.get(at, lambda: None)()}
            return show(context)

    def listed(context: Any) -> Any:
        return list(NamedSerializer(people, many=True, context=context).data)

    def by_hand(context: Any) -> Any:
        child = NamedSerializer(context=context)
        return [child.to_representation(person) for person in people]

    shown = all_shown(listed)
    assert shown == all_shown(by_hand)
    ends = {row["seen"][19:].lstrip(".0123456789") for row in shown}
    assert ends == {"Z", "+05:45", "+01:00", "+02:00", ""}


def test_precision_that_a_method_lowers_is_followed(odm: Any) -> None:
    class PricedSerializer(NamedSerializer):
        price = serializers.DecimalField(max_digits=None, decimal_places=2)

        class Meta(NamedSerializer.Meta):
            pass

    people = list(named(4))
    context = {"called": lambda at: at == 2 and setattr(decimal.getcontext(), "prec", 3)}
    with decimal.localcontext(), pytest.raises(decimal.InvalidOperation):
        PricedSerializer(people, many=True, context=context).data  # noqa: B018
