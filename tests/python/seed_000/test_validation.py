# SPDX-License-Identifier: Apache-2.0
"""Validation: a serializer's own checks, of one field and of all."""

from typing import Any

import pytest


@pytest.fixture
def serializer(users: Any, seed: Any) -> Any:
    exec("from mongodb.rest_framework.serializers import DocumentSerializer", seed.names)
    return seed.run("Validation")["UserSerializer"]


GOOD = {"name": "A", "email": "a@example.com", "age": 30, "is_premium": False}


def test_validation(users: Any, serializer: Any) -> None:
    first = serializer(data=GOOD)
    assert first.is_valid(), first.errors
    first.save()
    again = serializer(data=GOOD)
    assert not again.is_valid() and again.errors == {"email": ["Email already exists"]}
    young = serializer(data={**GOOD, "email": "b@example.com", "age": 10, "is_premium": True})
    assert not young.is_valid()
    assert young.errors == {"non_field_errors": ["Premium accounts require age 18+"]}
    assert users.objects.count() == 1
