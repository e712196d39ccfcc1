# SPDX-License-Identifier: Apache-2.0
"""The Django application: connects MONGODB_SETTINGS."""

from __future__ import annotations

import difflib
import inspect
from collections.abc import Mapping
from typing import Any

from django.apps import AppConfig
from django.conf import settings
from django.core.checks import register
from django.core.exceptions import ImproperlyConfigured
from django.db.models.signals import post_migrate
from django.utils.module_loading import import_string

from mongodb._connection import EMBEDDED_OPTIONS
from mongodb._django import adopt_exceptions, adopt_registry, adopt_views, create_permissions
from mongodb._django_tests import watch
from mongodb._registry import is_document
from mongodb.checks import check_documents
from mongodb.compat import install
from mongodb.connection import DEFAULT_CONNECTION_NAME, OTHER_OPTIONS, register_connection
from mongodb.errors import ConnectionFailure, NotSupportedError

__all__ = ["MongodbConfig", "register_settings"]


class MongodbConfig(AppConfig):
    """`mongodb` in INSTALLED_APPS."""

    name = "mongodb"
    verbose_name = "MongoDB"

    def __init__(self, app_name: str, app_module: Any) -> None:
        super().__init__(app_name, app_module)
        adopt_exceptions()
        for library in getattr(settings, "MONGODB_COMPAT", ()):  # before models are imported
            try:
                install(library)
            except ValueError as error:
                raise ImproperlyConfigured(f"MONGODB_COMPAT: {error}") from error

    def import_models(self) -> None:
        """Make Django's admin and registry take documents, before what registers them."""
        super().import_models()
        adopt_registry()
        adopt_views()
        import mongodb.urls  # noqa: F401  the patterns' `object_id`, before any pattern is made

        if self.apps.is_installed("django.contrib.admin"):
            from mongodb.admin import adopt_site

            adopt_site()

    def ready(self) -> None:
        """Note the connections of MONGODB_SETTINGS; each opens when it is first used."""
        post_migrate.connect(create_permissions, dispatch_uid="mongodb.create_permissions")
        watch()
        if self.apps.is_installed("django.contrib.auth"):
            user_logged_in = import_string("django.contrib.auth.signals.user_logged_in")
            user_logged_in.connect(_note_login, dispatch_uid="mongodb.update_last_login")
        register(check_documents, "mongodb")
        if any(
            str(one).startswith("mongodb.") for one in getattr(settings, "DEBUG_TOOLBAR_PANELS", ())
        ):
            import mongodb.panels  # noqa: F401  # listens to connections that open from now on
        found = getattr(settings, "MONGODB_SETTINGS", None)
        if found:
            register_settings(found)


def _note_login(sender: Any, user: Any, **kwargs: Any) -> None:
    if is_document(user):  # mongodb.auth, which makes a class, is imported for them alone
        from mongodb.auth import update_last_login

        update_last_login(sender, user, **kwargs)


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
        _check_keys(options)
        try:
            register_connection(alias, **options)
        except (ConnectionFailure, NotSupportedError, TypeError, ValueError) as error:
            raise ImproperlyConfigured(f"MONGODB_SETTINGS, alias {alias!r}: {error}") from error


def _check_keys(options: Mapping[str, Any]) -> None:
    from pymongo.common import VALIDATORS

    own = [name for name in inspect.signature(register_connection).parameters if name != "kwargs"]
    known = {*own, *EMBEDDED_OPTIONS, *OTHER_OPTIONS, *map(str.lower, VALIDATORS)}
    for key in options:
        if str(key).lower() not in known:
            close = difflib.get_close_matches(str(key), own, 1, 0.5)
            hint = f" (did you mean {close[0]!r}?)" if close else ""
            raise ImproperlyConfigured(
                f"MONGODB_SETTINGS has the unknown key {key!r}{hint}: it takes {', '.join(own)} "
                "and the options of PyMongo's MongoClient"
            )
