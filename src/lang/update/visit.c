/* SPDX-License-Identifier: Apache-2.0 */
/* Visits the path tree on one document, in the order of application, and plans the changes. A path
 * that does not exist is created by operators that create, and skipped by the others. */
#include <stdio.h>
#include <stdlib.h>

#include "base/limits.h"
#include "lang/update/internal.h"

const char *ds__update_path_text(const ds__update_frame *at, char *out) {
    size_t end = DS_UPDATE_PATH_TEXT - 1;
    size_t begin = end;
    out[end] = '\0';
    for (const ds__update_frame *f = at; f && f->name; f = f->parent) {
        size_t need = f->name_size + (begin < end ? 1 : 0);
        if (need > begin) {
            break;
        }
        if (begin < end) {
            out[--begin] = '.';
        }
        begin -= f->name_size;
        memcpy(out + begin, f->name, f->name_size);
    }
    return out + begin;
}

const char *ds__update_id_text(const ds__update_run *run, char *out, size_t size) {
    char quoted[DS_MAX_QUOTED + 8];
    ds_value id = ds__doc_field(run->root, "_id");
    if (id.type == DS_MISSING) {
        snprintf(out, size, "no id");
    } else {
        snprintf(out, size, "_id: %s", ds__value_quote(id, quoted, sizeof quoted));
    }
    return out;
}

static const ds__update_frame *top_frame(const ds__update_frame *at) {
    while (at->parent && at->parent->name) {
        at = at->parent;
    }
    return at;
}

/* _id may not change, nor anything in it. An insert still makes its _id. */
static bool check_immutable(const ds__update_run *run, const ds__update_frame *at, ds_error *err) {
    const ds__update_frame *top = top_frame(at);
    if (run->insert && ds__doc_field(run->root, "_id").type == DS_MISSING) {
        return true;
    }
    if (top->name_size != 3 || memcmp(top->name, "_id", 3) != 0) {
        return true;
    }
    char text[DS_UPDATE_PATH_TEXT];
    return ds__error_set(err, DS_IMMUTABLE_FIELD,
                         "Performing an update on the path '%s' would modify the immutable field "
                         "'_id'",
                         ds__update_path_text(at, text));
}

static bool visit_leaf(const ds__update_node *leaf, ds__update_run *run, const ds__update_frame *at,
                       ds_value old, ds__change *change, ds_error *err) {
    bool idle = false;
    if (leaf->op->idle && !leaf->op->idle(leaf, run, &idle, err)) {
        return false;
    }
    if (idle || (old.type == DS_MISSING && !leaf->op->creates)) {
        return true;
    }
    if (!leaf->op->apply(leaf, run, at, old, change, err)) {
        return false;
    }
    return change->kind == DS_CHANGE_KEEP || check_immutable(run, at, err);
}

static bool no_position(ds_error *err) {
    return ds__error_set(err, DS_BAD_VALUE,
                         "The positional operator did not find the match needed from the query.");
}

static bool no_array_path(const ds__update_frame *at, ds_error *err) {
    char text[DS_UPDATE_PATH_TEXT];
    return ds__error_set(
        err, DS_BAD_VALUE,
        "The path '%s' must exist in the document in order to apply array updates.",
        ds__update_path_text(at, text));
}

static bool refuse_leaf(const ds__update_node *leaf, ds__update_run *run,
                        const ds__update_frame *blocked, const ds__update_frame *at, ds_value old,
                        ds_error *err) {
    char text[DS_UPDATE_PATH_TEXT];
    char quoted[DS_MAX_QUOTED + 8];
    const ds__update_frame *parent = blocked->parent;
    bool idle = false;
    if (leaf->op->idle && !leaf->op->idle(leaf, run, &idle, err)) {
        return false;
    }
    if (idle || leaf->op->lenient) {
        return true;
    }
    const char *value = ds__value_quote(old, quoted, sizeof quoted);
    if (leaf->op->creates) {
        return ds__error_set(
            err, DS_PATH_NOT_VIABLE, "Cannot create field '%.*s' in element {%.*s: %s}",
            (int)blocked->name_size, blocked->name, (int)parent->name_size, parent->name, value);
    }
    return ds__error_set(err, DS_PATH_NOT_VIABLE,
                         "Cannot use the part (%.*s) of (%s) to traverse the element ({%.*s: %s})",
                         (int)blocked->name_size, blocked->name, ds__update_path_text(at, text),
                         (int)parent->name_size, parent->name, value);
}

/* The operators below `node` act on a path that cannot exist: a field of a scalar, or of an array
 * by another name than a position. `blocked` is the part that cannot be, `old` its parent's value,
 * `at` the path down to the node. */
static bool refuse(const ds__update_node *node, ds__update_run *run,
                   const ds__update_frame *blocked, const ds__update_frame *at, ds_value old,
                   ds_error *err) {
    if (node->kind == DS_NODE_LEAF) {
        return refuse_leaf(node, run, blocked, at, old, err);
    }
    if (node->kind == DS_NODE_ARRAY) {
        return no_array_path(at, err);
    }
    if (node->positional && !run->has_position) {
        return no_position(err);
    }
    for (size_t i = 0; i <= node->count; i++) {
        const ds__update_node *child = i < node->count ? node->children[i] : node->positional;
        if (!child) {
            continue;
        }
        ds__update_frame frame = {.parent = at, .name = child->name, .name_size = child->name_size};
        if (i == node->count) {
            frame.name = run->position;
            frame.name_size = run->position_size;
        }
        if (!refuse(child, run, blocked, &frame, old, err)) {
            return false;
        }
    }
    return true;
}

/* Where an element stands. */
typedef struct place {
    const uint8_t *element; /* NULL: nowhere */
    size_t size;
    ds_value value;
} place;

/* Finds the element a name or position means in `old`. */
static place find_element(const char *name, size_t size, int64_t index, ds_value old) {
    ds__iter it;
    if (old.type != DS_DOCUMENT && (old.type != DS_ARRAY || index < 0)) {
        return (place){0};
    }
    ds__iter_init(&it, old);
    for (int64_t i = 0; ds__iter_next(&it); i++) {
        bool hit = old.type == DS_ARRAY ? i == index
                                        : it.key_size == size && memcmp(it.key, name, size) == 0;
        if (hit) {
            return (place){it.element, it.element_size, it.value};
        }
    }
    return (place){0};
}

/* A child to look for, in an order that can be searched. */
typedef struct wanted {
    const ds__update_node *child;
    size_t at; /* among the children */
} wanted;

static int compare_keys(const char *a, size_t an, const char *b, size_t bn) {
    int c = memcmp(a, b, an < bn ? an : bn);
    return c ? c : (an > bn) - (an < bn);
}

static int by_name(const void *pa, const void *pb) {
    const wanted *a = pa, *b = pb;
    return compare_keys(a->child->name, a->child->name_size, b->child->name, b->child->name_size);
}

static const wanted *find_wanted(const wanted *list, size_t count, const char *key, size_t size) {
    size_t low = 0, high = count;
    while (low < high) {
        size_t mid = low + (high - low) / 2;
        int c = compare_keys(list[mid].child->name, list[mid].child->name_size, key, size);
        if (c == 0) {
            return &list[mid];
        }
        if (c < 0) {
            low = mid + 1;
        } else {
            high = mid;
        }
    }
    return NULL;
}

enum { MANY_CHILDREN = 16 };

/* With many children the document is read once, for all of them; NULL with few of them. */
static bool find_all(const ds__update_node *node, ds__update_run *run, ds_value old, place **out,
                     ds_error *err) {
    *out = NULL;
    if (node->count < MANY_CHILDREN || old.type != DS_DOCUMENT) {
        return true;
    }
    wanted *list = ds_arena_alloc(run->arena, node->count * sizeof *list);
    *out = ds_arena_zalloc(run->arena, node->count * sizeof **out);
    if (!list || !*out) {
        return ds__error_oom(err);
    }
    for (size_t i = 0; i < node->count; i++) {
        list[i] = (wanted){node->children[i], i};
    }
    qsort(list, node->count, sizeof *list, by_name);
    ds__iter it;
    ds__iter_init(&it, old);
    while (ds__iter_next(&it)) {
        const wanted *w = find_wanted(list, node->count, it.key, it.key_size);
        if (w && !(*out)[w->at].element) {
            (*out)[w->at] = (place){it.element, it.element_size, it.value};
        }
    }
    return true;
}

static bool check_padding(ds_value array, int64_t index, ds_error *err) {
    if (index - (int64_t)ds__doc_count(array) > DS_UPDATE_MAX_PADDING) {
        return ds__error_set(err, DS_CANNOT_BACKFILL_ARRAY, "can't backfill more than %d elements",
                             DS_UPDATE_MAX_PADDING);
    }
    return true;
}

static uint8_t change_type(const ds__change *c) {
    if (c->kind == DS_CHANGE_SET) {
        return c->value.type;
    }
    return c->kind == DS_CHANGE_NEST ? DS_DOCUMENT : DS_ARRAY;
}

/* A field made at the top level may not begin with `$`; an upsert's may, but its _id may not become
 * an array. New fields come last, so that they never make a DBRef. */
static bool check_top(const ds__update_run *run, const ds__change *c, ds_error *err) {
    bool made = c->kind != DS_CHANGE_REMOVE && c->kind != DS_CHANGE_KEEP &&
                (c->kind != DS_CHANGE_NEST || !c->element);
    if (!made) {
        return true;
    }
    if (c->kind == DS_CHANGE_LIST && strcmp(c->name, "_id") == 0) {
        return ds__error_set(err, DS_NOT_SINGLE_VALUE_FIELD,
                             "After applying the update to the document, the field '_id' was found "
                             "to be an array or array descendant.");
    }
    return run->insert || c->name[0] != '$' ||
           ds__update_check_dollar(c->name, change_type(c), NULL, NULL, err);
}

static bool visit_child(const ds__update_node *child, const char *name, uint32_t size,
                        int64_t index, ds__update_run *run, const ds__update_frame *at,
                        ds_value old, const place *known, ds__change *change, ds_error *err) {
    ds__update_frame frame = {
        .parent = at, .name = name, .name_size = size, .in_array = old.type == DS_ARRAY};
    place found = known ? *known : find_element(name, size, index, old);
    *change = (ds__change){.name = name,
                           .name_size = size,
                           .index = index,
                           .element = found.element,
                           .element_size = found.size};
    bool viable =
        old.type == DS_DOCUMENT || old.type == DS_MISSING || (old.type == DS_ARRAY && index >= 0);
    if (!viable) {
        return refuse(child, run, &frame, &frame, old, err);
    }
    if (!ds__update_visit(child, run, &frame, found.value, change, err)) {
        return false;
    }
    if (!at->name && !check_top(run, change, err)) {
        return false;
    }
    if (change->kind != DS_CHANGE_KEEP && !change->element && old.type == DS_ARRAY) {
        return check_padding(old, index, err);
    }
    return true;
}

/* Existing elements by place, then new ones as they came (element_size keeps their order). */
static int by_place(const void *pa, const void *pb) {
    const ds__change *a = pa, *b = pb;
    if (!a->element != !b->element) {
        return a->element ? -1 : 1;
    }
    if (a->element) {
        return (a->element > b->element) - (a->element < b->element);
    }
    return (a->element_size > b->element_size) - (a->element_size < b->element_size);
}

static void order_changes(ds__change *nest) {
    for (size_t i = 0; i < nest->child_count; i++) {
        ds__change *c = &nest->children[i];
        if (c->element) {
            nest->existing_count++;
        } else {
            c->element_size = i;
        }
    }
    if (nest->existing_count && nest->child_count > 1) {
        qsort(nest->children, nest->child_count, sizeof *nest->children, by_place);
    }
}

static void nest_changes(ds__change *change, ds_value old, ds__change *children, size_t count) {
    if (count == 0) {
        return;
    }
    change->kind = DS_CHANGE_NEST;
    change->value = old;
    change->children = children;
    change->child_count = count;
    order_changes(change);
}

static bool before(const char *a, size_t an, const ds__update_node *b) {
    int c = memcmp(a, b->name, an < b->name_size ? an : b->name_size);
    return c < 0 || (c == 0 && an < b->name_size);
}

static bool visit_object(const ds__update_node *node, ds__update_run *run,
                         const ds__update_frame *at, ds_value old, ds__change *change,
                         ds_error *err) {
    const ds__update_node *pending = node->positional;
    if (pending && !run->has_position) {
        return no_position(err);
    }
    ds__change *changes = ds_arena_alloc(run->arena, (node->count + 1) * sizeof *changes);
    place *places;
    if (!changes) {
        return ds__error_oom(err);
    }
    if (!find_all(node, run, old, &places, err)) {
        return false;
    }
    size_t n = 0;
    for (size_t i = 0; i < node->count || pending; i++) {
        const ds__update_node *child = i < node->count ? node->children[i] : NULL;
        bool same = child && pending && child->name_size == run->position_size &&
                    memcmp(child->name, run->position, child->name_size) == 0;
        if (same) {
            ds__update_frame f = {.parent = at, .name = child->name, .name_size = child->name_size};
            ds__update_node *merged;
            if (!ds__update_merge(run->arena, child, pending, &f, &merged, err)) {
                return false;
            }
            child = merged;
            pending = NULL;
        } else if (pending && (!child || before(run->position, run->position_size, child))) {
            if (!visit_child(pending, run->position, run->position_size, run->position_index, run,
                             at, old, NULL, &changes[n], err)) {
                return false;
            }
            n += changes[n].kind != DS_CHANGE_KEEP;
            pending = NULL;
        }
        if (child) {
            const ds__update_node *named = node->children[i];
            if (!visit_child(child, named->name, named->name_size, named->index, run, at, old,
                             places ? &places[i] : NULL, &changes[n], err)) {
                return false;
            }
            n += changes[n].kind != DS_CHANGE_KEEP;
        }
    }
    nest_changes(change, old, changes, n);
    return true;
}

/* The last merge of children, for the elements that pass the same filters. */
typedef struct merge_cache {
    const ds__update_node *merged;
    uint64_t picked;              /* children by bit, when there are at most 64 */
    const ds__update_node **hits; /* scratch: room for all children */
} merge_cache;

/* The children whose filter an element passes, merged into one; NULL: none. */
static bool pick_children(const ds__update_node *node, ds__update_run *run,
                          const ds__update_frame *at, ds_value element, merge_cache *cache,
                          const ds__update_node **out, ds_error *err) {
    const ds__update_node **hits = cache->hits;
    size_t count = 0;
    uint64_t picked = 0;
    *out = NULL;
    for (size_t i = 0; i < node->count; i++) {
        const ds__update_node *child = node->children[i];
        bool matched = true;
        if (child->filter &&
            !ds__filter_match_value(child->filter, element, run->eval, &matched, err)) {
            return false;
        }
        if (matched) {
            hits[count++] = child;
            picked |= (uint64_t)1 << (i % 64);
        }
    }
    if (count > 1 && node->count <= 64 && cache->merged && cache->picked == picked) {
        *out = cache->merged;
        return true;
    }
    for (size_t i = 0; i < count; i++) {
        ds__update_node *merged = NULL;
        if (i && !ds__update_merge(run->arena, *out, hits[i], at, &merged, err)) {
            return false;
        }
        *out = i ? merged : hits[0];
    }
    if (count > 1) {
        cache->merged = *out;
        cache->picked = picked;
    }
    return true;
}

static bool visit_array(const ds__update_node *node, ds__update_run *run,
                        const ds__update_frame *at, ds_value old, ds__change *change,
                        ds_error *err) {
    if (old.type == DS_MISSING) {
        return no_array_path(at, err);
    }
    if (old.type != DS_ARRAY) {
        char quoted[DS_MAX_QUOTED + 8];
        return ds__error_set(
            err, DS_BAD_VALUE, "Cannot apply array updates to non-array element %.*s: %s",
            (int)at->name_size, at->name, ds__value_quote(old, quoted, sizeof quoted));
    }
    ds__change *changes = NULL;
    size_t n = 0, cap = 0;
    merge_cache cache = {.hits = ds_arena_alloc(run->arena, (node->count + 1) * sizeof(void *))};
    if (!cache.hits) {
        return ds__error_oom(err);
    }
    ds__iter it;
    ds__iter_init(&it, old);
    for (size_t i = 0; ds__iter_next(&it); i++) {
        const ds__update_node *child;
        char index[16];
        ds__update_frame frame = {.parent = at, .name = index, .in_array = true};
        frame.name_size = (uint32_t)ds__index_text(i, index);
        if (!ds__env_step(run->eval->env, 2, err)) {
            return false;
        }
        if (!pick_children(node, run, &frame, it.value, &cache, &child, err)) {
            return false;
        }
        if (!child) {
            continue;
        }
        if (n == cap) {
            changes = ds_arena_grow(run->arena, changes, n, &cap, sizeof *changes);
            if (!changes) {
                return ds__error_oom(err);
            }
        }
        changes[n] = (ds__change){.index = (int64_t)i,
                                  .name = it.key,
                                  .name_size = (uint32_t)it.key_size,
                                  .element = it.element,
                                  .element_size = it.element_size};
        if (!ds__update_visit(child, run, &frame, it.value, &changes[n], err)) {
            return false;
        }
        n += changes[n].kind != DS_CHANGE_KEEP;
    }
    nest_changes(change, old, changes, n);
    return true;
}

bool ds__update_visit(const ds__update_node *node, ds__update_run *run, const ds__update_frame *at,
                      ds_value old, ds__change *change, ds_error *err) {
    switch (node->kind) {
    case DS_NODE_LEAF:
        return visit_leaf(node, run, at, old, change, err);
    case DS_NODE_ARRAY:
        return visit_array(node, run, at, old, change, err);
    case DS_NODE_OBJECT:
        break;
    }
    /* scalars: every child is refused, an array only for names that are no positions */
    return visit_object(node, run, at, old, change, err);
}
