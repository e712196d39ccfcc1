/* SPDX-License-Identifier: Apache-2.0 */
/* Stages that make their own documents ($documents, $collStats, $currentOp, …), and those that
 * cannot be had. */
#include "lang/pipeline/stages.h"

typedef struct documents {
    ds__stage stage;
    /* borrowed */
    ds__expr *expr;
    /* owned while running */
    ds_buf array;
    /* plain */
    ds__iter it;
    bool ready;
} documents;

static bool documents_load(documents *d, ds_error *err) {
    static const uint8_t empty[5] = {5, 0, 0, 0, 0};
    ds_arena *scratch = d->stage.eval->scratch;
    ds_arena_mark mark = ds_arena_save(scratch);
    ds_value v = ds__missing();
    bool ok = ds__stage_eval(&d->stage, d->expr, ds__document(empty), &v, err);
    if (ok && v.type != DS_ARRAY) {
        ok = ds__error_set(err, 5858203, "an array is expected");
    }
    if (ok) {
        ds_buf_reset(&d->array);
        ds_buf_add(&d->array, v.as.bytes, v.size);
        ok = ds_buf_ok(&d->array, err);
    }
    ds_arena_restore(scratch, mark);
    if (ok) {
        ds__iter_init(&d->it, ds__array(d->array.data));
        d->ready = true;
    }
    return ok;
}

static ds_next documents_next(ds__stage *stage, ds_value *doc, ds_error *err) {
    documents *d = (documents *)stage;
    if (!d->ready && !documents_load(d, err)) {
        return DS_NEXT_ERROR;
    }
    if (!ds__iter_next(&d->it)) {
        return DS_NEXT_END;
    }
    if (d->it.value.type != DS_DOCUMENT) {
        char text[DS_MAX_QUOTED];
        ds__error_set(err, 40228,
                      "elements within the array passed to $documents must evaluate to an object, "
                      "but resulting value was: %s. Type of resulting value: '%s'",
                      ds__value_quote(d->it.value, text, sizeof text),
                      ds__type_name(d->it.value.type));
        return DS_NEXT_ERROR;
    }
    *doc = d->it.value;
    return DS_NEXT_ROW;
}

static void documents_stop(ds__stage *stage) {
    documents *d = (documents *)stage;
    ds_buf_clear(&d->array);
    d->ready = false;
}

static const ds__stage_ops documents_ops = {
    .name = "$documents",
    .next = documents_next,
    .stop = documents_stop,
    .kind = DS_STAGE_OWN_SOURCE,
};

bool ds__stage_parse_documents(ds__stage_parser *p, ds_value arg, ds_error *err) {
    const ds__pipeline_host *host = p->env->pipeline_host;
    if (!p->options->in_lookup && host && host->coll && host->coll[0]) {
        return ds__error_set(err, DS_INVALID_NAMESPACE,
                             "'$documents' can only be run with {aggregate: 1}");
    }
    documents *d = ds__stage_add(p, sizeof *d, &documents_ops, err);
    if (!d) {
        return false;
    }
    d->array.meter = p->env->meter;
    return ds__expr_compile(p->env, p->scope, arg, &d->expr, err);
}

/* The host writes one document, or an array of them. */
typedef struct stats {
    ds__stage stage;
    /* owned while running */
    ds_buf out;
    /* plain */
    ds__iter it;
    bool ready;
    bool list;
} stats;

static ds_next stats_next(ds__stage *stage, ds_value *doc, ds_error *err) {
    stats *s = (stats *)stage;
    const ds__pipeline_host *host = stage->env->pipeline_host;
    if (!s->ready) {
        if (!host || !host->stats) {
            ds__error_set(err, DS_INVALID_OPTIONS, "%s may not be used here", stage->ops->name);
            return DS_NEXT_ERROR;
        }
        ds_buf_reset(&s->out);
        if (!host->stats(host, host->db, host->coll, stage->spec, &s->out, err) ||
            !ds_buf_ok(&s->out, err)) {
            return DS_NEXT_ERROR;
        }
        s->ready = true;
        if (s->list) {
            ds__iter_init(&s->it, ds__array(s->out.data));
        } else if (s->out.size > 0) {
            *doc = ds__document(s->out.data);
            return DS_NEXT_ROW;
        }
    }
    if (!s->list || !ds__iter_next(&s->it)) {
        return DS_NEXT_END;
    }
    *doc = s->it.value;
    return DS_NEXT_ROW;
}

static void stats_stop(ds__stage *stage) {
    stats *s = (stats *)stage;
    ds_buf_clear(&s->out);
    s->ready = false;
}

static const ds__stage_ops stats_ops = {
    .name = "$collStats",
    .next = stats_next,
    .stop = stats_stop,
    .kind = DS_STAGE_OWN_SOURCE,
};

static bool add_stats(ds__stage_parser *p, bool list, ds_error *err) {
    stats *s = ds__stage_add(p, sizeof *s, &stats_ops, err);
    if (s) {
        s->list = list;
    }
    return s != NULL;
}

bool ds__stage_parse_coll_stats(ds__stage_parser *p, ds_value arg, ds_error *err) {
    static const char *const known[] = {"latencyStats", "storageStats", "count", "queryExecStats"};
    if (arg.type != DS_DOCUMENT) {
        return ds__error_set(err, 5447000, "$collStats must take a nested object but found: %s",
                             ds__type_name(arg.type));
    }
    ds__iter it;
    for (ds__iter_init(&it, arg); ds__iter_next(&it);) {
        bool found = false;
        for (size_t i = 0; i < sizeof known / sizeof *known; i++) {
            found = found || strcmp(it.key, known[i]) == 0;
        }
        if (!found) {
            return ds__error_set(err, 40415, "BSON field '$collStats.%s' is an unknown field.",
                                 it.key);
        }
    }
    return add_stats(p, false, err);
}

bool ds__stage_parse_index_stats(ds__stage_parser *p, ds_value arg, ds_error *err) {
    if (arg.type != DS_DOCUMENT || !ds__doc_empty(arg)) {
        return ds__error_set(err, 28803,
                             "The $indexStats stage specification must be an empty object");
    }
    return add_stats(p, true, err);
}

bool ds__stage_parse_plan_cache_stats(ds__stage_parser *p, ds_value arg, ds_error *err) {
    if (arg.type != DS_DOCUMENT) {
        return ds__error_set(err, DS_FAILED_TO_PARSE,
                             "$planCacheStats value must be an object. Found: %s",
                             ds__type_name(arg.type));
    }
    if (!ds__doc_empty(arg)) {
        return ds__error_set(err, DS_FAILED_TO_PARSE,
                             "$planCacheStats parameters object must be empty. Found: object");
    }
    return add_stats(p, true, err);
}

bool ds__stage_parse_current_op(ds__stage_parser *p, ds_value arg, ds_error *err) {
    static const char *const known[] = {"allUsers",       "backtrace",    "idleConnections",
                                        "idleCursors",    "idleSessions", "localOps",
                                        "targetAllNodes", "truncateOps"};
    const ds__pipeline_host *host = p->env->pipeline_host;
    if (arg.type != DS_DOCUMENT) {
        return ds__error_set(err, DS_TYPE_MISMATCH,
                             "$currentOp options must be specified in an object, but found: %s",
                             ds__type_name(arg.type));
    }
    ds__iter it;
    for (ds__iter_init(&it, arg); ds__iter_next(&it);) {
        bool found = false;
        for (size_t i = 0; i < sizeof known / sizeof *known; i++) {
            found = found || strcmp(it.key, known[i]) == 0;
        }
        if (!found) {
            return ds__error_set(err, DS_FAILED_TO_PARSE,
                                 "Unrecognized option '%s' in $currentOp stage.", it.key);
        }
        if (it.value.type != DS_BOOL) {
            return ds__error_set(err, DS_TYPE_MISMATCH,
                                 "The '%s' parameter of the $currentOp stage must be a boolean "
                                 "value, but found: %s",
                                 it.key, ds__type_name(it.value.type));
        }
    }
    if (!host || strcmp(host->db, "admin") != 0 || host->coll[0]) {
        return ds__error_set(err, DS_INVALID_NAMESPACE,
                             "$currentOp must be run against the 'admin' database with "
                             "{aggregate: 1}");
    }
    return add_stats(p, true, err);
}

bool ds__stage_parse_refused(ds__stage_parser *p, ds_value arg, ds_error *err) {
    ds__iter it;
    ds__iter_init(&it, p->spec);
    ds__iter_next(&it);
    return ds__error_set(err, DS_NOT_IMPLEMENTED,
                         "the stage %s is not supported by this engine yet", it.key);
}
