# SPDX-License-Identifier: Apache-2.0
"""Querysets: changing documents."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Generic

from mongodb import _core, _saving
from mongodb._delete_rules import apply_rules, rules_for
from mongodb._open_transactions import current_transaction
from mongodb._types import Doc
from mongodb.errors import (
    InvalidQueryError,
    NotSupportedError,
    NotUniqueError,
    OperationError,
)
from mongodb.queryset.joins import OrderPath
from mongodb.queryset.updates import build_update, encode_update
from mongodb.signals import post_bulk_insert, post_delete, pre_bulk_insert, pre_delete

__all__ = ["WritingMixin"]

_KEYS_AT_ONCE = 10000  # ids in one statement, far below the size of a command


class WritingMixin(Generic[Doc]):
    """insert, update, delete and their relatives."""

    _document: Any
    _collection_name: str
    _query: dict[str, Any]

    # Creating

    def create(self, **kwargs: Any) -> Doc:
        """Make a document, insert it and return it."""
        document: Doc = self._document(**kwargs)
        self._move(document)
        return document.save(force_insert=True) or document  # type: ignore[attr-defined]

    def _move(self: Any, document: Any) -> None:
        if self._alias != self._document._alias():
            document._db_alias = self._alias
        if self._collection_name != self._document._get_collection_name():
            document._collection_name = self._collection_name

    def get_or_create(
        self: Any, defaults: Mapping[str, Any] | None = None, **kwargs: Any
    ) -> tuple[Doc, bool]:
        """Return (document, created); `defaults` are for a new document only."""
        _named_values("defaults of get_or_create()", defaults)
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
    ) -> tuple[Doc, bool]:
        """Set `defaults` on the match, or create it. Return (document, created)."""
        _named_values("defaults of update_or_create()", defaults)
        _named_values("create_defaults of update_or_create()", create_defaults)
        fresh = defaults if create_defaults is None else create_defaults
        document, created = self.get_or_create(fresh, **kwargs)
        if not created:
            document._assign(_called(dict(defaults or {})))
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
        if self._moved:
            for doc in docs:
                self._move(doc)
        keyed = _saving.stamp_all(docs)
        try:
            if validate:
                _saving.validate_all(docs)
            if docs:
                self._insert(docs, write_concern, ordered)
        except BaseException:
            _saving.take_back_keys(keyed)
            raise
        docs = self._inserted(docs, load_bulk)
        post_bulk_insert.send(self._document, documents=docs, loaded=load_bulk, **extra)
        if load_bulk:
            return docs[0] if single else docs
        keys = [doc.pk for doc in docs]
        return keys[0] if single else keys

    def _inserted(self, docs: list[Any], load_bulk: bool) -> list[Any]:
        """Return the documents that were inserted; a hook."""
        return docs

    def bulk_create(self, docs: Any, **kwargs: Any) -> Any:
        """Django's name of `insert`."""
        return self.insert(docs, **kwargs)

    def _insert(self: Any, docs: list[Any], concern: Any, ordered: bool) -> None:
        handle = self._handle()
        if not self._moved:
            self._document._ready()
        options: dict[str, Any] = {"ordered": ordered}
        if concern and current_transaction(handle) is None:
            options["writeConcern"] = dict(concern)
        at = 0
        while at < len(docs):
            command, end = _core.insert_command(self._collection_name, docs, options, at)
            try:
                handle.insert_raw(command)
            except OperationError as error:
                if current_transaction(handle) is None:
                    _saving.partly_inserted(docs[at:end], error, ordered)
                raise
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
        """Change all matches: `inc__age=1`, `push__tags="x"`, `name="y"`. Return how many.

        With skip() or limit() the ids are asked for first; those that match still are changed.
        """
        if not update and not upsert:
            raise OperationError("update() needs at least one change, such as set__name='x'")
        _no_read_concern("update", read_concern)
        statement: dict[str, Any] = {"u": self._changes(update), "multi": multi}
        if upsert:
            statement["upsert"] = True
            statement["u"] = self._with_class(statement["u"], update)
        if array_filters is not None:
            statement["arrayFilters"] = array_filters
        reply: dict[str, Any] = {"n": 0, "nModified": 0}
        for chosen in self._statements(multi, upsert):
            more = self._handle().update(
                self._collection_name, {**statement, **chosen}, write_concern,
                **self._chosen_options("comment", "maxTimeMS"),
            )  # fmt: skip
            for count in ("n", "nModified"):  # a server does not tell them with w: 0
                more[count] = reply[count] + more.get(count, 0)
            reply = more
        if full_result:
            from pymongo.results import UpdateResult

            known = reply.get("upserted")
            raw = {**reply, "updatedExisting": bool(reply["n"]) and not known}
            if known:
                raw["upserted"] = known[0]["_id"]
            return UpdateResult(raw, True)
        return reply["n"]

    def _statements(self: Any, multi: bool, upsert: bool = False) -> Iterator[dict[str, Any]]:
        """Yield what a statement needs to reach the documents that are meant, and no others."""
        self._refuse_groups()
        if self._empty:
            return
        options = self._chosen_options("collation", "hint")
        query, joins = (self._matching(), []) if upsert else self._where()
        if not joins and not self._bounded and (multi or not self._order_now()):
            yield {"q": query, **options}
            return
        if upsert and self._skip:
            raise InvalidQueryError("an upsert has no skip(): it could insert what is there")
        keys = self._slice(slice(None, None if multi else 1))._keys()
        if not keys and upsert:
            yield {"q": query, "multi": False, **options}
        for at in range(0, len(keys), _KEYS_AT_ONCE):
            yield self._among(keys[at : at + _KEYS_AT_ONCE], query=query)

    def _refuse_groups(self: Any) -> None:
        if self._groups is not None:
            raise InvalidQueryError("groups are not stored: annotate() of values() changes nothing")

    def _among(
        self: Any, keys: list[Any], all_of_them: bool = False, query: Any = None
    ) -> dict[str, Any]:
        """Return a statement's filter for those of the ids that still match."""
        chosen = _core.Raw({"_id": {"$in": keys}})
        options = self._chosen_options("collation")
        # To a collation other ids could be equal.
        if all_of_them or (options and any(isinstance(key, (str, Mapping)) for key in keys)):
            return {"q": chosen}
        query = self._where()[0] if query is None else query
        return {"q": _core.join_filters("$and", [chosen, query]), **options}

    def _keys(self: Any) -> list[Any]:
        """Return the stored primary keys."""
        wanted = self._with(
            _include=("_id",),
            _options={k: v for k, v in self._options.items() if k != "projection"},
        )  # fmt: skip
        return [key for batch in wanted._batches() for key in batch.keys()]

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
        """Change the first match or insert one; return the document as it is then."""
        _no_read_concern("upsert_one", read_concern)
        return self._modify({"new": True, "upsert": True}, update, write_concern=write_concern)

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
        if remove and (upsert or update or array_filters):
            raise OperationError("a removed document takes no change: remove stands alone")
        if not update and not upsert and not remove:
            raise OperationError("modify() needs at least one change, or remove=True")
        options = (
            {"remove": True} if remove else {"new": new, **({"upsert": True} if upsert else {})}
        )
        if array_filters is not None:
            options["arrayFilters"] = array_filters
        return self._modify(options, update, full_response=full_response)

    def _modify(
        self: Any,
        options: dict[str, Any],
        update: Mapping[str, Any],
        write_concern: Any = None,
        full_response: bool = False,
    ) -> Any:
        if self._empty:
            return None
        query, joins = (self._matching(), []) if "upsert" in options else self._where()
        asked = {"query": query, **self._chosen_options("collation", "hint")}
        order = self._order_now()
        if self._skip or joins or any(type(path) is OrderPath for path, _ in order):
            if "upsert" in options:
                raise InvalidQueryError("an upsert has no skip(): it could insert what is there")
            keys = self._slice(slice(0, 1))._keys()
            if not keys:
                return None
            asked, order = self._among(keys, query=query), []
            asked["query"] = asked.pop("q")
        command = {"findAndModify": self._collection_name, **asked, **options}
        if order:
            command["sort"] = dict(order)
        if "remove" not in options:
            change = self._changes(update)
            command["update"] = self._with_class(change, update) if "upsert" in options else change
        projection = self._projection()
        if projection:
            command["fields"] = projection
        command |= self._chosen_options("comment", "maxTimeMS")
        reply = self._handle().find_and_modify(command, write_concern)
        if reply.get("value") is not None:
            reply["value"] = self._modified(reply["value"])
        return reply if full_response else reply.get("value")

    def _modified(self: Any, value: Mapping[str, Any]) -> Any:
        """Return what findAndModify found in the queryset's shape."""
        if self._shape == "dicts":
            return value
        document = self._document_from(value)
        return document if self._shape is None else self._shaped(document)

    def _document_from(self: Any, value: Mapping[str, Any]) -> Any:
        document = self._document._from_son(value)
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
        self._refuse_groups()
        if self._empty:
            return 0
        if pre_delete.has_receivers_for(document) or post_delete.has_receivers_for(document):
            found = list(self.all_fields()._with(_shape=None, _scalar=()))  # whole: they go soon
            seen.update((document, one.pk) for one in found)
            for one in found:
                one.delete(write_concern=write_concern, _seen=seen)
            return len(found)
        rules = bool(rules_for(document))
        if not rules:
            return sum(self._send_delete(one, write_concern) for one in self._statements(True))
        keys = self._keys()
        if rules:
            field = document._fields[document._meta["id_field"]]
            ids = [field.to_python(key) for key in keys]
            seen.update((document, one) for one in ids)
            apply_rules(document, ids, seen, write_concern)
        return sum(
            self._send_delete(self._among(keys[at : at + _KEYS_AT_ONCE], True), write_concern)
            for at in range(0, len(keys), _KEYS_AT_ONCE)
        )

    def _send_delete(self: Any, statement: dict[str, Any], write_concern: Any) -> int:
        options = {**statement, **self._chosen_options("comment", "maxTimeMS")}
        query = options.pop("q")
        return self._handle().delete(self._collection_name, query, 0, write_concern, **options)  # type: ignore[no-any-return]


def _no_read_concern(name: str, concern: Any) -> None:
    if concern is not None:
        raise NotSupportedError(f"{name}() has no read concern: MongoDB's updates take none")


def _named_values(what: str, given: Any) -> None:
    if given is not None and not isinstance(given, Mapping):
        raise TypeError(f"{what} are a dict of field names and values, not {given!r}")


def _simple(lookups: Mapping[str, Any]) -> dict[str, Any]:
    """Return the lookups that are plain values."""
    return {name: value for name, value in lookups.items() if "__" not in name}


def _called(values: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value() if callable(value) else value for name, value in values.items()}
