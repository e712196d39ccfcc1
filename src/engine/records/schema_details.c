/* SPDX-License-Identifier: Apache-2.0 */
/* Which rules of a $jsonSchema a document breaks, in the shape of mongod's errInfo. Every keyword
 * is judged by the filter itself, as a schema of its own on {v: value}. */
#include "bson/writer.h"
#include "engine/records/internal.h"

enum { MAX_SCHEMA_DEPTH = 20 };

typedef struct schema_explainer {
    ds__txn *txn;
    ds_buf *out;
} schema_explainer;

/* Keywords in the order mongod reports them, and why they fail. */
static const struct {
    const char *name;
    const char *reason;
} keywords[] = {
    {"bsonType", "type did not match"},
    {"type", "type did not match"},
    {"pattern", "regular expression did not match"},
    {"maxLength", "specified string length was not satisfied"},
    {"minLength", "specified string length was not satisfied"},
    {"multipleOf", "considered value is not a multiple of the specified value"},
    {"minimum", "comparison failed"},
    {"maximum", "comparison failed"},
    {"minItems", "array did not match specified length"},
    {"maxItems", "array did not match specified length"},
    {"uniqueItems", "found a duplicate item"},
    {"items", NULL},
    {"additionalItems", "found additional items"},
    {"minProperties", "specified number of properties was not satisfied"},
    {"maxProperties", "specified number of properties was not satisfied"},
    {"additionalProperties", NULL},
    {"patternProperties", NULL},
    {"properties", NULL},
    {"dependencies", NULL},
    {"required", NULL},
    {"enum", "value was not found in enum"},
    {"allOf", NULL},
    {"anyOf", NULL},
    {"oneOf", NULL},
    {"not", NULL},
};

/* Whether a value satisfies one keyword of a schema. */
static bool satisfies(schema_explainer *x, ds_value schema, const char *keyword, ds_value spec,
                      ds_value value) {
    static const char *const companions[] = {"exclusiveMaximum", "exclusiveMinimum", "properties",
                                             "patternProperties", "items"};
    static const char *const of[] = {"maximum", "minimum", "additionalProperties",
                                     "additionalProperties", "additionalItems"};
    ds_buf filter = {0};
    ds_buf doc = {0};
    bool matched = true;
    size_t a = ds__doc_begin(&filter);
    size_t b = ds__write_doc(&filter, "$jsonSchema", 11, DS_DOCUMENT);
    size_t c = ds__write_doc(&filter, "properties", 10, DS_DOCUMENT);
    size_t d = ds__write_doc(&filter, "v", 1, DS_DOCUMENT);
    ds__write_value(&filter, keyword, strlen(keyword), spec);
    for (size_t i = 0; i < sizeof of / sizeof of[0]; i++) {
        if (strcmp(keyword, of[i]) == 0) {
            ds__write_value(&filter, companions[i], strlen(companions[i]),
                            ds__doc_field(schema, companions[i]));
        }
    }
    ds__doc_end(&filter, d);
    ds__doc_end(&filter, c);
    ds__doc_end(&filter, b);
    ds__doc_end(&filter, a);
    size_t root = ds__doc_begin(&doc);
    ds__write_value(&doc, "v", 1, value);
    ds__doc_end(&doc, root);
    if (!filter.failed && !doc.failed) {
        ds__txn_filter_once(x->txn, ds__document(filter.data), ds__document(doc.data), &matched);
    }
    ds_buf_clear(&filter);
    ds_buf_clear(&doc);
    return matched;
}

static bool satisfies_schema(schema_explainer *x, ds_value schema, ds_value value) {
    bool ok = true;
    for (size_t i = 0; ok && i < sizeof keywords / sizeof keywords[0]; i++) {
        ds_value spec = ds__doc_field(schema, keywords[i].name);
        ok = spec.type == DS_MISSING || satisfies(x, schema, keywords[i].name, spec, value);
    }
    return ok;
}

static void write_names(schema_explainer *x, ds_value schema) {
    ds__write_value(x->out, "title", 5, ds__doc_field(schema, "title"));
    ds__write_value(x->out, "description", 11, ds__doc_field(schema, "description"));
}

static void explain_rules(schema_explainer *x, const char *name, ds_value schema, ds_value value,
                          int depth);

static void explain_properties(schema_explainer *x, ds_value spec, ds_value value, int depth) {
    ds__iter it;
    size_t n = 0;
    size_t array = ds__write_doc(x->out, "propertiesNotSatisfied", 22, DS_ARRAY);
    ds__iter_init(&it, spec);
    while (value.type == DS_DOCUMENT && ds__iter_next(&it)) {
        ds_value v;
        if (it.value.type != DS_DOCUMENT || !ds__doc_get(value, it.key, it.key_size, &v) ||
            satisfies_schema(x, it.value, v)) {
            continue;
        }
        size_t one = ds__write_index_doc(x->out, n++, DS_DOCUMENT);
        ds__write_str(x->out, "propertyName", it.key);
        write_names(x, it.value);
        explain_rules(x, "details", it.value, v, depth + 1);
        ds__doc_end(x->out, one);
    }
    ds__doc_end(x->out, array);
}

static void explain_required(schema_explainer *x, ds_value spec, ds_value value) {
    ds__iter it;
    size_t n = 0;
    size_t array = ds__write_doc(x->out, "missingProperties", 17, DS_ARRAY);
    ds__iter_init(&it, spec);
    while (value.type == DS_DOCUMENT && ds__iter_next(&it)) {
        ds_value v;
        if (!ds__doc_get(value, ds__text(it.value), it.value.size, &v)) {
            ds__write_index(x->out, n++, it.value);
        }
    }
    ds__doc_end(x->out, array);
}

static void explain_additional(schema_explainer *x, ds_value schema, ds_value spec,
                               ds_value value) {
    ds_value known = ds__doc_field(schema, "properties");
    ds__iter it;
    size_t n = 0;
    if (spec.type == DS_DOCUMENT || value.type != DS_DOCUMENT) {
        return;
    }
    size_t array = ds__write_doc(x->out, "additionalProperties", 20, DS_ARRAY);
    ds__iter_init(&it, value);
    while (ds__iter_next(&it)) {
        ds_value v;
        if (known.type != DS_DOCUMENT || !ds__doc_get(known, it.key, it.key_size, &v)) {
            ds__write_index(x->out, n++, ds__string(it.key, it.key_size));
        }
    }
    ds__doc_end(x->out, array);
}

static void explain_items(schema_explainer *x, ds_value spec, ds_value value, int depth) {
    ds__iter it;
    ds__write_str(x->out, "reason", "At least one item did not match the sub-schema");
    ds__iter_init(&it, value);
    for (int32_t i = 0; value.type == DS_ARRAY && ds__iter_next(&it); i++) {
        ds_value schema = spec.type == DS_ARRAY ? ds__array_at(spec, (size_t)i) : spec;
        if (schema.type == DS_DOCUMENT && !satisfies_schema(x, schema, it.value)) {
            ds__write_int32(x->out, "itemIndex", i);
            explain_rules(x, "details", schema, it.value, depth + 1);
            return;
        }
    }
}

static void explain_schemas(schema_explainer *x, ds_value spec, ds_value value, int depth) {
    ds__iter it;
    size_t n = 0;
    size_t array = ds__write_doc(x->out, "schemasNotSatisfied", 19, DS_ARRAY);
    ds__iter_init(&it, spec);
    for (int32_t i = 0; ds__iter_next(&it); i++) {
        if (it.value.type == DS_DOCUMENT && !satisfies_schema(x, it.value, value)) {
            size_t one = ds__write_index_doc(x->out, n++, DS_DOCUMENT);
            ds__write_int32(x->out, "index", i);
            explain_rules(x, "details", it.value, value, depth + 1);
            ds__doc_end(x->out, one);
        }
    }
    ds__doc_end(x->out, array);
}

/* specifiedAs, with what belongs to the keyword. */
static void write_specified(schema_explainer *x, ds_value schema, const char *name, ds_value spec) {
    size_t sub = ds__write_doc(x->out, "specifiedAs", 11, DS_DOCUMENT);
    ds__write_value(x->out, name, strlen(name), spec);
    if (strcmp(name, "maximum") == 0) {
        ds__write_value(x->out, "exclusiveMaximum", 16, ds__doc_field(schema, "exclusiveMaximum"));
    } else if (strcmp(name, "minimum") == 0) {
        ds__write_value(x->out, "exclusiveMinimum", 16, ds__doc_field(schema, "exclusiveMinimum"));
    }
    ds__doc_end(x->out, sub);
}

static void explain_simple(schema_explainer *x, const char *name, const char *reason,
                           ds_value value) {
    ds__write_str(x->out, "reason", reason);
    if (strstr(name, "Properties")) {
        ds__write_int32(x->out, "numberOfProperties",
                        value.type == DS_DOCUMENT ? (int32_t)ds__doc_count(value) : 0);
        return;
    }
    ds__write_value(x->out, "consideredValue", 15, value);
    if (strcmp(name, "bsonType") == 0 || strcmp(name, "type") == 0) {
        ds__write_str(x->out, "consideredType", ds__type_name(value.type));
    } else if ((strcmp(name, "minItems") == 0 || strcmp(name, "maxItems") == 0) &&
               value.type == DS_ARRAY) {
        ds__write_int32(x->out, "numberOfItems", (int32_t)ds__doc_count(value));
    }
}

static void explain_keyword(schema_explainer *x, size_t k, ds_value schema, ds_value spec,
                            ds_value value, int depth) {
    const char *name = keywords[k].name;
    ds__write_str(x->out, "operatorName", name);
    if (strcmp(name, "properties") == 0) {
        explain_properties(x, spec, value, depth);
    } else if (strcmp(name, "items") == 0) {
        explain_items(x, spec, value, depth);
    } else if (strcmp(name, "allOf") == 0 || strcmp(name, "anyOf") == 0 ||
               strcmp(name, "oneOf") == 0) {
        explain_schemas(x, spec, value, depth);
    } else if (strcmp(name, "not") == 0) {
        ds__write_str(x->out, "reason", "child expression matched");
    } else if (keywords[k].reason) {
        write_specified(x, schema, name, spec);
        explain_simple(x, name, keywords[k].reason, value);
    } else {
        write_specified(x, schema, name, spec);
        if (strcmp(name, "required") == 0) {
            explain_required(x, spec, value);
        } else if (strcmp(name, "additionalProperties") == 0) {
            explain_additional(x, schema, spec, value);
        }
    }
}

/* An array `name` of the rules of a schema that a value breaks. */
static void explain_rules(schema_explainer *x, const char *name, ds_value schema, ds_value value,
                          int depth) {
    size_t n = 0;
    size_t array = ds__write_doc(x->out, name, strlen(name), DS_ARRAY);
    for (size_t k = 0; depth < MAX_SCHEMA_DEPTH && k < sizeof keywords / sizeof keywords[0]; k++) {
        ds_value spec = ds__doc_field(schema, keywords[k].name);
        if (spec.type == DS_MISSING || satisfies(x, schema, keywords[k].name, spec, value)) {
            continue;
        }
        size_t one = ds__write_index_doc(x->out, n++, DS_DOCUMENT);
        explain_keyword(x, k, schema, spec, value, depth);
        ds__doc_end(x->out, one);
    }
    ds__doc_end(x->out, array);
}

void ds__schema_details(ds__txn *txn, ds_value schema, ds_value doc, ds_buf *out) {
    schema_explainer x = {txn, out};
    ds__write_str(out, "operatorName", "$jsonSchema");
    if (schema.type == DS_DOCUMENT) {
        write_names(&x, schema);
        explain_rules(&x, "schemaRulesNotSatisfied", schema, doc, 0);
    }
}
