/* SPDX-License-Identifier: Apache-2.0 */
/* $group: one hash table from _id to the accumulators' states. When the table outgrows its memory,
 * documents of groups it does not hold go to a temporary file and are grouped in a further pass. */
#include "base/map.h"
#include "base/mem.h"
#include "lang/pipeline/accumulate.h"
#include "lang/pipeline/fields.h"
#include "lang/pipeline/stages.h"

enum { RECENT = 4096 }; /* a power of two */

/* States follow the slot's group, each at its accumulator's offset. */
typedef struct group_entry {
    ds_value id;
    uint64_t hash;
} group_entry;

typedef struct group {
    ds__stage stage;
    /* borrowed */
    ds__expr *id;
    const ds_value *id_constant;
    const ds__buckets *buckets; /* $bucket: ids are the lower bounds */
    ds__accumulator *accs;
    size_t acc_count;
    /* owned while running */
    ds_arena arena;        /* entries and their ids */
    group_entry **table;   /* open addressing; NULL free */
    group_entry **entries; /* in order of appearance */
    group_entry **recent;  /* RECENT of them, by the bytes of their ids; ids that are documents */
    group_entry *sole;     /* the only one: _id is constant */
    ds_buf out;
    ds_buf row;      /* a spilled document read back */
    ds_buf row_meta; /* what is beside it */
    ds__spill spill; /* documents of groups that found no room */
    ds__spill from;  /* the file being read in this pass */
    /* plain */
    ds__fields fields; /* of _id and the accumulators' inputs, where they are just fields */
    int id_at;         /* of _id among them, or -1 */
    size_t entry_size;
    size_t table_size;
    size_t count;
    size_t cap;
    size_t bytes;
    size_t checked; /* bytes of which the limits are known to be kept */
    size_t at;
    uint64_t from_at;
    bool loaded;
    bool full;
    bool pushed;
} group;

static inline void *state_of(const group_entry *e, const ds__accumulator *acc) {
    return (char *)(uintptr_t)e + acc->offset;
}

static bool grow_table(group *g, ds_error *err) {
    size_t size = g->table_size ? g->table_size * 2 : 256;
    size_t cap = size / 2;
    ds_meter *kept = g->stage.env->kept;
    group_entry **table = ds_meter_alloc(kept, size * sizeof *table);
    group_entry **entries =
        table ? ds_meter_realloc(kept, g->entries, g->cap * sizeof *entries, cap * sizeof *entries)
              : NULL;
    if (!entries) {
        ds_meter_free(kept, table, size * sizeof *table);
        return ds__error_oom(err);
    }
    g->entries = entries;
    g->cap = cap;
    for (size_t i = 0; i < g->count; i++) {
        size_t at = entries[i]->hash & (size - 1);
        while (table[at]) {
            at = (at + 1) & (size - 1);
        }
        table[at] = entries[i];
    }
    ds_meter_free(kept, g->table, g->table_size * sizeof *table);
    g->table = table;
    g->table_size = size;
    return true;
}

/* Equality of ids, quick for the common kinds. Pointers: a copy of a value just read waits for it.
 */
static inline bool same_id(const ds_value *a, const ds_value *b, const ds__collator *collator) {
    if (a->type == b->type && !collator) {
        switch (a->type) {
        case DS_STRING:
            return a->size == b->size && memcmp(a->as.bytes, b->as.bytes, a->size) == 0;
        case DS_INT32:
            return a->as.i32 == b->as.i32;
        case DS_NULL:
            return true;
        default:
            break;
        }
    }
    return ds__value_equal(*a, *b, collator);
}

static inline uint64_t hash_id(ds_value id, const ds__collator *collator) {
    if (id.type == DS_STRING && !collator) {
        return ds__hash_bytes(id.as.bytes, id.size, DS_STRING);
    }
    return ds__value_hash(id, collator, 0);
}

/* Where a group stands whose id has been seen in the same bytes, which need not be compared field
 * by field then. NULL: it is not looked for. */
static group_entry **recent_of(group *g, ds_value id) {
    if (id.type != DS_DOCUMENT || g->stage.env->collator) {
        return NULL;
    }
    if (!g->recent) {
        g->recent = ds_meter_alloc(g->stage.env->kept, RECENT * sizeof *g->recent);
    }
    return g->recent ? &g->recent[ds__hash_bytes(id.as.bytes, id.size, 0) & (RECENT - 1)] : NULL;
}

static inline bool same_bytes(ds_value id, const group_entry *e) {
    return e->id.type == id.type && e->id.size == id.size &&
           memcmp(e->id.as.bytes, id.as.bytes, id.size) == 0;
}

static bool init_states(group *g, group_entry *e, ds_error *err) {
    for (size_t i = 0; i < g->acc_count; i++) {
        const ds__accumulator *acc = &g->accs[i];
        if (acc->def->init && !acc->def->init(acc, state_of(e, acc), g->stage.eval, e->id, err)) {
            return false;
        }
    }
    return true;
}

/* The group of `id`, made if there is room; NULL with *spill when there is not. */
static group_entry *search_group(group *g, ds_value id, bool *spill, ds_error *err) {
    const ds__collator *collator = g->stage.env->collator;
    uint64_t hash = hash_id(id, collator);
    *spill = false;
    if (g->count >= g->cap && !grow_table(g, err)) {
        return NULL;
    }
    size_t at = hash & (g->table_size - 1);
    for (; g->table[at]; at = (at + 1) & (g->table_size - 1)) {
        group_entry *e = g->table[at];
        if (e->hash == hash && same_id(&id, &e->id, collator)) {
            return e;
        }
    }
    if (g->full) {
        *spill = true;
        return NULL;
    }
    size_t before = g->arena.used;
    group_entry *e = ds_arena_zalloc(&g->arena, g->entry_size);
    if (!e || !ds__value_copy(&g->arena, id, &e->id)) {
        ds__error_oom(err);
        return NULL;
    }
    e->hash = hash;
    g->table[at] = e;
    g->entries[g->count++] = e;
    g->bytes += g->arena.used - before;
    return init_states(g, e, err) ? e : NULL;
}

static group_entry *find_group(group *g, ds_value id, bool *spill, ds_error *err) {
    group_entry **recent = recent_of(g, id);
    if (recent && *recent && same_bytes(id, *recent)) {
        return *recent;
    }
    group_entry *e = search_group(g, id, spill, err);
    if (recent && e && same_bytes(id, e)) {
        *recent = e;
    }
    return e;
}

static bool spill_document(group *g, ds_value doc, ds_error *err) {
    if (g->spill.fd < 0 && !ds__spill_open(&g->spill, err)) {
        return false;
    }
    ds_buf_reset(&g->row_meta);
    ds__stage_pack_meta(&g->stage, &g->row_meta);
    return ds__spill_write(&g->spill, doc.as.bytes, doc.size, err) &&
           ds_buf_ok(&g->row_meta, err) &&
           ds__spill_write(&g->spill, g->row_meta.data, g->row_meta.size, err);
}

static bool check_memory(group *g, ds_error *err) {
    if (g->bytes == g->checked) {
        return true;
    }
    g->checked = g->bytes;
    const bool disk = g->stage.pipeline->allow_disk;
    const bool pressed = disk && ds__env_is_pressed(g->stage.env, g->bytes);
    if (g->full || (g->bytes <= g->stage.pipeline->memory && !pressed)) {
        return true;
    }
    if (!disk) {
        return ds__error_set(err, DS_QUERY_EXCEEDED_MEMORY,
                             "Exceeded memory limit for $group, but didn't allow external sort. "
                             "Pass allowDiskUse:true to opt in.");
    }
    g->full = true;
    return true;
}

/* The lower bound of the bucket `*id` falls into, or the default. */
static bool find_bucket(const group *g, ds_value *id, ds_error *err) {
    const ds__buckets *b = g->buckets;
    size_t lo = 0, hi = b->count; /* bounds at or below the value */
    while (lo < hi) {
        size_t mid = (lo + hi) / 2;
        if (ds__value_compare(b->bounds[mid], *id, g->stage.env->collator) <= 0) {
            lo = mid + 1;
        } else {
            hi = mid;
        }
    }
    if (lo > 0 && lo < b->count) {
        *id = b->bounds[lo - 1];
    } else if (b->fallback.type != DS_MISSING) {
        *id = b->fallback;
    } else {
        return ds__error_set(err, g->pushed ? 4934200 : 40066,
                             "$switch could not find a matching branch for an input, and no "
                             "default was specified.");
    }
    return true;
}

/* The value of _id for the document in eval->slots[DS_VAR_ROOT], whose fields are read. */
static bool find_id(group *g, ds_value *id, ds_error *err) {
    if (g->id_constant) {
        *id = *g->id_constant;
    } else if (g->id_at >= 0) {
        *id = g->fields.values[g->id_at];
    } else if (!ds__expr_eval(g->id, g->stage.eval, id, err)) {
        return false;
    }
    if (g->buckets && !find_bucket(g, id, err)) {
        return false;
    }
    if (id->type == DS_MISSING || id->type == DS_UNDEFINED) {
        *id = ds__null();
    }
    return true;
}

static bool feed(group *g, ds_value doc, ds_error *err) {
    ds__eval *eval = g->stage.eval;
    ds__fields_read(&g->fields, doc);
    eval->slots[DS_VAR_ROOT] = doc;
    group_entry *e = g->sole;
    if (!e) {
        ds_value id = ds__missing();
        bool spill = false;
        if (!find_id(g, &id, err)) {
            return false;
        }
        e = find_group(g, id, &spill, err);
        if (!e) {
            return spill && spill_document(g, doc, err);
        }
        g->sole = g->id_constant && !g->buckets ? e : NULL;
        eval->slots[DS_VAR_ROOT] = doc;
    }
    for (size_t i = 0; i < g->acc_count; i++) {
        const ds__accumulator *acc = &g->accs[i];
        void *state = state_of(e, acc);
        if (acc->field_at >= 0
                ? !acc->def->add(acc, state, g->fields.values[acc->field_at], eval, &g->bytes, err)
                : !ds__accumulator_feed(acc, state, eval, &g->bytes, err)) {
            return false;
        }
    }
    return check_memory(g, err);
}

/* The file's next document. */
static bool read_spilled(group *g, ds_buf *out, ds_value *doc, ds_error *err) {
    int32_t size;
    if (!ds__spill_read(&g->from, g->from_at, &size, sizeof size, err)) {
        return false;
    }
    ds_buf_reset(out);
    uint8_t *p = ds_buf_reserve(out, (size_t)size);
    if (!p) {
        return ds__error_oom(err);
    }
    if (!ds__spill_read(&g->from, g->from_at, p, (size_t)size, err)) {
        return false;
    }
    g->from_at += (uint64_t)size;
    *doc = ds__document(p);
    return true;
}

/* The next document of this pass: the source's, later the file's. */
static ds_next next_input(group *g, ds_value *doc, ds_error *err) {
    if (g->from.fd < 0) {
        return ds__stage_pull(&g->stage, doc, err);
    }
    if (!ds__stage_tick(&g->stage, err)) {
        return DS_NEXT_ERROR;
    }
    if (g->from_at >= g->from.size) {
        return DS_NEXT_END;
    }
    if (!read_spilled(g, &g->row, doc, err)) {
        return DS_NEXT_ERROR;
    }
    if (g->stage.pipeline->has_meta) {
        ds_value packed;
        if (!read_spilled(g, &g->row_meta, &packed, err)) {
            return DS_NEXT_ERROR;
        }
        ds__stage_unpack_meta(&g->stage, packed);
    }
    return DS_NEXT_ROW;
}

static bool load(group *g, ds_error *err) {
    ds_arena *scratch = g->stage.eval->scratch;
    for (;;) {
        ds_value doc;
        ds_next next = next_input(g, &doc, err);
        if (next == DS_NEXT_END) {
            g->loaded = true;
            return true;
        }
        if (next != DS_NEXT_ROW) {
            return false;
        }
        ds_arena_mark mark = ds_arena_save(scratch);
        bool ok = feed(g, doc, err);
        ds_arena_restore(scratch, mark);
        if (!ok) {
            return false;
        }
    }
}

static void forget_groups(group *g) {
    for (size_t i = 0; i < g->count; i++) {
        for (size_t a = 0; a < g->acc_count; a++) {
            if (g->accs[a].def->clear) {
                g->accs[a].def->clear(&g->accs[a], state_of(g->entries[i], &g->accs[a]));
            }
        }
    }
    ds_arena_clear(&g->arena);
    ds_meter_free(g->stage.env->kept, g->table, g->table_size * sizeof *g->table);
    ds_meter_free(g->stage.env->kept, g->entries, g->cap * sizeof *g->entries);
    ds_meter_free(g->stage.env->kept, g->recent, RECENT * sizeof *g->recent);
    g->table = g->entries = g->recent = NULL;
    g->sole = NULL;
    g->table_size = g->count = g->cap = g->bytes = g->checked = g->at = 0;
    g->full = false;
    g->loaded = false;
}

static bool emit(group *g, const group_entry *e, ds_value *doc, ds_error *err) {
    ds_arena *scratch = g->stage.eval->scratch;
    ds_arena_mark mark = ds_arena_save(scratch);
    bool ok = true;
    ds_buf_reset(&g->out);
    size_t root = ds__doc_begin(&g->out);
    ds__write_value(&g->out, "_id", 3, e->id);
    for (size_t i = 0; ok && i < g->acc_count; i++) {
        const ds__accumulator *acc = &g->accs[i];
        ds_value v = ds__missing();
        ok = acc->def->result(acc, state_of(e, acc), scratch, &v, err);
        ds__write_value(&g->out, acc->field, acc->field_size,
                        v.type == DS_MISSING ? ds__null() : v);
    }
    ds__doc_end(&g->out, root);
    ds_arena_restore(scratch, mark);
    if (!ok || !ds_buf_ok(&g->out, err)) {
        return false;
    }
    *doc = ds__document(g->out.data);
    return true;
}

static ds_next group_next(ds__stage *stage, ds_value *doc, ds_error *err) {
    group *g = (group *)stage;
    for (;;) {
        if (!g->loaded && !load(g, err)) {
            return DS_NEXT_ERROR;
        }
        ds__stage_forget_meta(stage);
        if (g->at < g->count) {
            return emit(g, g->entries[g->at++], doc, err) ? DS_NEXT_ROW : DS_NEXT_ERROR;
        }
        if (g->spill.fd < 0) {
            return DS_NEXT_END;
        }
        if (!ds__spill_flush(&g->spill, err)) {
            return DS_NEXT_ERROR;
        }
        forget_groups(g);
        ds__spill_close(&g->from);
        g->from = g->spill;
        g->from_at = 0;
        g->spill = (ds__spill){.fd = -1};
    }
}

static bool group_start(ds__stage *stage, ds_error *err) {
    group *g = (group *)stage;
    g->spill.fd = g->from.fd = -1;
    return true;
}

static void group_stop(ds__stage *stage) {
    group *g = (group *)stage;
    forget_groups(g);
    ds_buf_clear(&g->out);
    ds_buf_clear(&g->row);
    ds_buf_clear(&g->row_meta);
    ds__spill_close(&g->spill);
    ds__spill_close(&g->from);
}

static const ds__stage_ops group_ops = {
    .name = "$group",
    .start = group_start,
    .next = group_next,
    .stop = group_stop,
};

bool ds__group_reads(const ds__stage *stage, ds__add_path_fn add, void *ctx) {
    const group *g = (const group *)stage;
    if (stage->ops != &group_ops) {
        return false;
    }
    ds__expr_dependencies(g->id, add, ctx);
    for (size_t i = 0; i < g->acc_count; i++) {
        ds__accumulator_dependencies(&g->accs[i], add, ctx);
    }
    return true;
}

static bool parse_fields(ds__stage_parser *p, group *g, ds_value arg, ds_error *err) {
    ds__iter it;
    ds__iter_init(&it, arg);
    while (ds__iter_next(&it)) {
        if (it.key_size == 3 && memcmp(it.key, "_id", 3) == 0) {
            if (g->id) {
                return ds__error_set(err, 15948, "a group's _id may only be specified once");
            }
            if (!ds__expr_compile(p->env, p->scope, it.value, &g->id, err)) {
                return false;
            }
            continue;
        }
        ds__accumulator *acc = &g->accs[g->acc_count];
        if (!ds__accumulator_compile(p->env, p->scope, it.key, it.key_size, it.value, acc, err)) {
            return false;
        }
        acc->offset = g->entry_size;
        g->entry_size += (acc->def->state_size + 15) & ~(size_t)15;
        g->acc_count++;
    }
    if (!g->id) {
        return ds__error_set(err, 15955, "a group specification must include an _id");
    }
    return true;
}

/* A group whose documents come from the collection through nothing but filters, sorts and slices.
 */
static void mark_pushed(group *g) {
    bool pushed = true;
    for (const ds__stage *s = g->stage.prev; s->prev; s = s->prev) {
        ds__stage_kind kind = s->ops->kind;
        pushed = pushed && (kind == DS_STAGE_MATCH || kind == DS_STAGE_SORT ||
                            kind == DS_STAGE_SKIP || kind == DS_STAGE_LIMIT);
    }
    for (size_t i = 0; i < g->acc_count; i++) {
        pushed = pushed && !g->accs[i].def->init;
    }
    g->pushed = pushed;
    for (size_t i = 0; i < g->acc_count; i++) {
        g->accs[i].pushed = pushed && !(g->id_constant && g->accs[i].constant);
    }
}

bool ds__stage_parse_group(ds__stage_parser *p, ds_value arg, ds_error *err) {
    if (arg.type != DS_DOCUMENT) {
        return ds__error_set(err, 15947, "a group's fields must be specified in an object");
    }
    group *g = ds__stage_add(p, sizeof *g, &group_ops, err);
    if (!g) {
        return false;
    }
    g->arena.meter = p->env->kept;
    g->out.meter = g->row.meter = p->env->meter;
    g->accs = ds_arena_zalloc(p->env->arena, ds__doc_count(arg) * sizeof *g->accs + 1);
    if (!g->accs) {
        return ds__error_oom(err);
    }
    g->entry_size = (sizeof(group_entry) + 15) & ~(size_t)15;
    if (!parse_fields(p, g, arg, err)) {
        return false;
    }
    g->id_constant = ds__expr_constant(g->id);
    const ds__path *path = ds__expr_field_path(g->id);
    g->id_at = path ? ds__fields_add(&g->fields, path) : -1;
    for (size_t i = 0; i < g->acc_count; i++) {
        ds__accumulator *acc = &g->accs[i];
        acc->field_at = acc->path ? ds__fields_add(&g->fields, acc->path) : -1;
    }
    mark_pushed(g);
    return true;
}

bool ds__stage_add_buckets(ds__stage_parser *p, ds_value arg, const ds__buckets *buckets,
                           ds_error *err) {
    if (!ds__stage_parse_group(p, arg, err)) {
        return false;
    }
    group *g = (group *)p->pipeline->last;
    g->buckets = buckets;
    return true;
}

bool ds__stage_parse_count(ds__stage_parser *p, ds_value arg, ds_error *err) {
    if (arg.type != DS_STRING) {
        return ds__error_set(err, 40156, "the count field must be a non-empty string");
    }
    if (arg.size == 0) {
        return ds__error_set(err, 40157, "the count field must be a non-empty string");
    }
    const char *name = ds__text(arg);
    if (name[0] == '$') {
        return ds__error_set(err, 40158, "the count field cannot be a $-prefixed path");
    }
    if (memchr(name, 0, arg.size)) {
        return ds__error_set(err, 40159, "the count field cannot contain a null byte");
    }
    if (memchr(name, '.', arg.size)) {
        return ds__error_set(err, 40160, "the count field cannot contain '.'");
    }
    if (arg.size == 3 && memcmp(name, "_id", 3) == 0) {
        return ds__error_set(err, 15948, "a group's _id may only be specified once");
    }
    ds_buf buf = {0};
    size_t root = ds__doc_begin(&buf);
    size_t group_doc = ds__write_doc(&buf, "$group", 6, DS_DOCUMENT);
    ds__write_value(&buf, "_id", 3, ds__null());
    size_t sum = ds__write_doc(&buf, name, arg.size, DS_DOCUMENT);
    ds__write_int32(&buf, "$sum", 1);
    ds__doc_end(&buf, sum);
    ds__doc_end(&buf, group_doc);
    ds__doc_end(&buf, root);
    if (!ds__stage_add_built(p, &buf, ds__stage_parse_group, err)) {
        return false;
    }
    root = ds__doc_begin(&buf);
    size_t project = ds__write_doc(&buf, "$project", 8, DS_DOCUMENT);
    ds__write_bool(&buf, "_id", false);
    ds__write_value(&buf, name, arg.size, ds__bool(true));
    ds__doc_end(&buf, project);
    ds__doc_end(&buf, root);
    return ds__stage_add_built(p, &buf, ds__stage_parse_project, err);
}

bool ds__stage_parse_sort_by_count(ds__stage_parser *p, ds_value arg, ds_error *err) {
    if (arg.type == DS_DOCUMENT) {
        if (ds__doc_empty(arg) || arg.as.bytes[5] != '$') {
            return ds__error_set(err, 40147,
                                 "the sortByCount field must be defined as a $-prefixed path or an "
                                 "expression inside an object");
        }
    } else if (arg.type != DS_STRING) {
        return ds__error_set(err, 40149,
                             "the sortByCount field must be specified as a string or "
                             "as an object");
    } else if (arg.size == 0 || ds__text(arg)[0] != '$') {
        return ds__error_set(err, 40148,
                             "the sortByCount field must be defined as a $-prefixed path or an "
                             "expression inside an object");
    }
    ds_buf buf = {0};
    size_t root = ds__doc_begin(&buf);
    size_t group_doc = ds__write_doc(&buf, "$group", 6, DS_DOCUMENT);
    ds__write_value(&buf, "_id", 3, arg);
    size_t count = ds__write_doc(&buf, "count", 5, DS_DOCUMENT);
    ds__write_int32(&buf, "$sum", 1);
    ds__doc_end(&buf, count);
    ds__doc_end(&buf, group_doc);
    ds__doc_end(&buf, root);
    if (!ds__stage_add_built(p, &buf, ds__stage_parse_group, err)) {
        return false;
    }
    root = ds__doc_begin(&buf);
    size_t sort = ds__write_doc(&buf, "$sort", 5, DS_DOCUMENT);
    ds__write_int32(&buf, "count", -1);
    ds__doc_end(&buf, sort);
    ds__doc_end(&buf, root);
    return ds__stage_add_built(p, &buf, ds__stage_parse_sort, err);
}
