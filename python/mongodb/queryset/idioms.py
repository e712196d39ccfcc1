# SPDX-License-Identifier: Apache-2.0
"""Words of Django's querysets beside MongoEngine's, and the asynchronous twins of both."""

from __future__ import annotations

import collections
import functools
from collections.abc import Iterable
from typing import Any, Generic

from mongodb import _identity
from mongodb._rollback import note
from mongodb._stamps import stamp
from mongodb._threads import to_thread
from mongodb._types import Doc
from mongodb.errors import InvalidQueryError, NotSupportedError, OperationError
from mongodb.queryset.lookups import db_path

__all__ = ["IdiomsMixin", "tuple_class"]

_STATEMENTS = 1000  # updates of one command


class IdiomsMixin(Generic[Doc]):
    """What Django's users expect of a queryset."""

    _document: Any

    # Reading

    def reverse(self: Any) -> Any:
        """Turn the order round; without one, from the greatest primary key down."""
        if self._bounded:
            raise InvalidQueryError("reverse() comes before skip(), limit() and slices")
        order = self._order_now() or [("_id", 1)]
        turned = [(path, -way if isinstance(way, int) else way) for path, way in order]
        return self._with(_order=turned)

    def latest(self: Any, *fields: str) -> Doc:
        """Return the last document in the order of the fields; DoesNotExist if there is none."""
        return self._extreme("latest", fields, True)  # type: ignore[no-any-return]

    def earliest(self: Any, *fields: str) -> Doc:
        """Return the first document in the order of the fields; DoesNotExist if there is none."""
        return self._extreme("earliest", fields, False)  # type: ignore[no-any-return]

    def _extreme(self: Any, name: str, fields: tuple[str, ...], turned: bool) -> Any:
        if self._bounded:
            raise InvalidQueryError(f"{name}() comes before skip(), limit() and slices")
        if not fields:
            raise InvalidQueryError(
                f"{name}() takes the names of fields, such as {name}('created')"
            )
        ordered = self.order_by(*fields)
        found = (ordered.reverse() if turned else ordered).first()
        if found is None:
            raise self._document.DoesNotExist(f"no {self._document.__name__} matches the query")
        return found

    def contains(self: Any, obj: Any) -> bool:
        """Tell whether a document is among the matches: one query, unless they were loaded."""
        if not isinstance(obj, self._document):
            raise TypeError(f"contains() takes a {self._document.__name__}, not {obj!r}")
        if self._shape is not None:
            raise InvalidQueryError("contains() is for documents, not for values")
        loaded = self._loaded
        if loaded is not None:
            return obj in loaded
        if obj.pk is None:
            return False
        if self._bounded:
            return obj in self._all()
        return bool(self.filter(pk=obj.pk).exists())

    # Writing

    def bulk_update(
        self: Any, docs: Iterable[Doc], fields: Iterable[str] | None = None, *,
        batch_size: int | None = None, validate: bool = True, write_concern: Any = None,
    ) -> int:  # fmt: skip
        """Send what changed in many stored documents, in as few commands as possible.

        With `fields`, only these, changed or not. Signals of save() are not sent. Returns how many
        documents were found; none is inserted. Raises ValidationError before anything is sent, and
        OperationError for new documents.
        """
        names = None if fields is None else list(fields)
        if names is not None and not names:
            raise InvalidQueryError("bulk_update() takes the names of fields, or none at all")
        paths = [db_path(self._document, name) for name in names or ()]
        for name in names or ():
            if name not in self._document._fields or name == self._document._meta["id_field"]:
                raise InvalidQueryError(f"bulk_update() changes fields of the class, not {name!r}")
        if self._document._version is not None:
            raise NotSupportedError("bulk_update() looks at no VersionField: save() each document")
        many = list(docs)
        for doc in many:
            if not isinstance(doc, self._document) or doc._created or doc._moved():
                raise OperationError(
                    f"bulk_update() takes stored {self._document.__name__} documents, not {doc!r}"
                )
            stamp(doc, False, note(doc))
            if validate:
                doc.validate()
        size = min(batch_size or _STATEMENTS, _STATEMENTS)
        found = 0
        for at in range(0, len(many), size):
            part = [(doc, change) for doc in many[at : at + size]
                    if (change := _change(doc, names, paths)) is not None]  # fmt: skip
            found += self._send_updates(part, names is None, write_concern)
        return found

    def _send_updates(
        self: Any, part: list[tuple[Any, Any]], whole: bool, write_concern: Any
    ) -> int:
        groups: dict[tuple[Any, str], list[tuple[Any, Any]]] = collections.defaultdict(list)
        for doc, change in part:
            groups[doc._home()].append((doc, change))
        found = 0
        for (handle, collection), members in groups.items():
            updates = [{"q": _identity.own_filter(doc), "u": change} for doc, change in members]
            reply = handle.bulk_update(collection, updates, write_concern)
            found += int(reply.get("n", 0))
            for doc, _ in members if whole else ():  # else save() sends these fields once more
                doc._load(doc._encode(), keep=True, trusted=True)
        return found

    # Asynchronous twins; the wait happens in C, without the GIL.

    async def alatest(self: Any, *fields: str) -> Doc:
        """`latest()` in a thread."""
        return await to_thread(self.latest, *fields)

    async def aearliest(self: Any, *fields: str) -> Doc:
        """`earliest()` in a thread."""
        return await to_thread(self.earliest, *fields)

    async def acontains(self: Any, obj: Any) -> bool:
        """`contains()` in a thread."""
        return await to_thread(self.contains, obj)

    async def ain_bulk(self: Any, object_ids: Any = None) -> dict[Any, Doc]:
        """`in_bulk()` in a thread."""
        return await to_thread(self.in_bulk, object_ids)

    async def adistinct(self: Any, field: str) -> list[Any]:
        """`distinct()` in a thread."""
        return await to_thread(self.distinct, field)

    async def aexplain(self: Any, verbosity: str = "queryPlanner") -> dict[str, Any]:
        """`explain()` in a thread."""
        return await to_thread(self.explain, verbosity)

    async def ainsert(self: Any, doc_or_docs: Any, **kwargs: Any) -> Any:
        """`insert()` in a thread."""
        return await to_thread(lambda: self.insert(doc_or_docs, **kwargs))

    async def abulk_create(self: Any, docs: Any, **kwargs: Any) -> Any:
        """`bulk_create()` in a thread."""
        return await to_thread(lambda: self.bulk_create(docs, **kwargs))

    async def abulk_update(
        self: Any, docs: Iterable[Doc], fields: Iterable[str] | None = None, **kwargs: Any
    ) -> int:
        """`bulk_update()` in a thread."""
        return await to_thread(lambda: self.bulk_update(docs, fields, **kwargs))

    async def aupdate_one(self: Any, **kwargs: Any) -> Any:
        """`update_one()` in a thread."""
        return await to_thread(lambda: self.update_one(**kwargs))

    async def aupsert_one(self: Any, **kwargs: Any) -> Any:
        """`upsert_one()` in a thread."""
        return await to_thread(lambda: self.upsert_one(**kwargs))

    async def amodify(self: Any, **kwargs: Any) -> Any:
        """`modify()` in a thread."""
        return await to_thread(lambda: self.modify(**kwargs))


def _change(doc: Any, names: list[str] | None, paths: list[str]) -> Any:
    """Return what an update of the document sends, None when nothing changed."""
    from bson.raw_bson import RawBSONDocument

    if names is None:
        changes = doc._changes()
        return None if changes is None else RawBSONDocument(changes)
    stored = doc.to_mongo()
    there = {path: stored[path] for path in paths if path in stored}
    gone = {path: 1 for path in paths if path not in stored}
    change: dict[str, Any] = {"$set": there} if there else {}
    return {**change, "$unset": gone} if gone else change


@functools.lru_cache(maxsize=256)
def tuple_class(names: tuple[str, ...]) -> Any:
    """Return a named tuple for fields; paths have `__` as in lookups."""
    return collections.namedtuple("Row", [name.replace(".", "__") for name in names])
