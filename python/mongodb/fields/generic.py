# SPDX-License-Identifier: Apache-2.0
"""References to documents of any class: the class is stored beside the key."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from bson import SON, DBRef, ObjectId

from mongodb import _registry
from mongodb.fields.base_field import BaseField
from mongodb.fields.lazy import LazyReference, ReadsLazily, lazy

__all__ = ["GenericLazyReferenceField", "GenericReferenceField"]

_UNSAVED = "You can only reference documents once they have been saved to the database"


class GenericReferenceField(BaseField):
    """A reference to a document of any class, stored as `{_cls, _ref: DBRef}`.

    It is read as a ReferenceField is. `choices` are the classes, or their names, that it takes.
    """

    kind = "pointer"
    document_type: Any = None
    _of_any_class = True

    def __init__(self, *args: Any, choices: Any = None, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.choices: list[str] = []
        for one in choices or ():
            if not isinstance(one, str) and not _registry.is_document_class(one):
                self.error(f"choices are Document classes or their names, not {one!r}")
            self.choices.append(one if isinstance(one, str) else one._class_name)

    def to_python(self, value: Any) -> Any:
        if isinstance(value, Mapping) and isinstance(value.get("_ref"), DBRef) and "_cls" in value:
            cls = _registry.document_class(value["_cls"])
            return cls._hollow_document(_key_field(cls).to_python(value["_ref"].id))
        return value

    def to_mongo(self, value: Any) -> Any:
        if isinstance(value, LazyReference):
            return self._stored(value.document_type, value.pk)
        if not _registry.is_document(value):
            return value
        return self._stored(type(value), value.pk)

    def _stored(self, cls: Any, key: Any) -> Any:
        if key is None:
            self.error(_UNSAVED)
        reference = DBRef(cls._get_collection_name(), _key_field(cls).to_mongo(key))
        return SON([("_cls", cls._class_name), ("_ref", reference)])

    def _validate_choices(self, value: Any) -> None:
        name = _class_of(value)
        if name not in self.choices and name.rpartition(".")[2] not in self.choices:
            self.error(f"must be one of {', '.join(self.choices)}, not {name or repr(value)}")

    def validate(self, value: Any, clean: bool = True) -> None:
        if isinstance(value, LazyReference) or _registry.is_document_class(type(value)):
            if value.pk is None:
                self.error(_UNSAVED)
        elif isinstance(value, Mapping):
            if "_ref" not in value or "_cls" not in value:
                self.error("GenericReferences can only contain documents")
        elif not isinstance(value, DBRef):
            self.error("GenericReferences can only contain documents")

    def prepare_query_value(self, op: str | None, value: Any) -> Any:
        return self.to_mongo(value)

    def _path_below(self, value: Any) -> str:
        """Return where below the field a DBRef or a bare key is stored."""
        if isinstance(value, LazyReference):
            return ""
        if isinstance(value, DBRef):
            return "._ref"
        return "._ref.$id" if isinstance(value, ObjectId) else ""


class GenericLazyReferenceField(ReadsLazily, GenericReferenceField):
    """A reference to a document of any class that reads as a `LazyReference`."""

    kind = "python"

    def __init__(self, *args: Any, passthrough: bool = False, **kwargs: Any) -> None:
        self.passthrough = passthrough
        super().__init__(*args, **kwargs)

    def build_lazyref(self, value: Any) -> Any:
        """Return a document, or a stored reference, as a LazyReference."""
        if isinstance(value, Mapping) and isinstance(value.get("_ref"), DBRef) and "_cls" in value:
            cls = _registry.document_class(value["_cls"])
            return lazy(_key_field(cls).to_python(value["_ref"].id), cls, self.passthrough)
        if isinstance(value, LazyReference) or _registry.is_document_class(type(value)):
            return lazy(value, None, self.passthrough)
        return value

    def to_python(self, value: Any) -> Any:
        return self.build_lazyref(value)


def _key_field(cls: Any) -> Any:
    return cls._fields[cls._meta["id_field"]]


def _class_of(value: Any) -> str:
    if isinstance(value, Mapping):
        return str(value.get("_cls", ""))
    cls = value.document_type if isinstance(value, LazyReference) else type(value)
    return str(getattr(cls, "_class_name", ""))
