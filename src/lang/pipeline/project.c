/* SPDX-License-Identifier: Apache-2.0 */
/* $project, $addFields/$set, $unset, $replaceRoot/$replaceWith: one document in, one out, written
 * once. */
#include "lang/pipeline/stages.h"

typedef struct project {
    ds__stage stage;
    /* borrowed */
    ds__projection *projection;
    ds__path *touched; /* what the stage sets or removes; for an inclusion, what it keeps */
    size_t touched_count;
    /* owned while running */
    ds_buf out;
    /* plain */
    bool inclusion;
    bool keeps_id;
    bool opaque; /* no filter moves over it */
} project;

static ds_next project_next(ds__stage *stage, ds_value *doc, ds_error *err) {
    project *p = (project *)stage;
    ds__eval *eval = stage->eval;
    ds_next next = ds__stage_pull(stage, doc, err);
    if (next != DS_NEXT_ROW) {
        return next;
    }
    ds_arena_mark mark = ds_arena_save(eval->scratch);
    eval->slots[DS_VAR_ROOT] = *doc;
    ds_buf_reset(&p->out);
    bool ok = ds__projection_apply(p->projection, *doc, eval, &p->out, err);
    ds_arena_restore(eval->scratch, mark);
    if (!ok || !ds_buf_ok(&p->out, err)) {
        return DS_NEXT_ERROR;
    }
    if (stage->pipeline->keeps_rids) { /* for the first alone */
        stage->pipeline->meta.values[DS_META_RECORD_ID] = ds__missing();
    }
    *doc = ds__document(p->out.data);
    return DS_NEXT_ROW;
}

static void project_stop(ds__stage *stage) {
    ds_buf_clear(&((project *)stage)->out);
}

static bool project_keeps_path(const ds__stage *stage, const ds__path *path) {
    const project *p = (const project *)stage;
    if (p->opaque) {
        return false;
    }
    if (p->inclusion) {
        if (path->count > 0 && strcmp(path->parts[0].name, "_id") == 0 && p->keeps_id) {
            return true;
        }
        for (size_t i = 0; i < p->touched_count; i++) {
            if (p->touched[i].count == 1 && ds__path_is_prefix(&p->touched[i], path)) {
                return true;
            }
        }
        return false;
    }
    for (size_t i = 0; i < p->touched_count; i++) {
        if (ds__paths_overlap(&p->touched[i], path)) {
            return false;
        }
    }
    return true;
}

static const ds__stage_ops project_ops = {
    .name = "$project",
    .next = project_next,
    .stop = project_stop,
    .keeps_path = project_keeps_path,
};

static const ds__stage_ops add_fields_ops = {
    .name = "$addFields",
    .next = project_next,
    .stop = project_stop,
    .keeps_path = project_keeps_path,
};

static bool is_flag(ds_value v) {
    return v.type == DS_BOOL || ds__is_number(v);
}

static bool touch(project *p, const char *name, size_t size, ds_error *err) {
    return ds__path_parse(p->stage.env->arena, name, size, &p->touched[p->touched_count++]) ||
           ds__error_oom(err);
}

/* Whether a $project excludes: some field but _id is off, or _id alone is. */
static bool excludes(ds_value arg, bool *opaque) {
    bool off = false, id_off = false, others = false;
    ds__iter it;
    ds__iter_init(&it, arg);
    while (ds__iter_next(&it)) {
        bool id = strcmp(it.key, "_id") == 0;
        bool is_off = is_flag(it.value) && !ds__value_truthy(it.value);
        off = off || (is_off && !id);
        id_off = id_off || (is_off && id);
        others = others || !id;
        *opaque = *opaque || (it.value.type == DS_DOCUMENT && it.value.size > 6 &&
                              it.value.as.bytes[5] != '$');
    }
    return off || (id_off && !others);
}

/* Learns from the specification which paths the stage leaves alone. */
static bool learn_paths(project *p, ds__projection_kind kind, ds_value arg, ds_error *err) {
    size_t count = arg.type == DS_STRING ? 1 : ds__doc_count(arg);
    p->touched = ds_arena_zalloc(p->stage.env->arena, (count + 1) * sizeof *p->touched);
    if (!p->touched) {
        return ds__error_oom(err);
    }
    if (arg.type == DS_STRING) {
        return touch(p, ds__text(arg), arg.size, err);
    }
    p->inclusion = kind == DS_PROJECT_STAGE && !excludes(arg, &p->opaque);
    p->stage.is_inclusion = p->inclusion;
    p->keeps_id = true;
    ds__iter it;
    ds__iter_init(&it, arg);
    while (ds__iter_next(&it)) {
        bool on = is_flag(it.value) && ds__value_truthy(it.value);
        if (p->inclusion && !on) {
            p->keeps_id = p->keeps_id && strcmp(it.key, "_id") != 0;
            continue; /* computed or off: not among what an inclusion keeps */
        }
        if (kind == DS_PROJECT_UNSET ? !touch(p, ds__text(it.value), it.value.size, err)
                                     : !touch(p, it.key, it.key_size, err)) {
            return false;
        }
    }
    return true;
}

static bool add_project(ds__stage_parser *parser, ds__projection_kind kind, ds_value arg,
                        ds_error *err) {
    const ds__stage_ops *ops = kind == DS_PROJECT_ADD_FIELDS ? &add_fields_ops : &project_ops;
    project *p = ds__stage_add(parser, sizeof *p, ops, err);
    if (!p) {
        return false;
    }
    p->out.meter = parser->env->meter;
    return ds__projection_compile(parser->env, parser->scope, kind, arg, NULL, &p->projection,
                                  err) &&
           learn_paths(p, kind, arg, err);
}

bool ds__stage_parse_project(ds__stage_parser *p, ds_value arg, ds_error *err) {
    if (arg.type != DS_DOCUMENT) {
        return ds__error_set(err, 15969, "$project specification must be an object");
    }
    return add_project(p, DS_PROJECT_STAGE, arg, err);
}

bool ds__stage_parse_add_fields(ds__stage_parser *p, ds_value arg, ds_error *err) {
    if (arg.type != DS_DOCUMENT) {
        return ds__error_set(err, 40272, "$addFields specification stage must be an object, got %s",
                             ds__type_name(arg.type));
    }
    return add_project(p, DS_PROJECT_ADD_FIELDS, arg, err);
}

bool ds__stage_parse_unset(ds__stage_parser *p, ds_value arg, ds_error *err) {
    if (arg.type != DS_STRING && arg.type != DS_ARRAY) {
        return ds__error_set(err, 31002, "$unset specification must be a string or an array");
    }
    if (arg.type == DS_ARRAY) {
        ds__iter it;
        ds__iter_init(&it, arg);
        if (ds__doc_empty(arg)) {
            return ds__error_set(err, 31119,
                                 "$unset specification must be a string or an array with at least "
                                 "one field");
        }
        while (ds__iter_next(&it)) {
            if (it.value.type != DS_STRING) {
                return ds__error_set(err, 31120,
                                     "$unset specification must be a string or an array containing "
                                     "only string values");
            }
        }
    }
    return add_project(p, DS_PROJECT_UNSET, arg, err);
}

typedef struct replace {
    ds__stage stage;
    /* borrowed */
    ds__expr *expr;
    /* owned while running */
    ds_buf out;
} replace;

static ds_next replace_next(ds__stage *stage, ds_value *doc, ds_error *err) {
    replace *r = (replace *)stage;
    ds_next next = ds__stage_pull(stage, doc, err);
    if (next != DS_NEXT_ROW) {
        return next;
    }
    ds_arena_mark mark = ds_arena_save(stage->eval->scratch);
    ds_value v = ds__missing();
    bool ok = ds__stage_eval(stage, r->expr, *doc, &v, err);
    if (ok && v.type != DS_DOCUMENT) {
        char value[DS_MAX_QUOTED];
        char input[DS_MAX_QUOTED];
        ok = ds__error_set(err, 40228,
                           "'newRoot' expression must evaluate to an object, but resulting value "
                           "was: %s. Type of resulting value: '%s'. Input document: %s",
                           v.type == DS_MISSING ? "MISSING"
                                                : ds__value_quote(v, value, sizeof value),
                           ds__type_name(v.type), ds__value_quote(*doc, input, sizeof input));
    }
    if (ok) {
        ds_buf_reset(&r->out);
        ds_buf_add(&r->out, v.as.bytes, v.size);
        ok = ds_buf_ok(&r->out, err);
    }
    ds_arena_restore(stage->eval->scratch, mark);
    if (!ok) {
        return DS_NEXT_ERROR;
    }
    *doc = ds__document(r->out.data);
    return DS_NEXT_ROW;
}

static void replace_stop(ds__stage *stage) {
    ds_buf_clear(&((replace *)stage)->out);
}

static const ds__stage_ops replace_ops = {
    .name = "$replaceRoot",
    .next = replace_next,
    .stop = replace_stop,
};

bool ds__stage_parse_replace_with(ds__stage_parser *p, ds_value arg, ds_error *err) {
    replace *r = ds__stage_add(p, sizeof *r, &replace_ops, err);
    if (!r) {
        return false;
    }
    r->out.meter = p->env->meter;
    return ds__expr_compile(p->env, p->scope, arg, &r->expr, err);
}

bool ds__stage_parse_replace_root(ds__stage_parser *p, ds_value arg, ds_error *err) {
    if (arg.type != DS_DOCUMENT) {
        return ds__error_set(err, 40229,
                             "expected an object as specification for $replaceRoot stage, got %s",
                             ds__type_name(arg.type));
    }
    ds__iter it;
    ds__iter_init(&it, arg);
    ds_value root = ds__missing();
    while (ds__iter_next(&it)) {
        if (strcmp(it.key, "newRoot") != 0) {
            return ds__error_set(err, 40415, "BSON field '$replaceRoot.%s' is an unknown field.",
                                 it.key);
        }
        root = it.value;
    }
    if (root.type == DS_MISSING) {
        return ds__error_set(err, 40414,
                             "BSON field '$replaceRoot.newRoot' is missing but a required field");
    }
    return ds__stage_parse_replace_with(p, root, err);
}
