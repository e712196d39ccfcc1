/* SPDX-License-Identifier: Apache-2.0 */
/* A walk along the leaves of a table. Pages without a checksum may hold anything: every length is
 * compared with what is there, and their documents with their own checksums. */
#include "engine/store/leaves.h"

#include <inttypes.h>
#include <stdio.h>

#include "base/mem.h"
#include "engine/store/checksum.h"

enum {
    LEAF = 0x0d,
    INTERIOR = 0x05,
    LEAF_HEAD = 8,
    INTERIOR_HEAD = 12,
    MAX_LEVELS = 20,
    LEAVES_BETWEEN_CHECKS = 64,
    BLOB = 12 /* types from here on are a blob's, when even, and tell its size */
};

/* A page above the leaves, and which of its children is walked. */
typedef struct level {
    uint8_t *page; /* owned: a copy */
    uint32_t number;
    int child; /* the last one stands apart */
    int children;
} level;

struct ds__leaves {
    /* owned */
    ds__pages own; /* of a member: nothing */
    level levels[MAX_LEVELS];
    uint8_t
        *room;    /* of the leaf, unless the reader has it; then one more, for pages of long rows */
    ds_buf whole; /* a row of several pages */
    /* borrowed */
    ds__txn *txn; /* NULL: a member, which tells nobody of failures */
    const ds__pages *pages;
    const uint8_t *leaf;
    const uint8_t *end; /* of what SQLite uses of it */
    /* plain */
    ds__page_reader reader;
    uint32_t number; /* of the leaf */
    int depth;
    int cell;
    int cells;
    int usable; /* bytes of a page */
    int height; /* 0: not asked for */
    uint32_t walked;
    bool sound;
    bool failed;
    bool soft; /* failures are not told: it looks ahead, and comes again */
};

static inline int load_be16(const uint8_t *p) {
    return p[0] << 8 | p[1];
}

static inline uint32_t load_be32(const uint8_t *p) {
    return (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 | (uint32_t)p[2] << 8 | p[3];
}

/* What stands behind the number at `p`; NULL: it does not end before `end`. */
static inline const uint8_t *read_number(const uint8_t *p, const uint8_t *end, uint64_t *out) {
    uint64_t x = 0;
    for (int i = 0; i < 9 && p < end; i++, p++) {
        if (i == 8) {
            *out = x << 8 | *p;
            return p + 1;
        }
        x = x << 7 | (*p & 0x7f);
        if (!(*p & 0x80)) {
            *out = x;
            return p + 1;
        }
    }
    return NULL;
}

/* Nothing comes after it. */
static bool fail(ds__leaves *l, int rc, uint32_t page, bool in_log, ds_error *err) {
    l->failed = true;
    if (!l->txn || l->soft) {
        return false;
    }
    if (rc == SQLITE_CORRUPT) {
        ds__vfs_tell_bad(l->txn->conn->db, page, in_log);
    }
    return ds__txn_fail(l->txn, rc, err);
}

static bool corrupt(ds__leaves *l, uint32_t page, ds_error *err) {
    return fail(l, SQLITE_CORRUPT, page, false, err);
}

static bool read_page(ds__leaves *l, ds__page_reader *reader, uint32_t number, uint8_t *room,
                      ds__page *out, ds_error *err) {
    bool in_log;
    int rc = ds__page_read(reader, number, room, out, &in_log);
    return rc == SQLITE_OK || fail(l, rc, number, in_log, err);
}

/* Where a cell of a page begins; NULL: outside of it. */
static inline const uint8_t *cell_at(const uint8_t *page, int head, int cell, int usable) {
    const int at = load_be16(page + head + 2 * cell);
    return at >= head && at < usable ? page + at : NULL;
}

/* The child the row `from` is in. 0: the page is damaged. */
static uint32_t child_of(const ds__leaves *l, const level *v, int child) {
    if (child == v->children - 1) {
        return load_be32(v->page + 8);
    }
    const uint8_t *cell = cell_at(v->page, INTERIOR_HEAD, child, l->usable - 4);
    return cell ? load_be32(cell) : 0;
}

static bool find_child(ds__leaves *l, level *v, int64_t from, ds_error *err) {
    int lo = 0;
    int hi = v->children - 1;
    while (lo < hi) { /* a child's key is its greatest row */
        const int mid = (lo + hi) / 2;
        uint64_t key;
        const uint8_t *cell = cell_at(v->page, INTERIOR_HEAD, mid, l->usable - 4);
        if (!cell || !read_number(cell + 4, v->page + l->usable, &key)) {
            return corrupt(l, v->number, err);
        }
        if ((int64_t)key < from) {
            lo = mid + 1;
        } else {
            hi = mid;
        }
    }
    v->child = lo;
    return true;
}

/* The page, and whether it is a leaf. */
static bool read_node(ds__leaves *l, uint32_t number, ds__page *page, int *cells, bool *leaf,
                      ds_error *err) {
    if (!read_page(l, &l->reader, number, l->room, page, err)) {
        return false;
    }
    *cells = load_be16(page->bytes + 3);
    *leaf = page->bytes[0] == LEAF;
    const int head = *leaf ? LEAF_HEAD : INTERIOR_HEAD;
    return ((*leaf || page->bytes[0] == INTERIOR) && head + 2 * *cells <= l->usable) ||
           corrupt(l, number, err);
}

static void stand_on(ds__leaves *l, uint32_t number, const ds__page *page, int cells) {
    l->leaf = page->bytes;
    l->end = page->bytes + l->usable;
    l->sound = page->sound;
    l->number = number;
    l->cell = 0;
    l->cells = cells;
}

/* The leaf is entered. */
enum { TO_LEAF = -1 };

/* Down from page `number` to the leaf of the row `from`; with `height`, which is how many pages are
 * above each leaf, only to its number. */
static bool descend(ds__leaves *l, uint32_t number, int64_t from, int height, ds_error *err) {
    for (;;) {
        ds__page page;
        int cells;
        bool leaf;
        if (l->depth == height) {
            l->number = number;
            return true;
        }
        if (!read_node(l, number, &page, &cells, &leaf, err)) {
            return false;
        }
        if (leaf && height == TO_LEAF) {
            stand_on(l, number, &page, cells);
            return true;
        }
        if (leaf || l->depth == MAX_LEVELS) {
            return corrupt(l, number, err);
        }
        level *v = &l->levels[l->depth];
        if (!v->page && !(v->page = ds__alloc((size_t)l->pages->view.page_size))) {
            return ds__error_oom(err);
        }
        memcpy(v->page, page.bytes, (size_t)l->pages->view.page_size);
        v->number = number;
        v->children = cells + 1;
        if (!find_child(l, v, from, err)) {
            return false;
        }
        l->depth++;
        number = child_of(l, v, v->child);
    }
}

static bool may_go_on(ds__leaves *l, ds_error *err) {
    const ds__wait *wait = &l->txn->conn->wait;
    return ++l->walked % LEAVES_BETWEEN_CHECKS != 0 || !wait->interrupt ||
           wait->interrupt(wait->ctx, &l->txn->conn->stopped) ||
           fail(l, SQLITE_INTERRUPT, 0, false, err);
}

/* The next leaf, or with `height` only its number; *ended when there is none. After a failure it
 * stands before that leaf. */
static bool next_leaf(ds__leaves *l, int height, bool *ended, ds_error *err) {
    while (l->depth > 0 && l->levels[l->depth - 1].child + 1 >= l->levels[l->depth - 1].children) {
        l->depth--;
    }
    *ended = l->depth == 0;
    if (*ended) {
        return true;
    }
    const int depth = l->depth;
    level *v = &l->levels[depth - 1];
    v->child++;
    if (!descend(l, child_of(l, v, v->child), INT64_MIN, height, err)) {
        l->depth = depth;
        v->child--;
        return false;
    }
    return true;
}

/* How many of a row's bytes are in its leaf when not all are. */
static int local_size(int usable, uint64_t size) {
    const int most = usable - 35;
    const int least = (usable - 12) * 32 / 255 - 23;
    const int local = least + (int)((size - (uint64_t)least) % (uint64_t)(usable - 4));
    return local <= most ? local : least;
}

/* A row that goes on in other pages. *sound: all of them are. */
static bool gather(ds__leaves *l, const uint8_t *p, uint64_t size, bool *sound, ds_error *err) {
    const int local = local_size(l->usable, size);
    uint8_t *room = l->room + l->pages->view.page_size;
    ds__page_reader beside = {.pages = l->pages}; /* the leaf stays where it is */
    if (size > INT32_MAX || local + 4 > l->end - p) {
        return corrupt(l, l->number, err);
    }
    if (!l->txn && size > DS_MEMBER_ROW) {
        return ds__error_oom(err);
    }
    ds_buf_reset(&l->whole);
    ds_buf_add(&l->whole, p, (size_t)local);
    uint32_t next = load_be32(p + local);
    for (uint64_t left = size - (uint64_t)local; left > 0;) {
        ds__page page;
        const uint64_t here = left < (uint64_t)l->usable - 4 ? left : (uint64_t)l->usable - 4;
        if (!read_page(l, &beside, next, room, &page, err)) {
            return false;
        }
        *sound = *sound && page.sound;
        ds_buf_add(&l->whole, page.bytes + 4, (size_t)here);
        next = load_be32(page.bytes);
        left -= here;
    }
    return ds_buf_ok(&l->whole, err);
}

/* The document in a row: a head that tells a missing first column, which is the row's number, and
 * a blob. */
static bool read_row(ds__leaves *l, const uint8_t *p, uint64_t size, bool sound, ds_value *doc,
                     ds_error *err) {
    const uint8_t *end = p + size;
    uint64_t head;
    uint64_t first;
    uint64_t type = 0;
    const uint8_t *at = read_number(p, end, &head);
    at = at ? read_number(at, end, &first) : NULL;
    at = at ? read_number(at, end, &type) : NULL;
    if (!at || first != 0 || type < BLOB || type % 2 != 0 || head != (uint64_t)(at - p) ||
        (type - BLOB) / 2 != (uint64_t)(end - at)) {
        return corrupt(l, l->number, err);
    }
    return ds__row_read(at, (size_t)(end - at), !sound, doc) ||
           ds__corrupt(err, "a stored document");
}

static bool read_cell(ds__leaves *l, int64_t *rid, ds_value *doc, ds_error *err) {
    uint64_t size = 0;
    uint64_t key = 0;
    bool sound = l->sound;
    const uint8_t *p = cell_at(l->leaf, LEAF_HEAD, l->cell - 1, l->usable);
    p = p ? read_number(p, l->end, &size) : NULL;
    p = p ? read_number(p, l->end, &key) : NULL;
    if (!p) {
        return corrupt(l, l->number, err);
    }
    *rid = (int64_t)key;
    *doc = ds__missing();
    if (*rid == DS_TAIL_RID) {
        return true;
    }
    if (size > (uint64_t)l->usable - 35) {
        if (!gather(l, p, size, &sound, err)) {
            return false;
        }
        p = l->whole.data;
    } else if (size > (uint64_t)(l->end - p)) {
        return corrupt(l, l->number, err);
    }
    return read_row(l, p, size, sound, doc, err);
}

ds_next ds__leaf_next(ds__leaves *l, int64_t *rid, ds_value *doc, ds_error *err) {
    if (l->failed || l->cell >= l->cells) {
        return DS_NEXT_END;
    }
    l->cell++;
    if (!read_cell(l, rid, doc, err)) {
        return DS_NEXT_ERROR;
    }
    return *rid == DS_TAIL_RID ? DS_NEXT_END : DS_NEXT_ROW;
}

ds_next ds__leaves_next(ds__leaves *l, int64_t *rid, ds_value *doc, ds_error *err) {
    bool ended = l->failed;
    while (!ended && l->cell >= l->cells) {
        if (!may_go_on(l, err) || !next_leaf(l, TO_LEAF, &ended, err)) {
            return DS_NEXT_ERROR;
        }
    }
    return ended ? DS_NEXT_END : ds__leaf_next(l, rid, doc, err);
}

bool ds__leaf_enter(ds__leaves *l, uint32_t number, ds_error *err) {
    ds__page page;
    int cells;
    bool leaf;
    l->cell = l->cells = 0;
    l->failed = l->failed && l->txn; /* a member's failure was of another leaf */
    if (!read_node(l, number, &page, &cells, &leaf, err)) {
        return false;
    }
    stand_on(l, number, &page, cells);
    return leaf || corrupt(l, number, err);
}

bool ds__leaves_ahead(ds__leaves *l, bool first, uint32_t *numbers, size_t most, size_t *count,
                      ds_error *err) {
    bool ended = false;
    l->height = l->height ? l->height : l->depth;
    for (*count = 0; *count < most && l->height > 0;) {
        if (!may_go_on(l, err)) {
            return false;
        }
        l->soft = !first || *count > 0;
        const bool ok = next_leaf(l, l->height, &ended, err);
        const bool told = !l->soft;
        l->soft = false;
        if (!ok && !told) {
            l->failed = false;
            break;
        }
        if (!ok || ended) {
            return ok;
        }
        numbers[(*count)++] = l->number;
    }
    return true;
}

bool ds__leaves_failed(const ds__leaves *l) {
    return l->failed;
}

bool ds__leaves_between(const ds__leaves *l) {
    return l->cell >= l->cells && l->depth > 0;
}

/* Within the leaf to the first row at `from` or after it. */
static bool find_cell(ds__leaves *l, int64_t from, ds_error *err) {
    int lo = 0;
    int hi = l->cells;
    while (lo < hi) {
        const int mid = (lo + hi) / 2;
        uint64_t ignored;
        uint64_t key;
        const uint8_t *p = cell_at(l->leaf, LEAF_HEAD, mid, l->usable);
        p = p ? read_number(p, l->end, &ignored) : NULL;
        if (!p || !read_number(p, l->end, &key)) {
            return corrupt(l, l->number, err);
        }
        if ((int64_t)key < from) {
            lo = mid + 1;
        } else {
            hi = mid;
        }
    }
    l->cell = lo;
    return true;
}

static bool begin(ds__leaves *l, const ds__pages *pages) {
    l->pages = pages;
    ds__page_reader_open(&l->reader, pages);
    l->usable = pages->view.page_size - DS_PAGE_RESERVED;
    l->room = ds__alloc(2 * (size_t)pages->view.page_size);
    return l->room != NULL;
}

ds__leaves *ds__leaves_member(const ds__leaves *of) {
    ds__leaves *l = ds__alloc(sizeof *l);
    if (l && !begin(l, of->pages)) {
        ds__leaves_close(l);
        l = NULL;
    }
    return l;
}

bool ds__leaves_open(ds__txn *txn, int64_t rows, int64_t from, ds__leaves **out, ds_error *err) {
    char sql[120];
    int64_t root = 0;
    *out = NULL;
    ds__leaves *l = txn->write ? NULL : ds__alloc(sizeof *l);
    if (!l) {
        return txn->write || ds__error_oom(err);
    }
    snprintf(sql, sizeof sql, "SELECT rootpage FROM sqlite_master WHERE name='c%" PRId64 "'", rows);
    l->txn = txn;
    bool ok = ds__conn_int(txn->conn, sql, 0, &root, err);
    bool can = ok && root > 0 && ds__pages_open(&l->own, txn->conn->db);
    if (can) {
        ok = (begin(l, &l->own) || ds__error_oom(err)) &&
             descend(l, (uint32_t)root, from, TO_LEAF, err) && find_cell(l, from, err);
    }
    if (!ok || !can) {
        ds__leaves_close(l);
        return ok;
    }
    *out = l;
    return true;
}

void ds__leaves_close(ds__leaves *l) {
    if (l) {
        for (int i = 0; i < MAX_LEVELS; i++) {
            ds__free(l->levels[i].page);
        }
        ds__free(l->room);
        ds__page_reader_close(&l->reader);
        ds_buf_clear(&l->whole);
        ds__pages_close(&l->own);
        ds__free(l);
    }
}
