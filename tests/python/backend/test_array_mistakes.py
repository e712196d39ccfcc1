# SPDX-License-Identifier: Apache-2.0
"""Lookups of arrays with what is no list, and what a validator says of things within arrays."""

from collections.abc import Callable
from typing import Any

import pytest
from django.db import IntegrityError, models

from mongodb.backend.fields import ArrayField, EmbeddedModelArrayField
from mongodb.backend.models import EmbeddedModel

APP = "mongodb"


def declare(orm: Callable[..., None]) -> Any:
    class Batch(EmbeddedModel):
        n = models.PositiveIntegerField()

        class Meta:
            app_label = APP

    class Pill(models.Model):
        tags = ArrayField(models.CharField(max_length=9), default=list, null=True)
        batches = EmbeddedModelArrayField(Batch, default=list)

        class Meta:
            app_label = APP

    orm(Pill)
    return Pill, Batch


def test_lookups_of_arrays_take_lists(orm: Callable[..., None]) -> None:
    pill, batch = declare(orm)
    pill.objects.create(tags=["pain"], batches=[batch(n=1)])
    for wrong in ({"tags": "pain"}, {"tags__in": "pain"}, {"tags__in": ["pain"]}):
        with pytest.raises(ValueError, match="of tags takes a list of .*, not 'pain'"):
            pill.objects.filter(**wrong).count()
    for right in ({"tags": ["pain"]}, {"tags__in": [["pain"], []]}, {"tags__contains": ["pain"]},
                  {"tags": models.F("tags")}, {"tags__in": pill.objects.values("tags")},
                  {"tags__len": "1"}, {"batches__len": 1}):  # fmt: skip
        assert pill.objects.filter(**right).count() == 1, right
    assert pill.objects.filter(tags=None).count() == 0


def test_a_length_that_is_no_number_names_the_lookup(orm: Callable[..., None]) -> None:
    pill, _ = declare(orm)
    for name in ("tags__len", "batches__len"):
        with pytest.raises(ValueError, match=f"Field '{name}' expected a number"):
            pill.objects.filter(**{name: "x"}).count()


def test_a_number_within_an_array_is_refused_with_its_path(orm: Callable[..., None]) -> None:
    pill, batch = declare(orm)
    with pytest.raises(
        IntegrityError, match=r"constraint failed: batches\.1\.n .*at least 0, is -1"
    ):
        pill.objects.create(batches=[batch(n=1), batch(n=-1)])
