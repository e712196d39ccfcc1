# SPDX-License-Identifier: Apache-2.0
"""Values at dotted paths of what is stored."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from bson.codec_options import DatetimeConversion
from bson.raw_bson import DEFAULT_RAW_BSON_OPTIONS, RawBSONDocument

__all__ = ["NOTHING", "stored_at", "stored_document"]

NOTHING = object()
# A date that Python has not is a number: it must not stand in the way of the other fields.
_OPTIONS: Any = DEFAULT_RAW_BSON_OPTIONS.with_options(
    datetime_conversion=DatetimeConversion.DATETIME_AUTO
)


def stored_document(data: bytes) -> Mapping[str, Any]:
    """Return what is stored as a mapping, whose values are read when they are asked for."""
    return RawBSONDocument(data, _OPTIONS)


def stored_at(value: Any, path: str) -> Any:
    """Return what is stored at a dotted path, or NOTHING."""
    for part in path.split("."):
        if isinstance(value, list) and part.isdigit():
            value = value[int(part)] if int(part) < len(value) else NOTHING
        else:
            value = value.get(part, NOTHING) if isinstance(value, Mapping) else NOTHING
    return value
