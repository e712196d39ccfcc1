# SPDX-License-Identifier: Apache-2.0
"""References that keep copies of some fields of their document, to query by them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from bson import SON

from mongodb import _cached, _registry
from mongodb.errors import InvalidDocumentError
from mongodb.fields.base_field import STORING_OPERATORS
from mongodb.fields.references import RefersToClass

__all__ = ["CachedReferenceField"]


class CachedReferenceField(RefersToClass):
    """A reference, stored with copies of `fields` (or of all) as `{_id, …}`.

    It reads as the document in its collection. With `auto_sync`, saving a document brings the
    copies up to date.
    """

    kind = "pointer"

    def __init__(
        self, document_type: Any, fields: Any = None, auto_sync: bool = True, **kwargs: Any
    ) -> None:
        if not isinstance(document_type, str) and not _registry.is_document_class(document_type):
            self.name = ""
            self.error(
                f"CachedReferenceField takes a Document class or its name, not {document_type!r}"
            )
        self.document_type_obj = document_type
        self.fields = list(fields or ())
        self.auto_sync = auto_sync
        super().__init__(**kwargs)

    def watch(self, owner: Any) -> None:
        """Follow the documents that are referred to; runs when the class is complete."""
        if owner._schema_embedded:
            raise InvalidDocumentError(
                f"{owner.__name__}.{self.name}: CachedReferenceFields is not allowed in "
                "EmbeddedDocuments"
            )
        if self.auto_sync:
            _cached.watch(self)

    def to_python(self, value: Any) -> Any:
        if isinstance(value, Mapping) and "_id" in value:
            return self.document_type._hollow_document(self._key_field().to_python(value["_id"]))
        return value

    def to_mongo(self, value: Any) -> Any:
        if not _registry.is_document(value):
            self.error("Only accept a document object")
        if value.pk is None:
            self.error("You can only reference documents once they have been saved to the database")
        son = SON([("_id", self._key_field().to_mongo(value.pk))])
        son.update(value.to_mongo(fields=self.fields))
        return son

    def validate(self, value: Any, clean: bool = True) -> None:
        if not isinstance(value, self.document_type):
            self.error("A CachedReferenceField only accepts documents")
        if value.pk is None:
            self.error("You can only reference documents once they have been saved to the database")

    def prepare_query_value(self, op: str | None, value: Any) -> Any:
        if value is None:
            return None
        if op in STORING_OPERATORS:
            return self.to_mongo(value)
        if _registry.is_document(value):
            value = value.pk
        elif isinstance(value, Mapping):
            value = value.get("_id")
        return self._key_field().to_mongo(value)

    def sync_all(self) -> None:
        """Bring all copies up to date: a command for each document that can be referred to."""
        for one in self.document_type.objects:
            _cached.write(self, one, one.to_mongo(fields=self.fields))
