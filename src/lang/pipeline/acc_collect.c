/* SPDX-License-Identifier: Apache-2.0 */
/* $push $addToSet $mergeObjects: results that grow with what they see. */
#include "base/mem.h"
#include "lang/pipeline/accumulate.h"

typedef struct collect_state {
    ds_buf items; /* an unfinished array, or the merged document */
    size_t count;
    uint64_t *hashes;  /* $addToSet: open addressing, 0 free */
    uint32_t *offsets; /* of the element in items */
    size_t cap;
} collect_state;

static bool too_large(const ds__accumulator *acc, ds_error *err) {
    return ds__error_set(err, DS_EXCEEDED_MEMORY_LIMIT,
                         "%s used too much memory and cannot spill to disk. Memory limit: %d bytes",
                         acc->def->name, DS_MAX_GROUP_BYTES);
}

static bool append(const ds__accumulator *acc, collect_state *s, ds_value v, size_t *bytes,
                   ds_error *err) {
    size_t cap = s->items.cap;
    if (s->count == 0) {
        s->items.meter = acc->env->kept;
        ds__doc_begin(&s->items);
    }
    ds__write_index(&s->items, s->count++, v);
    *bytes += s->items.cap - cap;
    if (s->items.size > DS_MAX_GROUP_BYTES) {
        return too_large(acc, err);
    }
    return ds_buf_ok(&s->items, err);
}

static bool push_add(const ds__accumulator *acc, void *state, ds_value v, ds__eval *eval,
                     size_t *bytes, ds_error *err) {
    return v.type == DS_MISSING || append(acc, state, v, bytes, err);
}

/* The element whose bytes begin at `offset`. */
static ds_value element_at(const collect_state *s, uint32_t offset) {
    const uint8_t *p = s->items.data + offset;
    ds_value v;
    ds__value_read(p[0], p + 1 + strlen((const char *)p + 1) + 1, &v);
    return v;
}

static bool set_grow(ds_meter *kept, collect_state *s, size_t *bytes, ds_error *err) {
    size_t cap = s->cap ? s->cap * 2 : 16;
    uint64_t *hashes = ds_meter_alloc(kept, cap * sizeof *hashes);
    uint32_t *offsets = hashes ? ds_meter_alloc(kept, cap * sizeof *offsets) : NULL;
    if (!offsets) {
        ds_meter_free(kept, hashes, cap * sizeof *hashes);
        return ds__error_oom(err);
    }
    for (size_t i = 0; i < s->cap; i++) {
        if (s->hashes[i]) {
            size_t at = s->hashes[i] & (cap - 1);
            while (hashes[at]) {
                at = (at + 1) & (cap - 1);
            }
            hashes[at] = s->hashes[i];
            offsets[at] = s->offsets[i];
        }
    }
    *bytes += (cap - s->cap) * (sizeof *hashes + sizeof *offsets);
    ds_meter_free(kept, s->hashes, s->cap * sizeof *hashes);
    ds_meter_free(kept, s->offsets, s->cap * sizeof *offsets);
    s->hashes = hashes;
    s->offsets = offsets;
    s->cap = cap;
    return true;
}

static bool set_add(const ds__accumulator *acc, void *state, ds_value v, ds__eval *eval,
                    size_t *bytes, ds_error *err) {
    collect_state *s = state;
    if (v.type == DS_MISSING) {
        return true;
    }
    if (s->count * 2 >= s->cap && !set_grow(acc->env->kept, s, bytes, err)) {
        return false;
    }
    uint64_t hash = ds__value_hash(v, acc->env->collator, 0) | 1;
    size_t at = hash & (s->cap - 1);
    for (; s->hashes[at]; at = (at + 1) & (s->cap - 1)) {
        if (s->hashes[at] == hash &&
            ds__value_equal(v, element_at(s, s->offsets[at]), acc->env->collator)) {
            return true;
        }
    }
    s->hashes[at] = hash;
    s->offsets[at] = s->count ? (uint32_t)s->items.size : 4;
    return append(acc, s, v, bytes, err);
}

static bool array_result(const ds__accumulator *acc, void *state, ds_arena *scratch, ds_value *out,
                         ds_error *err) {
    collect_state *s = state;
    if (s->count == 0) {
        static const uint8_t empty[5] = {5, 0, 0, 0, 0};
        *out = ds__array(empty);
        return true;
    }
    size_t size = s->items.size;
    ds__doc_end(&s->items, 0);
    if (!ds_buf_ok(&s->items, err)) {
        return false;
    }
    *out = ds__array(s->items.data);
    s->items.size = size; /* more may be pushed (windows) */
    return true;
}

static bool merge_add(const ds__accumulator *acc, void *state, ds_value v, ds__eval *eval,
                      size_t *bytes, ds_error *err) {
    collect_state *s = state;
    if (ds__is_nullish(v)) {
        return true;
    }
    if (v.type != DS_DOCUMENT) {
        char text[DS_MAX_QUOTED];
        return ds__error_set(err, acc->pushed ? 5911200 : 40400,
                             "$mergeObjects requires object inputs, but input %s is of type %s",
                             ds__value_quote(v, text, sizeof text), ds__type_name(v.type));
    }
    size_t cap = s->items.cap;
    if (s->items.size == 0) {
        s->items.meter = acc->env->kept;
        ds_buf_add(&s->items, v.as.bytes, v.size);
    } else {
        ds_buf merged = {.meter = acc->env->kept};
        size_t root = ds__doc_begin(&merged);
        ds_value old = ds__document(s->items.data);
        ds__iter it;
        for (ds__iter_init(&it, old); ds__iter_next(&it);) {
            ds_value now;
            if (!ds__env_step_bytes(acc->env, v.size, err)) {
                ds_buf_clear(&merged);
                return false;
            }
            if (ds__doc_get(v, it.key, it.key_size, &now)) {
                ds__write_value(&merged, it.key, it.key_size, now);
            } else {
                ds_buf_add(&merged, it.element, it.element_size);
            }
        }
        for (ds__iter_init(&it, v); ds__iter_next(&it);) {
            ds_value was;
            if (!ds__env_step_bytes(acc->env, old.size, err)) {
                ds_buf_clear(&merged);
                return false;
            }
            if (!ds__doc_get(old, it.key, it.key_size, &was)) {
                ds_buf_add(&merged, it.element, it.element_size);
            }
        }
        ds__doc_end(&merged, root);
        ds_buf_clear(&s->items);
        s->items = merged;
    }
    *bytes += s->items.cap > cap ? s->items.cap - cap : 0;
    return ds_buf_ok(&s->items, err);
}

static bool merge_result(const ds__accumulator *acc, void *state, ds_arena *scratch, ds_value *out,
                         ds_error *err) {
    static const uint8_t empty[5] = {5, 0, 0, 0, 0};
    const collect_state *s = state;
    *out = ds__document(s->items.size ? s->items.data : empty);
    return true;
}

static void collect_clear(const ds__accumulator *acc, void *state) {
    collect_state *s = state;
    ds_buf_clear(&s->items);
    ds_meter_free(acc->env->kept, s->hashes, s->cap * sizeof *s->hashes);
    ds_meter_free(acc->env->kept, s->offsets, s->cap * sizeof *s->offsets);
    *s = (collect_state){0};
}

#define COLLECT(op, adder, resulter)                                                               \
    {                                                                                              \
        .name = op, .state_size = sizeof(collect_state), .add = adder, .result = resulter,         \
        .clear = collect_clear                                                                     \
    }

const ds__accumulator_def ds__accumulators_collect[] = {
    COLLECT("$push", push_add, array_result),
    COLLECT("$addToSet", set_add, array_result),
    COLLECT("$mergeObjects", merge_add, merge_result),
    {.name = NULL},
};
