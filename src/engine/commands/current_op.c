/* SPDX-License-Identifier: Apache-2.0 */
/* currentOp, $currentOp and killOp: the registry of running operations as documents. */
#include "base/clock.h"
#include "base/limits.h"
#include "bson/json.h"
#include "bson/number.h"
#include "bson/writer.h"
#include "engine/commands/generic.h"
#include "engine/commands/handlers.h"
#include "engine/commands/request.h"
#include "engine/commands/session.h"
#include "lang/filter/filter.h"

/* A longer command is shown by its beginning. */
enum { MAX_COMMAND = 4096 };

typedef struct listing {
    /* borrowed */
    const ds__op *op; /* who asks */
    ds_buf *out;      /* elements of an array */
    /* plain */
    size_t count;
    bool own; /* only operations of who asks */
} listing;

/* What mongod calls a command's kind. */
static const char *kind_of(const char *name) {
    static const char *const kinds[][2] = {{"delete", "remove"},   {"find", "query"},
                                           {"getMore", "getmore"}, {"insert", "insert"},
                                           {"update", "update"},   {"killCursors", "killcursors"}};
    for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++) {
        if (strcmp(kinds[i][0], name) == 0) {
            return kinds[i][1];
        }
    }
    return "command";
}

static void write_namespace(const ds__op *op, ds_buf *out) {
    char ns[300];
    ds_value coll =
        op->target.type == DS_STRING ? op->target : ds__doc_field(op->command, "collection");
    bool own = strcmp(op->row->name, "aggregate") == 0 || strcmp(op->row->name, "currentOp") == 0;
    if (coll.type == DS_STRING && coll.size < sizeof ns / 2) {
        snprintf(ns, sizeof ns, "%.64s.%.*s", op->db, (int)coll.size, ds__text(coll));
    } else {
        snprintf(ns, sizeof ns, "%.64s.$cmd%s", op->db, own ? ".aggregate" : "");
    }
    ds__write_str(out, "ns", ns);
}

void ds__write_command(ds_buf *out, const char *name, ds_value command) {
    if (command.size <= MAX_COMMAND) {
        ds__write_value(out, name, strlen(name), command);
        return;
    }
    char text[DS_MAX_QUOTED];
    size_t doc = ds__write_doc(out, name, strlen(name), DS_DOCUMENT);
    ds__write_str(out, "$truncated", ds__value_quote(command, text, sizeof text));
    ds__write_value(out, "comment", 7, ds__doc_field(command, "comment"));
    ds__doc_end(out, doc);
}

static void write_lsid(const ds__run *run, ds_buf *out) {
    ds_value id = {
        .type = DS_BINARY, .subtype = 4, .size = DS_SESSION_ID_SIZE, .as.bytes = run->session};
    if (run->has_session) {
        size_t lsid = ds__write_doc(out, "lsid", 4, DS_DOCUMENT);
        ds__write_value(out, "id", 2, id);
        ds__doc_end(out, lsid);
    }
}

static void write_empty(ds_buf *out, const char *name) {
    ds__doc_end(out, ds__write_doc(out, name, strlen(name), DS_DOCUMENT));
}

static void write_who(const ds__op *op, ds_buf *out) {
    char desc[32] = "local";
    const ds__engine_peer *peer = op->peer;
    if (ds__op_is_remote(op)) {
        snprintf(desc, sizeof desc, "conn%lld", (long long)peer->connection_id);
    }
    ds__write_str(out, "type", "op");
    ds__write_str(out, "host", peer && peer->me ? peer->me : "localhost");
    ds__write_str(out, "desc", desc);
    if (ds__op_is_remote(op)) {
        ds__write_int32(out, "connectionId", (int32_t)peer->connection_id);
    }
    ds__write_str(out, "client", peer && peer->client ? peer->client : "in this process");
}

static void write_count(ds_buf *out, const char *name, int64_t n) {
    if (n <= INT32_MAX) {
        ds__write_int32(out, name, (int32_t)n);
    } else {
        ds__write_int64(out, name, n);
    }
}

/* How far an index's build has come. */
static void write_progress(const ds__run *run, ds_buf *out) {
    const char *work = __atomic_load_n(&run->work, __ATOMIC_ACQUIRE);
    int64_t done = __atomic_load_n(&run->done, __ATOMIC_RELAXED);
    const int64_t total = __atomic_load_n(&run->total, __ATOMIC_RELAXED);
    if (!work) {
        return;
    }
    done = done < total ? done : total; /* they are not read at once */
    char text[200];
    snprintf(text, sizeof text, "%s %s: %lld/%lld %d%%", work, work, (long long)done,
             (long long)total, total > 0 ? (int)(done * 100 / total) : 0);
    ds__write_str(out, "msg", text);
    size_t doc = ds__write_doc(out, "progress", 8, DS_DOCUMENT);
    write_count(out, "done", done);
    write_count(out, "total", total);
    ds__doc_end(out, doc);
}

/* One operation; the registry's lock is held. */
static void write_one(const ds__run *run, void *ctx) {
    listing *l = ctx;
    const ds__op *op = run->op;
    int64_t us = ds__clock_mono_us() - run->started_us;
    if (l->own &&
        (ds__op_is_remote(op) != ds__op_is_remote(l->op) ||
         (ds__op_is_remote(op) && op->peer->connection_id != l->op->peer->connection_id))) {
        return;
    }
    size_t doc = ds__write_index_doc(l->out, l->count++, DS_DOCUMENT);
    write_who(op, l->out);
    ds__write_bool(l->out, "active", true);
    ds__write_bool(l->out, "threaded", true);
    ds__write_int32(l->out, "opid", run->opid);
    write_lsid(run, l->out);
    ds__write_int64(l->out, "secs_running", us / 1000000);
    ds__write_int64(l->out, "microsecs_running", us);
    ds__write_str(l->out, "op", kind_of(op->row->name));
    write_namespace(op, l->out);
    ds__write_command(l->out, "command", op->command);
    if (__atomic_load_n(&run->cancel, __ATOMIC_RELAXED)) {
        ds__write_bool(l->out, "killPending", true);
    }
    write_progress(run, l->out);
    ds__write_int32(l->out, "numYields", 0);
    write_empty(l->out, "locks");
    ds__write_bool(l->out, "waitingForLock", __atomic_load_n(&run->waiting, __ATOMIC_RELAXED));
    write_empty(l->out, "lockStats");
    ds__write_bool(l->out, "waitingForFlowControl", false);
    write_empty(l->out, "flowControlStats");
    ds__doc_end(l->out, doc);
}

bool ds__current_ops(const ds__op *op, bool own, ds__idle_listed idle, ds_buf *out, ds_error *err) {
    listing l = {.op = op, .out = out, .own = own};
    size_t root = ds__doc_begin(out);
    ds__ops_each(op->engine->ops, write_one, &l);
    ds__idle_ops(op, idle, out, &l.count);
    ds__doc_end(out, root);
    return ds_buf_ok(out, err);
}

/* The fields of the command that are conditions on operations, as a filter. */
static bool conditions(ds__op *op, bool *own, ds__filter **out, ds_error *err) {
    ds_buf spec = {0};
    ds_value filter;
    ds__iter it;
    ds__iter_init(&it, op->command);
    ds__iter_next(&it);
    size_t root = ds__doc_begin(&spec);
    while (ds__iter_next(&it)) {
        if (strcmp(it.key, "$ownOps") == 0) {
            *own = ds__value_truthy(it.value);
        } else if (strcmp(it.key, "$all") != 0 && !ds__arg_is_generic(it.key)) {
            ds_buf_add(&spec, it.element, it.element_size);
        }
    }
    ds__doc_end(&spec, root);
    bool ok = ds_buf_ok(&spec, err);
    if (ok && !ds__buf_to_value(&op->arena, &spec, DS_DOCUMENT, &filter)) {
        ok = ds__error_oom(err);
    }
    ds_buf_clear(&spec);
    return ok && ds__filter_compile(&op->env, filter, NULL, out, err);
}

static bool write_matching(ds__op *op, ds__filter *filter, ds_value all, ds_buf *reply,
                           ds_error *err) {
    ds_arena scratch = {0};
    ds__eval eval;
    ds__iter it;
    size_t count = 0;
    bool ok = ds__eval_init(&eval, &op->env, &op->arena, &scratch, err);
    size_t inprog = ds__write_doc(reply, "inprog", 6, DS_ARRAY);
    for (ds__iter_init(&it, all); ok && ds__iter_next(&it);) {
        bool matched = false;
        ok = ds__filter_match(filter, it.value, &eval, &matched, NULL, err);
        if (ok && matched) {
            ds__write_index(reply, count++, it.value);
        }
    }
    ds__doc_end(reply, inprog);
    ds_arena_clear(&scratch);
    return ok;
}

bool ds__cmd_current_op(ds__op *op, ds_buf *reply, ds_error *err) {
    ds_buf all = {0};
    ds__filter *filter = NULL;
    bool own = false;
    bool ok = conditions(op, &own, &filter, err) &&
              ds__current_ops(op, own, (ds__idle_listed){.sessions = !own}, &all, err) &&
              write_matching(op, filter, ds__array(all.data), reply, err);
    ds_buf_clear(&all);
    return ok;
}

bool ds__cmd_kill_op(ds__op *op, ds_buf *reply, ds_error *err) {
    ds_value v = ds__doc_field(op->command, "op");
    int64_t id = 0;
    if (v.type == DS_MISSING) {
        return ds__error_set(err, DS_NO_SUCH_KEY, "Missing expected field \"op\"");
    }
    if (!ds__is_number(v)) {
        return ds__error_set(err, DS_TYPE_MISMATCH,
                             "Expected field \"op\" to have numeric type, but found %s",
                             ds__type_name(v.type));
    }
    if (!ds__value_exact_int64(v, &id)) {
        char text[DS_MAX_QUOTED];
        return ds__error_set(err, DS_BAD_VALUE,
                             "Expected field \"op\" to have a value exactly representable as a "
                             "64-bit integer, but found op: %s",
                             ds__value_quote(v, text, sizeof text));
    }
    if (id < INT32_MIN || id > UINT32_MAX) {
        return ds__error_set(err, 26823,
                             "invalid op : %lld. Op ID cannot be represented with 32 bits",
                             (long long)id);
    }
    ds__ops_kill(op->engine->ops, (int32_t)id);
    ds__write_str(reply, "info", "attempting to kill op");
    return true;
}
