# SPDX-License-Identifier: Apache-2.0
"""What a queryset asks for: conditions, order, fields, options. Each change makes a clone."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from types import MappingProxyType
from typing import Any, Generic, Self

from mongodb import _core
from mongodb._scopes import ALONE, IDS
from mongodb._types import Doc
from mongodb.connection import get_connection_handle, read_preference_name
from mongodb.errors import InvalidQueryError, LookUpError, MongoError, NotSupportedError
from mongodb.queryset._cache import Cache
from mongodb.queryset._guard import Guard
from mongodb.queryset._origin import Origin, with_version
from mongodb.queryset._parts import position, without, without_children
from mongodb.queryset._private import PrivateNames
from mongodb.queryset._through import ThroughReference
from mongodb.queryset.annotations import AnnotationsMixin
from mongodb.queryset.generic import ManagerMixin
from mongodb.queryset.joins import JoinsMixin, OrderPath, command_without
from mongodb.queryset.lookups import cached_path, db_path, merge
from mongodb.queryset.q import Q, QNode, as_q
from mongodb.queryset.text import TextSearchMixin

__all__ = ["BaseQuerySet"]


_FAR = 1 << 62  # as far as MongoDB counts; no collection has so many documents


class BaseQuerySet(
    AnnotationsMixin, JoinsMixin, TextSearchMixin, PrivateNames, ManagerMixin, Generic[Doc]
):
    """The building half of a queryset."""

    # Where a queryset starts. None of these is changed in place.
    _class_query = True
    _q: QNode = Q()
    _raw: Mapping[str, Any] | None = None
    _order: list[tuple[str, Any]] | None = None
    _limit: int | None = None
    _skip = 0
    _none = False
    _include: tuple[str, ...] = ()
    _exclude: tuple[str, ...] = ()
    _special: Mapping[str, Any] = MappingProxyType({})
    _options: Mapping[str, Any] = MappingProxyType({})
    _batch_size = 0
    _shape: str | None = None  # "scalar", "dicts" or "values"
    _scalar: tuple[str, ...] = ()
    _named = False  # tuples have names
    _related: tuple[str, ...] = ()
    _depth = 0  # to which all references are fetched
    _raw_refs = False
    _cached = True
    _turn: Callable[[MongoError], Exception] | None = None
    _fresh = True  # nothing was asked for yet
    _rows: Cache | None = None  # what was loaded

    def __init__(self, document: Any, collection: Any = None) -> None:
        self._document = document
        self._alias: str = document._alias()
        self._collection_name: str = document._get_collection_name()
        if document in IDS.get():
            self._raw_refs = True

    @property
    def model(self) -> Any:
        """The Document class, under Django's name."""
        return self._document

    def __get__(self, instance: Any, owner: Any = None) -> Any:
        # A queryset in a class body (a view's `queryset`) must not answer one request with the
        # documents that another one loaded: each access gives a fresh copy.
        return self.all()

    # Cloning

    def clone(self) -> Self:
        """Return a copy that has not been evaluated."""
        copy = object.__new__(type(self))
        copy.__dict__ = state = self.__dict__.copy()
        state.pop("_rows", None)
        state["_fresh"] = False
        return copy

    def _with(self, **changes: Any) -> Self:
        copy = self.clone()
        copy.__dict__.update(changes)
        return copy

    def all(self) -> Self:
        """Return a copy."""
        return self.clone()

    def __copy__(self) -> Self:
        return self.clone()

    def __deepcopy__(self, memo: Any) -> Any:
        return self.clone()

    def __getstate__(self) -> dict[str, Any]:
        state = dict(self.__dict__)
        rows = state.pop("_rows", None)
        if rows is not None and rows.done:
            state["_rows"] = rows.items
        state.update({k: dict(v) for k, v in state.items() if isinstance(v, MappingProxyType)})
        return state

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__.update(state)
        if "_rows" in state:
            self._rows = Cache.of(state["_rows"])

    # Conditions

    def filter(self, *q_objs: QNode, **query: Any) -> Self:
        """Keep documents for which all lookups hold."""
        copy = self.clone()
        if q_objs:
            copy._q = self._q & as_q(q_objs, query)
        elif query:
            copy._q = Q._of(query)._after(self._q)
        return copy

    def __call__(self, *q_objs: QNode, **query: Any) -> Self:
        return self.filter(*q_objs, **query)

    def exclude(self, *fields: Any, **query: Any) -> Self:
        """Leave out documents for which all lookups hold; names leave out fields."""
        conditions = tuple(one for one in fields if isinstance(one, QNode))
        names = [one for one in fields if not isinstance(one, QNode)]
        clone = self.clone()
        if conditions or query:
            clone._q = clone._q & ~as_q(conditions, query)
        return clone._exclude_fields(names) if names else clone

    def raw(self, raw_query: Mapping[str, Any]) -> Self:
        """Keep documents that match a filter in MongoDB's own words."""
        if not isinstance(raw_query, Mapping):
            raise InvalidQueryError("raw() takes a filter document; aggregate() takes a pipeline")
        return self._with(_raw=merge(self._raw or {}, dict(raw_query)))

    def none(self) -> Self:
        """Return a queryset without documents."""
        return self._with(_none=True)

    def where(self, where_clause: str) -> Self:
        """Keep documents for which a JavaScript expression is true; not every store has that."""
        return self._with(_special={**self._special, "$where": where_clause})

    @property
    def _query(self) -> dict[str, Any]:
        """The filter as it is sent."""
        return self._matching().decode()  # type: ignore[no-any-return]

    def _filter(self) -> Any:
        """Return the filter as `_core.Raw`."""
        if self._empty:
            return _core.Raw({"$alwaysFalse": 1})
        query = self._q.to_bson(self._document)
        more = [_core.Raw(one) for one in (self._raw, self._special) if one]
        if more:
            query = _core.join_filters("$and", [query, *more])
        classes = self._class_filter()
        return _core.join_filters("$and", [_core.Raw(classes), query]) if classes else query

    @property
    def _query_obj(self) -> QNode:
        return self._q

    def _class_filter(self) -> dict[str, Any]:
        document = self._document
        if not self._class_query or not document._meta.get("allow_inheritance"):
            return {}
        names = (document._class_name,) if document in ALONE.get() else document._subclasses
        if len(names) > 1:
            return {"_cls": {"$in": list(names)}}
        # All documents are of a root class without subclasses, those before inheritance too.
        alone = names[0] == document.__name__ and not document.__subclasses__()
        return {} if alone else {"_cls": names[0]}

    def no_sub_classes(self) -> Self:
        """Leave out documents of subclasses."""
        return self.filter(__raw__={"_cls": self._document._class_name})

    def clear_cls_query(self) -> Self:
        """Do not filter by class."""
        return self._with(_class_query=False)

    # Order and range

    def order_by(self, *keys: str, __raw__: Any = None) -> Self:
        """Sort by fields; `-name` is descending. Without keys the default order is dropped."""
        if __raw__ is not None:
            return self._with(_order=list(dict(__raw__).items()))
        copy = self.clone()
        copy._order = self._order_keys(keys)
        return copy

    def _order_keys(self, keys: Any) -> list[tuple[str, Any]]:
        order: list[tuple[str, Any]] = []
        for key in keys:
            if not key:
                continue
            if key == "$text_score":
                order.append(("_text_score", {"$meta": "textScore"}))
                continue
            direction = -1 if key[0] == "-" else 1
            name = key[1:] if key[0] in "+-" else key
            try:
                order.append((cached_path(self._terms(), name), direction))
            except LookUpError as error:
                if self._orders_through(error.__cause__, name):
                    order.append((OrderPath(name), direction))
                    continue
                raise InvalidQueryError(f"order_by({key!r}): {error}") from error
        return order

    def _orders_through(self, error: Any, name: str) -> bool:
        """Whether a name that is no own field's leads to a field through references."""
        while isinstance(error, ThroughReference):
            try:
                cached_path(error.target, "__".join(error.rest))
            except LookUpError as further:
                error = further.__cause__
            else:
                return True
        return False

    def _order_now(self) -> list[tuple[str, Any]]:
        if self._groups is not None:
            return self._group_order()
        if self._order is not None:
            return self._order
        return self._order_keys(self._document._meta.get("ordering") or ())

    @property
    def ordered(self) -> bool:
        """Whether the documents come in a defined order."""
        return bool(self._order_now())

    def limit(self, n: int | None) -> Self:
        """Take at most n documents: with 0 none, with None all."""
        copy = self.clone()
        copy._limit = None if n is None else position("limit()", n)
        return copy

    def skip(self, n: int | None) -> Self:
        """Leave out the first n documents."""
        return self._with(_skip=position("skip()", n or 0))

    @property
    def _empty(self) -> bool:
        """Whether no document can match; nothing is sent then."""
        return self._none or self._limit == 0

    @property
    def _bounded(self) -> bool:
        """Whether only a part of the matches is meant."""
        return self._limit is not None or bool(self._skip)

    def _range(self) -> dict[str, int]:
        """Return skip and limit as commands have them."""
        ends = {"skip": self._skip, "limit": self._limit}
        return {name: min(n, _FAR) for name, n in ends.items() if n}

    def _slice(self, part: slice) -> Self:
        if part.step not in (None, 1):
            raise InvalidQueryError("a slice of a queryset has no step")
        start = position("a slice", part.start or 0)
        ends = [self._limit, None if part.stop is None else position("a slice", part.stop)]
        end = min((one for one in ends if one is not None), default=None)
        if end is None:
            return self._with(_skip=self._skip + start)
        return self._with(_skip=self._skip + start, _limit=max(0, end - start))

    # Fields

    def only(self, *fields: str) -> Self:
        """Load only these fields, and the primary key. Others are fetched when they are read."""
        paths = tuple(self._field_path(name) for name in fields)
        kept = tuple(path for path in self._include if path not in paths)
        return self._with(_include=kept + paths, _exclude=())

    def _exclude_fields(self, fields: Any) -> Self:
        paths = tuple(self._field_path(name) for name in fields)
        if self._include:
            return self._with(
                _include=tuple(p for p in self._include if p not in paths) or ("_id",)
            )
        return self._with(_exclude=tuple(dict.fromkeys((*self._exclude, *paths))))

    def all_fields(self) -> Self:
        """Load all fields again."""
        return self._with(_include=(), _exclude=(), _options=without(self._options, "projection"))

    def fields(self, _only_called: bool = False, **kwargs: Any) -> Self:
        """Choose fields: `name=1`, `name=0`, `slice__comments=5`, `elemMatch__tags={...}`.

        `comments={"$slice": [10, 5]}` is `slice__comments=[10, 5]`.
        """
        clone = self.clone()
        extra = dict(clone._options.get("projection", {}))
        for key, value in kwargs.items():
            op, _, name = key.partition("__")
            if op in ("slice", "elemMatch") and name:
                extra[self._field_path(name)] = {f"${op}": value}
            elif isinstance(value, Mapping) and list(value) in (["$slice"], ["$elemMatch"]):
                extra[self._field_path(key)] = dict(value)
            elif isinstance(value, Mapping) or value not in (0, 1):
                raise InvalidQueryError(
                    f"fields({key}=...) takes 0, 1, {{'$slice': ...}} or {{'$elemMatch': ...}}, "
                    f"not {value!r}"
                )
            elif value:
                clone = clone.only(key)
            else:
                clone = clone._exclude_fields([key])
        if extra:
            clone._options = {**clone._options, "projection": extra}
        return clone

    def _field_path(self, name: str) -> str:
        try:
            return db_path(self._terms(), name)
        except LookUpError as error:
            raise LookUpError(f"{name!r}: {error}") from error

    @property
    def _loaded_fields(self) -> Any:
        chosen = self._options.get("projection", {})
        if self._shape is None:
            return Origin(
                *with_version(self._document, self._include, self._exclude, chosen), chosen
            )
        return Origin(self._include, self._exclude, chosen)

    def _projection(self) -> dict[str, Any]:
        extra = dict(self._options.get("projection", {}))
        loaded = self._loaded_fields
        if loaded.include:
            paths = without_children(loaded.include)
            out: dict[str, Any] = dict.fromkeys(paths, 1)
            if self._document._meta.get("allow_inheritance"):
                out["_cls"] = 1
            return {**out, **extra}
        if (
            any("$elemMatch" in op for op in extra.values())
            and not loaded.exclude
            and self._document._meta.get("allow_inheritance")
        ):
            extra["_cls"] = 1  # $elemMatch alone makes the projection one that includes
        # a document without them could not be saved; dicts may lack them
        hidden = () if self._shape == "dicts" else ("_id", "_cls")
        out = {p: 0 for p in without_children(loaded.exclude) if p not in hidden}
        return {**out, **extra}

    # Options

    def using(self, alias: str | None) -> Self:
        """Use another connection; None, as Django says it, is that of the class."""
        return self.clone() if alias is None else self._with(_alias=alias)

    def _located(self, alias: str, collection: str) -> Self:
        return self._with(_alias=alias, _collection_name=collection)

    def _option(self, name: str, value: Any) -> Self:
        options = without(self._options, name)
        if value is not None:
            options[name] = value
        return self._with(_options=options)

    def _chosen_options(self, *names: str) -> dict[str, Any]:
        """Return those of the options that are set."""
        return {name: self._options[name] for name in names if name in self._options}

    @property
    def _moved(self) -> bool:
        """Whether the documents are not where their class says."""
        document = self._document
        return bool(
            self._alias != document._alias()
            or self._collection_name != document._get_collection_name()
        )

    def hint(self, index: Any = None) -> Self:
        """Use this index: its name or its keys."""
        if isinstance(index, (list, tuple)):
            index = dict(
                (db_path(self._document, key.lstrip("+-")), -1 if key[:1] == "-" else 1)
                if isinstance(key, str)
                else (db_path(self._document, key[0]), key[1])
                for key in index
            )
        return self._option("hint", index)

    def collation(self, collation: Any = None) -> Self:
        """Compare strings by these rules."""
        document = getattr(collation, "document", collation)
        return self._option("collation", dict(document) if document is not None else None)

    def comment(self, text: str) -> Self:
        """Send a comment that the server's logs show."""
        return self._option("comment", text)

    def max_time_ms(self, ms: int | None) -> Self:
        """Fail after so many milliseconds."""
        return self._option("maxTimeMS", ms)

    def allow_disk_use(self, enabled: bool = True) -> Self:
        """Let the server sort on disk."""
        return self._option("allowDiskUse", True if enabled else None)

    def timeout(self, enabled: bool) -> Self:
        """With False, the server keeps an idle cursor."""
        return self._option("noCursorTimeout", None if enabled else True)

    def read_concern(self, read_concern: Any) -> Self:
        """Read with this read concern: a dict such as {"level": "majority"}."""
        document = getattr(read_concern, "document", read_concern)
        if document is not None and not isinstance(document, Mapping):
            raise TypeError(f'read_concern() takes {{"level": ...}}, not {document!r}')
        return self._option("readConcern", dict(document) if document else None)

    def read_preference(self, read_preference: Any) -> Self:
        """Read from the primary; others are chosen for a whole connection, in connect()."""
        if read_preference_name(read_preference) != "primary":
            raise NotSupportedError(
                "a read preference is an option of connect(): "
                "connect(..., alias='reports', read_preference='secondary'), then using('reports')"
            )
        return self.clone()

    def batch_size(self, size: int) -> Self:
        """Ask the store for so many documents at a time."""
        return self._with(_batch_size=size)

    def no_cache(self) -> Self:
        """Do not keep the documents that were iterated."""
        return self._with(_cached=False)

    def cache(self) -> Self:
        """Keep the documents that were iterated."""
        return self._with(_cached=True)

    def no_dereference(self) -> Self:
        """Read references as ids."""
        return self._with(_raw_refs=True)

    def select_related(self, *fields: Any, max_depth: int = 1) -> Self:
        """Fetch what references point to with each batch of documents, a query per collection.

        `select_related("author__publisher", "tags")` names them. Without names all references are
        followed, `max_depth` (or MongoEngine's number) deep; 0 and None fetch nothing more.
        """
        names = [one for one in fields if isinstance(one, str)]
        for name in names:
            self._field_path(name.split("__")[0])
        if names:
            return self._with(_related=tuple(dict.fromkeys((*self._related, *names))))
        depth = position("select_related()", (fields[0] if fields else max_depth) or 0)
        return self._with(_related=(), _depth=depth)

    # The command

    def _handle(self) -> Any:
        """Return the connection, the collection being ready."""
        handle = get_connection_handle(self._alias) if self._moved else self._document._readable()
        return handle if self._turn is None else Guard(handle, self._turn)

    def _turning(self, turn: Callable[[MongoError], Exception]) -> Any:
        """Raise what `turn` makes of an error of the store."""
        return self._with(_turn=turn)

    def as_command(self) -> dict[str, Any]:
        """Return the find command that evaluating the queryset sends."""
        command = self._command_now()
        if "filter" in command:
            return {**command, "filter": command["filter"].decode()}
        return _core.Raw(command).decode()

    def _command(self, query: Any) -> dict[str, Any]:
        command: dict[str, Any] = {"find": self._collection_name, "filter": query}
        order = self._order_now()
        if order:
            command["sort"] = dict(order)
        projection = self._with_score(self._projection())
        if projection:
            command["projection"] = projection
        command.update(self._range())
        if self._batch_size:
            command["batchSize"] = self._batch_size
        command.update(without(self._options, "projection"))
        return command

    @property
    def _collection(self) -> Any:
        """PyMongo's collection."""
        return self._handle().pymongo()[self._handle().name][self._collection_name]

    @property
    def _cursor_args(self) -> dict[str, Any]:
        """What PyMongo's find() would be given beside the filter."""
        command = self.as_command()
        return {
            key: command[key] for key in ("projection", "sort", "skip", "limit") if key in command
        }

    def explain(self, verbosity: str = "queryPlanner") -> dict[str, Any]:
        """Return how the store would answer."""
        command = command_without(self._command_now(), "batchSize")
        return self._handle().run({"explain": command, "verbosity": verbosity})  # type: ignore[no-any-return]

    def _replies(self) -> Iterator[Any]:
        """Yield the documents of each reply as BSON."""
        if not self._empty:
            yield from self._handle().batches(self._command_now(), self._batch_size)

    def _batches(self) -> Iterator[Any]:
        """Yield `_core.Batch` objects."""
        origin = self._loaded_fields
        mask = origin.mask_for(self._document)
        schema = self._document._schema
        for data in self._replies():
            yield _core.Batch(
                schema, data, mask=mask, origin=origin, raw_refs=self._raw_refs, trusted=True
            )
