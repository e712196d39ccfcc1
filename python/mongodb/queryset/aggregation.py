# SPDX-License-Identifier: Apache-2.0
"""Querysets: computing over documents."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from mongodb.errors import InvalidQueryError
from mongodb.queryset.expressions import Aggregate
from mongodb.queryset.joins import ordered_stages
from mongodb.queryset.lookups import db_path, resolve

__all__ = ["AggregationMixin", "Results"]


class Results:
    """The documents a pipeline gives, as dicts; read once."""

    def __init__(self, cursor: Any) -> None:
        self._cursor = cursor

    def __iter__(self) -> Iterator[dict[str, Any]]:
        return self

    def __next__(self) -> dict[str, Any]:
        if self._cursor is None:
            raise StopIteration
        return next(self._cursor)

    next = __next__

    def close(self) -> None:
        """Close the cursor."""
        if self._cursor is not None:
            self._cursor.close()

    def __enter__(self) -> Results:
        return self

    def __exit__(self, *args: object) -> None:
        self.close()


class AggregationMixin:
    """aggregate and the shortcuts that use it."""

    _document: Any
    _collection_name: str

    def aggregate(self: Any, *pipeline: Any, **named: Any) -> Any:
        """Run a pipeline on the matches, or compute expressions over them.

        `aggregate(Sum("age"))` and `aggregate(total=Sum("age"))` return a dict; a list of stages,
        or stages as arguments, return an iterable of dicts.
        """
        if pipeline and isinstance(pipeline[0], (list, tuple)) and len(pipeline) == 1:
            stages = list(pipeline[0])
        else:
            stages = list(pipeline)
        if named and all(hasattr(one, "resolve_expression") for one in named.values()):
            return self._aggregated(named)  # Django's
        expressions = {one.default_name: one for one in stages if isinstance(one, Aggregate)}
        options: dict[str, Any] = {}
        for name, value in named.items():
            if isinstance(value, Aggregate):
                expressions[name] = value
            else:
                options[name] = value
        if expressions:
            if any(not isinstance(one, Aggregate) for one in stages):
                raise InvalidQueryError("aggregate() takes expressions or stages, not both")
            return self._compute(expressions)
        if not all(isinstance(stage, Mapping) for stage in stages):
            raise InvalidQueryError("a pipeline is a list of stages such as {'$match': {...}}")
        return self._pipeline(stages, options)

    def _unordered(self: Any) -> Any:
        """Return the same documents in any order."""
        return self if self._bounded else self.clear_order()

    def _stages(self: Any) -> list[dict[str, Any]]:
        """Return the stages that stand for the queryset."""
        out: list[dict[str, Any]] = []
        query, joins = self._where()
        if query:
            out.append({"$match": query})
        out += [*joins, *ordered_stages(self._document, self._order_now())]
        return out + [{f"${name}": n} for name, n in self._range().items()]

    def _pipeline(self: Any, stages: list[Any], options: Mapping[str, Any]) -> Results:
        if self._empty:
            return Results(None)
        first = stages[0] if stages else {}
        before = self._stages()
        # Some stages must come first; a $match goes after them.
        head = (
            [first] if first.keys() & {"$geoNear", "$collStats", "$indexStats", "$search"} else []
        )
        command: dict[str, Any] = {
            "aggregate": self._collection_name,
            "pipeline": [*head, *before, *stages[len(head) :]],
            "cursor": {"batchSize": self._batch_size} if self._batch_size else {},
        }
        for name in ("collation", "hint", "comment", "maxTimeMS", "allowDiskUse", "readConcern"):
            if name in self._options:
                command[name] = self._options[name]
        if "batchSize" in options:
            command["cursor"] = {"batchSize": options["batchSize"]}
        command.update({k: v for k, v in options.items() if k not in ("batchSize", "cursor")})
        return Results(self._handle().cursor(command))

    def _compute(self: Any, expressions: Mapping[str, Aggregate]) -> dict[str, Any]:
        terms = self._terms()
        apart = {name for name, one in expressions.items() if self._through_lists(terms, one)}
        if apart:  # what their lists hold is unwound: a query for each
            rest = {name: one for name, one in expressions.items() if name not in apart}
            values = self._compute(rest) if rest else {}
            for name in apart:
                values[name] = self._over(expressions[name].field, expressions[name].operator)
            return {name: values[name] for name in expressions}
        names = {f"v{at}": name for at, name in enumerate(expressions)}
        group: dict[str, Any] = {"_id": None}
        for key, name in names.items():
            group[key] = expressions[name].accumulator(terms)
        found = next(self._unordered()._pipeline([{"$group": group}], {}), None)
        if found is None:
            return {name: expressions[name].empty for name in names.values()}
        return {name: found[key] for key, name in names.items()}

    def _through_lists(self: Any, terms: Any, one: Aggregate) -> bool:
        """Whether an expression is over what the documents' own lists hold."""
        if terms is not self._document or not one.operator:
            return False
        names = one.field.replace("__", ".").split(".")
        try:
            found = [resolve(terms, names[:end])[1] for end in range(1, len(names) + 1)]
        except InvalidQueryError:
            return False  # who looks it up says what is wrong
        return any(field is not None and field.kind == "list" for field in found)

    def sum(self: Any, field: str) -> Any:
        """Return the sum of a field; 0 for nothing. Lists are summed through."""
        return self._over(field, "$sum") or 0

    def average(self: Any, field: str) -> Any:
        """Return the mean of a field; 0.0 for nothing. Lists are averaged through."""
        return self._over(field, "$avg") or 0.0

    def _over(self: Any, field: str, operator: str) -> Any:
        path = db_path(self._document, field)
        stages: list[dict[str, Any]] = []
        names = field.replace("__", ".").split(".")
        for end in range(1, len(names) + 1):  # lists on the way, and the field itself
            above, kind = resolve(self._document, names[:end])
            if kind is not None and kind.kind == "list":
                stages.append({"$unwind": f"${above}"})
        stages.append({"$group": {"_id": None, "value": {operator: f"${path}"}}})
        found = next(self._unordered()._pipeline(stages, {}), None)
        return None if found is None else found["value"]

    def item_frequencies(
        self: Any, field: str, normalize: bool = False, map_reduce: bool = True
    ) -> dict[Any, Any]:
        """Return how often each value of a field occurs; of each item, for lists."""
        path = db_path(self._document, field)
        stages: list[dict[str, Any]] = [
            {"$project": {"value": f"${path}"}},
            {"$match": {"value": {"$ne": []}}},
            {"$unwind": {"path": "$value", "preserveNullAndEmptyArrays": True}},
            {"$group": {"_id": "$value", "n": {"$sum": 1}}},
        ]
        found = {one["_id"]: one["n"] for one in self._unordered()._pipeline(stages, {})}
        if normalize:
            total = sum(found.values())
            return {key: n / total for key, n in found.items()}
        return {key: float(n) for key, n in found.items()}
