# SPDX-License-Identifier: Apache-2.0
"""Instances of embedded models are made without calling the model, where that comes to the same."""

import datetime
import random
from collections.abc import Callable
from decimal import Decimal
from typing import Any

from bson import Decimal128
from django.db import connections, models
from django.db.models import signals

from mongodb.backend.fields import ArrayField, EmbeddedModelField
from mongodb.backend.fields import values as reading
from mongodb.backend.models import EmbeddedModel

APP = "mongodb"


def declare() -> Any:
    class Inner(EmbeddedModel):
        n = models.IntegerField(default=7)

        class Meta:
            app_label = APP

    class Outer(EmbeddedModel):
        name = models.CharField(max_length=9, db_column="called")
        rate = models.DecimalField(max_digits=5, decimal_places=2, null=True)
        at = models.DateTimeField(null=True)
        key = models.ForeignKey("self", models.DO_NOTHING, null=True)
        inner = EmbeddedModelField(Inner, null=True)
        tags = ArrayField(models.CharField(max_length=9), default=list)

        class Meta:
            app_label = APP

    return Outer


def state(instance: Any) -> Any:
    if not isinstance(instance, models.Model):
        return instance
    values = {key: state(one) for key, one in instance.__dict__.items() if key != "_state"}
    return type(instance), instance._state.adding, instance._state.db, values


def test_both_ways_make_the_same(orm: Callable[..., None]) -> None:
    model: Any = declare()
    connection: Any = connections["default"]
    columns = [(f.column, f.attname, reading.reader(f, connection), f)
               for f in model._meta.concrete_fields]  # fmt: skip
    rng = random.Random(3)
    for _ in range(200):
        full = {"called": "x", "rate": Decimal128("1.50"), "at": datetime.datetime(2024, 1, 1),
                "key_id": 3, "inner": {"n": 2}, "tags": ["a"], "id": 5, "other": 1}  # fmt: skip
        document = {key: rng.choice([one, one, None]) for key, one in full.items()
                    if rng.random() < 0.7}  # fmt: skip
        fast = reading.plain_instance(model, columns, document)
        slow = reading.called_instance(model, columns, document)
        assert state(fast) == state(slow), document
    assert reading.plain_instance(model, columns, full).rate == Decimal("1.50")


def test_code_of_the_models_own_is_run(orm: Callable[..., None]) -> None:
    class Loud(EmbeddedModel):
        name = models.CharField(max_length=9)

        class Meta:
            app_label = APP

        def __init__(self, *args: Any, **kwargs: Any) -> None:
            super().__init__(*args, **kwargs)
            self.made = True

    class Quiet(EmbeddedModel):
        name = models.CharField(max_length=9)

        class Meta:
            app_label = APP

    connection: Any = connections["default"]
    assert reading.model_reader(Loud, connection)({"name": "x"}).made
    assert reading.is_plain(Quiet) and not reading.is_plain(Loud)
    heard = []

    def hear(sender: Any, instance: Any, **more: Any) -> None:
        heard.append(instance.name)

    signals.post_init.connect(hear, sender=Quiet)
    try:
        reading.model_reader(Quiet, connection)({"name": "x"})
    finally:
        signals.post_init.disconnect(hear, sender=Quiet)
    assert heard == ["x"]
