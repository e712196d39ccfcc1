/* SPDX-License-Identifier: Apache-2.0 */
/* $match, and $redact, which also lets documents through or not. */
#include "lang/pipeline/stages.h"

static ds_next match_next(ds__stage *stage, ds_value *doc, ds_error *err) {
    ds__eval *eval = stage->eval;
    for (;;) {
        ds_next next = ds__stage_pull(stage, doc, err);
        if (next != DS_NEXT_ROW) {
            return next;
        }
        ds_arena_mark mark = ds_arena_save(eval->scratch);
        bool matched = false;
        eval->slots[DS_VAR_ROOT] = *doc;
        bool ok = ds__filter_match(stage->filter, *doc, eval, &matched, NULL, err);
        ds_arena_restore(eval->scratch, mark);
        if (!ok) {
            return DS_NEXT_ERROR;
        }
        if (matched) {
            return DS_NEXT_ROW;
        }
    }
}

static const ds__stage_ops match_ops = {
    .name = "$match",
    .next = match_next,
    .kind = DS_STAGE_MATCH,
};

/* Filters are asked before anything is beside a document. */
static bool check_meta(uint32_t wanted, ds_error *err) {
    for (int i = 0; i < DS_META_COUNT; i++) {
        if ((wanted & DS_META_BIT(i)) && !ds__meta_defs[i].in_match) {
            return ds__meta_refuse((ds__meta_kind)i, err);
        }
    }
    return true;
}

bool ds__stage_parse_match(ds__stage_parser *p, ds_value arg, ds_error *err) {
    const uint32_t before = p->env->wanted_meta;
    if (arg.type != DS_DOCUMENT) {
        return ds__error_set(err, 15959, "the match filter must be an expression in an object");
    }
    ds__stage *stage = ds__stage_add(p, sizeof *stage, &match_ops, err);
    ds__filter_options options = {.scope = p->scope};
    p->env->wanted_meta = 0;
    bool ok = stage && ds__filter_compile(p->env, arg, &options, &stage->filter, err) &&
              check_meta(p->env->wanted_meta, err);
    p->env->wanted_meta |= before;
    return ok;
}

typedef struct redact {
    ds__stage stage;
    /* borrowed */
    ds__expr *expr;
    /* owned while running */
    ds_buf out;
    /* plain */
    uint32_t keep;
    uint32_t prune;
    uint32_t descend;
    uint32_t current;
} redact;

typedef enum redact_verdict { REDACT_KEEP, REDACT_PRUNE, REDACT_DESCEND } redact_verdict;

static bool redact_value(redact *r, const char *key, size_t key_size, ds_value v, int depth,
                         ds_error *err);

static bool redact_judge(redact *r, ds_value doc, redact_verdict *verdict, ds_error *err) {
    ds_value v;
    ds_arena_mark mark = ds_arena_save(r->stage.eval->scratch);
    r->stage.eval->slots[r->current] = doc;
    bool ok = ds__expr_eval(r->expr, r->stage.eval, &v, err);
    if (ok && ds__is_string(v, "keep")) {
        *verdict = REDACT_KEEP;
    } else if (ok && ds__is_string(v, "prune")) {
        *verdict = REDACT_PRUNE;
    } else if (ok && ds__is_string(v, "descend")) {
        *verdict = REDACT_DESCEND;
    } else if (ok) {
        ok = ds__error_set(err, 17053,
                           "$redact's expression should not return anything aside from the "
                           "variables $$KEEP, $$DESCEND, and $$PRUNE");
    }
    ds_arena_restore(r->stage.eval->scratch, mark);
    return ok;
}

static bool redact_members(redact *r, ds_value doc, int depth, ds_error *err) {
    bool array = doc.type == DS_ARRAY;
    size_t index = 0;
    ds__iter it;
    ds__iter_init(&it, doc);
    while (ds__iter_next(&it)) {
        char name[12];
        size_t size = it.key_size;
        const char *key = it.key;
        if (array) {
            size = ds__index_text(index, name);
            key = name;
        }
        size_t before = r->out.size;
        if (!redact_value(r, key, size, it.value, depth + 1, err)) {
            return false;
        }
        index += r->out.size > before;
    }
    return true;
}

/* Writes what is left of a field. */
static bool redact_value(redact *r, const char *key, size_t key_size, ds_value v, int depth,
                         ds_error *err) {
    redact_verdict verdict = REDACT_DESCEND;
    if (v.type != DS_DOCUMENT && v.type != DS_ARRAY) {
        ds__write_value(&r->out, key, key_size, v);
        return true;
    }
    if (v.type == DS_DOCUMENT && !redact_judge(r, v, &verdict, err)) {
        return false;
    }
    if (verdict == REDACT_PRUNE) {
        return true;
    }
    if (verdict == REDACT_KEEP) {
        ds__write_value(&r->out, key, key_size, v);
        return true;
    }
    size_t sub = ds__write_doc(&r->out, key, key_size, v.type);
    bool ok = redact_members(r, v, depth, err);
    ds__doc_end(&r->out, sub);
    return ok;
}

static ds_next redact_next(ds__stage *stage, ds_value *doc, ds_error *err) {
    redact *r = (redact *)stage;
    for (;;) {
        ds_next next = ds__stage_pull(stage, doc, err);
        if (next != DS_NEXT_ROW) {
            return next;
        }
        redact_verdict verdict;
        stage->eval->slots[DS_VAR_ROOT] = *doc;
        stage->eval->slots[r->keep] = ds__cstring("keep");
        stage->eval->slots[r->prune] = ds__cstring("prune");
        stage->eval->slots[r->descend] = ds__cstring("descend");
        if (!redact_judge(r, *doc, &verdict, err)) {
            return DS_NEXT_ERROR;
        }
        if (verdict == REDACT_KEEP) {
            return DS_NEXT_ROW;
        }
        if (verdict == REDACT_PRUNE) {
            continue;
        }
        ds_buf_reset(&r->out);
        size_t root = ds__doc_begin(&r->out);
        if (!redact_members(r, *doc, 0, err)) {
            return DS_NEXT_ERROR;
        }
        ds__doc_end(&r->out, root);
        if (!ds_buf_ok(&r->out, err)) {
            return DS_NEXT_ERROR;
        }
        *doc = ds__document(r->out.data);
        return DS_NEXT_ROW;
    }
}

static void redact_stop(ds__stage *stage) {
    ds_buf_clear(&((redact *)stage)->out);
}

static const ds__stage_ops redact_ops = {
    .name = "$redact",
    .next = redact_next,
    .stop = redact_stop,
};

bool ds__stage_parse_redact(ds__stage_parser *p, ds_value arg, ds_error *err) {
    redact *r = ds__stage_add(p, sizeof *r, &redact_ops, err);
    if (!r) {
        return false;
    }
    r->out.meter = p->env->meter;
    const ds__var_scope *scope = ds__scope_add(p->env, p->scope, "KEEP", 4, &r->keep);
    scope = scope ? ds__scope_add(p->env, scope, "PRUNE", 5, &r->prune) : NULL;
    scope = scope ? ds__scope_add(p->env, scope, "DESCEND", 7, &r->descend) : NULL;
    scope = scope ? ds__scope_add(p->env, scope, "CURRENT", 7, &r->current) : NULL;
    if (!scope) {
        return ds__error_oom(err);
    }
    return ds__expr_compile(p->env, scope, arg, &r->expr, err);
}
