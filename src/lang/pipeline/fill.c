/* SPDX-License-Identifier: Apache-2.0 */
/* $fill: methods become a $setWindowFields, values an $addFields. */
#include "lang/pipeline/stages.h"

typedef struct fill_spec {
    ds_value output, sort, partition, fields;
} fill_spec;

static bool read_spec(ds_value arg, fill_spec *s, ds_error *err) {
    static const struct {
        const char *name;
        uint8_t type;
    } known[] = {{"output", DS_DOCUMENT},
                 {"sortBy", DS_DOCUMENT},
                 {"partitionBy", DS_DOCUMENT},
                 {"partitionByFields", DS_ARRAY}};
    ds_value *const places[] = {&s->output, &s->sort, &s->partition, &s->fields};
    ds__iter it;
    for (ds__iter_init(&it, arg); ds__iter_next(&it);) {
        size_t i = 0;
        while (i < 4 && strcmp(it.key, known[i].name) != 0) {
            i++;
        }
        if (i == 4) {
            return ds__error_set(err, 40415, "BSON field '$fill.%s' is an unknown field.", it.key);
        }
        if (it.value.type != known[i].type) {
            return ds__error_set(err, DS_TYPE_MISMATCH,
                                 "BSON field '$fill.%s' is the wrong type '%s', expected type '%s'",
                                 it.key, ds__type_name(it.value.type),
                                 ds__type_name(known[i].type));
        }
        *places[i] = it.value;
    }
    if (s->output.type == DS_MISSING) {
        return ds__error_set(err, 40414,
                             "BSON field '$fill.output' is missing but a required field");
    }
    if (ds__doc_empty(s->output)) {
        return ds__error_set(err, 6050203,
                             "The output field in '$fill' must contain an object with at least one "
                             "element");
    }
    if (s->partition.type != DS_MISSING && s->fields.type != DS_MISSING) {
        return ds__error_set(err, 6050204,
                             "Maximum one of 'partitionBy' and 'partitionByFields' can be "
                             "specified in '$fill'");
    }
    return true;
}

/* Writes "<prefix><text>" as a string field. */
static void write_path(ds_buf *buf, const char *key, size_t key_size, const char *text,
                       size_t size) {
    ds_buf path = {0};
    ds_buf_add_byte(&path, '$');
    ds_buf_add(&path, text, size);
    if (path.failed) {
        ds_buf_fail_as(buf, &path);
    } else {
        ds__write_value(buf, key, key_size, ds__string((const char *)path.data, path.size));
    }
    ds_buf_clear(&path);
}

static bool write_field(const ds__iter *it, ds_buf *window, ds_buf *values, bool *any_window,
                        bool *any_value, ds_error *err) {
    if (it->value.type != DS_DOCUMENT) {
        return ds__error_set(err, 6050200,
                             "Each fill output specification must be an object with exactly one "
                             "field");
    }
    ds__iter one;
    for (ds__iter_init(&one, it->value); ds__iter_next(&one);) {
        if (strcmp(one.key, "method") != 0 && strcmp(one.key, "value") != 0) {
            return ds__error_set(err, 40415, "BSON field '$fill.%s' is an unknown field.", one.key);
        }
    }
    ds_value method = ds__doc_field(it->value, "method"), value = ds__doc_field(it->value, "value");
    if (method.type != DS_MISSING && value.type != DS_MISSING) {
        return ds__error_set(err, 6050201,
                             "Each fill output specification must have exactly one of 'method' or "
                             "'value' fields, not both");
    }
    if (method.type != DS_MISSING) {
        bool locf = ds__is_string(method, "locf");
        if (!locf && !ds__is_string(method, "linear")) {
            return ds__error_set(err, 6050202, "Method must be either locf or linear");
        }
        size_t sub = ds__write_doc(window, it->key, it->key_size, DS_DOCUMENT);
        write_path(window, locf ? "$locf" : "$linearFill", locf ? 5 : 11, it->key, it->key_size);
        ds__doc_end(window, sub);
        *any_window = true;
    } else if (value.type != DS_MISSING) {
        size_t sub = ds__write_doc(values, it->key, it->key_size, DS_DOCUMENT);
        size_t list = ds__write_doc(values, "$ifNull", 7, DS_ARRAY);
        write_path(values, "0", 1, it->key, it->key_size);
        ds__write_index(values, 1, value);
        ds__doc_end(values, list);
        ds__doc_end(values, sub);
        *any_value = true;
    }
    return true;
}

static bool write_partition(const fill_spec *s, ds_buf *window, ds_error *err) {
    if (s->partition.type == DS_DOCUMENT) {
        ds__write_value(window, "partitionBy", 11, s->partition);
    } else if (s->fields.type == DS_ARRAY) {
        size_t by = ds__write_doc(window, "partitionBy", 11, DS_DOCUMENT);
        ds__iter it;
        for (ds__iter_init(&it, s->fields); ds__iter_next(&it);) {
            if (it.value.type != DS_STRING) {
                return ds__error_set(err, DS_TYPE_MISMATCH,
                                     "BSON field '$fill.partitionByFields' must hold strings");
            }
            write_path(window, ds__text(it.value), it.value.size, ds__text(it.value),
                       it.value.size);
        }
        ds__doc_end(window, by);
    }
    return true;
}

bool ds__stage_parse_fill(ds__stage_parser *p, ds_value arg, ds_error *err) {
    fill_spec s = {0};
    bool any_window = false, any_value = false;
    if (arg.type != DS_DOCUMENT) {
        return ds__error_set(err, DS_FAILED_TO_PARSE,
                             "The $fill stage specification must be an object, found %s",
                             ds__type_name(arg.type));
    }
    if (!read_spec(arg, &s, err)) {
        return false;
    }
    ds_buf window = {0}, values = {0};
    size_t window_root = ds__doc_begin(&window), values_root = ds__doc_begin(&values);
    size_t stage = ds__write_doc(&window, "$setWindowFields", 16, DS_DOCUMENT);
    size_t set = ds__write_doc(&values, "$addFields", 10, DS_DOCUMENT);
    bool ok = write_partition(&s, &window, err);
    if (s.sort.type == DS_DOCUMENT) {
        ds__write_value(&window, "sortBy", 6, s.sort);
    }
    size_t output = ds__write_doc(&window, "output", 6, DS_DOCUMENT);
    ds__iter it;
    for (ds__iter_init(&it, s.output); ok && ds__iter_next(&it);) {
        ok = write_field(&it, &window, &values, &any_window, &any_value, err);
    }
    ds__doc_end(&window, output);
    ds__doc_end(&window, stage);
    ds__doc_end(&window, window_root);
    ds__doc_end(&values, set);
    ds__doc_end(&values, values_root);
    if (ok && any_window) {
        ok = ds__stage_add_built(p, &window, ds__stage_parse_window, err);
    }
    if (ok && any_value) {
        ok = ds__stage_add_built(p, &values, ds__stage_parse_add_fields, err);
    }
    ds_buf_clear(&window);
    ds_buf_clear(&values);
    return ok;
}
