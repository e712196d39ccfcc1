/* SPDX-License-Identifier: Apache-2.0 */
/* Changes of a field that was loaded only in part. What was loaded, or assigned, is written path by
 * path; a value changed in place that may have more in the store than was loaded is refused. */
#include "schema.h"

#include "extension.h"

typedef struct diff {
    /* borrowed */
    ds__pstate *state;
    ds__model *doc;
    ds_buf *set, *unset, *path;
    PyObject *name; /* of the field, for the error */
    /* owned */
    ds_buf logical; /* path without positions in arrays */
} diff;

static bool walk(diff *d, PyObject *value, ds_value before, ds_value after);

bool ds__document_partly(const ds__model *doc, size_t at) {
    return doc->mask && PyBytes_AS_STRING(doc->mask)[at] == DS_LOADED_PARTLY;
}

static bool is_container(ds_value v) {
    return v.type == DS_DOCUMENT || v.type == DS_ARRAY;
}

static bool same_bytes(ds_value a, ds_value b) {
    return a.type == b.type && is_container(a) && a.size == b.size &&
           memcmp(a.as.bytes, b.as.bytes, a.size) == 0;
}

/* Whether `path` is `other` or below it. */
static bool below(const char *path, size_t size, const char *other, size_t other_size) {
    return size >= other_size && memcmp(path, other, other_size) == 0 &&
           (size == other_size || path[other_size] == '.');
}

typedef struct loaded {
    bool whole;   /* nothing at or below the path was left out */
    bool chosen;  /* elements of the array at the path, or of one above it, were picked */
    bool matched; /* by a condition, so that none may be there though the store has some */
} loaded;

/* Behind its byte per field the mask lists the projection's paths, each NUL-terminated behind a
 * letter: i(ncluded), x (excluded), s(liced), m(atched). */
static loaded loaded_of(const diff *d) {
    loaded out = {.whole = true};
    bool includes = false, included = false;
    const char *p = PyBytes_AS_STRING(d->doc->mask) + d->doc->schema->count;
    const char *end = PyBytes_AS_STRING(d->doc->mask) + PyBytes_GET_SIZE(d->doc->mask);
    const char *path = (const char *)d->logical.data;
    size_t size = d->logical.size;
    while (p < end) {
        const char *other = p + 1;
        size_t length = strlen(other); /* bytes objects end in a NUL of their own */
        bool under = below(path, size, other, length);
        bool above = below(other, length, path, size);
        if (*p == 'i') {
            includes = true;
            included = included || under;
        } else if (under || above) {
            out.whole = false;
            out.chosen = out.chosen || (under && *p != 'x');
            out.matched = out.matched || (under && *p == 'm');
        }
        p = other + length + 1;
    }
    /* sliced and matched paths are loaded in part beside those that are included */
    out.whole = out.whole && included == includes;
    return out;
}

static bool refuse(const diff *d) {
    ds_buf text = {0};
    PyObject *errors = PyImport_ImportModule("mongodb.errors");
    PyObject *kind = errors ? PyObject_GetAttrString(errors, "OperationError") : NULL;
    ds_buf_add(&text, d->path->data, d->path->size);
    ds_buf_add_byte(&text, 0);
    if (kind && ds__py_buf_ok(&text)) {
        PyErr_Format(kind,
                     "field '%s' was loaded only in part and then changed in place: saving it "
                     "could lose what was not loaded. reload('%U') before the change, or assign "
                     "it whole",
                     (const char *)text.data, d->name);
    }
    Py_XDECREF(kind);
    Py_XDECREF(errors);
    ds_buf_clear(&text);
    return false;
}

/* A value that was assigned: all of it, since the store may have more than was loaded. */
static bool write_assigned(diff *d, ds_value before, ds_value after) {
    const char *key = (const char *)d->path->data;
    if (after.type == DS_MISSING) {
        ds__write_value(d->unset, key, d->path->size, ds__int32(1));
        return true;
    }
    if (is_container(before) || is_container(after) || before.type == DS_MISSING) {
        ds__write_value(d->set, key, d->path->size, after);
        return true;
    }
    return ds__diff_value(d->set, d->unset, d->path, before, after);
}

static void push(ds_buf *path, const char *key, size_t size) {
    if (path->size) {
        ds_buf_add_byte(path, '.');
    }
    ds_buf_add(path, key, size);
}

static bool walk_member(diff *d, ds__model *model, const char *key, size_t size, ds_value before,
                        ds_value after) {
    size_t path = d->path->size, logical = d->logical.size;
    PyObject *value = NULL;
    bool assigned = false, ok;
    int at = model ? ds__schema_find(model->schema, key, size) : -1;
    if (at >= 0 && model->values && model->values[at]) {
        value = Py_NewRef(model->values[at]);
        assigned = model->flags[at] & DS_VALUE_ASSIGNED;
    }
    push(d->path, key, size);
    push(&d->logical, key, size);
    if (size == 0 || key[0] == '$' || memchr(key, '.', size)) { /* no path leads there */
        ok = same_bytes(before, after) || ds__value_equal(before, after, NULL) || refuse(d);
    } else {
        ok = assigned ? write_assigned(d, before, after) : walk(d, value, before, after);
    }
    d->path->size = path;
    d->logical.size = logical;
    Py_XDECREF(value);
    return ok;
}

static bool walk_document(diff *d, PyObject *value, ds_value before, ds_value after) {
    ds__model *model = value && ds__is_document(d->state, value) ? (ds__model *)value : NULL;
    ds__iter it;
    ds_value other;
    ds__iter_init(&it, after);
    while (ds__iter_next(&it)) {
        ds__doc_get(before, it.key, it.key_size, &other);
        if (!walk_member(d, model, it.key, it.key_size, other, it.value)) {
            return false;
        }
    }
    ds__iter_init(&it, before);
    while (ds__iter_next(&it)) {
        if (!ds__doc_get(after, it.key, it.key_size, &other) &&
            !walk_member(d, model, it.key, it.key_size, it.value, ds__missing())) {
            return false;
        }
    }
    return true;
}

/* Whether the document was read from the array's element at `index`: its position is written right
 * before its bytes. */
static bool came_from(const ds__model *model, const char *index, size_t size) {
    return model->data[-1] == 0 && memcmp(model->data - 1 - size, index, size) == 0 &&
           (model->data[-2 - (ptrdiff_t)size] == DS_DOCUMENT);
}

static bool walk_element(diff *d, PyObject *value, size_t i, ds_value before, ds_value after) {
    char key[24];
    size_t path = d->path->size, size = ds__index_text(i, key);
    ds__model *model = value && ds__is_document(d->state, value) ? (ds__model *)value : NULL;
    bool ok = true;
    push(d->path, key, size);
    if (model && before.type == DS_DOCUMENT && after.type == DS_DOCUMENT) {
        if (!model->data) {
            ds__write_value(d->set, (const char *)d->path->data, d->path->size, after);
        } else {
            ok = came_from(model, key, size) ? walk_document(d, value, before, after) : refuse(d);
        }
    } else {
        ok = ds__value_equal(before, after, NULL) || refuse(d);
    }
    d->path->size = path;
    return ok;
}

static bool walk_array(diff *d, PyObject *value, ds_value before, ds_value after) {
    size_t n = ds__doc_count(before);
    ds__iter a, b;
    if (same_bytes(before, after)) {
        return true;
    }
    if (loaded_of(d).chosen || ds__doc_count(after) != n) {
        return refuse(d);
    }
    ds__iter_init(&a, before);
    ds__iter_init(&b, after);
    bool ok = true;
    for (size_t i = 0; ok && ds__iter_next(&a) && ds__iter_next(&b); i++) {
        PyObject *one = value && PyList_Check(value) && (Py_ssize_t)i < PyList_GET_SIZE(value)
                            ? Py_NewRef(PyList_GET_ITEM(value, (Py_ssize_t)i))
                            : NULL;
        ok = walk_element(d, one, i, a.value, b.value);
        Py_XDECREF(one);
    }
    return ok;
}

static bool walk(diff *d, PyObject *value, ds_value before, ds_value after) {
    if (loaded_of(d).whole) {
        return ds__diff_value(d->set, d->unset, d->path, before, after);
    }
    if (before.type == DS_DOCUMENT && after.type == DS_DOCUMENT) {
        return walk_document(d, value, before, after);
    }
    if (before.type == DS_ARRAY && after.type == DS_ARRAY) {
        return walk_array(d, value, before, after);
    }
    if (after.type != DS_MISSING && (is_container(before) || is_container(after))) {
        return refuse(d);
    }
    return ds__diff_value(d->set, d->unset, d->path, before, after);
}

bool ds__partial_diff(ds__pstate *state, ds__model *doc, size_t at, ds_buf *set, ds_buf *unset,
                      ds_buf *path, ds_value before, ds_value after) {
    diff d = {.state = state,
              .doc = doc,
              .set = set,
              .unset = unset,
              .path = path,
              .name = doc->schema->fields[at].name};
    bool ok;
    PyObject *value = Py_XNewRef(doc->values[at]);
    ds_buf_add(&d.logical, path->data, path->size);
    if (doc->flags[at] & DS_VALUE_ASSIGNED) {
        ok = write_assigned(&d, before, after);
    } else if (before.type == DS_MISSING && !loaded_of(&d).matched) {
        ok = ds__diff_value(set, unset, path, before, after); /* the store has none */
    } else {
        ok = walk(&d, value, before, after);
    }
    ok = ok && ds__py_buf_ok(&d.logical);
    ds_buf_clear(&d.logical);
    Py_XDECREF(value);
    return ok;
}

bool ds__partial_diff_extra(ds__pstate *state, ds__model *doc, PyObject *name, ds_buf *set,
                            ds_buf *unset, ds_buf *path, ds_value before, ds_value after) {
    diff d = {.state = state, .doc = doc, .set = set, .unset = unset, .path = path, .name = name};
    /* what was not loaded cannot be read, so that it can only have been assigned */
    if (before.type == DS_MISSING || !doc->mask ||
        (size_t)PyBytes_GET_SIZE(doc->mask) == doc->schema->count) {
        return ds__diff_value(set, unset, path, before, after);
    }
    ds_buf_add(&d.logical, path->data, path->size);
    bool ok = walk(&d, NULL, before, after) && ds__py_buf_ok(&d.logical);
    ds_buf_clear(&d.logical);
    return ok;
}

bool ds__partial_settle(ds__model *doc) {
    PyObject *mask = NULL;
    for (size_t i = 0; doc->values && i < doc->schema->count; i++) {
        if ((doc->flags[i] & DS_VALUE_ASSIGNED) && ds__document_partly(doc, i)) {
            if (!mask && !(mask = PyBytes_FromStringAndSize(PyBytes_AS_STRING(doc->mask),
                                                            PyBytes_GET_SIZE(doc->mask)))) {
                return false;
            }
            PyBytes_AS_STRING(mask)[i] = DS_LOADED;
        }
    }
    if (mask) {
        Py_SETREF(doc->mask, mask);
    }
    return true;
}
