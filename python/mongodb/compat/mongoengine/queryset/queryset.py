# SPDX-License-Identifier: Apache-2.0
"""Querysets, with MongoEngine's habits."""

from __future__ import annotations

import re
import warnings
from collections.abc import Iterator, Mapping
from typing import Any

from mongodb.compat.mongoengine._beside import beside
from mongodb.compat.mongoengine._fetching import fetch_related
from mongodb.compat.mongoengine._loading import check_known
from mongodb.compat.mongoengine._map_reduce import map_reduce
from mongodb.compat.mongoengine._pymongo import as_pymongo
from mongodb.compat.mongoengine._words import of_update, unresolved
from mongodb.compat.mongoengine.base.fields import dereferences
from mongodb.compat.mongoengine.queryset._private import PrivateNames
from mongodb.errors import InvalidQueryError, LookUpError, OperationError, ValidationError
from mongodb.fields.references import CASCADE, DENY, DO_NOTHING, NULLIFY, PULL
from mongodb.queryset import queryset as _queryset
from mongodb.queryset.lookups import InvalidLookupValue
from mongodb.signals import post_init, pre_init

__all__ = [
    "CASCADE",
    "DENY",
    "DO_NOTHING",
    "NULLIFY",
    "PULL",
    "QuerySet",
    "QuerySetNoCache",
]


_QUOTED = re.compile(r"\[\s*~([A-Za-z_][\w.]*)\s*\]")
_BARE = re.compile(r"\{\{\s*~([A-Za-z_][\w.]*)\s*\}\}")


class QuerySet(PrivateNames, _queryset.QuerySet):
    """The documents that a query finds."""

    _turn = staticmethod(as_pymongo)

    def __init__(self, document: Any, collection: Any = None) -> None:
        super().__init__(document, collection)
        if not dereferences(document):
            self._raw_refs = True

    @property
    def _auto_dereference(self) -> bool:
        return not self._raw_refs

    def _filter(self) -> Any:
        try:
            return super()._filter()
        except InvalidLookupValue as error:
            if "takes a list of values" not in str(error):
                raise
            raise TypeError(str(error)) from error
        except (InvalidQueryError, LookUpError) as error:
            said = unresolved(error)
            if said is error:
                raise
            raise said from error

    def get(self, *q_objs: Any, **query: Any) -> Any:
        """Return the only match."""
        document = self._document
        try:
            return super().get(*q_objs, **query)
        except document.DoesNotExist as error:
            said = f"{document._class_name} matching query does not exist."
            raise document.DoesNotExist(said) from error
        except document.MultipleObjectsReturned as error:
            said = "2 or more items returned, instead of 1"
            raise document.MultipleObjectsReturned(said) from error

    _of_zero = False  # limit(0) was asked for

    def limit(self, n: int | None) -> Any:
        """Take at most n documents; 0 and None mean all."""
        copy = super().limit(n or None)
        copy._of_zero = n == 0
        return copy

    def count(self, *asked: bool, **named: bool) -> int:
        """Return how many documents match; after limit(0) none."""
        wanted = named.get("with_limit_and_skip", False) or any(asked)
        if not wanted:
            return 0 if self._of_zero else super().count(*asked, **named)
        if self._counted is None or not self._cached:
            self._counted = super().count(*asked, **named)
        return self._counted

    def __len__(self) -> int:
        self._counted = super().__len__()
        return self._counted

    def clone(self) -> Any:
        """Return a copy that has not been evaluated."""
        copy = super().clone()
        for name in ("_counted", "_cursor_obj", "_own_conditions"):
            copy.__dict__.pop(name, None)
        return copy

    def rewind(self) -> None:
        """Forget what was loaded and counted."""
        self._counted = self._cursor_obj = None
        super().rewind()

    def __getitem__(self, key: Any) -> Any:
        if isinstance(key, slice):  # it replaces what was skipped and limited before
            return super(QuerySet, self._with(_skip=0, _limit=None)).__getitem__(key)
        return super().__getitem__(key)

    def with_id(self, object_id: Any) -> Any:
        """Return the document with this primary key, or None; other conditions are refused."""
        if self._raw or not self._query_obj.empty:
            raise InvalidQueryError("Cannot use a filter whilst using `with_id`")
        return super().with_id(object_id)

    def aggregate(self, *args: Any, **kwargs: Any) -> Any:
        """Run a pipeline on the matches."""
        if args and isinstance(args[0], Mapping):
            warnings.warn("Calling .aggregate() with stages as arguments is deprecated: "
                          "give it one list", DeprecationWarning, 2)  # fmt: skip
        return super().aggregate(*args, **kwargs)

    def modify(self, *args: Any, **kwargs: Any) -> Any:
        """Change the first match and return it."""
        if kwargs.pop("full_response", False):
            raise ValueError("full_response is not supported: MongoDB has it no more")
        return _along_paths(super().modify, *args, **kwargs)

    def _batches(self) -> Iterator[Any]:
        if self._batch_size < 0:
            raise ValueError("batch_size must be >= 0")
        return super()._batches()

    def _made(self, batch: Any) -> list[Any]:
        documents = super()._made(batch)
        check_known(self._document, documents)
        return documents

    def _by_key(self, value: Any) -> Any:
        found = super()._by_key(value)
        check_known(self._document, [found])
        return found

    def select_related(self, *fields: Any, max_depth: int = 1) -> Any:
        """Load the documents, and what their references point to, now."""
        named = bool(fields)
        found = super().select_related(*fields, max_depth=max_depth) if named else self.clone()
        fetch_related(found._all())
        return found

    # Options

    def max_time_ms(self, ms: int | None) -> Any:
        """Fail after so many milliseconds."""
        if ms is not None and not isinstance(ms, int):
            raise TypeError("max_time_ms() only accepts int or None")
        return super().max_time_ms(ms)

    def where(self, where_clause: str) -> Any:
        """Keep documents for which JavaScript is true; `[~name]` and `{{~name}}` are fields."""

        return super().where(self._javascript(where_clause))

    def _javascript(self, code: str) -> str:
        """Return code with stored names for fields' names."""

        def path(match: re.Match[str]) -> str:
            return self._field_path(match[1])

        code = _QUOTED.sub(lambda match: f'["{path(match)}"]', code)
        return _BARE.sub(path, code)

    def map_reduce(
        self, map_f: Any, reduce_f: Any, output: Any, finalize_f: Any = None,
        limit: int | None = None, scope: Any = None,
    ) -> Iterator[Any]:  # fmt: skip
        """Run map-reduce on a server; yield MapReduceDocuments."""
        functions = {"map": map_f, "reduce": reduce_f, "finalize": finalize_f}
        return map_reduce(self, functions, output, limit, scope)

    def snapshot(self, enabled: bool = True) -> Any:
        """Return a copy: MongoDB has no such option any more."""
        warnings.warn("snapshot is deprecated as it has no impact.", DeprecationWarning, 2)
        return self.clone()

    def search_text(self, text: str, *args: Any, **kwargs: Any) -> Any:
        """Keep documents whose text index matches; once."""
        if self._search_text:
            raise OperationError("It is not possible to use search_text two times.")
        return super().search_text(text, *args, **kwargs)

    def order_by(self, *keys: str, __raw__: Any = None) -> Any:
        """Sort by fields, or by what PyMongo's sort() takes."""
        if __raw__ is None:
            return self._with(_order=[one for key in keys for one in self._ordered_by(key)])
        if keys:
            raise OperationError("Can not use both keys and __raw__ with order_by() ")
        given = __raw__.items() if isinstance(__raw__, Mapping) else __raw__
        pairs = [(one, 1) if isinstance(one, str) else tuple(one) for one in given]
        return self._with(_order=pairs)

    def _ordered_by(self, key: str) -> list[tuple[str, Any]]:
        """Return the sort of one key; a name that leads nowhere is taken for a stored one."""
        try:
            return self._order_keys((key,))
        except InvalidQueryError:
            return [(key.lstrip("+-").replace("__", "."), -1 if key[0] == "-" else 1)]

    def hint(self, index: Any = None) -> Any:
        """Use this index: its name, or a list of its stored keys."""
        if isinstance(index, tuple):
            raise TypeError(f"hint() takes a name or a list of (name, direction), not {index!r}")
        if isinstance(index, list) and all(isinstance(one, tuple) for one in index):
            index = [(self._ordered_by(name)[0][0], way) for name, way in index]
            return self._option("hint", dict(index))
        return super().hint(index)

    def insert(self, doc_or_docs: Any, *args: Any, **kwargs: Any) -> Any:
        """Insert new documents. A key that is 0 or empty is taken for none."""
        docs = [doc_or_docs] if isinstance(doc_or_docs, self._document) else doc_or_docs
        stored = [one for one in docs if isinstance(one, self._document) and not one._created]
        if any(one.pk for one in stored):
            raise OperationError("Some documents have ObjectIds, use doc.update() instead")
        for one in stored:
            one._created = True
        return super().insert(doc_or_docs, *args, **kwargs)

    def _inserted(self, docs: list[Any], load_bulk: bool) -> list[Any]:
        """Return what was inserted: read again where somebody hears of documents that are made."""
        if not load_bulk or not (pre_init or post_init):
            return docs
        found = self.clone().filter(__raw__={}).in_bulk([one.pk for one in docs])
        return [found.get(one.pk, one) for one in docs]

    # Which fields

    _only_called = False
    _keyless = False  # dicts lack the key, whatever only() names

    def _projection(self) -> dict[str, Any]:
        found: dict[str, Any] = super()._projection()
        bare = self._keyless and self._shape == "dicts" and self._include
        return {**found, "_id": 0} if bare else found

    def only(self, *fields: str) -> Any:
        """Load these fields, but what was excluded; a first only() replaces fields()."""
        start = self if self._only_called else self._with(_include=())
        copy = super(QuerySet, start).only(*fields)
        return copy._with(_include=self._not_excluded(copy._include), _only_called=True)

    def fields(self, _only_called: bool = False, **kwargs: Any) -> Any:
        """Choose fields: `name=1`, `name=0`, `slice__comments=5`, `elemMatch__tags={...}`."""
        named = [name for name, one in kwargs.items() if one is True or type(one) is int and one]
        named = [name for name in named if name.partition("__")[0] not in ("slice", "elemMatch")]
        copy = super().fields(**{name: kwargs[name] for name in kwargs if name not in named})
        if not named:
            return copy
        paths = dict.fromkeys((*copy._include, *map(self._field_path, named)))
        kept = copy._not_excluded(tuple(paths))
        return copy._with(_include=kept, _exclude=(), _only_called=_only_called)

    def _exclude_fields(self, fields: Any) -> Any:
        copy = super()._exclude_fields(fields)
        if "_id" in map(self._field_path, fields):
            copy._keyless = True
        cut = copy._options.get("projection")
        if not cut:
            return copy
        paths = [self._field_path(name) for name in fields]
        return copy._option("projection", {n: one for n, one in cut.items() if n not in paths})

    def _not_excluded(self, paths: tuple[str, ...]) -> tuple[str, ...]:
        return tuple(one for one in paths if one not in self._exclude) or paths

    def update(self, *args: Any, **kwargs: Any) -> Any:
        """Change the matches; None when no answer was wanted."""
        found = _along_paths(super().update, *args, **kwargs)
        return None if _unanswered(kwargs) else found

    def update_one(self, *args: Any, **kwargs: Any) -> Any:
        """Change the first match; None when no answer was wanted."""
        found = _along_paths(super().update_one, *args, **kwargs)
        return None if _unanswered(kwargs) else found

    @property
    def _cursor_args(self) -> dict[str, Any]:
        names = {"noCursorTimeout": "no_cursor_timeout", "allowDiskUse": "allow_disk_use"}
        chosen = {name: self._options[key] for key, name in names.items() if key in self._options}
        return {**super()._cursor_args, **chosen}

    # The cache

    def no_cache(self) -> Any:
        """Do not keep the documents that were iterated."""
        if self._rows is not None:
            raise OperationError("QuerySet already cached")
        return self._as(QuerySetNoCache, super().no_cache())

    def cache(self) -> Any:
        """Keep the documents that were iterated."""
        return self._as(QuerySet, super().cache())

    def _as(self, kind: Any, copy: Any) -> Any:
        if type(copy) in (QuerySet, QuerySetNoCache):
            copy.__class__ = kind
        return copy

    def iterator(self) -> Iterator[Any]:
        """Iterate without keeping the documents."""
        return iter(self._with(_cached=False))

    def __repr__(self) -> str:
        if self._cached:
            self._evaluation().reach(20)
        return super().__repr__()


def _along_paths(change: Any, *args: Any, **kwargs: Any) -> Any:
    """Change documents; a path that their values do not have is a mistake in the query."""
    try:
        return change(*args, **kwargs)
    except ValidationError as error:
        raise of_update(error) from error
    except OperationError as error:
        if error.code != _NO_PATH:
            raise
        raise InvalidQueryError(str(error)) from error


_NO_PATH = 28  # PathNotViable


def _unanswered(options: Mapping[str, Any]) -> bool:
    return (options.get("write_concern") or {}).get("w") == 0


class QuerySetNoCache(QuerySet, _queryset.QuerySetNoCache):
    """A queryset that does not keep what it read."""


__getattr__ = beside(__name__)
