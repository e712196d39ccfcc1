/* SPDX-License-Identifier: Apache-2.0 */
/* Sort patterns and a document's sort key. Keys are made as an index on the pattern would make
 * them: an array gives one key per element, and the least of them in the pattern's order counts. */
#include "lang/pipeline/sort.h"

#include "base/limits.h"
#include "bson/json.h"
#include "bson/key.h"
#include "bson/writer.h"
#include "bson/number.h"

static bool parse_meta(ds__env *env, ds_value v, ds__sort_part *part, ds_error *err) {
    char text[DS_MAX_QUOTED];
    ds__iter it;
    ds__iter_init(&it, v);
    if (!ds__iter_next(&it) || strcmp(it.key, "$meta") != 0) {
        return ds__error_set(err, 17312,
                             "$meta is the only expression supported by $sort right now");
    }
    const ds_value name = it.value;
    if (ds__iter_next(&it)) {
        return ds__error_set(err, DS_FAILED_TO_PARSE,
                             "Cannot have additional keys in a $meta sort specification");
    }
    if (!ds__meta_find(name, &part->meta) || ds__meta_defs[part->meta].sort_code == 31138) {
        return ds__error_set(err, 31138, "Illegal $meta sort: $meta: %s",
                             ds__value_quote(name, text, sizeof text));
    }
    if (ds__meta_defs[part->meta].sort_code != 0) {
        return ds__error_set(err, ds__meta_defs[part->meta].sort_code,
                             "$meta sort by '%s' metadata is not supported",
                             ds__meta_defs[part->meta].name);
    }
    part->by_meta = part->descending = true;
    env->wanted_meta |= DS_META_BIT(part->meta);
    return !ds__meta_defs[part->meta].needed || ds__meta_refuse(part->meta, err);
}

static bool parse_part(ds__env *env, const ds__iter *it, ds__sort_part *part, ds_error *err) {
    if (it->value.type == DS_DOCUMENT) {
        return parse_meta(env, it->value, part, err);
    }
    if (!ds__is_number(it->value)) {
        return ds__error_set(
            err, 15974,
            "Illegal key in $sort specification: %s must be a number or a $meta document", it->key);
    }
    int64_t order = ds__number_to_int64(it->value);
    if (order != 1 && order != -1) {
        return ds__error_set(err, 15975,
                             "$sort key ordering must be 1 (for ascending) or -1 (for descending)");
    }
    part->descending = order < 0;
    if (it->key_size == 0) {
        return ds__error_set(err, 40352, "FieldPath cannot be constructed with empty string");
    }
    if (!ds__path_parse(env->arena, it->key, it->key_size, &part->path)) {
        return ds__error_oom(err);
    }
    for (uint32_t i = 0; i < part->path.count; i++) {
        const ds__path_part *name = &part->path.parts[i];
        if (name->size == 0) {
            return ds__error_set(err, i + 1 == part->path.count ? 40353 : 15998,
                                 "FieldPath field names may not be empty strings.");
        }
        if (name->name[0] == '$' && strcmp(name->name, "$id") != 0 &&
            strcmp(name->name, "$ref") != 0 && strcmp(name->name, "$db") != 0) {
            return ds__error_set(err, 16410,
                                 "FieldPath field names may not start with '$'. "
                                 "Consider using $getField or $setField.");
        }
    }
    return true;
}

bool ds__sort_compile_meta(ds__env *env, ds_value spec, ds__sort_pattern *out, ds_error *err) {
    *out = (ds__sort_pattern){0};
    if (spec.type != DS_DOCUMENT) {
        return ds__error_set(err, 15973, "the $sort key specification must be an object");
    }
    size_t count = ds__doc_count(spec);
    if (count > DS_MAX_INDEX_FIELDS * 4) {
        return ds__error_set(err, DS_BAD_VALUE, "too many fields in the sort pattern");
    }
    ds__sort_part *parts = ds_arena_zalloc(env->arena, (count ? count : 1) * sizeof *parts);
    if (!parts) {
        return ds__error_oom(err);
    }
    ds__iter it;
    ds__iter_init(&it, spec);
    for (size_t i = 0; ds__iter_next(&it); i++) {
        if (!parse_part(env, &it, &parts[i], err)) {
            return false;
        }
    }
    *out = (ds__sort_pattern){.parts = parts, .count = count};
    return true;
}

bool ds__sort_compile(ds__env *env, ds_value spec, ds__sort_pattern *out, ds_error *err) {
    if (!ds__sort_compile_meta(env, spec, out, err)) {
        return false;
    }
    for (size_t i = 0; i < out->count; i++) {
        if (out->parts[i].by_meta) {
            return ds__error_set(err, 31138, "Illegal $meta sort: $meta: \"%s\"",
                                 ds__meta_defs[out->parts[i].meta].name);
        }
    }
    return true;
}

enum { MAX_PARTS = DS_MAX_INDEX_FIELDS * 4 };

/* How far one part of the pattern has walked into the document. */
typedef struct walk {
    ds_value at;
    uint32_t depth; /* parts of the path behind it */
    bool whole;     /* an array named by position at the path's end: it counts as it stands */
} walk;

typedef struct key_maker {
    const ds__sort_pattern *pattern;
    const ds__collator *collator;
    ds_buf *key; /* the caller's; the least key so far begins at `start` */
    size_t start;
    ds_value *values; /* of that key, or NULL: not asked for */
    bool any;
} key_maker;

/* Walks through documents until an array or the end of the path. */
static void walk_documents(const ds__path *path, walk *w) {
    while (w->depth < path->count && w->at.type == DS_DOCUMENT) {
        ds_value sub;
        ds__doc_get(w->at, path->parts[w->depth].name, path->parts[w->depth].size, &sub);
        w->at = sub;
        w->depth++;
    }
    if (w->depth < path->count && w->at.type != DS_ARRAY) {
        w->at = ds__missing();
        w->depth = path->count;
    }
}

static void emit(key_maker *m, const walk *walks) {
    size_t at = m->key->size;
    for (size_t i = 0; i < m->pattern->count; i++) {
        ds__key_add(m->key, walks[i].at, m->pattern->parts[i].descending, m->collator);
    }
    if (m->key->failed) {
        return;
    }
    bool best = true;
    if (m->any) {
        size_t old_size = at - m->start;
        size_t new_size = m->key->size - at;
        size_t common = old_size < new_size ? old_size : new_size;
        int c = memcmp(m->key->data + at, m->key->data + m->start, common);
        best = c < 0 || (c == 0 && new_size < old_size);
        if (best) {
            memmove(m->key->data + m->start, m->key->data + at, new_size);
            at = m->start + new_size;
        }
        m->key->size = at;
    }
    for (size_t i = 0; best && m->values && i < m->pattern->count; i++) {
        m->values[i] = walks[i].at;
    }
    m->any = true;
}

/* The element a walk takes for position `index` of the array it stands at. */
static walk step_into(const ds__path *path, const walk *w, ds_value element) {
    walk next = {.at = element, .depth = w->depth};
    if (w->depth == path->count) {
        return next; /* an element at the end of the path: nested arrays stand for themselves */
    }
    if (element.type != DS_DOCUMENT) {
        next.at = ds__missing();
        next.depth = path->count;
    }
    return next;
}

static bool expand(key_maker *m, const walk *from, int depth, ds_error *err);

/* Each element of `array` for the parts that stand at it, the others as they are. */
static bool expand_array(key_maker *m, const walk *walks, const bool *at_array, ds_value array,
                         int depth, ds_error *err) {
    walk next[MAX_PARTS];
    size_t n = m->pattern->count;
    if (ds__doc_empty(array)) {
        for (size_t i = 0; i < n; i++) {
            next[i] = walks[i];
            if (at_array[i]) {
                bool end = walks[i].depth == m->pattern->parts[i].path.count;
                next[i].at = end ? (ds_value){.type = DS_UNDEFINED} : ds__missing();
                next[i].depth = m->pattern->parts[i].path.count;
            }
        }
        return expand(m, next, depth + 1, err);
    }
    ds__iter it;
    ds__iter_init(&it, array);
    while (ds__iter_next(&it)) {
        bool nested_end = false;
        for (size_t i = 0; i < n; i++) {
            next[i] = walks[i];
            if (at_array[i]) {
                next[i] = step_into(&m->pattern->parts[i].path, &walks[i], it.value);
                nested_end = nested_end || next[i].at.type == DS_ARRAY;
            }
        }
        if (nested_end) { /* arrays in arrays count as whole values: no further expansion */
            for (size_t i = 0; i < n; i++) {
                if (next[i].at.type == DS_ARRAY && !next[i].whole && !at_array[i]) {
                    return ds__error_set(err, DS_BAD_VALUE,
                                         "cannot sort with keys that are parallel arrays");
                }
            }
            emit(m, next);
        } else if (!expand(m, next, depth + 1, err)) {
            return false;
        }
    }
    return true;
}

/* Walks all parts as far as they go, then expands the array they stand at, if any. */
static bool expand(key_maker *m, const walk *from, int depth, ds_error *err) {
    walk walks[MAX_PARTS];
    bool at_array[MAX_PARTS];
    ds_value array = ds__missing();
    size_t n = m->pattern->count;
    if (depth > DS_MAX_DEPTH) {
        return ds__error_set(err, DS_OVERFLOW, "sort key: nesting exceeds %d", DS_MAX_DEPTH);
    }
    for (size_t i = 0; i < n; i++) {
        const ds__path *path = &m->pattern->parts[i].path;
        walks[i] = from[i];
        walk_documents(path, &walks[i]);
        /* A numeric part names a position. */
        while (walks[i].at.type == DS_ARRAY && walks[i].depth < path->count &&
               path->parts[walks[i].depth].index >= 0) {
            ds_value v = ds__array_at(walks[i].at, (size_t)path->parts[walks[i].depth].index);
            if (v.type == DS_MISSING) {
                break;
            }
            walks[i].at = v;
            walks[i].depth++;
            walks[i].whole = walks[i].depth == path->count;
            walk_documents(path, &walks[i]);
        }
        if (walks[i].whole && walks[i].at.type == DS_ARRAY && ds__doc_empty(walks[i].at)) {
            walks[i].at = (ds_value){.type = DS_UNDEFINED};
        }
        at_array[i] = walks[i].at.type == DS_ARRAY && !walks[i].whole;
        if (at_array[i] && array.type == DS_MISSING) {
            array = walks[i].at;
        } else if (at_array[i] && array.as.bytes != walks[i].at.as.bytes) {
            return ds__error_set(err, DS_BAD_VALUE,
                                 "cannot sort with keys that are parallel arrays");
        }
    }
    if (array.type == DS_MISSING) {
        emit(m, walks);
        return true;
    }
    return expand_array(m, walks, at_array, array, depth, err);
}

/* Where a part begins to walk: at the document, or at what is beside it, which is no array. */
static walk start_of(const ds__sort_pattern *pattern, const ds__sort_part *part, ds_value doc) {
    if (!part->by_meta) {
        return (walk){.at = doc};
    }
    return (walk){.at = pattern->beside ? pattern->beside->values[part->meta] : ds__missing()};
}

static bool make_key(key_maker *m, ds_value doc, ds_error *err) {
    walk walks[MAX_PARTS];
    for (size_t i = 0; i < m->pattern->count; i++) {
        walks[i] = start_of(m->pattern, &m->pattern->parts[i], doc);
    }
    return expand(m, walks, 0, err);
}

bool ds__sort_key(const ds__sort_pattern *pattern, ds_value doc, const ds__collator *collator,
                  ds_buf *key, ds_error *err) {
    size_t start = key->size;
    bool simple = true;
    for (size_t i = 0; i < pattern->count; i++) {
        walk w = start_of(pattern, &pattern->parts[i], doc);
        walk_documents(&pattern->parts[i].path, &w);
        if (w.at.type == DS_ARRAY) {
            simple = false;
            break;
        }
        ds__key_add(key, w.at, pattern->parts[i].descending, collator);
    }
    if (!simple) {
        key->size = start;
        key_maker m = {.pattern = pattern, .collator = collator, .key = key, .start = start};
        if (!make_key(&m, doc, err)) {
            return false;
        }
    }
    return ds_buf_ok(key, err);
}

bool ds__sort_values(const ds__sort_pattern *pattern, ds_value doc, const ds__collator *collator,
                     ds_arena *arena, ds_value *out, ds_error *err) {
    ds_value values[MAX_PARTS];
    ds_buf key = {.meter = arena->meter};
    ds_buf list = {.meter = arena->meter};
    key_maker m = {.pattern = pattern, .collator = collator, .key = &key, .values = values};
    bool ok = make_key(&m, doc, err) && ds_buf_ok(&key, err);
    if (ok) {
        size_t root = ds__doc_begin(&list);
        for (size_t i = 0; i < pattern->count; i++) {
            ds__write_index(&list, i, values[i].type == DS_MISSING ? ds__null() : values[i]);
        }
        ds__doc_end(&list, root);
        ok = ds__buf_to_value(arena, &list, DS_ARRAY, out) || ds__error_oom(err);
    }
    ds_buf_clear(&key);
    ds_buf_clear(&list);
    return ok;
}
