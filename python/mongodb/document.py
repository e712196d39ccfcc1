# SPDX-License-Identifier: Apache-2.0
"""Documents that have a collection."""

from __future__ import annotations

import functools
import logging
from collections.abc import Mapping
from typing import Any, ClassVar, Self

from bson import DBRef
from bson.raw_bson import RawBSONDocument

from mongodb import _core, _fetching, _identity, _references, _saving
from mongodb._collections import INDEX_ERRORS, make_indexes, make_ready
from mongodb._delete_rules import add_rule, apply_rules
from mongodb._indexes import (
    declared_indexes,
    free_names,
    geo_indexes,
    parse_keys,
    same_keys,
    stored_keys,
)
from mongodb._metaclass import TopLevelDocumentMetaclass
from mongodb._open_transactions import current_transaction
from mongodb._registry import class_tree
from mongodb._rollback import note
from mongodb._threads import to_thread
from mongodb.base_document import BaseDocument
from mongodb.connection import DEFAULT_CONNECTION_NAME, get_connection_handle, get_db
from mongodb.embedded import DynamicMixin
from mongodb.errors import (
    DoesNotExist,
    InvalidDocumentError,
    InvalidQueryError,
    LookUpError,
    MongoError,
    MultipleObjectsReturned,
    OperationError,
)
from mongodb.fields.files import FileField
from mongodb.queryset.manager import QuerySetManager
from mongodb.queryset.text import SCORE
from mongodb.signals import post_delete, pre_delete

__all__ = ["Document", "DynamicDocument"]

_log = logging.getLogger("mongodb")


class _DefaultManager:
    """`objects` under the name that Django's shortcuts use for a class."""

    def __get__(self, instance: Any, owner: Any = None) -> Any:
        return owner.objects


@functools.cache
def _usual_queryset() -> Any:
    from mongodb.queryset.queryset import QuerySet

    return QuerySet


class Document(BaseDocument, metaclass=TopLevelDocumentMetaclass):
    """A document of a collection; `objects` queries it, `save()` and `delete()` change it."""

    _is_base = True
    _schema_embedded = False
    id: Any
    objects: ClassVar[QuerySetManager]
    _default_manager = _base_manager = _DefaultManager()
    DoesNotExist: ClassVar[type[DoesNotExist]]
    MultipleObjectsReturned: ClassVar[type[MultipleObjectsReturned]]
    # Set on an instance by switch_db and switch_collection.
    _db_alias: str | None = None
    _collection_name: str | None = None

    # Whether saving a new document whose key is stored replaces that one, whatever made the key.
    _keys_name_documents = False

    def _replacement(self, data: bytes) -> Any:
        """Return the update that stores a document whose key may be there already."""
        return RawBSONDocument(data)

    @classmethod
    def _class_made(cls) -> None:
        """Do what is left to do when the class is complete; a hook."""

    # Identity

    @property
    def pk(self) -> Any:
        """The primary key."""
        name = self._meta.get("id_field")
        return getattr(self, name) if name else None

    @pk.setter
    def pk(self, value: Any) -> None:
        name = self._meta.get("id_field")
        if name is None:
            raise KeyError(f"{type(self).__name__} is abstract: it has no primary key")
        setattr(self, name, value)

    def __eq__(self, other: object) -> bool:
        if isinstance(other, Document):
            if not isinstance(other, type(self)) and not isinstance(self, type(other)):
                return False
            return self is other if self.pk is None else bool(self.pk == other.pk)
        if isinstance(other, DBRef):
            return bool(self._get_collection_name() == other.collection and self.pk == other.id)
        return False

    def __ne__(self, other: object) -> bool:
        return not self == other

    def __hash__(self) -> int:
        return object.__hash__(self) if self.pk is None else hash(self.pk)

    # References

    @classmethod
    def _hollow_document(cls, key: Any, context: Any = None) -> Any:
        return _core.hollow(cls, key, context)

    @classmethod
    def _resolve_reference(cls, key: Any, context: Any) -> Any:
        found = _references.load_reference(cls, key, context)
        return _core.hollow(cls, key, context) if found is None else found

    def _fetch(self) -> None:
        _fetching.fill(self)

    def _fetch_field(self, at: int) -> None:
        _fetching.fill_field(self, at)

    def to_dbref(self) -> DBRef:
        """Return a DBRef to this document; it must be saved."""
        if self.pk is None:
            raise OperationError("Only saved documents can have a valid dbref: call save() first")
        return DBRef(self._get_collection_name(), self.pk)

    def _reference(self) -> Any:
        """Return what is stored of the document where any value may be."""
        return self.to_dbref()

    def get_text_score(self) -> float:
        """Return how well the document fits the text search that found it."""
        if SCORE not in self.__dict__:
            raise InvalidDocumentError(
                "only a document that search_text() found has a score, unless text_score=False"
            )
        return self.__dict__[SCORE]  # type: ignore[no-any-return]

    # Where it lives

    @classmethod
    def _alias(cls) -> str:
        return cls._meta.get("db_alias", DEFAULT_CONNECTION_NAME)  # type: ignore[no-any-return]

    @classmethod
    def _get_collection_name(cls) -> Any:
        return cls._meta.get("collection")

    @property
    def _collection(self) -> Any:
        return type(self)._collection

    @classmethod
    def _geo_indices(cls) -> list[dict[str, Any]]:
        return [{"fields": list(spec["key"].items())} for spec in geo_indexes(cls)]

    @classmethod
    def _indexed_first(cls) -> set[str]:
        """Return the paths with which declared indexes begin."""
        return {next(iter(spec["key"]), "") for spec in declared_indexes(cls)}

    @property
    def _object_key(self) -> dict[str, Any]:
        return _identity.own_lookups(self)

    @classmethod
    def _get_db(cls) -> Any:
        return get_db(cls._alias())

    @classmethod
    def _get_collection(cls) -> Any:
        cls._ready()
        return cls._get_db()[cls._get_collection_name()]

    @classmethod
    def _ready(cls) -> Any:
        """Return the connection, with collection and indexes as declared."""
        handle = get_connection_handle(cls._alias())
        key = (cls, cls._get_collection_name())
        if key not in handle.ready:
            if cls._abstract:
                raise InvalidDocumentError(f"{cls.__name__} is abstract: it has no collection")
            make_ready(cls, handle)
        return handle

    @classmethod
    def _readable(cls) -> Any:
        """Return the connection. An index that cannot be made is told in the log and by the next
        insert: it is no reason not to read, nor not to mend what it refuses."""
        handle, key = get_connection_handle(cls._alias()), (cls, cls._get_collection_name())
        if key in handle.ready or key in handle.unready:
            return handle
        try:
            return cls._ready()
        except MongoError as error:
            if error.code not in INDEX_ERRORS or current_transaction(handle) is not None:
                raise
            handle.unready.add(key)
            _log.error("an index of %s could not be made: %s", cls.__name__, error)
            return handle

    def _home(self) -> tuple[Any, str]:
        if self._db_alias is None and self._collection_name is None:
            return self._ready(), self._get_collection_name()
        handle = get_connection_handle(self._db_alias or self._alias())
        return handle, self._collection_name or self._get_collection_name()

    def switch_db(self, db_alias: str, keep_created: bool = True) -> Any:
        """Use another connection for this document from now on."""
        _fetching.complete(self)
        self._db_alias = db_alias
        return self._switched(keep_created)

    def switch_collection(self, collection_name: str, keep_created: bool = True) -> Any:
        """Use another collection for this document from now on."""
        _fetching.complete(self)
        self._collection_name = collection_name
        return self._switched(keep_created)

    def _switched(self, keep_created: bool) -> Any:
        if not keep_created or not self._created:
            _saving.forget_stored(self)
        return self

    # Writing

    def save(
        self,
        force_insert: bool = False,
        validate: bool = True,
        clean: bool = True,
        write_concern: Mapping[str, Any] | None = None,
        cascade: bool | None = None,
        cascade_kwargs: Mapping[str, Any] | None = None,
        _refs: Any = None,
        save_condition: Mapping[str, Any] | None = None,
        signal_kwargs: Mapping[str, Any] | None = None,
    ) -> Self:
        """Insert the document, or send what changed since it was loaded. Return the document.

        Raises ValidationError, NotUniqueError, OperationError; SaveConditionError when
        `save_condition` (lookups) matches nothing.
        """
        if self._abstract:
            raise InvalidDocumentError(f"{type(self).__name__} is abstract: it cannot be saved")
        if self._meta.get("auto_create_index_on_save"):
            self.ensure_indexes()
        return _saving.save(  # type: ignore[no-any-return]
            self,
            force_insert=force_insert,
            validate=validate,
            clean=clean,
            write_concern=write_concern,
            cascade=cascade,
            cascade_kwargs=cascade_kwargs,
            seen=_refs,
            save_condition=save_condition,
            signal_kwargs=dict(signal_kwargs or {}),
        )

    def cascade_save(
        self,
        force_insert: bool = False,
        validate: bool = True,
        clean: bool = True,
        write_concern: Mapping[str, Any] | None = None,
        signal_kwargs: Mapping[str, Any] | None = None,
        _refs: Any = None,
    ) -> None:
        """Save the referenced documents that changed."""
        options = {"force_insert": force_insert, "validate": validate, "clean": clean,
                   "write_concern": write_concern, "signal_kwargs": signal_kwargs}  # fmt: skip
        _saving.cascade_save(self, _refs or set(), options)

    def delete(
        self,
        signal_kwargs: Mapping[str, Any] | None = None,
        _seen: set[Any] | None = None,
        **write_concern: Any,
    ) -> None:
        """Delete the document and the files of its file fields, after the rules of references.

        The write concern is `write_concern={"w": 1}`, or `w=1` as in MongoEngine.
        """
        concern = _saving.concern_of(write_concern)
        extra = dict(signal_kwargs or {})
        pre_delete.send(type(self), document=self, **extra)
        if self.pk is None:
            raise OperationError("a document without a primary key is not in the store")
        handle, collection = self._home()
        seen = set() if _seen is None else _seen  # what a cascade has come to already
        seen.add((type(self), self.pk))
        apply_rules(type(self), [self.pk], seen, concern)
        for field in self._fields.values():  # first: what fails can be repeated
            if isinstance(field, FileField):
                field.__get__(self).delete()
        handle.delete(collection, _identity.own_filter(self), 1, concern)
        post_delete.send(type(self), document=self, **extra)

    def update(self, **kwargs: Any) -> Any:
        """Change this document in the store only: `update(inc__visits=1)`; then `reload()`."""
        if self.pk is None:
            if kwargs.get("upsert"):
                query = self._qs().clear_order().filter(**_identity.stored_values(self))
                return query.update_one(**kwargs)
            raise OperationError("a document that was never saved cannot be updated: save() it")
        query = self._qs().clear_order().filter(**_identity.own_lookups(self))
        return query.update_one(**kwargs)

    def modify(self, query: Mapping[str, Any] | None = None, **update: Any) -> bool:
        """Update in the store if `query` matches, and take over the result. Tell whether it did."""
        if self.pk is None:
            raise InvalidDocumentError("the document has no primary key: save() it first")
        wanted = dict(query or {})
        key = self._meta["id_field"]
        given = [wanted.pop(name) for name in ("pk", "id", key) if name in wanted]
        if any(value != self.pk for value in given):
            raise InvalidQueryError("query names the primary key of another document")
        found = self._qs()(**wanted, pk=self.pk).modify(new=True, **update)
        if found is None:
            return False
        note(self)
        self._load(found._stored(), trusted=True)
        self._mask = None
        return True

    def fetch(self, *fields: str) -> Self:
        """Read fields that `only()` or `exclude()` left out, for all documents they came with.

        Reading such a field does the same; without names, all that are left out are read.
        """
        for name in fields or tuple(self._fields):
            if name not in self._fields:
                raise LookUpError(f"{type(self).__name__} has no field {name!r}")
            getattr(self, name)
        return self

    async def afetch(self, *fields: str) -> Self:
        """`fetch()` in a thread."""
        return await to_thread(self.fetch, *fields)

    def reload(self, *fields: Any, max_depth: int = 1) -> Self:
        """Read the document, or some fields of it, from the store again.

        References are read when they are looked at: `max_depth`, or a number before the fields, is
        taken for MongoEngine's sake and needs nothing done.
        """
        if self.pk is None:
            raise self.DoesNotExist("the document was never saved")
        names = list(fields[1:] if fields and isinstance(fields[0], int) else fields)
        for name in names:
            if name not in self._fields:
                raise LookUpError(f"{type(self).__name__} has no field {name!r}")
        _fetching.reload(self, names)
        return self

    def select_related(self, max_depth: int = 1) -> Self:
        """Fetch the referenced documents now."""
        for name, field in self._fields.items():
            inner: Any = field
            while inner._item is not None:
                inner = inner._item
            if inner.kind in ("reference", "pointer"):
                for one in _saving.documents_in(getattr(self, name)):
                    if (
                        one._hollow
                        and _references.load_reference(type(one), one.pk, None) is not None
                    ):
                        one._fetch()
        return self

    def _qs(self) -> Any:
        query = type(self)._queryset()
        if self._db_alias is not None or self._collection_name is not None:
            handle, collection = self._home()
            query = query._located(handle.alias, collection)
        return query

    @classmethod
    def _queryset(cls, default: Any = None) -> Any:
        return cls._meta.get("queryset_class", default or _usual_queryset())(cls)

    # Collection and indexes

    @classmethod
    def drop_collection(cls) -> None:
        """Drop the collection with all its documents and indexes."""
        handle = get_connection_handle(cls._alias())
        name = cls._get_collection_name()
        if not name:
            raise OperationError(f"{cls.__name__} is abstract: it has no collection")
        handle.drop(name)
        handle.ready = {key for key in handle.ready if key[1] != name}

    @classmethod
    def create_index(cls, keys: Any, background: bool = False, **kwargs: Any) -> str:
        """Create one index; `keys` as in `meta["indexes"]`, options as createIndexes has them.

        Returns its name. When another index on the same keys has the usual name, this one gets
        the options' names added to its own.
        """
        pairs = parse_keys(cls, keys)
        spec: dict[str, Any] = {"key": dict(pairs), **kwargs}
        if background is not False:
            spec["background"] = background  # of another kind it is the store's to refuse
        names = [kwargs["name"]] if "name" in kwargs else free_names(pairs, kwargs)
        handle = cls._ready()
        for at, name in enumerate(names):
            try:
                handle.create_indexes(cls._get_collection_name(), [{**spec, "name": name}])
            except OperationError as error:
                if error.code != 86 or at == len(names) - 1:  # IndexKeySpecsConflict
                    raise
            else:
                return name
        raise AssertionError("there is always a last name")

    @classmethod
    def ensure_index(cls, key_or_list: Any, background: bool = False, **kwargs: Any) -> str:
        """The older name of `create_index`."""
        return cls.create_index(key_or_list, background=background, **kwargs)

    @classmethod
    def ensure_indexes(cls) -> None:
        """Create the declared indexes now; on the embedded store, see `pending_indexes`."""
        make_indexes(cls, get_connection_handle(cls._alias()))

    @classmethod
    def pending_indexes(cls) -> list[list[tuple[str, Any]]]:
        """Return the keys of declared indexes that the embedded store cannot make yet."""
        pending, name = cls._ready().pending, cls._get_collection_name()
        return [list(spec["key"].items()) for (where, _), spec in pending.items() if where == name]

    @classmethod
    def list_indexes(cls) -> list[list[tuple[str, Any]]]:
        """Return the keys of the indexes that the collection's classes declare, `_id` included."""
        name = cls._get_collection_name()
        above: list[Any] = [one for one in cls.__mro__ if getattr(one, "_schema", None) is not None]
        tops = [one for one in above if not one._abstract and one._get_collection_name() == name]
        keys: list[Any] = []
        for one in class_tree(tops[-1] if tops else cls):
            if one._get_collection_name() == name:
                keys += [list(spec["key"].items()) for spec in declared_indexes(one)]
        own = [list(pairs) for pairs in dict.fromkeys(map(tuple, keys))]
        last = [[("_id", 1)], *([[("_cls", 1)]] if [("_cls", 1)] in own else [])]
        return [one for one in own if one not in last] + last

    @classmethod
    def compare_indexes(cls) -> dict[str, Any]:
        """Return the keys of indexes that are declared but missing, and the other way round."""
        handle = cls._ready()
        existing = [stored_keys(one) for one in handle.list_indexes(cls._get_collection_name())]
        required = cls.list_indexes()

        def lacking(these: Any, those: Any) -> Any:
            return [keys for keys in these if not any(same_keys(keys, one) for one in those)]

        return {"missing": lacking(required, existing), "extra": lacking(existing, required)}

    @classmethod
    def register_delete_rule(cls, document_cls: Any, field_name: str, rule: int) -> None:
        """Apply `rule` to `document_cls.field_name` when a document of this class is deleted."""
        add_rule(document_cls, field_name, rule, cls)

    # Asynchronous twins; the wait happens in C, without the GIL.

    async def asave(self, *args: Any, **kwargs: Any) -> Self:
        """`save()` in a thread."""
        return await to_thread(self.save, *args, **kwargs)

    async def adelete(self, *args: Any, **kwargs: Any) -> None:
        """`delete()` in a thread."""
        await to_thread(self.delete, *args, **kwargs)

    async def areload(self, *args: Any, **kwargs: Any) -> Self:
        """`reload()` in a thread."""
        return await to_thread(self.reload, *args, **kwargs)

    async def aupdate(self, **kwargs: Any) -> Any:
        """`update()` in a thread."""
        return await to_thread(lambda: self.update(**kwargs))


class DynamicDocument(DynamicMixin, Document):
    """A document that takes any field."""

    _is_base = True
    _schema_embedded = False
    _dynamic = True
