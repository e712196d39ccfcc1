/* SPDX-License-Identifier: Apache-2.0 */
/* Python objects as BSON. Exact types first, then subclasses; a chain of frames on the C stack
 * knows the path of the field being written, so that an error can name it. */
#include "codec.h"

#include "raw.h"

#include "extension.h"

typedef ds__place frame;

static bool encode(ds__pstate *state, ds_buf *buf, const frame *at, PyObject *value);

bool ds__py_buf_ok(const ds_buf *buf) {
    if (!buf->failed) {
        return true;
    }
    ds_error err = {0};
    ds_buf_ok(buf, &err);
    PyErr_SetString(err.code == DS_BSON_OBJECT_TOO_LARGE ? PyExc_ValueError : PyExc_MemoryError,
                    err.message);
    return false;
}

static void add_path(ds_buf *text, const frame *at) {
    if (at->parent) {
        add_path(text, at->parent);
        if (text->size) {
            ds_buf_add_byte(text, '.');
        }
    }
    ds_buf_add(text, at->key, at->size);
}

/* Raises `kind` with the path of the field and a reason. */
static bool refuse(PyObject *kind, const frame *at, const char *reason, PyObject *value) {
    ds_buf path = {0};
    add_path(&path, at);
    ds_buf_add_byte(&path, 0);
    const char *text = path.failed ? "?" : (const char *)path.data;
    if (value) {
        PyErr_Format(kind, "field '%s': %s, found %.200s", text, reason, Py_TYPE(value)->tp_name);
    } else {
        PyErr_Format(kind, "field '%s': %s", text, reason);
    }
    ds_buf_clear(&path);
    return false;
}

static inline void put(ds_buf *buf, const frame *at, ds_value v) {
    ds__write_value(buf, at->key, at->size, v);
}

static bool put_text(ds_buf *buf, const frame *at, uint8_t type, PyObject *value) {
    Py_ssize_t size = 0;
    const char *text = PyUnicode_AsUTF8AndSize(value, &size);
    if (!text) {
        if (PyErr_ExceptionMatches(PyExc_UnicodeEncodeError)) {
            PyErr_Clear();
            return refuse(PyExc_ValueError, at, "the text has lone surrogates; it is not UTF-8",
                          NULL);
        }
        return false;
    }
    if ((size_t)size >= DS_BUF_DEFAULT_MAX) {
        return refuse(PyExc_OverflowError, at, "the text is too long", NULL);
    }
    ds_value v = ds__string(text, (size_t)size);
    v.type = type;
    put(buf, at, v);
    return true;
}

/* Int64 keeps its width; other integers take 32 bits when they fit. */
static bool put_int(ds__pstate *state, ds_buf *buf, const frame *at, PyObject *value) {
    int overflow = 0;
    long long n = PyLong_AsLongLongAndOverflow(value, &overflow);
    if (overflow) {
        return refuse(PyExc_OverflowError, at, "integers of more than 64 bits cannot be stored",
                      NULL);
    }
    if (n == -1 && PyErr_Occurred()) {
        return false;
    }
    bool wide = n > INT32_MAX || n < INT32_MIN ||
                (!PyLong_CheckExact(value) && (PyObject *)Py_TYPE(value) == state->int64);
    put(buf, at, wide ? ds__int64(n) : ds__int32((int32_t)n));
    return true;
}

static bool put_binary(ds_buf *buf, const frame *at, PyObject *value, uint8_t subtype) {
    Py_buffer view;
    if (PyObject_GetBuffer(value, &view, PyBUF_SIMPLE) != 0) {
        return false;
    }
    ds_value v = {.type = DS_BINARY, .subtype = subtype, .size = (uint32_t)view.len};
    v.as.bytes = view.buf ? view.buf : (const uint8_t *)"";
    bool ok = true;
    if ((size_t)view.len >= DS_BUF_DEFAULT_MAX) {
        ok = refuse(PyExc_OverflowError, at, "the bytes are too long", NULL);
    } else if (subtype == 2) {
        /* the old binary type has its length inside as well */
        ds_buf inner = {0};
        uint32_t size = (uint32_t)view.len;
        ds_buf_add(&inner, &size, 4);
        ds_buf_add(&inner, view.buf, (size_t)view.len);
        ok = ds__py_buf_ok(&inner);
        v.as.bytes = inner.data;
        v.size = (uint32_t)inner.size;
        if (ok) {
            put(buf, at, v);
        }
        ds_buf_clear(&inner);
    } else {
        put(buf, at, v);
    }
    PyBuffer_Release(&view);
    return ok;
}

static bool put_sequence(ds__pstate *state, ds_buf *buf, const frame *at, PyObject *value) {
    size_t begin = ds__write_doc(buf, at->key, at->size, DS_ARRAY);
    /* by position and length each time: encoding an item may run Python that changes the list */
    for (Py_ssize_t i = 0; i < PySequence_Fast_GET_SIZE(value); i++) {
        char key[24];
        frame child = {at, key, ds__index_text((size_t)i, key), at->depth + 1};
        PyObject *item = Py_NewRef(PySequence_Fast_GET_ITEM(value, i));
        bool ok = encode(state, buf, &child, item);
        Py_DECREF(item);
        if (!ok) {
            return false;
        }
    }
    ds__doc_end(buf, begin);
    return true;
}

static bool put_pair(ds__pstate *state, ds_buf *buf, const frame *at, PyObject *key,
                     PyObject *value) {
    if (!PyUnicode_Check(key)) {
        return refuse(PyExc_TypeError, at, "names of fields must be str", key);
    }
    Py_ssize_t size = 0;
    const char *name = PyUnicode_AsUTF8AndSize(key, &size);
    if (!name) {
        return false;
    }
    frame child = {at, name, (size_t)size, at->depth + 1};
    if (memchr(name, 0, (size_t)size)) {
        return refuse(PyExc_ValueError, &child, "names of fields must not contain NUL", NULL);
    }
    return encode(state, buf, &child, value);
}

static bool put_dict(ds__pstate *state, ds_buf *buf, const frame *at, PyObject *dict) {
    PyObject *key_b = NULL, *value_b = NULL;
    Py_ssize_t i = 0;
    Py_ssize_t size = PyDict_GET_SIZE(dict);
    while (PyDict_Next(dict, &i, &key_b, &value_b)) {
        PyObject *key = Py_NewRef(key_b), *value = Py_NewRef(value_b);
        bool ok = put_pair(state, buf, at, key, value);
        Py_DECREF(key);
        Py_DECREF(value);
        if (!ok) {
            return false;
        }
        if (PyDict_GET_SIZE(dict) != size) {
            PyErr_SetString(PyExc_RuntimeError, "dictionary changed size while it was encoded");
            return false;
        }
    }
    return true;
}

static bool put_mapping(ds__pstate *state, ds_buf *buf, const frame *at, PyObject *mapping) {
    if (PyDict_CheckExact(mapping)) {
        return put_dict(state, buf, at, mapping);
    }
    PyObject *items = PyMapping_Items(mapping);
    if (!items) {
        return false;
    }
    bool ok = true;
    for (Py_ssize_t i = 0; ok && i < PyList_GET_SIZE(items); i++) {
        PyObject *pair = PyList_GET_ITEM(items, i);
        if (!PyTuple_Check(pair) || PyTuple_GET_SIZE(pair) != 2) {
            ok = refuse(PyExc_TypeError, at, "a mapping's items() must be pairs", pair);
            break;
        }
        ok = put_pair(state, buf, at, PyTuple_GET_ITEM(pair, 0), PyTuple_GET_ITEM(pair, 1));
    }
    Py_DECREF(items);
    return ok;
}

static bool put_document(ds__pstate *state, ds_buf *buf, const frame *at, PyObject *mapping) {
    size_t begin = ds__write_doc(buf, at->key, at->size, DS_DOCUMENT);
    if (!put_mapping(state, buf, at, mapping)) {
        return false;
    }
    ds__doc_end(buf, begin);
    return true;
}

/* Bytes that hold one BSON document, checked. */
static bool check_raw(const frame *at, const Py_buffer *view) {
    ds_error err = {0};
    if (ds__bson_validate(view->buf, (size_t)view->len, DS_MAX_COMMAND_DEPTH, &err)) {
        return true;
    }
    return refuse(PyExc_ValueError, at, err.message, NULL);
}

static bool put_raw(ds_buf *buf, const frame *at, PyObject *raw) {
    PyObject *bytes = PyObject_GetAttrString(raw, "raw");
    Py_buffer view;
    if (!bytes || PyObject_GetBuffer(bytes, &view, PyBUF_SIMPLE) != 0) {
        Py_XDECREF(bytes);
        return false;
    }
    bool ok = check_raw(at, &view);
    if (ok) {
        put(buf, at, ds__document(view.buf));
    }
    PyBuffer_Release(&view);
    Py_DECREF(bytes);
    return ok;
}

/* {$ref, $id, $db, ...} */
static bool put_dbref(ds__pstate *state, ds_buf *buf, const frame *at, PyObject *ref) {
    PyObject *doc = PyObject_CallMethod(ref, "as_doc", NULL);
    bool ok = doc && put_document(state, buf, at, doc);
    Py_XDECREF(doc);
    return ok;
}

static bool attribute_u32(PyObject *object, const char *name, uint32_t *out) {
    PyObject *value = PyObject_GetAttrString(object, name);
    unsigned long n = value ? PyLong_AsUnsignedLong(value) : 0;
    Py_XDECREF(value);
    if (PyErr_Occurred()) {
        return false;
    }
    *out = (uint32_t)n;
    return true;
}

static bool put_timestamp(ds_buf *buf, const frame *at, PyObject *value) {
    uint32_t seconds = 0, increment = 0;
    if (!attribute_u32(value, "time", &seconds) || !attribute_u32(value, "inc", &increment)) {
        return false;
    }
    ds_value v = {.type = DS_TIMESTAMP};
    v.as.u64 = (uint64_t)seconds << 32 | increment;
    put(buf, at, v);
    return true;
}

/* Flags of the re module as BSON's letters, in alphabetical order. */
static size_t regex_letters(long flags, char out[8]) {
    static const struct {
        long flag;
        char letter;
    } letters[] = {{2, 'i'}, {4, 'l'}, {8, 'm'}, {16, 's'}, {32, 'u'}, {64, 'x'}};
    size_t n = 0;
    for (size_t i = 0; i < sizeof letters / sizeof letters[0]; i++) {
        if (flags & letters[i].flag) {
            out[n++] = letters[i].letter;
        }
    }
    return n;
}

static bool put_regex(ds_buf *buf, const frame *at, PyObject *value) {
    bool ok = false;
    ds_buf text = {0};
    PyObject *pattern = PyObject_GetAttrString(value, "pattern");
    PyObject *flags = pattern ? PyObject_GetAttrString(value, "flags") : NULL;
    long bits = flags ? PyLong_AsLong(flags) : -1;
    const char *source = NULL;
    Py_ssize_t size = 0;
    if (!flags || PyErr_Occurred()) {
        goto done;
    }
    if (PyBytes_Check(pattern)) {
        source = PyBytes_AS_STRING(pattern);
        size = PyBytes_GET_SIZE(pattern);
    } else {
        source = PyUnicode_AsUTF8AndSize(pattern, &size);
    }
    if (!source) {
        goto done;
    }
    if (memchr(source, 0, (size_t)size)) {
        refuse(PyExc_ValueError, at, "regular expressions must not contain NUL", NULL);
        goto done;
    }
    char letters[8];
    size_t count = regex_letters(bits, letters);
    ds_buf_add(&text, source, (size_t)size);
    ds_buf_add_byte(&text, 0);
    ds_buf_add(&text, letters, count);
    ds_buf_add_byte(&text, 0);
    ok = ds__py_buf_ok(&text);
    if (ok) {
        ds_value v = {.type = DS_REGEX, .size = (uint32_t)text.size, .as.bytes = text.data};
        put(buf, at, v);
    }
done:
    ds_buf_clear(&text);
    Py_XDECREF(pattern);
    Py_XDECREF(flags);
    return ok;
}

/* Code is a str; with a scope it becomes code with scope: length, string, document. */
static bool put_code(ds__pstate *state, ds_buf *buf, const frame *at, PyObject *value) {
    PyObject *scope = PyObject_GetAttrString(value, "scope");
    if (!scope) {
        return false;
    }
    bool ok = false;
    ds_buf body = {0};
    if (scope == Py_None) {
        ok = put_text(buf, at, DS_CODE_TYPE, value);
        goto done;
    }
    Py_ssize_t size = 0;
    const char *text = PyUnicode_AsUTF8AndSize(value, &size);
    if (!text) {
        goto done;
    }
    uint32_t length = (uint32_t)size + 1, total = 0;
    ds_buf_add(&body, &total, 4);
    ds_buf_add(&body, &length, 4);
    ds_buf_add(&body, text, length);
    size_t begin = ds__doc_begin(&body);
    if (!put_mapping(state, &body, at, scope)) {
        goto done;
    }
    ds__doc_end(&body, begin);
    ok = ds__py_buf_ok(&body);
    if (ok) {
        total = (uint32_t)body.size;
        memcpy(body.data, &total, 4);
        ds_value v = {.type = DS_CODE_W_SCOPE, .size = total, .as.bytes = body.data};
        put(buf, at, v);
    }
done:
    ds_buf_clear(&body);
    Py_DECREF(scope);
    return ok;
}

static bool put_datetime(ds__pstate *state, ds_buf *buf, const frame *at, PyObject *value) {
    int64_t ms = 0;
    if (!ds__py_datetime_ms(state, value, &ms)) {
        return false;
    }
    put(buf, at, ds__date(ms));
    return true;
}

/* A plain date is midnight UTC. */
static bool put_date(ds__pstate *state, ds_buf *buf, const frame *at, PyObject *value) {
    PyObject *midnight = state->datetime->DateTime_FromDateAndTime(
        PyDateTime_GET_YEAR(value), PyDateTime_GET_MONTH(value), PyDateTime_GET_DAY(value), 0, 0, 0,
        0, Py_None, state->datetime->DateTimeType);
    bool ok = midnight && put_datetime(state, buf, at, midnight);
    Py_XDECREF(midnight);
    return ok;
}

static bool put_datetime_ms(ds_buf *buf, const frame *at, PyObject *value) {
    PyObject *number = PyNumber_Long(value);
    long long ms = number ? PyLong_AsLongLong(number) : -1;
    Py_XDECREF(number);
    if (PyErr_Occurred()) {
        return false;
    }
    put(buf, at, ds__date(ms));
    return true;
}

static bool put_decimal(ds__pstate *state, ds_buf *buf, const frame *at, PyObject *value) {
    ds_decimal number;
    if (!ds__py_decimal_value(state, value, &number)) {
        if (PyErr_ExceptionMatches(PyExc_ValueError)) {
            PyErr_Clear();
            return refuse(PyExc_ValueError, at, "the number needs more than decimal128's 34 digits",
                          NULL);
        }
        return false;
    }
    put(buf, at, ds__decimal(number));
    return true;
}

static bool put_uuid(ds__pstate *state, ds_buf *buf, const frame *at, PyObject *value) {
    uint8_t bytes[16];
    if (!ds__py_uuid_bytes(state, value, bytes)) {
        return false;
    }
    ds_value v = {.type = DS_BINARY, .subtype = 4, .size = 16, .as.bytes = bytes};
    put(buf, at, v);
    return true;
}

static bool is(PyObject *value, PyObject *type) {
    return PyObject_TypeCheck(value, (PyTypeObject *)type);
}

/* Enumerations are stored as their value. */
static bool put_enum(ds__pstate *state, ds_buf *buf, const frame *at, PyObject *value) {
    PyObject *inner = PyObject_GetAttrString(value, "value");
    bool ok = inner && encode(state, buf, at, inner);
    Py_XDECREF(inner);
    return ok;
}

/* Classes of bson and of the standard library. `*known` tells whether the value was one. */
static bool put_class(ds__pstate *state, ds_buf *buf, const frame *at, PyObject *value,
                      bool *known) {
    *known = true;
    if (is(value, state->enum_class)) {
        return put_enum(state, buf, at, value);
    }
    if (is(value, (PyObject *)state->datetime->DateTimeType)) {
        return put_datetime(state, buf, at, value);
    }
    if (is(value, (PyObject *)state->datetime->DateType)) {
        return put_date(state, buf, at, value);
    }
    if (is(value, state->decimal) || is(value, state->decimal128)) {
        return put_decimal(state, buf, at, value);
    }
    if (is(value, state->uuid)) {
        return put_uuid(state, buf, at, value);
    }
    if (is(value, state->dbref)) {
        return put_dbref(state, buf, at, value);
    }
    if (is(value, state->regex) || is(value, state->pattern)) {
        return put_regex(buf, at, value);
    }
    if (is(value, state->timestamp)) {
        return put_timestamp(buf, at, value);
    }
    if (is(value, state->datetime_ms)) {
        return put_datetime_ms(buf, at, value);
    }
    if (is(value, state->min_key)) {
        put(buf, at, (ds_value){.type = DS_MIN_KEY});
        return true;
    }
    if (is(value, state->max_key)) {
        put(buf, at, (ds_value){.type = DS_MAX_KEY});
        return true;
    }
    if (is(value, state->raw_document)) {
        return put_raw(buf, at, value);
    }
    *known = false;
    return true;
}

/* Subclasses of the built-in types, sequences and mappings. */
static bool put_general(ds__pstate *state, ds_buf *buf, const frame *at, PyObject *value) {
    if (PyUnicode_Check(value)) {
        return is(value, state->code) ? put_code(state, buf, at, value)
                                      : put_text(buf, at, DS_STRING, value);
    }
    if (PyLong_Check(value)) {
        return put_int(state, buf, at, value);
    }
    if (PyFloat_Check(value)) {
        put(buf, at, ds__double(PyFloat_AS_DOUBLE(value)));
        return true;
    }
    if (is(value, state->binary)) {
        uint32_t subtype = 0;
        return attribute_u32(value, "subtype", &subtype) &&
               put_binary(buf, at, value, (uint8_t)subtype);
    }
    if (PyBytes_Check(value) || PyByteArray_Check(value) || PyMemoryView_Check(value)) {
        return put_binary(buf, at, value, 0);
    }
    if (PyDict_Check(value)) {
        return put_document(state, buf, at, value);
    }
    if (PyList_Check(value) || PyTuple_Check(value)) {
        return put_sequence(state, buf, at, value);
    }
    int mapping = PyObject_IsInstance(value, state->mapping);
    if (mapping != 0) {
        return mapping > 0 && put_document(state, buf, at, value);
    }
    return refuse(PyExc_TypeError, at, "this type cannot be stored as BSON", value);
}

/* Made from Python values part by part, it may have become too deep. */
static bool put_made(ds_buf *buf, const frame *at, PyObject *raw) {
    ds_value doc = ds__raw_view(raw);
    Py_buffer view = {.buf = (void *)(uintptr_t)doc.as.bytes, .len = (Py_ssize_t)doc.size};
    if (!check_raw(at, &view)) {
        return false;
    }
    put(buf, at, doc);
    return true;
}

static bool encode_rare(ds__pstate *state, ds_buf *buf, const frame *at, PyObject *value) {
    if (Py_IS_TYPE(value, (PyTypeObject *)state->raw_type)) {
        return put_made(buf, at, value);
    }
    uint8_t oid[12];
    int found = ds__py_object_id_bytes(state, value, oid);
    if (found != 0) {
        if (found > 0) {
            ds_value v = {.type = DS_OBJECT_ID};
            memcpy(v.as.oid, oid, sizeof oid);
            put(buf, at, v);
        }
        return found > 0;
    }
    bool handled = false;
    if (state->encode_hook && (!state->encode_hook(state, buf, at, value, &handled) || handled)) {
        return handled && !PyErr_Occurred();
    }
    bool ok = put_class(state, buf, at, value, &handled);
    return handled ? ok : put_general(state, buf, at, value);
}

bool ds__py_depth_ok(const ds__place *at) {
    return at->depth <= DS_MAX_COMMAND_DEPTH ||
           refuse(PyExc_ValueError, at, "nested too deeply (or containing itself)", NULL);
}

static bool encode(ds__pstate *state, ds_buf *buf, const frame *at, PyObject *value) {
    if (!ds__py_depth_ok(at)) {
        return false;
    }
    if (PyUnicode_CheckExact(value)) {
        return put_text(buf, at, DS_STRING, value);
    }
    if (PyLong_CheckExact(value)) {
        return put_int(state, buf, at, value);
    }
    if (PyFloat_CheckExact(value)) {
        put(buf, at, ds__double(PyFloat_AS_DOUBLE(value)));
        return true;
    }
    if (value == Py_None) {
        put(buf, at, ds__null());
        return true;
    }
    if (PyBool_Check(value)) {
        put(buf, at, ds__bool(value == Py_True));
        return true;
    }
    if (PyDict_CheckExact(value)) {
        return put_document(state, buf, at, value);
    }
    if (PyList_CheckExact(value) || PyTuple_CheckExact(value)) {
        return put_sequence(state, buf, at, value);
    }
    if (PyBytes_CheckExact(value)) {
        return put_binary(buf, at, value, 0);
    }
    return encode_rare(state, buf, at, value);
}

bool ds__py_encode_at(ds__pstate *state, ds_buf *buf, const ds__place *at, PyObject *value) {
    return encode(state, buf, at, value);
}

bool ds__py_encode_value(ds__pstate *state, ds_buf *buf, const char *key, size_t key_size,
                         PyObject *value) {
    frame at = {NULL, key, key_size, 0};
    return encode(state, buf, &at, value);
}

bool ds__py_encode_fields(ds__pstate *state, ds_buf *buf, PyObject *mapping) {
    frame at = {NULL, "", 0, 0};
    return put_mapping(state, buf, &at, mapping);
}

bool ds__py_encode_document(ds__pstate *state, ds_buf *buf, PyObject *document) {
    frame at = {NULL, "", 0, 0};
    PyObject *raw = NULL;
    if (PyBytes_Check(document) || PyByteArray_Check(document) || PyMemoryView_Check(document)) {
        raw = Py_NewRef(document);
    } else if (is(document, state->raw_document)) {
        raw = PyObject_GetAttrString(document, "raw");
        if (!raw) {
            return false;
        }
    }
    if (raw) {
        Py_buffer view;
        bool ok = PyObject_GetBuffer(raw, &view, PyBUF_SIMPLE) == 0;
        if (ok) {
            ok = check_raw(&at, &view);
            if (ok) {
                ds_buf_add(buf, view.buf, (size_t)view.len);
            }
            PyBuffer_Release(&view);
        }
        Py_DECREF(raw);
        return ok && ds__py_buf_ok(buf);
    }
    if (Py_IS_TYPE(document, (PyTypeObject *)state->raw_type)) {
        ds_value doc = ds__raw_view(document);
        ds_buf_add(buf, doc.as.bytes, doc.size);
        return ds__py_buf_ok(buf);
    }
    if (!PyDict_Check(document)) {
        int mapping = PyObject_IsInstance(document, state->mapping);
        if (mapping <= 0) {
            if (mapping == 0) {
                PyErr_Format(PyExc_TypeError,
                             "a document must be a mapping or bytes of BSON, found %.200s",
                             Py_TYPE(document)->tp_name);
            }
            return false;
        }
    }
    size_t begin = ds__doc_begin(buf);
    if (!put_mapping(state, buf, &at, document)) {
        return false;
    }
    ds__doc_end(buf, begin);
    return ds__py_buf_ok(buf);
}
