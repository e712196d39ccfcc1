# SPDX-License-Identifier: Apache-2.0
"""DATABASES entries from URIs."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from urllib.parse import unquote

from django.core.exceptions import ImproperlyConfigured

__all__ = ["parse_uri"]


def parse_uri(
    uri: str,
    *,
    db_name: str | None = None,
    conn_max_age: int = 0,
    test: Mapping[str, Any] | None = None,
) -> dict[str, Any]:
    """Return the DATABASES entry of a store.

    `uri` is a `mongodb://`, `mongodb+srv://` or `docstore://` URI; the database is `db_name`, or
    the one that the URI names. Raises ImproperlyConfigured when neither names one.
    """
    scheme, _, rest = uri.partition("://")
    if scheme not in ("mongodb", "mongodb+srv", "docstore") or not rest:
        raise ImproperlyConfigured(
            f"{uri!r} is no URI of a store: mongodb://, mongodb+srv:// or docstore:// expected"
        )
    named = db_name
    if named is None and scheme != "docstore":
        named = unquote(rest.partition("/")[2].partition("?")[0]) or None
    if named is None and scheme != "docstore":
        raise ImproperlyConfigured("the URI names no database: give it a path, or pass db_name")
    entry: dict[str, Any] = {"ENGINE": "mongodb.backend", "NAME": named or "", "HOST": uri}
    if conn_max_age:
        entry["CONN_MAX_AGE"] = conn_max_age
    if test:
        entry["TEST"] = dict(test)
    return entry
