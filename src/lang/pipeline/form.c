/* SPDX-License-Identifier: Apache-2.0 */
/* What is wrong with a pipeline before its stages mean anything: stages that are no objects, names
 * nobody knows, in pipelines inside of pipelines too. As in mongod this is found before a command
 * enters its transaction, which therefore goes on. */
#include "lang/pipeline/internal.h"
#include "base/named.h"
#include "lang/pipeline/target.h"

const ds__stage_def *ds__stage_read(ds_value spec, ds__iter *it, ds_error *err) {
    if (spec.type != DS_DOCUMENT) {
        ds__error_set(err, DS_TYPE_MISMATCH,
                      "Each element of the 'pipeline' array must be an object");
        return NULL;
    }
    ds__iter_init(it, spec);
    if (!ds__iter_next(it) || it->at < it->end) {
        ds__error_set(err, 40323,
                      "A pipeline stage specification object must contain exactly one field.");
        return NULL;
    }
    const ds__stage_def *def =
        ds__find_named(ds__stage_defs, SIZE_MAX, sizeof *def, it->key, it->key_size);
    if (def) {
        return def;
    }
    ds__error_set(err, 40324, "Unrecognized pipeline stage name: '%.*s'",
                  (int)(it->key_size > DS_MAX_QUOTED ? DS_MAX_QUOTED : it->key_size), it->key);
    return NULL;
}

bool ds__lookup_check_form(ds_value arg, ds_error *err) {
    if (arg.type != DS_DOCUMENT) {
        return ds__error_set(err, DS_FAILED_TO_PARSE,
                             "the $lookup stage specification must be an object, but found %s",
                             ds__type_name(arg.type));
    }
    ds_value from = ds__doc_field(arg, "from");
    return from.type == DS_MISSING || from.type == DS_STRING ||
           ds__error_set(err, DS_FAILED_TO_PARSE,
                         "$lookup 'from' field must be a string, but found %s",
                         ds__type_name(from.type));
}

bool ds__union_check_form(ds_value arg, ds_error *err) {
    return arg.type == DS_STRING || arg.type == DS_DOCUMENT ||
           ds__error_set(err, DS_FAILED_TO_PARSE,
                         "the $unionWith stage specification must be an object or string, but "
                         "found %s",
                         ds__type_name(arg.type));
}

bool ds__facet_check_form(ds_value arg, ds_error *err) {
    ds__iter it;
    ds__iter sub;
    if (arg.type != DS_DOCUMENT || ds__doc_empty(arg)) {
        char text[DS_MAX_QUOTED];
        return ds__error_set(err, 40169,
                             "the $facet specification must be a non-empty object, but found: "
                             "$facet: %s",
                             ds__value_quote(arg, text, sizeof text));
    }
    for (ds__iter_init(&it, arg); ds__iter_next(&it);) {
        if (it.value.type != DS_ARRAY) {
            return ds__error_set(err, 40170, "arguments to $facet must be arrays, %s is type %s",
                                 it.key, ds__type_name(it.value.type));
        }
        for (ds__iter_init(&sub, it.value); ds__iter_next(&sub);) {
            if (sub.value.type != DS_DOCUMENT || ds__doc_empty(sub.value)) {
                return ds__error_set(err, 40171,
                                     "elements of arrays in $facet spec must be non-empty objects, "
                                     "%s argument contained an element of type %s",
                                     it.key, ds__type_name(sub.value.type));
            }
        }
    }
    return true;
}

/* Where stages stand: how deep, and whether in a transaction of several commands. */
typedef struct place {
    int depth;
    bool in_transaction;
} place;

static bool check(ds_value stages, place at, ds_error *err);

static bool check_pipeline_of(ds_value arg, place at, ds_error *err) {
    ds_value sub = arg.type == DS_DOCUMENT ? ds__doc_field(arg, "pipeline") : ds__missing();
    return sub.type != DS_ARRAY || check(sub, at, err);
}

static bool check_parts(ds_value arg, place at, ds_error *err) {
    ds__iter it;
    bool ok = ds__facet_check_form(arg, err);
    for (ds__iter_init(&it, arg); ok && ds__iter_next(&it);) {
        ok = check(it.value, at, err);
    }
    return ok;
}

static bool check_transaction(const ds__stage_def *def, ds_error *err) {
    int32_t code = DS_OPERATION_NOT_SUPPORTED_IN_TRANSACTION;
    switch (def->in_transaction) {
    case DS_STAGE_ALLOWED:
        return true;
    case DS_STAGE_REFUSED_SOURCE:
        return ds__error_set(
            err, code, "Stage not supported inside of a multi-document transaction: %s", def->name);
    case DS_STAGE_REFUSED_WRITE:
        return ds__error_set(err, code, "%s cannot be used in a transaction", def->name);
    case DS_STAGE_REFUSED_COMMAND:
        return ds__error_set(err, code,
                             "Operation not permitted in transaction :: caused by :: Aggregation "
                             "stage %s cannot run within a multi-document transaction.",
                             def->name);
    }
    return true;
}

/* What is asked of one stage, whatever stands around it. */
static bool check_argument(const ds__stage_def *def, ds_value arg, place at, ds_error *err) {
    ds__target ignored;
    if (strcmp(def->name, "$lookup") == 0) {
        return ds__lookup_check_form(arg, err) && check_pipeline_of(arg, at, err);
    }
    if (strcmp(def->name, "$unionWith") == 0) {
        return ds__union_check_form(arg, err) && check_pipeline_of(arg, at, err);
    }
    if (strcmp(def->name, "$facet") == 0) {
        return check_parts(arg, at, err);
    }
    if (strcmp(def->name, "$changeStream") == 0) {
        return arg.type == DS_DOCUMENT ||
               ds__error_set(err, 6188500, "$changeStream must take a nested object but found: %s",
                             ds__type_name(arg.type));
    }
    if (strcmp(def->name, "$out") == 0) {
        return ds__target_read_out(arg, &ignored, err);
    }
    return strcmp(def->name, "$merge") != 0 || ds__target_read_merge(arg, &ignored, err);
}

static bool check(ds_value stages, place at, ds_error *err) {
    ds__iter it;
    ds__iter stage;
    bool ok = true;
    if (at.depth++ > DS_MAX_PIPELINE_DEPTH) {
        return true; /* told when it is compiled */
    }
    for (ds__iter_init(&it, stages); ok && ds__iter_next(&it);) {
        const ds__stage_def *def = ds__stage_read(it.value, &stage, err);
        if (!def || (at.in_transaction && !check_transaction(def, err))) {
            return false;
        }
        ok = check_argument(def, stage.value, at, err);
    }
    return ok;
}

bool ds__pipeline_check_form(ds_value stages, ds_error *err) {
    return check(stages, (place){0}, err);
}

bool ds__pipeline_check_in_transaction(ds_value stages, ds_error *err) {
    return check(stages, (place){.in_transaction = true}, err);
}
