# SPDX-License-Identifier: Apache-2.0
"""The renderer in C writes what Django REST Framework's does, whatever it is asked for."""

import collections
import datetime
import decimal
import json
from typing import Any

import pytest
from rest_framework import renderers

from mongodb.rest_framework.renderers import JSONEncoder, JSONRenderer

VALUES: list[Any] = [
    None,
    [],
    {"a": collections.OrderedDict(b=1, c=[1, 2]), "d": decimal.Decimal("1.5")},
    [{"when": datetime.datetime(2024, 1, 1), "é": "\u2028"}, (1, 2.0, None)],
    "text",
]


class Loose(JSONRenderer):
    compact = False
    ensure_ascii = True


class StockLoose(renderers.JSONRenderer):
    compact = False
    ensure_ascii = True


@pytest.mark.parametrize("value", VALUES, ids=repr)
@pytest.mark.parametrize(
    "media_type",
    ["application/json", "application/json; indent=4", "application/json; indent=0", None],
)
@pytest.mark.parametrize("context", [{}, {"indent": 2}, None], ids=repr)
def test_media_types_and_indents(value: Any, media_type: Any, context: Any) -> None:
    for ours, stock in ((JSONRenderer, renderers.JSONRenderer), (Loose, StockLoose)):
        shown = ours().render(value, media_type, context)
        assert shown == stock().render(value, media_type, context)


def test_indent_of_a_subclass_or_an_instance_is_asked_for() -> None:
    class Wide(JSONRenderer):
        def get_indent(self, media_type: str, context: dict[str, Any]) -> int | None:
            return 3

    own = JSONRenderer()
    own.get_indent = lambda media_type, context: 3  # type: ignore[method-assign]
    expected = json.dumps({"a": [1]}, indent=3).encode()
    assert Wide().render({"a": [1]}, "application/json", {}) == expected
    assert own.render({"a": [1]}, "application/json", {}) == expected


def test_encoder_that_writes_otherwise_is_asked() -> None:
    class Shouting(JSONEncoder):
        def encode(self, o: Any) -> str:
            return super().encode(o).upper()

        def iterencode(self, o: Any, _one_shot: bool = False) -> Any:
            return (one.upper() for one in super().iterencode(o, _one_shot))

    class Renderer(JSONRenderer):
        encoder_class = Shouting

    assert Renderer().render({"a": ["b"]}) == b'{"A":["B"]}'
