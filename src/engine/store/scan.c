/* SPDX-License-Identifier: Apache-2.0 */
/* Scans. A scan is one statement that starts at a position and runs until C code
 * sees that a bound is passed; pausing keeps only the position. */
#include "engine/store/scan.h"

#include "base/mem.h"
#include "engine/store/crew.h"
#include "engine/store/internal.h"
#include "engine/store/leaves.h"

typedef enum scan_state {
    SCAN_SEEK, /* next() must position the statement */
    SCAN_ROW,  /* the statement stands on the last row delivered */
    SCAN_HELD, /* it stands on a row not delivered: past the interval before */
    SCAN_ENDED
} scan_state;

struct ds__scan {
    /* borrowed */
    ds__txn *txn; /* NULL when paused */
    /* owned */
    ds__scan *prev;
    ds__scan *next; /* in txn->scans */
    ds__stmt *stmt;
    ds__leaves *leaves; /* reads the rows instead of the statement, */
    ds__crew *crew;     /* and these read the leaves */
    ds__interval *intervals;
    uint8_t *bounds; /* bytes of the intervals */
    /* borrowed */
    ds__row_test test;
    const void *test_ctx;
    /* owned */
    ds_buf position; /* key of the last row when paused */
    /* plain */
    size_t interval_count;
    size_t interval;
    ds__key_table keys; /* id 0: only rows are read */
    int64_t rid;        /* of the last row */
    uint64_t examined;
    uint64_t paused_at; /* `examined` then, or when it was tried in vain to share */
    uint64_t seeks;
    scan_state state;
    bool backward;
    bool fetch;
    bool started; /* rid and position mean something */
    bool plain;   /* the leaves cannot be read */
    bool sought;  /* position is where to go on, not a row delivered */
};

/* So many rows come from SQLite before it is worth while to read past it. */
enum { ROWS_BEFORE_LEAVES = 256 };

/* And so many before it is worth while to have helpers, unless the store says otherwise. */
enum { SHARE_AFTER = 10000 };

static const uint8_t above_all[4] = {0xff, 0xff, 0xff, 0xff};

static void link_scan(ds__scan *scan, ds__txn *txn) {
    ds_assert(!scan->txn);
    scan->txn = txn;
    scan->prev = NULL;
    scan->next = txn->scans;
    if (txn->scans) {
        txn->scans->prev = scan;
    }
    txn->scans = scan;
}

static void unlink_scan(ds__scan *scan) {
    ds_assert(scan->prev || scan->txn->scans == scan);
    if (scan->prev) {
        scan->prev->next = scan->next;
    } else {
        scan->txn->scans = scan->next;
    }
    if (scan->next) {
        scan->next->prev = scan->prev;
    }
    scan->txn = NULL;
    scan->prev = scan->next = NULL;
}

static int compare_bytes(const uint8_t *a, size_t an, const uint8_t *b, size_t bn) {
    int order = memcmp(a, b, an < bn ? an : bn);
    return order ? order : (an > bn) - (an < bn);
}

static bool copy_intervals(ds__scan *scan, const ds__interval *intervals, size_t count) {
    size_t bytes = 0;
    for (size_t i = 0; i < count; i++) {
        bytes += intervals[i].lo_size + intervals[i].hi_size;
    }
    scan->intervals = ds__alloc((count ? count : 1) * sizeof *scan->intervals);
    scan->bounds = ds__alloc(bytes);
    if (!scan->intervals || !scan->bounds) {
        return false;
    }
    uint8_t *at = scan->bounds;
    for (size_t i = 0; i < count; i++) {
        ds__interval *copy = &scan->intervals[i];
        *copy = intervals[i];
        if (copy->lo) {
            copy->lo = memcpy(at, copy->lo, copy->lo_size);
            at += copy->lo_size;
        }
        if (copy->hi) {
            copy->hi = memcpy(at, copy->hi, copy->hi_size);
            at += copy->hi_size;
        }
    }
    scan->interval_count = count;
    return true;
}

bool ds__scan_rows(ds__txn *txn, int64_t rows, bool backward, ds__scan **out, ds_error *err) {
    ds__scan *scan = ds__alloc(sizeof *scan);
    *out = scan;
    if (!scan) {
        return ds__error_oom(err);
    }
    scan->keys.rows = rows;
    scan->backward = backward;
    scan->fetch = true;
    link_scan(scan, txn);
    return true;
}

bool ds__scan_keys(ds__txn *txn, ds__key_table keys, const ds__interval *intervals, size_t count,
                   bool backward, bool fetch, ds__scan **out, ds_error *err) {
    ds__scan *scan = ds__alloc(sizeof *scan);
    *out = NULL;
    if (!scan || !copy_intervals(scan, intervals, count)) {
        ds__scan_close(scan);
        return ds__error_oom(err);
    }
    scan->keys = keys;
    scan->backward = backward;
    scan->fetch = fetch;
    scan->state = count ? SCAN_SEEK : SCAN_ENDED;
    link_scan(scan, txn);
    *out = scan;
    return true;
}

static bool take_stmt(ds__scan *scan, ds_error *err) {
    ds__stmt_kind kind;
    if (!scan->keys.id) {
        kind = scan->backward ? DS_STMT_SCAN_BACK : DS_STMT_SCAN;
    } else if (scan->fetch) {
        kind = scan->backward ? DS_STMT_KEYS_DOC_BACK : DS_STMT_KEYS_DOC;
    } else {
        kind = scan->backward ? DS_STMT_KEYS_BACK : DS_STMT_KEYS;
    }
    int64_t id = scan->keys.id ? scan->keys.id : scan->keys.rows;
    scan->stmt = ds__conn_take(scan->txn->conn, kind, id, scan->keys.unique, scan->keys.rows, err);
    return scan->stmt != NULL;
}

/* Binds where an index scan begins: the interval's start, or after the row it was paused at. */
static void bind_start(ds__scan *scan) {
    sqlite3_stmt *raw = scan->stmt->raw;
    const ds__interval *in = &scan->intervals[scan->interval];
    const uint8_t *key = scan->backward ? in->hi : in->lo;
    size_t size = scan->backward ? in->hi_size : in->lo_size;
    bool inclusive = scan->backward ? in->hi_inclusive : in->lo_inclusive;
    int64_t rid = inclusive == scan->backward ? INT64_MAX : INT64_MIN;
    if (!key) {
        key = above_all;
        size = scan->backward ? sizeof above_all : 0;
        rid = scan->backward ? INT64_MAX : INT64_MIN;
    }
    if (scan->position.size > 0) {
        key = scan->position.data;
        size = scan->position.size;
        rid = scan->backward ? scan->rid - 1 : scan->rid + 1;
    }
    ds__stmt_bind_key(raw, key, size);
    if (!scan->keys.unique) {
        sqlite3_bind_int64(raw, 2, rid);
    }
}

/* Steps; the first time or after a pause positions first. */
static int step(ds__scan *scan, ds_error *err) {
    if (scan->state != SCAN_SEEK) {
        return sqlite3_step(scan->stmt->raw);
    }
    if (!scan->stmt && !take_stmt(scan, err)) {
        return SQLITE_NOMEM;
    }
    sqlite3_reset(scan->stmt->raw);
    if (scan->keys.id) {
        bind_start(scan);
        scan->seeks++;
    } else {
        int64_t first = scan->backward ? DS_TAIL_RID - 1 : INT64_MIN;
        int64_t next = scan->backward ? scan->rid - 1 : scan->rid + 1;
        sqlite3_bind_int64(scan->stmt->raw, 1, scan->started ? next : first);
    }
    return sqlite3_step(scan->stmt->raw);
}

typedef enum place { PLACE_IN, PLACE_BEFORE, PLACE_AFTER } place;

/* Where a key stands in regard to an interval, in the direction of the scan. */
static place place_of(const ds__scan *scan, const uint8_t *key, size_t size) {
    const ds__interval *in = &scan->intervals[scan->interval];
    if (in->hi) {
        int order = compare_bytes(key, size, in->hi, in->hi_size);
        if (order > 0 || (order == 0 && !in->hi_inclusive)) {
            return scan->backward ? PLACE_BEFORE : PLACE_AFTER;
        }
    }
    if (in->lo) {
        int order = compare_bytes(key, size, in->lo, in->lo_size);
        if (order < 0 || (order == 0 && !in->lo_inclusive)) {
            return scan->backward ? PLACE_AFTER : PLACE_BEFORE;
        }
    }
    return PLACE_IN;
}

static void let_go(ds__scan *scan) {
    ds__conn_give(scan->txn->conn, scan->stmt);
    scan->stmt = NULL;
    ds__crew_close(scan->crew); /* before what it reads */
    ds__leaves_close(scan->leaves);
    scan->crew = NULL;
    scan->leaves = NULL;
    scan->test = NULL;
}

static ds_next end(ds__scan *scan) {
    let_go(scan);
    scan->state = SCAN_ENDED;
    return DS_NEXT_END;
}

static ds_next fail(ds__scan *scan, int rc, ds_error *err) {
    if (scan->stmt) {
        ds__txn_fail(scan->txn, rc, err);
        end(scan);
    }
    scan->state = SCAN_ENDED;
    return DS_NEXT_ERROR;
}

/* A scan that goes on for long reads the leaves of the table, when its transaction only reads. */
static bool choose_way(ds__scan *scan, ds_error *err) {
    if (scan->crew && ds_meter_is_pressed(scan->txn->meter)) {
        let_go(scan); /* the operation needs the memory */
        scan->state = SCAN_SEEK;
        scan->paused_at = scan->examined;
    }
    if (scan->leaves && scan->txn->write) {
        let_go(scan);
        scan->state = SCAN_SEEK;
    } else if (!scan->leaves && !scan->plain && !scan->backward && !scan->txn->write &&
               scan->examined >= ROWS_BEFORE_LEAVES) {
        let_go(scan);
        scan->state = SCAN_SEEK;
        if (!ds__leaves_open(scan->txn, scan->keys.rows, scan->rid + 1, &scan->leaves, err)) {
            return false;
        }
        scan->plain = !scan->leaves;
    }
    return true;
}

bool ds__scan_can_share(const ds__scan *scan) {
    if (!scan->leaves || scan->test) {
        return false;
    }
    const ds__store_options *options = &scan->txn->store->options;
    const int32_t after = options->share_after ? options->share_after : SHARE_AFTER;
    return options->scan_threads != 1 && scan->examined - scan->paused_at >= (uint64_t)after;
}

void ds__scan_share(ds__scan *scan, ds__row_test test, const void *ctx) {
    scan->test = test;
    scan->test_ctx = ctx;
}

static ds_next next_of_crew(ds__scan *scan, ds__scan_row *row, ds_error *err) {
    ds_next next = ds__crew_next(scan->crew, row, err);
    scan->examined += row->passed;
    if (next == DS_NEXT_END) {
        return end(scan);
    }
    scan->examined++;
    scan->rid = row->rid;
    return next;
}

static ds_next next_in_leaves(ds__scan *scan, ds__scan_row *row, ds_error *err) {
    row->rid = scan->rid;
    if (scan->test && !scan->crew && ds__leaves_between(scan->leaves)) {
        scan->crew = ds__crew_open(scan->txn, scan->leaves, scan->test, scan->test_ctx);
        if (!scan->crew) { /* later perhaps */
            scan->test = NULL;
            scan->paused_at = scan->examined;
        }
    }
    if (scan->crew) {
        return next_of_crew(scan, row, err);
    }
    ds_next next = ds__leaves_next(scan->leaves, &row->rid, &row->doc, err);
    if (next == DS_NEXT_END) {
        return end(scan);
    }
    scan->examined++;
    scan->rid = row->rid;
    return next;
}

static ds_next next_in_table(ds__scan *scan, ds__scan_row *row, ds_error *err) {
    row->key = NULL;
    row->key_size = 0;
    if (!choose_way(scan, err)) {
        end(scan);
        return DS_NEXT_ERROR;
    }
    if (scan->leaves) {
        return next_in_leaves(scan, row, err);
    }
    int rc = step(scan, err);
    if (rc == SQLITE_DONE) {
        return end(scan);
    }
    if (rc != SQLITE_ROW) {
        return fail(scan, rc, err);
    }
    row->rid = sqlite3_column_int64(scan->stmt->raw, 0);
    if (row->rid == DS_TAIL_RID) {
        return end(scan);
    }
    scan->state = SCAN_ROW;
    scan->started = true;
    scan->examined++;
    scan->rid = row->rid;
    return ds__row_document(scan->txn, scan->stmt->raw, 1, &row->doc, err) ? DS_NEXT_ROW
                                                                           : DS_NEXT_ERROR;
}

/* Whether the row the statement stands on is past the paused position's own key (unique indexes,
 * whose statements cannot say "after (k, r)"). */
static bool is_last_delivered(const ds__scan *scan, const uint8_t *key, size_t size) {
    return scan->keys.unique && !scan->sought && scan->position.size > 0 &&
           compare_bytes(key, size, scan->position.data, scan->position.size) == 0;
}

static ds_next next_in_index(ds__scan *scan, ds__scan_row *row, ds_error *err) {
    for (;;) {
        if (scan->state != SCAN_HELD) {
            int rc = step(scan, err);
            if (rc == SQLITE_DONE) {
                return end(scan);
            }
            if (rc != SQLITE_ROW) {
                return fail(scan, rc, err);
            }
            scan->examined++;
        }
        sqlite3_stmt *raw = scan->stmt->raw;
        const uint8_t *key = sqlite3_column_blob(raw, 1);
        size_t size = (size_t)sqlite3_column_bytes(raw, 1);
        scan->state = SCAN_ROW;
        if (!key) {
            ds__corrupt(err, "an index key");
            return DS_NEXT_ERROR;
        }
        if (is_last_delivered(scan, key, size)) {
            continue;
        }
        ds_buf_reset(&scan->position);
        scan->sought = false;
        switch (place_of(scan, key, size)) {
        case PLACE_IN:
            row->rid = scan->rid = sqlite3_column_int64(raw, 0);
            row->key = key;
            row->key_size = size;
            row->doc = ds__missing();
            scan->started = true;
            return !scan->fetch || ds__row_document(scan->txn, raw, 2, &row->doc, err)
                       ? DS_NEXT_ROW
                       : DS_NEXT_ERROR;
        case PLACE_BEFORE:
            break;
        case PLACE_AFTER:
            if (++scan->interval >= scan->interval_count) {
                return end(scan);
            }
            scan->state = place_of(scan, key, size) == PLACE_BEFORE ? SCAN_SEEK : SCAN_HELD;
            break;
        }
    }
}

ds_next ds__scan_next(ds__scan *scan, ds__scan_row *row, ds_error *err) {
    row->passed = 0;
    if (scan->state == SCAN_ENDED) {
        return DS_NEXT_END;
    }
    if (!scan->txn) {
        ds__error_set(err, DS_INTERNAL_ERROR, "a paused scan was read");
        return DS_NEXT_ERROR;
    }
    return scan->keys.id ? next_in_index(scan, row, err) : next_in_table(scan, row, err);
}

void ds__scan_seek(ds__scan *scan, const uint8_t *key, size_t size) {
    if (scan->state == SCAN_ENDED) {
        return;
    }
    ds_buf_reset(&scan->position);
    ds_buf_add(&scan->position, key, size);
    scan->rid = scan->backward ? INT64_MAX : INT64_MIN;
    scan->sought = true;
    scan->state = SCAN_SEEK;
}

bool ds__scan_points(ds__txn *txn, int64_t rows, ds__scan **out, ds_error *err) {
    ds__scan *scan = ds__alloc(sizeof *scan);
    *out = scan;
    if (!scan) {
        return ds__error_oom(err);
    }
    scan->keys.rows = rows;
    link_scan(scan, txn);
    return true;
}

bool ds__scan_get(ds__scan *scan, int64_t rid, ds_value *doc, ds_error *err) {
    *doc = ds__missing();
    if (!scan->txn) {
        return ds__error_set(err, DS_INTERNAL_ERROR, "a paused scan was read");
    }
    if (!scan->stmt) {
        scan->stmt = ds__conn_take(scan->txn->conn, DS_STMT_GET, scan->keys.rows, false,
                                   scan->keys.rows, err);
        if (!scan->stmt) {
            return false;
        }
    }
    sqlite3_reset(scan->stmt->raw);
    sqlite3_bind_int64(scan->stmt->raw, 1, rid);
    scan->examined++;
    int rc = sqlite3_step(scan->stmt->raw);
    if (rc == SQLITE_ROW) {
        return ds__row_document(scan->txn, scan->stmt->raw, 0, doc, err);
    }
    return rc == SQLITE_DONE || ds__txn_fail(scan->txn, rc, err);
}

void ds__scan_pause(ds__scan *scan) {
    if (!scan->txn) {
        return;
    }
    if (scan->stmt) {
        if (scan->keys.id && scan->state == SCAN_ROW && scan->started) {
            const uint8_t *key = sqlite3_column_blob(scan->stmt->raw, 1);
            ds_buf_reset(&scan->position);
            ds_buf_add(&scan->position, key, (size_t)sqlite3_column_bytes(scan->stmt->raw, 1));
        }
    }
    let_go(scan);
    scan->paused_at = scan->examined;
    if (scan->state != SCAN_ENDED) {
        scan->state = SCAN_SEEK;
    }
    unlink_scan(scan);
}

void ds__scan_fetch(ds__scan *scan) {
    ds__txn *txn = scan->txn;
    if (!scan->fetch && txn) {
        ds__scan_pause(scan);
        scan->fetch = true;
        link_scan(scan, txn);
    }
}

static bool has_tables(ds__txn *txn, const ds__scan *scan, ds_error *err) {
    bool ok = true;
    for (size_t i = 0; ok && i < txn->store->room_count; i++) {
        const ds__txn_hooks *hooks = txn->store->rooms[i];
        ok = !hooks->has_tables || hooks->has_tables(txn, scan->keys.rows, scan->keys.id, err);
    }
    return ok;
}

bool ds__scan_resume(ds__scan *scan, ds__txn *txn, ds_error *err) {
    if (scan->txn == txn) {
        return true;
    }
    ds__scan_pause(scan);
    if (!ds_buf_ok(&scan->position, err)) {
        return false;
    }
    if (scan->state != SCAN_ENDED && !has_tables(txn, scan, err)) {
        return false;
    }
    link_scan(scan, txn);
    return true;
}

uint64_t ds__scan_examined(const ds__scan *scan) {
    return scan->examined;
}

uint64_t ds__scan_seeks(const ds__scan *scan) {
    return scan->seeks;
}

void ds__scan_close(ds__scan *scan) {
    if (scan) {
        ds__scan_pause(scan);
        ds_buf_clear(&scan->position);
        ds__free(scan->intervals);
        ds__free(scan->bounds);
        ds__free(scan);
    }
}

void ds__scan_detach_all(ds__txn *txn) {
    while (txn->scans) {
        ds__scan_pause(txn->scans);
    }
    ds__rows_detach(txn);
}

bool ds__scan_count(ds__txn *txn, ds__key_table keys, const ds__interval *intervals, size_t count,
                    int64_t *out, ds_error *err) {
    *out = 0;
    ds__scan *scan = NULL;
    if (!ds__scan_keys(txn, keys, intervals, count, false, false, &scan, err)) {
        return false;
    }
    ds__scan_row row;
    ds_next next;
    while ((next = ds__scan_next(scan, &row, err)) == DS_NEXT_ROW) {
        (*out)++;
    }
    ds__scan_close(scan);
    return next == DS_NEXT_END;
}
