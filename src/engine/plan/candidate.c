/* SPDX-License-Identifier: Apache-2.0 */
/* Rules that keep results right: no intersection on a path with arrays, no compound bounds across
 * elements of one array, sparse and partial indexes only where they hold every match. */
#include "engine/plan/candidate.h"
#include "engine/records/filters.h"

static void add_predicate(ds__chooser *c, const char *path, uint32_t size, const ds__filter *leaf,
                          const ds__filter *owner) {
    if (c->count < DS_PLAN_MAX_PREDICATES && size > 0) {
        c->predicates[c->count++] = (ds__predicate){path, size, leaf, owner};
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

static const char *join_path(ds__chooser *c, const char *prefix, uint32_t prefix_size,
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

/* {a: {$elemMatch: {b: …}}} says something of "a.b". */
static void collect_elem_match(ds__chooser *c, const ds__filter *f, const char *prefix,
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

void ds__plan_collect(ds__chooser *c, const ds__filter *f) {
    const ds__path *path = NULL;
    switch (f->op) {
    case DS_FILTER_AND:
        for (size_t i = 0; i < f->child_count; i++) {
            ds__plan_collect(c, f->children[i]);
        }
        break;
    case DS_FILTER_OR:
        if (or_of_one_path(f, &path)) {
            add_predicate(c, path->text, path->size, f, NULL);
        }
        break;
    case DS_FILTER_ELEM_MATCH_OBJECT:
        collect_elem_match(c, f, f->path.text, f->path.size, f);
        break;
    default: {
        const ds__filter *leaf = leaf_of_path(f);
        if (leaf->path.text != NULL && leaf->path.size > 0) {
            add_predicate(c, leaf->path.text, leaf->path.size, f, NULL);
        }
    }
    }
}

static bool predicate_bounds(ds__chooser *c, const ds__predicate *p, const ds__index_part *part,
                             ds__bounds *out) {
    const bool multikey = part->multikey != 0;
    if (p->leaf->op != DS_FILTER_OR) {
        return part->kind->bounds(c->arena, p->leaf, multikey, out, c->err);
    }
    *out = (ds__bounds){.tight = true};
    for (size_t i = 0; i < p->leaf->child_count; i++) {
        ds__bounds one, both;
        if (!part->kind->bounds(c->arena, p->leaf->children[i], multikey, &one, c->err) ||
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

static bool part_bounds(ds__chooser *c, ds__candidate *k, size_t i, bool *rejects_missing) {
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
        const ds__predicate *p = &c->predicates[j];
        if (p->size != part->path.size || memcmp(p->path, part->path.text, p->size) != 0) {
            continue;
        }
        ds__bounds one, both;
        if (!predicate_bounds(c, p, part, &one)) {
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
static bool widen_across_elements(ds__chooser *c, ds__candidate *k, size_t i) {
    const ds__index_part *part = &k->index->parts[i];
    for (size_t j = 0; j < i; j++) {
        const ds__index_part *other = &k->index->parts[j];
        size_t n = shared_prefix(&part->path, &other->path);
        uint64_t mask = n >= 64 ? UINT64_MAX : ((uint64_t)1 << n) - 1;
        if (k->owners[i] != NULL && k->owners[i] == k->owners[j]) {
            /* one element of the $elemMatch; arrays inside that element are not decided by it */
            uint32_t bound = k->owners[i]->path.count;
            mask = bound >= 64 ? 0 : mask >> bound << bound;
        }
        if (n > 0 && !k->parts[j].full && ((part->multikey | other->multikey) & mask)) {
            k->covered[i] = 0;
            return ds__bounds_full(c->arena, &k->parts[i], c->err);
        }
    }
    return true;
}

static bool is_part(const ds__index_part *part, const ds__sort_part *want) {
    return part->path.size == want->path.size &&
           memcmp(part->path.text, want->path.text, want->path.size) == 0;
}

/* Whether the index, read forward or backward, has the order wanted. The first `fixed` parts count
 * as single values. */
static bool provides_sort(const ds__candidate *k, const ds__sort_pattern *sort, size_t fixed,
                          bool *backward) {
    size_t i = fixed;
    int direction = 0;
    for (size_t s = 0; s < sort->count; s++) {
        const ds__sort_part *want = &sort->parts[s];
        while (i < k->index->part_count && !is_part(&k->index->parts[i], want)) {
            if (!ds__bounds_single(&k->parts[i]) || k->index->parts[i].multikey) {
                return false;
            }
            i++;
        }
        if (i == k->index->part_count) {
            return false;
        }
        const ds__index_part *part = &k->index->parts[i];
        if (!part->kind->ordered || (part->multikey && !k->parts[i].full)) {
            return false;
        }
        int d = part->descending == want->descending ? 1 : -1;
        if (ds__bounds_single(&k->parts[i]) && !part->multikey) {
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

bool ds__plan_explodes(const ds__candidate *k, const ds__query *q, size_t *parts, size_t *count) {
    size_t i = 0;
    bool backward;
    *count = 1;
    if (q->sort == NULL || q->sort->count == 0 || k->sorted || !k->index->kind->ordered) {
        return false;
    }
    while (i < k->used && ds__bounds_points(&k->parts[i]) && k->parts[i].count > 0 &&
           !is_part(&k->index->parts[i], &q->sort->parts[0])) {
        *count *= k->parts[i].count;
        if (*count > DS_PLAN_MAX_BRANCHES) {
            return false;
        }
        i++;
    }
    *parts = i;
    return *count > 1 && provides_sort(k, q->sort, i, &backward);
}

bool ds__plan_exploded(ds_arena *arena, const ds__candidate *k, const ds__query *q, size_t parts,
                       size_t n, ds__candidate *out, size_t *merge_at, ds_error *err) {
    *out = *k;
    *merge_at = 0;
    out->parts = ds_arena_copy(arena, k->parts, k->index->part_count * sizeof *k->parts);
    if (out->parts == NULL) {
        return ds__error_oom(err);
    }
    for (size_t i = parts; i-- > 0;) {
        const ds__bounds *b = &k->parts[i];
        const ds__span *span = &b->spans[n % b->count];
        n /= b->count;
        out->parts[i].spans = ds_arena_copy(arena, span, sizeof *span);
        out->parts[i].count = 1;
        *merge_at += span->lo.size;
        if (out->parts[i].spans == NULL) {
            return ds__error_oom(err);
        }
    }
    ds__plan_score(out, q);
    return true;
}

void ds__plan_score(ds__candidate *k, const ds__query *q) {
    size_t points = 1;
    double total = 0;
    k->used = 0;
    for (size_t i = 0; i < k->index->part_count; i++) {
        const ds__bounds *b = &k->parts[i];
        int n = narrowness(b);
        bool open = k->used == i;
        if (open && !b->full && points * (b->count ? b->count : 1) <= DS_PLAN_MAX_INTERVALS) {
            k->used = i + 1;
            total += n == 5 ? 20 : n == 4 ? 10 : n == 3 ? 8 : n == 2 ? 5 : 4;
            if (ds__bounds_points(b) && points * (b->count ? b->count : 1) <= DS_PLAN_MAX_POINTS) {
                points *= b->count ? b->count : 1;
            } else {
                points = DS_PLAN_MAX_INTERVALS + 1; /* nothing can follow a range */
            }
        } else if (!b->full) {
            total += 0.5;
        }
    }
    k->bounded = k->used > 0;
    if (k->bounded && k->index->unique && k->used == k->index->part_count) {
        total += 2;
    }
    if (q->sort != NULL) {
        k->sorted = provides_sort(k, q->sort, 0, &k->backward);
        total += k->sorted ? DS_PLAN_SORT_POINTS : 0;
    }
    total -= k->index->multikey ? 0.3 : 0;
    k->score = total - 0.01 * (double)k->index->part_count;
}

/* Bounds of all parts; `*usable` says whether every match is in the index. */
bool ds__plan_consider(ds__chooser *c, const ds__index *index, bool hinted, ds__candidate *k,
                       bool *usable) {
    *k = (ds__candidate){.index = index};
    *usable = false;
    k->parts = ds_arena_zalloc(c->arena, index->part_count * sizeof *k->parts);
    k->owners = ds_arena_zalloc(c->arena, index->part_count * sizeof *k->owners);
    k->covered = ds_arena_zalloc(c->arena, index->part_count * sizeof *k->covered);
    if (k->parts == NULL || k->owners == NULL || k->covered == NULL) {
        return ds__error_oom(c->err);
    }
    bool rejects_missing = false;
    for (size_t i = 0; i < index->part_count; i++) {
        if (!part_bounds(c, k, i, &rejects_missing)) {
            return false;
        }
    }
    for (size_t i = 1; i < index->part_count; i++) {
        if (!k->parts[i].full && !widen_across_elements(c, k, i)) {
            return false;
        }
    }
    ds__plan_score(k, c->query);
    *usable = hinted || ((!index->sparse || rejects_missing) && !index->hidden);
    if (!hinted && index->partial.type == DS_DOCUMENT) {
        const ds__filter *partial;
        if (!ds__txn_filter(c->txn, index->partial, &partial, c->err)) {
            return false;
        }
        *usable = *usable && ds__plan_implies(c->query->filter, partial);
    }
    if (!k->bounded && *usable && (index->partial.type == DS_DOCUMENT || index->sparse)) {
        k->bounded = true; /* it holds few documents but those that may match */
        k->score += 2;
    }
    return true;
}
