/* SPDX-License-Identifier: Apache-2.0 */
/* Reading an index within its intervals. Bounds of parts that come after the intervals' are asked
 * of each key; where many keys fail in a row the scan leaps to the next that may not. */
#include "bson/key.h"
#include "engine/plan/candidate.h"
#include "engine/plan/node.h"

enum { LEAP_AFTER = 4 }; /* keys that fail in a row: a leap costs as much as a few steps */

typedef struct index_node {
    ds__node base;
    const ds__plan *plan;
    ds__ridset seen;
    ds_buf target; /* where to leap to */
    ds_buf part;   /* a descending part's key, turned */
    ds_buf last;   /* distinct: the first parts of the row before */
    uint64_t dups;
    size_t failed; /* keys in a row */
    bool dedup;
    bool filters; /* some part is asked of each key */
    bool distinct;
    bool leap; /* to target, before the next row */
} index_node;

/* Whether a key of a part, ascending, lies behind a cut. */
static bool behind(const ds__cut *cut, const uint8_t *key, size_t size) {
    size_t n = size < cut->size ? size : cut->size;
    int order = memcmp(key, cut->key, n);
    return order != 0 ? order > 0 : size != cut->size ? size > cut->size : !cut->after;
}

/* The first span that does not end before the key; b->count: none. */
static size_t span_at(const ds__bounds *b, const uint8_t *key, size_t size) {
    size_t lo = 0;
    size_t hi = b->count;
    while (lo < hi) {
        size_t mid = (lo + hi) / 2;
        if (behind(&b->spans[mid].hi, key, size)) {
            lo = mid + 1;
        } else {
            hi = mid;
        }
    }
    return lo;
}

/* Where the scan may go on when part i, after `prefix` bytes of the key, lies outside its bounds:
 * at the next span, or behind all keys that begin so. */
static void aim(index_node *self, size_t i, size_t span, const uint8_t *key, size_t prefix) {
    const ds__plan *plan = self->plan;
    const ds__index_part *part = &plan->index->parts[i];
    const ds__bounds *b = &plan->parts[i];
    bool down = part->descending != plan->backward;
    bool any = down ? span > 0 : span < b->count;
    ds_buf_reset(&self->target);
    ds_buf_add(&self->target, key, prefix);
    if (any) {
        ds__plan_add_cut(&self->target, part, &b->spans[down ? span - 1 : span], !plan->backward);
    } else if (!plan->backward) {
        ds__key_add_max(&self->target, false);
    }
}

/* Whether all parts lie within their bounds; if not, target is set. */
static bool within(index_node *self, const uint8_t *key, size_t size) {
    const ds__plan *plan = self->plan;
    size_t at = 0;
    for (size_t i = 0; i < plan->index->part_count; i++) {
        const ds__index_part *part = &plan->index->parts[i];
        const ds__bounds *b = &plan->parts[i];
        size_t n = ds__key_size(key + at, size - at, part->descending);
        if (n == 0) {
            return true; /* the filter decides */
        }
        if (i >= plan->used && !b->full && part->kind->ordered) {
            const uint8_t *own = key + at;
            if (part->descending) {
                ds_buf_reset(&self->part);
                for (size_t k = 0; k < n; k++) {
                    ds_buf_add_byte(&self->part, (uint8_t)~own[k]);
                }
                own = self->part.data;
                if (self->part.failed) {
                    return true;
                }
            }
            size_t span = span_at(b, own, n);
            if (span == b->count || !behind(&b->spans[span].lo, own, n)) {
                aim(self, i, span, key, at);
                return false;
            }
        }
        at += n;
    }
    return true;
}

/* Whether target lies ahead of a key. */
static bool ahead(const index_node *self, const uint8_t *key, size_t size) {
    const ds_buf *target = &self->target;
    if (target->failed || target->size == 0) {
        return false;
    }
    int order = memcmp(target->data, key, size < target->size ? size : target->size);
    order = order != 0 ? order : target->size < size ? -1 : target->size > size;
    return self->plan->backward ? order < 0 : order > 0;
}

/* Whether the key's first parts are those of the row before; then target lies behind all such keys.
 * Never for null: a document without the field has the same key as one whose field is null. */
static bool same_value(index_node *self, const uint8_t *key, size_t size) {
    const ds__plan *plan = self->plan;
    size_t at = 0;
    for (size_t i = 0; i < plan->distinct; i++) {
        bool down = plan->index->parts[i].descending;
        size_t n = ds__key_size(key + at, size - at, down);
        uint8_t rank = down ? (uint8_t)~key[at] : key[at];
        if (n == 0 || (i + 1 == plan->distinct && rank <= ds__type_rank(DS_NULL) &&
                       rank >= ds__type_rank(DS_UNDEFINED))) {
            return false;
        }
        at += n;
    }
    if (self->last.size == at && memcmp(self->last.data, key, at) == 0) {
        ds_buf_reset(&self->target);
        ds_buf_add(&self->target, key, at);
        if (!plan->backward) {
            ds__key_add_max(&self->target, false);
        }
        return true;
    }
    ds_buf_reset(&self->last);
    ds_buf_add(&self->last, key, at);
    return false;
}

/* Whether the entry is a row. */
static bool take(index_node *self, const ds__scan_row *found, bool *taken, ds_error *err) {
    *taken = true;
    if (self->filters && !within(self, found->key, found->key_size)) {
        *taken = false;
        self->leap = ++self->failed >= LEAP_AFTER && ahead(self, found->key, found->key_size);
        return true;
    }
    self->failed = 0;
    if (self->distinct && same_value(self, found->key, found->key_size)) {
        *taken = false;
        self->leap = ahead(self, found->key, found->key_size);
        return true;
    }
    if (self->dedup) {
        if (!ds__ridset_add(&self->seen, found->rid, taken, err)) {
            return false;
        }
        self->dups += !*taken;
    }
    return true;
}

static ds__step index_next(ds__node *node, ds__row *row, ds_error *err) {
    index_node *self = (index_node *)node;
    ds__scan_row found;
    while (node->scan != NULL) { /* else there are no intervals */
        bool taken;
        if (node->course->works-- <= 0) {
            return DS_STEP_WAIT;
        }
        if (self->leap) {
            ds__scan_seek(node->scan, self->target.data, self->target.size);
            self->leap = false;
            self->failed = 0;
        }
        ds_next n = ds__scan_next(node->scan, &found, err);
        if (n != DS_NEXT_ROW) {
            node->keys = ds__scan_examined(node->scan);
            return n == DS_NEXT_END ? DS_STEP_END : DS_STEP_ERROR;
        }
        node->keys = ds__scan_examined(node->scan);
        if (!ds__env_step(node->course->eval->env, 1, err) || !take(self, &found, &taken, err)) {
            return DS_STEP_ERROR;
        }
        if (taken) {
            row->rid = found.rid;
            row->doc = found.doc;
            row->key = found.key;
            row->key_size = found.key_size;
            row->index = self->plan->index;
            return DS_STEP_ROW;
        }
        node->passed++;
    }
    return DS_STEP_END;
}

void ds__node_index_fetch(ds__node *node) {
    if (node->scan != NULL) {
        ds__scan_fetch(node->scan);
    }
}

static void index_close(ds__node *node) {
    index_node *self = (index_node *)node;
    ds__ridset_clear(&self->seen);
    ds_buf_clear(&self->target);
    ds_buf_clear(&self->part);
    ds_buf_clear(&self->last);
}

static void scan_explain(const ds__node *node, ds__printer *printer) {
    const index_node *self = (const index_node *)node;
    ds__print_index(printer, self->plan, false);
    ds__print_count(printer, "keysExamined", node->keys);
    ds__print_count(printer, "seeks", node->scan ? ds__scan_seeks(node->scan) : 0);
    ds__print_count(printer, "dupsTested", self->seen.count + self->dups);
    ds__print_count(printer, "dupsDropped", self->dups);
}

static void count_explain(const ds__node *node, ds__printer *printer) {
    const index_node *self = (const index_node *)node;
    ds__print_count(printer, "keysExamined", node->keys);
    ds__print_index(printer, self->plan, true);
}

static void distinct_explain(const ds__node *node, ds__printer *printer) {
    const index_node *self = (const index_node *)node;
    ds__print_index(printer, self->plan, false);
    ds__print_count(printer, "keysExamined", node->keys);
}

#define INDEX_KIND(name, print)                                                                    \
    { .stage = name, .next = index_next, .close = index_close, .explain = print }
static const ds__node_kind kinds[] = {
    [DS_SCAN_KEYS] = INDEX_KIND("IXSCAN", scan_explain),
    [DS_SCAN_FETCH] = INDEX_KIND("IXSCAN", scan_explain),
    [DS_SCAN_COUNT] = INDEX_KIND("COUNT_SCAN", count_explain),
    [DS_SCAN_DISTINCT] = INDEX_KIND("DISTINCT_SCAN", distinct_explain),
};

ds__node *ds__node_index(ds__course *course, const ds__plan *plan, ds__scan_use use,
                         ds_error *err) {
    index_node *self = (index_node *)ds__node_new(sizeof *self, &kinds[use], course, 0, err);
    if (self == NULL) {
        return NULL;
    }
    self->plan = plan;
    self->distinct = use == DS_SCAN_DISTINCT;
    self->dedup = plan->index->multikey && !self->distinct;
    self->seen.meter = self->target.meter = self->last.meter = self->part.meter =
        course->eval->env->meter;
    for (size_t i = plan->used; i < plan->index->part_count; i++) {
        self->filters = self->filters || !plan->parts[i].full;
    }
    bool fetch = use == DS_SCAN_FETCH && !self->filters;
    if (plan->interval_count > 0 &&
        !ds__scan_keys(course->txn, ds__coll_keys(plan->coll, plan->index), plan->intervals,
                       plan->interval_count, plan->backward, fetch, &self->base.scan, err)) {
        ds__node_close(&self->base);
        return NULL;
    }
    return &self->base;
}
