# SPDX-License-Identifier: Apache-2.0
"""annotate(): values that the store computes for each document, or for each group of values()."""

from __future__ import annotations

import contextlib
import itertools
from collections.abc import Iterator, Mapping
from typing import Any

from mongodb import _core, _registry
from mongodb.errors import InvalidQueryError, LookUpError, NotRegistered, NotSupportedError
from mongodb.fields.nested import DynamicField
from mongodb.queryset._expression import Expression
from mongodb.queryset._through import ThroughReference
from mongodb.queryset.expressions import Aggregate
from mongodb.queryset.joins import looked_up, unpacked
from mongodb.queryset.lookups import db_path, resolve

__all__ = ["PLACE", "AnnotationsMixin", "take_values"]

PLACE = "__annotated"  # where the values are in what the store sends


class _Terms:
    """Stands for a class whose documents have more fields: those that are computed."""

    _schema = None
    _subclasses = ()

    def __init__(self, document: Any, computed: Mapping[str, str], own: bool = True) -> None:
        self._class = document
        self._lookups: dict[str, Any] = {}
        self._paths: dict[str, Any] = {}
        self._fields: dict[str, Any] = {}
        for cls in reversed(list(_registry.class_tree(document))) if own else ():
            self._fields.update(cls._fields)
        for name, path in computed.items():
            field: Any = DynamicField()
            field.name, field.db_field = name, path
            self._fields[name] = field
        self.stages: list[dict[str, Any]] = []
        self._places: dict[Any, dict[str, Any]] = {}

    def __getattr__(self, name: str) -> Any:
        return getattr(self._class, name)

    def expression_path(self, name: str) -> str:
        """Return the path of a name; what it leads to through references is looked up before."""
        owner, rest, before = self, name.replace(".", "__"), ""
        while True:
            try:
                return before + self._projected(before, db_path(owner, rest))
            except LookUpError as error:
                way = error.__cause__
                if isinstance(way, ThroughReference):
                    local = before + self._projected(before, way.path)
                    place = self._place(way.target, local, "_id", [])
                    owner, rest, before = way.target, "__".join(way.rest), f"{place}."
                    continue
                found = _reverse(self._class, rest) if owner is self else None
                if found is None:
                    raise
                other, foreign = found
                classes = other._queryset()._class_filter()
                place = self._place(other, "_id", foreign, [{"$match": classes}] if classes else [])
                rest = rest.partition("__")[2]
                if not rest:
                    return place
                owner, before = other, f"{place}."

    def _place(self, target: Any, local: str, foreign: str, before: list[Any]) -> str:
        key = (target, local, foreign)
        if target._alias() != self._class._alias():
            raise NotSupportedError(
                f"annotate(): documents of {target.__name__} are of another connection"
            )
        if key not in self._places:
            name = f"__looked{len(self._places)}"
            stage = looked_up(target, local, name, [*before, {"$project": {"_id": 1}}], foreign)
            self._places[key] = stage["$lookup"]
            self.stages.append(stage)
            if foreign == "_id":
                self.stages.append(unpacked(name))
        return str(self._places[key]["as"])

    def _projected(self, before: str, path: str) -> str:
        for stage in self._places.values():
            if stage["as"] + "." == before:
                stage["pipeline"][-1]["$project"][path.partition(".")[0]] = 1
        return path

    @property
    def places(self) -> list[str]:
        """The names under which documents were looked up."""
        return [str(stage["as"]) for stage in self._places.values()]


def _reverse(cls: Any, name: str) -> tuple[Any, str] | None:
    """Return the class that refers to this one, by its name in lower case, and the key's path."""
    head = name.partition("__")[0].lower()
    found: dict[str, tuple[Any, str]] = {}
    for other in _registry.collection_classes():
        if other._abstract or not head.startswith(other.__name__.lower()):
            continue
        for field in other._fields.values():
            path = _path_to(cls, field)
            names = (other.__name__.lower(), f"{other.__name__}_{field.name}".lower())
            if path is not None and head in names:
                found[names[1]] = (other, path)
    if len(found) > 1:
        raise InvalidQueryError(f"{name}: more than one field refers here: {', '.join(found)}")
    return next(iter(found.values()), None)


def _path_to(cls: Any, field: Any) -> str | None:
    """Return where a field keeps keys of documents of the class."""
    inner = field
    while inner.kind == "list" and inner._item is not None:
        inner = inner._item
    if not inner._points and not hasattr(inner, "sync_all"):
        return None
    try:
        if not issubclass(cls, inner.document_type):
            return None
    except NotRegistered:
        return None
    key = "" if inner._points else "._id"
    return f"{field.db_field}{'.$id' if inner._dbref else key}"


class AnnotationsMixin:
    """annotate, and what a queryset with computed values asks."""

    _document: Any
    _annotations: Mapping[str, Any] = {}
    _groups: tuple[str, ...] | None = None  # values() before annotate(): what is grouped by
    _totals: Mapping[str, Any] = {}  # what is computed of each group

    def annotate(self: Any, *expressions: Any, **named: Any) -> Any:
        """Compute values for each document: `annotate(n=Count("tags"), last=Max("post__year"))`.

        They are attributes of the documents, and names for filter(), order_by() and values().
        Aggregates go through the items of lists, and through the documents that refer to this one.
        After values() they are computed for each group of equal values.
        """
        given = {one.default_name: one for one in expressions if isinstance(one, Aggregate)}
        if len(given) < len(expressions):
            raise TypeError("annotate() takes aggregates such as Count('tags'), others by name")
        given.update(named)
        if not given:
            return self.clone()
        if self._bounded:
            raise InvalidQueryError("annotate() comes before skip(), limit() and slices")
        for name, value in given.items():
            if not isinstance(value, (Aggregate, Expression)):
                raise TypeError(f"annotate({name}=...) takes an aggregate or F(), not {value!r}")
            if "__" in name and name in named or name in self._document._fields:
                raise InvalidQueryError(f"annotate({name}=...): the name is a field's or has '__'")
            if name in named and not (name.isidentifier() and name[:1] != "_"):
                raise InvalidQueryError(f"annotate({name}=...): no attribute can be named so")
        grouped = self._groups is not None or self._shape in ("values", "scalar")
        if grouped and all(isinstance(one, Aggregate) for one in given.values()):
            groups = self._scalar if self._groups is None else self._groups
            return self._with(_groups=groups, _totals={**self._totals, **given})
        if self._groups is not None:
            raise InvalidQueryError("annotate() after a grouping one takes aggregates alone")
        for name in given:
            if hasattr(self._document, name):
                raise InvalidQueryError(
                    f"annotate({name}=...): {self._document.__name__}.{name} is something else"
                )
        found = self._with(_annotations={**self._annotations, **given})
        if grouped:  # as Django's: values() shows what is annotated after it
            shape, names = self._shape, (*self._scalar, *given)
            found = found.values(*names)._with(_shape=shape)
        return found

    def _computed_paths(self) -> dict[str, str]:
        return {name: f"{PLACE}.{name}" for name in self._annotations}

    def _terms(self) -> Any:
        """Return what stands for the class where names are looked up."""
        if self._groups is not None:
            names = {_output(name): _output(name) for name in (*self._groups, *self._totals)}
            return _Terms(self._document, names, own=False)
        if self._annotations:
            return _Terms(self._document, self._computed_paths())
        return self._document

    def _computing(self) -> list[dict[str, Any]]:
        """Return the stages that compute the values of each document."""
        stages: list[dict[str, Any]] = []
        for name, value in self._annotations.items():
            terms = _Terms(self._document, self._computed_paths())
            how = value.of_each if isinstance(value, Aggregate) else value.to_expression
            expression = how(terms)
            stages += [*terms.stages, {"$set": {f"{PLACE}.{name}": expression}}]
            stages += [{"$unset": terms.places}] if terms.places else []
        return stages

    def _grouping(self) -> list[dict[str, Any]]:
        """Return the stages that make a document of each group."""
        terms = _Terms(self._document, self._computed_paths())
        keys: dict[str, Any] = {}
        unwound: list[dict[str, Any]] = []
        for at, name in enumerate(self._groups or ()):
            path = terms.expression_path(name)
            unwound += _unwound(terms, name)
            keys[f"k{at}"] = {"$ifNull": [f"${path}", None]}
        totals = {f"t{at}": one.of_groups(terms) for at, one in enumerate(self._totals.values())}
        names = [_output(name) for name in (*(self._groups or ()), *self._totals)]
        values = [f"$_id.{key}" for key in keys] + [f"${key}" for key in totals]
        shown: dict[str, Any] = dict(zip(names, values, strict=True))
        return [*terms.stages, *unwound, {"$group": {"_id": keys, **totals}},
                {"$project": {"_id": 0, **shown}}]  # fmt: skip

    def _where(self: Any) -> tuple[Any, list[dict[str, Any]]]:
        if not self._annotations and self._groups is None:
            return super()._where()  # type: ignore[misc,no-any-return]
        plain, late = self._q._parted({_output(one) for one in self._totals})
        first, between = plain._parted(set(self._annotations))
        query, stages = self._with(_q=first, _annotations={}, _groups=None, _totals={})._where()
        stages = [*stages, *self._computing()]
        if not between.empty:
            terms = _Terms(self._document, self._computed_paths())
            stages.append({"$match": self._keyed(between, terms)})
        if self._groups is not None:
            stages += self._grouping()
        if not late.empty:
            stages.append({"$match": self._keyed(late, self._terms())})
        return query, stages

    def _group_order(self: Any) -> list[tuple[str, Any]]:
        outputs = {_output(name) for name in (*self._groups, *self._totals)}
        stored = {}
        for name in self._groups:
            with contextlib.suppress(LookUpError):  # it leads through references
                stored[db_path(_Terms(self._document, self._computed_paths()), name)] = name
        order = []
        for path, way in self._order or ():
            name = _output(stored.get(path, path))
            if name not in outputs:
                raise InvalidQueryError(f"groups have no {path!r} to be ordered by: {outputs}")
            order.append((name, way))
        return order

    def _without_values(self: Any) -> Any:
        """Return the same matches, without values that no condition asks for."""
        if not self._annotations or self._groups is not None:
            return self
        used = not self._q._parted(set(self._annotations))[1].empty
        return self if used else self._with(_annotations={}, _order=[])

    def _with_values(self: Any, projection: dict[str, Any]) -> dict[str, Any]:
        """Return a projection that keeps what was computed, or shows it as dicts do."""
        if not self._annotations or not any(value == 1 for value in projection.values()):
            return projection
        own = {path: value for path, value in projection.items() if not path.startswith(PLACE)}
        return {**own, PLACE: 1}

    def _grouped(self: Any) -> Iterator[list[Any]]:
        """Yield the groups in the queryset's shape."""
        if self._empty:
            return
        names = (*self._groups, *self._totals)
        convert = [(_output(name), field) for name in self._groups
                   if (field := self._stored_field(name)) is not None]  # fmt: skip
        rows = self._pipeline([], {})
        while chunk := list(itertools.islice(rows, 1000)):
            for row in chunk:
                for name, field in convert:
                    row[name] = field.from_store(row[name])
                for name in names:
                    if _output(name) != name:
                        row[name] = row.pop(_output(name))
            if self._shape == "scalar":
                yield [tuple(row[name] for name in names) for row in chunk]
            else:
                yield chunk

    def _stored_field(self, name: str) -> Any:
        """Return the field whose values of a group are not what the store has."""
        try:
            field = resolve(self._document, name.replace("__", ".").split("."))[1]
        except InvalidQueryError:
            return None
        while field is not None and field.kind == "list":
            field = field._item
        plain = field is None or field.kind in ("string", "int", "long", "float", "bool", "dynamic")
        return None if plain else field


def _output(name: str) -> str:
    return name.replace(".", "__").replace("*", "all")


def _unwound(terms: Any, name: str) -> list[dict[str, Any]]:
    """Return the stages that make a document of each item where a group's path is a list."""
    stages = []
    names = name.replace("__", ".").split(".")
    for end in range(1, len(names) + 1):
        try:
            path, field = resolve(terms, names[:end])
        except InvalidQueryError:
            break
        if field is not None and field.kind == "list":
            stages.append({"$unwind": {"path": f"${path}", "preserveNullAndEmptyArrays": True}})
    return stages


def take_values(documents: list[Any]) -> None:
    """Make the computed values attributes of documents."""
    _core.take_out(documents, PLACE)
