/* SPDX-License-Identifier: Apache-2.0 */
/* Says why a document failed its collection's validator, in the shape of mongod's errInfo: each
 * condition that does not hold with its operator, reason and the value considered. */
#include "bson/path.h"
#include "bson/writer.h"
#include "engine/records/internal.h"

enum { MAX_EXPLAIN_DEPTH = 20 };

typedef struct explainer {
    ds__txn *txn;
    ds_value doc;
    ds_buf *out;
    ds_arena arena;
} explainer;

/* {key: value} in the arena. */
static ds_value document_of(explainer *x, const char *key, ds_value v) {
    ds_buf buf = {0};
    ds_value out = ds__missing();
    size_t root = ds__doc_begin(&buf);
    ds__write_value(&buf, key, strlen(key), v);
    ds__doc_end(&buf, root);
    if (!buf.failed) {
        ds__buf_to_value(&x->arena, &buf, DS_DOCUMENT, &out);
    }
    ds_buf_clear(&buf);
    return out;
}

static bool holds(explainer *x, ds_value condition) {
    bool matched = true;
    if (condition.type == DS_DOCUMENT) {
        ds__txn_filter_once(x->txn, condition, x->doc, &matched);
    }
    return matched;
}

static const char *reason_of(const char *op) {
    static const struct {
        const char *op;
        const char *reason;
    } table[] = {{"$type", "type did not match"},
                 {"$regex", "regular expression did not match"},
                 {"$in", "no matching value found in array"},
                 {"$nin", "matching value found in array"},
                 {"$exists", "path does not exist"},
                 {"$size", "array length was not equal to given size"},
                 {"$mod", "$mod did not evaluate to expected remainder"},
                 {"$elemMatch", "array did not satisfy the child predicate"},
                 {"$not", "child expression matched"},
                 {"$ne", "comparison succeeded"}};
    for (size_t i = 0; i < sizeof table / sizeof table[0]; i++) {
        if (strcmp(op, table[i].op) == 0) {
            return table[i].reason;
        }
    }
    return "comparison failed";
}

/* One operator on one path. */
static void explain_leaf(explainer *x, const char *path, const char *op, ds_value specified) {
    ds_buf *out = x->out;
    ds__path parsed;
    ds_value considered = ds__missing();
    if (ds__path_parse(&x->arena, path, strlen(path), &parsed)) {
        considered = ds__path_get(x->doc, &parsed);
    }
    ds__write_str(out, "operatorName", op);
    ds__write_value(out, "specifiedAs", 11, specified);
    if (strcmp(op, "$exists") == 0) {
        ds__write_str(out, "reason",
                      considered.type == DS_MISSING ? "path does not exist" : "path does exist");
        return;
    }
    if (considered.type == DS_MISSING && strcmp(op, "$ne") != 0 && strcmp(op, "$nin") != 0) {
        ds__write_str(out, "reason", "field was missing");
        return;
    }
    ds__write_str(out, "reason", reason_of(op));
    ds__write_value(out, "consideredValue", 15, considered);
    if (strcmp(op, "$type") == 0) {
        ds__write_str(out, "consideredType", ds__type_name(considered.type));
    }
}

static void explain(explainer *x, ds_value condition, int depth);

/* {operatorName, clausesNotSatisfied: [{index, details}]} for the clauses that do not hold. */
static void explain_list(explainer *x, const char *op, const ds_value *clauses, size_t count,
                         int depth) {
    ds__write_str(x->out, "operatorName", op);
    size_t array = ds__write_doc(x->out, "clausesNotSatisfied", 19, DS_ARRAY);
    size_t n = 0;
    for (size_t i = 0; i < count; i++) {
        bool wanted = strcmp(op, "$nor") != 0;
        if (holds(x, clauses[i]) == wanted) {
            continue;
        }
        size_t clause = ds__write_index_doc(x->out, n++, DS_DOCUMENT);
        ds__write_int32(x->out, "index", (int32_t)i);
        size_t details = ds__write_doc(x->out, "details", 7, DS_DOCUMENT);
        explain(x, clauses[i], depth + 1);
        ds__doc_end(x->out, details);
        ds__doc_end(x->out, clause);
    }
    ds__doc_end(x->out, array);
}

/* A condition's parts, each a document with one path and one operator. */
static size_t split(explainer *x, ds_value condition, ds_value **out) {
    ds__iter it;
    ds__iter sub;
    size_t n = 0;
    size_t cap = 0;
    *out = NULL;
    ds__iter_init(&it, condition);
    while (ds__iter_next(&it)) {
        bool operators = false;
        if (it.key[0] != '$' && it.value.type == DS_DOCUMENT) {
            ds__iter_init(&sub, it.value);
            operators = ds__iter_next(&sub) && sub.key[0] == '$';
        }
        ds__iter_init(&sub, it.value);
        do {
            ds_value one = it.value;
            if (operators) {
                if (!ds__iter_next(&sub)) {
                    break;
                }
                if (strcmp(sub.key, "$options") == 0) {
                    continue;
                }
                one =
                    strcmp(sub.key, "$regex") == 0 ? it.value : document_of(x, sub.key, sub.value);
            }
            if (n == cap && !(*out = ds_arena_grow(&x->arena, *out, n, &cap, sizeof **out))) {
                return 0;
            }
            (*out)[n++] = document_of(x, it.key, one);
        } while (operators);
    }
    return n;
}

static void explain_logical(explainer *x, const char *op, ds_value list, int depth) {
    ds__iter it;
    ds_value *clauses = NULL;
    size_t n = 0;
    size_t cap = 0;
    ds__iter_init(&it, list);
    while (ds__iter_next(&it)) {
        if (n == cap && !(clauses = ds_arena_grow(&x->arena, clauses, n, &cap, sizeof *clauses))) {
            return;
        }
        clauses[n++] = it.value;
    }
    explain_list(x, op, clauses, n, depth);
}

static void explain_one(explainer *x, ds_value condition, int depth) {
    ds__iter it;
    ds__iter op;
    ds__iter_init(&it, condition);
    if (!ds__iter_next(&it)) {
        return;
    }
    if (strcmp(it.key, "$and") == 0 || strcmp(it.key, "$or") == 0 || strcmp(it.key, "$nor") == 0) {
        explain_logical(x, it.key, it.value, depth);
        return;
    }
    if (strcmp(it.key, "$jsonSchema") == 0) {
        ds__schema_details(x->txn, it.value, x->doc, x->out);
        return;
    }
    if (it.key[0] == '$') {
        ds__write_str(x->out, "operatorName", it.key);
        ds__write_value(x->out, "specifiedAs", 11, condition);
        if (strcmp(it.key, "$expr") == 0) {
            ds__write_str(x->out, "reason", "expression did not match");
            ds__write_bool(x->out, "expressionResult", false);
        }
        return;
    }
    const char *name = it.value.type == DS_REGEX ? "$regex" : "$eq";
    if (it.value.type == DS_DOCUMENT) {
        ds__iter_init(&op, it.value);
        if (ds__iter_next(&op) && op.key[0] == '$') {
            name = op.key;
        }
    }
    explain_leaf(x, it.key, name, condition);
}

static void explain(explainer *x, ds_value condition, int depth) {
    ds_value *parts;
    size_t n = depth < MAX_EXPLAIN_DEPTH ? split(x, condition, &parts) : 0;
    if (n == 1) {
        explain_one(x, parts[0], depth);
    } else if (n > 1) {
        explain_list(x, "$and", parts, n, depth);
    }
}

void ds__validation_details(ds__txn *txn, ds_value validator, ds_value doc, ds_buf *out) {
    explainer x = {.txn = txn, .doc = doc, .out = out};
    explain(&x, validator, 0);
    ds_arena_clear(&x.arena);
}
