# SPDX-License-Identifier: Apache-2.0
"""Fields that point to documents of other collections."""

from __future__ import annotations

from typing import Any

from bson import DBRef, ObjectId

from mongodb import _registry
from mongodb.errors import InvalidDocumentError
from mongodb.fields.base_field import BaseField

__all__ = ["CASCADE", "DENY", "DO_NOTHING", "NULLIFY", "PULL", "ReferenceField"]

DO_NOTHING, NULLIFY, CASCADE, DENY, PULL = _RULES = 0, 1, 2, 3, 4


class RefersToClass(BaseField):
    """A field that names one class of documents, perhaps before there is the class."""

    document_type_obj: Any

    @property
    def document_type(self) -> Any:
        if isinstance(self.document_type_obj, str):
            self.document_type_obj = _registry.resolve(self.document_type_obj, self.owner_document)
        return self.document_type_obj

    def _key_field(self) -> BaseField:
        cls = self.document_type
        return cls._fields[cls._meta["id_field"]]  # type: ignore[no-any-return]

    def lookup_member(self, member_name: str) -> BaseField | None:
        return self.document_type._fields.get(member_name)  # type: ignore[no-any-return]


def _class_in(value: DBRef) -> Any:
    return getattr(value, "_cls", None) or value._DBRef__kwargs.get("_cls")


class ReferenceField(RefersToClass):
    """A reference, stored as the primary key (with `dbref=True`, as a DBRef).

    Reading it gives the document. Its primary key is known without a query; the rest is fetched
    when it is first read, for all documents of the batch in one query.
    """

    kind = "reference"
    _points = True

    def __init__(
        self,
        document_type: Any,
        dbref: bool = False,
        reverse_delete_rule: int = DO_NOTHING,
        **kwargs: Any,
    ) -> None:
        if not isinstance(document_type, str) and not _registry.is_document_class(document_type):
            raise InvalidDocumentError(
                f"ReferenceField takes a Document class or its name, not {document_type!r}"
            )
        if reverse_delete_rule not in _RULES:
            raise InvalidDocumentError(
                "reverse_delete_rule is one of mongodb's DO_NOTHING, NULLIFY, CASCADE, DENY and "
                f"PULL, not {reverse_delete_rule!r}"
            )
        self.dbref = self._dbref = dbref
        self.document_type_obj = document_type
        self.reverse_delete_rule = reverse_delete_rule
        super().__init__(**kwargs)

    def to_python(self, value: Any) -> Any:
        if value is None or _registry.is_document(value):
            return value
        cls = self.document_type
        if isinstance(value, DBRef):
            if self._is_foreign(value):
                return value  # validation has the words for it
            named = _class_in(value)
            if named:
                cls = _registry.get_document(named)
            value = value.id
        return cls._hollow_document(self._key_field().to_python(value))

    def to_mongo(self, value: Any) -> Any:
        if value is None:
            return None
        cls = self.document_type
        if isinstance(value, DBRef):
            self._refuse_foreign(value)
            if self.dbref:
                return DBRef(value.collection, value.id, value.database, **value._DBRef__kwargs)
            value = value.id
        if _registry.is_document(value):
            if value.pk is None:
                self.error(
                    f"needs a saved document: call save() on the {type(value).__name__} first"
                )
            cls, value = type(value), value.pk
        key = self._key_field().to_mongo(value)
        if not self.dbref:
            return key
        extra = {"_cls": cls._class_name} if cls._meta.get("allow_inheritance") else {}
        return DBRef(cls._get_collection_name(), key, **extra)

    def validate(self, value: Any, clean: bool = True) -> None:
        if _registry.is_document(value):
            if not isinstance(value, self.document_type):
                self.error(f"must be a {self.document_type.__name__}, not a {type(value).__name__}")
            if value.pk is None:
                self.error(
                    f"needs a saved document: call save() on the {type(value).__name__} first"
                )
            if value._hollow:  # a key was assigned
                self._validate_key(value.pk)
        elif isinstance(value, DBRef):
            self._refuse_foreign(value)
        elif not isinstance(value, ObjectId):
            self._validate_key(value)

    def _is_foreign(self, value: DBRef) -> bool:
        """Whether it refers to another collection than that of the field's documents."""
        known = self.document_type._get_collection_name()  # an abstract class has none
        return known is not None and value.collection != known

    def _refuse_foreign(self, value: DBRef) -> None:
        if self._is_foreign(value):
            wanted = self.document_type.__name__
            self.error(f"must refer to a {wanted}, not to one of {value.collection}")

    def _validate_key(self, value: Any) -> None:
        key = self._key_field()
        wrong = key.kind == "objectid" and not isinstance(value, ObjectId)
        if isinstance(value, (dict, list)) or wrong:
            self.error(f"must be a {self.document_type.__name__} document or its id, not {value!r}")
        key._validate(value)

    def prepare_query_value(self, op: str | None, value: Any) -> Any:
        return self.to_mongo(value)
