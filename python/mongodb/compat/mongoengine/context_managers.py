# SPDX-License-Identifier: Apache-2.0
"""Context managers."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Mapping
from typing import Any

from mongodb import context_managers as _plain
from mongodb.compat.mongoengine._beside import beside
from mongodb.compat.mongoengine._fetching import refers
from mongodb.compat.mongoengine.base.fields import (
    _no_dereference_for_fields,
    no_dereferencing_active_for_class,
)
from mongodb.compat.mongoengine.connection import get_db
from mongodb.context_managers import (
    no_sub_classes,
    run_in_transaction,
    set_write_concern,
    switch_collection,
    switch_db,
)

__all__ = [
    "no_dereference",
    "no_dereferencing_active_for_class",
    "no_sub_classes",
    "query_counter",
    "run_in_transaction",
    "set_read_write_concern",
    "set_write_concern",
    "switch_collection",
    "switch_db",
]


@contextlib.contextmanager
def no_dereference(cls: Any) -> Iterator[Any]:
    """Read references of a class's documents as DBRefs, in this thread."""
    fields = [field for field in cls._fields.values() if refers(field)]
    with _no_dereference_for_fields(cls, *fields):
        yield cls


class query_counter(_plain.query_counter):
    """Count the commands on a connection; on a server all clients' commands, by its profiler."""

    _level: int | None = None

    def __enter__(self) -> query_counter:
        super().__enter__()
        self.db = get_db(self._alias)
        self._ignored_query = {
            "ns": {"$ne": f"{self.db.name}.system.indexes"},
            "op": {"$ne": "killcursors"},
            "command.count": {"$ne": "system.profile"},
            "command.aggregate": {"$ne": "system.profile"},
        }
        self._asked = 0
        if not self._handle.embedded:
            self._level = self.db.command({"profile": 0})["was"]
            self.db.system.profile.drop()
            self.db.command({"profile": 2})
            self._asked = self._profiled()
        return self

    def __exit__(self, *args: object) -> None:
        super().__exit__(*args)
        if self._level is not None:
            self.db.command({"profile": self._level})

    def _profiled(self) -> int:
        return int(self.db.system.profile.count_documents(self._ignored_query))

    @property
    def _count(self) -> int:  # type: ignore[override]
        return self._sent if self._level is None else self._profiled() - self._asked

    @_count.setter
    def _count(self, value: int) -> None:
        self._sent = value


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


__getattr__ = beside(__name__)
