/* SPDX-License-Identifier: Apache-2.0 */
/* Checks index specs as mongod does. */
#include "engine/index/spec.h"

#include <unicode/ucol.h>

#include "base/limits.h"
#include "bson/compare.h"
#include "bson/json.h"
#include "bson/number.h"
#include "bson/writer.h"
#include "engine/index/kind.h"
#include "lang/filter/filter.h"

static const char *quote(ds_value v, char *out, size_t size) {
    return ds__value_quote(v, out, size);
}

/* A kind that is not there yet, or an unknown one. */
static bool check_kind(const ds__iter *it, const ds__index_kind *kind, ds_error *err) {
    if (kind) {
        return ds__index_kind_check(kind, err);
    }
    ds_value v = it->value;
    if (v.size == 0) {
        return ds__error_set(err, DS_CANNOT_CREATE_INDEX,
                             "Values in the index key pattern cannot be empty strings");
    }
    return ds__error_set(err, DS_CANNOT_CREATE_INDEX, "Unknown index plugin '%.*s'",
                         (int)(v.size < DS_MAX_QUOTED ? v.size : DS_MAX_QUOTED), ds__text(v));
}

static bool check_key_value(ds_value v, ds_error *err) {
    if (v.type == DS_STRING) {
        return true;
    }
    if (!ds__is_number(v)) {
        return ds__error_set(err, DS_CANNOT_CREATE_INDEX,
                             "Values in v:2 index key pattern cannot be of type %s. Only numbers > "
                             "0, numbers < 0, and strings are allowed.",
                             ds__type_name(v.type));
    }
    if (ds__number_is_nan(v) || ds__number_sign(v) == 0) {
        return ds__error_set(err, DS_CANNOT_CREATE_INDEX,
                             "Values in the index key pattern cannot be %s.",
                             ds__number_is_nan(v) ? "NaN" : "0");
    }
    return true;
}

static bool check_key_name(const char *name, size_t size, ds_error *err) {
    const char *part = name;
    for (;;) {
        const char *dot = memchr(part, '.', size - (size_t)(part - name));
        size_t n = dot ? (size_t)(dot - part) : size - (size_t)(part - name);
        if (n == 0) {
            return ds__error_set(err, DS_CANNOT_CREATE_INDEX,
                                 "Index keys cannot contain an empty field.");
        }
        if (part[0] == '$' && !(part != name && ((n == 3 && memcmp(part, "$id", 3) == 0) ||
                                                 (n == 3 && memcmp(part, "$db", 3) == 0) ||
                                                 (n == 4 && memcmp(part, "$ref", 4) == 0)))) {
            return ds__error_set(err, DS_CANNOT_CREATE_INDEX,
                                 "Index key contains an illegal field name: field name starts with "
                                 "'$'.");
        }
        if (!dot) {
            return true;
        }
        part = dot + 1;
    }
}

/* `kind` receives the kind that says what else the spec may be; NULL: none does. */
static bool check_key(ds_value key, size_t *count, const ds__index_kind **kind, ds_error *err) {
    ds__iter it;
    *count = 0;
    *kind = NULL;
    ds__iter_init(&it, key);
    while (ds__iter_next(&it)) {
        const ds__index_kind *own = ds__index_kind_of(it.key, it.key_size, it.value);
        if (!check_key_value(it.value, err) || !check_kind(&it, own, err) ||
            !check_key_name(it.key, it.key_size, err)) {
            return false;
        }
        *kind = own->check ? own : *kind;
        (*count)++;
    }
    if (*count == 0) {
        return ds__error_set(err, DS_CANNOT_CREATE_INDEX, "Index keys cannot be empty.");
    }
    return *count <= DS_MAX_INDEX_FIELDS || ds__error_set(err, 13103, "too many compound keys");
}

/* What partialFilterExpression may hold: comparisons, $exists: true, $type, $in and $and, $or. */
static bool check_partial(const ds__filter *f, int depth, ds_error *err) {
    switch (f->op) {
    case DS_FILTER_AND:
    case DS_FILTER_OR:
    case DS_FILTER_IN:
    case DS_FILTER_EQ:
    case DS_FILTER_LT:
    case DS_FILTER_LTE:
    case DS_FILTER_GT:
    case DS_FILTER_GTE:
    case DS_FILTER_TYPE:
        break;
    case DS_FILTER_EXISTS:
        if (f->flag) {
            break;
        }
        return ds__error_set(err, DS_CANNOT_CREATE_INDEX,
                             "Expression not supported in partial index: $not\n    %s exists",
                             f->path.text ? f->path.text : "");
    default:
        return ds__error_set(err, DS_CANNOT_CREATE_INDEX,
                             "Expression not supported in partial index: %s",
                             f->path.text ? f->path.text : "");
    }
    for (size_t i = 0; i < f->child_count; i++) {
        if (depth > DS_MAX_EXPR_DEPTH || !check_partial(f->children[i], depth + 1, err)) {
            return false;
        }
    }
    return true;
}

typedef struct spec_fields {
    ds_value key;
    ds_value name;
    ds_value unique;
    ds_value sparse;
    ds_value hidden;
    ds_value partial;
    ds_value expire;
    ds_value version;
} spec_fields;

static bool wrong_type(const char *field, ds_value v, const char *expected, ds_error *err) {
    return ds__error_set(err, DS_TYPE_MISMATCH, "The field '%s' must be %s, but got %s", field,
                         expected, ds__type_name(v.type));
}

static bool check_collation_names(ds_value collation, ds_error *err) {
    static const char *const known[] = {
        "locale",    "caseLevel",   "caseFirst",     "strength",  "numericOrdering",
        "alternate", "maxVariable", "normalization", "backwards", "version"};
    ds__iter it;
    ds__iter_init(&it, collation);
    while (ds__iter_next(&it)) {
        size_t i = 0;
        while (i < sizeof known / sizeof *known && strcmp(known[i], it.key) != 0) {
            i++;
        }
        if (i == sizeof known / sizeof *known) {
            return ds__error_set(err, 40415, "BSON field 'collation.%s' is an unknown field.",
                                 it.key);
        }
    }
    return true;
}

bool ds__index_check_collation(ds_value collation, ds_error *err) {
    if (collation.type != DS_DOCUMENT) {
        return wrong_type("collation", collation, "an object", err);
    }
    ds_value locale = ds__doc_field(collation, "locale");
    if (ds__doc_empty(collation)) {
        return ds__error_set(err, DS_BAD_VALUE, "The field 'collation' cannot be an empty object.");
    }
    if (!check_collation_names(collation, err)) {
        return false;
    }
    if (locale.type != DS_STRING) {
        return ds__error_set(err, locale.type == DS_MISSING ? 40414 : DS_TYPE_MISMATCH,
                             "BSON field 'collation.locale' is missing but a required field");
    }
    if (ds__is_string(locale, "simple")) {
        return true;
    }
    char name[32] = "";
    memcpy(name, ds__text(locale), locale.size < sizeof name ? locale.size : sizeof name - 1);
    bool known = false;
    for (int32_t i = 0; !known && i < ucol_countAvailable(); i++) {
        known = strcmp(ucol_getAvailable(i), name) == 0;
    }
    if (!known) {
        return ds__error_set(err, DS_BAD_VALUE, "Field 'locale' is invalid in: { locale: \"%s\" }",
                             name);
    }
    return ds__error_set(err, DS_NOT_IMPLEMENTED,
                         "collations other than {locale: \"simple\"} are "
                         "not implemented");
}

/* What an option beside the fields of spec_fields may be. Some belong to kinds of index there are
 * not, or to storage: they are checked and kept, as mongod does. */
typedef enum option_kind {
    OPTION_NONE, /* no option's name */
    OPTION_FLAG,
    OPTION_NUMBER,
    OPTION_TEXT,
    OPTION_COLLATION,
    OPTION_STORAGE,
    OPTION_WEIGHTS,
    OPTION_WILDCARD,
    OPTION_CLUSTERED,
    OPTION_PREPARE,
    OPTION_OBJECT,
    OPTION_NAMESPACE
} option_kind;

static option_kind option_of(const char *name) {
    static const struct {
        const char *name;
        option_kind kind;
    } options[] = {{"2dsphereIndexVersion", OPTION_NUMBER},
                   {"background", OPTION_FLAG},
                   {"bits", OPTION_NUMBER},
                   {"clustered", OPTION_CLUSTERED},
                   {"coarsestIndexedLevel", OPTION_FLAG},
                   {"collation", OPTION_COLLATION},
                   {"default_language", OPTION_TEXT},
                   {"dropDups", OPTION_FLAG},
                   {"finestIndexedLevel", OPTION_FLAG},
                   {"language_override", OPTION_TEXT},
                   {"max", OPTION_NUMBER},
                   {"min", OPTION_NUMBER},
                   {"ns", OPTION_NAMESPACE},
                   {"originalSpec", OPTION_OBJECT},
                   {"prepareUnique", OPTION_PREPARE},
                   {"storageEngine", OPTION_STORAGE},
                   {"textIndexVersion", OPTION_NUMBER},
                   {"weights", OPTION_WEIGHTS},
                   {"wildcardProjection", OPTION_WILDCARD}};
    for (size_t i = 0; i < sizeof options / sizeof options[0]; i++) {
        if (strcmp(options[i].name, name) == 0) {
            return options[i].kind;
        }
    }
    return OPTION_NONE;
}

static bool is_flag(ds_value v) {
    return v.type == DS_MISSING || v.type == DS_BOOL || ds__is_number(v);
}

bool ds__check_storage_engine(ds_value v, ds_error *err) {
    ds__iter it;
    ds__iter_init(&it, v);
    while (ds__iter_next(&it)) {
        if (it.value.type != DS_DOCUMENT) {
            return ds__error_set(err, DS_BAD_VALUE,
                                 "'storageEngine.%s' has to be an embedded document.", it.key);
        }
        if (strcmp(it.key, "wiredTiger") != 0) {
            return ds__error_set(err, DS_INVALID_OPTIONS,
                                 "%s is not a registered storage engine for this server", it.key);
        }
    }
    return true;
}

static bool check_clustered(ds_value v, ds_error *err) {
    if (!is_flag(v)) {
        return wrong_type("clustered", v, "a boolean", err);
    }
    return ds__value_truthy(v)
               ? ds__error_set(err, DS_CANNOT_CREATE_INDEX,
                               "The 'unique' field is required when 'clustered' is specified")
               : ds__error_set(err, 6492800, "Value 'false' for field 'clustered' is invalid");
}

static bool check_option(const char *name, option_kind kind, ds_value v, ds_error *err) {
    switch (kind) {
    case OPTION_NONE:
    case OPTION_NAMESPACE:
        return true;
    case OPTION_FLAG:
        return is_flag(v) || wrong_type(name, v, "a boolean", err);
    case OPTION_PREPARE:
        if (!is_flag(v)) {
            return wrong_type(name, v, "a boolean", err);
        }
        return !ds__value_truthy(v) ||
               ds__error_set(err, DS_NOT_IMPLEMENTED, "'prepareUnique' is not implemented");
    case OPTION_NUMBER:
        return ds__is_number(v) || wrong_type(name, v, "a number", err);
    case OPTION_TEXT:
        return v.type == DS_STRING || wrong_type(name, v, "a string", err);
    case OPTION_OBJECT:
        if (v.type != DS_DOCUMENT) {
            return wrong_type(name, v, "an object", err);
        }
        return ds__doc_empty(v)
                   ? ds__error_set(err, DS_BAD_VALUE, "The field '%s' cannot be an empty object.",
                                   name)
                   : ds__error_set(err, DS_INVALID_INDEX_SPECIFICATION_OPTION,
                                   "The field '%s' is not valid for an index specification.", name);
    case OPTION_COLLATION:
        return ds__index_check_collation(v, err);
    case OPTION_STORAGE:
        if (v.type != DS_DOCUMENT || ds__doc_empty(v)) {
            return ds__error_set(err, DS_CANNOT_CREATE_INDEX,
                                 v.type == DS_DOCUMENT
                                     ? "Empty \"storageEngine\" options are invalid."
                                     : "\"storageEngine\" options must be a document if present");
        }
        return ds__check_storage_engine(v, err);
    case OPTION_WEIGHTS:
        return v.type == DS_STRING || v.type == DS_DOCUMENT || v.type == DS_ARRAY
                   ? ds__error_set(err, DS_CANNOT_CREATE_INDEX,
                                   "the field 'weights' can only be specified with text indexes")
                   : wrong_type(name, v, "an object", err);
    case OPTION_WILDCARD:
        return ds__error_set(err, DS_BAD_VALUE,
                             "The field '%s' is only allowed in an 'wildcard' index", name);
    case OPTION_CLUSTERED:
        return check_clustered(v, err);
    }
    return true;
}

static bool read_fields(ds_value spec, spec_fields *f, ds_error *err) {
    static const struct {
        const char *name;
        size_t at;
    } table[] = {{"key", offsetof(spec_fields, key)},
                 {"name", offsetof(spec_fields, name)},
                 {"unique", offsetof(spec_fields, unique)},
                 {"sparse", offsetof(spec_fields, sparse)},
                 {"hidden", offsetof(spec_fields, hidden)},
                 {"partialFilterExpression", offsetof(spec_fields, partial)},
                 {"expireAfterSeconds", offsetof(spec_fields, expire)},
                 {"v", offsetof(spec_fields, version)}};
    char quoted[DS_MAX_QUOTED + 8];
    ds__iter it;
    memset(f, 0, sizeof *f);
    ds__iter_init(&it, spec);
    while (ds__iter_next(&it)) {
        size_t i = 0;
        while (i < sizeof table / sizeof table[0] && strcmp(table[i].name, it.key) != 0) {
            i++;
        }
        if (i < sizeof table / sizeof table[0]) {
            *(ds_value *)((char *)f + table[i].at) = it.value;
            continue;
        }
        option_kind kind = option_of(it.key);
        if (kind == OPTION_NONE) {
            return ds__error_set(err, DS_INVALID_INDEX_SPECIFICATION_OPTION,
                                 "The field '%s' is not valid for an index specification. "
                                 "Specification: %s",
                                 it.key, quote(spec, quoted, sizeof quoted));
        }
        if (!check_option(it.key, kind, it.value, err)) {
            return false;
        }
    }
    return true;
}

static bool check_types(const spec_fields *f, ds_error *err) {
    if (f->key.type == DS_MISSING) {
        return ds__error_set(err, DS_FAILED_TO_PARSE,
                             "The 'key' field is a required property of an index specification");
    }
    if (f->key.type != DS_DOCUMENT) {
        return wrong_type("key", f->key, "an object", err);
    }
    if (f->name.type == DS_MISSING) {
        return ds__error_set(err, DS_FAILED_TO_PARSE,
                             "The 'name' field is a required property of an index specification");
    }
    if (f->name.type != DS_STRING) {
        return wrong_type("name", f->name, "a string", err);
    }
    if (f->name.size == 0) {
        return ds__error_set(err, DS_CANNOT_CREATE_INDEX, "index name cannot be empty");
    }
    if (ds__is_string(f->name, "*")) {
        return ds__error_set(err, DS_BAD_VALUE, "The index name '*' is not valid.");
    }
    if (memchr(ds__text(f->name), 0, f->name.size)) {
        return ds__error_set(err, DS_CANNOT_CREATE_INDEX, "index names cannot contain NUL bytes");
    }
    if (!is_flag(f->unique)) {
        return wrong_type("unique", f->unique, "a boolean", err);
    }
    if (!is_flag(f->sparse)) {
        return wrong_type("sparse", f->sparse, "a boolean", err);
    }
    if (f->hidden.type != DS_MISSING && f->hidden.type != DS_BOOL) {
        return wrong_type("hidden", f->hidden, "a boolean", err);
    }
    if (f->partial.type != DS_MISSING && f->partial.type != DS_DOCUMENT) {
        return wrong_type("partialFilterExpression", f->partial, "an object", err);
    }
    if (f->version.type != DS_MISSING && !ds__is_number(f->version)) {
        return wrong_type("v", f->version, "a number", err);
    }
    int64_t version = 0;
    if (f->version.type != DS_MISSING &&
        (!ds__value_exact_int64(f->version, &version) || version != (int32_t)version)) {
        return ds__error_set(err, DS_BAD_VALUE,
                             "Index version must be representable as a 32-bit integer");
    }
    if (f->version.type != DS_MISSING && ds__number_to_double(f->version) != 2 &&
        ds__number_to_double(f->version) != 1) {
        return ds__error_set(err, DS_CANNOT_CREATE_INDEX,
                             "Invalid index specification: cannot "
                             "create an index with this version");
    }
    return true;
}

static bool check_expire(const spec_fields *f, size_t parts, ds_error *err) {
    if (f->expire.type == DS_MISSING) {
        return true;
    }
    if (!ds__is_number(f->expire)) {
        return ds__error_set(err, DS_CANNOT_CREATE_INDEX,
                             "TTL index 'expireAfterSeconds' option must be numeric, but received "
                             "a type of '%s'",
                             ds__type_name(f->expire.type));
    }
    double seconds = ds__number_to_double(f->expire);
    if (seconds < 0 || seconds > INT32_MAX) {
        return ds__error_set(err, DS_CANNOT_CREATE_INDEX,
                             "TTL index 'expireAfterSeconds' option must be within an acceptable "
                             "range, try a different number than %lld",
                             (long long)ds__number_to_int64(f->expire));
    }
    if (parts > 1) {
        return ds__error_set(err, DS_CANNOT_CREATE_INDEX,
                             "TTL indexes are single-field indexes, compound indexes do not "
                             "support TTL");
    }
    return true;
}

/* 1 for {_id: 1}, -1 for {_id: other}, 0 for other keys. */
static int id_key(ds_value key) {
    ds__iter it;
    ds__iter_init(&it, key);
    if (!ds__iter_next(&it) || it.key_size != 3 || memcmp(it.key, "_id", 3) != 0 ||
        it.value.type == DS_STRING) {
        return 0;
    }
    ds_value direction = it.value;
    if (ds__iter_next(&it)) {
        return 0;
    }
    return ds__number_to_double(direction) == 1 ? 1 : -1;
}

static bool check_id_index(ds_value spec, ds_error *err) {
    ds__iter it;
    ds__iter_init(&it, spec);
    while (ds__iter_next(&it)) {
        if (strcmp(it.key, "key") != 0 && strcmp(it.key, "name") != 0 && strcmp(it.key, "v") != 0 &&
            strcmp(it.key, "ns") != 0 && strcmp(it.key, "collation") != 0) {
            return ds__error_set(err, DS_INVALID_INDEX_SPECIFICATION_OPTION,
                                 "The field '%s' is not valid for an _id index specification.",
                                 it.key);
        }
    }
    return true;
}

/* {v, key, name, …the rest as it stands}. */
static void write_spec(ds_value spec, const spec_fields *f, bool id, ds_buf *out) {
    ds__iter it;
    size_t root = ds__doc_begin(out);
    ds__write_value(out, "v", 1, f->version.type == DS_MISSING ? ds__int32(2) : f->version);
    ds__write_value(out, "key", 3, f->key);
    ds__write_value(out, "name", 4, id ? ds__cstring("_id_") : f->name);
    ds__iter_init(&it, spec);
    while (ds__iter_next(&it)) {
        bool flag = it.value.type == DS_BOOL || ds__is_number(it.value);
        if (!strcmp(it.key, "v") || !strcmp(it.key, "key") || !strcmp(it.key, "name") ||
            !strcmp(it.key, "ns") || !strcmp(it.key, "collation") || !strcmp(it.key, "dropDups")) {
            continue;
        }
        if (flag && (!strcmp(it.key, "unique") || !strcmp(it.key, "sparse") ||
                     !strcmp(it.key, "hidden") || !strcmp(it.key, "background"))) {
            if (ds__value_truthy(it.value) || strcmp(it.key, "sparse") == 0) {
                ds__write_bool(out, it.key, ds__value_truthy(it.value));
            }
            continue;
        }
        ds_buf_add(out, it.element, it.element_size);
    }
    ds__doc_end(out, root);
}

static bool check_spec(ds__env *env, ds_value spec, spec_fields *f, bool *id, ds_error *err) {
    size_t parts;
    const ds__index_kind *kind;
    char quoted[DS_MAX_QUOTED + 8];
    if (!read_fields(spec, f, err) || !check_types(f, err) ||
        !check_key(f->key, &parts, &kind, err)) {
        return false;
    }
    int is_id = id_key(f->key);
    *id = is_id == 1;
    if (!*id && !check_expire(f, parts, err)) {
        return false;
    }
    if (is_id < 0) {
        return ds__error_set(err, DS_BAD_VALUE,
                             "The field 'key' for an _id index must be {_id: 1}, but got %s",
                             quote(f->key, quoted, sizeof quoted));
    }
    if (*id && !check_id_index(spec, err)) {
        return false;
    }
    if (!*id && ds__is_string(f->name, "_id_")) {
        return ds__error_set(err, DS_BAD_VALUE,
                             "The index name '_id_' is reserved for the _id index, which must have "
                             "key pattern {_id: 1}, found key: %s",
                             quote(f->key, quoted, sizeof quoted));
    }
    if (kind && !kind->check(f->key, ds__value_truthy(f->unique), err)) {
        return false;
    }
    if (f->partial.type == DS_DOCUMENT) {
        ds__filter *filter = NULL;
        ds__filter_options options = {.no_expr = true};
        if (ds__value_truthy(f->sparse)) {
            return ds__error_set(err, DS_CANNOT_CREATE_INDEX,
                                 "cannot mix \"partialFilterExpression\" and \"sparse\" options");
        }
        return ds__filter_compile(env, f->partial, &options, &filter, err) &&
               check_partial(filter, 0, err);
    }
    return true;
}

static bool is_field(const char *name) {
    static const char *const fields[] = {"key",    "name",
                                         "unique", "sparse",
                                         "hidden", "partialFilterExpression",
                                         "v",      "expireAfterSeconds"};
    for (size_t i = 0; i < sizeof fields / sizeof *fields; i++) {
        if (strcmp(fields[i], name) == 0) {
            return true;
        }
    }
    return false;
}

bool ds__index_forget_unknown(ds_value spec, ds_buf *out, ds_error *err) {
    ds__iter it;
    size_t root = ds__doc_begin(out);
    ds__iter_init(&it, spec);
    while (ds__iter_next(&it)) {
        if (is_field(it.key) || option_of(it.key) != OPTION_NONE) {
            ds_buf_add(out, it.element, it.element_size);
        }
    }
    ds__doc_end(out, root);
    return ds_buf_ok(out, err);
}

bool ds__index_normalise(ds__env *env, ds_value spec, ds_buf *out, ds_error *err) {
    spec_fields f;
    bool id = false;
    if (!check_spec(env, spec, &f, &id, err)) {
        char quoted[DS_MAX_QUOTED + 8];
        return ds__error_prefix(
            err, "Error in specification %s :: caused by :: ", quote(spec, quoted, sizeof quoted));
    }
    write_spec(spec, &f, id, out);
    return ds_buf_ok(out, err);
}
