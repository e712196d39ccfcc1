/* SPDX-License-Identifier: Apache-2.0 */
/* Filters as documents again, in the form mongod's explain shows. */
#include "lang/filter/internal.h"

static void print_node(const ds__filter *f, ds_buf *out);
static void print_test(const ds__filter *f, ds_buf *out);

static void key_doc(ds_buf *out, const char *key, uint8_t type, size_t *begin) {
    *begin = ds__write_doc(out, key, strlen(key), type);
}

static void print_list(const ds__filter *f, const char *name, ds_buf *out) {
    size_t list, item;
    key_doc(out, name, DS_ARRAY, &list);
    for (size_t i = 0; i < f->child_count; i++) {
        item = ds__write_index_doc(out, i, DS_DOCUMENT);
        print_node(f->children[i], out);
        ds__doc_end(out, item);
    }
    ds__doc_end(out, list);
}

static void print_in(const ds__filter *f, ds_buf *out) {
    const ds__filter_in *in = f->detail;
    size_t list;
    key_doc(out, "$in", DS_ARRAY, &list);
    for (size_t i = 0; i < f->value_count; i++) {
        ds__write_index(out, i, f->values[i]);
    }
    for (size_t i = 0; i < f->regex_count; i++) {
        ds__write_index(out, f->value_count + i, in->regexes[i]);
    }
    ds__doc_end(out, list);
}

static void print_regex(const ds__filter *f, ds_buf *out) {
    const char *pattern, *options;
    size_t pattern_size, options_size;
    ds__regex_split(f->operand, &pattern, &pattern_size, &options, &options_size);
    ds__write_value(out, "$regex", 6, ds__string(pattern, pattern_size));
    if (options_size > 0) {
        ds__write_value(out, "$options", 8, ds__string(options, options_size));
    }
}

static void print_types(const ds__filter *f, ds_buf *out) {
    const ds__filter_types *types = f->detail;
    const uint32_t numbers = 1U << DS_DOUBLE | 1U << DS_INT32 | 1U << DS_INT64 | 1U << DS_DECIMAL;
    size_t n = 0, list;
    key_doc(out, "$type", DS_ARRAY, &list);
    if (types->number) {
        ds__write_index(out, n++, ds__cstring("number"));
    }
    if (types->min_key) {
        ds__write_index(out, n++, ds__int32(-1));
    }
    for (int i = 1; i < 20; i++) {
        bool covered = types->number && (numbers >> i & 1);
        if ((types->mask >> i & 1) && !covered) {
            ds__write_index(out, n++, ds__int32(i));
        }
    }
    if (types->max_key) {
        ds__write_index(out, n++, ds__int32(127));
    }
    ds__doc_end(out, list);
}

static void print_bits(const ds__filter *f, ds_buf *out) {
    static const char *const names[] = {"$bitsAllSet", "$bitsAllClear", "$bitsAnySet",
                                        "$bitsAnyClear"};
    const ds__filter_bits *bits = f->detail;
    size_t list;
    key_doc(out, names[bits->test], DS_ARRAY, &list);
    for (size_t i = 0; i < bits->count; i++) {
        ds__write_index(out, i, ds__int32((int32_t)bits->positions[i]));
    }
    ds__doc_end(out, list);
}

static const char *compare_name(ds__filter_op op) {
    switch (op) {
    case DS_FILTER_LT:
        return "$lt";
    case DS_FILTER_LTE:
        return "$lte";
    case DS_FILTER_GT:
        return "$gt";
    case DS_FILTER_GTE:
        return "$gte";
    default:
        return "$eq";
    }
}

static void print_elem_match(const ds__filter *f, ds_buf *out) {
    size_t doc;
    key_doc(out, "$elemMatch", DS_DOCUMENT, &doc);
    for (size_t i = 0; i < f->child_count; i++) {
        if (f->op == DS_FILTER_ELEM_MATCH_OBJECT) {
            print_node(f->children[i], out);
        } else {
            print_test(f->children[i], out);
        }
    }
    ds__doc_end(out, doc);
}

/* The operators of a predicate, without its path. */
static void print_test(const ds__filter *f, ds_buf *out) {
    const ds__filter_mod *mod = f->detail;
    size_t doc;
    switch (f->op) {
    case DS_FILTER_EQ:
    case DS_FILTER_LT:
    case DS_FILTER_LTE:
    case DS_FILTER_GT:
    case DS_FILTER_GTE:
        ds__write_value(out, compare_name(f->op), strlen(compare_name(f->op)), f->operand);
        return;
    case DS_FILTER_IN:
        print_in(f, out);
        return;
    case DS_FILTER_EXISTS:
        ds__write_bool(out, "$exists", true);
        return;
    case DS_FILTER_TYPE:
        print_types(f, out);
        return;
    case DS_FILTER_SIZE:
        ds__write_value(out, "$size", 5, f->operand);
        return;
    case DS_FILTER_MOD:
        key_doc(out, "$mod", DS_ARRAY, &doc);
        ds__write_index(out, 0, ds__int64(mod->divisor));
        ds__write_index(out, 1, ds__int64(mod->remainder));
        ds__doc_end(out, doc);
        return;
    case DS_FILTER_REGEX:
        print_regex(f, out);
        return;
    case DS_FILTER_ELEM_MATCH_OBJECT:
    case DS_FILTER_ELEM_MATCH_VALUE:
        print_elem_match(f, out);
        return;
    case DS_FILTER_BITS:
        print_bits(f, out);
        return;
    case DS_FILTER_NOT:
        key_doc(out, "$not", DS_DOCUMENT, &doc);
        print_test(f->children[0], out);
        ds__doc_end(out, doc);
        return;
    case DS_FILTER_AND:
        for (size_t i = 0; i < f->child_count; i++) {
            print_test(f->children[i], out);
        }
        return;
    default:
        print_node(f, out);
    }
}

/* The node as fields of the document being written. */
static void print_node(const ds__filter *f, ds_buf *out) {
    size_t doc;
    switch (f->op) {
    case DS_FILTER_AND:
        if (f->child_count > 0) {
            print_list(f, "$and", out);
        }
        return;
    case DS_FILTER_OR:
        print_list(f, "$or", out);
        return;
    case DS_FILTER_NOR:
        print_list(f, "$nor", out);
        return;
    case DS_FILTER_NOT:
        if (f->children[0]->path.text == NULL) {
            print_list(f, "$nor", out);
            return;
        }
        key_doc(out, f->children[0]->path.text, DS_DOCUMENT, &doc);
        print_test(f, out);
        ds__doc_end(out, doc);
        return;
    case DS_FILTER_TRUE:
        ds__write_int32(out, "$alwaysTrue", 1);
        return;
    case DS_FILTER_FALSE:
        ds__write_int32(out, "$alwaysFalse", 1);
        return;
    case DS_FILTER_EXPR:
        ds__write_value(out, "$expr", 5, f->operand);
        return;
    case DS_FILTER_JSON_SCHEMA:
        ds__write_value(out, "$jsonSchema", 11, f->operand);
        return;
    case DS_FILTER_OTHER:
        ds__write_value(out, "$sampleRate", 11, f->operand);
        return;
    default:
        key_doc(out, f->path.text, DS_DOCUMENT, &doc);
        print_test(f, out);
        ds__doc_end(out, doc);
    }
}

void ds__filter_print(const ds__filter *filter, ds_buf *out) {
    size_t root = ds__doc_begin(out);
    print_node(filter, out);
    ds__doc_end(out, root);
}
