/* SPDX-License-Identifier: Apache-2.0 */
/* Trees in the words of mongod's explain: a stage for each node, with its inputs. */
#include "bson/json.h"
#include "bson/number.h"
#include "bson/writer.h"
#include "engine/plan/runner.h"

static void print_bound(ds_buf *text, const ds__cut *cut) {
    const ds_value v = cut->value;
    if (v.type == DS_MIN_KEY) {
        ds_buf_add(text, "MinKey", 6);
    } else if (v.type == DS_MAX_KEY) {
        ds_buf_add(text, "MaxKey", 6);
    } else if (v.type == DS_DOUBLE && v.as.f64 - v.as.f64 != 0) {
        const char *s = v.as.f64 != v.as.f64 ? "nan.0" : v.as.f64 > 0 ? "inf.0" : "-inf.0";
        ds_buf_add(text, s, strlen(s));
    } else {
        ds__value_print(text, v);
    }
}

/* "[5, 5]", "(5.0, inf.0]"; a descending part shows its upper end first. */
static void print_bounds(ds__printer *p, const ds__index_part *part, const ds__bounds *b,
                         bool backward) {
    bool down = part->descending != backward;
    size_t list = ds__write_doc(p->out, part->path.text, part->path.size, DS_ARRAY);
    ds_buf text = {0};
    for (size_t i = 0; i < b->count; i++) {
        const ds__span *s = &b->spans[down ? b->count - 1 - i : i];
        const ds__cut *first = down ? &s->hi : &s->lo;
        const ds__cut *second = down ? &s->lo : &s->hi;
        bool first_in = down ? s->hi.after : !s->lo.after;
        bool second_in = down ? !s->lo.after : s->hi.after;
        ds_buf_reset(&text);
        ds_buf_add_byte(&text, first_in ? '[' : '(');
        print_bound(&text, first);
        ds_buf_add(&text, ", ", 2);
        print_bound(&text, second);
        ds_buf_add_byte(&text, second_in ? ']' : ')');
        ds__write_index(p->out, i, ds__string((const char *)text.data, text.size));
    }
    ds_buf_clear(&text);
    ds__doc_end(p->out, list);
}

static void print_multikey_paths(ds__printer *p, const ds__index *index) {
    size_t paths = ds__write_doc(p->out, "multiKeyPaths", 13, DS_DOCUMENT);
    for (size_t i = 0; i < index->part_count; i++) {
        const ds__index_part *part = &index->parts[i];
        size_t list = ds__write_doc(p->out, part->path.text, part->path.size, DS_ARRAY);
        size_t n = 0;
        for (uint32_t c = 0; c < part->path.count && c < 64; c++) {
            if (part->multikey >> c & 1) {
                size_t size = 0;
                for (uint32_t k = 0; k <= c; k++) {
                    size += part->path.parts[k].size + (k > 0);
                }
                ds__write_index(p->out, n++, ds__string(part->path.text, size));
            }
        }
        ds__doc_end(p->out, list);
    }
    ds__doc_end(p->out, paths);
}

static void print_filter(ds__printer *p, const ds__filter *filter) {
    if (filter == NULL || (filter->op == DS_FILTER_AND && filter->child_count == 0)) {
        return;
    }
    ds_buf text = {0};
    ds__filter_print(filter, &text);
    if (!text.failed && text.size > 4) {
        ds__write_value(p->out, "filter", 6, ds__document(text.data));
    }
    ds_buf_clear(&text);
}

/* One end of a span of keys, as {a: 1, b: MinKey}; *inclusive: that of the last part that is bound.
 */
static void print_range_end(ds__printer *p, const ds__plan *leaf, bool end, const char *name,
                            const char *inclusive_name) {
    const ds__index *index = leaf->index;
    bool inclusive = true;
    size_t doc = ds__write_doc(p->out, name, strlen(name), DS_DOCUMENT);
    for (size_t i = 0; i < index->part_count; i++) {
        const ds__index_part *part = &index->parts[i];
        const ds__span *span = &leaf->parts[i].spans[0];
        bool hi = end != (part->descending != leaf->backward);
        ds__write_value(p->out, part->path.text, part->path.size,
                        hi ? span->hi.value : span->lo.value);
        inclusive = inclusive && (hi ? span->hi.after : !span->lo.after);
    }
    ds__doc_end(p->out, doc);
    ds__write_bool(p->out, inclusive_name, inclusive);
}

void ds__print_index(ds__printer *p, const ds__plan *leaf, bool range) {
    const ds__index *index = leaf->index;
    ds__write_value(p->out, "keyPattern", 10, index->key_pattern);
    ds__write_str(p->out, "indexName", index->name);
    ds__write_bool(p->out, "isMultiKey", index->multikey);
    print_multikey_paths(p, index);
    ds__write_bool(p->out, "isUnique", index->unique || index->is_id);
    ds__write_bool(p->out, "isSparse", index->sparse);
    ds__write_bool(p->out, "isPartial", index->partial.type == DS_DOCUMENT);
    ds__write_int32(p->out, "indexVersion", 2);
    if (!range) {
        ds__write_str(p->out, "direction", leaf->backward ? "backward" : "forward");
    }
    size_t bounds = ds__write_doc(p->out, "indexBounds", 11, DS_DOCUMENT);
    if (range) {
        print_range_end(p, leaf, false, "startKey", "startKeyInclusive");
        print_range_end(p, leaf, true, "endKey", "endKeyInclusive");
    } else {
        for (size_t i = 0; i < index->part_count; i++) {
            print_bounds(p, &index->parts[i], &leaf->parts[i], leaf->backward);
        }
    }
    ds__doc_end(p->out, bounds);
}

void ds__print_count(ds__printer *p, const char *name, uint64_t n) {
    if (p->counts) {
        ds__write_int32(p->out, name, (int32_t)n);
    }
}

static void print_counts(ds__printer *p, const ds__node *node) {
    uint64_t waits = ds__node_waits(node);
    bool ended = ds__node_at_end(node);
    ds__print_count(p, "nReturned", node->returned);
    ds__print_count(p, "executionTimeMillisEstimate", 0);
    ds__print_count(p, "works", node->returned + waits + ended);
    ds__print_count(p, "advanced", node->returned);
    ds__print_count(p, "needTime", waits);
    ds__print_count(p, "needYield", 0);
    ds__print_count(p, "saveState", 0);
    ds__print_count(p, "restoreState", 0);
    ds__print_count(p, "isEOF", ended);
}

static void print_node(const ds__node *node, ds__printer *printer);

/* The projection stands below a limit, and above everything else. */
static void print_projection(const ds__node *node, ds__printer *p) {
    const char *stage = p->projection;
    p->projection = NULL;
    ds__write_str(p->out, "stage", stage);
    if (p->counts) {
        print_counts(p, node);
    }
    ds__write_value(p->out, "transformBy", 11, p->transform);
    size_t input = ds__write_doc(p->out, "inputStage", 10, DS_DOCUMENT);
    print_node(node, p);
    ds__doc_end(p->out, input);
}

static void print_node(const ds__node *node, ds__printer *p) {
    if (p->projection != NULL && strcmp(node->kind->stage, "LIMIT") != 0 &&
        strcmp(node->kind->stage, "PROJECTION_COVERED") != 0) {
        print_projection(node, p);
        return;
    }
    ds__write_str(p->out, "stage", node->kind->stage);
    print_filter(p, node->filter);
    if (p->counts) {
        print_counts(p, node);
    }
    if (node->kind->explain != NULL) {
        node->kind->explain(node, p);
    }
    if (node->input_count == 1) {
        size_t input = ds__write_doc(p->out, "inputStage", 10, DS_DOCUMENT);
        print_node(node->inputs[0], p);
        ds__doc_end(p->out, input);
    } else if (node->input_count > 1) {
        size_t inputs = ds__write_doc(p->out, "inputStages", 11, DS_ARRAY);
        for (size_t i = 0; i < node->input_count; i++) {
            size_t input = ds__write_index_doc(p->out, i, DS_DOCUMENT);
            print_node(node->inputs[i], p);
            ds__doc_end(p->out, input);
        }
        ds__doc_end(p->out, inputs);
    }
}

void ds__runner_print(const ds__runner *r, const ds__explain *words, bool counts, ds_buf *out) {
    ds__printer p = {.out = out,
                     .sort_spec = words->sort_spec,
                     .projection = words->projection,
                     .transform = words->transform,
                     .counts = counts};
    print_node(r->root, &p);
}

void ds__exec_print(const ds__exec *x, const ds__explain *words, bool counts, ds_buf *out) {
    ds__runner_print(x->now, words, counts, out);
}

bool ds__exec_print_rivals(const ds__exec *x, const ds__explain *words, bool executed, ds_buf *out,
                           ds_error *err) {
    if (executed && x->report.size > 0) {
        ds__write_elements(out, ds__array(x->report.data));
        return ds_buf_ok(&x->report, err);
    }
    for (size_t i = 0, n = 0; !executed && i < x->runner_count; i++) {
        const ds__runner *r = &x->runners[i];
        if (r != x->now && r->root != NULL) {
            size_t doc = ds__write_index_doc(out, n++, DS_DOCUMENT);
            ds__runner_print(r, words, false, out);
            ds__doc_end(out, doc);
        }
    }
    return true;
}
