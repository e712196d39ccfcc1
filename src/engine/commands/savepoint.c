/* SPDX-License-Identifier: Apache-2.0 */
/* savepoint, releaseSavepoint, rollbackToSavepoint: {savepoint: "name"} inside a transaction that
 * was begun with `savepoints: true`. This engine's own commands, with SQL's meaning; MongoDB has
 * none like them. */
#include "engine/commands/savepoint.h"

#include "base/mem.h"
#include "engine/commands/handlers.h"
#include "engine/commands/request.h"

void ds__savepoints_clear(ds__savepoints *points) {
    ds__free(points->items);
    *points = (ds__savepoints){0};
}

bool ds__statement_begin(ds__op *op, ds__savepoints *points, ds_error *err) {
    points->statement = 0;
    return ds__txn_upgrade(op->txn, err) && ds__txn_savepoint(op->txn, &points->statement, err);
}

bool ds__statement_end(ds__op *op, ds__savepoints *points, bool keep) {
    int statement = points->statement;
    ds_error ignored = {0};
    points->statement = 0;
    if (ds__txn_is_broken(op->txn)) {
        return false;
    }
    if (statement == 0) {
        return true;
    }
    return keep ? ds__txn_release(op->txn, statement, &ignored)
                : ds__txn_rollback(op->txn, statement, &ignored);
}

static bool read_name(ds__op *op, ds__savepoints **points, const char **name, ds_error *err) {
    if (!ds__args_read(op->row->name, true, op->command, NULL, 0, NULL, err)) {
        return false;
    }
    *points = ds__session_savepoints(op);
    if (*points == NULL) {
        return ds__error_set(err, DS_ILLEGAL_OPERATION,
                             "%s is for a transaction that was begun with savepoints: true",
                             op->row->name);
    }
    if (op->target.type != DS_STRING || op->target.size == 0 ||
        op->target.size >= DS_SAVEPOINT_NAME_SIZE) {
        return ds__error_set(err, DS_BAD_VALUE,
                             "the name of a savepoint is a text of 1 to %d bytes",
                             DS_SAVEPOINT_NAME_SIZE - 1);
    }
    *name = ds__text(op->target);
    return true;
}

/* The innermost one of that name. */
static bool find(ds__savepoints *points, const char *name, size_t *at, ds_error *err) {
    for (size_t i = points->count; i > 0; i--) {
        if (strcmp(points->items[i - 1].name, name) == 0) {
            *at = i - 1;
            return true;
        }
    }
    return ds__error_set(err, DS_BAD_VALUE, "there is no savepoint '%s'", name);
}

bool ds__cmd_savepoint(ds__op *op, ds_buf *reply, ds_error *err) {
    ds__savepoints *points;
    const char *name;
    (void)reply;
    if (!read_name(op, &points, &name, err)) {
        return false;
    }
    if (points->count == points->cap) {
        size_t cap = points->cap ? points->cap * 2 : 4;
        ds__named_savepoint *grown = ds__realloc(points->items, cap * sizeof *grown);
        if (grown == NULL) {
            return ds__error_oom(err);
        }
        points->items = grown;
        points->cap = cap;
    }
    ds__named_savepoint *one = &points->items[points->count];
    if (!ds__txn_savepoint(op->txn, &one->number, err)) {
        return false;
    }
    memcpy(one->name, name, op->target.size + 1);
    points->count++;
    return true;
}

bool ds__cmd_release_savepoint(ds__op *op, ds_buf *reply, ds_error *err) {
    ds__savepoints *points;
    const char *name;
    size_t at;
    (void)reply;
    if (!read_name(op, &points, &name, err) || !find(points, name, &at, err) ||
        !ds__txn_release(op->txn, points->items[at].number, err)) {
        return false;
    }
    points->count = at;
    return true;
}

bool ds__cmd_rollback_to_savepoint(ds__op *op, ds_buf *reply, ds_error *err) {
    ds__savepoints *points;
    const char *name;
    size_t at;
    (void)reply;
    if (!read_name(op, &points, &name, err) || !find(points, name, &at, err) ||
        !ds__txn_rollback(op->txn, points->items[at].number, err)) {
        return false;
    }
    points->count = at;
    if (!ds__txn_savepoint(op->txn, &points->items[at].number, err)) {
        return false;
    }
    points->count = at + 1;
    return true;
}
