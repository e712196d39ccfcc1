/* SPDX-License-Identifier: Apache-2.0 */
/* Operators on fields: $set, $unset, $setOnInsert, $rename, $currentDate. */
#include "base/clock.h"
#include "base/limits.h"
#include "lang/update/internal.h"

static bool set_apply(const ds__update_node *leaf, ds__update_run *run, const ds__update_frame *at,
                      ds_value old, ds__change *change, ds_error *err) {
    if (!ds__update_same(old, leaf->arg)) {
        ds__change_set(change, leaf->arg);
    }
    return true;
}

static bool set_on_insert_idle(const ds__update_node *leaf, ds__update_run *run, bool *idle,
                               ds_error *err) {
    *idle = !run->insert;
    return true;
}

/* An element of an array becomes null, so that the others keep their positions. */
static bool unset_apply(const ds__update_node *leaf, ds__update_run *run,
                        const ds__update_frame *at, ds_value old, ds__change *change,
                        ds_error *err) {
    if (at->in_array) {
        ds__change_set(change, ds__null());
    } else {
        change->kind = DS_CHANGE_REMOVE;
    }
    return true;
}

/* -- $rename: the leaf stands at the destination; its detail is the path of the source -- */

static bool same_path_parts(const ds__path *a, const ds__path *b) {
    return a->size == b->size && memcmp(a->text, b->text, a->size) == 0;
}

static const ds__path_part *dynamic_part(const ds__path *path) {
    for (uint32_t i = 0; i < path->count; i++) {
        if (ds__update_part_kind(&path->parts[i]) != DS_PART_NAME) {
            return &path->parts[i];
        }
    }
    return NULL;
}

/* leaf->detail holds the source's path already. */
static bool rename_parse(ds__update_parser *p, ds__update_node *leaf, ds_error *err) {
    const ds__path *from = leaf->detail;
    const ds__path *to = leaf->path;
    if (memchr(leaf->arg.as.bytes, 0, leaf->arg.size)) {
        return ds__error_set(err, DS_BAD_VALUE,
                             "The 'to' field for $rename cannot contain an embedded null byte");
    }
    if (same_path_parts(from, to)) {
        return ds__error_set(err, DS_BAD_VALUE,
                             "The source and target field for $rename must differ: %s: \"%s\"",
                             from->text, to->text);
    }
    if (ds__path_is_prefix(from, to) || ds__path_is_prefix(to, from)) {
        return ds__error_set(
            err, DS_BAD_VALUE,
            "The source and target field for $rename must not be on the same path: %s: \"%s\"",
            from->text, to->text);
    }
    if (dynamic_part(from)) {
        return ds__error_set(err, DS_BAD_VALUE,
                             "The source field for $rename may not be dynamic: %s", from->text);
    }
    if (dynamic_part(to)) {
        return ds__error_set(err, DS_BAD_VALUE,
                             "The destination field for $rename may not be dynamic: %s", to->text);
    }
    return true;
}

static bool array_on_path(const ds__update_run *run, const char *side, const char *path,
                          const char *name, size_t name_size, ds_error *err) {
    char id[DS_MAX_QUOTED + 16];
    return ds__error_set(
        err, DS_BAD_VALUE,
        "The %s field cannot be an array element, '%s' in doc with %s has an array "
        "field called '%.*s'",
        side, path, ds__update_id_text(run, id, sizeof id), (int)name_size, name);
}

static bool source_blocked(const ds__path *from, uint32_t above, ds_value v, ds_error *err) {
    char quoted[DS_MAX_QUOTED + 8];
    const char *name = from->parts[above].name;
    return ds__error_set(err, DS_PATH_NOT_VIABLE,
                         "cannot use the part (%s of %s) to traverse the element ({%s: %s})", name,
                         from->text, name, ds__value_quote(v, quoted, sizeof quoted));
}

/* The source's value; missing when there is none. */
static bool rename_source(const ds__update_node *leaf, ds__update_run *run, ds_value *out,
                          ds_error *err) {
    const ds__path *from = leaf->detail;
    const ds__path_part *array = NULL;
    ds_value v = run->root;
    for (uint32_t i = 0; i < from->count; i++) {
        const ds__path_part *part = &from->parts[i];
        int64_t index = ds__update_index_of(part->name, part->size);
        if (v.type == DS_ARRAY && index >= 0) {
            array = array ? array : &from->parts[i - 1];
            v = ds__array_at(v, (size_t)index);
        } else if (v.type == DS_DOCUMENT) {
            ds__doc_get(v, part->name, part->size, &v);
        } else {
            return source_blocked(from, i - 1, v, err);
        }
        if (v.type == DS_MISSING) {
            *out = v;
            return true;
        }
    }
    *out = v;
    return !array || array_on_path(run, "source", from->text, array->name, array->size, err);
}

static bool rename_idle(const ds__update_node *leaf, ds__update_run *run, bool *idle,
                        ds_error *err) {
    ds_value from;
    if (!rename_source(leaf, run, &from, err)) {
        return false;
    }
    *idle = from.type == DS_MISSING;
    if (*idle) {
        return true;
    }
    ds_value v = run->root;
    for (uint32_t i = 0; i + 1 < leaf->path->count && v.type == DS_DOCUMENT; i++) {
        const ds__path_part *part = &leaf->path->parts[i];
        if (!ds__doc_get(v, part->name, part->size, &v)) {
            break;
        }
        if (v.type == DS_ARRAY) {
            return array_on_path(run, "destination", leaf->path->text, part->name, part->size, err);
        }
    }
    return true;
}

static bool rename_apply(const ds__update_node *leaf, ds__update_run *run,
                         const ds__update_frame *at, ds_value old, ds__change *change,
                         ds_error *err) {
    ds_value from;
    if (!rename_source(leaf, run, &from, err)) {
        return false;
    }
    ds__change_set(change, from); /* an equal value counts as set: _id is refused even then */
    return true;
}

static bool rename_source_apply(const ds__update_node *leaf, ds__update_run *run,
                                const ds__update_frame *at, ds_value old, ds__change *change,
                                ds_error *err) {
    if (!at->in_array) {
        change->kind = DS_CHANGE_REMOVE;
    }
    return true;
}

const ds__update_op ds__update_op_rename_source = {
    .name = "$rename", .apply = rename_source_apply, .lenient = true};

/* -- $currentDate: detail is non-NULL for a timestamp -- */

static bool current_date_parse(ds__update_parser *p, ds__update_node *leaf, ds_error *err) {
    ds_value type = ds__missing();
    if (leaf->arg.type == DS_BOOL) {
        return true;
    }
    if (leaf->arg.type != DS_DOCUMENT) {
        return ds__error_set(err, DS_BAD_VALUE,
                             "%s is not valid type for $currentDate. Please use a boolean ('true') "
                             "or a $type expression ({$type: 'timestamp/date'}).",
                             ds__type_name(leaf->arg.type));
    }
    ds__iter it;
    ds__iter_init(&it, leaf->arg);
    while (ds__iter_next(&it)) {
        if (strcmp(it.key, "$type") != 0) {
            return ds__error_set(err, DS_BAD_VALUE, "Unrecognized $currentDate option: %s", it.key);
        }
        type = it.value;
        if (!ds__is_string(type, "date") && !ds__is_string(type, "timestamp")) {
            type = ds__missing();
            break;
        }
    }
    if (type.type == DS_MISSING) {
        return ds__error_set(err, DS_BAD_VALUE,
                             "The '$type' string field is required to be 'date' or 'timestamp': "
                             "{$currentDate: {field : {$type: 'date'}}}");
    }
    leaf->detail = ds__is_string(type, "timestamp") ? leaf : NULL;
    return true;
}

static bool current_date_apply(const ds__update_node *leaf, ds__update_run *run,
                               const ds__update_frame *at, ds_value old, ds__change *change,
                               ds_error *err) {
    int64_t now = ds__clock_now_ms();
    ds_value v = ds__date(now);
    if (leaf->detail) {
        uint64_t clock = run->eval->env->cluster_time;
        v = (ds_value){.type = DS_TIMESTAMP,
                       .as.u64 = clock ? clock : (uint64_t)(now / 1000) << 32 | 1};
    }
    ds__change_set(change, v);
    return true;
}

const ds__update_op ds__update_ops_set[] = {
    {.name = "$currentDate",
     .parse = current_date_parse,
     .apply = current_date_apply,
     .creates = true},
    {.name = "$rename",
     .parse = rename_parse,
     .apply = rename_apply,
     .idle = rename_idle,
     .creates = true},
    {.name = "$set", .apply = set_apply, .creates = true},
    {.name = "$setOnInsert", .apply = set_apply, .idle = set_on_insert_idle, .creates = true},
    {.name = "$unset", .apply = unset_apply, .lenient = true},
    {.name = NULL}};
