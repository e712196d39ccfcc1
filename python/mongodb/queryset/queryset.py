# SPDX-License-Identifier: Apache-2.0
"""Querysets: reading documents. Writing is in writing.py, aggregation in aggregation.py."""

from __future__ import annotations

import itertools
from collections.abc import AsyncIterator, Iterator
from typing import Any, Self, overload

from bson import ObjectId, json_util

from mongodb import _core
from mongodb._threads import to_thread
from mongodb._types import Doc
from mongodb.errors import InvalidQueryError, NotSupportedError
from mongodb.queryset._cache import Cache
from mongodb.queryset._origin import Origin
from mongodb.queryset.aggregation import AggregationMixin
from mongodb.queryset.annotations import take_values
from mongodb.queryset.base_queryset import BaseQuerySet
from mongodb.queryset.idioms import IdiomsMixin, tuple_class
from mongodb.queryset.lookups import InvalidLookupValue, resolve
from mongodb.queryset.q import QNode
from mongodb.queryset.related import fetch_related, related_tree
from mongodb.queryset.text import take_scores
from mongodb.queryset.writing import WritingMixin

__all__ = ["QuerySet", "QuerySetNoCache"]


_WHOLE = Origin((), ())
_KEY_TYPES = {"objectid": ObjectId, "string": str, "int": int}  # by kind of the field


class QuerySet(WritingMixin[Doc], AggregationMixin, IdiomsMixin[Doc], BaseQuerySet[Doc]):
    """The documents of a class that match. Nothing is sent before the queryset is evaluated."""

    # Evaluation

    def _evaluation(self) -> Cache:
        """Return what was loaded, begun if it was not; anew after a failure or a fork."""
        rows = self._rows
        if rows is None:
            # from a copy: the rows must not keep their own queryset, and so its cursor, alive
            rows = self.__dict__.setdefault("_rows", Cache(self.clone()._results))
        elif not rows.usable:
            rows = self._rows = Cache(self.clone()._results)
        return rows

    @property
    def _loaded(self) -> list[Any] | None:
        """All documents, if they were loaded."""
        rows = self._rows
        return rows.items if rows is not None and rows.done else None

    def _results(self) -> Iterator[list[Any]]:
        if self._groups is not None:
            yield from self._grouped()
            return
        if self._shape == "dicts":
            yield from self._dicts()
            return
        related = related_tree(self._related, self._depth)
        moved = self._moved
        for batch in self._batches():
            if related:
                fetch_related(self._document, [batch], related)
            documents = self._made(batch)
            if moved:
                for one in documents:
                    self._move(one)
            yield documents if self._shape is None else [self._shaped(one) for one in documents]

    def _made(self, batch: Any) -> list[Any]:
        """Return the documents of a batch, with what the store computed; a hook."""
        documents: list[Any] = batch.documents()
        if self._scored:
            take_scores(documents)
        if self._annotations:
            take_values(documents)
        return documents

    def _unmade(self) -> list[Any] | None:
        """Everything, as batches of which no document is made yet; None: more is done with them."""
        more = (self._shape, self._related, self._depth, self._annotations, self._scored)
        if any(more) or self._moved:
            return None
        return list(self._batches())

    def _dicts(self) -> Iterator[list[Any]]:
        if self._empty:
            return
        cursor = self._handle().cursor(self._command_now(), self._batch_size)
        with cursor:
            while True:
                chunk = [one for _, one in zip(range(1000), cursor, strict=False)]
                if not chunk:
                    return
                yield chunk

    def _shaped(self, document: Any) -> Any:
        values = [_reach(document, name) for name in self._scalar]
        if self._shape == "values":
            return dict(zip(self._scalar, values, strict=True))
        if self._named:
            return tuple_class(self._scalar)(*values)
        return values[0] if len(values) == 1 else tuple(values)

    def __iter__(self) -> Iterator[Doc]:
        if not self._cached:
            return (one for chunk in self._results() for one in chunk)
        return iter(self._evaluation())

    def __next__(self) -> Doc:
        return self._evaluation().take()  # type: ignore[no-any-return]

    next = __next__

    def rewind(self) -> None:
        """Forget what was loaded: the next reading asks the store again. Who iterates goes on."""
        self.__dict__.pop("_rows", None)

    def _all(self) -> list[Doc]:
        return self._evaluation().all() if self._cached else list(iter(self))

    def __len__(self) -> int:
        if not self._cached:  # list() asks for the length before it iterates
            raise TypeError("a queryset without a cache has no length; use count()")
        return len(self._all())

    def __bool__(self) -> bool:
        return self._evaluation().reach(0) if self._cached else self.exists()

    def __contains__(self, item: object) -> bool:
        if self._rows is None and self._shape is None and isinstance(item, self._document):
            return self.contains(item)
        return item in self._all()

    @overload
    def __getitem__(self, key: int) -> Doc: ...
    @overload
    def __getitem__(self, key: slice) -> Self: ...
    def __getitem__(self, key: Any) -> Any:
        if isinstance(key, slice):
            return self._slice(key)
        rows = self._rows
        if key < 0:
            if rows is None or not rows.done:
                raise InvalidQueryError("a queryset has no negative positions; use last()")
            return rows.items[key]
        if rows is not None and (rows.done or key < len(rows.items)):
            return rows.items[key]
        found = list(self._slice(slice(key, key + 1)))
        if not found:
            raise IndexError(f"the queryset has no document at {key}")
        return found[0]

    def __repr__(self) -> str:
        loaded = self._loaded
        shown = list(self._slice(slice(0, 21))) if loaded is None else loaded[:21]
        text = repr(shown[:20])
        return text[:-1] + ", '...(remaining elements truncated)...']" if len(shown) > 20 else text

    def iterator(self, chunk_size: int | None = None) -> Iterator[Doc]:
        """Iterate without keeping the documents; `chunk_size` of them are fetched at a time."""
        return iter(self._passing(chunk_size))

    def aiterator(self, chunk_size: int | None = None) -> AsyncIterator[Doc]:
        """`iterator()` for `async for`."""
        return self._passing(chunk_size).__aiter__()

    def _passing(self, chunk_size: int | None) -> Self:
        """Return a copy whose documents are not kept, fetched so many at a time."""
        wanted = self.no_cache()
        return wanted if chunk_size is None else wanted.batch_size(chunk_size)

    # One document

    def get(self, *q_objs: QNode, **query: Any) -> Doc:
        """Return the only match; DoesNotExist or MultipleObjectsReturned otherwise."""
        if self._fresh and len(query) == 1 and not q_objs:
            name, value = next(iter(query.items()))
            if name in ("pk", self._document._meta["id_field"]) and self._is_key(value):
                return self._by_key(value)
        wanted = self.filter(*q_objs, **query)
        if not self._bounded:
            wanted._order = []
        wanted._limit = 2 if wanted._limit is None else min(2, wanted._limit)
        found = [one for chunk in wanted._results() for one in chunk]
        document = self._document
        if not found:
            raise document.DoesNotExist(f"no {document.__name__} matches the query")
        if len(found) > 1:
            raise document.MultipleObjectsReturned(
                f"more than one {document.__name__} matches the query"
            )
        return found[0]  # type: ignore[no-any-return]

    def _is_key(self, value: Any) -> bool:
        """Whether the value needs no conversion to be looked up as the primary key."""
        meta = self._document._meta
        wanted = _KEY_TYPES.get(self._document._fields[meta["id_field"]].kind)
        return type(value) is wanted and not meta.get("allow_inheritance")

    def _by_key(self, value: Any) -> Doc:
        """The common get(), without clones: one document by its primary key."""
        document = self._document
        if isinstance(value, int) and not -(2**63) <= value < 2**63:
            raise InvalidLookupValue(f"{document._meta['id_field']}: a number of 64 bits is needed")
        command = {"find": self._collection_name, "filter": {"_id": value}, "limit": 1}
        data = self._handle().first_batch(command)
        if data is not None and len(data):
            found: Doc = _core.Batch(document._schema, data, origin=_WHOLE, trusted=True)[0]
            return found
        raise document.DoesNotExist(f"no {document.__name__} matches the query")

    def first(self) -> Doc | None:
        """Return the first document or None."""
        rows = self._rows
        if rows is not None and rows.items:
            return rows.items[0]  # type: ignore[no-any-return]
        return next(iter(self._slice(slice(0, 1)).no_cache()), None)

    def last(self) -> Doc | None:
        """Return the last document or None; without an order, the greatest primary key."""
        if self._loaded is not None or self._bounded:
            found = self._all()
            return found[-1] if found else None
        return self.reverse().first()  # type: ignore[no-any-return]

    def with_id(self, object_id: Any) -> Doc | None:
        """Return the document with this primary key or None."""
        return self.filter(pk=object_id).first()

    def in_bulk(self, object_ids: Any = None) -> dict[Any, Doc]:
        """Return a dict of primary keys and documents, of all matches without keys.

        Of a part (skip, limit) it is refused.
        """
        if self._bounded and not self._empty:
            raise InvalidQueryError("in_bulk() takes ids from all matches: drop skip() and limit()")
        field = self._document._fields[self._document._meta["id_field"]]
        wanted: QuerySet[Any] = self.clear_order()
        if object_ids is not None:
            keys = [field.to_python(getattr(one, "pk", one)) for one in object_ids]
            wanted = wanted.filter(pk__in=keys)
        if self._shape == "scalar":
            return {d.pk: self._shaped(d) for d in wanted._with(_shape=None, _include=())}
        if self._shape == "dicts":
            return {one["_id"]: one for one in wanted}
        return {one.pk: one for one in wanted}

    def clear_order(self) -> Self:
        """Drop the order, the class's own too."""
        return self._with(_order=[])

    # Counting

    def count(self, *asked: bool, **named: bool) -> int:
        """Return how many documents match; limit and skip count only if asked for: count(True) or
        count(with_limit_and_skip=True)."""
        # Django's paginator calls a count() that names no parameter, and else loads everything.
        with_limit_and_skip = named.pop("with_limit_and_skip", False) or any(asked)
        if named:
            raise TypeError(f"count() takes with_limit_and_skip, not {', '.join(named)}")
        if self._empty:
            return 0
        options = self._chosen_options("hint", "collation", "maxTimeMS", "comment", "readConcern")
        if with_limit_and_skip:
            options.update(self._range())
        wanted: Any = self._without_values()
        query, joins = wanted._where()
        if joins:
            part = wanted if with_limit_and_skip else wanted._with(_skip=0, _limit=None)
            counted = part.clear_order()._pipeline([{"$count": "n"}], {})
            return sum(int(one["n"]) for one in counted)
        return self._handle().count(self._collection_name, query, **options)  # type: ignore[no-any-return]

    def exists(self) -> bool:
        """Tell whether any document matches."""
        if self._rows is not None and self._rows.items:
            return True
        if self._groups is not None:
            return self.first() is not None
        wanted = self._slice(slice(0, 1))._with(_order=[], _related=(), _depth=0, _shape=None)
        return any(len(batch) for batch in wanted._with(_include=("_id",), _exclude=())._batches())

    # Other shapes

    def scalar(self, *fields: str) -> QuerySet[Any]:
        """Return values instead of documents: of one field, or tuples of several."""
        if not fields:
            return self._with(_shape=None, _scalar=(), _include=())
        return self.only(*map(_listed, fields))._with(_shape="scalar", _scalar=fields)

    def values_list(self, *fields: str, flat: bool = False, named: bool = False) -> QuerySet[Any]:
        """The other name of `scalar`; one field gives its values, flat or not, but a tuple `named`.

        Named tuples have the fields' names, a path's with `__`.
        """
        if named:
            if flat:
                raise InvalidQueryError("values_list() is flat or named, not both")
            names = fields or tuple(self._document._fields)
            return self.scalar(*names)._with(_named=True)
        if flat and len(fields) != 1:
            raise InvalidQueryError(f"values_list(flat=True) takes one field, not {len(fields)}")
        return self.scalar(*fields)

    def values(self, *fields: str) -> QuerySet[dict[str, Any]]:
        """Return dicts by field names instead of documents."""
        names = fields or tuple(self._document._fields)
        chosen: QuerySet[Any] = self.only(*map(_listed, names))
        return chosen._with(_shape="values", _scalar=names)

    def as_pymongo(self) -> QuerySet[dict[str, Any]]:
        """Return dicts as PyMongo does, by stored names."""
        same: QuerySet[Any] = self
        return same._with(_shape="dicts")

    def distinct(self, field: str | None = None) -> Any:
        """Return the different values of a field; without one a copy, as documents differ."""
        if field is None:
            if self._shape is not None:
                raise InvalidQueryError("distinct() of values takes the name of their field")
            return self.clone()
        path = self._field_path(field)
        query, joins = self._where()
        if joins or self._bounded or "hint" in self._options:  # the command knows neither
            query = {"_id": {"$in": self._keys()}}
        command = {"distinct": self._collection_name, "key": path, "query": query}
        command |= self._chosen_options("collation", "maxTimeMS", "comment", "readConcern")
        values = [] if self._empty else self._handle().run(command)["values"]
        if self._shape == "dicts" or self._raw_refs:
            return values
        found = resolve(self._document, field.replace("__", ".").split("."))[1]
        while found is not None and found.kind == "list":
            found = found._item
        return values if found is None else [found.from_store(one) for one in values]

    def to_json(self, *args: Any, **kwargs: Any) -> str:
        """Return extended JSON of the stored documents."""
        dicts = self.as_pymongo()  # unlike documents they may lack their keys
        if not args and not kwargs:
            # of whole batches, unless one holds what json_util has to write
            dicts = self.as_pymongo()
            texts = [] if self._empty else [batch.json() for batch in self._handle().batches(
                dicts._command_now(), self._batch_size)]  # fmt: skip
            if None not in texts:
                return "[" + ", ".join(text[1:-1] for text in texts if text != "[]") + "]"
        kwargs.setdefault("json_options", json_util.LEGACY_JSON_OPTIONS)
        return json_util.dumps(list(dicts), *args, **kwargs)

    def from_json(self, json_data: str) -> list[Doc]:
        """Return documents that extended JSON describes; they are not saved."""
        loaded = json_util.loads(json_data, json_options=json_util.LEGACY_JSON_OPTIONS)
        return [self._document._from_son(one) for one in loaded]

    # Not in this version

    def map_reduce(self, *args: Any, **kwargs: Any) -> Any:
        """Not supported: MongoDB deprecates map-reduce."""
        raise NotSupportedError("map_reduce() is not supported: use aggregate()")

    def exec_js(self, *args: Any, **kwargs: Any) -> Any:
        """Not supported: MongoDB removed the command."""
        raise NotSupportedError("exec_js() is not supported: MongoDB removed the command in 4.2")

    # Asynchronous twins; the wait happens in C, without the GIL.

    async def aget(self, *q_objs: QNode, **query: Any) -> Doc:
        """`get()` in a thread."""
        return await to_thread(lambda: self.get(*q_objs, **query))

    async def afirst(self) -> Doc | None:
        """`first()` in a thread."""
        return await to_thread(self.first)

    async def alast(self) -> Doc | None:
        """`last()` in a thread."""
        return await to_thread(self.last)

    async def acount(self, with_limit_and_skip: bool = False) -> int:
        """`count()` in a thread."""
        return await to_thread(self.count, with_limit_and_skip)

    async def aexists(self) -> bool:
        """`exists()` in a thread."""
        return await to_thread(self.exists)

    async def acreate(self, **kwargs: Any) -> Doc:
        """`create()` in a thread."""
        return await to_thread(lambda: self.create(**kwargs))

    async def aupdate(self, **kwargs: Any) -> Any:
        """`update()` in a thread."""
        return await to_thread(lambda: self.update(**kwargs))

    async def adelete(self) -> Any:
        """`delete()` in a thread."""
        return await to_thread(self.delete)

    async def aget_or_create(self, **kwargs: Any) -> tuple[Doc, bool]:
        """`get_or_create()` in a thread."""
        return await to_thread(lambda: self.get_or_create(**kwargs))

    async def aupdate_or_create(self, **kwargs: Any) -> tuple[Doc, bool]:
        """`update_or_create()` in a thread."""
        return await to_thread(lambda: self.update_or_create(**kwargs))

    async def aaggregate(self, *args: Any, **kwargs: Any) -> Any:
        """`aggregate()` in a thread; a pipeline's results as a list."""

        def run() -> Any:
            found = self.aggregate(*args, **kwargs)
            return found if isinstance(found, dict) else list(found)

        return await to_thread(run)

    async def __aiter__(self) -> AsyncIterator[Doc]:
        if not self._cached:
            chunks = self._results()
            while (chunk := await to_thread(next, chunks, None)) is not None:
                for one in chunk:
                    yield one
            return
        rows = self._evaluation()
        at = 0
        while await to_thread(rows.reach, at):
            for one in rows.items[at:]:
                at += 1
                yield one


class QuerySetNoCache(QuerySet[Doc]):
    """A queryset that does not keep what it read."""

    def __init__(self, document: Any, collection: Any = None) -> None:
        super().__init__(document, collection)
        self._cached = False


def _listed(name: str) -> str:
    """Return the path up to a position: a projection cannot choose one element."""
    parts = name.replace("__", ".").split(".")
    return ".".join(itertools.takewhile(lambda part: not part.isdigit(), parts))


def _reach(document: Any, name: str) -> Any:
    value = document
    for part in name.replace("__", ".").split("."):
        if value is None:
            return None
        if isinstance(value, dict):
            value = value.get(part)
        elif isinstance(value, list):
            if not part.isdigit():
                value = [_reach(one, part) for one in value]
            else:
                value = value[int(part)] if int(part) < len(value) else None
        else:
            value = getattr(value, part)
    return value
