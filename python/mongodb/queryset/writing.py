# SPDX-License-Identifier: Apache-2.0
"""Querysets: changing documents."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from mongodb import _core, _persist
from mongodb._delete_rules import apply_rules, rules_for
from mongodb.errors import NotUniqueError, OperationError
from mongodb.queryset.updates import build_update, encode_update
from mongodb.signals import post_bulk_insert, post_delete, pre_bulk_insert, pre_delete

__all__ = ["WritingMixin"]


class WritingMixin:
    """insert, update, delete and their relatives."""

    _document: Any
    _collection_name: str
    _query: dict[str, Any]

    # Creating

    def create(self, **kwargs: Any) -> Any:
        """Make a document, insert it and return it."""
        document = self._document(**kwargs)
        self._move(document)
        return document.save(force_insert=True) or document

    def _move(self: Any, document: Any) -> None:
        if self._alias != self._document._alias():
            document._db_alias = self._alias
        if self._collection_name != self._document._get_collection_name():
            document._collection_name = self._collection_name

    def get_or_create(self: Any, defaults: Mapping[str, Any] | None = None, **kwargs: Any) -> Any:
        """Return (document, created); `defaults` are for a new document only."""
        try:
            return self.get(**kwargs), False
        except self._document.DoesNotExist:
            pass
        values = {**_simple(kwargs), **dict(defaults or {})}
        try:
            return self.create(**_called(values)), True
        except NotUniqueError:
            found = self.filter(**kwargs).first()  # somebody was faster
            if found is None:
                raise
            return found, False

    def update_or_create(
        self: Any,
        defaults: Mapping[str, Any] | None = None,
        create_defaults: Mapping[str, Any] | None = None,
        **kwargs: Any,
    ) -> Any:
        """Set `defaults` on the match, or create it. Return (document, created)."""
        fresh = defaults if create_defaults is None else create_defaults
        document, created = self.get_or_create(fresh, **kwargs)
        if not created:
            for name, value in _called(dict(defaults or {})).items():
                setattr(document, name, value)
            document.save()
        return document, created

    def insert(
        self: Any,
        doc_or_docs: Any,
        load_bulk: bool = True,
        write_concern: Mapping[str, Any] | None = None,
        signal_kwargs: Mapping[str, Any] | None = None,
        validate: bool = True,
        ordered: bool = True,
    ) -> Any:
        """Insert new documents in as few commands as possible.

        Returns the documents as they were given, or their primary keys with `load_bulk=False`.
        """
        single = isinstance(doc_or_docs, self._document)
        docs = [doc_or_docs] if single else list(doc_or_docs)
        extra = dict(signal_kwargs or {})
        for doc in docs:
            if not isinstance(doc, self._document):
                raise OperationError(
                    f"insert() takes {self._document.__name__} documents, not {type(doc).__name__}"
                )
            if not doc._created and doc.pk is not None:
                raise OperationError(
                    "a document that is in the store already is saved, not inserted"
                )
        pre_bulk_insert.send(self._document, documents=docs, **extra)
        _persist.stamp_all(docs)
        if validate:
            _persist.validate_all(docs)
        if docs:
            self._insert(docs, write_concern, ordered)
        post_bulk_insert.send(self._document, documents=docs, loaded=load_bulk, **extra)
        if load_bulk:
            return docs[0] if single else docs
        keys = [doc.pk for doc in docs]
        return keys[0] if single else keys

    def bulk_create(self, docs: Any, **kwargs: Any) -> Any:
        """Django's name of `insert`."""
        return self.insert(docs, **kwargs)

    def _insert(self: Any, docs: list[Any], concern: Any, ordered: bool) -> None:
        handle = self._handle()
        options: dict[str, Any] = {"ordered": ordered}
        if concern and handle.session() is None:
            options["writeConcern"] = dict(concern)
        at = 0
        while at < len(docs):
            command, end = _core.insert_command(self._collection_name, docs, options, at)
            handle.insert_raw(command)
            _core.inserted(docs, at, command)
            at = end

    # Changing

    def update(
        self: Any,
        upsert: bool = False,
        multi: bool = True,
        write_concern: Mapping[str, Any] | None = None,
        read_concern: Any = None,
        full_result: bool = False,
        array_filters: Any = None,
        **update: Any,
    ) -> Any:
        """Change all matches: `inc__age=1`, `push__tags="x"`, `name="y"`. Return how many."""
        if not update and not upsert:
            raise OperationError("update() needs at least one change, such as set__name='x'")
        if self._none:
            return 0
        statement: dict[str, Any] = {
            "q": self._filter(),
            "u": self._changes(update),
            "multi": multi,
        }
        if upsert:
            statement["upsert"] = True
            statement["u"] = self._with_class(statement["u"], update)
        if array_filters is not None:
            statement["arrayFilters"] = array_filters
        for name in ("collation", "hint"):
            if name in self._options:
                statement[name] = self._options[name]
        reply = self._handle().update(self._collection_name, statement, write_concern)
        if full_result:
            from pymongo.results import UpdateResult

            known = reply.get("upserted")
            raw = {**reply, "updatedExisting": bool(reply["n"]) and not known}
            if known:
                raw["upserted"] = known[0]["_id"]
            return UpdateResult(raw, True)
        return reply["n"]

    def _changes(self, update: Mapping[str, Any]) -> Any:
        return encode_update(self._document, dict(update)) if update else {"$set": {}}

    def _with_class(self, change: Any, update: Mapping[str, Any]) -> Any:
        document = self._document
        if not document._meta.get("allow_inheritance") or isinstance(change, list):
            return change
        out = build_update(document, update) if update else {}
        known = self._query.get("_cls")
        if not isinstance(known, str):
            out["$setOnInsert"] = {**out.get("$setOnInsert", {}), "_cls": document._class_name}
        return {key: value for key, value in out.items() if value}

    def update_one(self, upsert: bool = False, write_concern: Any = None, full_result: bool = False,
                   array_filters: Any = None, **update: Any) -> Any:  # fmt: skip
        """Change the first match."""
        return self.update(upsert=upsert, multi=False, write_concern=write_concern,
                           full_result=full_result,
                           array_filters=array_filters, **update)  # fmt: skip

    def upsert_one(
        self: Any, write_concern: Any = None, read_concern: Any = None, **update: Any
    ) -> Any:
        """Change the first match or insert one; return the document."""
        result = self.update(multi=False, upsert=True, write_concern=write_concern,
                             full_result=True, **update)  # fmt: skip
        if result.upserted_id is not None:
            return self._document.objects.with_id(result.upserted_id)
        return self.first()

    def modify(
        self: Any,
        upsert: bool = False,
        full_response: bool = False,
        remove: bool = False,
        new: bool = False,
        array_filters: Any = None,
        **update: Any,
    ) -> Any:
        """Change or remove the first match in one step and return it, as it was or (`new`) is."""
        if remove and new:
            raise OperationError("a removed document has no new state: remove and new conflict")
        if not update and not upsert and not remove:
            raise OperationError("modify() needs at least one change, or remove=True")
        command: dict[str, Any] = {"findAndModify": self._collection_name, "query": self._filter()}
        order = self._ordering()
        if order:
            command["sort"] = dict(order)
        if remove:
            command["remove"] = True
        else:
            change = self._changes(update)
            command.update(update=self._with_class(change, update) if upsert else change, new=new)
            if upsert:
                command["upsert"] = True
        if array_filters is not None:
            command["arrayFilters"] = array_filters
        projection = self._projection()
        if projection:
            command["fields"] = projection
        reply = self._handle().find_and_modify(command)
        if full_response:
            return reply
        value = reply.get("value")
        return None if value is None else self._document_from(value)

    def _document_from(self: Any, value: Mapping[str, Any]) -> Any:
        document = self._document._from_son(value, created=True)
        document._mask = self._loaded_fields.mask_for(type(document))
        self._move(document)
        return document

    # Deleting

    def delete(self, write_concern: Any = None, _from_doc_delete: bool = False,
               cascade_refs: Any = None) -> int:  # fmt: skip
        """Delete all matches, after the rules of references to them. Return how many."""
        return self._delete(set(cascade_refs or ()), write_concern)

    def _delete(self: Any, seen: set[Any], write_concern: Any) -> int:
        document = self._document
        if self._none:
            return 0
        if pre_delete.has_receivers_for(document) or post_delete.has_receivers_for(document):
            found = list(self)
            for one in found:
                self._move(one)
                one.delete(write_concern=write_concern)
            return len(found)
        bounded = self._limit is not None or self._skip
        rules = [rule for cls in {document} for rule in rules_for(cls)]
        if bounded or rules:
            keys = list(self.scalar("pk"))
            if rules:
                seen.update((document, key) for key in keys)
                apply_rules(document, keys, seen, write_concern)
            query = document.objects(pk__in=keys).clear_cls_query()._filter()
        else:
            query = self._filter()
        options = {k: self._options[k] for k in ("collation", "hint") if k in self._options}
        return self._handle().delete(self._collection_name, query, 0, write_concern, **options)  # type: ignore[no-any-return]


def _simple(lookups: Mapping[str, Any]) -> dict[str, Any]:
    """Return the lookups that are plain values."""
    return {name: value for name, value in lookups.items() if "__" not in name}


def _called(values: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value() if callable(value) else value for name, value in values.items()}
