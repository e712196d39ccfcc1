/* SPDX-License-Identifier: Apache-2.0 */
/* What $set and $unset turn the stored document into the present one. Touched fields are encoded
 * and compared with the stored bytes: documents field by field, arrays of one length element by
 * element. Numbers that are equal count as the same whatever their width, so reading a list and
 * saving changes nothing. */
#include "schema.h"

#include "extension.h"

/* Whether `name` can be part of a path. */
static bool plain_name(const char *name, size_t size) {
    return size > 0 && name[0] != '$' && !memchr(name, '.', size);
}

static bool same_scalar(ds_value a, ds_value b) {
    if (a.type != b.type) {
        if (ds__is_number(a) && ds__is_number(b)) {
            return ds__number_compare(a, b) == 0;
        }
        if (a.type == DS_SYMBOL && b.type == DS_STRING) { /* read as str */
            return a.size == b.size && memcmp(a.as.bytes, b.as.bytes, a.size) == 0;
        }
        if ((a.type == DS_UNDEFINED && b.type == DS_NULL) ||
            (a.type == DS_DB_POINTER && b.type == DS_DOCUMENT)) { /* read as None, as a DBRef */
            return true;
        }
        ds_value id;
        return a.type == DS_DOCUMENT && ds__doc_get(a, "$id", 3, &id) && id.type == b.type &&
               same_scalar(id, b); /* a DBRef and its id */
    }
    ds_buf x = {0}, y = {0};
    bool same = false;
    ds__write_payload(&x, a);
    ds__write_payload(&y, b);
    same = x.size == y.size && (x.size == 0 || memcmp(x.data, y.data, x.size) == 0);
    ds_buf_clear(&x);
    ds_buf_clear(&y);
    return same;
}

/* Whether every name can be in a path and the names both have come in one order. */
static bool can_descend(ds_value before, ds_value after) {
    ds__iter it;
    const uint8_t *last = NULL;
    ds__iter_init(&it, before);
    while (ds__iter_next(&it)) {
        if (!plain_name(it.key, it.key_size)) {
            return false;
        }
    }
    ds__iter_init(&it, after);
    bool fresh = false;
    while (ds__iter_next(&it)) {
        ds_value was;
        if (!plain_name(it.key, it.key_size)) {
            return false;
        }
        if (!ds__doc_get(before, it.key, it.key_size, &was)) {
            fresh = true;
            continue;
        }
        ds__iter find;
        ds__iter_init(&find, before);
        while (ds__iter_next(&find) &&
               (find.key_size != it.key_size || memcmp(find.key, it.key, it.key_size) != 0)) {
        }
        if (fresh || (last && find.element < last)) {
            return false;
        }
        last = find.element;
    }
    return true;
}

static void push_path(ds_buf *path, const char *key, size_t size) {
    if (path->size) {
        ds_buf_add_byte(path, '.');
    }
    ds_buf_add(path, key, size);
}

static bool diff_documents(ds_buf *set, ds_buf *unset, ds_buf *path, ds_value before,
                           ds_value after) {
    ds__iter it;
    size_t base = path->size;
    ds_value other;
    ds__iter_init(&it, after);
    while (ds__iter_next(&it)) {
        ds__doc_get(before, it.key, it.key_size, &other);
        push_path(path, it.key, it.key_size);
        if (!ds__diff_value(set, unset, path, other, it.value)) {
            return false;
        }
        path->size = base;
    }
    ds__iter_init(&it, before);
    while (ds__iter_next(&it)) {
        if (!ds__doc_get(after, it.key, it.key_size, &other)) {
            push_path(path, it.key, it.key_size);
            ds__diff_value(set, unset, path, it.value, ds__missing());
            path->size = base;
        }
    }
    return true;
}

static bool diff_arrays(ds_buf *set, ds_buf *unset, ds_buf *path, ds_value before, ds_value after) {
    ds__iter a, b;
    size_t base = path->size;
    ds__iter_init(&a, before);
    ds__iter_init(&b, after);
    for (size_t i = 0; ds__iter_next(&a) && ds__iter_next(&b); i++) {
        char key[16];
        push_path(path, key, ds__index_text(i, key));
        if (!ds__diff_value(set, unset, path, a.value, b.value)) {
            return false;
        }
        path->size = base;
    }
    return true;
}

bool ds__diff_value(ds_buf *set, ds_buf *unset, ds_buf *path, ds_value before, ds_value after) {
    const char *key = (const char *)path->data;
    if (path->failed) {
        return false;
    }
    if (after.type == DS_MISSING) {
        if (before.type != DS_MISSING) {
            ds__write_value(unset, key, path->size, ds__int32(1));
        }
        return true;
    }
    bool holds = after.type == DS_DOCUMENT || after.type == DS_ARRAY;
    if (holds && before.type == after.type && before.size == after.size &&
        memcmp(before.as.bytes, after.as.bytes, after.size) == 0) {
        return true;
    }
    if (before.type == after.type && before.type == DS_DOCUMENT && !ds__doc_empty(after) &&
        can_descend(before, after)) {
        return diff_documents(set, unset, path, before, after);
    }
    if (before.type == after.type && before.type == DS_ARRAY && !ds__doc_empty(after) &&
        ds__doc_count(before) == ds__doc_count(after)) {
        return diff_arrays(set, unset, path, before, after);
    }
    if (before.type == DS_MISSING || !same_scalar(before, after)) {
        ds__write_value(set, key, path->size, after);
    }
    return true;
}

static bool field_changes(ds__pstate *state, ds__model *doc, size_t at, ds_buf *set, ds_buf *unset,
                          ds_buf *scratch, ds_buf *path) {
    ds__field *f = &doc->schema->fields[at];
    PyObject *value = Py_NewRef(doc->values[at]);
    ds_value before = ds__document_stored(doc, at), after = ds__missing();
    bool ok = true;
    ds_buf_reset(scratch);
    size_t begin = ds__doc_begin(scratch);
    if (value != Py_None || (f->flags & DS_FIELD_NULL)) {
        ok = ds__field_encode(state, scratch, f, f->key, f->key_size, value);
    }
    Py_DECREF(value);
    ds__doc_end(scratch, begin);
    if (!ok || !ds__py_buf_ok(scratch)) {
        return false;
    }
    ds__doc_get(ds__document(scratch->data), f->key, f->key_size, &after);
    if (before.type == DS_NULL && after.type == DS_MISSING) {
        return true; /* None either way */
    }
    ds_buf_reset(path);
    ds_buf_add(path, f->key, f->key_size);
    if (ds__document_partly(doc, at)) {
        return ds__partial_diff(state, doc, at, set, unset, path, before, after);
    }
    return ds__diff_value(set, unset, path, before, after);
}

int ds__document_moved(ds__pstate *state, ds__model *doc) {
    int at = doc->schema->primary;
    if (at < 0 || !doc->data || !doc->values || !doc->values[at]) {
        return 0;
    }
    ds__field *f = &doc->schema->fields[at];
    ds_value before, after = ds__missing();
    ds_buf scratch = {0};
    int moved = -1;
    PyObject *value = Py_NewRef(doc->values[at]);
    size_t begin = ds__doc_begin(&scratch);
    bool ok = value == Py_None || ds__field_encode(state, &scratch, f, f->key, f->key_size, value);
    ds__doc_end(&scratch, begin);
    if (ok && ds__py_buf_ok(&scratch) && ds__document_open(doc)) {
        before = ds__document_stored(doc, (size_t)at);
        ds__doc_get(ds__document(scratch.data), f->key, f->key_size, &after);
        moved =
            before.type != DS_MISSING && (after.type == DS_MISSING || !same_scalar(before, after));
    }
    ds_buf_clear(&scratch);
    Py_DECREF(value);
    return moved;
}

static bool extra_changes(ds__pstate *state, ds__model *doc, ds_buf *set, ds_buf *unset,
                          ds_buf *scratch, ds_buf *path) {
    Py_ssize_t at = 0;
    PyObject *key, *value;
    PyObject *copy = doc->extra ? PyDict_Copy(doc->extra) : NULL;
    bool ok = !doc->extra || copy;
    while (ok && copy && PyDict_Next(copy, &at, &key, &value)) {
        Py_ssize_t size;
        const char *text = PyUnicode_AsUTF8AndSize(key, &size);
        ds_value before = {0}, after = {0};
        ds_buf_reset(scratch);
        size_t begin = ds__doc_begin(scratch);
        ok = text &&
             (value == Py_None || ds__py_encode_value(state, scratch, text, (size_t)size, value));
        ds__doc_end(scratch, begin);
        if (!ok || !ds__py_buf_ok(scratch)) {
            ok = false;
            break;
        }
        ds__doc_get(ds__document(scratch->data), text, (size_t)size, &after);
        ds__doc_get(ds__document(doc->data), text, (size_t)size, &before);
        ds_buf_reset(path);
        ds_buf_add(path, text, (size_t)size);
        ok = ds__partial_diff_extra(state, doc, key, set, unset, path, before, after);
    }
    Py_XDECREF(copy);
    return ok;
}

static PyObject *update_document(ds_buf *set, ds_buf *unset) {
    ds_buf out = {0};
    PyObject *bytes = NULL;
    size_t root = ds__doc_begin(&out);
    if (set->size > 5) {
        ds__write_value(&out, "$set", 4, ds__document(set->data));
    }
    if (unset->size > 5) {
        ds__write_value(&out, "$unset", 6, ds__document(unset->data));
    }
    ds__doc_end(&out, root);
    if (ds__py_buf_ok(&out)) {
        bytes = out.size == 5 ? Py_NewRef(Py_None)
                              : PyBytes_FromStringAndSize((char *)out.data, (Py_ssize_t)out.size);
    }
    ds_buf_clear(&out);
    return bytes;
}

PyObject *ds__document_changes(ds__pstate *state, ds__model *doc) {
    PyObject *out = NULL;
    if (!doc->data) {
        PyErr_SetString(PyExc_ValueError, "a document that was never stored has no changes");
        return NULL;
    }
    if (!doc->values && !doc->extra) {
        return Py_NewRef(Py_None);
    }
    PyObject *owner = Py_NewRef(doc->owner); /* to_mongo() may replace the document's bytes */
    ds_buf set = {0}, unset = {0}, scratch = {0}, path = {0};
    ds__doc_begin(&set);
    ds__doc_begin(&unset);
    bool ok = ds__document_open(doc);
    for (size_t i = 0; ok && i < doc->schema->count; i++) {
        if (ds__document_touched(doc, i) && (int)i != doc->schema->primary &&
            !ds__document_default(doc, i)) {
            ok = field_changes(state, doc, i, &set, &unset, &scratch, &path);
        }
    }
    ok = ok && extra_changes(state, doc, &set, &unset, &scratch, &path);
    ds__doc_end(&set, 0);
    ds__doc_end(&unset, 0);
    if (ok && ds__py_buf_ok(&set) && ds__py_buf_ok(&unset)) {
        out = update_document(&set, &unset);
    } else if (!PyErr_Occurred()) {
        PyErr_NoMemory();
    }
    ds_buf_clear(&set);
    ds_buf_clear(&unset);
    ds_buf_clear(&scratch);
    ds_buf_clear(&path);
    Py_DECREF(owner);
    return out;
}
