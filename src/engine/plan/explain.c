/* SPDX-License-Identifier: Apache-2.0 */
/* Plans in the words of mongod's explain: a chain of stages, each with its inputStage. */
#include "bson/json.h"
#include "bson/number.h"
#include "bson/writer.h"
#include "engine/plan/plan.h"

/* Stages from the outside in. */
typedef enum stage_kind {
    ST_PROJECTION,
    ST_LIMIT,
    ST_SKIP,
    ST_SORT,
    ST_FETCH,
    ST_OR,
    ST_IXSCAN,
    ST_COLLSCAN,
    ST_IDHACK,
    ST_EOF,
    ST_END
} stage_kind;

typedef struct printer {
    const ds__plan *plan;
    const char *projection;
    ds_value transform;
    ds_value sort_spec;
    const ds__exec_stats *stats;
    ds_buf *out;
} printer;

static void write_str(printer *p, const char *k, const char *v) {
    ds__write_str(p->out, k, v);
}

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
static void print_bounds(printer *p, const ds__index_part *part, const ds__bounds *b,
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

static void print_multikey_paths(printer *p, const ds__index *index) {
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

static void print_filter(printer *p, const ds__filter *filter) {
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

static void print_counts(printer *p, bool keys, bool docs, bool root) {
    if (p->stats == NULL) {
        return;
    }
    const ds__exec_stats *s = p->stats;
    uint64_t works = (keys ? s->keys_examined : s->docs_examined) + 1;
    ds__write_int32(p->out, "nReturned", (int32_t)(root ? s->returned : s->docs_examined));
    ds__write_int32(p->out, "executionTimeMillisEstimate", 0);
    ds__write_int32(p->out, "works", (int32_t)works);
    ds__write_int32(p->out, "isEOF", 1);
    if (keys) {
        ds__write_int32(p->out, "keysExamined", (int32_t)s->keys_examined);
    }
    if (docs) {
        ds__write_int32(p->out, "docsExamined", (int32_t)s->docs_examined);
    }
}

static void print_index_scan(printer *p, const ds__plan *leaf) {
    const ds__index *index = leaf->index;
    print_counts(p, true, false, false);
    ds__write_value(p->out, "keyPattern", 10, index->key_pattern);
    write_str(p, "indexName", index->name);
    ds__write_bool(p->out, "isMultiKey", index->multikey);
    print_multikey_paths(p, index);
    ds__write_bool(p->out, "isUnique", index->unique || index->is_id);
    ds__write_bool(p->out, "isSparse", index->sparse);
    ds__write_bool(p->out, "isPartial", index->partial.type == DS_DOCUMENT);
    ds__write_int32(p->out, "indexVersion", 2);
    write_str(p, "direction", leaf->backward ? "backward" : "forward");
    size_t bounds = ds__write_doc(p->out, "indexBounds", 11, DS_DOCUMENT);
    for (size_t i = 0; i < index->part_count; i++) {
        print_bounds(p, &index->parts[i], &leaf->parts[i], leaf->backward);
    }
    ds__doc_end(p->out, bounds);
}

static bool wanted(const printer *p, stage_kind kind) {
    const ds__plan *plan = p->plan;
    switch (kind) {
    case ST_PROJECTION:
        return p->projection != NULL;
    case ST_LIMIT:
        return plan->limit > 0 && plan->sort == NULL && plan->kind != DS_PLAN_ID;
    case ST_SKIP:
        return plan->skip > 0;
    case ST_SORT:
        return plan->sort != NULL;
    case ST_FETCH:
        return (plan->kind == DS_PLAN_INDEX && !plan->keys_only) || plan->kind == DS_PLAN_OR;
    case ST_OR:
        return plan->kind == DS_PLAN_OR;
    case ST_IXSCAN:
        return plan->kind == DS_PLAN_INDEX;
    case ST_COLLSCAN:
        return plan->kind == DS_PLAN_TABLE;
    case ST_IDHACK:
        return plan->kind == DS_PLAN_ID;
    case ST_EOF:
        return plan->kind == DS_PLAN_EMPTY;
    case ST_END:
        break;
    }
    return false;
}

static void print_stage(printer *p, stage_kind kind, bool root);

static void print_input(printer *p, stage_kind kind) {
    for (stage_kind next = kind + 1; next < ST_END; next++) {
        if (wanted(p, next)) {
            size_t input = ds__write_doc(p->out, "inputStage", 10, DS_DOCUMENT);
            print_stage(p, next, false);
            ds__doc_end(p->out, input);
            return;
        }
    }
}

static void print_or(printer *p) {
    write_str(p, "stage", "OR");
    size_t inputs = ds__write_doc(p->out, "inputStages", 11, DS_ARRAY);
    for (size_t i = 0; i < p->plan->branch_count; i++) {
        size_t input = ds__write_index_doc(p->out, i, DS_DOCUMENT);
        write_str(p, "stage", "IXSCAN");
        print_index_scan(p, p->plan->branches[i]);
        ds__doc_end(p->out, input);
    }
    ds__doc_end(p->out, inputs);
}

static void print_stage(printer *p, stage_kind kind, bool root) {
    const ds__plan *plan = p->plan;
    switch (kind) {
    case ST_PROJECTION:
        write_str(p, "stage", p->projection);
        print_counts(p, false, false, true);
        ds__write_value(p->out, "transformBy", 11, p->transform);
        break;
    case ST_LIMIT:
        write_str(p, "stage", "LIMIT");
        print_counts(p, false, false, root);
        ds__write_int32(p->out, "limitAmount", (int32_t)plan->limit);
        break;
    case ST_SKIP:
        write_str(p, "stage", "SKIP");
        print_counts(p, false, false, root);
        ds__write_int32(p->out, "skipAmount", (int32_t)plan->skip);
        break;
    case ST_SORT:
        write_str(p, "stage", "SORT");
        print_counts(p, false, false, root);
        ds__write_value(p->out, "sortPattern", 11, p->sort_spec);
        ds__write_int32(p->out, "memLimit", 104857600);
        if (plan->limit > 0) {
            ds__write_int32(p->out, "limitAmount", (int32_t)(plan->limit + plan->skip));
        }
        write_str(p, "type", "simple");
        break;
    case ST_FETCH:
        write_str(p, "stage", "FETCH");
        print_filter(p, plan->residual);
        print_counts(p, false, true, root);
        break;
    case ST_OR:
        print_or(p);
        return;
    case ST_IXSCAN:
        write_str(p, "stage", "IXSCAN");
        print_index_scan(p, plan);
        return;
    case ST_COLLSCAN:
        write_str(p, "stage", "COLLSCAN");
        print_filter(p, plan->filter);
        print_counts(p, false, true, root);
        write_str(p, "direction", plan->backward ? "backward" : "forward");
        return;
    case ST_IDHACK:
        write_str(p, "stage", "IDHACK");
        print_counts(p, true, true, root);
        return;
    case ST_EOF:
        write_str(p, "stage", "EOF");
        print_counts(p, false, false, root);
        return;
    case ST_END:
        return;
    }
    print_input(p, kind);
}

void ds__plan_print(const ds__plan *plan, const char *projection, ds_value transform,
                    ds_value sort_spec, const ds__exec_stats *stats, ds_buf *out) {
    printer p = {plan, projection, transform, sort_spec, stats, out};
    for (stage_kind kind = ST_PROJECTION; kind < ST_END; kind++) {
        if (wanted(&p, kind)) {
            print_stage(&p, kind, true);
            return;
        }
    }
}
