# SPDX-License-Identifier: Apache-2.0
"""References that are fetched when they are asked to, and not before."""

from __future__ import annotations

import copy
from collections.abc import Callable
from typing import Any

from bson import DBRef

from mongodb import _registry
from mongodb.fields.base_field import BaseField
from mongodb.fields.references import DO_NOTHING, ReferenceField

__all__ = ["LazyReference", "LazyReferenceField"]


class LazyReference(DBRef):
    """The class and primary key of a document; `fetch()` gives the document.

    With `passthrough` its fields are read through it, which fetches.
    """

    __slots__ = ("_cached_doc", "document_type", "passthrough")

    def __init__(
        self, document_type: Any, pk: Any, cached_doc: Any = None, passthrough: bool = False
    ) -> None:
        self.document_type = document_type
        self._cached_doc = cached_doc
        self.passthrough = passthrough
        super().__init__(document_type._get_collection_name(), pk)

    @property
    def id(self) -> Any:
        """The primary key; of a document that was not saved yet, once it is."""
        known = self._cached_doc
        if self._DBRef__id is None and known is not None:
            object.__setattr__(self, "_DBRef__id", known.pk)
        return self._DBRef__id

    @property
    def pk(self) -> Any:
        """The primary key."""
        return self.id

    def fetch(self, force: bool = False) -> Any:
        """Return the document, read once; DoesNotExist when it is gone."""
        if self._cached_doc is None or force:
            self._cached_doc = self.document_type.objects.get(pk=self.pk)
        return self._cached_doc

    def __getitem__(self, name: str) -> Any:
        if not self.passthrough:
            raise KeyError(name)
        return self.fetch()[name]

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__") or not object.__getattribute__(self, "passthrough"):
            raise AttributeError(
                f"{name!r} of a lazy reference: fetch() the document, or declare passthrough=True"
            )
        return getattr(self.fetch(), name)

    def _to_plain(self) -> Any:
        return self.pk

    def __copy__(self) -> LazyReference:
        return type(self)(self.document_type, self.pk, self._cached_doc, self.passthrough)

    def __deepcopy__(self, memo: Any) -> LazyReference:
        key = copy.deepcopy(self.pk, memo)
        return type(self)(self.document_type, key, None, self.passthrough)

    def __reduce__(self) -> tuple[Any, ...]:
        return type(self), (self.document_type, self.pk, None, self.passthrough)

    def __repr__(self) -> str:
        return f"<LazyReference({self.document_type}, {self.pk!r})>"


def lazy(value: Any, cls: Any, passthrough: bool) -> Any:
    """Return a document, a DBRef or a primary key as a reference to a document of the class."""
    if value is None:
        return None
    if isinstance(value, LazyReference):
        if value.passthrough == passthrough:
            return value
        return LazyReference(value.document_type, value.pk, value._cached_doc, passthrough)
    if _registry.is_document(value):
        if value._schema_embedded:
            return value  # validation has the words for it
        known = None if value._hollow else value
        return LazyReference(type(value), value.pk, known, passthrough)
    if isinstance(value, DBRef):
        if value.collection != cls._get_collection_name():
            return value
        value = value.id
    return LazyReference(cls, value, None, passthrough)


class ReadsLazily(BaseField):
    """A field whose value, when it is first read, becomes what `build_lazyref` makes of it."""

    build_lazyref: Callable[[Any], Any]

    def __get__(self, instance: Any, owner: Any = None) -> Any:
        value = super().__get__(instance, owner)
        if instance is None or value is None:
            return value
        built = self.build_lazyref(value)
        if built is not value:
            instance._put(instance._schema.index(self.name), built)
        return built


class LazyReferenceField(ReadsLazily, ReferenceField):
    """A reference that reads as a `LazyReference`: `.pk` is known, `fetch()` asks the store."""

    kind = "python"

    def __init__(
        self,
        document_type: Any,
        passthrough: bool = False,
        dbref: bool = False,
        reverse_delete_rule: int = DO_NOTHING,
        **kwargs: Any,
    ) -> None:
        self.passthrough = passthrough
        super().__init__(document_type, dbref, reverse_delete_rule, **kwargs)

    def build_lazyref(self, value: Any) -> Any:
        """Return a document, a DBRef or a primary key as a LazyReference."""
        return lazy(value, self.document_type, self.passthrough)

    def to_python(self, value: Any) -> Any:
        if _registry.is_document(value) or isinstance(value, DBRef):
            return self.build_lazyref(value)
        return self.build_lazyref(self._key_field().to_python(value))

    def to_mongo(self, value: Any) -> Any:
        if isinstance(value, LazyReference):
            value = value.pk
        return super().to_mongo(value)

    def validate(self, value: Any, clean: bool = True) -> None:
        if not isinstance(value, DBRef):
            super().validate(value, clean)
            return
        wanted = self.document_type
        other = value.collection != wanted._get_collection_name()
        if isinstance(value, LazyReference) and not issubclass(value.document_type, wanted):
            other = True
        if other:
            self.error(f"must refer to a {wanted.__name__}, not to one of {value.collection}")
        if value.id is None:
            self.error(f"needs a saved document: call save() on the {wanted.__name__} first")
        self._validate_key(value.id)
