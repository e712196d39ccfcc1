# SPDX-License-Identifier: Apache-2.0
"""What Django may ask of the store."""

from __future__ import annotations

from typing import Any

from django import VERSION
from django.db import DatabaseError, InterfaceError
from django.db.backends.base.features import BaseDatabaseFeatures
from django.utils.functional import cached_property

from mongodb.backend.skips import NEWER_SKIPS, SERVER_SKIPS, SKIPS

__all__ = ["DatabaseFeatures"]


class DatabaseFeatures(BaseDatabaseFeatures):
    """Features of the embedded store and of MongoDB."""

    minimum_database_version = (6, 0)
    supports_unspecified_pk = True
    supports_timezones = False
    supports_date_lookup_using_string = False
    atomic_transactions = False
    allows_group_by_selected_pks = True
    has_real_datatype = True
    can_create_inline_fk = True
    can_release_savepoints = True
    can_return_columns_from_insert = True
    can_return_rows_from_bulk_insert = True
    can_defer_constraint_checks = True
    supports_temporal_subtraction = True
    has_case_insensitive_like = False
    supports_over_clause = True
    supports_frame_range_fixed_distance = True
    supports_frame_exclusion = True
    supports_aggregate_filter_clause = True
    supports_slicing_ordering_in_compound = True
    order_by_nulls_first = True
    can_distinct_on_fields = True
    supports_update_conflicts = True
    supports_update_conflicts_with_target = True
    supports_logical_xor = False
    supports_unlimited_charfield = True
    indexes_foreign_keys = True
    can_rename_index = True
    supports_expression_indexes = True
    supports_covering_indexes = True
    supports_tablespaces = False
    supports_sequence_reset = True
    supports_collation_on_charfield = False
    supports_collation_on_textfield = False
    supports_non_deterministic_collations = False
    supports_json_field_contains = True
    json_key_contains_list_matching_requires_list = True
    has_json_object_function = True
    has_native_json_field = True
    has_native_boolean_field = True
    supports_default_keyword_in_bulk_insert = False
    has_select_for_update_skip_locked = False
    has_select_for_update_of = True
    has_select_for_no_key_update = True
    can_clone_databases = True
    supports_tuple_lookups = True
    supports_tuple_comparison_against_subquery = False
    closed_cursor_error_class = InterfaceError
    rounds_to_even = False
    insert_test_table_with_defaults = 'INSERT INTO {} ("null") VALUES (1)'
    requires_literal_defaults = True
    supports_default_keyword_in_insert = False
    supports_expression_defaults = True
    supports_column_check_constraints = True
    supports_table_check_constraints = True
    can_introspect_check_constraints = True
    supports_nulls_distinct_unique_constraints = True
    supports_stored_generated_columns = True
    supports_virtual_generated_columns = True
    supports_comments = True
    introspected_field_types = {
        **BaseDatabaseFeatures.introspected_field_types,
        "DurationField": "BigIntegerField",
        "GenericIPAddressField": "CharField",
    }
    supports_on_delete_db_cascade = False
    supports_on_delete_db_default = False
    supports_on_delete_db_null = False
    supports_explaining_query_execution = True
    supported_explain_formats = {"JSON"}

    @cached_property
    def django_test_skips(self) -> dict[str, set[str]]:  # type: ignore[override]
        """Tests of Django's own suite that do not pass."""
        creation: Any = self.connection.creation
        newer = {} if VERSION < (6, 1) else NEWER_SKIPS
        return {**SKIPS, **newer, **({} if creation.is_embedded() else SERVER_SKIPS)}

    @cached_property
    def supports_transactions(self) -> bool:
        """Whether the store has transactions: a standalone server has none."""
        connection: Any = self.connection
        return self.is_embedded or "setName" in connection.command({"hello": 1})

    @property
    def has_select_for_update(self) -> bool:  # type: ignore[override]
        """Whether rows can be locked: on the embedded store, where writers take turns."""
        return self.is_embedded

    has_select_for_update_nowait = has_select_for_update

    @property
    def supports_deferrable_unique_constraints(self) -> bool:  # type: ignore[override]
        """Whether unique constraints can be checked at the commit: a server has no place for it."""
        return self.is_embedded

    @cached_property
    def can_rollback_ddl(self) -> bool:  # type: ignore[override]
        """Whether a migration is undone whole when it fails."""
        return self.is_embedded

    @cached_property
    def supports_foreign_keys(self) -> bool:  # type: ignore[override]
        """Whether foreign keys are checked: on the embedded store, on a server by option."""
        connection: Any = self.connection
        connection.ensure_connection()
        return bool(connection.connection.foreign_keys)

    @cached_property
    def can_introspect_foreign_keys(self) -> bool:  # type: ignore[override]
        return self.supports_foreign_keys

    @cached_property
    def supports_atlas_search(self) -> bool:
        """Whether the store has Atlas Search."""
        if self.is_embedded:
            return False
        connection: Any = self.connection
        stages = [{"$listSearchIndexes": {}}]
        try:
            connection.documents({"aggregate": "__none", "pipeline": stages, "cursor": {}})
        except DatabaseError:
            return False
        return True

    @property
    def uses_savepoints(self) -> bool:  # type: ignore[override]
        """Whether a nested atomic() can be undone alone: where there are transactions."""
        return self.supports_transactions

    @property
    def is_embedded(self) -> bool:
        """Whether the store is in this process."""
        connection: Any = self.connection
        connection.ensure_connection()
        return bool(connection.connection.handle.embedded)
