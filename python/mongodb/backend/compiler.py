# SPDX-License-Identifier: Apache-2.0
"""Django's own compilers write the statements; here stands only what differs."""

from __future__ import annotations

from django.db.models.sql import compiler as django

__all__ = [
    "SQLAggregateCompiler", "SQLCompiler", "SQLDeleteCompiler", "SQLInsertCompiler",
    "SQLUpdateCompiler",
]  # fmt: skip


class SQLCompiler(django.SQLCompiler):
    """Queries."""


class SQLInsertCompiler(django.SQLInsertCompiler, SQLCompiler):
    """Inserts."""


class SQLDeleteCompiler(django.SQLDeleteCompiler, SQLCompiler):
    """Deletes."""


class SQLUpdateCompiler(django.SQLUpdateCompiler, SQLCompiler):
    """Updates."""


class SQLAggregateCompiler(django.SQLAggregateCompiler, SQLCompiler):
    """Aggregates over a query."""
