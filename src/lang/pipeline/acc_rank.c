/* SPDX-License-Identifier: Apache-2.0 */
/* $firstN $lastN $minN $maxN $top $topN $bottom $bottomN: the best few of what was seen. */
#include "base/mem.h"
#include "bson/key.h"
#include "lang/pipeline/accumulate.h"

typedef enum rank_order {
    RANK_FIRST,
    RANK_LAST,
    RANK_MIN,
    RANK_MAX,
    RANK_TOP,
    RANK_BOTTOM
} rank_order;

enum { RANK_SINGLE = 16 }; /* added to variant: gives one value, not an array */

typedef struct rank_item {
    ds__held held;
    uint8_t *key; /* TOP and BOTTOM: the sort key, owned */
    size_t key_size;
    size_t key_cap;
} rank_item;

/* Items best first; RANK_LAST is a ring beginning at `start`. */
typedef struct rank_state {
    rank_item *items;
    size_t count;
    size_t cap;
    size_t start;
    int64_t n;
} rank_state;

static rank_order order_of(const ds__accumulator *acc) {
    return (rank_order)(acc->def->variant & ~RANK_SINGLE);
}

static bool rank_init(const ds__accumulator *acc, void *state, ds__eval *eval, ds_value id,
                      ds_error *err) {
    static const uint8_t empty[5] = {5, 0, 0, 0, 0};
    rank_state *s = state;
    ds_value n = ds__missing();
    char text[DS_MAX_QUOTED];
    if (!acc->n) {
        s->n = 1;
        return true;
    }
    eval->slots[DS_VAR_ROOT] = id.type == DS_DOCUMENT ? id : ds__document(empty);
    if (!ds__expr_eval(acc->n, eval, &n, err)) {
        return false;
    }
    if (!ds__is_number(n)) {
        return ds__error_set(err, 5787902, "Value for 'n' must be of integral type, but found %s",
                             n.type == DS_MISSING ? "MISSING"
                                                  : ds__value_quote(n, text, sizeof text));
    }
    if (!ds__value_exact_int64(n, &s->n)) {
        return ds__error_set(err, 5787903, "Value for 'n' must be of integral type, but found %s",
                             ds__value_quote(n, text, sizeof text));
    }
    if (s->n <= 0) {
        return ds__error_set(err, 5787908, "'n' must be greater than 0, found %lld",
                             (long long)s->n);
    }
    return true;
}

static bool rank_room(ds_meter *kept, rank_state *s, size_t *bytes, ds_error *err) {
    if (s->count < s->cap) {
        return true;
    }
    size_t cap = s->cap ? s->cap * 2 : 4;
    if (cap > (uint64_t)s->n) {
        cap = (size_t)s->n;
    }
    rank_item *items =
        ds_meter_realloc(kept, s->items, s->cap * sizeof *items, cap * sizeof *items);
    if (!items) {
        return ds__error_oom(err);
    }
    memset(items + s->cap, 0, (cap - s->cap) * sizeof *items);
    *bytes += (cap - s->cap) * sizeof *items;
    s->items = items;
    s->cap = cap;
    return true;
}

static bool first_last_add(const ds__accumulator *acc, void *state, ds_value v, ds__eval *eval,
                           size_t *bytes, ds_error *err) {
    rank_state *s = state;
    bool full = s->count == (uint64_t)s->n;
    if (v.type == DS_MISSING) {
        v = ds__null();
    }
    if (full && order_of(acc) == RANK_FIRST) {
        return true;
    }
    if (full) {
        rank_item *oldest = &s->items[s->start];
        s->start = s->start + 1 == s->count ? 0 : s->start + 1;
        return ds__held_set(&oldest->held, v, bytes, err);
    }
    if (!rank_room(acc->env->kept, s, bytes, err)) {
        return false;
    }
    ds__held *held = &s->items[s->count++].held;
    held->meter = acc->env->kept;
    return ds__held_set(held, v, bytes, err);
}

/* Negative when (v, key) belongs before item. */
static int rank_compare(const ds__accumulator *acc, ds_value v, const ds_buf *key,
                        const rank_item *item) {
    int c;
    if (key) {
        size_t n = key->size < item->key_size ? key->size : item->key_size;
        c = memcmp(key->data, item->key, n);
        c = c ? c : (key->size > item->key_size) - (key->size < item->key_size);
    } else {
        c = ds__value_compare(v, item->held.value, acc->env->collator);
    }
    rank_order order = order_of(acc);
    return order == RANK_MAX || order == RANK_BOTTOM ? -c : c;
}

static bool insert(const ds__accumulator *acc, rank_state *s, ds_value v, const ds_buf *key,
                   size_t *bytes, ds_error *err) {
    bool full = s->count == (uint64_t)s->n;
    if (full && rank_compare(acc, v, key, &s->items[s->count - 1]) >= 0) {
        return true; /* of equals the first seen stays */
    }
    if (!full && !rank_room(acc->env->kept, s, bytes, err)) {
        return false;
    }
    size_t lo = 0, hi = full ? s->count - 1 : s->count;
    while (lo < hi) {
        size_t mid = (lo + hi) / 2;
        int c = rank_compare(acc, v, key, &s->items[mid]);
        if (c < 0 || (c == 0 && order_of(acc) == RANK_MAX)) { /* of equal greatest the last leads */
            hi = mid;
        } else {
            lo = mid + 1;
        }
    }
    size_t last = full ? s->count - 1 : s->count;
    rank_item item = s->items[last]; /* its memory is used again */
    if (key && item.key_cap < key->size) {
        uint8_t *grown = ds_meter_realloc(acc->env->kept, item.key, item.key_cap, key->size);
        if (!grown) {
            return ds__error_oom(err);
        }
        *bytes += key->size - item.key_cap;
        item.key = grown;
        item.key_cap = key->size;
        s->items[last] = item;
    }
    item.held.meter = acc->env->kept;
    if (!ds__held_set(&item.held, v, bytes, err)) {
        s->items[last] = item;
        return false;
    }
    if (key) {
        memcpy(item.key, key->data, key->size);
        item.key_size = key->size;
    }
    memmove(s->items + lo + 1, s->items + lo, (last - lo) * sizeof *s->items);
    s->items[lo] = item;
    s->count += !full;
    return true;
}

static bool min_max_add(const ds__accumulator *acc, void *state, ds_value v, ds__eval *eval,
                        size_t *bytes, ds_error *err) {
    return ds__is_nullish(v) || insert(acc, state, v, NULL, bytes, err);
}

static bool top_add(const ds__accumulator *acc, void *state, ds_value v, ds__eval *eval,
                    size_t *bytes, ds_error *err) {
    ds_buf key = {0};
    bool ok = true;
    for (size_t i = 0; ok && i < acc->sort.count; i++) { /* arrays count as they stand here */
        const ds__sort_part *part = &acc->sort.parts[i];
        ds_value at = ds__missing();
        ok = ds__expr_path_value(eval->slots[DS_VAR_ROOT], part->path.parts, part->path.count,
                                 eval->scratch, &at, err);
        if (at.type == DS_ARRAY && ds__doc_empty(at)) {
            at = (ds_value){.type = DS_UNDEFINED};
        }
        ds__key_add(&key, at, part->descending, acc->env->collator);
    }
    ok = ok && ds_buf_ok(&key, err) &&
         insert(acc, state, v.type == DS_MISSING ? ds__null() : v, &key, bytes, err);
    ds_buf_clear(&key);
    return ok;
}

static bool rank_result(const ds__accumulator *acc, void *state, ds_arena *scratch, ds_value *out,
                        ds_error *err) {
    const rank_state *s = state;
    rank_order order = order_of(acc);
    if (acc->def->variant & RANK_SINGLE) {
        *out = s->count ? s->items[0].held.value : ds__null();
        return true;
    }
    ds_buf buf = {.meter = acc->env->meter};
    size_t root = ds__doc_begin(&buf);
    for (size_t i = 0; i < s->count; i++) {
        size_t at = i;
        if (order == RANK_BOTTOM) {
            at = s->count - 1 - i;
        } else if (order == RANK_LAST) {
            at = (s->start + i) % s->count;
        }
        ds__write_index(&buf, i, s->items[at].held.value);
    }
    ds__doc_end(&buf, root);
    bool ok = ds_buf_ok(&buf, err);
    if (ok && !ds__buf_to_value(scratch, &buf, DS_ARRAY, out)) {
        ok = ds__error_oom(err);
    }
    ds_buf_clear(&buf);
    return ok;
}

static void rank_clear(const ds__accumulator *acc, void *state) {
    rank_state *s = state;
    for (size_t i = 0; i < s->cap; i++) {
        ds__held_clear(&s->items[i].held);
        ds_meter_free(acc->env->kept, s->items[i].key, s->items[i].key_cap);
    }
    ds_meter_free(acc->env->kept, s->items, s->cap * sizeof *s->items);
    *s = (rank_state){0};
}

static bool compile_input(ds__env *env, const ds__var_scope *scope, ds__accumulator *acc,
                          ds_value spec, ds_error *err) {
    if (!ds__expr_compile(env, scope, spec, &acc->expr, err)) {
        return false;
    }
    acc->path = ds__expr_field_path(acc->expr);
    acc->constant = ds__expr_constant(acc->expr);
    return true;
}

static bool parse_n(ds__env *env, const ds__var_scope *scope, ds__accumulator *acc, ds_value arg,
                    ds_error *err) {
    ds_value input = ds__missing(), n = ds__missing();
    char text[DS_MAX_QUOTED];
    if (arg.type != DS_DOCUMENT) {
        return ds__error_set(err, 5787801, "specification must be an object; found %s: %s",
                             acc->def->name, ds__value_quote(arg, text, sizeof text));
    }
    ds__iter it;
    for (ds__iter_init(&it, arg); ds__iter_next(&it);) {
        if (strcmp(it.key, "input") == 0) {
            input = it.value;
        } else if (strcmp(it.key, "n") == 0) {
            n = it.value;
        } else {
            return ds__error_set(err, 5787901, "Unknown argument for 'n' operator: %s", it.key);
        }
    }
    if (n.type == DS_MISSING) {
        return ds__error_set(err, 5787906, "Missing value for 'n'");
    }
    if (input.type == DS_MISSING) {
        return ds__error_set(err, 5787907, "Missing value for 'input'");
    }
    return ds__expr_compile(env, scope, n, &acc->n, err) &&
           compile_input(env, scope, acc, input, err);
}

static bool parse_top(ds__env *env, const ds__var_scope *scope, ds__accumulator *acc, ds_value arg,
                      ds_error *err) {
    ds_value output = ds__missing(), sort = ds__missing(), n = ds__missing();
    bool single = (acc->def->variant & RANK_SINGLE) != 0;
    char text[DS_MAX_QUOTED];
    if (arg.type != DS_DOCUMENT) {
        return ds__error_set(err, 5788001, "specification must be an object; found %s: %s",
                             acc->def->name, ds__value_quote(arg, text, sizeof text));
    }
    ds__iter it;
    for (ds__iter_init(&it, arg); ds__iter_next(&it);) {
        if (strcmp(it.key, "output") == 0) {
            output = it.value;
        } else if (strcmp(it.key, "sortBy") == 0) {
            sort = it.value;
            if (sort.type != DS_DOCUMENT) {
                return ds__error_set(err, 10065, "invalid parameter: expected an object (sortBy)");
            }
        } else if (strcmp(it.key, "n") == 0 && !single) {
            n = it.value;
        } else {
            return ds__error_set(err, 5788002, "Unknown argument to %s '%s'", acc->def->name,
                                 it.key);
        }
    }
    if (n.type == DS_MISSING && !single) {
        return ds__error_set(err, 5788003, "Missing value for 'n'");
    }
    if (output.type == DS_MISSING) {
        return ds__error_set(err, 5788004, "Missing value for 'output'");
    }
    if (sort.type == DS_MISSING) {
        return ds__error_set(err, 5788005, "Missing value for 'sortBy'");
    }
    if (!single && !ds__expr_compile(env, scope, n, &acc->n, err)) {
        return false;
    }
    return ds__sort_compile(env, sort, &acc->sort, err) &&
           compile_input(env, scope, acc, output, err);
}

#define RANK(op, parser, adder, which)                                                             \
    {                                                                                              \
        .name = op, .state_size = sizeof(rank_state), .parse = parser, .init = rank_init,          \
        .add = adder, .result = rank_result, .clear = rank_clear, .variant = which                 \
    }

const ds__accumulator_def ds__accumulators_rank[] = {
    RANK("$firstN", parse_n, first_last_add, RANK_FIRST),
    RANK("$lastN", parse_n, first_last_add, RANK_LAST),
    RANK("$minN", parse_n, min_max_add, RANK_MIN),
    RANK("$maxN", parse_n, min_max_add, RANK_MAX),
    RANK("$top", parse_top, top_add, RANK_TOP + RANK_SINGLE),
    RANK("$topN", parse_top, top_add, RANK_TOP),
    RANK("$bottom", parse_top, top_add, RANK_BOTTOM + RANK_SINGLE),
    RANK("$bottomN", parse_top, top_add, RANK_BOTTOM),
    {.name = NULL},
};
