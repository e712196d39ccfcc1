/* SPDX-License-Identifier: Apache-2.0 */
/* $lookup: another collection's documents as an array. Equality, of localField or in the pipeline's
 * leading {$expr: {$eq: ["$field", "$$variable"]}}, becomes a filter the engine has an index for,
 * or is answered from a hash table made once. */
#include "base/map.h"
#include "lang/pipeline/join.h"
#include "lang/pipeline/stages.h"

typedef struct lookup_let {
    ds__expr *expr;
    uint32_t slot;
} lookup_let;

typedef struct lookup {
    ds__stage stage;
    /* borrowed */
    const char *from; /* NULL: the pipeline makes its own documents */
    ds__path as;
    ds__path local;       /* count 0: none */
    ds__path foreign;     /* count 0: nothing to join on */
    ds__expr *join_value; /* correlated equality in the pipeline */
    ds__pipeline *pipeline;
    ds_value filter_spec; /* what of the pipeline's leading $match the host may answer */
    lookup_let *lets;
    size_t let_count;
    /* owned while running */
    ds_arena arena; /* one input document's filter */
    ds_buf out;
    ds_buf array; /* the results */
    ds_buf values;
    ds__join join;
    ds_map places; /* of values joined on, as the bytes of their array: a place in `kept`, plus 1 */
    ds_buf kept;   /* what they found: a size_t and as many bytes of elements, one by one */
    /* plain */
    uint64_t inputs;
    bool join_in;  /* join_value gives an array: {$in: …} */
    bool constant; /* gives the same for every input */
    bool joined;
    bool no_join;
    bool cached;
    bool repeats; /* equal values find the same */
} lookup;

enum { MAX_KEPT = 16 << 20 };

/* The documents the hash table found and the filter confirms. */
typedef struct join_source {
    ds__source base;
    lookup *l;
    const ds__filter *filter;
    size_t at;
} join_source;

static ds_next join_next(ds__source *self, ds_value *doc, ds_error *err) {
    join_source *s = (join_source *)self;
    lookup *l = s->l;
    while (s->at < l->join.found_count) {
        bool matched;
        *doc = ds__document(l->join.docs.bytes.data + l->join.found[s->at++]);
        if (!ds__filter_match(s->filter, *doc, l->stage.eval, &matched, NULL, err)) {
            return DS_NEXT_ERROR;
        }
        if (matched) {
            return DS_NEXT_ROW;
        }
    }
    return DS_NEXT_END;
}

/* Whether an expression's equality with `v` finds no more than a filter's does. */
static bool filterable(ds_value v) {
    return !ds__is_nullish(v) && v.type != DS_ARRAY && v.type != DS_REGEX;
}

/* l->values becomes the array of values to join on; *usable false when they cannot be a filter. */
static bool join_values(lookup *l, ds_value doc, bool *usable, ds_error *err) {
    size_t count = 0;
    ds_buf_reset(&l->values);
    size_t root = ds__doc_begin(&l->values);
    *usable = l->foreign.count > 0;
    if (l->local.count > 0) {
        ds__path_values(doc, &l->local, 0, false, false, &l->values, &count);
        if (count == 0) {
            ds__write_index(&l->values, 0, ds__null());
        }
    } else if (l->join_value) {
        ds_value v = ds__missing();
        if (!ds__stage_eval(&l->stage, l->join_value, doc, &v, err)) {
            return false;
        }
        if (l->join_in && v.type == DS_ARRAY) {
            ds__iter it;
            for (ds__iter_init(&it, v); ds__iter_next(&it);) {
                *usable = *usable && filterable(it.value);
            }
            ds__write_elements(&l->values, v);
        } else {
            *usable = *usable && !l->join_in && filterable(v);
            ds__write_index(&l->values, 0, v);
        }
    }
    ds__doc_end(&l->values, root);
    return ds_buf_ok(&l->values, err);
}

/* {foreign: {$in: values}}, or an $or of equalities when there are regular expressions. */
static void write_join(const lookup *l, ds_buf *buf) {
    ds_value values = ds__array(l->values.data);
    bool regex = false;
    ds__iter it;
    for (ds__iter_init(&it, values); ds__iter_next(&it);) {
        regex = regex || it.value.type == DS_REGEX;
    }
    if (!regex) {
        bool one = ds__doc_count(values) == 1;
        size_t in = ds__write_doc(buf, l->foreign.text, l->foreign.size, DS_DOCUMENT);
        if (one) {
            ds__write_value(buf, "$eq", 3, ds__array_at(values, 0));
        } else {
            ds__write_value(buf, "$in", 3, values);
        }
        ds__doc_end(buf, in);
        return;
    }
    size_t or_list = ds__write_doc(buf, "$or", 3, DS_ARRAY);
    size_t i = 0;
    for (ds__iter_init(&it, values); ds__iter_next(&it);) {
        size_t branch = ds__write_index_doc(buf, i++, DS_DOCUMENT);
        size_t eq = ds__write_doc(buf, l->foreign.text, l->foreign.size, DS_DOCUMENT);
        ds__write_value(buf, "$eq", 3, it.value);
        ds__doc_end(buf, eq);
        ds__doc_end(buf, branch);
    }
    ds__doc_end(buf, or_list);
}

/* The filter for the host: the join, what can be said of the pipeline's $match, both or neither. */
static bool host_filter(lookup *l, ds__env *env, bool join, ds__filter **out, ds_error *err) {
    ds_buf buf = {0};
    ds_value spec = ds__missing();
    bool both = join && l->filter_spec.type == DS_DOCUMENT;
    *out = NULL;
    if (!join && l->filter_spec.type != DS_DOCUMENT) {
        return true;
    }
    size_t root = ds__doc_begin(&buf);
    if (join) {
        write_join(l, &buf);
    }
    if (both) {
        size_t list = ds__write_doc(&buf, "$and", 4, DS_ARRAY);
        ds__write_index(&buf, 0, l->filter_spec);
        ds__doc_end(&buf, list);
    } else if (!join) {
        ds__write_elements(&buf, l->filter_spec);
    }
    ds__doc_end(&buf, root);
    bool ok = ds_buf_ok(&buf, err);
    if (ok && !ds__buf_to_value(env->arena, &buf, DS_DOCUMENT, &spec)) {
        ok = ds__error_oom(err);
    }
    ds_buf_clear(&buf);
    return ok && ds__filter_compile(env, spec, NULL, out, err);
}

/* Makes the hash table once it pays: no index helps and this is not the only input. */
static bool prepare_join(lookup *l, ds_error *err) {
    const ds__pipeline_host *host = l->stage.env->pipeline_host;
    ds__env env = *l->stage.env;
    ds__source *source = NULL;
    ds__filter *filter = NULL;
    if (l->joined || l->no_join || l->inputs < 2) {
        return true;
    }
    if (host->indexed && host->indexed(host, host->db, l->from, l->foreign.text)) {
        l->no_join = true;
        return true;
    }
    env.arena = &l->arena;
    if (!host_filter(l, &env, false, &filter, err) ||
        !host->open(host, &env, host->db, l->from, filter, &source, err)) {
        return false;
    }
    bool ok = ds__join_load(&l->join, source, &l->foreign, &l->stage, &l->no_join, err);
    source->close(source);
    l->joined = ok && !l->no_join;
    return ok;
}

static bool collect(lookup *l, ds__source *source, ds_error *err) {
    size_t count = 0;
    if (l->pipeline) {
        return ds__pipeline_collect(l->pipeline, source, l->stage.eval, &l->array, &count, err);
    }
    ds_next next;
    ds_value doc;
    while ((next = source->next(source, &doc, err)) == DS_NEXT_ROW) {
        ds__write_index(&l->array, count++, doc);
        if (l->array.size > DS_MAX_GROUP_BYTES) {
            ds__error_set(err, 4568,
                          "Total size of documents in %s matching pipeline's $lookup "
                          "stage exceeds %d bytes",
                          l->from, DS_MAX_GROUP_BYTES);
            next = DS_NEXT_ERROR;
            break;
        }
    }
    if (source->close) {
        source->close(source);
    }
    return next == DS_NEXT_END && ds_buf_ok(&l->array, err);
}

/* Writes what the values have found before; false if that is not known. */
static bool recall(lookup *l) {
    const uintptr_t place = (uintptr_t)ds_map_get(&l->places, l->values.data, l->values.size);
    if (place == 0) {
        return false;
    }
    size_t size;
    const uint8_t *p = l->kept.data + place - 1;
    memcpy(&size, p, sizeof size);
    ds_buf_add(&l->array, p + sizeof size, size);
    return true;
}

/* Keeps what the values have found, the elements of l->array, if there is room. */
static void keep(lookup *l) {
    const size_t head = 4; /* of the array that is open */
    const size_t size = l->array.size - head;
    const size_t held = l->kept.size + sizeof size + size;
    if (held > MAX_KEPT || ds__env_is_pressed(l->stage.env, held)) {
        return;
    }
    void *place = (void *)(uintptr_t)(l->kept.size + 1);
    ds_buf_add(&l->kept, &size, sizeof size);
    ds_buf_add(&l->kept, l->array.data + head, size);
    if (l->kept.failed || !ds_map_set(&l->places, l->values.data, l->values.size, place, NULL)) {
        l->repeats = false;
    }
}

/* Fills l->array with the results for `doc`. */
static bool find_matches(lookup *l, ds_value doc, ds_error *err) {
    ds__env env = *l->stage.env;
    const ds__pipeline_host *host = env.pipeline_host;
    bool join = false;
    ds__filter *filter = NULL;
    ds__source *source = NULL;
    if (!l->from) {
        return collect(l, NULL, err);
    }
    if (!host) {
        return ds__error_set(err, DS_INVALID_OPTIONS, "$lookup may not be used here");
    }
    env.arena = &l->arena;
    if (!join_values(l, doc, &join, err)) {
        return false;
    }
    if (l->repeats && recall(l)) {
        return true;
    }
    if ((join && !prepare_join(l, err)) || !host_filter(l, &env, join, &filter, err)) {
        return false;
    }
    bool ok;
    if (join && l->joined) {
        join_source from_hash = {.base = {.next = join_next}, .l = l, .filter = filter};
        ok = ds__join_find(&l->join, ds__array(l->values.data), env.collator, err) &&
             collect(l, &from_hash.base, err);
    } else {
        ok = host->open(host, &env, host->db, l->from, filter, &source, err) &&
             collect(l, source, err);
    }
    if (ok && l->repeats) {
        keep(l);
    }
    return ok;
}

/* Binds the variables of `let` to their values on `doc`, copied for as long as the input lasts. */
static bool bind_lets(lookup *l, ds_value doc, ds_error *err) {
    for (size_t i = 0; i < l->let_count; i++) {
        ds_value v = ds__missing();
        if (!ds__stage_eval(&l->stage, l->lets[i].expr, doc, &v, err)) {
            return false;
        }
        if (!ds__value_copy(&l->arena, v, &v)) {
            return ds__error_oom(err);
        }
        l->stage.eval->slots[l->lets[i].slot] = v;
    }
    return true;
}

static ds_next lookup_next(ds__stage *stage, ds_value *doc, ds_error *err) {
    lookup *l = (lookup *)stage;
    ds_next next = ds__stage_pull(stage, doc, err);
    if (next != DS_NEXT_ROW) {
        return next;
    }
    l->inputs++;
    if (!l->cached) {
        ds_arena_mark mark = ds_arena_save(stage->eval->scratch);
        ds_arena_reset(&l->arena);
        ds_buf_reset(&l->array);
        size_t root = ds__doc_begin(&l->array);
        bool ok = bind_lets(l, *doc, err) && find_matches(l, *doc, err);
        ds__doc_end(&l->array, root);
        ds_arena_restore(stage->eval->scratch, mark);
        if (!ok || !ds_buf_ok(&l->array, err)) {
            return DS_NEXT_ERROR;
        }
        l->cached = l->constant;
    }
    ds_buf_reset(&l->out);
    ds__stage_write_with(&l->out, *doc, &l->as, ds__array(l->array.data));
    if (!ds_buf_ok(&l->out, err)) {
        return DS_NEXT_ERROR;
    }
    *doc = ds__document(l->out.data);
    return DS_NEXT_ROW;
}

static void lookup_stop(ds__stage *stage) {
    lookup *l = (lookup *)stage;
    if (l->pipeline) {
        ds__pipeline_close(l->pipeline);
    }
    ds_arena_clear(&l->arena);
    ds_buf_clear(&l->out);
    ds_buf_clear(&l->array);
    ds_buf_clear(&l->values);
    ds__join_clear(&l->join);
    ds_map_clear(&l->places);
    ds_buf_clear(&l->kept);
    l->inputs = 0;
    l->joined = l->no_join = l->cached = false;
}

static bool lookup_keeps_path(const ds__stage *stage, const ds__path *path) {
    return !ds__paths_overlap(&((const lookup *)stage)->as, path);
}

static const ds__stage_ops lookup_ops = {
    .name = "$lookup",
    .next = lookup_next,
    .stop = lookup_stop,
    .keeps_path = lookup_keeps_path,
};

typedef struct lookup_spec {
    ds_value from, local, foreign, as, let, pipeline;
} lookup_spec;

static bool read_spec(ds_value arg, lookup_spec *s, ds_error *err) {
    char text[DS_MAX_QUOTED];
    ds__iter it;
    for (ds__iter_init(&it, arg); ds__iter_next(&it);) {
        ds_value v = it.value;
        if (strcmp(it.key, "pipeline") == 0) {
            if (v.type != DS_ARRAY) {
                return ds__error_set(err, DS_TYPE_MISMATCH,
                                     "'pipeline' option must be specified as an array");
            }
            s->pipeline = v;
            continue;
        }
        if (strcmp(it.key, "let") == 0) {
            if (v.type != DS_DOCUMENT) {
                return ds__error_set(err, DS_FAILED_TO_PARSE,
                                     "$lookup argument 'let: %s' must be an object, is type %s",
                                     ds__value_quote(v, text, sizeof text), ds__type_name(v.type));
            }
            s->let = v;
            continue;
        }
        if (v.type != DS_STRING) {
            return ds__error_set(
                err, DS_FAILED_TO_PARSE, "$lookup argument '%s' must be a string, found %s: %s: %s",
                it.key, it.key, ds__value_quote(v, text, sizeof text), ds__type_name(v.type));
        }
        if (strcmp(it.key, "from") == 0) {
            s->from = v;
        } else if (strcmp(it.key, "localField") == 0) {
            s->local = v;
        } else if (strcmp(it.key, "foreignField") == 0) {
            s->foreign = v;
        } else if (strcmp(it.key, "as") == 0) {
            s->as = v;
        } else {
            return ds__error_set(err, DS_FAILED_TO_PARSE, "unknown argument to $lookup: %s",
                                 it.key);
        }
    }
    return true;
}

static bool given(ds_value v) {
    return v.type != DS_MISSING && !(v.type == DS_STRING && v.size == 0);
}

static bool check_spec(const lookup_spec *s, ds_error *err) {
    if (!given(s->as)) {
        return ds__error_set(err, DS_FAILED_TO_PARSE, "must specify 'as' field for a $lookup");
    }
    if (given(s->pipeline)) {
        if (given(s->local) != given(s->foreign)) {
            return ds__error_set(err, DS_FAILED_TO_PARSE,
                                 "$lookup requires both or neither of 'localField' and "
                                 "'foreignField' to be specified");
        }
        return true;
    }
    if (!given(s->from)) {
        return ds__error_set(err, DS_FAILED_TO_PARSE,
                             "must specify 'pipeline' when 'from' is empty");
    }
    if (!given(s->local) || !given(s->foreign)) {
        return ds__error_set(err, DS_FAILED_TO_PARSE,
                             "$lookup requires either 'pipeline' or both 'localField' and "
                             "'foreignField' to be specified");
    }
    if (given(s->let)) {
        return ds__error_set(err, DS_FAILED_TO_PARSE,
                             "$lookup with a 'let' argument must also specify 'pipeline'");
    }
    return true;
}

/* A name users may give a variable. */
static bool check_variable(const char *name, size_t size, ds_error *err) {
    const unsigned char *p = (const unsigned char *)name;
    if (size == 0) {
        return ds__error_set(err, DS_FAILED_TO_PARSE, "empty variable names are not allowed");
    }
    if (!((p[0] >= 'a' && p[0] <= 'z') || p[0] >= 0x80) &&
        !(size == 7 && memcmp(name, "CURRENT", 7) == 0)) {
        return ds__error_set(err, DS_FAILED_TO_PARSE,
                             "'%s' starts with an invalid character for a user variable name",
                             name);
    }
    for (size_t i = 1; i < size; i++) {
        bool ok = (p[i] >= 'a' && p[i] <= 'z') || (p[i] >= 'A' && p[i] <= 'Z') ||
                  (p[i] >= '0' && p[i] <= '9') || p[i] == '_' || p[i] >= 0x80;
        if (!ok) {
            return ds__error_set(err, DS_FAILED_TO_PARSE,
                                 "'%s' contains an invalid character for a variable name: '%c'",
                                 name, p[i]);
        }
    }
    return true;
}

static bool parse_lets(ds__stage_parser *p, lookup *l, ds_value let, const ds__var_scope **scope,
                       ds_error *err) {
    l->lets = ds_arena_zalloc(p->env->arena, (ds__doc_count(let) + 1) * sizeof *l->lets);
    if (!l->lets) {
        return ds__error_oom(err);
    }
    ds__iter it;
    for (ds__iter_init(&it, let); ds__iter_next(&it);) {
        lookup_let *var = &l->lets[l->let_count++];
        if (!check_variable(it.key, it.key_size, err) ||
            !ds__expr_compile(p->env, p->scope, it.value, &var->expr, err)) {
            return false;
        }
        *scope = ds__scope_add(p->env, *scope, it.key, it.key_size, &var->slot);
        if (!*scope) {
            return ds__error_oom(err);
        }
    }
    return true;
}

static bool is_field(ds_value v) {
    return v.type == DS_STRING && v.size > 1 && ds__text(v)[0] == '$' && ds__text(v)[1] != '$';
}
static bool is_variable(ds_value v) {
    return v.type == DS_STRING && v.size > 2 && memcmp(v.as.bytes, "$$", 2) == 0 &&
           !(v.size >= 6 && memcmp(v.as.bytes, "$$ROOT", 6) == 0) &&
           !(v.size >= 9 && memcmp(v.as.bytes, "$$CURRENT", 9) == 0);
}

/* Looks for {$eq: ["$field", "$$v"]} or {$in: ["$field", "$$v"]}, alone or within $and. */
static bool find_correlation(lookup *l, ds_value expr, const ds__var_scope *scope, ds_error *err) {
    ds__iter it;
    if (l->foreign.count > 0 || expr.type != DS_DOCUMENT) {
        return true;
    }
    ds__iter_init(&it, expr);
    if (!ds__iter_next(&it) || it.value.type != DS_ARRAY) {
        return true;
    }
    if (strcmp(it.key, "$and") == 0) {
        ds__iter sub;
        for (ds__iter_init(&sub, it.value); ds__iter_next(&sub);) {
            if (!find_correlation(l, sub.value, scope, err)) {
                return false;
            }
        }
        return true;
    }
    bool eq = strcmp(it.key, "$eq") == 0;
    if ((!eq && strcmp(it.key, "$in") != 0) || ds__doc_count(it.value) != 2) {
        return true;
    }
    ds_value a = ds__array_at(it.value, 0), b = ds__array_at(it.value, 1);
    if (eq && is_field(b)) {
        ds_value t = a;
        a = b;
        b = t;
    }
    if (!is_field(a) || !is_variable(b)) {
        return true;
    }
    l->join_in = !eq;
    return ds__path_parse(l->stage.env->arena, ds__text(a) + 1, a.size - 1, &l->foreign)
               ? ds__expr_compile(l->stage.env, scope, b, &l->join_value, err)
               : ds__error_oom(err);
}

/* Whether a filter must be evaluated with our variables: the host cannot. */
static bool needs_variables(const ds__filter *filter) {
    if (filter->op == DS_FILTER_EXPR || filter->op == DS_FILTER_OTHER ||
        filter->op == DS_FILTER_JSON_SCHEMA) {
        return true;
    }
    for (size_t i = 0; i < filter->child_count; i++) {
        if (needs_variables(filter->children[i])) {
            return true;
        }
    }
    return false;
}

/* Studies the pipeline's leading $match: what of it the host may answer, and what joins. */
static bool study_match(lookup *l, const ds__var_scope *scope, ds_error *err) {
    ds__stage *first = l->pipeline->head.following;
    if (!l->from || !first || first->ops->kind != DS_STAGE_MATCH) {
        return true;
    }
    ds__iter it;
    ds__iter_init(&it, first->spec);
    ds__iter_next(&it);
    ds_value spec = it.value;
    if (!needs_variables(first->filter)) {
        l->filter_spec = spec;
        ds__stage_unlink(first);
        return true;
    }
    ds_buf rest = {0};
    size_t root = ds__doc_begin(&rest);
    for (ds__iter_init(&it, spec); ds__iter_next(&it);) {
        if (strcmp(it.key, "$expr") == 0) {
            if (!find_correlation(l, it.value, scope, err)) {
                ds_buf_clear(&rest);
                return false;
            }
        } else if (it.key[0] != '$') {
            ds_buf_add(&rest, it.element, it.element_size);
        }
    }
    ds__doc_end(&rest, root);
    bool ok = ds_buf_ok(&rest, err);
    if (ok && rest.size > 5 &&
        !ds__buf_to_value(l->stage.env->arena, &rest, DS_DOCUMENT, &l->filter_spec)) {
        ok = ds__error_oom(err);
    }
    ds_buf_clear(&rest);
    return ok;
}

static bool parse_pipeline(ds__stage_parser *p, lookup *l, const lookup_spec *s, ds_error *err) {
    const ds__var_scope *scope = p->scope;
    if (given(s->let) && !parse_lets(p, l, s->let, &scope, err)) {
        return false;
    }
    if (!ds__stage_compile_sub(p, s->pipeline, scope, false, &l->pipeline, err)) {
        return false;
    }
    bool own = ds__pipeline_has_own_source(l->pipeline);
    if (!l->from && !own) {
        return ds__error_set(err, DS_FAILED_TO_PARSE,
                             "$lookup stage without explicit collection must have a pipeline with "
                             "$documents as first stage");
    }
    if (own) {
        l->from = NULL;
    }
    const uint8_t *bytes = s->pipeline.as.bytes;
    const bool chance = memmem(bytes, s->pipeline.size, "$rand", 5) ||
                        memmem(bytes, s->pipeline.size, "$sample", 7);
    l->constant = l->local.count == 0 && l->let_count == 0 && !chance;
    l->repeats = l->local.count > 0 && l->let_count == 0 && !chance;
    return study_match(l, scope, err);
}

bool ds__stage_parse_lookup(ds__stage_parser *p, ds_value arg, ds_error *err) {
    lookup_spec s = {0};
    if (!ds__lookup_check_form(arg, err)) {
        return false;
    }
    lookup *l = ds__stage_add(p, sizeof *l, &lookup_ops, err);
    if (!l || !read_spec(arg, &s, err) || !check_spec(&s, err)) {
        return false;
    }
    ds_arena *arena = p->env->arena;
    l->arena.meter = l->out.meter = l->values.meter = p->env->meter;
    l->array.meter = l->join.docs.bytes.meter = l->places.meter = l->kept.meter = p->env->kept;
    l->filter_spec = ds__missing();
    if (!ds__stage_field_path(arena, ds__text(s.as), s.as.size, &l->as, err)) {
        return false;
    }
    if (given(s.local) &&
        (!ds__stage_field_path(arena, ds__text(s.local), s.local.size, &l->local, err) ||
         !ds__stage_field_path(arena, ds__text(s.foreign), s.foreign.size, &l->foreign, err))) {
        return false;
    }
    if (given(s.from)) {
        l->from = ds_arena_strndup(arena, ds__text(s.from), s.from.size);
        if (!l->from) {
            return ds__error_oom(err);
        }
    }
    l->repeats = l->local.count > 0;
    return s.pipeline.type == DS_MISSING || parse_pipeline(p, l, &s, err);
}
