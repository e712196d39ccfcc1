/* SPDX-License-Identifier: Apache-2.0 */
/* Python objects to BSON and back, with the classes of PyMongo's `bson` package. All functions need
 * the GIL; on failure a Python error is set. */
#ifndef DS_PY_CODEC_H
#define DS_PY_CODEC_H

#include "pstate.h"

/* How BSON becomes Python. NULL stands for all zero. */
typedef struct ds__py_options {
    bool tz_aware;  /* datetimes know they are UTC; otherwise naive UTC */
    bool plain_int; /* int64 as int; otherwise bson.Int64, which keeps its width when saved */
    bool raw_dbref; /* {$ref, $id} as a dict; otherwise bson.DBRef */
} ds__py_options;

/* Appends the field `key` with the value. Errors name the field's path: TypeError for what BSON
 * cannot hold, OverflowError for integers beyond 64 bits, ValueError for names with NUL. */
bool ds__py_encode_value(ds__pstate *state, ds_buf *buf, const char *key, size_t key_size,
                         PyObject *value);
/* The same inside of what is being encoded: the place's key is the field's. */
bool ds__py_encode_at(ds__pstate *state, ds_buf *buf, const ds__place *at, PyObject *value);
/* The place of a field below `parent`, which may be NULL. */
static inline ds__place ds__place_of(const ds__place *parent, const char *key, size_t size) {
    return (ds__place){parent, key, size, parent ? parent->depth + 1 : 0};
}
/* Raises ValueError with the path when the place is nested too deeply. */
bool ds__py_depth_ok(const ds__place *at);
/* Appends one whole document: a mapping, a RawBSONDocument, or bytes holding a BSON document (these
 * are checked). */
bool ds__py_encode_document(ds__pstate *state, ds_buf *buf, PyObject *document);
/* Appends the fields of a mapping inside a document that the caller has begun. */
bool ds__py_encode_fields(ds__pstate *state, ds_buf *buf, PyObject *mapping);

/* A new reference. Undefined is None, symbols are str, out-of-range dates bson.DatetimeMS. Missing
 * is None. */
PyObject *ds__py_decode_value(ds__pstate *state, ds_value value, const ds__py_options *options);
/* A document as a dict (never as a DBRef), an array as a list. */
PyObject *ds__py_decode_document(ds__pstate *state, ds_value document,
                                 const ds__py_options *options);

/* The name of a field as str; names seen lately are shared. New reference. */
PyObject *ds__py_key(ds__pstate *state, const char *key, size_t size);

PyObject *ds__py_object_id(ds__pstate *state, const uint8_t oid[12]);
/* 1: an ObjectId, its bytes are in `oid`; 0: not an ObjectId; -1: error. */
int ds__py_object_id_bytes(ds__pstate *state, PyObject *value, uint8_t oid[12]);
PyObject *ds__py_datetime(ds__pstate *state, int64_t ms, const ds__py_options *options);
/* With 0 to 999 microseconds beside the milliseconds. */
PyObject *ds__py_datetime_us(ds__pstate *state, int64_t ms, int us, const ds__py_options *options);
/* datetime.date and datetime.time of it; bson.DatetimeMS out of range. */
PyObject *ds__py_date(ds__pstate *state, int64_t ms);
PyObject *ds__py_time(ds__pstate *state, int64_t ms, int us);
/* Milliseconds of a datetime.datetime (naive means UTC; aware is converted). */
bool ds__py_datetime_ms(ds__pstate *state, PyObject *datetime, int64_t *ms);
/* Seconds from 1970 to what a datetime's fields say, its zone aside. */
int64_t ds__py_wall_seconds(PyObject *datetime);
/* bson.Decimal128. */
PyObject *ds__py_decimal128(ds__pstate *state, ds_decimal value);
/* decimal.Decimal. */
PyObject *ds__py_decimal(ds__pstate *state, ds_decimal value);
/* From decimal.Decimal or bson.Decimal128; TypeError for others, ValueError for what decimal128
 * cannot hold exactly. */
bool ds__py_decimal_value(ds__pstate *state, PyObject *value, ds_decimal *out);
/* uuid.UUID from 16 bytes, and back (false with an error when it is no UUID). */
PyObject *ds__py_uuid(ds__pstate *state, const uint8_t bytes[16]);
/* From 32 lower-case hexadecimal digits. */
PyObject *ds__py_uuid_hex(ds__pstate *state, const char *digits);
bool ds__py_uuid_bytes(ds__pstate *state, PyObject *value, uint8_t bytes[16]);

/* Raises MemoryError or ValueError for a failed buffer; true when it is fine. */
bool ds__py_buf_ok(const ds_buf *buf);

#endif
