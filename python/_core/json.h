/* SPDX-License-Identifier: Apache-2.0 */
/* Strings as JSON. U+2028 and U+2029 are escaped too: scripts take them for ends of lines. */
#ifndef DS_PY_JSON_H
#define DS_PY_JSON_H

#include "pstate.h"

/* ASCII in quotes between `before` and `after`, which may be 0 for nothing. False, and nothing is
 * written: it needs escapes. */
bool ds__json_plain(ds_buf *out, char before, const uint8_t *p, size_t size, char after);
/* What is between the quotes, of any UTF-8. */
void ds__json_utf8(ds_buf *out, const uint8_t *p, size_t size);
/* The same in ASCII only, of a Python string. */
void ds__json_ascii(ds_buf *out, PyObject *text);
/* Text that is JSON already, but for the ends of lines. */
void ds__json_lines(ds_buf *out, const uint8_t *p, size_t size);

/* A document or array as legacy extended JSON, a str; None when Python has to write it, as
 * extended_json.c says. NULL: an error is set. */
PyObject *ds__extended_json(ds_value v);

#endif
