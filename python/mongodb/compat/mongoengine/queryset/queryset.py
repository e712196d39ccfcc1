# SPDX-License-Identifier: Apache-2.0
"""Querysets, with MongoEngine's habits."""

from __future__ import annotations

import re
import warnings
from collections.abc import Iterator, Mapping
from typing import Any

from mongodb.compat.mongoengine._fetching import fetch_related
from mongodb.compat.mongoengine._loading import check_known
from mongodb.compat.mongoengine._map_reduce import map_reduce
from mongodb.compat.mongoengine._words import unresolved
from mongodb.compat.mongoengine.base.fields import dereferences
from mongodb.errors import InvalidQueryError, LookUpError, OperationError
from mongodb.fields.references import CASCADE, DENY, DO_NOTHING, NULLIFY, PULL
from mongodb.queryset import queryset as _queryset
from mongodb.queryset.lookups import InvalidLookupValue

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


class QuerySet(_queryset.QuerySet):
    """The documents that a query finds."""

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
        return 0 if self._of_zero and not wanted else super().count(*asked, **named)

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
        return super().modify(*args, **kwargs)

    def _batches(self) -> Iterator[Any]:
        if self._batch_size < 0:
            raise ValueError("batch_size must be >= 0")
        for batch in super()._batches():
            check_known(self._document, batch)
            yield batch

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
            return super().order_by(*keys)
        if keys:
            raise OperationError("Can not use both keys and __raw__ with order_by() ")
        given = __raw__.items() if isinstance(__raw__, Mapping) else __raw__
        pairs = [(one, 1) if isinstance(one, str) else tuple(one) for one in given]
        return self._with(_order=pairs)

    def update(self, *args: Any, **kwargs: Any) -> Any:
        """Change the matches; None when no answer was wanted."""
        found = super().update(*args, **kwargs)
        return None if _unanswered(kwargs) else found

    def update_one(self, *args: Any, **kwargs: Any) -> Any:
        """Change the first match; None when no answer was wanted."""
        found = super().update_one(*args, **kwargs)
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


def _unanswered(options: Mapping[str, Any]) -> bool:
    return (options.get("write_concern") or {}).get("w") == 0


class QuerySetNoCache(QuerySet, _queryset.QuerySetNoCache):
    """A queryset that does not keep what it read."""
