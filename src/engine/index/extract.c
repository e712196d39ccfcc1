/* SPDX-License-Identifier: Apache-2.0 */
/* Extracts index keys with MongoDB's rules: the first array met on the way is expanded, all parts
 * of a compound index must meet the same one, an empty array counts as undefined, and a number in a
 * path names an element when the array has it. */
#include "base/limits.h"
#include "base/mem.h"
#include "base/system.h"
#include "bson/key.h"
#include "engine/index/extract.h"

enum {
    MAX_KEY_BYTES = DS_MAX_GROUP_BYTES, /* of one document in one index */
    ELEMENT_STEPS = 8                   /* of the meter, for an element of an array */
};

/* How far one part of the pattern has come. */
typedef struct part_state {
    ds_value value; /* when done */
    uint32_t at;    /* component of the path to look up next */
    bool done;
    bool whole; /* an array found by position: indexed as it is */
} part_state;

typedef struct extraction {
    /* borrowed */
    const ds__index *index;
    ds__index_keys *out;
    ds_meter *meter;       /* may be NULL */
    const uint8_t *wanted; /* key whose values are asked for; NULL when extracting */
    ds_buf *values;
    /* plain */
    size_t wanted_size;
    bool found;
} extraction;

/* The array a step ran into, for element by position lookups. */
typedef struct array_view {
    ds_value array;
    bool valid;
} array_view;

static bool grow_keys(ds__index_keys *keys) {
    size_t cap = keys->cap ? keys->cap * 2 : 8;
    ds__index_key *grown = ds__realloc(keys->keys, cap * sizeof *grown);
    if (grown) {
        keys->keys = grown;
        keys->cap = cap;
    }
    return grown != NULL;
}

/* Ends a key whose bytes the caller has appended to `out->bytes` from `at` on: the buffer grows up
 * to the most that one document may take. Errors: ExceededMemoryLimit, time. */
static bool end_key(ds__index_keys *out, size_t at, const ds__index *index, ds_meter *meter,
                    ds_error *err) {
    const size_t size = out->bytes.size - at;
    if (out->bytes.failed) {
        return ds__error_set(err, DS_EXCEEDED_MEMORY_LIMIT,
                             "the keys of one document take more than %d bytes in the index %s",
                             MAX_KEY_BYTES, index->name);
    }
    if (out->count == out->cap && !grow_keys(out)) {
        return ds__error_oom(err);
    }
    out->keys[out->count++] = (ds__index_key){at, size};
    return ds_meter_step(meter, (int64_t)(size / DS_METER_STEP_BYTES), err);
}

static bool write_wanted(extraction *x, const part_state *parts, ds_error *err) {
    ds__iter it;
    ds__iter_init(&it, x->index->key_pattern);
    size_t root = ds__doc_begin(x->values);
    for (size_t i = 0; i < x->index->part_count && ds__iter_next(&it); i++) {
        ds_value v = parts[i].value.type == DS_MISSING ? ds__null() : parts[i].value;
        const ds__index_kind *kind = x->index->parts[i].kind;
        if (kind->value && !kind->value(parts[i].value, &v, err)) {
            return false;
        }
        ds__write_value(x->values, it.key, it.key_size, v);
    }
    ds__doc_end(x->values, root);
    x->found = true;
    return ds_buf_ok(x->values, err);
}

static bool emit(extraction *x, const part_state *parts, ds_error *err) {
    const ds__index *index = x->index;
    ds__index_keys *out = x->out;
    size_t missing = 0;
    for (size_t i = 0; i < index->part_count; i++) {
        missing += parts[i].value.type == DS_MISSING;
    }
    if (index->sparse && missing == index->part_count) {
        return true;
    }
    size_t at = out->bytes.size;
    for (size_t i = 0; i < index->part_count; i++) {
        ds_value v = parts[i].value;
        const ds__index_kind *kind = index->parts[i].kind;
        if (kind->value && !kind->value(v, &v, err)) {
            return false;
        }
        out->seen[i] |= kind->ordered ? ds__seen_of(v) : 0;
        ds__key_add(&out->bytes, v, index->parts[i].descending, NULL);
    }
    if (!end_key(out, at, index, x->meter, err)) {
        return false;
    }
    if (x->wanted && !x->found && out->bytes.size - at == x->wanted_size &&
        memcmp(out->bytes.data + at, x->wanted, x->wanted_size) == 0) {
        return write_wanted(x, parts, err);
    }
    return true;
}

/* Follows a part's path from `from`: to its end, to where there is nothing, or to an array. */
static void follow(const ds__index_part *part, part_state *state, ds_value from, ds_value *array) {
    array->type = DS_MISSING;
    ds_value v = from;
    while (state->at < part->path.count) {
        const ds__path_part *p = &part->path.parts[state->at];
        if (v.type != DS_DOCUMENT || !ds__doc_get(v, p->name, p->size, &v)) {
            state->value = ds__missing();
            state->done = true;
            return;
        }
        state->at++;
        if (v.type == DS_ARRAY) {
            *array = v;
            return;
        }
    }
    state->value = v;
    state->done = true;
}

/* Steps a part whose array holds an element at the position its path names; `entry` is the element
 * the expansion stands on, whose own field of that name would be ambiguous. */
static bool follow_position(const ds__index_part *part, part_state *state, ds_value array,
                            ds_value entry, ds_value *next, bool *used, ds_error *err) {
    *used = false;
    next->type = DS_MISSING;
    const ds__path_part *p = &part->path.parts[state->at];
    if (p->index < 0) {
        return true;
    }
    ds_value element = ds__array_at(array, (size_t)p->index);
    if (element.type == DS_MISSING) {
        return true;
    }
    ds_value own;
    if (entry.type == DS_DOCUMENT && ds__doc_get(entry, p->name, p->size, &own)) {
        return ds__error_set(err, 16746,
                             "Ambiguous field name found in array (do not use numeric field names "
                             "in embedded elements in an array), field: '%s' for array: %s",
                             p->name, part->path.text);
    }
    *used = true;
    state->at++;
    if (element.type == DS_ARRAY) {
        *next = element;
        state->whole = true;
    } else {
        follow(part, state, element, next);
    }
    return true;
}

static bool parallel(const ds__index *index, size_t a, size_t b, const part_state *parts,
                     ds_error *err) {
    const ds__path *pa = &index->parts[a].path;
    const ds__path *pb = &index->parts[b].path;
    return ds__error_set(err, DS_CANNOT_INDEX_PARALLEL_ARRAYS,
                         "cannot index parallel arrays [%s] [%s]", pb->parts[parts[b].at - 1].name,
                         pa->parts[parts[a].at - 1].name);
}

static bool expand(extraction *x, const part_state *parts, const bool *here, ds_value array,
                   int depth, ds_error *err);

/* One round: every part that is not done goes on from `from` (or, by position, in `array`). */
static bool walk(extraction *x, part_state *parts, ds_value from, array_view around, int depth,
                 ds_error *err) {
    const ds__index *index = x->index;
    ds_value array = ds__missing();
    size_t first = 0;
    bool here[DS_MAX_INDEX_FIELDS] = {false};
    if (depth > DS_MAX_DEPTH) {
        return ds__error_set(err, DS_OVERFLOW, "the document is nested too deeply to index");
    }
    for (size_t i = 0; i < index->part_count; i++) {
        ds_value met;
        bool used = false;
        if (parts[i].done) {
            continue;
        }
        if (around.valid &&
            !follow_position(&index->parts[i], &parts[i], around.array, from, &met, &used, err)) {
            return false;
        }
        if (!used) {
            parts[i].whole = false;
            follow(&index->parts[i], &parts[i], from, &met);
        }
        if (met.type != DS_ARRAY) {
            continue;
        }
        here[i] = true;
        uint32_t bit = parts[i].at - 1 < 63 ? parts[i].at - 1 : 63;
        x->out->multikey[i] |= (uint64_t)1 << bit;
        if (array.type == DS_MISSING) {
            array = met;
            first = i;
        } else if (array.as.bytes != met.as.bytes) {
            return parallel(index, first, i, parts, err);
        }
    }
    return array.type == DS_MISSING ? emit(x, parts, err)
                                    : expand(x, parts, here, array, depth, err);
}

/* Goes on with each element of an array for the parts that met it. */
static bool expand(extraction *x, const part_state *parts, const bool *here, ds_value array,
                   int depth, ds_error *err) {
    const ds__index *index = x->index;
    part_state next[DS_MAX_INDEX_FIELDS];
    ds__iter it;
    ds__iter_init(&it, array);
    bool any = ds__iter_next(&it);
    ds_value entry = any ? it.value : (ds_value){.type = DS_UNDEFINED};
    do {
        if (!ds_meter_step(x->meter, ELEMENT_STEPS, err)) {
            return false;
        }
        memcpy(next, parts, index->part_count * sizeof *next);
        for (size_t i = 0; i < index->part_count; i++) {
            if (!here[i] || next[i].done) {
                continue;
            }
            if (index->parts[i].kind->no_arrays) {
                return index->parts[i].kind->value(array, &next[i].value, err);
            }
            if (next[i].at == index->parts[i].path.count) {
                next[i].value = next[i].whole ? array : entry;
                next[i].done = true;
            }
        }
        if (!walk(x, next, entry, (array_view){array, any}, depth + 1, err)) {
            return false;
        }
        any = any && ds__iter_next(&it);
        entry = it.value;
    } while (any);
    return true;
}

static int compare_keys(const uint8_t *bytes, const ds__index_key *a, const ds__index_key *b) {
    int order = memcmp(bytes + a->at, bytes + b->at, a->size < b->size ? a->size : b->size);
    return order ? order : (a->size > b->size) - (a->size < b->size);
}

typedef struct key_sort {
    const uint8_t *bytes;
    ds_meter *meter;
    ds_error *err;
    bool stopped;
} key_sort;

/* Once stopped all keys are equal, and the sort soon over. */
static int compare_for_sort(const void *a, const void *b, void *ctx) {
    key_sort *sort = ctx;
    sort->stopped = sort->stopped || !ds_meter_step(sort->meter, 1, sort->err);
    return sort->stopped ? 0 : compare_keys(sort->bytes, a, b);
}

static bool sort_keys(ds__index_keys *keys, ds_meter *meter, ds_error *err) {
    key_sort sort = {.bytes = keys->bytes.data, .meter = meter, .err = err};
    if (keys->count < 2) {
        return true;
    }
    ds__sort(keys->keys, keys->count, sizeof *keys->keys, compare_for_sort, &sort);
    if (sort.stopped) {
        return false;
    }
    size_t n = 1;
    for (size_t i = 1; i < keys->count; i++) {
        if (compare_keys(keys->bytes.data, &keys->keys[n - 1], &keys->keys[i]) != 0) {
            keys->keys[n++] = keys->keys[i];
        }
    }
    keys->count = n;
    return true;
}

static void begin(const ds__index *index, ds__index_keys *out) {
    out->bytes.max = MAX_KEY_BYTES;
    ds_buf_reset(&out->bytes);
    out->count = 0;
    memset(out->multikey, 0, index->part_count * sizeof out->multikey[0]);
    memset(out->seen, 0, index->part_count * sizeof out->seen[0]);
}

static bool run(extraction *x, ds_value doc, ds_error *err) {
    part_state parts[DS_MAX_INDEX_FIELDS];
    for (size_t i = 0; i < x->index->part_count; i++) {
        parts[i] = (part_state){.value = {.type = DS_MISSING}};
    }
    return walk(x, parts, doc, (array_view){.valid = false}, 0, err);
}

bool ds__extract_paths(const ds__index *index, ds_value doc, ds_meter *meter, ds__index_keys *out,
                       ds_error *err) {
    extraction x = {.index = index, .out = out, .meter = meter};
    return run(&x, doc, err);
}

bool ds__index_extract(const ds__index *index, ds_value doc, ds_meter *meter, ds__index_keys *out,
                       ds_error *err) {
    begin(index, out);
    if (!index->kind->extract(index, doc, meter, out, err) || !sort_keys(out, meter, err)) {
        out->count = 0;
        return false;
    }
    return true;
}

bool ds__index_key_values(const ds__index *index, ds_value doc, const uint8_t *key, size_t key_size,
                          ds_buf *out, ds_error *err) {
    ds__index_keys keys = {0};
    extraction x = {
        .index = index, .out = &keys, .wanted = key, .wanted_size = key_size, .values = out};
    begin(index, &keys);
    bool ok = run(&x, doc, err);
    if (ok && !x.found) {
        ok = ds__error_set(err, DS_INTERNAL_ERROR,
                           "a document lacks the index key it was said to "
                           "have");
    }
    ds__index_keys_clear(&keys);
    return ok;
}

void ds__index_keys_clear(ds__index_keys *keys) {
    ds_buf_clear(&keys->bytes);
    ds__free(keys->keys);
    *keys = (ds__index_keys){0};
}
