/* SPDX-License-Identifier: Apache-2.0 */
/* What a server says of itself: buildInfo, serverStatus, hostInfo, logs, parameters, users. */
#include <stdio.h>
#include <sys/resource.h>
#include <sys/utsname.h>
#include <unistd.h>

#include "base/limits.h"
#include "bson/number.h"
#include "bson/writer.h"
#include "engine/commands/cursor.h"
#include "engine/commands/generic.h"
#include "engine/commands/handlers.h"
#include "engine/commands/request.h"

/* The MongoDB release whose behaviour the engine follows: clients decide by it what they may use.
 */
#define COMPATIBLE_VERSION "6.0.5"
static const int32_t compatible_version[4] = {6, 0, 5, 0};

bool ds__cmd_ping(ds__op *op, ds_buf *reply, ds_error *err) {
    (void)reply;
    return ds__args_none(op, err);
}

bool ds__cmd_features(ds__op *op, ds_buf *reply, ds_error *err) {
    static const ds__arg args[] = {
        {"oidReset", DS_ARG_BOOL, DS_ARG_IGNORED | DS_ARG_NULL_IS_MISSING}};
    ds_value reset;
    if (!ds__args_read("features", true, op->command, args, 1, &reset, err)) {
        return false;
    }
    (void)op;
    (void)reply;
    (void)err;
    return true;
}

static size_t begin(ds_buf *reply, const char *name, uint8_t type) {
    return ds__write_doc(reply, name, strlen(name), type);
}

static void empty(ds_buf *reply, const char *name, uint8_t type) {
    ds__doc_end(reply, begin(reply, name, type));
}

bool ds__cmd_build_info(ds__op *op, ds_buf *reply, ds_error *err) {
    (void)op;
    (void)err;
    ds__write_str(reply, "version", COMPATIBLE_VERSION);
    ds__write_str(reply, "gitVersion", "docstore-" DS_VERSION);
    empty(reply, "modules", DS_ARRAY);
    ds__write_str(reply, "allocator", "system");
    ds__write_str(reply, "javascriptEngine", "none");
    ds__write_str(reply, "sysInfo", "deprecated");
    size_t array = begin(reply, "versionArray", DS_ARRAY);
    for (size_t i = 0; i < 4; i++) {
        ds__write_index(reply, i, ds__int32(compatible_version[i]));
    }
    ds__doc_end(reply, array);
    empty(reply, "openssl", DS_DOCUMENT);
    empty(reply, "buildEnvironment", DS_DOCUMENT);
    ds__write_int32(reply, "bits", 64);
    ds__write_bool(reply, "debug", false);
    ds__write_int32(reply, "maxBsonObjectSize", DS_MAX_DOC_SIZE);
    size_t engines = begin(reply, "storageEngines", DS_ARRAY);
    ds__write_index(reply, 0, ds__cstring("docstore"));
    ds__doc_end(reply, engines);
    size_t own = begin(reply, "docstore", DS_DOCUMENT);
    ds__write_str(reply, "version", DS_VERSION);
    ds__doc_end(reply, own);
    return true;
}

static void host_name(char *out, size_t size) {
    if (gethostname(out, size) != 0) {
        snprintf(out, size, "localhost");
    }
    out[size - 1] = 0;
}

bool ds__cmd_host_info(ds__op *op, ds_buf *reply, ds_error *err) {
    if (!ds__args_none(op, err)) {
        return false;
    }
    struct utsname un = {0};
    char host[256];
    (void)err;
    uname(&un);
    const int64_t pages = sysconf(_SC_PHYS_PAGES);
    host_name(host, sizeof host);
    size_t doc = begin(reply, "system", DS_DOCUMENT);
    ds__write_value(reply, "currentTime", 11, ds__date(op->env.now_ms));
    ds__write_str(reply, "hostname", host);
    ds__write_int32(reply, "cpuAddrSize", 64);
    ds__write_int64(reply, "memSizeMB", pages * sysconf(_SC_PAGESIZE) / (1024 * 1024));
    ds__write_int32(reply, "numCores", (int32_t)sysconf(_SC_NPROCESSORS_ONLN));
    ds__write_str(reply, "cpuArch", un.machine);
    ds__write_bool(reply, "numaEnabled", false);
    ds__doc_end(reply, doc);
    doc = begin(reply, "os", DS_DOCUMENT);
    ds__write_str(reply, "type", un.sysname);
    ds__write_str(reply, "name", un.sysname);
    ds__write_str(reply, "version", un.release);
    ds__doc_end(reply, doc);
    doc = begin(reply, "extra", DS_DOCUMENT);
    ds__write_int64(reply, "pageSize", sysconf(_SC_PAGESIZE));
    ds__doc_end(reply, doc);
    return true;
}

static void write_counters(ds_buf *reply, const char *name) {
    static const char *const names[] = {"insert", "query",   "update",
                                        "delete", "getmore", "command"};
    size_t doc = begin(reply, name, DS_DOCUMENT);
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        ds__write_int64(reply, names[i], 0);
    }
    ds__doc_end(reply, doc);
}

bool ds__cmd_server_status(ds__op *op, ds_buf *reply, ds_error *err) {
    char host[256];
    struct rusage usage = {0};
    (void)err;
    host_name(host, sizeof host);
    getrusage(RUSAGE_SELF, &usage);
    int64_t up = op->env.now_ms - op->engine->started_ms;
    ds__write_str(reply, "host", host);
    ds__write_str(reply, "version", COMPATIBLE_VERSION);
    ds__write_str(reply, "process", "docstore");
    ds__write_int64(reply, "pid", getpid());
    ds__write_double(reply, "uptime", (double)(up / 1000));
    ds__write_int64(reply, "uptimeMillis", up);
    ds__write_int64(reply, "uptimeEstimate", up / 1000);
    ds__write_value(reply, "localTime", 9, ds__date(op->env.now_ms));
    size_t doc = begin(reply, "connections", DS_DOCUMENT);
    ds__write_int32(reply, "current", 1);
    ds__write_int32(reply, "available", 1000);
    ds__write_int32(reply, "totalCreated", 1);
    ds__write_int32(reply, "active", 1);
    ds__doc_end(reply, doc);
    doc = begin(reply, "metrics", DS_DOCUMENT);
    size_t cursor = begin(reply, "cursor", DS_DOCUMENT);
    size_t open = begin(reply, "open", DS_DOCUMENT);
    ds__write_int64(reply, "total", (int64_t)ds__cursors_count(op->engine->cursors));
    ds__doc_end(reply, open);
    ds__doc_end(reply, cursor);
    ds__doc_end(reply, doc);
    write_counters(reply, "opcounters");
    doc = begin(reply, "storageEngine", DS_DOCUMENT);
    ds__write_str(reply, "name", "docstore");
    ds__write_bool(reply, "supportsCommittedReads", true);
    ds__write_bool(reply, "persistent", true);
    ds__write_int32(reply, "format", ds__store_format(op->engine->store));
    ds__doc_end(reply, doc);
    doc = begin(reply, "mem", DS_DOCUMENT);
    ds__write_int32(reply, "bits", 64);
    ds__write_int32(reply, "resident", (int32_t)(usage.ru_maxrss / 1024));
    ds__write_bool(reply, "supported", true);
    ds__doc_end(reply, doc);
    return true;
}

/* Parameters clients ask for. */
static bool write_parameter(ds_buf *reply, const char *name) {
    if (strcmp(name, "featureCompatibilityVersion") == 0) {
        size_t doc = begin(reply, name, DS_DOCUMENT);
        ds__write_str(reply, "version", "6.0");
        ds__doc_end(reply, doc);
        return true;
    }
    static const struct {
        const char *name;
        ds_value value;
    } parameters[] = {
        {"authenticationMechanisms", {.type = DS_MISSING}},
        {"cursorTimeoutMillis", {.type = DS_INT64, .as.i64 = 600000}},
        {"enableTestCommands", {.type = DS_BOOL, .as.b = false}},
        {"localLogicalSessionTimeoutMinutes", {.type = DS_INT32, .as.i32 = 30}},
        {"notablescan", {.type = DS_BOOL, .as.b = false}},
        {"quiet", {.type = DS_BOOL, .as.b = false}},
        {"requireApiVersion", {.type = DS_BOOL, .as.b = false}},
        {"transactionLifetimeLimitSeconds", {.type = DS_INT32, .as.i32 = 60}},
        {"ttlMonitorEnabled", {.type = DS_BOOL, .as.b = true}},
    };
    for (size_t i = 0; i < sizeof parameters / sizeof *parameters; i++) {
        if (strcmp(parameters[i].name, name) == 0) {
            if (parameters[i].value.type == DS_MISSING) {
                empty(reply, name, DS_ARRAY);
            }
            ds__write_value(reply, name, strlen(name), parameters[i].value);
            return true;
        }
    }
    return false;
}

bool ds__cmd_get_parameter(ds__op *op, ds_buf *reply, ds_error *err) {
    static const char *const all[] = {"authenticationMechanisms",
                                      "cursorTimeoutMillis",
                                      "enableTestCommands",
                                      "featureCompatibilityVersion",
                                      "notablescan",
                                      "quiet",
                                      "requireApiVersion",
                                      "transactionLifetimeLimitSeconds",
                                      "ttlMonitorEnabled"};
    ds__iter it;
    (void)err;
    size_t found = 0;
    bool everything = ds__is_string(op->target, "*") ||
                      (op->target.type == DS_DOCUMENT &&
                       ds__value_truthy(ds__doc_field(op->target, "allParameters")));
    if (everything) {
        for (size_t i = 0; i < sizeof all / sizeof *all; i++) {
            write_parameter(reply, all[i]);
        }
        return true;
    }
    ds__iter_init(&it, op->command);
    ds__iter_next(&it);
    while (ds__iter_next(&it)) {
        if (!ds__arg_is_generic(it.key)) {
            found += write_parameter(reply, it.key);
        }
    }
    if (found == 0) { /* the one refusal without a code */
        ds__write_double(reply, "ok", 0);
        ds__write_str(reply, "errmsg", "no option found to get");
        op->ok_written = true;
    }
    return true;
}

/* A line of mongod's structured log, which shells take apart. */
static void write_log_line(ds_buf *line, ds_notice notice, int64_t now_ms, const char *text) {
    ds_buf_printf(line,
                  "{\"t\":{\"$date\":{\"$numberLong\":\"%lld\"}},\"s\":\"%c\",\"c\":\"STORAGE\","
                  "\"id\":0,\"ctx\":\"docstore\",\"msg\":\"",
                  (long long)now_ms, notice == DS_NOTICE_WARNING ? 'W' : 'I');
    for (const char *p = text; *p; p++) {
        if (*p == '"' || *p == '\\') {
            ds_buf_add_byte(line, '\\');
        }
        ds_buf_add_byte(line, (uint8_t)*p < 0x20 ? ' ' : (uint8_t)*p);
    }
    ds_buf_printf(line, "\"}");
}

bool ds__cmd_get_log(ds__op *op, ds_buf *reply, ds_error *err) {
    if (op->target.type == DS_NULL) {
        return ds__error_set(err, 40414,
                             "BSON field 'getLog.getLog' is missing but a required field");
    }
    if (!ds__args_none(op, err)) {
        return false;
    }
    if (op->target.type != DS_STRING) {
        return ds__error_set(err, DS_TYPE_MISMATCH,
                             "Argument to getLog must be of type String; found %s of type %s", "",
                             ds__type_name(op->target.type));
    }
    if (ds__is_string(op->target, "*")) {
        size_t names = begin(reply, "names", DS_ARRAY);
        ds__write_index(reply, 0, ds__cstring("global"));
        ds__write_index(reply, 1, ds__cstring("startupWarnings"));
        ds__doc_end(reply, names);
        return true;
    }
    if (!ds__is_string(op->target, "global") && !ds__is_string(op->target, "startupWarnings")) {
        return ds__error_set(err, DS_OPERATION_FAILED, "No log named '%.*s'",
                             op->target.size < 100 ? (int)op->target.size : 100,
                             ds__text(op->target));
    }
    char text[DS_WARNING_SIZE];
    ds_buf lines = {0};
    size_t count = 0;
    ds_notice notice;
    for (size_t n = 0; (notice = ds__engine_warning(op->engine, &n, text, sizeof text));) {
        ds_buf line = {0};
        if (notice != DS_NOTICE_WARNING && !ds__is_string(op->target, "global")) {
            continue;
        }
        write_log_line(&line, notice, op->env.now_ms, text);
        ds_buf_fail_as(&lines, &line);
        ds__write_index(&lines, count++, ds__string((const char *)line.data, line.size));
        ds_buf_clear(&line);
    }
    ds_buf_fail_as(reply, &lines);
    ds__write_int32(reply, "totalLinesWritten", (int32_t)count);
    size_t log = begin(reply, "log", DS_ARRAY);
    ds_buf_add(reply, lines.data, lines.size);
    ds__doc_end(reply, log);
    ds_buf_clear(&lines);
    return true;
}

bool ds__cmd_get_cmd_line_opts(ds__op *op, ds_buf *reply, ds_error *err) {
    if (!ds__args_none(op, err)) {
        return false;
    }
    (void)op;
    (void)err;
    size_t argv = begin(reply, "argv", DS_ARRAY);
    ds__write_index(reply, 0, ds__cstring("docstore"));
    ds__doc_end(reply, argv);
    empty(reply, "parsed", DS_DOCUMENT);
    return true;
}

bool ds__cmd_connection_status(ds__op *op, ds_buf *reply, ds_error *err) {
    static const ds__arg args[] = {{"showPrivileges", DS_ARG_BOOL, DS_ARG_NULL_IS_MISSING}};
    ds_value privileges;
    if (!ds__args_read("connectionStatus", true, op->command, args, 1, &privileges, err)) {
        return false;
    }
    (void)op;
    (void)err;
    size_t info = begin(reply, "authInfo", DS_DOCUMENT);
    empty(reply, "authenticatedUsers", DS_ARRAY);
    empty(reply, "authenticatedUserRoles", DS_ARRAY);
    if (ds__value_truthy(ds__doc_field(op->command, "showPrivileges"))) {
        empty(reply, "authenticatedUserPrivileges", DS_ARRAY);
    }
    ds__doc_end(reply, info);
    return true;
}

bool ds__cmd_whats_my_uri(ds__op *op, ds_buf *reply, ds_error *err) {
    (void)err;
    ds__write_str(reply, "you", op->peer && op->peer->me ? op->peer->me : "127.0.0.1:0");
    return true;
}

/* Whose: 1 for all, a name, {name, db}, or an array of those. */
static bool check_names(const char *what, ds_value v, ds_error *err) {
    ds__iter it;
    bool all = ds__is_number(v) && ds__number_to_double(v) == 1;
    if (v.type == DS_ARRAY) {
        for (ds__iter_init(&it, v); ds__iter_next(&it);) {
            if (it.value.type == DS_ARRAY || ds__is_number(it.value) ||
                !check_names(what, it.value, err)) {
                return ds__error_set(err, DS_BAD_VALUE, "%s must be either a string or an object",
                                     what);
            }
        }
        return true;
    }
    return all || v.type == DS_STRING || v.type == DS_DOCUMENT ||
           ds__error_set(err, DS_BAD_VALUE, "%s must be either a string or an object", what);
}

bool ds__cmd_roles_info(ds__op *op, ds_buf *reply, ds_error *err) {
    static const ds__arg args[] = {
        {"showPrivileges", DS_ARG_ANY, DS_ARG_IGNORED},
        {"showBuiltinRoles", DS_ARG_BOOL, DS_ARG_IGNORED | DS_ARG_NULL_IS_MISSING},
        {"showAuthenticationRestrictions", DS_ARG_BOOL, DS_ARG_IGNORED | DS_ARG_NULL_IS_MISSING}};
    ds_value v[3];
    if (!ds__args_read("rolesInfo", true, op->command, args, 3, v, err) ||
        !check_names("RoleName", op->target, err)) {
        return false;
    }
    if (v[0].type != DS_MISSING && v[0].type != DS_BOOL && !ds__is_number(v[0]) &&
        !ds__is_string(v[0], "asUserFragment")) {
        return ds__error_set(err, DS_BAD_VALUE,
                             "Failed to parse 'showPrivileges'. 'showPrivileges' should either be "
                             "a boolean or the string 'asUserFragment'");
    }
    (void)op;
    (void)err;
    empty(reply, "roles", DS_ARRAY);
    return true;
}

bool ds__cmd_users_info(ds__op *op, ds_buf *reply, ds_error *err) {
    static const ds__arg args[] = {
        {"showPrivileges", DS_ARG_BOOL, DS_ARG_NULL_IS_MISSING},
        {"showAuthenticationRestrictions", DS_ARG_BOOL, DS_ARG_NULL_IS_MISSING},
        {"showCredentials", DS_ARG_BOOL, DS_ARG_IGNORED | DS_ARG_NULL_IS_MISSING},
        {"showCustomData", DS_ARG_BOOL, DS_ARG_IGNORED | DS_ARG_NULL_IS_MISSING},
        {"filter", DS_ARG_OBJECT, DS_ARG_IGNORED | DS_ARG_NULL_IS_MISSING}};
    ds_value v[5];
    if (!ds__args_read("usersInfo", true, op->command, args, 5, v, err) ||
        !check_names("UserName", op->target, err)) {
        return false;
    }
    if (ds__is_number(op->target) && (ds__value_truthy(v[0]) || ds__value_truthy(v[1]))) {
        return ds__error_set(err, DS_ILLEGAL_OPERATION,
                             "Privilege or restriction details require exact-match usersInfo "
                             "queries.");
    }
    (void)op;
    (void)err;
    empty(reply, "users", DS_ARRAY);
    return true;
}

bool ds__cmd_top(ds__op *op, ds_buf *reply, ds_error *err) {
    (void)op;
    (void)err;
    size_t totals = begin(reply, "totals", DS_DOCUMENT);
    ds__write_str(reply, "note", "all times in microseconds");
    ds__doc_end(reply, totals);
    return true;
}

bool ds__cmd_list_commands(ds__op *op, ds_buf *reply, ds_error *err) {
    size_t count;
    const ds__command *table = ds__command_table(&count);
    (void)op;
    (void)err;
    size_t commands = begin(reply, "commands", DS_DOCUMENT);
    for (size_t i = 0; i < count; i++) {
        size_t doc = begin(reply, table[i].name, DS_DOCUMENT);
        ds__write_str(reply, "help", "");
        ds__write_bool(reply, "requiresAuth", false);
        ds__write_bool(reply, "secondaryOk", !(table[i].flags & DS_CMD_WRITE));
        ds__write_bool(reply, "adminOnly", (table[i].flags & DS_CMD_ADMIN) != 0);
        ds__doc_end(reply, doc);
    }
    ds__doc_end(reply, commands);
    return true;
}

bool ds__cmd_repl_set_get_status(ds__op *op, ds_buf *reply, ds_error *err) {
    const char *me = op->peer != NULL && op->peer->me != NULL ? op->peer->me : "localhost:27017";
    (void)err;
    ds__write_str(reply, "set", "rs0");
    ds__write_value(reply, "date", 4, ds__date(op->env.now_ms));
    ds__write_int32(reply, "myState", 1);
    ds__write_int64(reply, "term", 1);
    size_t members = begin(reply, "members", DS_ARRAY);
    size_t member = ds__write_index_doc(reply, 0, DS_DOCUMENT);
    ds__write_int32(reply, "_id", 0);
    ds__write_str(reply, "name", me);
    ds__write_double(reply, "health", 1);
    ds__write_int32(reply, "state", 1);
    ds__write_str(reply, "stateStr", "PRIMARY");
    ds__write_bool(reply, "self", true);
    ds__doc_end(reply, member);
    ds__doc_end(reply, members);
    return true;
}
