/* SPDX-License-Identifier: Apache-2.0 */
/* Filters joined: one document where they touch different things, $and where they do not. */
#include "lookup.h"

#include "extension.h"

/* A document of operators; a DBRef looks like one and is a value. */
static bool is_operators(ds_value v) {
    if (v.type != DS_DOCUMENT || ds__doc_empty(v)) {
        return false;
    }
    ds__iter it;
    ds__iter_init(&it, v);
    while (ds__iter_next(&it)) {
        if (it.key[0] != '$' || strcmp(it.key, "$ref") == 0 || strcmp(it.key, "$id") == 0) {
            return false;
        }
    }
    return true;
}

static bool share_a_key(ds_value first, ds_value second) {
    ds__iter it;
    ds_value unused;
    ds__iter_init(&it, second);
    while (ds__iter_next(&it)) {
        if (ds__doc_get(first, it.key, it.key_size, &unused)) {
            return true;
        }
    }
    return false;
}

static void write_items(ds_buf *buf, size_t *at, ds_value array) {
    ds__iter it;
    ds__iter_init(&it, array);
    while (ds__iter_next(&it)) {
        ds__write_index(buf, (*at)++, it.value);
    }
}

typedef enum join { JOIN_ARRAYS, JOIN_OPERATORS, JOIN_NOT } join;

static join how_to_join(const char *key, ds_value mine, ds_value other) {
    if (strcmp(key, "$and") == 0 && mine.type == DS_ARRAY && other.type == DS_ARRAY) {
        return JOIN_ARRAYS;
    }
    bool apart = is_operators(mine) && is_operators(other) && !share_a_key(mine, other);
    return apart ? JOIN_OPERATORS : JOIN_NOT;
}

/* One field that both have. */
static void write_joined(ds_buf *buf, const ds__iter *it, ds_value other) {
    size_t at, n = 0;
    switch (how_to_join(it->key, it->value, other)) {
    case JOIN_ARRAYS:
        at = ds__write_doc(buf, it->key, it->key_size, DS_ARRAY);
        write_items(buf, &n, it->value);
        write_items(buf, &n, other);
        ds__doc_end(buf, at);
        break;
    case JOIN_OPERATORS:
        at = ds__write_doc(buf, it->key, it->key_size, DS_DOCUMENT);
        ds__write_elements(buf, it->value);
        ds__write_elements(buf, other);
        ds__doc_end(buf, at);
        break;
    case JOIN_NOT:
        ds_buf_add(buf, it->element, it->element_size);
        break;
    }
}

/* What second adds to first: fields of its own to `head`, those in the way to `late`. */
static void split(ds_buf *head, ds_buf *late, ds_value first, ds_value second) {
    ds__iter it;
    ds_value mine;
    ds__iter_init(&it, second);
    while (ds__iter_next(&it)) {
        if (!ds__doc_get(first, it.key, it.key_size, &mine)) {
            ds_buf_add(head, it.element, it.element_size);
        } else if (how_to_join(it.key, mine, it.value) == JOIN_NOT) {
            ds_buf_add(late, it.element, it.element_size);
        }
    }
}

/* {$and: [what head's $and has, the rest of head, late]} */
static void write_and(ds_buf *out, ds_value head, ds_value late) {
    size_t root = ds__doc_begin(out), n = 0;
    size_t list = ds__write_doc(out, "$and", 4, DS_ARRAY);
    ds_value ands = ds__doc_field(head, "$and");
    if (ands.type == DS_ARRAY) {
        write_items(out, &n, ands);
    }
    if (ands.type != DS_ARRAY) {
        ds__write_index(out, n++, head);
    } else if (ds__doc_count(head) > 1) {
        size_t rest = ds__write_index_doc(out, n++, DS_DOCUMENT);
        ds__iter it;
        ds__iter_init(&it, head);
        while (ds__iter_next(&it)) {
            if (strcmp(it.key, "$and") != 0) {
                ds_buf_add(out, it.element, it.element_size);
            }
        }
        ds__doc_end(out, rest);
    }
    ds__write_index(out, n, late);
    ds__doc_end(out, list);
    ds__doc_end(out, root);
}

bool ds__filter_merge(ds_buf *out, ds_value first, ds_value second) {
    if (ds__doc_empty(first) || ds__doc_empty(second)) {
        ds_value one = ds__doc_empty(first) ? second : first;
        ds_buf_add(out, one.as.bytes, one.size);
        return ds__py_buf_ok(out);
    }
    ds_buf head = {0}, late = {0};
    size_t root = ds__doc_begin(&head), behind = ds__doc_begin(&late);
    ds__iter it;
    ds_value other;
    ds__iter_init(&it, first);
    while (ds__iter_next(&it)) {
        if (ds__doc_get(second, it.key, it.key_size, &other)) {
            write_joined(&head, &it, other);
        } else {
            ds_buf_add(&head, it.element, it.element_size);
        }
    }
    split(&head, &late, first, second);
    ds__doc_end(&head, root);
    ds__doc_end(&late, behind);
    bool ok = ds__py_buf_ok(&head) && ds__py_buf_ok(&late);
    if (ok && ds__doc_empty(ds__document(late.data))) {
        ds_buf_add(out, head.data, head.size);
    } else if (ok) {
        write_and(out, ds__document(head.data), ds__document(late.data));
    }
    ok = ok && ds__py_buf_ok(out);
    ds_buf_clear(&head);
    ds_buf_clear(&late);
    return ok;
}

bool ds__lookup_has(const ds_buf *buf, const char *key, size_t key_size) {
    if (buf->failed || buf->size <= 4) {
        return false;
    }
    ds__iter it = {.at = buf->data + 4, .end = buf->data + buf->size};
    while (ds__iter_next(&it)) {
        if (it.key_size == key_size && memcmp(it.key, key, key_size) == 0) {
            return true;
        }
    }
    return false;
}

static bool join_and(ds_buf *out, PyObject *list) {
    for (Py_ssize_t i = 0; i < PyTuple_GET_SIZE(list); i++) {
        ds_value part = ds__raw_view(PyTuple_GET_ITEM(list, i));
        if (i == 0) {
            ds_buf_add(out, part.as.bytes, part.size);
            continue;
        }
        ds_buf next = {0};
        bool ok = ds__py_buf_ok(out) && ds__filter_merge(&next, ds__document(out->data), part);
        ds_buf_clear(out);
        *out = next;
        if (!ok) {
            return false;
        }
    }
    if (PyTuple_GET_SIZE(list) == 0) {
        ds__doc_end(out, ds__doc_begin(out));
    }
    return ds__py_buf_ok(out);
}

/* An alternative that always holds makes the whole hold. */
static void join_list(ds_buf *out, PyObject *list, const char *op, bool optional) {
    size_t root = ds__doc_begin(out), array = ds__write_doc(out, op, strlen(op), DS_ARRAY);
    for (Py_ssize_t i = 0; i < PyTuple_GET_SIZE(list); i++) {
        ds_value part = ds__raw_view(PyTuple_GET_ITEM(list, i));
        if (optional && ds__doc_empty(part)) {
            out->size = 0;
            root = ds__doc_begin(out);
            ds__doc_end(out, root);
            return;
        }
        ds__write_index(out, (size_t)i, part);
    }
    ds__doc_end(out, array);
    ds__doc_end(out, root);
}

PyObject *ds__join_filters(PyObject *module, PyObject *args) {
    ds__pstate *state = ds__pstate_of_module(module);
    const char *op;
    PyObject *parts_b;
    if (!PyArg_ParseTuple(args, "sO!:join_filters", &op, &PyList_Type, &parts_b)) {
        return NULL;
    }
    PyObject *list = PyList_AsTuple(parts_b);
    for (Py_ssize_t i = 0; list && i < PyTuple_GET_SIZE(list); i++) {
        if (!Py_IS_TYPE(PyTuple_GET_ITEM(list, i), (PyTypeObject *)state->raw_type)) {
            PyErr_SetString(PyExc_TypeError, "join_filters() takes a list of Raw");
            Py_CLEAR(list);
        }
    }
    if (!list) {
        return NULL;
    }
    ds_buf out = {0};
    bool ok = true;
    if (strcmp(op, "$and") == 0) {
        ok = join_and(&out, list);
    } else if (strcmp(op, "$or") == 0 || strcmp(op, "$nor") == 0) {
        join_list(&out, list, op, op[1] == 'o');
    } else {
        PyErr_Format(PyExc_ValueError, "filters are not joined by %.20s", op);
        ok = false;
    }
    Py_DECREF(list);
    if (!ok) {
        ds_buf_clear(&out);
        return NULL;
    }
    return ds__raw_take(state, &out);
}
