/* SPDX-License-Identifier: Apache-2.0 */
/* One walk for several fields. Documents of a collection have theirs in the same order mostly, so
 * the field that came next in the last document is looked for first. */
#include "lang/pipeline/fields.h"

#include "bson/scan.h"

static inline bool is_named(const ds__scan *s, const ds__path_part *name) {
    return s->key_size == name->size && s->key[0] == name->name[0] &&
           memcmp(s->key, name->name, name->size) == 0;
}

int ds__fields_add(ds__fields *fields, const ds__path *path) {
    if (path->count != 1) {
        return -1;
    }
    const ds__path_part *name = &path->parts[0];
    for (size_t i = 0; i < fields->count; i++) {
        const ds__path_part *known = fields->names[i];
        if (known->size == name->size && memcmp(known->name, name->name, name->size) == 0) {
            return (int)i;
        }
    }
    if (fields->count == DS_FIELDS_MAX) {
        return -1;
    }
    fields->order[fields->count] = (uint8_t)fields->count;
    fields->names[fields->count] = name;
    return (int)fields->count++;
}

/* The place in the order, from `from` on, of the field that the walk stands at; count: none. */
static size_t place_of(const ds__fields *fields, const ds__scan *s, size_t from) {
    for (size_t i = from; i < fields->count; i++) {
        if (is_named(s, fields->names[fields->order[i]])) {
            return i;
        }
    }
    return fields->count;
}

void ds__fields_read(ds__fields *fields, ds_value doc) {
    size_t found = 0; /* these stand first in the order */
    ds__scan s;
    ds__scan_init(&s, doc);
    while (found < fields->count && ds__scan_next(&s)) {
        size_t place = place_of(fields, &s, found);
        if (place < fields->count) {
            uint8_t at = fields->order[place];
            fields->order[place] = fields->order[found];
            fields->order[found++] = at;
            ds__value_read(*s.element, s.element + s.key_size + 2, &fields->values[at]);
        }
    }
    for (size_t i = found; i < fields->count; i++) {
        fields->values[fields->order[i]] = ds__missing();
    }
}
