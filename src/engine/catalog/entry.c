/* SPDX-License-Identifier: Apache-2.0 */
/* Collections as versions of the catalog share them: from the rows of the catalog's tables to one
 * collection or view with its indexes, in memory of its own, which nobody changes. */
#include "base/limits.h"
#include "base/mem.h"
#include "bson/number.h"
#include "bson/validate.h"
#include "bson/writer.h"
#include "engine/catalog/internal.h"

/* Who holds a collection holds it by its first member. */
typedef struct entry {
    ds__coll coll;            /* first */
    ds_arena arena;           /* owned: what `coll` points to */
    ds__catalog_guest *guest; /* owned, atomic; NULL: none */
    int refs;                 /* atomic */
} entry;

/* Only the count of references and the guest change. */
static entry *entry_of(const ds__coll *coll) {
    return (entry *)coll;
}

ds__coll *ds__coll_ref(const ds__coll *coll) {
    entry *e = entry_of(coll);
    __atomic_add_fetch(&e->refs, 1, __ATOMIC_RELAXED);
    return &e->coll;
}

void ds__coll_unref(const ds__coll *coll) {
    entry *e = coll ? entry_of(coll) : NULL;
    if (e && __atomic_sub_fetch(&e->refs, 1, __ATOMIC_ACQ_REL) == 0) {
        if (e->guest) {
            e->guest->free(e->guest);
        }
        ds_arena_clear(&e->arena);
        ds__free(e);
    }
}

ds__catalog_guest *ds__coll_guest_get(const ds__coll *coll) {
    return __atomic_load_n(&entry_of(coll)->guest, __ATOMIC_ACQUIRE);
}

ds__catalog_guest *ds__coll_guest_set(const ds__coll *coll, ds__catalog_guest *guest) {
    ds__catalog_guest *none = NULL;
    return __atomic_compare_exchange_n(&entry_of(coll)->guest, &none, guest, false,
                                       __ATOMIC_ACQ_REL, __ATOMIC_ACQUIRE)
               ? guest
               : none;
}

/* Fills what the options of a collection say. Lives as long as `coll->options`. */
static bool read_options(ds__coll *coll, ds_error *err) {
    ds_value o = coll->options;
    ds_value v = ds__doc_field(o, "viewOn");
    if (v.type == DS_STRING) {
        coll->is_view = true;
        coll->view_on = ds__text(v);
        coll->pipeline = ds__doc_field(o, "pipeline");
    }
    coll->capped = ds__value_truthy(ds__doc_field(o, "capped"));
    v = ds__doc_field(o, "size");
    coll->capped_size = ds__is_number(v) ? ds__number_to_int64(v) : 0;
    v = ds__doc_field(o, "max");
    coll->capped_max = ds__is_number(v) ? ds__number_to_int64(v) : 0;
    coll->validator = ds__doc_field(o, "validator");
    v = ds__doc_field(o, "validationLevel");
    coll->validation_level = ds__is_string(v, "off")        ? DS_VALIDATE_OFF
                             : ds__is_string(v, "moderate") ? DS_VALIDATE_MODERATE
                                                            : DS_VALIDATE_STRICT;
    coll->validation_warns = ds__is_string(ds__doc_field(o, "validationAction"), "warn");
    if (coll->validator.type != DS_DOCUMENT || ds__doc_empty(coll->validator)) {
        coll->validator = ds__missing();
    }
    (void)err;
    return true;
}

static bool copy_document(ds_arena *arena, sqlite3_stmt *raw, int column, ds_value *out,
                          ds_error *err) {
    const uint8_t *bytes = sqlite3_column_blob(raw, column);
    int size = sqlite3_column_bytes(raw, column);
    if (!bytes || !ds__bson_validate(bytes, (size_t)size, DS_MAX_COMMAND_DEPTH, err)) {
        return ds__corrupt(err, "the catalog");
    }
    bytes = ds_arena_copy(arena, bytes, (size_t)size);
    if (!bytes) {
        return ds__error_oom(err);
    }
    *out = ds__document(bytes);
    return true;
}

static bool read_coll(entry *e, sqlite3_stmt *raw, ds_error *err) {
    ds_arena *arena = &e->arena;
    ds__coll *coll = &e->coll;
    const char *db = (const char *)sqlite3_column_text(raw, 1);
    const char *name = (const char *)sqlite3_column_text(raw, 2);
    if (!db || !name) {
        return ds__error_oom(err);
    }
    size_t db_size = strlen(db);
    size_t ns_size = db_size + 1 + strlen(name);
    char *ns = ds_arena_alloc(arena, ns_size + 1);
    coll->db = ds_arena_strndup(arena, db, db_size);
    if (!ns || !coll->db) {
        return ds__error_oom(err);
    }
    snprintf(ns, ns_size + 1, "%s.%s", db, name);
    coll->ns = ns;
    coll->name = ns + db_size + 1;
    coll->id = sqlite3_column_int64(raw, 0);
    if (sqlite3_column_bytes(raw, 3) == 16) {
        memcpy(coll->uuid, sqlite3_column_blob(raw, 3), 16);
    }
    return copy_document(arena, raw, 4, &coll->options, err) && read_options(coll, err);
}

ds__coll *ds__coll_read(sqlite3_stmt *raw, ds_error *err) {
    entry *e = ds__alloc(sizeof *e);
    if (!e) {
        ds__error_oom(err);
        return NULL;
    }
    e->refs = 1;
    if (!read_coll(e, raw, err)) {
        ds__coll_unref(&e->coll);
        return NULL;
    }
    return &e->coll;
}

bool ds__coll_read_index(ds__coll *coll, sqlite3_stmt *raw, size_t *cap, ds_error *err) {
    ds_arena *arena = &entry_of(coll)->arena;
    if (coll->index_count == *cap) {
        coll->indexes =
            ds_arena_grow(arena, coll->indexes, coll->index_count, cap, sizeof *coll->indexes);
        if (!coll->indexes) {
            coll->index_count = 0;
            return ds__error_oom(err);
        }
    }
    ds__index *index = &coll->indexes[coll->index_count];
    *index = (ds__index){.id = sqlite3_column_int64(raw, 0)};
    ds_value spec;
    if (!copy_document(arena, raw, 2, &spec, err) ||
        !ds__index_read_spec(arena, index, spec, err)) {
        return false;
    }
    const uint8_t *masks = sqlite3_column_blob(raw, 3);
    size_t bytes = (size_t)sqlite3_column_bytes(raw, 3);
    /* masks of arrays, then of types; older formats have none of types, or nothing */
    const size_t n = index->part_count;
    for (size_t i = 0; i < n; i++) {
        ds__index_part *part = &index->parts[i];
        part->multikey = masks && (i + 1) * 8 <= bytes ? ds__load_u64(masks + i * 8) : 0;
        part->seen = bytes == n * 16 ? ds__load_u64(masks + (n + i) * 8) : DS_SEEN_ALL;
        index->multikey = index->multikey || part->multikey != 0;
    }
    coll->index_count++;
    return true;
}

static bool same_document(ds_value a, ds_value b) {
    return a.size == b.size && memcmp(a.as.bytes, b.as.bytes, a.size) == 0;
}

static bool same_index(const ds__index *a, const ds__index *b) {
    bool same = a->id == b->id && same_document(a->spec, b->spec);
    for (size_t i = 0; same && i < a->part_count; i++) {
        same = a->parts[i].multikey == b->parts[i].multikey && a->parts[i].seen == b->parts[i].seen;
    }
    return same;
}

bool ds__coll_same(const ds__coll *a, const ds__coll *b) {
    bool same = a->id == b->id && a->index_count == b->index_count && strcmp(a->ns, b->ns) == 0 &&
                strcmp(a->db, b->db) == 0 && memcmp(a->uuid, b->uuid, sizeof a->uuid) == 0 &&
                same_document(a->options, b->options);
    for (size_t i = 0; same && i < a->index_count; i++) {
        same = same_index(&a->indexes[i], &b->indexes[i]);
    }
    return same;
}
