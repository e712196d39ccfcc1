# SPDX-License-Identifier: Apache-2.0
"""Managers: of models, with MongoDB's own queries; of embedded models, which have none."""

from __future__ import annotations

from typing import Any

from django.db import NotSupportedError
from django.db.models import QuerySet
from django.db.models.manager import BaseManager

from mongodb.backend.queryset import MongoQuerySet

__all__ = ["EmbeddedModelManager", "MongoManager"]


class MongoManager(BaseManager.from_queryset(MongoQuerySet)):  # type: ignore[misc]
    """Adds `raw_aggregate`."""


def _refusal(verb: str) -> Any:
    def refuse(self: Any, *args: Any, **kwargs: Any) -> Any:
        raise NotSupportedError(f"EmbeddedModels cannot be {verb}.")

    return refuse


class EmbeddedModelManager(BaseManager):
    """Embedded models have no collection; dumpdata and its like find nothing in it."""

    all = get = filter = exclude = count = exists = first = last = _refusal("queried")
    create = bulk_create = get_or_create = update_or_create = _refusal("created")
    update = bulk_update = _refusal("updated")
    delete = _refusal("deleted")

    def using(self, alias: str) -> Any:
        return QuerySet(self.model, using=alias).none()
