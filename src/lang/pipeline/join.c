/* SPDX-License-Identifier: Apache-2.0 */
/* The hash table of a join. It finds at least the documents that match; the filter decides. */
#include "lang/pipeline/join.h"

#include <stdlib.h>

#include "base/mem.h"

struct ds__join_slot {
    uint64_t hash; /* 0: free */
    uint32_t offset;
};

static void leaf(ds_value v, bool whole, ds_buf *out, size_t *count) {
    if (v.type != DS_ARRAY) {
        ds__write_index(out, (*count)++, v);
        return;
    }
    ds__iter it;
    for (ds__iter_init(&it, v); ds__iter_next(&it);) {
        ds__write_index(out, (*count)++, it.value);
    }
    if (whole) {
        ds__write_index(out, (*count)++, v);
    }
}

void ds__path_values(ds_value v, const ds__path *path, uint32_t depth, bool whole, bool nulls,
                     ds_buf *out, size_t *count) {
    for (; depth < path->count && v.type == DS_DOCUMENT; depth++) {
        ds_value sub;
        ds__doc_get(v, path->parts[depth].name, path->parts[depth].size, &sub);
        v = sub;
    }
    if (depth == path->count && v.type != DS_MISSING) {
        leaf(v, whole, out, count);
        return;
    }
    if (v.type != DS_ARRAY) {
        if (nulls) {
            ds__write_index(out, (*count)++, ds__null());
        }
        return;
    }
    if (path->parts[depth].index >= 0) {
        ds_value at = ds__array_at(v, (size_t)path->parts[depth].index);
        if (at.type != DS_MISSING) {
            ds__path_values(at, path, depth + 1, whole, nulls, out, count);
        }
    }
    size_t before = *count;
    ds__iter it;
    for (ds__iter_init(&it, v); ds__iter_next(&it);) {
        if (it.value.type == DS_DOCUMENT) {
            ds__path_values(it.value, path, depth, whole, nulls, out, count);
        }
    }
    if (nulls && *count == before) {
        ds__write_index(out, (*count)++, ds__null());
    }
}

static bool insert(ds__join *join, uint64_t hash, uint32_t offset, ds_error *err) {
    if ((join->slot_count + 1) * 2 > join->slot_cap) {
        size_t cap = join->slot_cap ? join->slot_cap * 2 : 1024;
        ds_meter *kept = join->docs.bytes.meter;
        ds__join_slot *slots = ds_meter_alloc(kept, cap * sizeof *slots);
        if (!slots) {
            return ds__error_oom(err);
        }
        for (size_t i = 0; i < join->slot_cap; i++) {
            if (join->slots[i].hash) {
                size_t at = join->slots[i].hash & (cap - 1);
                while (slots[at].hash) {
                    at = (at + 1) & (cap - 1);
                }
                slots[at] = join->slots[i];
            }
        }
        ds_meter_free(kept, join->slots, join->slot_cap * sizeof *slots);
        join->slots = slots;
        join->slot_cap = cap;
    }
    size_t at = hash & (join->slot_cap - 1);
    while (join->slots[at].hash) {
        if (join->slots[at].hash == hash && join->slots[at].offset == offset) {
            return true;
        }
        at = (at + 1) & (join->slot_cap - 1);
    }
    join->slots[at] = (ds__join_slot){.hash = hash, .offset = offset};
    join->slot_count++;
    return true;
}

/* Undefined counts as null, as it does for filters. */
static uint64_t hash_of(ds_value v, const ds__collator *collator) {
    if (v.type == DS_UNDEFINED) {
        v = ds__null();
    }
    return ds__value_hash(v, collator, 0) | 1;
}

static bool index_document(ds__join *join, ds_value doc, uint32_t offset, const ds__path *path,
                           const ds__collator *collator, ds_buf *values, ds_error *err) {
    size_t count = 0;
    ds_buf_reset(values);
    size_t root = ds__doc_begin(values);
    ds__path_values(doc, path, 0, true, true, values, &count);
    ds__doc_end(values, root);
    if (!ds_buf_ok(values, err)) {
        return false;
    }
    ds__iter it;
    for (ds__iter_init(&it, ds__array(values->data)); ds__iter_next(&it);) {
        if (!insert(join, hash_of(it.value, collator), offset, err)) {
            return false;
        }
    }
    return true;
}

bool ds__join_load(ds__join *join, ds__source *source, const ds__path *path, ds__stage *stage,
                   bool *full, ds_error *err) {
    ds_buf values = {0};
    bool ok = true;
    *full = false;
    for (;;) {
        ds_value doc;
        ds_next next = source->next(source, &doc, err);
        if (next != DS_NEXT_ROW || !ds__stage_tick(stage, err)) {
            ok = next == DS_NEXT_END;
            break;
        }
        const size_t held = join->docs.bytes.size + join->slot_cap * sizeof *join->slots;
        if (held + doc.size > DS_MAX_GROUP_BYTES || ds__env_is_pressed(stage->env, held)) {
            *full = true;
            break;
        }
        uint32_t offset = (uint32_t)join->docs.bytes.size;
        ok = ds__doc_list_add(&join->docs, doc, stage->ops->name, err) &&
             index_document(join, doc, offset, path, stage->env->collator, &values, err);
        if (!ok) {
            break;
        }
    }
    ds_buf_clear(&values);
    if (!ok || *full) {
        ds__join_clear(join);
    }
    return ok;
}

static int by_offset(const void *a, const void *b) {
    uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;
    return (x > y) - (x < y);
}

static int by_hash(const void *a, const void *b) {
    uint64_t x = *(const uint64_t *)a;
    uint64_t y = *(const uint64_t *)b;
    return (x > y) - (x < y);
}

/* The hashes of the values, each once: equal values would find the same documents again. */
static bool hash_values(ds__join *join, ds_value values, const ds__collator *collator,
                        ds_error *err) {
    ds__iter it;
    join->hash_count = 0;
    for (ds__iter_init(&it, values); ds__iter_next(&it);) {
        if (join->hash_count == join->hash_cap) {
            size_t cap = join->hash_cap ? join->hash_cap * 2 : 16;
            uint64_t *grown = ds_meter_realloc(join->docs.bytes.meter, join->hashes,
                                               join->hash_cap * sizeof *grown, cap * sizeof *grown);
            if (!grown) {
                return ds__error_oom(err);
            }
            join->hashes = grown;
            join->hash_cap = cap;
        }
        join->hashes[join->hash_count++] = hash_of(it.value, collator);
    }
    if (join->hash_count > 1) {
        qsort(join->hashes, join->hash_count, sizeof *join->hashes, by_hash);
        size_t n = 1;
        for (size_t i = 1; i < join->hash_count; i++) {
            if (join->hashes[i] != join->hashes[n - 1]) {
                join->hashes[n++] = join->hashes[i];
            }
        }
        join->hash_count = n;
    }
    return true;
}

bool ds__join_find(ds__join *join, ds_value values, const ds__collator *collator, ds_error *err) {
    join->found_count = 0;
    if (!hash_values(join, values, collator, err)) {
        return false;
    }
    for (size_t h = 0; h < join->hash_count; h++) {
        uint64_t hash = join->hashes[h];
        size_t at = hash & (join->slot_cap ? join->slot_cap - 1 : 0);
        for (; join->slot_cap && join->slots[at].hash; at = (at + 1) & (join->slot_cap - 1)) {
            if (join->slots[at].hash != hash) {
                continue;
            }
            if (join->found_count == join->found_cap) {
                size_t cap = join->found_cap ? join->found_cap * 2 : 16;
                uint32_t *found =
                    ds_meter_realloc(join->docs.bytes.meter, join->found,
                                     join->found_cap * sizeof *found, cap * sizeof *found);
                if (!found) {
                    return ds__error_oom(err);
                }
                join->found = found;
                join->found_cap = cap;
            }
            join->found[join->found_count++] = join->slots[at].offset;
        }
        if (!ds_meter_step(join->docs.bytes.meter, 1, err)) {
            return false;
        }
    }
    if (join->found_count > 1) {
        qsort(join->found, join->found_count, sizeof *join->found, by_offset);
        size_t n = 1;
        for (size_t i = 1; i < join->found_count; i++) {
            if (join->found[i] != join->found[n - 1]) {
                join->found[n++] = join->found[i];
            }
        }
        join->found_count = n;
    }
    return true;
}

void ds__join_clear(ds__join *join) {
    ds_meter *kept = join->docs.bytes.meter;
    ds_buf_clear(&join->docs.bytes);
    ds_meter_free(kept, join->slots, join->slot_cap * sizeof *join->slots);
    ds_meter_free(kept, join->found, join->found_cap * sizeof *join->found);
    ds_meter_free(kept, join->hashes, join->hash_cap * sizeof *join->hashes);
    *join = (ds__join){.docs.bytes.meter = kept};
}
