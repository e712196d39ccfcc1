/* SPDX-License-Identifier: Apache-2.0 */
/* What $out and $merge are told. Fields are looked at in the order in which they stand. */
#include "lang/pipeline/target.h"

#include <string.h>

static bool wrong_type(const char *what, ds_value v, const char *wanted, ds_error *err) {
    return ds__error_set(err, DS_TYPE_MISMATCH,
                         "BSON field '%s' is the wrong type '%s', expected type '%s'", what,
                         ds__type_name(v.type), wanted);
}

bool ds__target_is_internal(const char *db) {
    return strcmp(db, "admin") == 0 || strcmp(db, "local") == 0 || strcmp(db, "config") == 0;
}

bool ds__target_read_out(ds_value arg, ds__target *out, ds_error *err) {
    *out = (ds__target){.coll = arg};
    if (arg.type != DS_STRING && arg.type != DS_DOCUMENT) {
        return ds__error_set(err, 16990,
                             "$out only supports a string or object argument, but found %s",
                             ds__type_name(arg.type));
    }
    if (arg.type == DS_DOCUMENT) {
        out->db = ds__doc_field(arg, "db");
        out->coll = ds__doc_field(arg, "coll");
        if (out->db.type == DS_MISSING || out->coll.type == DS_MISSING || ds__doc_count(arg) != 2) {
            return ds__error_set(err, 16994,
                                 "If an object is passed to $out it must have exactly 2 fields: "
                                 "'db' and 'coll'");
        }
        const bool of_db = out->db.type != DS_STRING;
        const ds_value wrong = of_db ? out->db : out->coll;
        if (wrong.type != DS_STRING) {
            return ds__error_set(err, 13111, "wrong type for field (%s) %s != string",
                                 of_db ? "db" : "coll", ds__type_name(wrong.type));
        }
    }
    return (out->coll.size > 0 && !memchr(ds__text(out->coll), 0, out->coll.size)) ||
           ds__error_set(err, DS_INVALID_NAMESPACE,
                         "Invalid $out target namespace: '%s' names no collection",
                         ds__text(out->coll));
}

static bool read_into(ds_value into, ds__target *t, ds_error *err) {
    ds__iter it;
    t->coll = into;
    if (into.type == DS_STRING) {
        return into.size > 0 ||
               ds__error_set(err, 5786800, "$merge 'into' field cannot be an empty string");
    }
    if (into.type != DS_DOCUMENT) {
        return ds__error_set(err, 51178,
                             "$merge 'into' field  must be either a string or an object, but "
                             "found %s",
                             ds__type_name(into.type));
    }
    t->coll = ds__missing();
    for (ds__iter_init(&it, into); ds__iter_next(&it);) {
        const bool of_db = strcmp(it.key, "db") == 0;
        if (!of_db && strcmp(it.key, "coll") != 0) {
            return ds__error_set(err, 40415, "BSON field 'into.%s' is an unknown field.", it.key);
        }
        if (of_db && it.value.type != DS_STRING && !ds__is_nullish(it.value)) {
            return wrong_type("into.db", it.value, "string", err);
        }
        *(of_db ? &t->db : &t->coll) = it.value;
    }
    return (t->coll.type == DS_STRING && t->coll.size > 0) ||
           ds__error_set(err, 5786801,
                         "$merge 'into' field must specify a 'coll' that is not empty, null or "
                         "undefined");
}

static bool read_on(ds_value on, ds__target *t, ds_error *err) {
    ds__iter it;
    t->on = on;
    if (on.type == DS_STRING) {
        return true;
    }
    if (on.type != DS_ARRAY) {
        return ds__error_set(err, 51186,
                             "$merge 'on' field  must be either a string or an array of strings, "
                             "but found %s",
                             ds__type_name(on.type));
    }
    if (ds__doc_empty(on)) {
        return ds__error_set(err, 51187,
                             "If explicitly specifying $merge 'on', must include at least one "
                             "field");
    }
    for (ds__iter_init(&it, on); ds__iter_next(&it);) {
        if (it.value.type != DS_STRING) {
            return ds__error_set(err, 51134,
                                 "$merge 'on' array elements must be strings, but found %s",
                                 ds__type_name(it.value.type));
        }
    }
    return true;
}

static const char *const matched_names[] = {"replace", "keepExisting", "merge", "fail", "pipeline"};
static const char *const not_names[] = {"insert", "discard", "fail"};

/* Which of the names a string is; -1: none. */
static int find_name(ds_value v, const char *const *names, int count) {
    int i = 0;
    while (i < count && !ds__is_string(v, names[i])) {
        i++;
    }
    return i < count ? i : -1;
}

static bool read_matched(ds_value v, ds__target *t, ds_error *err) {
    const int found = v.type == DS_STRING ? find_name(v, matched_names, DS_MATCHED_PIPELINE) : -1;
    if (v.type == DS_ARRAY) {
        t->matched = DS_MATCHED_PIPELINE;
        t->update = v;
        return true;
    }
    if (v.type != DS_STRING) {
        return ds__error_set(err, 51191,
                             "$merge 'whenMatched' field  must be either a string or an array, but "
                             "found %s",
                             ds__type_name(v.type));
    }
    t->matched = (ds__when_matched)found;
    return found >= 0 || ds__error_set(err, DS_BAD_VALUE,
                                       "Enumeration value '%.*s' for field 'whenMatched' is not a "
                                       "valid value.",
                                       (int)v.size, ds__text(v));
}

static bool read_not_matched(ds_value v, ds__target *t, ds_error *err) {
    if (v.type != DS_STRING) {
        return wrong_type("$merge.whenNotMatched", v, "string", err);
    }
    const int found = find_name(v, not_names, 3);
    t->not_matched = (ds__when_not)found;
    return found >= 0 || ds__error_set(err, DS_BAD_VALUE,
                                       "Enumeration value '%.*s' for field "
                                       "'$merge.whenNotMatched' is not a valid value.",
                                       (int)v.size, ds__text(v));
}

static bool read_field(const char *name, ds_value v, ds__target *t, ds_error *err) {
    if (strcmp(name, "into") == 0) {
        return read_into(v, t, err);
    }
    if (strcmp(name, "on") == 0) {
        return read_on(v, t, err);
    }
    if (strcmp(name, "let") == 0) {
        t->let = v;
        return v.type == DS_DOCUMENT || wrong_type("$merge.let", v, "object", err);
    }
    if (strcmp(name, "whenMatched") == 0) {
        return read_matched(v, t, err);
    }
    if (strcmp(name, "whenNotMatched") == 0) {
        return read_not_matched(v, t, err);
    }
    return ds__error_set(err, 40415, "BSON field '$merge.%s' is an unknown field.", name);
}

bool ds__target_read_merge(ds_value arg, ds__target *out, ds_error *err) {
    ds__iter it;
    *out = (ds__target){.matched = DS_MATCHED_MERGE};
    if (arg.type == DS_STRING) {
        out->coll = arg;
        return arg.size > 0 || ds__error_set(err, DS_INVALID_NAMESPACE,
                                             "Invalid $merge target namespace: it is empty");
    }
    if (arg.type != DS_DOCUMENT) {
        return ds__error_set(err, DS_TYPE_MISMATCH,
                             "$merge requires a string or object argument, but found %s",
                             ds__type_name(arg.type));
    }
    for (ds__iter_init(&it, arg); ds__iter_next(&it);) {
        if (!read_field(it.key, it.value, out, err)) {
            return false;
        }
    }
    if (out->coll.type == DS_MISSING) {
        return ds__error_set(err, 40414,
                             "BSON field '$merge.into' is missing but a required field");
    }
    const bool insert_only = out->matched == DS_MATCHED_KEEP || out->matched == DS_MATCHED_FAIL;
    if (insert_only && out->not_matched != DS_NOT_INSERT) {
        return ds__error_set(err, 51181,
                             "Combination of $merge modes 'whenMatched: %s' and 'whenNotMatched: "
                             "%s' is not supported",
                             matched_names[out->matched], not_names[out->not_matched]);
    }
    return true;
}
