/* SPDX-License-Identifier: Apache-2.0 */
/* The pieces of a URI both stores share: percent escapes, the query part, typed option values. */
#ifndef DS_CLIENT_URI_H
#define DS_CLIENT_URI_H

#include "base/buf.h"
#include "bson/value.h"

/* Appends `s` with its %XX escapes resolved. Errors: FailedToParse for a bad escape or %00. */
bool ds__uri_decode(ds_buf *out, const char *s, size_t size, ds_error *err);
/* Appends `s` with everything but letters, digits and -._~ escaped. */
void ds__uri_encode(ds_buf *out, const char *s, size_t size);

/* One `name=value` of a query part. Lifetime: the text's. */
typedef struct ds__uri_pair {
    const char *name;
    size_t name_size;
    const char *value; /* still escaped */
    size_t value_size;
} ds__uri_pair;

/* Steps through "a=1&b=2": *at starts at the text after '?'. *found is false at the end. Errors:
 * FailedToParse for a part without '=' or a name. */
bool ds__uri_next(const char **at, ds__uri_pair *pair, bool *found, ds_error *err);

/* Whether a name of `size` bytes is `other`, letters' case aside. */
bool ds__uri_is(const char *name, size_t size, const char *other);

/* An option's value as a truth value or a number; strings are taken as in a URI. Errors: BadValue
 * naming the option and what it takes. */
bool ds__option_bool(const char *name, ds_value v, bool *out, ds_error *err);
bool ds__option_int(const char *name, ds_value v, int64_t min, int64_t max, int64_t *out,
                    ds_error *err);

#endif
