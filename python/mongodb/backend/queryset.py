# SPDX-License-Identifier: Apache-2.0
"""QuerySets with MongoDB's own queries."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from django.core.exceptions import FieldDoesNotExist
from django.db import DatabaseError, NotSupportedError, connections
from django.db.models import QuerySet
from django.db.models import query as django
from django.db.models.sql import query as sql

from mongodb.backend.fields.values import reader

__all__ = ["MongoQuerySet", "RawQuerySet"]


class MongoQuerySet(QuerySet):  # type: ignore[type-arg]
    """Adds `raw_aggregate`."""

    def raw_aggregate(self, pipeline: Sequence[Any], using: str | None = None) -> Any:
        """Return the models that a pipeline's documents are.

        Fields that a document lacks are read when they are asked for; what else it holds becomes
        attributes of the instance.
        """
        return RawQuerySet(list(pipeline), model=self.model, using=using or self._db)


class RawQuery(sql.RawQuery):
    """A pipeline where Django has SQL."""

    def __str__(self) -> str:
        return str(self.sql)


class RawQuerySet(django.RawQuerySet):
    """Instances of a pipeline's documents."""

    def __init__(self, pipeline: Any, model: Any = None, query: Any = None, **kwargs: Any) -> None:
        super().__init__(pipeline, model=model, query=query or RawQuery(pipeline, ""), **kwargs)

    def using(self, alias: str) -> Any:
        made = self._clone()
        made._db = alias
        return made

    def iterator(self) -> Iterator[Any]:
        connection: Any = connections[self.db]
        meta = self.model._meta
        fields = {"_id" if field.primary_key else field.column: field
                  for field in meta.local_concrete_fields}  # fmt: skip
        convert = {name: reader(field, connection) for name, field in fields.items()}
        table = meta.db_table
        command = {"aggregate": table, "pipeline": self.raw_query, "cursor": {}}
        for document in self._documents(connection, command):
            if "_id" not in document:
                raise FieldDoesNotExist("Raw query must include the primary key")
            names, values, extra = [], [], {}
            for name, value in document.items():
                field = fields.get(name)
                if field is None:
                    extra[name] = value
                    continue
                make = convert[name]
                names.append(field.attname)
                values.append(value if make is None else make(value))
            by_name = dict(zip(names, values, strict=True))
            order = [f.attname for f in meta.concrete_fields if f.attname in by_name]
            instance = self.model.from_db(self.db, order, [by_name[name] for name in order])
            instance.__dict__.update(extra)
            yield instance

    def _documents(self, connection: Any, command: Any) -> Any:
        """Run a command as Django runs a statement: seen by its log and its wrappers."""
        try:
            if not connection.queries_logged:
                return connection.documents(command)
            with connection.cursor() as cursor, cursor.debug_sql(sql=repr(command)):
                return connection.documents(command)
        except DatabaseError as error:
            stages = _ATLAS & {key for stage in self.raw_query for key in stage}
            if stages and "Atlas" not in str(error):
                raise NotSupportedError(
                    f"{', '.join(sorted(stages))}: only MongoDB Atlas has it ({error})"
                ) from error
            raise


_ATLAS = frozenset({"$search", "$searchMeta", "$vectorSearch"})
