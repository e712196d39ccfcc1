# SPDX-License-Identifier: Apache-2.0
"""What document objects were before a transaction, for the case that it is rolled back.

A document is noted before a transaction first changes it: with a weak reference, so that a long
transaction keeps no objects alive that nobody else holds.
"""

from __future__ import annotations

import weakref
from typing import Any

from mongodb._open_transactions import _transactions, current_transaction, models
from mongodb.connection import get_connection_handle

__all__ = ["Records", "note"]


class _Record:
    """One document: its state before the transaction, and what saving gave it since."""

    __slots__ = ("document", "given", "inner", "memento")

    def __init__(self, document: weakref.ref[Any], memento: Any) -> None:
        self.document = document
        self.memento = memento
        self.given: dict[int, Any] = {}  # by position: key, times, counters
        self.inner: list[tuple[Any, int, Any, Any]] = []  # the same of embedded documents

    def give(self, at: int, value: Any) -> None:
        """Remember that saving, not the user, set the field at this position."""
        self.given[at] = value

    def give_inner(self, document: Any, at: int, before: Any, value: Any) -> None:
        """Remember it of a field of an embedded document."""
        self.inner.append((document, at, before, value))

    def restore(self, known: bool) -> None:
        """Bring the document back. Unless the outcome is `known`, it keeps what saving gave it."""
        doc = self.document()
        if doc is None:
            return
        kept = _changed_since(doc) if doc._reloaded else {}
        back = bytearray(len(doc._fields))
        if known:
            for at, value in self.given.items():
                back[at] = doc._get(at) is value
            for one, at, before, value in reversed(self.inner):
                if one._get(at) is value:
                    one._set(at, before)
        doc._rewind(self.memento, bytes(back))
        for name, value in kept.items():
            setattr(doc, name, value)


def _changed_since(doc: Any) -> dict[str, Any]:
    """Return the values that were changed in place after the document was read again."""
    heads = {path.partition(".")[0] for path in doc._get_changed_fields()}
    names = [doc._reverse_db_field_map.get(head, head) for head in heads]
    return {name: getattr(doc, name, None) for name in names}


class Records:
    """The documents that one transaction changed."""

    def __init__(self) -> None:
        self._by_id: dict[int, _Record] = {}

    def note(self, doc: Any) -> _Record:
        """Return the record of a document, made from its present state the first time."""
        key = id(doc)
        found = self._by_id.get(key)
        if found is not None:
            return found
        records = self._by_id
        reference = weakref.ref(doc, lambda _: records.pop(key, None))
        found = records[key] = _Record(reference, doc._memento())
        return found

    def restore(self, known: bool = True) -> None:
        """Give every document that is still there its state back."""
        for record in list(self._by_id.values()):
            record.restore(known)
        self._by_id.clear()

    def __len__(self) -> int:
        return len(self._by_id)


def note(doc: Any) -> Any:
    """Return the document's record in the transaction that is open here, or None."""
    if not _transactions.get() and not models.open:
        return None
    transaction = current_transaction(get_connection_handle(doc._db_alias or doc._alias()))
    if transaction is None:
        return None
    doc._home()  # its collection is made before the transaction's first command
    return transaction.levels.note(doc)
