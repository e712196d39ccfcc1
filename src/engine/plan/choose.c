/* SPDX-License-Identifier: Apache-2.0 */
/* Chooses among scans by what their bounds promise: equality first, then ranges, then an order that
 * spares a sort. Rules that keep results right: no intersection on a path with arrays, no compound
 * bounds across elements of one array, sparse and partial indexes only where they hold every
 * match. */
#include "base/limits.h"
#include "bson/json.h"
#include "bson/key.h"
#include <stdlib.h>

#include "engine/index/index.h"
#include "engine/plan/plan.h"

enum { MAX_PREDICATES = 64, MAX_POINTS = 1000, MAX_INTERVALS = 5000 };

/* A leaf of the filter that speaks of one path of the documents. */
typedef struct predicate {
    const char *path;
    uint32_t size;
    const ds__filter *leaf;
    const ds__filter *owner; /* the object $elemMatch it stands in, or NULL */
} predicate;

typedef struct chooser {
    ds__txn *txn;
    ds__env *env;
    ds_arena *arena;
    const ds__query *query;
    predicate predicates[MAX_PREDICATES];
    size_t count;
    bool lossy;             /* the filter says more than the predicates */
    ds_error *err;
} chooser;

typedef struct candidate {
    const ds__index *index;
    ds__bounds *parts;
    const ds__filter **owners;
    uint64_t *covered;  /* per part: the predicates its bounds decide alone */
    size_t used;        /* leading parts whose bounds make intervals */
    bool bounded;       /* the first part is narrower than everything */
    bool sorted;
    bool backward;
    bool exact;
    double score;
} candidate;

static void add_predicate(chooser *c, const char *path, uint32_t size, const ds__filter *leaf,
                          const ds__filter *owner) {
    if (c->count < MAX_PREDICATES && size > 0) {
        c->predicates[c->count++] = (predicate){path, size, leaf, owner};
    } else {
        c->lossy = true;
    }
}

static const ds__filter *leaf_of_path(const ds__filter *f) {
    return f->op == DS_FILTER_NOT && f->child_count == 1 ? f->children[0] : f;
}

/* An OR whose branches are plain tests of one path: as good as one predicate. */
static bool or_of_one_path(const ds__filter *f, const ds__path **path) {
    for (size_t i = 0; i < f->child_count; i++) {
        const ds__filter *leaf = leaf_of_path(f->children[i]);
        if (leaf->path.size == 0 || leaf->op == DS_FILTER_ELEM_MATCH_OBJECT ||
            (i > 0 && strcmp(leaf->path.text, (*path)->text) != 0)) {
            return false;
        }
        *path = &leaf->path;
    }
    return f->child_count > 0;
}

static const char *join_path(chooser *c, const char *prefix, uint32_t prefix_size,
                             const ds__path *path, uint32_t *size) {
    *size = prefix_size + 1 + path->size;
    char *out = ds_arena_alloc(c->arena, *size + 1);
    if (out != NULL) {
        memcpy(out, prefix, prefix_size);
        out[prefix_size] = '.';
        memcpy(out + prefix_size + 1, path->text, path->size + 1);
    }
    return out;
}

static void collect(chooser *c, const ds__filter *f);

/* {a: {$elemMatch: {b: …}}} says something of "a.b". */
static void collect_elem_match(chooser *c, const ds__filter *f, const char *prefix,
                               uint32_t prefix_size, const ds__filter *owner) {
    for (size_t i = 0; i < f->child_count; i++) {
        const ds__filter *child = f->children[i];
        if (child->op == DS_FILTER_AND) {
            collect_elem_match(c, child, prefix, prefix_size, owner);
            continue;
        }
        const ds__filter *leaf = leaf_of_path(child);
        if (leaf->path.size == 0) {
            continue;
        }
        uint32_t size;
        const char *path = join_path(c, prefix, prefix_size, &leaf->path, &size);
        if (path == NULL) {
            return;
        }
        if (child->op == DS_FILTER_ELEM_MATCH_OBJECT) {
            collect_elem_match(c, child, path, size, owner);
        } else {
            add_predicate(c, path, size, child, owner);
        }
    }
}

static void collect(chooser *c, const ds__filter *f) {
    const ds__path *path = NULL;
    switch (f->op) {
    case DS_FILTER_AND:
        for (size_t i = 0; i < f->child_count; i++) {
            collect(c, f->children[i]);
        }
        break;
    case DS_FILTER_OR:
        if (or_of_one_path(f, &path)) {
            add_predicate(c, path->text, path->size, f, NULL);
        } else {
            c->lossy = true;
        }
        break;
    case DS_FILTER_ELEM_MATCH_OBJECT:
        c->lossy = true;
        collect_elem_match(c, f, f->path.text, f->path.size, f);
        break;
    default: {
        const ds__filter *leaf = leaf_of_path(f);
        if (leaf->path.text != NULL && leaf->path.size > 0) {
            add_predicate(c, leaf->path.text, leaf->path.size, f, NULL);
        } else {
            c->lossy = true;
        }
    }
    }
}

static bool predicate_bounds(chooser *c, const predicate *p, bool multikey, ds__bounds *out) {
    if (p->leaf->op != DS_FILTER_OR) {
        return ds__bounds_of(c->arena, p->leaf, multikey, out, c->err);
    }
    *out = (ds__bounds){.tight = true};
    for (size_t i = 0; i < p->leaf->child_count; i++) {
        ds__bounds one, both;
        if (!ds__bounds_of(c->arena, p->leaf->children[i], multikey, &one, c->err) ||
            !ds__bounds_union(c->arena, out, &one, &both, c->err)) {
            return false;
        }
        *out = both;
    }
    return true;
}

/* How much bounds narrow, to choose one where two may not be combined. */
static int narrowness(const ds__bounds *b) {
    if (b->full) {
        return 0;
    }
    if (b->count == 0) {
        return 5;
    }
    if (ds__bounds_points(b)) {
        return b->count == 1 ? 4 : 3;
    }
    return b->count == 1 && b->spans[0].lo.value.type != DS_MIN_KEY &&
                   b->spans[0].hi.value.type != DS_MAX_KEY
               ? 2
               : 1;
}

static bool part_bounds(chooser *c, candidate *k, size_t i, bool *rejects_missing,
                        size_t *matched) {
    const ds__index_part *part = &k->index->parts[i];
    bool multikey = part->multikey != 0;
    ds__bounds *b = &k->parts[i];
    if (!ds__bounds_full(c->arena, b, c->err)) {
        return false;
    }
    b->tight = true;
    k->owners[i] = NULL;
    bool partly = false; /* some predicate of the path is not in the bounds */
    for (size_t j = 0; j < c->count; j++) {
        const predicate *p = &c->predicates[j];
        if (p->size != part->path.size || memcmp(p->path, part->path.text, p->size) != 0) {
            continue;
        }
        ds__bounds one, both;
        if (!predicate_bounds(c, p, multikey, &one)) {
            return false;
        }
        *rejects_missing = *rejects_missing || !one.matches_missing;
        if (one.full) {
            partly = true;
        } else if (!multikey) {
            bool tight = b->tight && one.tight && p->owner == NULL;
            if (!ds__bounds_intersect(c->arena, b, &one, &both, c->err)) {
                return false;
            }
            *b = both;
            b->tight = tight;
            k->covered[i] |= one.tight && p->owner == NULL ? UINT64_C(1) << j : 0;
        } else if (narrowness(&one) > narrowness(b)) {
            partly = partly || !b->full;
            *b = one;
            k->owners[i] = p->owner;
            k->covered[i] = one.tight && p->owner == NULL ? UINT64_C(1) << j : 0;
        } else {
            partly = true;
        }
    }
    if (partly) {
        b->tight = false;
    }
    return true;
}

/* Leading components two paths share. */
static size_t shared_prefix(const ds__path *a, const ds__path *b) {
    size_t n = 0;
    while (n < a->count && n < b->count && a->parts[n].size == b->parts[n].size &&
           memcmp(a->parts[n].name, b->parts[n].name, a->parts[n].size) == 0) {
        n++;
    }
    return n;
}

/* Entries pair values of one array element; separate predicates may match in different ones. */
static bool widen_across_elements(chooser *c, candidate *k, size_t i) {
    const ds__index_part *part = &k->index->parts[i];
    for (size_t j = 0; j < i; j++) {
        const ds__index_part *other = &k->index->parts[j];
        size_t n = shared_prefix(&part->path, &other->path);
        uint64_t mask = n >= 64 ? UINT64_MAX : ((uint64_t)1 << n) - 1;
        bool same_element = k->owners[i] != NULL && k->owners[i] == k->owners[j];
        if (n > 0 && !k->parts[j].full && ((part->multikey | other->multikey) & mask) &&
            !same_element) {
            k->covered[i] = 0;
            return ds__bounds_full(c->arena, &k->parts[i], c->err);
        }
    }
    return true;
}

static bool single_point(const ds__bounds *b) {
    return b->count == 1 && ds__bounds_points(b);
}

/* Whether the index, read forward or backward, has the order wanted. */
static bool provides_sort(const candidate *k, const ds__sort_pattern *sort, bool *backward) {
    size_t i = 0;
    int direction = 0;
    for (size_t s = 0; s < sort->count; s++) {
        const ds__sort_part *want = &sort->parts[s];
        while (i < k->index->part_count &&
               (k->index->parts[i].path.size != want->path.size ||
                memcmp(k->index->parts[i].path.text, want->path.text, want->path.size) != 0)) {
            if (!single_point(&k->parts[i]) || k->index->parts[i].multikey) {
                return false;
            }
            i++;
        }
        if (i == k->index->part_count) {
            return false;
        }
        const ds__index_part *part = &k->index->parts[i];
        if (part->hashed || (part->multikey && !k->parts[i].full)) {
            return false;
        }
        int d = part->descending == want->descending ? 1 : -1;
        if (single_point(&k->parts[i]) && !part->multikey) {
            d = direction;
        }
        if (direction != 0 && d != 0 && d != direction) {
            return false;
        }
        direction = d != 0 ? d : direction;
        i++;
    }
    if (k->index->multikey) {
        for (size_t p = 0; p < k->index->part_count; p++) {
            if (k->index->parts[p].multikey && !k->parts[p].full) {
                return false;
            }
        }
    }
    *backward = direction < 0;
    return true;
}

static void score(candidate *k, const ds__query *q) {
    size_t points = 1;
    double total = 0;
    k->used = 0;
    k->exact = !k->index->multikey && !k->index->sparse;
    for (size_t i = 0; i < k->index->part_count; i++) {
        const ds__bounds *b = &k->parts[i];
        int n = narrowness(b);
        bool open = k->used == i;
        if (open && !b->full && points * (b->count ? b->count : 1) <= MAX_INTERVALS) {
            k->used = i + 1;
            total += n == 5 ? 20 : n == 4 ? 10 : n == 3 ? 8 : n == 2 ? 5 : 4;
            if (ds__bounds_points(b) && points * (b->count ? b->count : 1) <= MAX_POINTS) {
                points *= b->count ? b->count : 1;
            } else {
                points = MAX_INTERVALS + 1; /* nothing can follow a range */
            }
        } else if (!b->full) {
            total += 0.5;
            k->exact = false;
        }
        k->exact = k->exact && b->tight;
    }
    k->bounded = k->used > 0;
    if (k->bounded && k->index->unique && k->used == k->index->part_count) {
        total += 2;
    }
    if (q->sort != NULL) {
        k->sorted = provides_sort(k, q->sort, &k->backward);
        total += k->sorted ? 3.5 : 0;
    }
    total -= k->index->multikey ? 0.3 : 0;
    k->score = total - 0.01 * (double)k->index->part_count;
}

static bool fits_hash(candidate *k) {
    for (size_t i = 0; i < k->index->part_count; i++) {
        if (!k->index->parts[i].hashed) {
            continue;
        }
        ds__bounds *b = &k->parts[i];
        if (b->full) {
            continue;
        }
        if (!ds__bounds_points(b)) {
            return false;
        }
        for (size_t s = 0; s < b->count; s++) {
            uint8_t type = b->spans[s].lo.value.type;
            if (type == DS_NULL || type == DS_UNDEFINED || type == DS_ARRAY) {
                return false;
            }
        }
        b->tight = false;
    }
    return true;
}

/* Bounds of all parts; `*usable` says whether every match is in the index. */
static bool consider(chooser *c, const ds__index *index, bool hinted, candidate *k, bool *usable) {
    *k = (candidate){.index = index};
    *usable = false;
    k->parts = ds_arena_zalloc(c->arena, index->part_count * sizeof *k->parts);
    k->owners = ds_arena_zalloc(c->arena, index->part_count * sizeof *k->owners);
    k->covered = ds_arena_zalloc(c->arena, index->part_count * sizeof *k->covered);
    if (k->parts == NULL || k->owners == NULL || k->covered == NULL) {
        return ds__error_oom(c->err);
    }
    bool rejects_missing = false;
    size_t matched = 0;
    for (size_t i = 0; i < index->part_count; i++) {
        if (!part_bounds(c, k, i, &rejects_missing, &matched)) {
            return false;
        }
    }
    for (size_t i = 1; i < index->part_count; i++) {
        if (!k->parts[i].full && !widen_across_elements(c, k, i)) {
            return false;
        }
    }
    if (!fits_hash(k)) {
        for (size_t i = 0; i < index->part_count; i++) {
            if (index->parts[i].hashed && !ds__bounds_full(c->arena, &k->parts[i], c->err)) {
                return false;
            }
        }
    }
    score(k, c->query);
    k->exact = k->exact && !c->lossy && matched == c->count && index->kind == DS_INDEX_ORDERED;
    *usable = hinted || ((!index->sparse || rejects_missing) && !index->hidden);
    if (!hinted && index->partial.type == DS_DOCUMENT) {
        const ds__filter *partial;
        if (!ds__txn_filter(c->txn, index->partial, &partial, c->err)) {
            return false;
        }
        *usable = *usable && ds__plan_implies(c->query->filter, partial);
        k->exact = false;
    }
    if (!k->bounded && *usable && (index->partial.type == DS_DOCUMENT || index->sparse)) {
        k->bounded = true; /* it holds few documents but those that may match */
        k->score += 2;
    }
    return true;
}

/* Appends the bytes of a cut for a part; `lower` as the index orders them. */
static void add_cut(ds_buf *buf, const ds__index_part *part, const ds__span *span, bool lower) {
    const ds__cut *cut = lower != part->descending ? &span->lo : &span->hi;
    bool after = cut->after != part->descending;
    if (part->hashed) {
        ds__key_add(buf, ds__int64(ds__index_hash(cut->value)), false, NULL);
    } else {
        ds__key_add(buf, cut->value, part->descending, NULL);
    }
    if (after) {
        ds__key_add_max(buf, false);
    }
}

typedef struct builder {
    ds_arena *arena;
    const candidate *k;
    ds__interval *items;
    size_t count;
    ds_error *err;
} builder;

static bool add_interval(builder *b, const ds_buf *prefix, const ds__index_part *part,
                         const ds__span *span) {
    ds_buf buf = {0};
    ds_buf_add(&buf, prefix->data, prefix->size);
    add_cut(&buf, part, span, true);
    size_t middle = buf.size;
    ds_buf_add(&buf, prefix->data, prefix->size);
    add_cut(&buf, part, span, false);
    uint8_t *bytes = buf.failed ? NULL : ds_arena_copy(b->arena, buf.data, buf.size);
    if (bytes != NULL) {
        b->items[b->count++] = (ds__interval){.lo = bytes,
                                              .hi = bytes + middle,
                                              .lo_size = middle,
                                              .hi_size = buf.size - middle,
                                              .lo_inclusive = true};
    }
    ds_buf_clear(&buf);
    return bytes != NULL || ds__error_oom(b->err);
}

static bool build_part(builder *b, size_t i, ds_buf *prefix) {
    const ds__index_part *part = &b->k->index->parts[i];
    const ds__bounds *bounds = &b->k->parts[i];
    bool last = i + 1 == b->k->used;
    for (size_t s = 0; s < bounds->count; s++) {
        const ds__span *span = &bounds->spans[part->descending ? bounds->count - 1 - s : s];
        if (last) {
            if (!add_interval(b, prefix, part, span)) {
                return false;
            }
            continue;
        }
        size_t size = prefix->size;
        if (part->hashed) {
            ds__key_add(prefix, ds__int64(ds__index_hash(span->lo.value)), false, NULL);
        } else {
            ds__key_add(prefix, span->lo.value, part->descending, NULL);
        }
        if (!build_part(b, i + 1, prefix)) {
            return false;
        }
        prefix->size = size;
    }
    return true;
}

static int compare_intervals(const void *x, const void *y) {
    const ds__interval *a = x;
    const ds__interval *b = y;
    size_t n = a->lo_size < b->lo_size ? a->lo_size : b->lo_size;
    int order = memcmp(a->lo, b->lo, n);
    return order != 0 ? order : a->lo_size < b->lo_size ? -1 : a->lo_size > b->lo_size;
}

static bool build_intervals(ds_arena *arena, const candidate *k, ds__plan *plan, ds_error *err) {
    if (k->used == 0) {
        plan->intervals = ds_arena_zalloc(arena, sizeof *plan->intervals);
        plan->interval_count = 1;
        return plan->intervals != NULL || ds__error_oom(err);
    }
    size_t n = 1;
    for (size_t i = 0; i < k->used; i++) {
        n *= k->parts[i].count;
    }
    builder b = {.arena = arena, .k = k, .err = err};
    b.items = ds_arena_alloc(arena, (n + 1) * sizeof *b.items);
    if (b.items == NULL) {
        return ds__error_oom(err);
    }
    ds_buf prefix = {0};
    bool ok = build_part(&b, 0, &prefix);
    ds_buf_clear(&prefix);
    if (!ok) {
        return false;
    }
    if (k->index->kind == DS_INDEX_HASHED && b.count > 1) {
        qsort(b.items, b.count, sizeof *b.items, compare_intervals);
    }
    if (plan->backward) {
        for (size_t i = 0; i < b.count / 2; i++) {
            ds__interval t = b.items[i];
            b.items[i] = b.items[b.count - 1 - i];
            b.items[b.count - 1 - i] = t;
        }
    }
    plan->intervals = b.items;
    plan->interval_count = b.count;
    return true;
}

static ds__plan *new_plan(chooser *c, ds__plan_kind kind) {
    const ds__query *q = c->query;
    ds__plan *plan = ds_arena_zalloc(c->arena, sizeof *plan);
    if (plan == NULL) {
        ds__error_oom(c->err);
        return NULL;
    }
    plan->kind = kind;
    plan->coll = q->coll;
    plan->filter = q->filter;
    plan->residual = q->filter;
    plan->sort = q->sort;
    plan->id = ds__missing();
    plan->skip = q->skip;
    plan->limit = q->limit;
    plan->allow_disk = q->allow_disk;
    return plan;
}

static bool is_covered(const chooser *c, uint64_t covered, const ds__filter *f) {
    for (size_t j = 0; j < c->count; j++) {
        if (c->predicates[j].leaf == f && c->predicates[j].owner == NULL) {
            return covered >> j & 1;
        }
    }
    return false;
}

/* What the bounds leave for the filter to decide; NULL in *out: nothing. */
static bool residual(chooser *c, const candidate *k, const ds__filter **out) {
    const ds__filter *f = c->query->filter;
    uint64_t covered = 0;
    *out = f;
    for (size_t i = 0; i < k->used; i++) {
        covered |= k->index->parts[i].hashed ? 0 : k->covered[i];
    }
    if (f == NULL || covered == 0) {
        return true;
    }
    if (f->op != DS_FILTER_AND) {
        *out = is_covered(c, covered, f) ? NULL : f;
        return true;
    }
    ds__filter *rest = ds_arena_copy(c->arena, f, sizeof *f);
    if (rest == NULL) {
        return ds__error_oom(c->err);
    }
    rest->children = ds_arena_alloc(c->arena, f->child_count * sizeof(ds__filter *));
    if (rest->children == NULL) {
        return ds__error_oom(c->err);
    }
    rest->child_count = 0;
    for (size_t i = 0; i < f->child_count; i++) {
        if (!is_covered(c, covered, f->children[i])) {
            rest->children[rest->child_count++] = f->children[i];
        }
    }
    *out = rest->child_count == 0 ? NULL : rest->child_count == 1 ? rest->children[0] : rest;
    return true;
}

static bool index_plan(chooser *c, const candidate *k, ds__plan **out) {
    ds__plan *plan = new_plan(c, DS_PLAN_INDEX);
    if (plan == NULL) {
        return false;
    }
    plan->index = k->index;
    plan->parts = k->parts;
    plan->backward = k->sorted && k->backward;
    plan->exact = k->exact && k->bounded;
    if (k->sorted) {
        plan->sort = NULL;
    }
    *out = plan;
    return residual(c, k, &plan->residual) && build_intervals(c->arena, k, plan, c->err);
}

/* The best index for the predicates collected; *found says whether one is worth it. */
static bool best_index(chooser *c, candidate *best, bool *found) {
    const ds__coll *coll = c->query->coll;
    *found = false;
    for (size_t i = 0; i < coll->index_count; i++) {
        candidate k;
        bool usable;
        if (!consider(c, &coll->indexes[i], false, &k, &usable)) {
            return false;
        }
        if (!usable || (!k.bounded && !k.sorted)) {
            continue;
        }
        if (!*found || k.score > best->score) {
            *best = k;
            *found = true;
        }
    }
    return true;
}

static const ds__filter *find_or(const ds__filter *f) {
    if (f == NULL || f->op == DS_FILTER_OR) {
        return f;
    }
    if (f->op == DS_FILTER_AND) {
        for (size_t i = 0; i < f->child_count; i++) {
            if (f->children[i]->op == DS_FILTER_OR) {
                return f->children[i];
            }
        }
    }
    return NULL;
}

/* A union of index scans, one per branch of an $or; *out stays NULL when a branch has none. */
static bool or_plan(chooser *c, const ds__filter *f, ds__plan **out) {
    *out = NULL;
    ds__plan *plan = new_plan(c, DS_PLAN_OR);
    if (plan == NULL) {
        return false;
    }
    plan->branches = ds_arena_zalloc(c->arena, f->child_count * sizeof *plan->branches);
    chooser *inner = ds_arena_zalloc(c->arena, sizeof *inner);
    if (plan->branches == NULL || inner == NULL) {
        return ds__error_oom(c->err);
    }
    for (size_t i = 0; i < f->child_count; i++) {
        ds__query q = {.coll = c->query->coll, .filter = f->children[i]};
        q.hint = q.min = q.max = q.id = ds__missing();
        *inner = (chooser){.txn = c->txn, .env = c->env, .arena = c->arena, .query = &q,
                           .err = c->err};
        collect(inner, q.filter);
        candidate best;
        bool found;
        if (!best_index(inner, &best, &found)) {
            return false;
        }
        if (!found || !best.bounded) {
            return true;
        }
        if (!index_plan(inner, &best, &plan->branches[i])) {
            return false;
        }
    }
    plan->branch_count = f->child_count;
    *out = plan;
    return true;
}

static bool bad_hint(ds_error *err) {
    return ds__error_set(err, DS_BAD_VALUE,
                         "error processing query: planner returned error :: caused by :: hint "
                         "provided does not correspond to an existing index");
}

static bool natural(ds_value hint, bool *backward) {
    ds_value v;
    if (hint.type != DS_DOCUMENT || !ds__doc_get(hint, "$natural", 8, &v)) {
        return false;
    }
    int64_t n = 1;
    ds__value_exact_int64(v, &n);
    *backward = n < 0;
    return true;
}

static const ds__index *find_hint(const ds__coll *coll, ds_value hint) {
    if (hint.type == DS_STRING) {
        return ds__coll_find_index(coll, ds__text(hint), hint.size);
    }
    for (size_t i = 0; i < coll->index_count; i++) {
        if (ds__value_equal(coll->indexes[i].key_pattern, hint, NULL)) {
            return &coll->indexes[i];
        }
    }
    return NULL;
}

/* min and max: one span of whole keys, max excluded. */
static bool min_max_plan(chooser *c, const candidate *k, ds__plan *plan) {
    ds__interval *iv = ds_arena_zalloc(c->arena, sizeof *iv);
    if (iv == NULL) {
        return ds__error_oom(c->err);
    }
    for (int upper = 0; upper < 2; upper++) {
        ds_value spec = upper ? c->query->max : c->query->min;
        if (spec.type != DS_DOCUMENT) {
            continue;
        }
        ds_buf buf = {0};
        ds__iter it;
        ds__iter_init(&it, spec);
        for (size_t i = 0; i < k->index->part_count; i++) {
            const ds__index_part *part = &k->index->parts[i];
            if (!ds__iter_next(&it) || strcmp(it.key, part->path.text) != 0) {
                ds_buf_clear(&buf);
                return ds__error_set(c->err, 51174,
                                     "The index chosen is not compatible with min/max");
            }
            ds__key_add(&buf, it.value, part->descending, NULL);
        }
        uint8_t *bytes = buf.failed ? NULL : ds_arena_copy(c->arena, buf.data, buf.size);
        size_t size = buf.size;
        ds_buf_clear(&buf);
        if (bytes == NULL) {
            return ds__error_oom(c->err);
        }
        if (upper) {
            iv->hi = bytes;
            iv->hi_size = size;
        } else {
            iv->lo = bytes;
            iv->lo_size = size;
            iv->lo_inclusive = true;
        }
    }
    plan->intervals = iv;
    plan->interval_count = 1;
    plan->residual = c->query->filter;
    plan->exact = false;
    return true;
}

static bool hinted_plan(chooser *c, ds__plan **out) {
    const ds__query *q = c->query;
    bool backward;
    if (natural(q->hint, &backward)) {
        *out = new_plan(c, DS_PLAN_TABLE);
        if (*out != NULL) {
            (*out)->backward = backward;
        }
        return *out != NULL;
    }
    const ds__index *index = find_hint(q->coll, q->hint);
    if (index == NULL || index->hidden) {
        return bad_hint(c->err);
    }
    candidate k;
    bool usable;
    if (!consider(c, index, true, &k, &usable)) {
        return false;
    }
    if (q->min.type == DS_DOCUMENT || q->max.type == DS_DOCUMENT) {
        for (size_t i = 0; i < index->part_count; i++) {
            if (!ds__bounds_full(c->arena, &k.parts[i], c->err)) {
                return false;
            }
        }
        score(&k, q);
        return index_plan(c, &k, out) && min_max_plan(c, &k, *out);
    }
    return index_plan(c, &k, out);
}

static bool choose(chooser *c, ds__plan **out) {
    const ds__query *q = c->query;
    if (q->filter != NULL) {
        collect(c, q->filter);
    }
    if (q->hint.type == DS_STRING || (q->hint.type == DS_DOCUMENT && !ds__doc_empty(q->hint))) {
        return hinted_plan(c, out);
    }
    candidate best = {0};
    bool found;
    if (!best_index(c, &best, &found)) {
        return false;
    }
    if (!found || !best.bounded) {
        const ds__filter *any = find_or(q->filter);
        ds__plan *plan = NULL;
        if (any != NULL && !or_plan(c, any, &plan)) {
            return false;
        }
        if (plan != NULL) {
            *out = plan;
            return true;
        }
    }
    if (found) {
        return index_plan(c, &best, out);
    }
    *out = new_plan(c, DS_PLAN_TABLE);
    return *out != NULL;
}

bool ds__plan_choose(ds__txn *txn, ds__env *env, const ds__query *query, ds__plan **out,
                     ds_error *err) {
    chooser *c = ds_arena_alloc(env->arena, sizeof *c);
    *out = NULL;
    if (c == NULL) {
        return ds__error_oom(err);
    }
    c->txn = txn;
    c->env = env;
    c->arena = env->arena;
    c->query = query;
    c->count = 0;
    c->lossy = false;
    c->err = err;
    if (query->coll == NULL) {
        *out = new_plan(c, DS_PLAN_EMPTY);
        return *out != NULL;
    }
    if (query->id.type != DS_MISSING && query->hint.type == DS_MISSING) {
        *out = new_plan(c, DS_PLAN_ID);
        if (*out != NULL) {
            (*out)->id = query->id;
            (*out)->filter = (*out)->residual = NULL;
            (*out)->sort = NULL;
        }
        return *out != NULL;
    }
    return choose(c, out);
}
