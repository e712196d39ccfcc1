/* SPDX-License-Identifier: Apache-2.0 */
/* The documents that a statement is to write, found before anything changes: a few bytes each, on
 * the command's meter. */
#ifndef DS_ENGINE_COMMANDS_TARGETS_H
#define DS_ENGINE_COMMANDS_TARGETS_H

#include "base/buf.h"
#include "lang/filter/filter.h"

/* Where a document is, and which of an array's elements matched. */
typedef struct ds__target {
    int64_t rid;
    ds__match_info match;
} ds__target;

/* Targets in the order in which they were added; read once, from the first. */
typedef struct ds__targets {
    /* owned */
    ds_buf bytes; /* see targets.c */
    /* plain */
    size_t at; /* the next one's first byte */
    size_t count;
    int64_t last; /* the record added or read before; 0: none, which is no record */
} ds__targets;

void ds__targets_init(ds__targets *targets, ds_meter *meter);
void ds__targets_clear(ds__targets *targets);
/* False: no memory, or more than the meter allows. */
bool ds__targets_add(ds__targets *targets, const ds__target *target, ds_error *err);
/* Back to the first one; nothing is added from then on. */
void ds__targets_rewind(ds__targets *targets);
/* The next one; false after the last. */
bool ds__targets_next(ds__targets *targets, ds__target *out);

#endif
