# SPDX-License-Identifier: Apache-2.0
"""What Django imports when a project's ENGINE is "mongodb": the error that names the right one."""

from __future__ import annotations

from typing import Any


def __getattr__(name: str) -> Any:
    if name == "DatabaseWrapper":
        from django.core.exceptions import ImproperlyConfigured

        raise ImproperlyConfigured('DATABASES: ENGINE is "mongodb.backend", not "mongodb"')
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
