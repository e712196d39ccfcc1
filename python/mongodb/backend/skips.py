# SPDX-License-Identifier: Apache-2.0
"""Tests of Django's own suite that do not pass, by reason; `features` has them skipped."""

from __future__ import annotations

__all__ = ["NEWER_SKIPS", "SERVER_SKIPS", "SKIPS"]


def _of(group: str, names: str) -> set[str]:
    """The tests of a class or a module."""
    return {f"{group}.{name}" for name in names.split()}


SKIPS: dict[str, set[str]] = {
    "A PASSWORD without HOST is refused as ImproperlyConfigured: the embedded store has none.": {
        "backends.tests.BackendTestCase.test_unicode_password",
    },
    "Primary keys end at the millisecond.": {
        *_of("queries.tests.Queries4Tests", "test_filter_reverse_non_integer_pk"),
    },
    "Both sides of a UNION within a query name columns of the query around it.": {
        *_of(
            "queries.test_qs_combinators.QuerySetSetOperationTests",
            "test_union_in_subquery_related_outerref",
        ),
    },
    "Writers take turns: the other thread waits for the whole transaction.": {
        *_of(
            "get_or_create.tests.UpdateOrCreateTransactionTests",
            "test_creation_in_transaction",
        ),
    },
    "JSON containment needs a constant on one side.": {
        *_of(
            "model_fields.test_jsonfield.TestQuerying",
            "test_contains_contained_by_with_key_transform",
        ),
    },
    "MongoDB has no text of a document to look for words in.": {
        *_of("model_fields.test_jsonfield.TestQuerying", "test_icontains"),
    },
    "Looking which collections there are is no statement that is counted.": {
        *_of(
            "cache.tests.CreateCacheTableForDBCacheTests",
            "test_createcachetable_observes_database_router",
        ),
    },
    "Only PostgreSQL makes a second index with a unique column, at the end.": {
        *_of(
            "indexes.tests.SchemaIndexesTests",
            "test_alter_field_unique_false_removes_deferred_sql",
        ),
    },
}

# Those of Django 6.1 on: what is not there cannot be skipped.
NEWER_SKIPS: dict[str, set[str]] = {
    "The store carries out no ON DELETE: DB_CASCADE and its like are refused.": {
        *_of("schema.tests.SchemaTests", "test_create_model_db_on_delete"),
    },
    "A statement may have any number of parameters; 10,000 rows are one batch.": {
        "composite_pk.tests.CompositePKTests.test_in_bulk_batching",
    },
    "MongoDB reads no text as JSON: what is written as text is a text.": {
        *_of(
            "model_fields.test_jsonfield.TestQuerying",
            "test_in_json_whitespace test_json_type_casting_with_coalesce",
        ),
    },
}

# Those that do not pass on a server alone.
SERVER_SKIPS: dict[str, set[str]] = {
    "A UNION in a subquery that names the outer row, within a transaction of a server.": {
        *_of(
            "queries.test_qs_combinators.QuerySetSetOperationTests",
            "test_intersection_in_nested_subquery test_union_in_subquery",
        ),
    },
    "A server has no foreign keys, but by option.": {
        *_of("inspectdb.tests.InspectDBTestCase", "test_same_relations"),
    },
}
