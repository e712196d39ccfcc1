# SPDX-License-Identifier: Apache-2.0
"""Context managers."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Mapping
from typing import Any

from mongodb.context_managers import (
    no_dereference,
    no_sub_classes,
    query_counter,
    run_in_transaction,
    set_write_concern,
    switch_collection,
    switch_db,
)

__all__ = [
    "no_dereference",
    "no_sub_classes",
    "query_counter",
    "run_in_transaction",
    "set_read_write_concern",
    "set_write_concern",
    "switch_collection",
    "switch_db",
]


@contextlib.contextmanager
def set_read_write_concern(
    collection: Any,
    write_concerns: Mapping[str, Any] | None,
    read_concerns: Mapping[str, Any] | None,
) -> Iterator[Any]:
    """Give a PyMongo collection with these concerns."""
    from pymongo.read_concern import ReadConcern
    from pymongo.write_concern import WriteConcern

    written = {**collection.write_concern.document, **(write_concerns or {})}
    read = {**collection.read_concern.document, **(read_concerns or {})}
    yield collection.with_options(
        write_concern=WriteConcern(**written), read_concern=ReadConcern(**read)
    )
