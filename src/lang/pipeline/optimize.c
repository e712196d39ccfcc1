/* SPDX-License-Identifier: Apache-2.0 */
/* Rewrites a chain of stages without changing what it gives: filters early and together, limits
 * into sorts; and hands the engine the part it can do better. */
#include "lang/pipeline/sub.h"

bool ds__paths_overlap(const ds__path *a, const ds__path *b) {
    return ds__path_is_prefix(a, b) || ds__path_is_prefix(b, a);
}

/* Calls `add` for each path a filter reads, NULL when it may read all. */
static void add_filter_paths(const ds__filter *filter, ds__add_path_fn add, void *ctx) {
    switch (filter->op) {
    case DS_FILTER_AND:
    case DS_FILTER_OR:
    case DS_FILTER_NOR:
        for (size_t i = 0; i < filter->child_count; i++) {
            add_filter_paths(filter->children[i], add, ctx);
        }
        return;
    case DS_FILTER_EXPR:
        if (filter->expr) {
            ds__expr_dependencies(filter->expr, add, ctx);
        } else {
            add(ctx, NULL);
        }
        return;
    case DS_FILTER_JSON_SCHEMA:
    case DS_FILTER_OTHER:
        add(ctx, NULL);
        return;
    case DS_FILTER_TRUE:
    case DS_FILTER_FALSE:
        return;
    case DS_FILTER_NOT:
        if (filter->path.count == 0 && filter->child_count > 0) {
            add_filter_paths(filter->children[0], add, ctx);
            return;
        }
        break;
    case DS_FILTER_EQ:
    case DS_FILTER_LT:
    case DS_FILTER_LTE:
    case DS_FILTER_GT:
    case DS_FILTER_GTE:
    case DS_FILTER_IN:
    case DS_FILTER_EXISTS:
    case DS_FILTER_TYPE:
    case DS_FILTER_SIZE:
    case DS_FILTER_MOD:
    case DS_FILTER_REGEX:
    case DS_FILTER_ALL:
    case DS_FILTER_ELEM_MATCH_OBJECT:
    case DS_FILTER_ELEM_MATCH_VALUE:
    case DS_FILTER_BITS:
        break;
    }
    add(ctx, filter->path.count ? &filter->path : NULL);
}

void ds__stage_unlink(ds__stage *stage) {
    ds__pipeline *p = stage->pipeline;
    stage->prev->following = stage->following;
    if (stage->following) {
        stage->following->prev = stage->prev;
    } else {
        p->last = stage->prev;
    }
    p->count--;
}

/* a, b become b, a. */
static void swap(ds__stage *a, ds__stage *b) {
    a->prev->following = b;
    b->prev = a->prev;
    a->following = b->following;
    if (b->following) {
        b->following->prev = a;
    } else {
        a->pipeline->last = a;
    }
    b->following = a;
    a->prev = b;
}

static bool is(const ds__stage *stage, ds__stage_kind kind) {
    return stage && stage->ops->kind == kind;
}

static ds_value argument(const ds__stage *stage) {
    ds__iter it;
    ds__iter_init(&it, stage->spec);
    return ds__iter_next(&it) ? it.value : ds__missing();
}

typedef struct pass_check {
    const ds__stage *over;
    bool ok;
} pass_check;

static void check_path(void *ctx, const ds__path *path) {
    pass_check *check = ctx;
    check->ok = check->ok && path && check->over->ops->keeps_path(check->over, path);
}

static bool may_pass(const ds__stage *over, const ds__filter *filter) {
    if (!over->ops->keeps_path) {
        return false;
    }
    pass_check check = {.over = over, .ok = true};
    add_filter_paths(filter, check_path, &check);
    return check.ok;
}

/* b's filter joins a's: {$and: [a, b]}. */
static bool merge_matches(ds__stage *a, ds__stage *b, ds_error *err) {
    ds_buf buf = {0};
    size_t root = ds__doc_begin(&buf);
    size_t match = ds__write_doc(&buf, "$match", 6, DS_DOCUMENT);
    size_t list = ds__write_doc(&buf, "$and", 4, DS_ARRAY);
    ds__write_index(&buf, 0, argument(a));
    ds__write_index(&buf, 1, argument(b));
    ds__doc_end(&buf, list);
    ds__doc_end(&buf, match);
    ds__doc_end(&buf, root);
    ds_value spec = ds__missing();
    bool ok = ds_buf_ok(&buf, err);
    if (ok && !ds__buf_to_value(a->env->arena, &buf, DS_DOCUMENT, &spec)) {
        ok = ds__error_oom(err);
    }
    ds_buf_clear(&buf);
    ds__filter_options options = {.scope = a->pipeline->scope};
    if (ok) {
        a->spec = spec;
        ok = ds__filter_compile(a->env, argument(a), &options, &a->filter, err);
    }
    if (ok) {
        ds__stage_unlink(b);
    }
    return ok;
}

/* One rewrite of `a` and what follows it; *changed tells. */
static bool rewrite(ds__stage *a, bool *changed, ds_error *err) {
    ds__stage *b = a->following;
    int64_t sum;
    *changed = true;
    if (is(b, DS_STAGE_MATCH)) {
        if (is(a, DS_STAGE_MATCH)) {
            return merge_matches(a, b, err);
        }
        if (may_pass(a, b->filter)) {
            swap(a, b);
            return true;
        }
    } else if (is(a, DS_STAGE_SORT) && a->amount == 0 && is(b, DS_STAGE_SORT)) {
        ds__stage_unlink(a); /* the order is the last one's */
        return true;
    } else if (is(a, DS_STAGE_LIMIT) && is(b, DS_STAGE_LIMIT)) {
        a->amount = a->amount < b->amount ? a->amount : b->amount;
        ds__stage_unlink(b);
        return true;
    } else if (is(a, DS_STAGE_SKIP) && is(b, DS_STAGE_SKIP)) {
        if (!__builtin_add_overflow(a->amount, b->amount, &sum)) {
            a->amount = sum;
            ds__stage_unlink(b);
            return true;
        }
    } else if (is(a, DS_STAGE_SKIP) && is(b, DS_STAGE_LIMIT)) {
        if (!__builtin_add_overflow(a->amount, b->amount, &sum)) {
            b->amount = sum;
            swap(a, b);
            return true;
        }
    } else if (is(a, DS_STAGE_SORT) && is(b, DS_STAGE_LIMIT)) {
        if (a->amount == 0 || b->amount < a->amount) {
            a->amount = b->amount;
        }
        ds__stage_unlink(b);
        return true;
    }
    *changed = false;
    return true;
}

bool ds__pipeline_optimize(ds__pipeline *pipeline, ds_error *err) {
    ds__stage *s = pipeline->head.following;
    while (s && s->following) {
        ds__stage *before = s->prev;
        bool changed;
        if (!rewrite(s, &changed, err)) {
            return false;
        }
        if (!changed) {
            s = s->following;
        } else { /* what moved may now fit what stands before it */
            s = before == &pipeline->head ? pipeline->head.following : before;
        }
    }
    return true;
}

bool ds__pipeline_take_head(ds__pipeline *pipeline, ds__env *env, bool take_sort,
                            ds__pipeline_head *out, ds_error *err) {
    *out = (ds__pipeline_head){.filter_spec = ds__missing(), .sort = ds__missing()};
    ds__stage *s = pipeline->head.following;
    if (is(s, DS_STAGE_MATCH)) {
        out->filter = s->filter;
        out->filter_spec = argument(s);
        ds__stage_unlink(s);
        s = s->following;
    }
    int64_t limit = 0;
    if (is(s, DS_STAGE_SORT)) {
        if (!take_sort) {
            return true;
        }
        out->sort = argument(s);
        limit = s->amount;
        ds__stage_unlink(s);
        s = s->following;
    }
    if (is(s, DS_STAGE_LIMIT)) {
        limit = limit == 0 || s->amount < limit ? s->amount : limit;
        ds__stage_unlink(s);
        s = s->following;
    }
    if (is(s, DS_STAGE_SKIP) && (limit == 0 || s->amount < limit)) {
        out->skip = s->amount;
        limit = limit == 0 ? 0 : limit - s->amount;
        ds__stage_unlink(s);
    }
    out->limit = limit;
    pipeline->took_more = out->sort.type == DS_DOCUMENT || out->skip > 0 || limit > 0;
    return true;
}

bool ds__pipeline_take_match(ds__pipeline *pipeline, ds__pipeline_head *out) {
    ds__stage *s = pipeline->head.following;
    *out = (ds__pipeline_head){.filter_spec = ds__missing(), .sort = ds__missing()};
    if (!is(s, DS_STAGE_MATCH)) {
        return false;
    }
    out->filter = s->filter;
    out->filter_spec = argument(s);
    ds__stage_unlink(s);
    return true;
}
