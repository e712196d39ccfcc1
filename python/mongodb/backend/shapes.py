# SPDX-License-Identifier: Apache-2.0
"""What Django's compilers make anew for each query though the model alone says it: the columns of
whole rows, the text of one row's INSERT. Kept with the model, and no longer than it."""

from __future__ import annotations

from typing import Any, NamedTuple

from django.conf import settings

__all__ = ["Rows", "inserted", "keep", "keep_inserted", "whole_rows"]

_WHOLE = (frozenset(), True)  # a query's deferred_loading when nothing is deferred
_MOST = 50  # shapes of one model


class Rows:
    """The columns of whole rows, as `get_select` gives them, and what makes their values."""

    __slots__ = ("cells", "converters", "fields", "places", "select")

    def __init__(self, fields: Any, select: list[Any]) -> None:
        self.fields = fields
        self.select = select
        self.places = list(range(len(select)))
        self.cells: tuple[Any, ...] | None = None
        self.converters: dict[int, Any] | None = None  # those left when `cells` are made


class _Insert(NamedTuple):
    fields: tuple[Any, ...]  # held, so that their ids name them
    returning: tuple[Any, ...]
    text: str
    returning_params: Any


def _kept(opts: Any) -> dict[Any, Any]:
    kept: dict[Any, Any] = opts.__dict__.setdefault("_mongodb_shapes", {})
    if len(kept) > _MOST:
        kept.clear()
    return kept


# Whole rows


def whole_rows(compiler: Any) -> tuple[Any, Rows | None]:
    """Return what names a query's columns, None when it asks for more or for less than whole rows
    of one table, and what is kept of it."""
    query = compiler.query
    if (
        not query.default_cols
        or query.select_related
        or query.annotations
        or query.extra
        or query.external_aliases
        or query.combinator
        or query.deferred_loading != _WHOLE
        or getattr(query, "selected", None) is not None
    ):
        return None, None
    opts = query.model._meta
    alias = query.get_initial_alias()
    if any(opts.concrete_model._meta.parents.values()) or alias != opts.db_table:
        return None, None
    if not query.alias_map.keys() <= query.table_map.keys():  # names that are not quoted
        return None, None
    connection = compiler.connection
    # the connection's zone decides how dates come
    key = (alias, connection.alias, settings.USE_TZ, connection.timezone)
    found = _kept(opts).get(key)
    if found is not None and found.fields is not opts.concrete_fields:
        found = None
    return key, found


def keep(compiler: Any, key: Any, select: list[Any]) -> Rows:
    opts = compiler.query.model._meta
    made = _kept(opts)[key] = Rows(opts.concrete_fields, select)
    return made


# One row's INSERT


def inserted(compiler: Any) -> tuple[Any, _Insert | None]:
    """Return what names the text of an INSERT, None when its values may change it, and the text."""
    query = compiler.query
    fields = query.fields
    if len(query.objs) != 1 or not fields or query.on_conflict is not None:
        return None, None
    opts = query.get_meta()
    returning = compiler.returning_fields or ()
    key = (opts.db_table, tuple(map(id, fields)), tuple(map(id, returning)))
    found = _kept(opts).get(key)
    if found is None and any(map(_has_placeholder, fields)):
        return None, None
    return key, found


def keep_inserted(compiler: Any, key: Any, text: str) -> None:
    query = compiler.query
    returning = tuple(compiler.returning_fields or ())
    made = _Insert(tuple(query.fields), returning, text, compiler.returning_params)
    _kept(query.get_meta())[key] = made


def _has_placeholder(field: Any) -> bool:
    return hasattr(field, "get_placeholder") or hasattr(field, "get_placeholder_sql")
