/* SPDX-License-Identifier: Apache-2.0 */
/* BSON as Python objects. Names of fields repeat from document to document, so a small cache of
 * strings saves decoding, allocating and hashing them. */
#include "codec.h"

#include "extension.h"

static PyObject *decode(ds__pstate *state, const ds_value *v, const ds__py_options *options,
                        int depth);

static PyObject *bad_text(ds__pstate *state, const char *what) {
    if (PyErr_ExceptionMatches(PyExc_UnicodeDecodeError)) {
        PyObject *type, *value, *trace;
        PyErr_Fetch(&type, &value, &trace);
        PyErr_Format(state->invalid_bson, "%s is not valid UTF-8: %S", what, value ? value : type);
        Py_XDECREF(type);
        Py_XDECREF(value);
        Py_XDECREF(trace);
    }
    return NULL;
}

static PyObject *text(ds__pstate *state, const char *s, size_t size) {
    PyObject *out = PyUnicode_DecodeUTF8(s, (Py_ssize_t)size, NULL);
    return out ? out : bad_text(state, "a stored text");
}

PyObject *ds__py_key(ds__pstate *state, const char *key, size_t size) {
    uint32_t hash = 2166136261u;
    for (size_t i = 0; i < size; i++) {
        hash = (hash ^ (uint8_t)key[i]) * 16777619u;
    }
    PyObject **place = &state->keys[(hash ^ hash >> 15) & (DS__PY_KEYS - 1)];
    if (*place) {
        Py_ssize_t length = 0;
        const char *held = PyUnicode_AsUTF8AndSize(*place, &length);
        if (held && (size_t)length == size && memcmp(held, key, size) == 0) {
            return Py_NewRef(*place);
        }
    }
    PyObject *name = PyUnicode_DecodeUTF8(key, (Py_ssize_t)size, NULL);
    if (!name) {
        return bad_text(state, "the name of a field");
    }
    if (size <= 64) {
        PyUnicode_InternInPlace(&name); /* attribute names are looked up by identity first */
        Py_XSETREF(*place, Py_NewRef(name));
    }
    return name;
}

static PyObject *integer64(ds__pstate *state, int64_t n, const ds__py_options *options) {
    PyObject *number = PyLong_FromLongLong(n);
    if (!number || (options && options->plain_int)) {
        return number;
    }
    PyObject *out = PyObject_CallOneArg(state->int64, number);
    Py_DECREF(number);
    return out;
}

static PyObject *binary(ds__pstate *state, const ds_value *v) {
    const uint8_t *bytes = v->as.bytes;
    uint32_t size = v->size;
    if (v->subtype == 4 && size == 16) {
        return ds__py_uuid(state, bytes);
    }
    if (v->subtype == 2 && size >= 4 && ds__load_u32(bytes) == size - 4) {
        bytes += 4;
        size -= 4;
    }
    PyObject *payload = PyBytes_FromStringAndSize((const char *)bytes, (Py_ssize_t)size);
    if (!payload || v->subtype == 0) {
        return payload;
    }
    PyObject *out = PyObject_CallFunction(state->binary, "Ni", payload, (int)v->subtype);
    return out;
}

static int regex_flags(const char *letters) {
    int flags = 0;
    for (; *letters; letters++) {
        switch (*letters) {
        case 'i':
            flags |= 2;
            break;
        case 'l':
            flags |= 4;
            break;
        case 'm':
            flags |= 8;
            break;
        case 's':
            flags |= 16;
            break;
        case 'u':
            flags |= 32;
            break;
        case 'x':
            flags |= 64;
            break;
        default:
            break;
        }
    }
    return flags;
}

static PyObject *regex(ds__pstate *state, const ds_value *v) {
    const char *pattern = (const char *)v->as.bytes;
    size_t size = strlen(pattern);
    PyObject *source = text(state, pattern, size);
    if (!source) {
        return NULL;
    }
    return PyObject_CallFunction(state->regex, "Ni", source, regex_flags(pattern + size + 1));
}

static PyObject *timestamp(ds__pstate *state, uint64_t v) {
    return PyObject_CallFunction(state->timestamp, "II", (unsigned)(v >> 32), (unsigned)v);
}

/* String with its length, then an ObjectId. */
static PyObject *db_pointer(ds__pstate *state, const ds_value *v) {
    uint32_t size = ds__load_u32(v->as.bytes);
    PyObject *name = text(state, (const char *)v->as.bytes + 4, size - 1);
    PyObject *id = name ? ds__py_object_id(state, v->as.bytes + 4 + size) : NULL;
    if (!id) {
        Py_XDECREF(name);
        return NULL;
    }
    return PyObject_CallFunction(state->dbref, "NN", name, id);
}

static PyObject *code_with_scope(ds__pstate *state, const ds_value *v,
                                 const ds__py_options *options, int depth) {
    const uint8_t *p = v->as.bytes + 4;
    uint32_t size = ds__load_u32(p);
    PyObject *source = text(state, (const char *)p + 4, size - 1);
    ds_value scope = ds__document(p + 4 + size);
    PyObject *dict = source ? decode(state, &scope, options, depth + 1) : NULL;
    if (!dict) {
        Py_XDECREF(source);
        return NULL;
    }
    return PyObject_CallFunction(state->code, "NN", source, dict);
}

static PyObject *to_dict(ds__pstate *state, const ds_value *doc, const ds__py_options *options,
                         int depth) {
    PyObject *dict = PyDict_New();
    ds__iter it;
    ds__iter_init(&it, *doc);
    while (dict && ds__iter_next(&it)) {
        PyObject *key = ds__py_key(state, it.key, it.key_size);
        PyObject *value = key ? decode(state, &it.value, options, depth + 1) : NULL;
        if (!value || PyDict_SetItem(dict, key, value) != 0) {
            Py_CLEAR(dict);
        }
        Py_XDECREF(key);
        Py_XDECREF(value);
    }
    return dict;
}

static PyObject *to_list(ds__pstate *state, const ds_value *array, const ds__py_options *options,
                         int depth) {
    PyObject *list = PyList_New((Py_ssize_t)ds__doc_count(*array));
    ds__iter it;
    ds__iter_init(&it, *array);
    for (Py_ssize_t i = 0; list && ds__iter_next(&it); i++) {
        PyObject *value = decode(state, &it.value, options, depth + 1);
        if (!value) {
            Py_CLEAR(list);
            break;
        }
        PyList_SET_ITEM(list, i, value);
    }
    return list;
}

/* Whether an embedded document is {$ref: <text>, $id: ...}. */
static bool looks_like_dbref(const ds_value *doc) {
    ds__iter it;
    ds__iter_init(&it, *doc);
    return ds__iter_next(&it) && it.key_size == 4 && memcmp(it.key, "$ref", 4) == 0 &&
           it.value.type == DS_STRING && ds__iter_next(&it) && it.key_size == 3 &&
           memcmp(it.key, "$id", 3) == 0;
}

static PyObject *take_key(PyObject *dict, const char *key) {
    PyObject *value = Py_XNewRef(PyDict_GetItemString(dict, key));
    if (value) {
        PyDict_DelItemString(dict, key);
        return value;
    }
    return Py_NewRef(Py_None);
}

static PyObject *to_dbref(ds__pstate *state, const ds_value *doc, const ds__py_options *options,
                          int depth) {
    PyObject *dict = to_dict(state, doc, options, depth);
    if (!dict) {
        return NULL;
    }
    PyObject *collection = take_key(dict, "$ref");
    PyObject *id = take_key(dict, "$id");
    PyObject *database = take_key(dict, "$db");
    if (database != Py_None && !PyUnicode_Check(database)) {
        Py_DECREF(collection);
        Py_DECREF(id);
        Py_DECREF(database);
        Py_DECREF(dict);
        return to_dict(state, doc, options, depth);
    }
    return PyObject_CallFunction(state->dbref, "NNNN", collection, id, database, dict);
}

static PyObject *decode_rare(ds__pstate *state, const ds_value *v, const ds__py_options *options,
                             int depth) {
    switch ((ds_type)v->type) {
    case DS_BINARY:
        return binary(state, v);
    case DS_REGEX:
        return regex(state, v);
    case DS_DB_POINTER:
        return db_pointer(state, v);
    case DS_CODE_TYPE: {
        PyObject *source = text(state, ds__text(*v), v->size);
        return source ? PyObject_CallFunction(state->code, "N", source) : NULL;
    }
    case DS_CODE_W_SCOPE:
        return code_with_scope(state, v, options, depth);
    case DS_SYMBOL:
        return text(state, ds__text(*v), v->size);
    case DS_TIMESTAMP:
        return timestamp(state, v->as.u64);
    case DS_DECIMAL:
        return ds__py_decimal128(state, v->as.dec);
    case DS_MIN_KEY:
        return PyObject_CallNoArgs(state->min_key);
    case DS_MAX_KEY:
        return PyObject_CallNoArgs(state->max_key);
    default:
        Py_RETURN_NONE; /* undefined, missing */
    }
}

static PyObject *decode(ds__pstate *state, const ds_value *v, const ds__py_options *options,
                        int depth) {
    if (depth > DS_MAX_COMMAND_DEPTH + DS_MAX_DEPTH) {
        PyErr_SetString(state->invalid_bson, "the document is nested too deeply");
        return NULL;
    }
    switch ((ds_type)v->type) {
    case DS_STRING:
        return text(state, ds__text(*v), v->size);
    case DS_INT32:
        return PyLong_FromLong(v->as.i32);
    case DS_OBJECT_ID:
        return ds__py_object_id(state, v->as.oid);
    case DS_DOUBLE:
        return PyFloat_FromDouble(v->as.f64);
    case DS_BOOL:
        return PyBool_FromLong(v->as.b);
    case DS_DATE:
        return ds__py_datetime(state, v->as.i64, options);
    case DS_NULL:
        Py_RETURN_NONE;
    case DS_INT64:
        return integer64(state, v->as.i64, options);
    case DS_DOCUMENT:
        if (depth > 0 && !(options && options->raw_dbref) && looks_like_dbref(v)) {
            return to_dbref(state, v, options, depth);
        }
        return to_dict(state, v, options, depth);
    case DS_ARRAY:
        return to_list(state, v, options, depth);
    default:
        return decode_rare(state, v, options, depth);
    }
}

PyObject *ds__py_decode_value(ds__pstate *state, ds_value value, const ds__py_options *options) {
    return decode(state, &value, options, 1);
}

PyObject *ds__py_decode_document(ds__pstate *state, ds_value document,
                                 const ds__py_options *options) {
    return decode(state, &document, options, 0);
}
