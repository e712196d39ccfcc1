/* SPDX-License-Identifier: Apache-2.0 */
/* The path tree: where each operator acts, which of them conflict, and the order of application,
 * which is that of the tree (numbers by value, other names by bytes). */
#include "lang/update/internal.h"

int64_t ds__update_index_of(const char *name, size_t size) {
    int64_t v = 0;
    if (size == 0 || size > 10) {
        return -1;
    }
    for (size_t i = 0; i < size; i++) {
        if (name[i] < '0' || name[i] > '9') {
            return -1;
        }
        v = v * 10 + (name[i] - '0');
    }
    return v <= UINT32_MAX ? v : -1;
}

static bool all_digits(const char *s, size_t n) {
    for (size_t i = 0; i < n; i++) {
        if (s[i] < '0' || s[i] > '9') {
            return false;
        }
    }
    return n > 0;
}

static int compare_bytes(const char *a, size_t an, const char *b, size_t bn) {
    int c = memcmp(a, b, an < bn ? an : bn);
    return c ? c : (an > bn) - (an < bn);
}

/* Numbers by value when both are, else by bytes. */
static int compare_names(const char *a, size_t an, const char *b, size_t bn) {
    if (all_digits(a, an) && all_digits(b, bn)) {
        size_t ai = 0, bi = 0;
        while (ai + 1 < an && a[ai] == '0') {
            ai++;
        }
        while (bi + 1 < bn && b[bi] == '0') {
            bi++;
        }
        if (an - ai != bn - bi) {
            return an - ai < bn - bi ? -1 : 1;
        }
        int c = memcmp(a + ai, b + bi, an - ai);
        if (c) {
            return c;
        }
    }
    return compare_bytes(a, an, b, bn);
}

ds__part_kind ds__update_part_kind(const ds__path_part *part) {
    if (part->size == 1 && part->name[0] == '$') {
        return DS_PART_POSITIONAL;
    }
    if (part->size >= 3 && part->name[0] == '$' && part->name[1] == '[' &&
        part->name[part->size - 1] == ']') {
        return DS_PART_FILTER;
    }
    return DS_PART_NAME;
}

ds__update_node *ds__update_node_new(ds_arena *arena, ds__update_node_kind kind, const char *name,
                                     uint32_t name_size) {
    ds__update_node *n = ds_arena_zalloc(arena, sizeof *n);
    if (n) {
        n->kind = kind;
        n->name = name;
        n->name_size = name_size;
        n->index = ds__update_index_of(name, name_size);
    }
    return n;
}

/* The place of a name among the children; `*found` tells whether it is taken. */
static size_t child_place(const ds__update_node *node, const char *name, size_t size, bool *found) {
    size_t low = 0, high = node->count;
    while (low < high) {
        size_t mid = low + (high - low) / 2;
        const ds__update_node *c = node->children[mid];
        int order = compare_names(c->name, c->name_size, name, size);
        if (order == 0) {
            *found = true;
            return mid;
        }
        if (order < 0) {
            low = mid + 1;
        } else {
            high = mid;
        }
    }
    *found = false;
    return low;
}

static bool insert_child(ds_arena *arena, ds__update_node *node, size_t at,
                         ds__update_node *child) {
    if (node->count == node->cap) {
        ds__update_node **grown =
            ds_arena_grow(arena, node->children, node->count, &node->cap, sizeof *grown);
        if (!grown) {
            return false;
        }
        node->children = grown;
    }
    memmove(node->children + at + 1, node->children + at, (node->count - at) * sizeof(void *));
    node->children[at] = child;
    node->count++;
    return true;
}

static bool conflict(const ds__path *path, uint32_t parts, ds_error *err) {
    size_t length = 0;
    for (uint32_t i = 0; i < parts; i++) {
        length += path->parts[i].size + (i ? 1 : 0);
    }
    return ds__error_set(err, DS_CONFLICTING_UPDATE_OPERATORS,
                         "Updating the path '%s' would create a conflict at '%.*s'", path->text,
                         (int)length, path->text);
}

static bool find_filter(ds__update_parser *p, const ds__path *path, const ds__path_part *part,
                        const ds__filter **out, ds_error *err) {
    size_t size = part->size - 3;
    *out = NULL;
    if (size == 0) {
        return true;
    }
    for (size_t i = 0; i < p->update->array_filter_count; i++) {
        ds__update_array_filter *f = &p->update->array_filters[i];
        if (strlen(f->identifier) == size && memcmp(f->identifier, part->name + 2, size) == 0) {
            f->used = true;
            *out = f->filter;
            return true;
        }
    }
    return ds__error_set(err, DS_BAD_VALUE,
                         "No array filter found for identifier '%.*s' in path '%s'", (int)size,
                         part->name + 2, path->text);
}

/* The child of `node` for part `i`, made when it is not there. */
static bool descend(ds__update_parser *p, ds__update_node *node, const ds__path *path, uint32_t i,
                    ds__update_node *leaf, ds__update_node **out, ds_error *err) {
    ds_arena *arena = p->env->arena;
    const ds__path_part *part = &path->parts[i];
    ds__part_kind kind = ds__update_part_kind(part);
    bool last = i + 1 == path->count;
    const ds__filter *filter = NULL;
    const char *name = part->name;
    uint32_t size = part->size;
    if (kind == DS_PART_FILTER) {
        if (!find_filter(p, path, part, &filter, err)) {
            return false;
        }
        size -= 3;
        name = ds_arena_strndup(arena, part->name + 2, size);
        if (!name) {
            return ds__error_oom(err);
        }
    }
    ds__update_node_kind want = DS_NODE_LEAF;
    if (!last) {
        want = ds__update_part_kind(&path->parts[i + 1]) == DS_PART_FILTER ? DS_NODE_ARRAY
                                                                           : DS_NODE_OBJECT;
    }
    bool found = false;
    size_t at = 0;
    ds__update_node *child = node->positional;
    if (kind != DS_PART_POSITIONAL) {
        at = child_place(node, name, size, &found);
        child = found ? node->children[at] : NULL;
    }
    if (child) {
        if (last || child->kind != want) {
            return conflict(path, i + 1, err);
        }
        *out = child;
        return true;
    }
    child = last ? leaf : ds__update_node_new(arena, want, name, size);
    if (!child) {
        return ds__error_oom(err);
    }
    child->name = name;
    child->name_size = size;
    child->index = ds__update_index_of(name, size);
    child->filter = filter;
    if (kind == DS_PART_POSITIONAL) {
        node->positional = child;
    } else if (!insert_child(arena, node, at, child)) {
        return ds__error_oom(err);
    }
    *out = child;
    return true;
}

bool ds__update_tree_add(ds__update_parser *p, ds__update_node *leaf, ds_error *err) {
    const ds__path *path = leaf->path;
    ds__update_node *node = p->update->root;
    if (ds__update_part_kind(&path->parts[0]) == DS_PART_FILTER) {
        return ds__error_set(err, DS_BAD_VALUE,
                             "Cannot have array filter identifier (i.e. '$[<id>]') element in the "
                             "first position in path '%s'",
                             path->text);
    }
    for (uint32_t i = 0; i < path->count; i++) {
        if (!descend(p, node, path, i, leaf, &node, err)) {
            return false;
        }
    }
    return true;
}

bool ds__update_merge(ds_arena *arena, const ds__update_node *a, const ds__update_node *b,
                      const ds__update_frame *at, ds__update_node **out, ds_error *err) {
    if (a->kind != b->kind || a->kind == DS_NODE_LEAF) {
        char text[DS_UPDATE_PATH_TEXT];
        return ds__error_set(err, DS_CONFLICTING_UPDATE_OPERATORS,
                             "Update created a conflict at '%s'", ds__update_path_text(at, text));
    }
    ds__update_node *n = ds__update_node_new(arena, a->kind, a->name, a->name_size);
    if (!n) {
        return ds__error_oom(err);
    }
    n->filter = a->filter;
    n->positional = a->positional ? a->positional : b->positional;
    if (a->positional && b->positional) {
        ds__update_frame f = {.parent = at, .name = "$", .name_size = 1};
        if (!ds__update_merge(arena, a->positional, b->positional, &f, &n->positional, err)) {
            return false;
        }
    }
    for (size_t i = 0; i < a->count; i++) {
        if (!insert_child(arena, n, n->count, a->children[i])) {
            return ds__error_oom(err);
        }
    }
    for (size_t i = 0; i < b->count; i++) {
        ds__update_node *c = b->children[i];
        bool found;
        size_t place = child_place(n, c->name, c->name_size, &found);
        if (!found) {
            if (!insert_child(arena, n, place, c)) {
                return ds__error_oom(err);
            }
            continue;
        }
        ds__update_frame f = {.parent = at, .name = c->name, .name_size = c->name_size};
        if (!ds__update_merge(arena, n->children[place], c, &f, &n->children[place], err)) {
            return false;
        }
    }
    *out = n;
    return true;
}
