/* SPDX-License-Identifier: Apache-2.0 */
/* The handlers of all commands, which the table names. */
#ifndef DS_ENGINE_COMMANDS_HANDLERS_H
#define DS_ENGINE_COMMANDS_HANDLERS_H

#include "engine/op.h"

/* Which idle things a listing of operations has, too. */
typedef struct ds__idle_listed {
    bool cursors;
    bool sessions;
} ds__idle_listed;

bool ds__cmd_abort_transaction(ds__op *op, ds_buf *reply, ds_error *err);
bool ds__cmd_aggregate(ds__op *op, ds_buf *reply, ds_error *err);
bool ds__cmd_build_info(ds__op *op, ds_buf *reply, ds_error *err);
bool ds__cmd_coll_mod(ds__op *op, ds_buf *reply, ds_error *err);
bool ds__cmd_coll_stats(ds__op *op, ds_buf *reply, ds_error *err);
bool ds__cmd_commit_transaction(ds__op *op, ds_buf *reply, ds_error *err);
bool ds__cmd_compact(ds__op *op, ds_buf *reply, ds_error *err);
bool ds__cmd_connection_status(ds__op *op, ds_buf *reply, ds_error *err);
bool ds__cmd_convert_to_capped(ds__op *op, ds_buf *reply, ds_error *err);
bool ds__cmd_count(ds__op *op, ds_buf *reply, ds_error *err);
bool ds__cmd_create(ds__op *op, ds_buf *reply, ds_error *err);
bool ds__cmd_create_indexes(ds__op *op, ds_buf *reply, ds_error *err);
bool ds__cmd_current_op(ds__op *op, ds_buf *reply, ds_error *err);
bool ds__cmd_db_stats(ds__op *op, ds_buf *reply, ds_error *err);
bool ds__cmd_delete(ds__op *op, ds_buf *reply, ds_error *err);
bool ds__cmd_distinct(ds__op *op, ds_buf *reply, ds_error *err);
bool ds__cmd_drop(ds__op *op, ds_buf *reply, ds_error *err);
bool ds__cmd_drop_database(ds__op *op, ds_buf *reply, ds_error *err);
bool ds__cmd_drop_indexes(ds__op *op, ds_buf *reply, ds_error *err);
bool ds__cmd_end_sessions(ds__op *op, ds_buf *reply, ds_error *err);
bool ds__cmd_explain(ds__op *op, ds_buf *reply, ds_error *err);
bool ds__cmd_features(ds__op *op, ds_buf *reply, ds_error *err);
bool ds__cmd_find(ds__op *op, ds_buf *reply, ds_error *err);
bool ds__find_lone(ds__op *op, ds_buf *reply);
bool ds__cmd_find_and_modify(ds__op *op, ds_buf *reply, ds_error *err);
bool ds__cmd_get_cmd_line_opts(ds__op *op, ds_buf *reply, ds_error *err);
bool ds__cmd_get_log(ds__op *op, ds_buf *reply, ds_error *err);
bool ds__cmd_get_more(ds__op *op, ds_buf *reply, ds_error *err);
bool ds__cmd_get_parameter(ds__op *op, ds_buf *reply, ds_error *err);
bool ds__cmd_hello(ds__op *op, ds_buf *reply, ds_error *err);
bool ds__cmd_host_info(ds__op *op, ds_buf *reply, ds_error *err);
bool ds__cmd_insert(ds__op *op, ds_buf *reply, ds_error *err);
bool ds__cmd_is_master(ds__op *op, ds_buf *reply, ds_error *err);
bool ds__cmd_kill_all_sessions(ds__op *op, ds_buf *reply, ds_error *err);
bool ds__cmd_kill_all_sessions_by_pattern(ds__op *op, ds_buf *reply, ds_error *err);
bool ds__cmd_kill_cursors(ds__op *op, ds_buf *reply, ds_error *err);
bool ds__cmd_kill_op(ds__op *op, ds_buf *reply, ds_error *err);
bool ds__cmd_kill_sessions(ds__op *op, ds_buf *reply, ds_error *err);
bool ds__cmd_list_collections(ds__op *op, ds_buf *reply, ds_error *err);
bool ds__cmd_list_commands(ds__op *op, ds_buf *reply, ds_error *err);
bool ds__cmd_list_databases(ds__op *op, ds_buf *reply, ds_error *err);
bool ds__cmd_list_indexes(ds__op *op, ds_buf *reply, ds_error *err);
bool ds__cmd_ping(ds__op *op, ds_buf *reply, ds_error *err);
bool ds__cmd_plan_cache_clear(ds__op *op, ds_buf *reply, ds_error *err);
bool ds__cmd_refresh_sessions(ds__op *op, ds_buf *reply, ds_error *err);
bool ds__cmd_release_savepoint(ds__op *op, ds_buf *reply, ds_error *err);
bool ds__cmd_rename_collection(ds__op *op, ds_buf *reply, ds_error *err);
bool ds__cmd_repl_set_get_status(ds__op *op, ds_buf *reply, ds_error *err);
bool ds__cmd_roles_info(ds__op *op, ds_buf *reply, ds_error *err);
bool ds__cmd_rollback_to_savepoint(ds__op *op, ds_buf *reply, ds_error *err);
bool ds__cmd_savepoint(ds__op *op, ds_buf *reply, ds_error *err);
bool ds__cmd_server_status(ds__op *op, ds_buf *reply, ds_error *err);
bool ds__cmd_start_session(ds__op *op, ds_buf *reply, ds_error *err);
bool ds__cmd_top(ds__op *op, ds_buf *reply, ds_error *err);
bool ds__cmd_update(ds__op *op, ds_buf *reply, ds_error *err);
bool ds__cmd_users_info(ds__op *op, ds_buf *reply, ds_error *err);
bool ds__cmd_validate(ds__op *op, ds_buf *reply, ds_error *err);
bool ds__cmd_whats_my_uri(ds__op *op, ds_buf *reply, ds_error *err);

/* Writes an array of the operations that run now, one document each; `own`: only those of the
 * connection of `op`. `out` is empty before. current_op.c. */
bool ds__current_ops(const ds__op *op, bool own, ds__idle_listed idle, ds_buf *out, ds_error *err);
/* Adds the documents of idle cursors, of idle transactions' sessions, to an array in `out`. */
void ds__idle_ops(const ds__op *op, ds__idle_listed which, ds_buf *out, size_t *count);
/* A command as listings show it: a long one by its beginning. */
void ds__write_command(ds_buf *out, const char *name, ds_value command);

/* What is wrong with a command is found before its session is used: a transaction goes on. */
bool ds__aggregate_check(ds__op *op, ds_error *err);
bool ds__create_parse(ds__op *op, ds_error *err);
bool ds__create_indexes_parse(ds__op *op, ds_error *err);
bool ds__delete_parse(ds__op *op, ds_error *err);
bool ds__end_parse(ds__op *op, ds_error *err);
bool ds__find_and_modify_parse(ds__op *op, ds_error *err);
bool ds__get_more_parse(ds__op *op, ds_error *err);
bool ds__insert_parse(ds__op *op, ds_error *err);
bool ds__kill_cursors_parse(ds__op *op, ds_error *err);
bool ds__update_parse(ds__op *op, ds_error *err);

/* The arguments of the commands explain can look into. */
bool ds__count_check(ds_value command, ds_error *err);
bool ds__delete_check(ds_value command, ds_error *err);
bool ds__distinct_check(ds_value command, ds_error *err);
bool ds__find_and_modify_check(ds_value command, ds_error *err);
bool ds__update_check(ds_value command, ds_error *err);

#endif
