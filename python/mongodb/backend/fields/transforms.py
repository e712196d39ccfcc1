# SPDX-License-Identifier: Apache-2.0
"""Ways into embedded documents: `author__name`, `tags__name`."""

from __future__ import annotations

import difflib
import functools
from collections.abc import Iterable
from typing import Any

from django.core.exceptions import FieldError
from django.db.models import F, Field, Func, IntegerField, JSONField, Transform
from django.db.models.lookups import Exact, In
from django.db.models.sql import Query

from mongodb.backend.fields import values
from mongodb.backend.fields.array import ArrayField

__all__ = ["EachTransform", "PathTransform", "key_sql", "unknown_field", "unknown_lookup"]


def key_sql(key: Any) -> str:
    """Return a key of a path as SQL's text has it."""
    if isinstance(key, int):
        return str(key)
    return "'" + str(key).replace("'", "''").replace("%", "%%") + "'"


def unknown_field(model: Any, name: str) -> values.UnknownLookup:
    """Return the error of a field that an embedded model does not have."""
    names = ", ".join(sorted(field.name for field in model._meta.fields))
    return values.UnknownLookup(f"{model.__name__} has no field named {name!r}: it has {names}")


def unknown_lookup(name: str, where: str, known: Iterable[str]) -> Any:
    """Return the error of a lookup that there is not."""
    close = difflib.get_close_matches(name, list(known))
    hint = f", perhaps you meant {' or '.join(close)}?" if close else "."
    listed = ", ".join(sorted(known))
    return values.UnknownLookup(f"Unsupported lookup '{name}' for {where}{hint} Known: {listed}")


class PathTransform(Transform):
    """A field of an embedded document."""

    def __init__(self, field: Any, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, output_field=field, **kwargs)
        self.key = field.column

    def as_sql(self, compiler: Any, connection: Any, **extra: Any) -> Any:  # type: ignore[override]
        sql, params = compiler.compile(self.lhs)
        return f"PATH({sql}, {key_sql(self.key)})", params

    def get_transform(self, name: str) -> Any:
        field = self.output_field
        found = field.get_transform(name)
        if found is None and field.remote_field:
            return lambda lhs: RelatedTransform(field, (name,), lhs)
        if found is None:
            where = f"{type(field).__name__} '{field.name}'"
            raise unknown_lookup(name, where, field.get_lookups())
        return found


class RelatedTransform(Transform):
    """A field of the model that a key within a document refers to: `writer__publisher__name`."""

    def __init__(self, key: Any, names: tuple[str, ...], *args: Any, **kwargs: Any) -> None:
        related = key.remote_field.model
        query = Query(related)
        try:
            _, final, *_ = query.names_to_path(list(names), related._meta)
        except FieldError:
            raise unknown_field(related, names[-1]) from None
        super().__init__(*args, output_field=final, **kwargs)
        self.key, self.names, self.related = key, names, related

    def _target(self) -> str:
        return str(self.key.target_field.name)

    def get_transform(self, name: str) -> Any:
        return lambda _: RelatedTransform(self.key, (*self.names, name), self.lhs)

    def get_lookup(self, name: str) -> Any:
        return functools.partial(self._lookup, name)

    def _lookup(self, name: str, lhs: Any, rhs: Any) -> Any:
        missing = name == "isnull" and rhs
        path = "__".join([*self.names, name])
        rows = self.related._base_manager.filter(**{path: False if missing else rhs})
        query = rows.values(self._target()).query
        query.subquery = True
        return (_NotIn if missing else In)(self.lhs, query)

    def as_sql(self, compiler: Any, connection: Any, **extra: Any) -> Any:  # type: ignore[override]
        sql, params = compiler.compile(self.lhs)
        rows = self.related._base_manager.annotate(key=F(self._target()))
        inner = rows.values("__".join(self.names)).query
        inner.where.add(Exact(inner.annotations["key"], _Written(sql, params)), "AND")
        text, more = inner.get_compiler(connection=connection).as_sql()
        return f"({text} LIMIT 1)", more


class _Written(Func):
    """SQL that is written already."""

    def __init__(self, sql: str, params: Any) -> None:
        super().__init__(output_field=Field())
        self.sql, self.params = sql, params

    def as_sql(self, *args: Any, **kwargs: Any) -> Any:
        return self.sql, list(self.params)


class _NotIn(In):
    """Not among the values, or not there."""

    def as_sql(self, compiler: Any, connection: Any) -> Any:
        sql, params = super().as_sql(compiler, connection)
        return f"NOT ({sql})", params


class EachField(Field):
    """What a path through an array gives: a list; its lookups hold when they do for some item."""

    of_items = True
    allowed = frozenset(
        "exact iexact in gt gte lt lte contains icontains startswith istartswith endswith "
        "iendswith regex iregex".split()
    )

    def __init__(self, leaf: Any) -> None:
        super().__init__(null=True)
        self.leaf = leaf
        self.name = leaf.name

    def get_internal_type(self) -> str:
        return str(self.leaf.get_internal_type())

    def db_type(self, connection: Any) -> str:
        return "array"

    def get_lookup(self, name: str) -> Any:
        if name not in self.allowed:
            return None
        return self.leaf.get_lookup(name)

    @property
    def path_infos(self) -> Any:
        return self.leaf.path_infos

    def lookups(self) -> list[str]:
        return sorted(self.allowed & set(self.leaf.get_lookups()))

    def get_transform(self, name: str) -> Any:
        return None

    def get_prep_value(self, value: Any) -> Any:
        return self.leaf.get_prep_value(value)

    def get_db_prep_value(self, value: Any, connection: Any, prepared: bool = False) -> Any:
        return self.leaf.get_db_prep_value(value, connection, prepared)

    def get_db_converters(self, connection: Any) -> list[Any]:
        convert = values.reader(self.leaf, connection)
        if convert is None:
            return []

        def read(value: Any, expression: Any, connection: Any) -> Any:
            return [convert(one) for one in value] if isinstance(value, list) else value

        return [read]


class EachTransform(Transform):
    """A field of every item of an array of embedded documents."""

    function = "EACH"
    convert_value = staticmethod(Transform._convert_value_noop)  # a list, not one value

    def __init__(self, leaf: Any, keys: tuple[Any, ...], of: str, *args: Any, **kw: Any) -> None:
        super().__init__(*args, output_field=EachField(leaf), **kw)
        self.leaf, self.keys, self.of = leaf, keys, of

    def as_sql(self, compiler: Any, connection: Any, **extra: Any) -> Any:  # type: ignore[override]
        sql, params = compiler.compile(self.lhs)
        return f"{self.function}({', '.join([sql, *map(key_sql, self.keys)])})", params

    def _below(self, leaf: Any, key: Any) -> Any:
        return lambda _: EachTransform(leaf, (*self.keys, key), self.of, self.lhs)

    def _lengths(self, _: Any) -> Any:
        made = EachTransform(IntegerField(), self.keys, self.of, self.lhs)
        made.function = "EACH_LEN"
        return made

    def get_lookup(self, name: str) -> Any:
        return self.output_field.get_lookup(name)

    def get_transform(self, name: str) -> Any:
        leaf = self.leaf
        if isinstance(leaf, JSONField):
            return self._below(leaf, name)
        if getattr(leaf, "embeds", False) and not isinstance(leaf, ArrayField):
            field = leaf.subfield(name)
            return self._below(field, field.column)
        if isinstance(leaf, ArrayField):
            if name == "len":
                return self._lengths
            if name.isdecimal():
                return self._below(leaf.base_field, int(name))
            if leaf.embeds:
                leaf.base_field.subfield(name)
                raise ValueError(
                    "Cannot perform multiple levels of array traversal in a query. "
                    "Name an element of one array by its position."
                )
        if leaf.remote_field:
            return lambda lhs: RelatedTransform(leaf, (name,), lhs)
        where = f"{self.of} of '{type(leaf).__name__}'"
        raise unknown_lookup(name, where, self.output_field.lookups())
