# SPDX-License-Identifier: Apache-2.0
"""The database wrapper: what Django calls a connection."""

from __future__ import annotations

import functools
import logging
import pathlib
import weakref
from typing import Any

from django.core.exceptions import ImproperlyConfigured
from django.db.backends.base.base import BaseDatabaseWrapper
from django.utils.asyncio import async_unsafe

from mongodb._open_transactions import documents_transaction
from mongodb.backend import dbapi as Database
from mongodb.backend.client import DatabaseClient
from mongodb.backend.creation import DatabaseCreation
from mongodb.backend.embedded_schema import SchemaEditor
from mongodb.backend.features import DatabaseFeatures
from mongodb.backend.introspection import DatabaseIntrospection
from mongodb.backend.operations import DatabaseOperations
from mongodb.backend.register import register
from mongodb.backend.validation import DatabaseValidation
from mongodb.connection import shared_handle

__all__ = ["DatabaseWrapper"]

register()
logger = logging.getLogger("mongodb")


def _varchar(data: dict[str, Any]) -> str:
    return "varchar" if data["max_length"] is None else f"varchar({data['max_length']})"


class DatabaseWrapper(BaseDatabaseWrapper):
    """A store under Django's ORM.

    `NAME` is the database; without `HOST` it is the embedded store's file, a path or a plain name
    beside manage.py. `HOST` is a server's name or a URI.
    """

    vendor = "mongodb"
    display_name = "MongoDB"
    data_types = {
        "AutoField": "integer auto", "BigAutoField": "bigint auto", "BinaryField": "binary",
        "BooleanField": "bool", "CharField": _varchar, "DateField": "date",
        "DateTimeField": "datetime(6)",
        "DecimalField": "decimal(%(max_digits)s, %(decimal_places)s)",
        "DurationField": "bigint", "FileField": "varchar(%(max_length)s)",
        "FilePathField": "varchar(%(max_length)s)", "FloatField": "real",
        "IntegerField": "integer", "BigIntegerField": "bigint", "IPAddressField": "char(15)",
        "GenericIPAddressField": "char(39)", "JSONField": "json", "OneToOneField": "integer",
        "PositiveBigIntegerField": "bigint unsigned", "PositiveIntegerField": "integer unsigned",
        "PositiveSmallIntegerField": "smallint unsigned", "SlugField": "varchar(%(max_length)s)",
        "SmallAutoField": "smallint auto", "SmallIntegerField": "smallint", "TextField": "text",
        "TimeField": "time(6)", "UUIDField": "char(32)",
    }  # fmt: skip
    data_type_check_constraints = {
        "PositiveBigIntegerField": '"%(column)s" >= 0',
        "PositiveIntegerField": '"%(column)s" >= 0',
        "PositiveSmallIntegerField": '"%(column)s" >= 0',
    }
    operators = {
        "exact": "= %s", "iexact": "ILIKE %s", "contains": "LIKE %s", "icontains": "ILIKE %s",
        "regex": "REGEXP %s", "iregex": "IREGEXP %s", "gt": "> %s", "gte": ">= %s",
        "lt": "< %s", "lte": "<= %s", "startswith": "LIKE %s", "endswith": "LIKE %s",
        "istartswith": "ILIKE %s", "iendswith": "ILIKE %s",
    }  # fmt: skip
    pattern_esc = "{}"
    pattern_ops = {
        "contains": "CONTAINING {}", "icontains": "ICONTAINING {}", "startswith": "STARTING {}",
        "istartswith": "ISTARTING {}", "endswith": "ENDING {}", "iendswith": "IENDING {}",
    }  # fmt: skip

    Database = Database
    SchemaEditorClass = SchemaEditor
    client_class = DatabaseClient
    creation_class = DatabaseCreation
    features_class = DatabaseFeatures
    introspection_class = DatabaseIntrospection
    ops_class = DatabaseOperations
    validation_class = DatabaseValidation

    def get_connection_params(self) -> dict[str, Any]:
        settings = self.settings_dict
        options = dict(settings.get("OPTIONS") or {})
        name, host = str(settings.get("NAME") or ""), settings.get("HOST") or ""
        if "://" in name:
            return {"db": None, "host": name, "options": options}
        if not name and not host:
            raise ImproperlyConfigured(
                "DATABASES: NAME is missing: a name or a path for the embedded store, or a "
                "database of the server that HOST names"
            )
        if host:
            return {
                "db": name or None, "host": host, "port": int(settings["PORT"] or 0) or None,
                "username": settings.get("USER") or None,
                "password": settings.get("PASSWORD") or None, "options": options,
            }  # fmt: skip
        idle = [key for key in ("PORT", "USER", "PASSWORD") if settings.get(key)]
        if idle:
            raise ImproperlyConfigured(
                f"DATABASES: {', '.join(idle)} without HOST: the embedded store has none of them; "
                "name the server in HOST"
            )
        return {"db": None, "host": _embedded_uri(name), "options": options}

    @async_unsafe
    def get_new_connection(self, conn_params: dict[str, Any]) -> Any:
        options = dict(conn_params.pop("options"))
        held = {
            "lengths": bool(options.pop("enforce_max_length", False)),
            "foreign_keys": options.pop("enforce_foreign_keys", None),
        }
        made = Database.connect(shared_handle(self.alias, **conn_params, **options), **held)
        made.wrapper = weakref.proxy(self)
        return made

    def init_connection_state(self) -> None:
        super().init_connection_state()

    def get_database_version(self) -> tuple[int, ...]:
        with self.temporary_connection():
            reply = self.connection.run({"buildInfo": 1})
        return tuple(reply["versionArray"])

    def create_cursor(self, name: str | None = None) -> Any:
        if self.atomic_blocks and self.connection.joined and self.atomic_blocks[0].durable:
            raise RuntimeError(
                "A durable atomic block cannot be nested within documents' atomic()."
            )
        return self.connection.cursor()

    def on_commit(self, func: Any, robust: bool = False) -> None:
        """Call a function after the commit, also when that is of documents' `atomic()`."""
        outer = self._documents()
        if outer is None or self.in_atomic_block or not callable(func):
            super().on_commit(func, robust)
        else:
            outer.levels[-1].hooks.append(functools.partial(_run_hook, func, robust))

    def run_and_clear_commit_hooks(self) -> None:
        outer = self._documents()
        if outer is None:
            super().run_and_clear_commit_hooks()
            return
        waiting, self.run_on_commit = self.run_on_commit, []
        for _, func, robust in waiting:
            outer.levels[-1].hooks.append(functools.partial(_run_hook, func, robust))

    def _documents(self) -> Any:
        """Return documents' transaction that this connection's is a part of here, or None."""
        return None if self.connection is None else documents_transaction(self.connection.handle)

    def _set_autocommit(self, autocommit: bool) -> None:
        with self.wrap_database_errors:
            self.connection.set_autocommit(autocommit)

    def close(self) -> None:
        """Close the connection; within a TestCase's transaction that is left to its end.

        What closes old connections, as workers do, would end the test.
        """
        if not any(one._from_testcase for one in self.atomic_blocks):
            super().close()

    def _savepoint_allowed(self) -> bool:
        return self.features.uses_savepoints and not self.get_autocommit()

    def is_usable(self) -> bool:
        try:
            self.connection.run({"ping": 1})
        except Database.Error:
            return False
        return True

    # Foreign keys

    def disable_constraint_checking(self) -> bool:
        self.ensure_connection()
        self.connection.references.enabled = False
        return True

    def enable_constraint_checking(self) -> None:
        self.connection.references.enabled = True

    def check_constraints(self, table_names: Any = None) -> None:
        """Look whether the foreign keys hold of what this transaction wrote, or of whole tables."""
        self.ensure_connection()
        with self.wrap_database_errors:
            for name in table_names or ():
                self.connection.references.whole(name)
            self.connection.references.check()

    # for introspection and the schema editor

    def command(self, command: Any) -> dict[str, Any]:
        """Run a command of MongoDB's."""
        self.ensure_connection()
        with self.wrap_database_errors:
            return self.connection.run(command)  # type: ignore[no-any-return]

    def documents(self, command: Any) -> list[dict[str, Any]]:
        """Run a command of MongoDB's that answers with documents."""
        self.ensure_connection()
        with self.wrap_database_errors:
            return list(self.connection.documents(command))


def _run_hook(func: Any, robust: bool) -> None:
    try:
        func()
    except Exception:
        if not robust:
            raise
        logger.exception("Error calling %s in on_commit()", getattr(func, "__qualname__", func))


def _embedded_uri(name: str) -> str:
    if name == ":memory:":
        return "docstore://:memory:"
    path = pathlib.Path(name)
    if path.suffix == "":
        path = path.with_suffix(".docstore")
    from mongodb.connection import quote_path

    return f"docstore://{quote_path(path)}"
