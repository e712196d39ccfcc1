/* SPDX-License-Identifier: Apache-2.0 */
/* $unwind: a document per element of an array, the element standing where the array stood. */
#include "bson/scan.h"
#include "lang/pipeline/stages.h"

enum { MOST_NEEDED = 8 };

typedef struct unwind {
    ds__stage stage;
    /* borrowed */
    ds__path path;
    ds__path index; /* count 0: no includeArrayIndex */
    const ds__path_part
        *needed[MOST_NEEDED]; /* fields: the path's, and what a $group after it reads */
    /* owned while running */
    ds_buf doc; /* the document being unwound, kept while the source stands still */
    ds_buf out;
    /* plain */
    ds__iter it;
    int64_t at;
    size_t needed_count;
    bool all; /* fields are needed */
    bool preserve;
    bool inside;
} unwind;

/* Copies `doc` with the value at parts[depth..] replaced (or removed when missing). */
static void write_with(ds_buf *out, ds_value doc, const ds__path *path, uint32_t depth,
                       ds_value value) {
    const ds__path_part *part = &path->parts[depth];
    bool last = depth + 1 == path->count;
    bool found = false;
    ds__iter it;
    ds__iter_init(&it, doc);
    while (ds__iter_next(&it)) {
        if (found || it.key_size != part->size || memcmp(it.key, part->name, part->size) != 0) {
            ds_buf_add(out, it.element, it.element_size);
            continue;
        }
        found = true;
        if (last) {
            ds__write_value(out, part->name, part->size, value);
        } else if (it.value.type == DS_DOCUMENT) {
            size_t sub = ds__write_doc(out, part->name, part->size, DS_DOCUMENT);
            write_with(out, it.value, path, depth + 1, value);
            ds__doc_end(out, sub);
        } else { /* a scalar in the way gives room to the new path */
            size_t sub = ds__write_doc(out, part->name, part->size, DS_DOCUMENT);
            static const uint8_t empty[5] = {5, 0, 0, 0, 0};
            write_with(out, ds__document(empty), path, depth + 1, value);
            ds__doc_end(out, sub);
        }
    }
    if (found || value.type == DS_MISSING) {
        return;
    }
    if (last) {
        ds__write_value(out, part->name, part->size, value);
    } else {
        static const uint8_t empty[5] = {5, 0, 0, 0, 0};
        size_t sub = ds__write_doc(out, part->name, part->size, DS_DOCUMENT);
        write_with(out, ds__document(empty), path, depth + 1, value);
        ds__doc_end(out, sub);
    }
}

void ds__stage_write_with(ds_buf *out, ds_value doc, const ds__path *path, ds_value value) {
    size_t root = ds__doc_begin(out);
    write_with(out, doc, path, 0, value);
    ds__doc_end(out, root);
}

/* Writes the row: `element` in place (or as it stands when keep), then the index. */
static ds_next emit(unwind *u, ds_value from, bool keep, ds_value element, ds_value index,
                    ds_value *doc, ds_error *err) {
    ds_arena *scratch = u->stage.eval->scratch;
    ds_arena_mark mark = ds_arena_save(scratch);
    ds_buf_reset(&u->out);
    if (keep) {
        ds_buf_add(&u->out, from.as.bytes, from.size);
    } else {
        ds__stage_write_with(&u->out, from, &u->path, element);
    }
    bool ok = ds_buf_ok(&u->out, err);
    if (ok && u->index.count > 0) {
        void *copy = ds_arena_copy(scratch, u->out.data, u->out.size);
        ok = copy || ds__error_oom(err);
        if (ok) {
            ds_buf_reset(&u->out);
            ds__stage_write_with(&u->out, ds__document(copy), &u->index, index);
            ok = ds_buf_ok(&u->out, err);
        }
    }
    ds_arena_restore(scratch, mark);
    if (!ok) {
        return DS_NEXT_ERROR;
    }
    *doc = ds__document(u->out.data);
    return DS_NEXT_ROW;
}

static void need(void *ctx, const ds__path *path) {
    unwind *u = ctx;
    u->all = u->all || !path || path->count == 0 || u->needed_count == MOST_NEEDED;
    if (!u->all) {
        u->needed[u->needed_count++] = &path->parts[0];
    }
}

static bool unwind_start(ds__stage *stage, ds_error *err) {
    unwind *u = (unwind *)stage;
    (void)err;
    u->all = false;
    u->needed_count = 0;
    need(u, &u->path);
    u->all = !stage->following || !ds__group_reads(stage->following, need, u) || u->all;
    return true;
}

static bool is_needed(const unwind *u, const ds__scan *s) {
    for (size_t i = 0; i < u->needed_count; i++) {
        if (u->needed[i]->size == s->key_size &&
            memcmp(u->needed[i]->name, s->key, s->key_size) == 0) {
            return true;
        }
    }
    return false;
}

/* Keeps what is needed of a document: it is written once for each element. */
static bool keep_needed(unwind *u, ds_value doc, ds_error *err) {
    ds_buf_reset(&u->doc);
    if (u->all) {
        ds_buf_add(&u->doc, doc.as.bytes, doc.size);
        return ds_buf_ok(&u->doc, err);
    }
    ds__scan s;
    size_t root = ds__doc_begin(&u->doc);
    ds__scan_init(&s, doc);
    while (ds__scan_next(&s)) {
        if (is_needed(u, &s)) {
            ds_buf_add(&u->doc, s.element, (size_t)(s.at - s.element));
        }
    }
    ds__doc_end(&u->doc, root);
    return ds_buf_ok(&u->doc, err);
}

static ds_next unwind_next(ds__stage *stage, ds_value *doc, ds_error *err) {
    unwind *u = (unwind *)stage;
    for (;;) {
        if (u->inside) {
            if (ds__iter_next(&u->it)) {
                return emit(u, ds__document(u->doc.data), false, u->it.value, ds__int64(u->at++),
                            doc, err);
            }
            u->inside = false;
        }
        ds_next next = ds__stage_pull(stage, doc, err);
        if (next != DS_NEXT_ROW) {
            return next;
        }
        bool simple;
        ds_value v = ds__simple_path(*doc, &u->path, &simple);
        if (!simple) {
            v = ds__missing(); /* arrays on the way are not gone through */
        }
        if (v.type == DS_ARRAY && !ds__doc_empty(v)) {
            if (!keep_needed(u, *doc, err)) {
                return DS_NEXT_ERROR;
            }
            v = ds__simple_path(ds__document(u->doc.data), &u->path, &simple);
            ds__iter_init(&u->it, v);
            u->at = 0;
            u->inside = true;
        } else if (v.type == DS_ARRAY || ds__is_nullish(v)) {
            if (u->preserve) {
                return emit(u, *doc, v.type != DS_ARRAY, ds__missing(), ds__null(), doc, err);
            }
        } else {
            return emit(u, *doc, true, v, ds__null(), doc, err);
        }
    }
}

static void unwind_stop(ds__stage *stage) {
    unwind *u = (unwind *)stage;
    ds_buf_clear(&u->doc);
    ds_buf_clear(&u->out);
    u->inside = false;
}

static bool unwind_keeps_path(const ds__stage *stage, const ds__path *path) {
    const unwind *u = (const unwind *)stage;
    return !ds__paths_overlap(&u->path, path) &&
           (u->index.count == 0 || !ds__paths_overlap(&u->index, path));
}

static const ds__stage_ops unwind_ops = {
    .name = "$unwind",
    .start = unwind_start,
    .next = unwind_next,
    .stop = unwind_stop,
    .keeps_path = unwind_keeps_path,
};

bool ds__stage_field_path(ds_arena *arena, const char *text, size_t size, ds__path *out,
                          ds_error *err) {
    if (size == 0) {
        return ds__error_set(err, 40352, "FieldPath cannot be constructed with empty string");
    }
    if (text[size - 1] == '.') {
        return ds__error_set(err, 40353, "FieldPath must not end with a '.'.");
    }
    if (memchr(text, 0, size)) {
        return ds__error_set(err, 16411, "FieldPath field names may not contain '\\0'.");
    }
    if (!ds__path_parse(arena, text, size, out)) {
        return ds__error_oom(err);
    }
    for (uint32_t i = 0; i < out->count; i++) {
        const ds__path_part *part = &out->parts[i];
        if (part->size == 0) {
            return ds__error_set(err, 15998, "FieldPath field names may not be empty strings.");
        }
        if (part->name[0] == '$' && strcmp(part->name, "$id") != 0 &&
            strcmp(part->name, "$ref") != 0 && strcmp(part->name, "$db") != 0) {
            return ds__error_set(err, 16410,
                                 "FieldPath field names may not start with '$'. "
                                 "Consider using $getField or $setField.");
        }
    }
    return true;
}

static bool parse_options(unwind *u, ds_value arg, ds_value *path, ds_error *err) {
    ds__iter it;
    ds__iter_init(&it, arg);
    while (ds__iter_next(&it)) {
        if (strcmp(it.key, "path") == 0) {
            if (it.value.type != DS_STRING) {
                return ds__error_set(err, 28808,
                                     "expected a string as the path for $unwind stage, got %s",
                                     ds__type_name(it.value.type));
            }
            *path = it.value;
        } else if (strcmp(it.key, "preserveNullAndEmptyArrays") == 0) {
            if (it.value.type != DS_BOOL) {
                return ds__error_set(err, 28809,
                                     "expected a boolean for the preserveNullAndEmptyArrays option "
                                     "to $unwind stage, got %s",
                                     ds__type_name(it.value.type));
            }
            u->preserve = it.value.as.b;
        } else if (strcmp(it.key, "includeArrayIndex") == 0) {
            if (it.value.type != DS_STRING || it.value.size == 0) {
                return ds__error_set(err, 28810,
                                     "expected a non-empty string for the includeArrayIndex option "
                                     "to $unwind stage, got %s",
                                     ds__type_name(it.value.type));
            }
            if (ds__text(it.value)[0] == '$') {
                return ds__error_set(err, 28822,
                                     "includeArrayIndex option to $unwind stage should not be "
                                     "prefixed with a '$': %.*s",
                                     (int)it.value.size, ds__text(it.value));
            }
            if (!ds__stage_field_path(u->stage.env->arena, ds__text(it.value), it.value.size,
                                      &u->index, err)) {
                return false;
            }
        } else {
            return ds__error_set(err, 28811, "unrecognized option to $unwind stage: %s", it.key);
        }
    }
    return true;
}

bool ds__stage_parse_unwind(ds__stage_parser *p, ds_value arg, ds_error *err) {
    unwind *u = ds__stage_add(p, sizeof *u, &unwind_ops, err);
    ds_value path = ds__missing();
    if (!u) {
        return false;
    }
    u->doc.meter = u->out.meter = p->env->meter;
    if (arg.type == DS_DOCUMENT) {
        if (!parse_options(u, arg, &path, err)) {
            return false;
        }
    } else if (arg.type == DS_STRING) {
        path = arg;
    } else {
        return ds__error_set(
            err, 15981,
            "expected either a string or an object as specification for $unwind stage, "
            "got %s",
            ds__type_name(arg.type));
    }
    if (path.type == DS_MISSING || path.size == 0) {
        return ds__error_set(err, 28812, "no path specified to $unwind stage");
    }
    if (ds__text(path)[0] != '$') {
        return ds__error_set(err, 28818,
                             "path option to $unwind stage should be prefixed with a '$': %.*s",
                             (int)path.size, ds__text(path));
    }
    return ds__stage_field_path(p->env->arena, ds__text(path) + 1, path.size - 1, &u->path, err);
}
