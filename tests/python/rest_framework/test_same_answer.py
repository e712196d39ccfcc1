# SPDX-License-Identifier: Apache-2.0
"""Every kind of document field holding every kind of stored value: what C shows is what Django REST
Framework's own path shows, byte for byte, and fails as it does."""

import datetime
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from django.utils import translation

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


def put(**values: Any) -> Callable[[Any], None]:
    return lambda field: field.__dict__.update(values)


def on_child(field: Any) -> None:
    if hasattr(field, "child"):
        field.child.to_representation = str


def in_nested(field: Any) -> None:
    nested = getattr(field, "child", field)
    if hasattr(nested, "fields"):
        nested.fields.pop("word", None)
        for one in nested.fields.values():
            one.to_representation = repr


def choose(field: Any) -> None:
    if hasattr(field, "choices"):
        field.choices = [("a", "A"), (1, "one")]
        field.choice_strings_to_values["a"] = "other"


SET: dict[str, Callable[[Any], None]] = {
    "to_representation": put(to_representation=repr),
    "get_attribute": put(get_attribute=lambda instance: instance.text),
    "write_only": put(write_only=True),
    "source": put(source_attrs=["pk"]),
    "format": put(format="%Y", uuid_format="hex"),
    "no format": put(format=None, uuid_format="int"),
    "timezone": put(timezone=datetime.timezone(datetime.timedelta(hours=3))),
    "truth": put(TRUE_VALUES={False}, FALSE_VALUES={True}),
    "lower": put(_lower_if_str=lambda value: not value),
    "number": put(coerce_to_string=False),
    "localize": put(localize=True),
    "normalize": put(normalize_output=True),
    "digits": put(max_digits=3),
    "places": put(decimal_places=1),
    "quantize": put(quantize=lambda value: value + 1),
    "enforce": put(enforce_timezone=lambda value: value.replace(year=2000)),
    "default zone": put(default_timezone=lambda: None),
    "key": put(pk_field=type("Key", (), {"to_representation": lambda self, key: [key]})()),
    "child": on_child,
    "nested": in_nested,
    "choices": choose,
}


@pytest.mark.parametrize("name", NAMES)
def test_what_is_set_on_a_field_is_seen(name: str) -> None:
    cls, field = serializer_of(name), Shown._fields[name]
    shown = [stored()]
    for value in STORED:
        one = stored(**{field.db_field: value})
        if isinstance(
            outcome(lambda made: JSONRenderer().render(made.data), cls(load([one])[0])), bytes
        ):
            shown.append(one)
    for what in SET.values():

        def make(documents: list[Any], what: Callable[[Any], None] = what) -> Any:
            made = cls(documents, many=True)
            what(made.child.fields[name])
            return made

        with translation.override("de"):
            compare(make, shown)
