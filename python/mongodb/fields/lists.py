# SPDX-License-Identifier: Apache-2.0
"""The list that an EmbeddedDocumentListField shows."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from mongodb._types import Doc
from mongodb.errors import DoesNotExist, MultipleObjectsReturned, ValidationError

__all__ = ["EmbeddedDocumentList"]


class EmbeddedDocumentList(list[Doc]):
    """A list of embedded documents with a queryset's words, all done in Python."""

    def __init__(self, items: Iterable[Doc] = (), instance: Any = None, name: str = "") -> None:
        super().__init__(items)
        self._instance = instance
        self._name = name

    @staticmethod
    def _matches(document: Any, wanted: dict[str, Any]) -> bool:
        for path, value in wanted.items():
            found = document
            for part in path.split("__"):
                if found is not None:
                    found = getattr(found, part)
            if found != value:
                return False
        return True

    def _new(self, items: Iterable[Doc]) -> EmbeddedDocumentList[Doc]:
        return EmbeddedDocumentList(items, self._instance, self._name)

    def filter(self, **kwargs: Any) -> EmbeddedDocumentList[Doc]:
        """Return those with all the given values."""
        return self._new(one for one in self if self._matches(one, kwargs))

    def exclude(self, **kwargs: Any) -> EmbeddedDocumentList[Doc]:
        """Return those without all the given values."""
        return self._new(one for one in self if not self._matches(one, kwargs))

    def count(self, *args: Any) -> int:
        """Return how many there are."""
        return super().count(*args) if args else len(self)

    def get(self, **kwargs: Any) -> Doc:
        """Return the only one with the given values."""
        found = self.filter(**kwargs)
        if not found:
            raise DoesNotExist(f"no embedded document of {self._name} matches")
        if len(found) > 1:
            raise MultipleObjectsReturned(f"{len(found)} embedded documents match, expected one")
        return found[0]

    def first(self) -> Doc | None:
        """Return the first or None."""
        return self[0] if self else None

    def create(self, **values: Any) -> Doc:
        """Append a new embedded document; the parent is not saved."""
        field = type(self._instance)._fields[self._name].field
        document: Doc = field.document_type(**values)
        current = getattr(self._instance, self._name)
        current.append(document)
        if current is not self:
            self.append(document)
        return document

    def save(self, *args: Any, **kwargs: Any) -> None:
        """Save the parent document."""
        self._instance.save(*args, **kwargs)

    def delete(self) -> int:
        """Take these out of the parent's list; the parent is not saved."""
        current = getattr(self._instance, self._name)
        gone = {id(one) for one in self}
        kept = [one for one in current if id(one) not in gone]
        number = len(current) - len(kept)
        setattr(self._instance, self._name, kept)
        if current is self:
            self[:] = kept
        return number

    def update(self, **values: Any) -> int:
        """Set values on all of these; the parent is not saved."""
        if not values:
            raise ValidationError("update() takes at least one value")
        for one in self:
            one._assign(values)  # type: ignore[attr-defined]
        return len(self)
