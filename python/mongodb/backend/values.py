# SPDX-License-Identifier: Apache-2.0
"""What statements take and give: parameters as BSON has them, changes with JSON's null, documents
as rows."""

from __future__ import annotations

import datetime
import re
from collections.abc import Iterator, Mapping, Sequence
from decimal import Decimal
from typing import Any

from bson import Decimal128

from mongodb.backend.errors import ProgrammingError
from mongodb.backend.moments import joined, more_of
from mongodb.backend.plan.json import JSON_NULL, JSONNull
from mongodb.backend.plan.prepare import Prepared, Query
from mongodb.backend.plan.scope import US, TableInfo

__all__ = [
    "adapt", "adapted", "by_place", "filled", "json_nulls", "returned", "rows_of", "value_at",
    "without_nulls",
]  # fmt: skip

_AS_THEY_ARE = frozenset({str, int, float, bool, type(None), bytes, datetime.datetime})


def adapted(params: Sequence[Any]) -> list[Any]:
    """Return parameters as BSON has them."""
    return [one if type(one) in _AS_THEY_ARE else adapt(one) for one in params]


_NAMED = re.compile(r"%\(([^)]*)\)s")


def by_place(sql: str, params: Mapping[str, Any]) -> list[Any]:
    """Named parameters in the order in which the statement names them."""
    try:
        return [params[name] for name in _NAMED.findall(sql)]
    except KeyError as error:
        raise ProgrammingError(
            f"the statement names the parameter {error}: it is not given"
        ) from None


def adapt(value: Any) -> Any:
    """Return a parameter as BSON has it."""
    if isinstance(value, Decimal):
        return Decimal128(value)
    if type(value) is datetime.date:
        return datetime.datetime(value.year, value.month, value.day)
    if isinstance(value, datetime.time):
        return datetime.datetime.combine(datetime.date(1, 1, 1), value)
    if isinstance(value, datetime.timedelta):
        return (value.days * 86400 + value.seconds) * 1_000_000 + value.microseconds
    if isinstance(value, str) and type(value) is not str:
        return str(value)
    if isinstance(value, memoryview):
        return bytes(value)
    return value


def without_nulls(info: TableInfo, documents: list[dict[str, Any]]) -> None:
    """A JSON column that is NULL is no field; one that is JSON's null is a field that is null."""
    paths = [info.path(c) for c, type_ in info.types.items() if type_ == "json"]
    for document in documents:
        for path in paths:
            value = document.get(path)
            if value is None:
                document.pop(path, None)
            elif value is JSON_NULL:
                document[path] = None


def json_nulls(info: TableInfo, update: Any) -> Any:
    if isinstance(update, list):
        return update
    paths = [info.path(c) for c, type_ in info.types.items() if type_ == "json"]
    gone = [path for path in paths if path in update["$set"] and update["$set"][path] is None]
    if not gone:
        return update
    kept = {path: value for path, value in update["$set"].items() if path not in gone}
    unset = {"$unset": dict.fromkeys(gone, "")}
    return {"$set": kept, **unset} if kept else unset


def filled(one: Any) -> Any:
    """A command with null where JSON's null is meant."""
    if isinstance(one, JSONNull):
        return None
    if isinstance(one, dict):
        return {key: filled(value) for key, value in one.items()}
    return [filled(value) for value in one] if isinstance(one, list) else one


def value_at(document: Any, path: tuple[str, ...]) -> Any:
    """Return what is at a path, or None."""
    for key in path:
        if not isinstance(document, dict):
            return None
        document = document.get(key)
    return document


def rows_of(documents: Any, query: Query) -> Iterator[tuple[Any, ...]]:
    """Documents as rows, dates with the microseconds that are beside them."""
    for document in documents:
        yield tuple([
            joined(value_at(document, path), value_at(document, query.beside.get(at, ())))
            for at, path in enumerate(query.paths)
        ])  # fmt: skip


def changed_rows(documents: Any, prepared: Prepared) -> list[tuple[Any, Any]]:
    """The keys of rows that were read to be changed, and their changes. A JSON column whose new
    value is no field of the document becomes NULL, one whose new value is null JSON's null."""
    info, query = prepared.table, prepared.values
    assert info is not None
    assert query is not None
    json = {path for column, type_ in info.types.items() if type_ == "json"
            for path in (info.path(column),)}  # fmt: skip
    out = []
    for document in documents:
        key, *values = next(rows_of([document], query))
        new = dict(zip(prepared.changed, values, strict=True))
        gone = [path for (name,), path in zip(query.paths[1:], prepared.changed, strict=True)
                if path in json and name not in document]  # fmt: skip
        kept = {path: value for path, value in new.items() if path not in gone}
        change = {"$set": kept} if kept else {}
        out.append((key, {**change, "$unset": dict.fromkeys(gone, "")} if gone else change))
    return out


def returned(info: TableInfo, documents: Any, paths: Sequence[str]) -> list[tuple[Any, ...]]:
    """Fields of rows that were written, for RETURNING."""
    if not any(path in info.micros for path in paths):
        return [tuple([one.get(path) for path in paths]) for one in documents]
    out = []
    for document in documents:
        beside = document.get(US) or {}
        values = [document.get(path) for path in paths]
        out.append(tuple([
            joined(value, None if more_of(value) else beside.get(path))
            for path, value in zip(paths, values, strict=True)
        ]))  # fmt: skip
    return out
