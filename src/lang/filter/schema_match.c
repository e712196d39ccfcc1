/* SPDX-License-Identifier: Apache-2.0 */
/* $jsonSchema: checking. A keyword about a type says nothing of values of other types. */
#include "bson/decimal.h"
#include "bson/scan.h"
#include "lang/filter/schema.h"

static bool check(const ds__schema *s, ds_value v, ds__match *m);

bool ds__schema_equal(ds_value a, ds_value b) {
    if (a.type != b.type || (a.type != DS_DOCUMENT && a.type != DS_ARRAY)) {
        return ds__value_equal(a, b, NULL);
    }
    if (ds__doc_count(a) != ds__doc_count(b)) {
        return false;
    }
    ds__iter x, y;
    ds__iter_init(&x, a);
    ds__iter_init(&y, b);
    while (ds__iter_next(&x) && ds__iter_next(&y)) {
        ds_value other = y.value;
        if (a.type == DS_DOCUMENT && !ds__doc_get(b, x.key, x.key_size, &other)) {
            return false;
        }
        if (!ds__schema_equal(x.value, other)) {
            return false;
        }
    }
    return true;
}

static bool contains(ds_value array, ds_value v, ds__match *m) {
    ds__iter it;
    ds__iter_init(&it, array);
    while (ds__iter_next(&it) && ds__match_step(m, 1)) {
        if (ds__schema_equal(it.value, v)) {
            return true;
        }
    }
    return false;
}

static bool in_range(const ds__schema_range *range, int64_t n) {
    return n >= range->min && (range->max < 0 || n <= range->max);
}

static bool has_all(ds_value doc, ds_value names, ds__match *m) {
    ds__iter it;
    ds__iter_init(&it, names);
    while (ds__iter_next(&it) && ds__match_step(m, doc.size / DS_METER_STEP_BYTES + 1)) {
        if (ds__scan_find(doc, ds__text(it.value), it.value.size).type == DS_MISSING) {
            return false;
        }
    }
    return true;
}

static bool check_number(const ds__schema *s, ds_value v) {
    bool nan = ds__number_is_nan(v);
    if (s->minimum.type != DS_MISSING) {
        int c = ds__number_compare(v, s->minimum);
        if (nan != ds__number_is_nan(s->minimum) || c < 0 || (c == 0 && s->exclusive_minimum)) {
            return false;
        }
    }
    if (s->maximum.type != DS_MISSING) {
        int c = ds__number_compare(v, s->maximum);
        if (nan != ds__number_is_nan(s->maximum) || c > 0 || (c == 0 && s->exclusive_maximum)) {
            return false;
        }
    }
    return s->multiple_of.type == DS_MISSING ||
           ds__dec_is_zero(
               ds__dec_remainder(ds__number_to_decimal(v), ds__number_to_decimal(s->multiple_of)));
}

static bool check_string(const ds__schema *s, ds_value v, ds__match *m) {
    int64_t points = 0;
    for (uint32_t i = 0; i < v.size; i++) {
        points += (v.as.bytes[i] & 0xC0) != 0x80;
    }
    return in_range(&s->length, points) &&
           (s->pattern == NULL || ds__filter_search(s->pattern, ds__text(v), v.size, m));
}

static bool is_unique(ds_value array, ds__match *m) {
    ds__iter a;
    ds__iter_init(&a, array);
    while (ds__iter_next(&a)) {
        ds__iter b = a;
        while (ds__iter_next(&b) && ds__match_step(m, 1)) {
            if (ds__schema_equal(a.value, b.value)) {
                return false;
            }
        }
    }
    return true;
}

static bool check_element(const ds__schema *s, size_t i, ds_value v, ds__match *m) {
    if (s->items != NULL) {
        return check(s->items, v, m);
    }
    if (!s->tuple.given) {
        return true;
    }
    if (i < s->tuple.count) {
        return check(s->tuple.items[i], v, m);
    }
    return !s->no_more_items && (s->more_items == NULL || check(s->more_items, v, m));
}

static bool check_array(const ds__schema *s, ds_value v, ds__match *m) {
    if (!in_range(&s->items_count, (int64_t)ds__doc_count(v)) ||
        (s->unique_items && !is_unique(v, m))) {
        return false;
    }
    ds__iter it;
    ds__iter_init(&it, v);
    for (size_t i = 0; ds__iter_next(&it) && ds__match_step(m, 1); i++) {
        if (!check_element(s, i, it.value, m)) {
            return false;
        }
    }
    return true;
}

static bool check_field(const ds__schema *s, const ds__scan *at, ds__match *m) {
    bool known = false;
    ds_value v = ds__scan_value(at);
    for (size_t i = 0; i < s->properties.count; i++) {
        const ds__schema_entry *e = &s->properties.items[i];
        if (e->size == at->key_size && memcmp(e->name, at->key, e->size) == 0) {
            known = true;
            if (!check(e->schema, v, m)) {
                return false;
            }
        }
    }
    for (size_t i = 0; i < s->patterns.count; i++) {
        const ds__schema_entry *e = &s->patterns.items[i];
        if (ds__filter_search(e->regex, at->key, at->key_size, m)) {
            known = true;
            if (!check(e->schema, v, m)) {
                return false;
            }
        }
    }
    return known || (!s->no_more_fields && (s->more_fields == NULL || check(s->more_fields, v, m)));
}

static bool check_object(const ds__schema *s, ds_value v, ds__match *m) {
    if (!in_range(&s->fields_count, (int64_t)ds__doc_count(v)) ||
        (s->required.type != DS_MISSING && !has_all(v, s->required, m))) {
        return false;
    }
    ds__scan at;
    ds__scan_init(&at, v);
    while (ds__scan_next(&at) && ds__match_step(m, 1)) {
        if (!check_field(s, &at, m)) {
            return false;
        }
    }
    for (size_t i = 0; i < s->dependencies.count; i++) {
        const ds__schema_entry *e = &s->dependencies.items[i];
        if (ds__scan_find(v, e->name, e->size).type != DS_MISSING &&
            !(e->schema != NULL ? check(e->schema, v, m) : has_all(v, e->names, m))) {
            return false;
        }
    }
    return true;
}

/* How many of the list's schemas hold. */
static size_t count_holding(const ds__schema_list *list, ds_value v, ds__match *m) {
    size_t n = 0;
    for (size_t i = 0; i < list->count; i++) {
        n += check(list->items[i], v, m);
    }
    return n;
}

static bool check(const ds__schema *s, ds_value v, ds__match *m) {
    if (s->has_types && !ds__filter_has_type(&s->types, v)) {
        return false;
    }
    if (s->one_of_values.type != DS_MISSING && !contains(s->one_of_values, v, m)) {
        return false;
    }
    if ((ds__is_number(v) && !check_number(s, v)) ||
        (v.type == DS_STRING && !check_string(s, v, m)) ||
        (v.type == DS_ARRAY && !check_array(s, v, m)) ||
        (v.type == DS_DOCUMENT && !check_object(s, v, m))) {
        return false;
    }
    return count_holding(&s->all_of, v, m) == s->all_of.count &&
           (!s->any_of.given || count_holding(&s->any_of, v, m) > 0) &&
           (!s->one_of.given || count_holding(&s->one_of, v, m) == 1) &&
           (s->not_ == NULL || !check(s->not_, v, m));
}

bool ds__schema_match(const void *schema, ds_value doc, ds__match *m) {
    return check(schema, doc, m);
}
