# SPDX-License-Identifier: Apache-2.0
"""The Django application: connects MONGODB_SETTINGS."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from django.apps import AppConfig
from django.conf import settings
from django.core.exceptions import ImproperlyConfigured

from mongodb._django import adopt_exceptions
from mongodb._django_tests import watch
from mongodb.connection import DEFAULT_CONNECTION_NAME, register_connection

__all__ = ["MongodbConfig", "register_settings"]


class MongodbConfig(AppConfig):
    """`mongodb` in INSTALLED_APPS."""

    name = "mongodb"
    verbose_name = "MongoDB"

    def ready(self) -> None:
        """Note the connections of MONGODB_SETTINGS; each opens when it is first used."""
        adopt_exceptions()
        watch()
        found = getattr(settings, "MONGODB_SETTINGS", None)
        if found:
            register_settings(found)


def register_settings(found: Any) -> None:
    """Register one connection (a dict) or several (a list of dicts with aliases)."""
    many = [found] if isinstance(found, Mapping) else list(found)
    seen = set()
    for one in many:
        if not isinstance(one, Mapping):
            raise ImproperlyConfigured(
                "MONGODB_SETTINGS is a dict, or a list of dicts with aliases"
            )
        options = {str(key).lower() if str(key).isupper() else key: v for key, v in one.items()}
        alias = options.pop("alias", DEFAULT_CONNECTION_NAME)
        if alias in seen:
            raise ImproperlyConfigured(f"MONGODB_SETTINGS has the alias {alias!r} twice")
        seen.add(alias)
        register_connection(alias, **options)
