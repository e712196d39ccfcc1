# SPDX-License-Identifier: Apache-2.0
"""Lookups and orders through references: by the keys of the documents that match, or by $lookup.

Keys are found first and compared with `$in`. A pipeline with `$lookup` takes their place when there
are too many of them, or when it reads fewer documents.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from mongodb import _core
from mongodb.errors import InvalidQueryError, LookUpError, NotSupportedError
from mongodb.queryset._parts import without
from mongodb.queryset._through import JOINS, ThroughReference
from mongodb.queryset.lookups import cached_path, parse

__all__ = ["JoinsMixin", "OrderPath", "ordered_stages"]

KEYS = 10_000  # more than these are left to $lookup
_MOST_KEYS = 500_000  # of ObjectIds: what a command has room for
_OPTIONS = ("collation", "hint", "comment", "maxTimeMS", "allowDiskUse", "readConcern")


class OrderPath(str):
    """A path through references in an order. Its text is what the user wrote."""

    __slots__ = ()


class _TooMany(Exception):  # noqa: N818
    """There are too many keys, or a $lookup reads less."""


class _Joins:
    """Makes conditions: of keys, or with `stages` of what a $lookup found."""

    def __init__(self, queryset: Any, most: int) -> None:
        self.queryset = queryset
        self.most = most
        self.stages: list[dict[str, Any]] | None = None
        self.weigh = most == KEYS

    def condition(self, way: ThroughReference, lookups: dict[str, Any]) -> Any:
        """Return the filter for documents whose reference leads to one that fulfils the lookups."""
        with _making(None):  # what the other queryset needs it makes itself
            return (self._of_keys if self.stages is None else self._joined)(way, lookups)

    def _joined(self, way: ThroughReference, lookups: dict[str, Any]) -> Any:
        assert self.stages is not None
        name = f"__joined{len(self.stages)}"
        found = _referred(self.queryset, way, lookups)
        inner = [*found.clear_order()._stages(), {"$limit": 1}, {"$project": {"_id": 1}}]
        self.stages.append(looked_up(way.target, way.path, name, inner))
        return _core.Raw({name: {"$ne": []}})

    def _of_keys(self, way: ThroughReference, lookups: dict[str, Any]) -> Any:
        found = _referred(self.queryset, way, lookups)
        if self.weigh and _lookup_reads_less(self.queryset, found, lookups):
            raise _TooMany
        keys = found.clear_order().limit(self.most + 1)._keys()
        if len(keys) > self.most:
            raise _TooMany
        return _core.Raw({way.path: {"$in": keys}})


@contextmanager
def _making(joins: _Joins | None) -> Iterator[None]:
    token = JOINS.set(joins)
    try:
        yield
    finally:
        JOINS.reset(token)


def _referred(queryset: Any, way: ThroughReference, lookups: dict[str, Any]) -> Any:
    """Return the queryset of the documents that fulfil the lookups."""
    target = way.target
    if target._abstract:
        raise InvalidQueryError(f"{way}: {target.__name__} is abstract and has no collection")
    found = target._queryset().filter(**lookups)
    if target._alias() == queryset._document._alias():
        found = found.using(queryset._alias)
    if queryset._turn is not None:
        found = found._turning(queryset._turn)
    return found.collation(queryset._options.get("collation"))


def looked_up(
    target: Any, path: str, name: str, pipeline: list[Any], foreign: str = "_id"
) -> dict[str, Any]:
    """Return the stage that puts documents of another collection under a name."""
    return {
        "$lookup": {
            "from": target._get_collection_name(),
            "localField": path,
            "foreignField": foreign,
            "pipeline": pipeline,
            "as": name,
        }
    }


def _has_index(document: Any, paths: set[str]) -> bool:
    return "_id" in paths or bool(paths & document._indexed_first())


def _own_paths(query: Any) -> set[str]:
    """Return the paths that a filter compares, those of all parts that must hold."""
    paths = {key for key in query if key[:1] != "$"}
    for part in query.get("$and", ()):
        paths |= _own_paths(part)
    return paths


def _lookup_reads_less(queryset: Any, found: Any, lookups: dict[str, Any]) -> bool:
    """Whether a pipeline that looks each own document's reference up reads fewer documents.

    Keys cost what the other collection's filter reads: few with an index, else the collection.
    """
    try:
        paths = {parse(found._document, name).path for name in lookups if name != "__raw__"}
    except (ThroughReference, InvalidQueryError):
        return False
    if "__raw__" in lookups or _has_index(found._document, paths) or not queryset._pipes():
        return False
    own = queryset._local()
    if not _has_index(queryset._document, _own_paths(own.decode())):
        return False  # all own documents are read either way
    others = found._handle().count(found._collection_name, {})
    mine = queryset._handle().count(queryset._collection_name, own, limit=max(1, others // 2))
    return bool(mine < others // 2)


class JoinsMixin:
    """How a queryset asks when lookups or its order lead through references."""

    _document: Any
    _q: Any
    _options: Any

    def _matching(self: Any) -> Any:
        """Return the filter as `_core.Raw`, whatever has to be asked for it."""
        try:
            return self._filter()
        except ThroughReference:
            pass
        try:
            with _making(_Joins(self, _MOST_KEYS)):
                return self._filter()
        except _TooMany:
            raise InvalidQueryError(
                f"a lookup through a reference finds more than {_MOST_KEYS:,} documents, and a "
                "pipeline with $lookup cannot answer here"
            ) from None

    def _where(self: Any) -> tuple[Any, list[dict[str, Any]]]:
        """Return the filter, and the stages after it that look references up, if any."""
        try:
            return self._filter(), []
        except ThroughReference:
            pass
        if not self._pipes():
            return self._matching(), []
        try:
            with _making(_Joins(self, KEYS)):
                return self._filter(), []
        except _TooMany:
            pass
        joins = _Joins(self, KEYS)
        joins.stages = []
        with _making(joins):
            last = self._q.to_bson(self._document)
        names = [stage["$lookup"]["as"] for stage in joins.stages]
        return self._local(), [*joins.stages, {"$match": last}, {"$unset": names}]

    def _keyed(self: Any, condition: Any, terms: Any) -> Any:
        """Return a condition's filter; references that it leads through are found by keys."""
        with _making(_Joins(self, _MOST_KEYS)):
            return condition.to_bson(terms)

    def _local(self: Any) -> Any:
        """Return the filter without what leads through references: more may match."""
        return self._with(_q=self._q._local(self._document))._filter()

    def _pipes(self: Any) -> bool:
        """Whether a pipeline can give what the queryset asks for."""
        return not (
            {"projection", "noCursorTimeout"} & self._options.keys()
            or "$where" in self._special
            or self._scored
            or not self._one_database()
        )

    def _one_database(self: Any) -> bool:
        """Whether what the queryset refers to is where its own documents are."""
        aliases = {self._document._alias()}
        orders = (str(path) for path, _ in self._order_now() if type(path) is OrderPath)
        for owner, way in _ways(itertools.chain(self._q._names(), orders), self._document):
            aliases |= {owner._alias(), way.target._alias()}
        return len(aliases) == 1

    def _command_now(self: Any) -> dict[str, Any]:
        """Return the command that reads the documents: a find, or a pipeline that looks up."""
        query, joins = self._where()
        order = self._order_now()
        if self._groups is not None:
            command: dict[str, Any] = {"aggregate": self._collection_name, "cursor": {}}
            return {**command, "pipeline": self._stages(), **self._chosen_options(*_OPTIONS)}
        if not joins and not any(type(path) is OrderPath for path, _ in order):
            return self._command(query)  # type: ignore[no-any-return]
        if not self._pipes():
            raise NotSupportedError(
                "an order through a reference and annotate() go with no search_text(), where(), "
                "timeout(False), slice__ and elemMatch__, nor with another connection's documents"
            )
        stages = [{"$match": query}, *joins, *ordered_stages(self._document, order)]
        stages += [{f"${name}": n} for name, n in self._range().items()]
        projection = self._with_values(self._projection())
        if projection:
            stages.append({"$project": projection})
        command = {"aggregate": self._collection_name, "pipeline": stages}
        command["cursor"] = {"batchSize": self._batch_size} if self._batch_size else {}
        command.update(self._chosen_options(*_OPTIONS))
        return command


def _ways(names: Iterator[str], document: Any) -> Iterator[tuple[Any, ThroughReference]]:
    """Yield the references that names lead through, and the classes that have them."""
    for name in names:
        owner, rest = document, name.replace(".", "__")
        while rest:
            try:
                parse(owner, rest)
            except ThroughReference as way:
                yield owner, way
                owner, rest = way.target, "__".join(rest.split("__")[way.at :])
            except Exception:  # the filter itself tells what is wrong with it
                break
            else:
                break


def unpacked(place: str) -> dict[str, Any]:
    """Return the stage that makes an array of one document the document: of arrays one can sort."""
    many = {"$gt": [{"$size": f"${place}"}, 1]}
    return {"$set": {place: {"$cond": [many, f"${place}", {"$first": f"${place}"}]}}}


def ordered_stages(document: Any, order: list[tuple[str, Any]]) -> list[dict[str, Any]]:
    """Return the stages that sort; what is found for it is taken away again."""
    places: dict[tuple[str, str], str] = {}
    stages: list[dict[str, Any]] = []
    keys: dict[str, Any] = {}
    for name, direction in order:
        if type(name) is not OrderPath:
            keys[name] = direction
            continue
        owner, rest, before = document, str(name), ""
        while True:
            try:
                path = cached_path(owner, rest)
                break
            except LookUpError as error:
                way = error.__cause__
                if not isinstance(way, ThroughReference):
                    raise
            local = before + way.path
            if (before, way.path) not in places:
                place = places[before, way.path] = f"__ordered{len(places)}"
                stages += [looked_up(way.target, local, place, []), unpacked(place)]
            owner, rest, before = way.target, "__".join(way.rest), places[before, way.path] + "."
        keys[before + path] = direction
    if stages:
        return [*stages, {"$sort": keys}, {"$unset": list(places.values())}]
    return [{"$sort": keys}] if keys else []


def command_without(command: dict[str, Any], *names: str) -> dict[str, Any]:
    """Return what explain takes of a command."""
    return {**without(command, *names), **({"cursor": {}} if "aggregate" in command else {})}
