# SPDX-License-Identifier: Apache-2.0
"""Django's ORM on documents: `ENGINE = "mongodb.backend"`."""

import django
from django.core.exceptions import ImproperlyConfigured

if django.VERSION < (5, 2):
    raise ImproperlyConfigured(
        f"mongodb.backend needs Django 5.2 or newer, here is {django.get_version()}; documents and "
        "their serializers need none of it"
    )

from mongodb.backend.utils import parse_uri  # noqa: E402  (needs what is looked for above)

__all__ = ["parse_uri"]
