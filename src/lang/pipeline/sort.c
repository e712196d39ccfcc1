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
    ds_value at;    /* when done: the value */
    uint32_t depth; /* parts of the path behind it */
    bool done;
    bool whole; /* an array named by position: at the path's end it counts as it stands */
} walk;

typedef struct key_maker {
    const ds__sort_pattern *pattern;
    const ds__collator *collator;
    ds_buf *key; /* the caller's; the least key so far begins at `start` */
    size_t start;
    ds_value *values; /* of that key, or NULL: not asked for */
    bool any;
} key_maker;

/* Walks through documents from `w->at`: to the path's end, to where there is nothing, or to an
 * array, which is then `*array`. */
static void walk_documents(const ds__path *path, walk *w, ds_value *array) {
    array->type = DS_MISSING;
    while (w->depth < path->count) {
        const ds__path_part *part = &path->parts[w->depth];
        if (w->at.type != DS_DOCUMENT || !ds__doc_get(w->at, part->name, part->size, &w->at)) {
            w->at = ds__missing();
            break;
        }
        w->depth++;
        if (w->at.type == DS_ARRAY) {
            *array = w->at;
            return;
        }
    }
    w->done = true;
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

/* Walks by the position that the path names in the array which is being expanded, if it has that.
 * The element the expansion stands at must have no field of that name. */
static bool walk_position(const ds__path *path, walk *w, ds_value around, ds_value *array,
                          bool *walked, ds_error *err) {
    const ds__path_part *part = &path->parts[w->depth];
    ds_value own;
    *walked = false;
    if (around.type != DS_ARRAY || part->index < 0) {
        return true;
    }
    const ds_value element = ds__array_at(around, (size_t)part->index);
    if (element.type == DS_MISSING) {
        return true;
    }
    if (w->at.type == DS_DOCUMENT && ds__doc_get(w->at, part->name, part->size, &own)) {
        return ds__error_set(err, 16746,
                             "Ambiguous field name found in array (do not use numeric field names "
                             "in embedded elements in an array), field: '%s' for array: %s",
                             part->name, path->text);
    }
    *walked = true;
    w->at = element;
    w->depth++;
    if (element.type == DS_ARRAY) {
        *array = element;
        w->whole = true;
    } else {
        walk_documents(path, w, array);
    }
    return true;
}

static bool expand(key_maker *m, walk *walks, ds_value around, int depth, ds_error *err);

/* Goes on with each element of `array` for the parts that stand at it. */
static bool expand_array(key_maker *m, const walk *walks, const bool *here, ds_value array,
                         int depth, ds_error *err) {
    walk next[MAX_PARTS];
    const size_t n = m->pattern->count;
    ds__iter it;
    ds__iter_init(&it, array);
    bool any = ds__iter_next(&it);
    const ds_value around = any ? array : ds__missing();
    ds_value entry = any ? it.value : (ds_value){.type = DS_UNDEFINED};
    do {
        for (size_t i = 0; i < n; i++) {
            next[i] = walks[i];
            if (next[i].done) {
                continue;
            }
            next[i].at = entry;
            if (here[i] && next[i].depth == m->pattern->parts[i].path.count) {
                next[i].at = next[i].whole && any ? array : entry;
                next[i].done = true;
            }
        }
        if (!expand(m, next, around, depth, err)) {
            return false;
        }
        any = any && ds__iter_next(&it);
        entry = it.value;
    } while (any);
    return true;
}

/* Walks all parts as far as they go, then expands the array they stand at, if any: as the keys of
 * an index come about. */
static bool expand(key_maker *m, walk *walks, ds_value around, int depth, ds_error *err) {
    bool here[MAX_PARTS] = {false};
    ds_value array = ds__missing();
    if (depth > DS_MAX_DEPTH) {
        return ds__error_set(err, DS_OVERFLOW, "sort key: nesting exceeds %d", DS_MAX_DEPTH);
    }
    for (size_t i = 0; i < m->pattern->count; i++) {
        const ds__path *path = &m->pattern->parts[i].path;
        ds_value met = ds__missing();
        bool walked = false;
        if (walks[i].done) {
            continue;
        }
        if (!walk_position(path, &walks[i], around, &met, &walked, err)) {
            return false;
        }
        if (!walked) {
            walks[i].whole = false;
            walk_documents(path, &walks[i], &met);
        }
        here[i] = met.type == DS_ARRAY;
        if (here[i] && array.type == DS_MISSING) {
            array = met;
        } else if (here[i] && array.as.bytes != met.as.bytes) {
            return ds__error_set(err, DS_BAD_VALUE,
                                 "cannot sort with keys that are parallel arrays");
        }
    }
    if (array.type == DS_MISSING) {
        emit(m, walks);
        return true;
    }
    return expand_array(m, walks, here, array, depth + 1, err);
}

/* Where a part begins to walk: at the document, or at what is beside it, which is no array. */
static walk start_of(const ds__sort_pattern *pattern, const ds__sort_part *part, ds_value doc) {
    if (!part->by_meta) {
        return (walk){.at = doc};
    }
    return (walk){.at = pattern->beside ? pattern->beside->values[part->meta] : ds__missing(),
                  .done = true};
}

static bool make_key(key_maker *m, ds_value doc, ds_error *err) {
    walk walks[MAX_PARTS];
    for (size_t i = 0; i < m->pattern->count; i++) {
        walks[i] = start_of(m->pattern, &m->pattern->parts[i], doc);
    }
    return expand(m, walks, ds__missing(), 0, err);
}

bool ds__sort_key(const ds__sort_pattern *pattern, ds_value doc, const ds__collator *collator,
                  ds_buf *key, ds_error *err) {
    size_t start = key->size;
    bool simple = true;
    for (size_t i = 0; i < pattern->count; i++) {
        walk w = start_of(pattern, &pattern->parts[i], doc);
        ds_value array = ds__missing();
        if (!w.done) {
            walk_documents(&pattern->parts[i].path, &w, &array);
        }
        if (array.type == DS_ARRAY) {
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
