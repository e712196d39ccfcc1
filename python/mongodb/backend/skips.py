# SPDX-License-Identifier: Apache-2.0
"""Tests of Django's own suite that do not pass, by reason; `features` has them skipped."""

from __future__ import annotations

__all__ = ["SKIPS"]


def _of(group: str, names: str) -> set[str]:
    """The tests of a class or a module."""
    return {f"{group}.{name}" for name in names.split()}


SKIPS: dict[str, set[str]] = {
    "A PASSWORD without HOST is refused as ImproperlyConfigured: the embedded store has none.": {
        "backends.tests.BackendTestCase.test_unicode_password",
    },
    "Times are kept to the millisecond.": {
        *_of(
            "basic.tests.ModelRefreshTests",
            "test_refresh_unsaved test_refresh_with_related",
        ),
        *_of("basic.tests.ModelTest", "test_microsecond_precision"),
        *_of("composite_pk.test_get.CompositePKGetTests", "test_get_previous_by_field"),
        *_of(
            "db_functions.comparison.test_cast.CastTests",
            "test_cast_from_db_datetime_to_time",
        ),
        *_of(
            "db_functions.comparison.test_greatest.GreatestTests",
            "test_basic test_coalesce_workaround",
        ),
        *_of(
            "db_functions.comparison.test_least.LeastTests",
            "test_basic test_coalesce_workaround",
        ),
        *_of(
            "db_functions.datetime.test_extract_trunc.DateFunctionTests",
            "test_extract_day_func test_extract_func test_extract_hour_func "
            "test_extract_iso_weekday_func test_extract_iso_year_func test_extract_minute_func "
            "test_extract_month_func test_extract_quarter_func test_extract_second_func "
            "test_extract_week_func test_extract_weekday_func test_extract_year_func "
            "test_trunc_date_func test_trunc_day_func test_trunc_func test_trunc_hour_func "
            "test_trunc_minute_func test_trunc_month_func test_trunc_quarter_func "
            "test_trunc_second_func test_trunc_time_func test_trunc_week "
            "test_trunc_week_before_1000 test_trunc_week_func test_trunc_year_func",
        ),
        *_of(
            "db_functions.datetime.test_extract_trunc.DateFunctionWithTimeZoneTests",
            "test_extract_day_func test_extract_func test_extract_hour_func "
            "test_extract_iso_weekday_func test_extract_iso_year_func test_extract_minute_func "
            "test_extract_month_func test_extract_quarter_func test_extract_second_func "
            "test_extract_week_func test_extract_weekday_func test_extract_year_func "
            "test_trunc_date_func test_trunc_day_func test_trunc_func "
            "test_trunc_func_with_timezone test_trunc_hour_func test_trunc_minute_func "
            "test_trunc_month_func test_trunc_quarter_func test_trunc_second_func "
            "test_trunc_time_func test_trunc_timezone_applied_before_truncation test_trunc_week "
            "test_trunc_week_before_1000 test_trunc_week_func test_trunc_year_func",
        ),
        *_of(
            "expressions.tests.FTimeDeltaTests",
            "test_datetime_subtraction_microseconds test_duration_with_datetime_microseconds "
            "test_negative_timedelta_update test_time_subtraction",
        ),
        *_of(
            "field_defaults.tests.DefaultTests",
            "test_bulk_create_all_db_defaults_one_field",
        ),
        *_of("queries.tests.Queries4Tests", "test_filter_reverse_non_integer_pk"),
        *_of(
            "timezones.tests.LegacyDatabaseTests",
            "test_naive_datetime_with_microsecond",
        ),
        *_of(
            "timezones.tests.NewDatabaseTests",
            "test_aware_datetime_in_local_timezone_with_microsecond "
            "test_naive_datetime_with_microsecond",
        ),
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
