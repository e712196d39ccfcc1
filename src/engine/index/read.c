/* SPDX-License-Identifier: Apache-2.0 */
/* From a stored spec to an index. What a newer program has made is refused: keys that are wrong or
 * missing would be answers that are. */
#include "base/limits.h"
#include "bson/number.h"
#include "engine/index/index.h"

static const char *text_of(ds_arena *arena, ds_value v) {
    return ds_arena_strndup(arena, ds__text(v), v.size);
}

static bool newer(const ds__index *index, ds_error *err) {
    return ds__error_set(err, DS_MUST_UPGRADE,
                         "the index '%s' was made by a newer version of this program, which knows "
                         "its kind or collation: use that",
                         index->name);
}

static bool read_parts(ds_arena *arena, ds__index *index, ds_error *err) {
    index->kind = ds__index_ordered;
    index->part_count = ds__doc_count(index->key_pattern);
    if (index->part_count == 0 || index->part_count > DS_MAX_INDEX_FIELDS) {
        return ds__corrupt(err, "an index definition");
    }
    index->parts = ds_arena_zalloc(arena, index->part_count * sizeof *index->parts);
    if (!index->parts) {
        return ds__error_oom(err);
    }
    ds__iter it;
    ds__iter_init(&it, index->key_pattern);
    for (size_t i = 0; ds__iter_next(&it); i++) {
        ds__index_part *part = &index->parts[i];
        if (!ds__path_parse(arena, it.key, it.key_size, &part->path)) {
            return ds__error_oom(err);
        }
        part->descending = ds__is_number(it.value) && ds__number_to_double(it.value) < 0;
        part->kind = ds__index_kind_of(it.key, it.key_size, it.value);
        if (!part->kind || !part->kind->extract) {
            return newer(index, err);
        }
        if (index->kind->ordered) {
            index->kind = part->kind;
        }
    }
    return true;
}

/* Where an index has a collation its spec says, beside what listIndexes prints of it, by which
 * version its keys were made: {collation: {locale, …, version: "57.1"}}. Specs of before have none.
 */
static bool read_collation(ds_arena *arena, ds__index *index, ds_error *err) {
    ds_value collation = ds__doc_field(index->spec, "collation");
    index->collation_version = "";
    if (collation.type != DS_DOCUMENT ||
        ds__is_string(ds__doc_field(collation, "locale"), "simple")) {
        return true;
    }
    ds_value version = ds__doc_field(collation, "version");
    if (version.type == DS_STRING) {
        index->collation_version = text_of(arena, version);
        if (!index->collation_version) {
            return ds__error_oom(err);
        }
    }
    return newer(index, err); /* no collations yet: its strings would be put in the wrong places */
}

bool ds__index_read_spec(ds_arena *arena, ds__index *index, ds_value spec, ds_error *err) {
    index->spec = spec;
    index->key_pattern = ds__doc_field(spec, "key");
    ds_value name = ds__doc_field(spec, "name");
    if (index->key_pattern.type != DS_DOCUMENT || name.type != DS_STRING) {
        return ds__corrupt(err, "an index definition");
    }
    index->name = text_of(arena, name);
    if (!index->name || !read_parts(arena, index, err)) {
        return index->name ? false : ds__error_oom(err);
    }
    index->is_id = strcmp(index->name, "_id_") == 0;
    index->unique = index->is_id || ds__value_truthy(ds__doc_field(spec, "unique"));
    index->sparse = ds__value_truthy(ds__doc_field(spec, "sparse"));
    index->hidden = ds__value_truthy(ds__doc_field(spec, "hidden"));
    index->partial = ds__doc_field(spec, "partialFilterExpression");
    ds_value expire = ds__doc_field(spec, "expireAfterSeconds");
    index->expire_after = ds__is_number(expire) ? ds__number_to_int64(expire) : -1;
    return read_collation(arena, index, err);
}
