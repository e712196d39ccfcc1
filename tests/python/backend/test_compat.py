# SPDX-License-Identifier: Apache-2.0
"""Other libraries' names for this one's modules."""

import subprocess
import sys

import pytest

import mongodb.compat

NAMES = """
import django
from django.conf import settings
settings.configure(INSTALLED_APPS=["django_mongodb_backend"])
import mongodb.compat
mongodb.compat.install("django_mongodb_backend")
mongodb.compat.install("django_mongodb_backend")
django.setup()
import django_mongodb_backend
import mongodb.backend
assert django_mongodb_backend is mongodb.backend
from django_mongodb_backend import parse_uri
from django_mongodb_backend.constraints import EmbeddedFieldUniqueConstraint
from django_mongodb_backend.fields import (
    ArrayField, EmbeddedModelArrayField, EmbeddedModelField, ObjectIdAutoField, ObjectIdField,
    PolymorphicEmbeddedModelArrayField, PolymorphicEmbeddedModelField,
)
from django_mongodb_backend.fields.embedded_model import EmbeddedModelField as Same
from django_mongodb_backend.forms.fields import SimpleArrayField
from django_mongodb_backend.indexes import EmbeddedFieldIndex
from django_mongodb_backend.managers import MongoManager
from django_mongodb_backend.models import EmbeddedModel
from django_mongodb_backend.queryset import MongoQuerySet
from django_mongodb_backend.routers import MongoRouter
from django_mongodb_backend.transaction import atomic
assert Same is EmbeddedModelField is mongodb.backend.fields.EmbeddedModelField
from django.db.utils import load_backend
assert load_backend("django_mongodb_backend").DatabaseWrapper.vendor == "mongodb"
try:
    import django_mongodb_backend.nothing
except ModuleNotFoundError as error:
    assert "django_mongodb_backend.nothing has no counterpart" in str(error)
else:
    raise AssertionError
"""


def test_the_official_backends_names_are_ours() -> None:
    subprocess.run([sys.executable, "-W", "error", "-c", NAMES], check=True)


def test_an_unknown_library_is_refused() -> None:
    with pytest.raises(ValueError, match="'mongokit' is none of django_mongodb_backend, djongo"):
        mongodb.compat.install("mongokit")
