/* SPDX-License-Identifier: Apache-2.0 */
/* Operators that add to arrays: $push with $each, $position, $slice and $sort; $addToSet. */
#include <stdlib.h>

#include "base/limits.h"
#include "base/system.h"
#include "lang/update/internal.h"

enum { SEARCH_STEPS = 8 }; /* of the meter, for one look-up */

typedef struct add_spec {
    ds_value *items;
    size_t count;
    int64_t position;
    int64_t slice;
    bool has_position;
    bool has_slice;
    bool sort_whole; /* $sort: 1 or -1 */
    bool descending; /* of sort_whole */
    ds__path *paths; /* $sort: {a: 1, …} */
    bool *path_descending;
    size_t path_count;
} add_spec;

/* -- parsing -- */

static bool one_item(ds_arena *arena, add_spec *spec, ds_value v, ds_error *err) {
    spec->items = ds_arena_alloc(arena, sizeof *spec->items);
    if (!spec->items) {
        return ds__error_oom(err);
    }
    spec->items[0] = v;
    spec->count = 1;
    return true;
}

static bool take_integer(ds_value v, int64_t *out) {
    return ds__is_number(v) && ds__value_exact_int64(v, out);
}

static bool parse_sort_path(ds_arena *arena, add_spec *spec, const ds__iter *it, ds_error *err) {
    int64_t direction;
    ds__path *path = &spec->paths[spec->path_count];
    if (!take_integer(it->value, &direction) || (direction != 1 && direction != -1)) {
        return ds__error_set(err, DS_BAD_VALUE, "The sort element value must be either 1 or -1");
    }
    if (it->key_size == 0) {
        return ds__error_set(err, DS_BAD_VALUE, "The sort field cannot be empty");
    }
    if (!ds__path_parse(arena, it->key, it->key_size, path)) {
        return ds__error_oom(err);
    }
    for (uint32_t i = 0; i < path->count; i++) {
        if (path->parts[i].size == 0) {
            return ds__error_set(err, DS_BAD_VALUE,
                                 "The sort field is a dotted field but has an empty part: %s",
                                 it->key);
        }
    }
    spec->path_descending[spec->path_count++] = direction < 0;
    return true;
}

static bool parse_sort(ds_arena *arena, add_spec *spec, ds_value v, ds_error *err) {
    if (ds__is_number(v)) {
        int64_t direction;
        if (!take_integer(v, &direction) || (direction != 1 && direction != -1)) {
            return ds__error_set(err, DS_BAD_VALUE,
                                 "The $sort element value must be either 1 or -1");
        }
        spec->sort_whole = true;
        spec->descending = direction < 0;
        return true;
    }
    if (v.type != DS_DOCUMENT) {
        return ds__error_set(err, DS_BAD_VALUE,
                             "The $sort is invalid: use 1/-1 to sort the whole element, or "
                             "{field:1/-1} to sort embedded fields");
    }
    size_t count = ds__doc_count(v);
    if (count == 0) {
        return ds__error_set(err, DS_BAD_VALUE,
                             "The sort pattern is empty when it should be a set of fields.");
    }
    spec->paths = ds_arena_alloc(arena, count * sizeof *spec->paths);
    spec->path_descending = ds_arena_alloc(arena, count * sizeof *spec->path_descending);
    if (!spec->paths || !spec->path_descending) {
        return ds__error_oom(err);
    }
    ds__iter it;
    ds__iter_init(&it, v);
    while (ds__iter_next(&it)) {
        if (!parse_sort_path(arena, spec, &it, err)) {
            return false;
        }
    }
    return true;
}

static bool parse_clause(ds_arena *arena, add_spec *spec, const ds__iter *it, ds_error *err) {
    if (strcmp(it->key, "$each") == 0) {
        return true;
    }
    if (strcmp(it->key, "$slice") == 0) {
        spec->has_slice = true;
        return take_integer(it->value, &spec->slice) ||
               ds__error_set(err, DS_BAD_VALUE,
                             "The value for $slice must be an integer value but was given type: %s",
                             ds__type_name(it->value.type));
    }
    if (strcmp(it->key, "$position") == 0) {
        spec->has_position = true;
        return take_integer(it->value, &spec->position) ||
               ds__error_set(err, DS_BAD_VALUE,
                             "The value for $position must be an integer value, not of type: %s",
                             ds__type_name(it->value.type));
    }
    if (strcmp(it->key, "$sort") == 0) {
        return parse_sort(arena, spec, it->value, err);
    }
    return ds__error_set(err, DS_BAD_VALUE, "Unrecognized clause in $push: %s", it->key);
}

static bool push_parse(ds__update_parser *p, ds__update_node *leaf, ds_error *err) {
    ds_arena *arena = p->env->arena;
    add_spec *spec = ds_arena_zalloc(arena, sizeof *spec);
    ds_value each = ds__missing();
    ds__iter it;
    if (!spec) {
        return ds__error_oom(err);
    }
    leaf->detail = spec;
    if (leaf->arg.type == DS_DOCUMENT) {
        each = ds__doc_field(leaf->arg, "$each");
    }
    if (each.type == DS_MISSING) {
        return one_item(arena, spec, leaf->arg, err);
    }
    if (each.type != DS_ARRAY) {
        return ds__error_set(
            err, DS_BAD_VALUE,
            "The argument to $each in $push must be an array but it was of type: %s",
            ds__type_name(each.type));
    }
    ds__iter_init(&it, leaf->arg);
    while (ds__iter_next(&it)) {
        if (!parse_clause(arena, spec, &it, err)) {
            return false;
        }
    }
    spec->items = ds__update_items(arena, each, 0, &spec->count);
    return spec->items || ds__error_oom(err);
}

/* -- $push -- */

/* The value a sort path names in an element; null when there is none. */
static ds_value sort_value(ds_value element, const ds__path *path) {
    ds_value v = element;
    if (v.type != DS_DOCUMENT) {
        return ds__null();
    }
    for (uint32_t i = 0; i < path->count; i++) {
        const ds__path_part *part = &path->parts[i];
        if (v.type == DS_DOCUMENT) {
            ds__doc_get(v, part->name, part->size, &v);
        } else if (v.type == DS_ARRAY && part->index >= 0) {
            v = ds__array_at(v, (size_t)part->index);
        } else {
            v = ds__missing();
        }
    }
    return v.type == DS_MISSING ? ds__null() : v;
}

typedef struct sort_item {
    ds_value value;
    size_t place;
} sort_item;

typedef struct item_sort {
    const add_spec *spec;
    const ds__env *env;
    ds_error *err;
    bool stopped; /* all items stay as they are from then on, and the sort is soon over */
} item_sort;

static int compare_items(const void *pa, const void *pb, void *ctx) {
    const sort_item *a = pa, *b = pb;
    item_sort *sort = ctx;
    const add_spec *spec = sort->spec;
    const ds__collator *collator = sort->env->collator;
    int c = 0;
    sort->stopped = sort->stopped || !ds__env_step(sort->env, 1, sort->err);
    if (sort->stopped) {
        return 0;
    }
    if (spec->sort_whole) {
        c = ds__value_compare(a->value, b->value, collator);
        c = spec->descending ? -c : c;
    }
    for (size_t i = 0; c == 0 && i < spec->path_count; i++) {
        c = ds__value_compare(sort_value(a->value, &spec->paths[i]),
                              sort_value(b->value, &spec->paths[i]), collator);
        c = spec->path_descending[i] ? -c : c;
    }
    return c ? c : (a->place > b->place) - (a->place < b->place);
}

static bool sort_items(const add_spec *spec, ds__update_run *run, ds_value *items, size_t count,
                       ds_error *err) {
    sort_item *list = ds_arena_alloc(run->arena, (count + 1) * sizeof *list);
    if (!list) {
        return ds__error_oom(err);
    }
    for (size_t i = 0; i < count; i++) {
        list[i] = (sort_item){items[i], i};
    }
    item_sort sort = {.spec = spec, .env = run->eval->env, .err = err};
    ds__sort(list, count, sizeof *list, compare_items, &sort);
    if (sort.stopped) {
        return false;
    }
    for (size_t i = 0; i < count; i++) {
        items[i] = list[i].value;
    }
    return true;
}

static size_t insert_place(const add_spec *spec, size_t count) {
    if (!spec->has_position || spec->position >= (int64_t)count) {
        return count;
    }
    if (spec->position >= 0) {
        return (size_t)spec->position;
    }
    int64_t from_end = spec->position + (int64_t)count;
    return from_end < 0 ? 0 : (size_t)from_end;
}

static bool push_apply(const ds__update_node *leaf, ds__update_run *run, const ds__update_frame *at,
                       ds_value old, ds__change *change, ds_error *err) {
    const add_spec *spec = leaf->detail;
    bool sorted = spec->sort_whole || spec->path_count;
    size_t count;
    if (old.type != DS_MISSING && old.type != DS_ARRAY) {
        char id[DS_MAX_QUOTED + 16];
        char text[DS_UPDATE_PATH_TEXT];
        return ds__error_set(err, DS_BAD_VALUE,
                             "The field '%s' must be an array but is of type %s in document {%s}",
                             ds__update_path_text(at, text), ds__type_name(old.type),
                             ds__update_id_text(run, id, sizeof id));
    }
    if (old.type == DS_ARRAY && !sorted && !spec->has_slice && !spec->has_position) {
        change->kind = spec->count ? DS_CHANGE_APPEND : DS_CHANGE_KEEP;
        change->value = old;
        change->items = spec->items;
        change->item_count = spec->count;
        return true;
    }
    ds_value *items = ds__update_items(run->arena, old, spec->count, &count);
    if (!items) {
        return ds__error_oom(err);
    }
    size_t place = insert_place(spec, count);
    memmove(items + place + spec->count, items + place, (count - place) * sizeof *items);
    if (spec->count) {
        memcpy(items + place, spec->items, spec->count * sizeof *items);
    }
    count += spec->count;
    if (sorted && !sort_items(spec, run, items, count, err)) {
        return false;
    }
    bool sliced = true;
    if (spec->has_slice && spec->slice >= 0 && (uint64_t)spec->slice < count) {
        count = (size_t)spec->slice;
    } else if (spec->has_slice && spec->slice < 0 && spec->slice > -(int64_t)count) {
        items += count - (size_t)-spec->slice;
        count = (size_t)-spec->slice;
    } else {
        sliced = false;
    }
    if (old.type == DS_MISSING || spec->count || (sorted && count) || sliced) {
        ds__change_list(change, items, count);
    }
    return true;
}

/* -- $addToSet -- */

static bool add_to_set_parse(ds__update_parser *p, ds__update_node *leaf, ds_error *err) {
    ds_arena *arena = p->env->arena;
    add_spec *spec = ds_arena_zalloc(arena, sizeof *spec);
    ds__iter it;
    if (!spec) {
        return ds__error_oom(err);
    }
    leaf->detail = spec;
    if (leaf->arg.type == DS_DOCUMENT) {
        ds__iter_init(&it, leaf->arg);
        if (ds__iter_next(&it) && strcmp(it.key, "$each") == 0) {
            char quoted[DS_MAX_QUOTED + 8];
            if (it.value.type != DS_ARRAY) {
                return ds__error_set(
                    err, DS_TYPE_MISMATCH,
                    "The argument to $each in $addToSet must be an array but it was of type %s",
                    ds__type_name(it.value.type));
            }
            if (ds__doc_count(leaf->arg) > 1) {
                return ds__error_set(err, DS_BAD_VALUE,
                                     "Found unexpected fields after $each in $addToSet: %s",
                                     ds__value_quote(leaf->arg, quoted, sizeof quoted));
            }
            spec->items = ds__update_items(arena, it.value, 0, &spec->count);
            return spec->items || ds__error_oom(err);
        }
    }
    return one_item(arena, spec, leaf->arg, err);
}

static int compare_new(const void *pa, const void *pb, void *ctx) {
    const sort_item *a = pa, *b = pb;
    item_sort *sort = ctx;
    const ds__collator *collator = sort->env->collator;
    sort->stopped = sort->stopped || !ds__env_step(sort->env, 1, sort->err);
    if (sort->stopped) {
        return 0;
    }
    int c = ds__value_compare(a->value, b->value, collator);
    return c ? c : (a->place > b->place) - (a->place < b->place);
}

/* Forgets the new values that an existing element equals; the list is in canonical order. */
static void strike(const sort_item *list, size_t count, ds_value existing,
                   const ds__collator *collator, bool *struck) {
    size_t low = 0, high = count;
    while (low < high) {
        size_t mid = low + (high - low) / 2;
        int c = ds__value_compare(list[mid].value, existing, collator);
        if (c == 0) {
            struck[list[mid].place] = true;
            return;
        }
        if (c < 0) {
            low = mid + 1;
        } else {
            high = mid;
        }
    }
}

static bool add_to_set_apply(const ds__update_node *leaf, ds__update_run *run,
                             const ds__update_frame *at, ds_value old, ds__change *change,
                             ds_error *err) {
    const add_spec *spec = leaf->detail;
    if (old.type != DS_MISSING && old.type != DS_ARRAY) {
        return ds__error_set(err, DS_BAD_VALUE,
                             "Cannot apply $addToSet to non-array field. Field named '%.*s' has "
                             "non-array type %s",
                             (int)at->name_size, at->name, ds__type_name(old.type));
    }
    sort_item *list = ds_arena_alloc(run->arena, (spec->count + 1) * sizeof *list);
    bool *struck = ds_arena_zalloc(run->arena, spec->count + 1);
    ds_value *items = ds_arena_alloc(run->arena, (spec->count + 1) * sizeof *items);
    if (!list || !struck || !items) {
        return ds__error_oom(err);
    }
    for (size_t i = 0; i < spec->count; i++) {
        list[i] = (sort_item){spec->items[i], i};
    }
    const ds__env *env = run->eval->env;
    item_sort sort = {.spec = spec, .env = env, .err = err};
    ds__sort(list, spec->count, sizeof *list, compare_new, &sort);
    if (sort.stopped) {
        return false;
    }
    size_t unique = 0;
    for (size_t i = 0; i < spec->count; i++) {
        if (unique && ds__value_equal(list[unique - 1].value, list[i].value, env->collator)) {
            struck[list[i].place] = true;
        } else {
            list[unique++] = list[i];
        }
    }
    if (old.type == DS_ARRAY) {
        ds__iter it;
        ds__iter_init(&it, old);
        while (ds__iter_next(&it)) {
            if (!ds__env_step(env, SEARCH_STEPS, err)) {
                return false;
            }
            strike(list, unique, it.value, env->collator, struck);
        }
    }
    size_t count = 0;
    for (size_t i = 0; i < spec->count; i++) {
        if (!struck[i]) {
            items[count++] = spec->items[i];
        }
    }
    if (old.type == DS_MISSING) {
        ds__change_list(change, items, count);
    } else if (count) {
        change->kind = DS_CHANGE_APPEND;
        change->value = old;
        change->items = items;
        change->item_count = count;
    }
    return true;
}

const ds__update_op ds__update_ops_array_add[] = {
    {.name = "$addToSet", .parse = add_to_set_parse, .apply = add_to_set_apply, .creates = true},
    {.name = "$push", .parse = push_parse, .apply = push_apply, .creates = true},
    {.name = NULL}};
