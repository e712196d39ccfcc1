/* SPDX-License-Identifier: Apache-2.0 */
/* Applying a projection: one walk over the raw document. Fields keep the document's order; computed
 * ones that are not in their place already follow in the order of the specification. */
#include "base/limits.h"
#include "bson/scan.h"
#include "lang/projection/internal.h"

typedef struct apply {
    const ds__projection *projection;
    ds__eval *eval;
    ds_buf *out;
    ds_error *err;
    ds_value root;
    size_t position; /* positional `$`, once has_position */
    bool has_position;
    bool include;
    bool failed;
} apply;

static void write_fields(apply *a, const ds__project_node *node, ds_value doc);
static void write_elements(apply *a, const ds__project_field *f, ds_value array, bool positional);

/* Where `$` points: the query is matched again for the position. */
static bool find_position(apply *a) {
    ds__match_info info = {0};
    bool matched = false;
    if (a->has_position) {
        return true;
    }
    if (a->projection->filter != NULL &&
        !ds__filter_position(a->projection->filter, a->root, a->eval, &matched, &info, a->err)) {
        a->failed = true;
        return false;
    }
    if (!matched || !info.has_position) {
        a->failed = true;
        return ds__error_set(a->err, 51246,
                             "Executor error during find command :: caused by :: positional "
                             "operator '.$' couldn't find a matching element in the array");
    }
    a->position = info.position;
    a->has_position = true;
    return true;
}

static void write_position(apply *a, const ds__project_field *f, ds_value array) {
    if (!find_position(a)) {
        return;
    }
    ds_value v = ds__array_at(array, a->position);
    if (v.type == DS_MISSING) {
        ds__error_set(a->err, 51247,
                      "Executor error during find command :: caused by :: positional operator '.$' "
                      "element mismatch");
        a->failed = true;
        return;
    }
    size_t begin = ds__write_doc(a->out, f->name, f->size, DS_ARRAY);
    if (f->rule == DS_RULE_NODE) {
        write_elements(a, f, v, true);
    } else {
        ds__write_index(a->out, 0, v);
    }
    ds__doc_end(a->out, begin);
}

static void write_slice(apply *a, const ds__project_field *f, ds_value array) {
    int64_t count = (int64_t)ds__doc_count(array);
    int64_t from = f->skip < 0 ? count + f->skip : f->skip;
    from = from < 0 ? 0 : from;
    size_t n = 0, begin = ds__write_doc(a->out, f->name, f->size, DS_ARRAY);
    ds__iter it;
    ds__iter_init(&it, array);
    for (int64_t i = 0; n < (size_t)f->limit && ds__iter_next(&it); i++) {
        if (i >= from) {
            ds__write_index(a->out, n++, it.value);
        }
    }
    ds__doc_end(a->out, begin);
}

/* One element of an array under a node, written at index *n unless it goes. */
static void write_element(apply *a, const ds__project_field *f, ds_value v, size_t *n) {
    if (v.type == DS_DOCUMENT || (v.type != DS_ARRAY && f->node->computed)) {
        size_t begin = ds__write_index_doc(a->out, (*n)++, DS_DOCUMENT);
        write_fields(a, f->node, v.type == DS_DOCUMENT ? v : ds__missing());
        ds__doc_end(a->out, begin);
    } else if (v.type == DS_ARRAY) {
        size_t begin = ds__write_index_doc(a->out, (*n)++, DS_ARRAY);
        write_elements(a, f, v, false);
        ds__doc_end(a->out, begin);
    } else if (!a->include) {
        ds__write_index(a->out, (*n)++, v);
    }
}

/* The elements of an array a node describes; `positional`: `array` is the one element kept. */
static void write_elements(apply *a, const ds__project_field *f, ds_value array, bool positional) {
    size_t n = 0;
    if (positional) {
        write_element(a, f, array, &n);
        return;
    }
    ds__iter it;
    ds__iter_init(&it, array);
    while (ds__iter_next(&it) && !a->failed) {
        write_element(a, f, it.value, &n);
    }
}

static void write_computed(apply *a, const ds__project_field *f) {
    ds_value v = ds__missing();
    if (f->rule == DS_RULE_COMPUTE) {
        if (!ds__expr_eval(f->expr, a->eval, &v, a->err)) {
            a->failed = true;
            return;
        }
        ds__write_value(a->out, f->name, f->size, v);
        return;
    }
    bool matched = false;
    ds__match_info info = {0};
    if (!ds__filter_match(f->match, a->root, a->eval, &matched, &info, a->err)) {
        a->failed = true;
        return;
    }
    if (matched && info.has_position) {
        ds_value array = ds__scan_find(a->root, f->name, f->size);
        size_t begin = ds__write_doc(a->out, f->name, f->size, DS_ARRAY);
        ds__write_index(a->out, 0, ds__array_at(array, info.position));
        ds__doc_end(a->out, begin);
    }
}

/* A field with a node: false when nothing was written. */
static bool write_node(apply *a, const ds__project_field *f, ds_value v) {
    if (v.type == DS_ARRAY) {
        if (f->positional) {
            write_position(a, f, v);
            return true;
        }
        size_t begin = ds__write_doc(a->out, f->name, f->size, DS_ARRAY);
        write_elements(a, f, v, false);
        ds__doc_end(a->out, begin);
        return true;
    }
    if (v.type == DS_DOCUMENT || f->node->computed) {
        size_t begin = ds__write_doc(a->out, f->name, f->size, DS_DOCUMENT);
        write_fields(a, f->node, v.type == DS_DOCUMENT ? v : ds__missing());
        ds__doc_end(a->out, begin);
        return true;
    }
    if (!a->include) {
        ds__write_value(a->out, f->name, f->size, v);
        return true;
    }
    return false;
}

/* A field of the document that has a rule: true when its place is filled or it must stay out. */
static bool write_field(apply *a, const ds__project_field *f, const ds__scan *s) {
    ds_value v;
    switch (f->rule) {
    case DS_RULE_EXCLUDE:
        return true;
    case DS_RULE_INCLUDE:
        if (f->positional && *s->element == DS_ARRAY) {
            write_position(a, f, ds__scan_value(s));
        } else {
            ds_buf_add(a->out, s->element, (size_t)(s->at - s->element));
        }
        return true;
    case DS_RULE_NODE:
        return write_node(a, f, ds__scan_value(s));
    case DS_RULE_SLICE:
        v = ds__scan_value(s);
        if (v.type == DS_ARRAY) {
            write_slice(a, f, v);
        } else {
            ds_buf_add(a->out, s->element, (size_t)(s->at - s->element));
        }
        return true;
    case DS_RULE_COMPUTE:
    case DS_RULE_ELEM_MATCH:
        if (a->include) {
            return false; /* follows later, in the specification's order */
        }
        write_computed(a, f);
        return true;
    }
    return true;
}

/* Inclusion without anything computed: copies runs of the document's bytes. */
static void write_plain(apply *a, const ds__project_node *node, ds_value doc) {
    ds__scan s;
    ds__scan_init(&s, doc);
    const uint8_t *run = s.at; /* bytes not yet written that stay as they are */
    size_t left = node->count;
    while ((!a->include || left > 0) && ds__scan_next(&s) && !a->failed) {
        const ds__project_field *f = ds__project_find(node, s.key, s.key_size);
        bool stays = f == NULL ? !a->include : f->rule == DS_RULE_INCLUDE && !f->positional;
        left -= f != NULL && left > 0;
        if (stays) {
            continue;
        }
        ds_buf_add(a->out, run, (size_t)(s.element - run));
        run = s.at;
        if (f != NULL) {
            write_field(a, f, &s);
        }
    }
    ds_buf_add(a->out, run, (size_t)(s.at - run));
}

/* The fields of one document (missing: none) under a node. */
static void write_fields(apply *a, const ds__project_node *node, ds_value doc) {
    if (!node->computed) {
        if (doc.type != DS_MISSING) {
            write_plain(a, node, doc);
        }
        return;
    }
    uint8_t few[64] = {0};
    uint8_t *written = few;
    if (node->count > sizeof few) {
        written = ds_arena_zalloc(a->eval->scratch, node->count);
        if (written == NULL) {
            a->failed = !ds__error_oom(a->err);
            return;
        }
    }
    if (doc.type != DS_MISSING) {
        ds__scan s;
        ds__scan_init(&s, doc);
        while (ds__scan_next(&s) && !a->failed) {
            const ds__project_field *f = ds__project_find(node, s.key, s.key_size);
            if (f != NULL) {
                written[f - node->fields] |= write_field(a, f, &s);
            } else if (!a->include) {
                ds_buf_add(a->out, s.element, (size_t)(s.at - s.element));
            }
        }
    }
    for (size_t i = 0; i < node->count && !a->failed; i++) {
        const ds__project_field *f = &node->fields[i];
        if (written[i]) {
            continue;
        }
        if (f->rule == DS_RULE_COMPUTE || f->rule == DS_RULE_ELEM_MATCH) {
            write_computed(a, f);
        } else if (f->rule == DS_RULE_NODE && f->node->computed) {
            size_t begin = ds__write_doc(a->out, f->name, f->size, DS_DOCUMENT);
            write_fields(a, f->node, ds__missing());
            ds__doc_end(a->out, begin);
        }
    }
}

bool ds__projection_apply(const ds__projection *projection, ds_value doc, ds__eval *eval,
                          ds_buf *out, ds_error *err) {
    apply a = {.projection = projection,
               .eval = eval,
               .out = out,
               .err = err,
               .root = doc,
               .include = projection->mode == DS_MODE_INCLUDE};
    ds_value before = ds__missing();
    if (eval != NULL) {
        before = eval->slots[DS_VAR_ROOT];
        eval->slots[DS_VAR_ROOT] = doc;
    }
    size_t begin = ds__doc_begin(out);
    write_fields(&a, &projection->root, doc);
    ds__doc_end(out, begin);
    if (eval != NULL) {
        eval->slots[DS_VAR_ROOT] = before;
    }
    return !a.failed && ds_buf_ok(out, err);
}
