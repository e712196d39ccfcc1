/* SPDX-License-Identifier: Apache-2.0 */
/* Every command by name. The table is sorted by its bytes; names in other case and old names are
 * aliases beside it. */
#include <strings.h>

#include "engine/commands/handlers.h"

enum {
    READ = DS_CMD_READ,
    WRITE = DS_CMD_WRITE,
    OWN = DS_CMD_OWN_TXN,
    IN_TXN = DS_CMD_IN_TXN,
    ADMIN = DS_CMD_ADMIN,
    UPGRADE = DS_CMD_UPGRADE,
    RC = DS_CMD_READ_CONCERN,
    SNAP = DS_CMD_READ_CONCERN | DS_CMD_SNAPSHOT,
    WC = DS_CMD_WRITE_CONCERN,
    V1 = DS_CMD_API_V1,
    ALONE = DS_CMD_NO_SESSION
};

static const ds__command table[] = {
    {"abortTransaction", ds__cmd_abort_transaction, ADMIN | IN_TXN | WC | V1,
     .parse = ds__end_parse},
    {"aggregate", ds__cmd_aggregate, OWN | IN_TXN | UPGRADE | SNAP | WC | V1,
     .parse = ds__aggregate_check},
    {"buildInfo", ds__cmd_build_info, ALONE},
    {"collMod", ds__cmd_coll_mod, WRITE | WC | V1},
    {"collStats", ds__cmd_coll_stats, READ},
    {"commitTransaction", ds__cmd_commit_transaction, ADMIN | IN_TXN | WC | V1,
     .parse = ds__end_parse},
    {"compact", ds__cmd_compact, OWN},
    {"connectionStatus", ds__cmd_connection_status, ALONE},
    {"convertToCapped", ds__cmd_convert_to_capped, WRITE | WC},
    {"count", ds__cmd_count, READ | RC | V1, .check = ds__count_check},
    {"create", ds__cmd_create, WRITE | IN_TXN | WC | V1, .parse = ds__create_parse},
    {"createIndexes", ds__cmd_create_indexes, WRITE | IN_TXN | WC | V1,
     .parse = ds__create_indexes_parse},
    {"currentOp", ds__cmd_current_op, ADMIN},
    {"dbStats", ds__cmd_db_stats, READ},
    {"delete", ds__cmd_delete, OWN | IN_TXN | UPGRADE | WC | V1, .parse = ds__delete_parse,
     .check = ds__delete_check},
    {"distinct", ds__cmd_distinct, READ | IN_TXN | SNAP, .check = ds__distinct_check},
    {"drop", ds__cmd_drop, WRITE | WC | V1},
    {"dropDatabase", ds__cmd_drop_database, WRITE | WC | V1},
    {"dropIndexes", ds__cmd_drop_indexes, WRITE | WC | V1},
    {"endSessions", ds__cmd_end_sessions, V1},
    {"explain", ds__cmd_explain, READ | V1},
    {"features", ds__cmd_features, 0},
    {"find", ds__cmd_find, READ | IN_TXN | SNAP | V1, ds__find_lone},
    {"findAndModify", ds__cmd_find_and_modify, OWN | IN_TXN | UPGRADE | WC | V1,
     .parse = ds__find_and_modify_parse, .check = ds__find_and_modify_check},
    {"getCmdLineOpts", ds__cmd_get_cmd_line_opts, ADMIN},
    {"getLog", ds__cmd_get_log, ADMIN},
    {"getMore", ds__cmd_get_more, OWN | IN_TXN | SNAP | V1, .parse = ds__get_more_parse},
    {"getParameter", ds__cmd_get_parameter, ADMIN},
    {"hello", ds__cmd_hello, V1 | ALONE},
    {"hostInfo", ds__cmd_host_info, 0},
    {"insert", ds__cmd_insert, OWN | IN_TXN | UPGRADE | WC | V1, .parse = ds__insert_parse},
    {"isMaster", ds__cmd_is_master, ALONE},
    {"killAllSessions", ds__cmd_kill_all_sessions, 0},
    {"killAllSessionsByPattern", ds__cmd_kill_all_sessions_by_pattern, 0},
    {"killCursors", ds__cmd_kill_cursors, IN_TXN | V1, .parse = ds__kill_cursors_parse},
    {"killOp", ds__cmd_kill_op, ADMIN},
    {"killSessions", ds__cmd_kill_sessions, 0},
    {"listCollections", ds__cmd_list_collections, READ | V1},
    {"listCommands", ds__cmd_list_commands, ALONE},
    {"listDatabases", ds__cmd_list_databases, READ | ADMIN | V1},
    {"listIndexes", ds__cmd_list_indexes, READ | V1},
    {"ping", ds__cmd_ping, V1 | ALONE},
    {"planCacheClear", ds__cmd_plan_cache_clear, READ},
    {"refreshSessions", ds__cmd_refresh_sessions, V1},
    {"releaseSavepoint", ds__cmd_release_savepoint, IN_TXN},
    {"renameCollection", ds__cmd_rename_collection, WRITE | ADMIN | WC},
    {"replSetGetStatus", ds__cmd_repl_set_get_status, ADMIN},
    {"rolesInfo", ds__cmd_roles_info, 0},
    {"rollbackToSavepoint", ds__cmd_rollback_to_savepoint, IN_TXN},
    {"savepoint", ds__cmd_savepoint, WRITE | IN_TXN},
    {"serverStatus", ds__cmd_server_status, 0},
    {"startSession", ds__cmd_start_session, 0},
    {"top", ds__cmd_top, ADMIN},
    {"update", ds__cmd_update, OWN | IN_TXN | UPGRADE | WC | V1, .parse = ds__update_parse,
     .check = ds__update_check},
    {"usersInfo", ds__cmd_users_info, 0},
    {"validate", ds__cmd_validate, READ},
    {"whatsmyuri", ds__cmd_whats_my_uri, ALONE},
};

enum { TABLE_SIZE = sizeof table / sizeof *table };

static const struct {
    const char *alias;
    const char *name;
} aliases[] = {
    {"buildinfo", "buildInfo"},       {"collstats", "collStats"},
    {"dbstats", "dbStats"},           {"findandmodify", "findAndModify"},
    {"ismaster", "isMaster"},         {"deleteIndexes", "dropIndexes"},
    {"serverstatus", "serverStatus"},
};

const ds__command *ds__command_table(size_t *count) {
    *count = TABLE_SIZE;
    return table;
}

static const ds__command *find_row(const char *name) {
    size_t lo = 0;
    size_t hi = TABLE_SIZE;
    while (lo < hi) {
        size_t mid = (lo + hi) / 2;
        int order = (uint8_t)table[mid].name[0] - (uint8_t)name[0];
        order = order ? order : strcmp(table[mid].name, name);
        if (order == 0) {
            return &table[mid];
        }
        if (order < 0) {
            lo = mid + 1;
        } else {
            hi = mid;
        }
    }
    return NULL;
}

const ds__command *ds__command_find(const char *name, size_t size) {
    if (strlen(name) != size) {
        return NULL;
    }
    const ds__command *row = find_row(name);
    for (size_t i = 0; row == NULL && i < sizeof aliases / sizeof *aliases; i++) {
        if (strcmp(aliases[i].alias, name) == 0) {
            row = find_row(aliases[i].name);
        }
    }
    return row;
}
