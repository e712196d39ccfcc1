# SPDX-License-Identifier: Apache-2.0
"""The backend as an app; nothing needs it in INSTALLED_APPS, projects may name it."""

from django.apps import AppConfig

__all__ = ["BackendConfig"]


class BackendConfig(AppConfig):
    """`mongodb.backend`."""

    name = "mongodb.backend"
    label = "mongodb_backend"
    verbose_name = "MongoDB backend"
