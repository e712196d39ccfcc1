# SPDX-License-Identifier: Apache-2.0
"""Every kind of document field holding every kind of stored value: what C shows is what Django REST
Framework's own path shows, byte for byte, and fails as it does."""

from collections.abc import Iterator

import pytest

from mongodb.rest_framework.renderers import JSONRenderer

from .shown import NAMES, STORED, Shown, compare, load, outcome, serializer_of, store, stored


@pytest.fixture(scope="module", autouse=True)
def connected_store() -> Iterator[None]:
    with store():
        yield


@pytest.mark.parametrize("name", NAMES)
def test_every_stored_value_is_shown_as_django_rest_framework_shows_it(name: str) -> None:
    cls, field = serializer_of(name), Shown._fields[name]
    compare(lambda documents: cls(documents, many=True), [stored()])
    for value in STORED:
        one = stored(**{field.db_field: value})
        compare(lambda documents: cls(documents, many=True), [one])


@pytest.mark.parametrize("name", NAMES)
def test_list_equals_detail(name: str) -> None:
    cls, field, render = serializer_of(name), Shown._fields[name], JSONRenderer().render

    def detail(encoded: bytes) -> bytes:
        return render(cls(load([encoded])[0]).data)

    def listed(encoded: bytes) -> bytes:
        return render(cls(load([encoded]), many=True).data)

    for value in STORED:
        encoded = stored(**{field.db_field: value})
        one, many = (outcome(show, encoded) for show in (detail, listed))
        assert many == (b"[" + one + b"]" if isinstance(one, bytes) else one)
