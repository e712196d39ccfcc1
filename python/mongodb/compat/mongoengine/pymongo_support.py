# SPDX-License-Identifier: Apache-2.0
"""PyMongo's helpers."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pymongo
from bson import binary, json_util

__all__ = ["LEGACY_JSON_OPTIONS", "PYMONGO_VERSION", "count_documents", "list_collection_names"]

PYMONGO_VERSION = tuple(pymongo.version_tuple[:2])
LEGACY_JSON_OPTIONS = json_util.LEGACY_JSON_OPTIONS.with_options(
    uuid_representation=binary.UuidRepresentation.PYTHON_LEGACY
)


def count_documents(
    collection: Any,
    filter: Mapping[str, Any],  # noqa: A002
    skip: int | None = None,
    limit: int | None = None,
    hint: Any = None,
    collation: Any = None,
) -> int:
    """Count what matches in a PyMongo collection."""
    if limit == 0:
        return 0
    options = {"skip": skip, "limit": limit, "collation": collation}
    options["hint"] = None if hint == -1 else hint
    given = {name: value for name, value in options.items() if value is not None}
    return int(collection.count_documents(filter=filter, **given))


def list_collection_names(db: Any, include_system_collections: bool = False) -> list[str]:
    """Return the names of the collections."""
    names = db.list_collection_names()
    return [n for n in names if include_system_collections or not n.startswith("system.")]
