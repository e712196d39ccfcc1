# SPDX-License-Identifier: Apache-2.0
"""What saving sends: an empty list or dict is unset, and what was assigned is sent as a whole."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import bson
from bson.codec_options import CodecOptions, DatetimeConversion

from mongodb import _registry

__all__ = ["EMPTY", "in_their_shape"]

EMPTY = b"\x05\x00\x00\x00\x00"  # an empty document or array
_OPTIONS: Any = CodecOptions(datetime_conversion=DatetimeConversion.DATETIME_MS)


def in_their_shape(document: Any, changes: bytes, assigned: set[str]) -> bytes:
    """Return an update as MongoEngine sends it."""
    update = bson.decode(changes, _OPTIONS)
    sent, unset = update.get("$set", {}), update.get("$unset", {})
    stored = None
    for name in assigned:
        head = document._db_field_map[name]
        below = [path for path in (*sent, *unset) if path.startswith(f"{head}.")]
        if below:
            stored = stored or bson.decode(document._encode(), _OPTIONS)
            sent = {path: one for path, one in sent.items() if path not in below}
            unset = {path: one for path, one in unset.items() if path not in below}
            sent[head] = stored[head]
    empty = [path for path, one in sent.items() if one in ([], {}) and _unsets(document, path, one)]
    for path in empty:
        del sent[path]
        unset[path] = 1
    parts = {"$set": sent, "$unset": unset}
    return bson.encode({name: one for name, one in parts.items() if one}, codec_options=_OPTIONS)


def _unsets(document: Any, path: str, value: Any) -> bool:
    """Whether the field at a path has the empty value when nothing is stored."""
    *above, last = path.split(".")
    place = document
    for part in above:
        if _registry.is_document(place):
            place = getattr(place, place._reverse_db_field_map.get(part, part))
        elif isinstance(place, list) and part.isdigit():
            place = place[int(part)]
        else:
            place = place.get(part) if isinstance(place, Mapping) else None
    if not _registry.is_document(place):
        return False
    field = place._fields.get(place._reverse_db_field_map.get(last, last))
    return bool(place._dynamic) if field is None else field.get_default() == value
