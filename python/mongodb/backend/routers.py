# SPDX-License-Identifier: Apache-2.0
"""Database routers."""

from __future__ import annotations

from typing import Any

from django.apps import apps

from mongodb.backend.models import EmbeddedModel

__all__ = ["MongoRouter"]


class MongoRouter:
    """Keeps embedded models, which have no collection, out of migrations and dumps.

    Nothing needs it here; projects that name it go on working.
    """

    def allow_migrate(
        self, db: str, app_label: str, model_name: str | None = None, **hints: Any
    ) -> bool | None:
        if not model_name:
            return None
        try:
            model = apps.get_model(app_label, model_name)
        except LookupError:
            return None
        return False if issubclass(model, EmbeddedModel) else None
