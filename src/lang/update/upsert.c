/* SPDX-License-Identifier: Apache-2.0 */
/* The document an upsert inserts: what the filter says must be equal, then the update. */
#include "base/clock.h"
#include "lang/update/internal.h"

typedef struct equality {
    const ds__path *path;
    ds_value value;
} equality;

typedef struct equalities {
    ds_arena *arena;
    equality *items;
    size_t count;
    size_t cap;
    bool id_only; /* replacements take only _id from the filter */
} equalities;

static bool is_id(const ds__path_part *part) {
    return part->size == 3 && memcmp(part->name, "_id", 3) == 0;
}

static bool add_equality(void *ctx, const ds__path *path, ds_value v, ds_error *err) {
    equalities *list = ctx;
    if (list->id_only && path->count && !is_id(&path->parts[0])) {
        return true;
    }
    if (list->id_only && path->count > 1) {
        return ds__error_set(
            err, DS_NOT_EXACT_VALUE_FIELD,
            "field at '_id' must be exactly specified, field at sub-path '%s'found", path->text);
    }
    if (path->size == 0) {
        return ds__error_set(err, DS_ILLEGAL_OPERATION, "Cannot call setValue on the root object");
    }
    if (list->count == list->cap) {
        equality *grown =
            ds_arena_grow(list->arena, list->items, list->count, &list->cap, sizeof *grown);
        if (!grown) {
            return ds__error_oom(err);
        }
        list->items = grown;
    }
    list->items[list->count++] = (equality){path, v};
    return true;
}

/* The equality of just this path text among those in order, or NULL. */
static const equality *find_equality(const equalities *list, const char *text, size_t size) {
    size_t low = 0, high = list->count;
    while (low < high) {
        size_t mid = low + (high - low) / 2;
        const ds__path *p = list->items[mid].path;
        size_t n = p->size < size ? p->size : size;
        int c = memcmp(p->text, text, n);
        c = c ? c : (p->size > size) - (p->size < size);
        if (c == 0) {
            return &list->items[mid];
        }
        if (c < 0) {
            low = mid + 1;
        } else {
            high = mid;
        }
    }
    return NULL;
}

static bool check_conflicts(const equalities *list, ds_error *err) {
    for (size_t i = 0; i < list->count; i++) {
        const ds__path *path = list->items[i].path;
        const ds__path *before = i ? list->items[i - 1].path : NULL;
        if (before && before->size == path->size &&
            memcmp(before->text, path->text, path->size) == 0) {
            return ds__error_set(err, DS_NOT_SINGLE_VALUE_FIELD,
                                 "cannot infer query fields to set, path '%s' is matched twice",
                                 path->text);
        }
        size_t size = 0;
        for (uint32_t k = 0; k + 1 < path->count; k++) {
            size += path->parts[k].size + (k ? 1 : 0);
            const equality *parent = find_equality(list, path->text, size);
            if (parent) {
                return ds__error_set(
                    err, DS_NOT_SINGLE_VALUE_FIELD,
                    "cannot infer query fields to set, both paths '%s' and '%s' are matched",
                    path->text, parent->path->text);
            }
        }
    }
    return true;
}

/* Paths with the same first parts stand together, being in order. */
static void write_equalities(ds_buf *out, const equality *items, size_t count, uint32_t depth) {
    for (size_t i = 0; i < count;) {
        const ds__path_part *part = &items[i].path->parts[depth];
        if (items[i].path->count == depth + 1) {
            ds__write_value(out, part->name, part->size, items[i++].value);
            continue;
        }
        size_t end = i;
        for (; end < count && items[end].path->count > depth + 1; end++) {
            const ds__path_part *other = &items[end].path->parts[depth];
            if (other->size != part->size || memcmp(other->name, part->name, part->size) != 0) {
                break;
            }
        }
        size_t begin = ds__write_doc(out, part->name, part->size, DS_DOCUMENT);
        write_equalities(out, items + i, end - i, depth + 1);
        ds__doc_end(out, begin);
        i = end;
    }
}

static bool filter_document(const ds__update *update, const ds__filter *filter, ds__eval *eval,
                            ds_buf *out, ds_error *err) {
    equalities list = {.arena = eval->scratch, .id_only = update->kind == DS_UPDATE_REPLACE};
    if (filter && !ds__filter_equalities(filter, add_equality, &list, err)) {
        return false;
    }
    if (!check_conflicts(&list, err)) {
        return false;
    }
    size_t begin = ds__doc_begin(out);
    write_equalities(out, list.items, list.count, 0);
    ds__doc_end(out, begin);
    return ds_buf_ok(out, err);
}

/* The update's result on the filter's document; `made` may stay empty. */
static bool run_update(const ds__update *update, ds_value base, ds__eval *eval, ds_buf *made,
                       ds_error *err) {
    ds__update_run run = {.eval = eval, .arena = eval->scratch, .root = base, .insert = true};
    bool modified;
    ds_value old_id = ds__doc_field(base, "_id");
    ds_value id = ds__missing();
    switch (update->kind) {
    case DS_UPDATE_OPERATORS:
        return ds__update_run_operators(update, &run, made, &modified, err);
    case DS_UPDATE_PIPELINE:
        if (!ds__update_run_pipeline(update, base, eval, made, err)) {
            return false;
        }
        id = ds__doc_field(ds__document(made->data), "_id");
        break;
    case DS_UPDATE_REPLACE:
        ds_buf_add(made, update->replacement.as.bytes, update->replacement.size);
        id = ds__doc_field(update->replacement, "_id");
        break;
    }
    return ds__update_check_altered(old_id, id.type == DS_MISSING ? old_id : id, err);
}

bool ds__update_upsert(const ds__update *update, const ds__filter *filter, ds__eval *eval,
                       ds_buf *out, ds_error *err) {
    ds_buf base = {0}, made = {0};
    bool ok = false;
    if (!filter_document(update, filter, eval, &base, err) ||
        !run_update(update, ds__document(base.data), eval, &made, err) || !ds_buf_ok(&made, err)) {
        goto done;
    }
    ds_value doc = ds__document(made.size ? made.data : base.data);
    ds_value id = ds__doc_field(doc, "_id");
    if (id.type == DS_MISSING && update->kind != DS_UPDATE_OPERATORS) {
        id = ds__doc_field(ds__document(base.data), "_id");
    }
    if (id.type == DS_MISSING) {
        id.type = DS_OBJECT_ID;
        ds__object_id_new(id.as.oid);
    }
    if (!ds__update_check_id(id, err)) {
        goto done;
    }
    ds__update_write_id_first(doc, id, update->kind == DS_UPDATE_REPLACE ? eval->env : NULL, out);
    ok = ds__update_check_size(out, err);
done:
    ds_buf_clear(&base);
    ds_buf_clear(&made);
    if (!ok) {
        ds_buf_reset(out);
    }
    return ok;
}
