/* SPDX-License-Identifier: Apache-2.0 */
/* Compiles an array of stage documents into a chain of stages. What a stage is called and how it is
 * parsed is the table's business. */
#include "lang/pipeline/internal.h"

#include "bson/validate.h"

void *ds__stage_add(ds__stage_parser *p, size_t size, const ds__stage_ops *ops, ds_error *err) {
    ds__stage *stage = ds_arena_zalloc(p->env->arena, size);
    if (!stage) {
        ds__error_oom(err);
        return NULL;
    }
    stage->ops = ops;
    stage->env = p->env;
    stage->pipeline = p->pipeline;
    stage->spec = p->spec;
    stage->prev = p->pipeline->last;
    stage->prev->following = stage;
    p->pipeline->last = stage;
    p->pipeline->count++;
    return stage;
}

bool ds__stage_add_built(ds__stage_parser *p, ds_buf *buf,
                         bool (*parse)(ds__stage_parser *p, ds_value arg, ds_error *err),
                         ds_error *err) {
    ds_value spec = ds__missing();
    bool ok = ds_buf_ok(buf, err);
    if (ok && !ds__buf_to_value(p->env->arena, buf, DS_DOCUMENT, &spec)) {
        ok = ds__error_oom(err);
    }
    ds_buf_clear(buf);
    if (!ok) {
        return false;
    }
    ds_value kept = p->spec;
    p->spec = spec;
    ds__iter it;
    ds__iter_init(&it, spec);
    ok = ds__iter_next(&it) && parse(p, it.value, err);
    p->spec = kept;
    return ok;
}

const ds__var_scope *ds__scope_add(ds__env *env, const ds__var_scope *parent, const char *name,
                                   size_t size, uint32_t *slot) {
    ds__var_scope *scope = ds_arena_zalloc(env->arena, sizeof *scope);
    char *copy = ds_arena_strndup(env->arena, name, size);
    if (!scope || !copy) {
        return NULL;
    }
    *slot = ds__env_new_slot(env);
    *scope =
        (ds__var_scope){.parent = parent, .name = copy, .name_size = (uint32_t)size, .slot = *slot};
    return scope;
}

bool ds__stage_integer(ds_value v, int64_t *out) {
    return ds__is_number(v) && ds__value_exact_int64(v, out);
}

static bool check_place(const ds__stage_parser *p, const ds__stage_def *def, ds_error *err) {
    const ds__pipeline_options *o = p->options;
    if (o->from_update && !def->in_update) {
        return ds__error_set(err, DS_INVALID_OPTIONS,
                             "%s is not allowed to be used within an update", def->name);
    }
    if (def->must_be_last && o->in_lookup) {
        return ds__error_set(err, 51047, "%s is not allowed within a $lookup's sub-pipeline",
                             def->name);
    }
    if (o->in_facet && (def->not_in_facet || def->must_be_first || def->must_be_last)) {
        return ds__error_set(err, 40600, "%s is not allowed to be used within a $facet stage",
                             def->name);
    }
    if (def->must_be_first && p->position > 0) {
        return ds__error_set(err, 40602, "%s is only valid as the first stage in a pipeline",
                             def->name);
    }
    if (def->must_be_last && !p->is_last) {
        return ds__error_set(err, 40601, "%s can only be the final stage in the pipeline",
                             def->name);
    }
    return true;
}

static bool parse_stage(ds__stage_parser *p, ds_value spec, ds_error *err) {
    ds__iter it;
    const ds__stage_def *def = ds__stage_read(spec, &it, err);
    if (!def) {
        return false;
    }
    p->spec = spec;
    const uint32_t before = p->env->wanted_meta;
    p->env->wanted_meta = 0;
    bool ok = check_place(p, def, err) && def->parse(p, it.value, err);
    p->pipeline->last->wanted_meta = p->env->wanted_meta;
    p->env->wanted_meta |= before;
    return ok;
}

/* Each stage may nest what the one before made: all together, as deep as walkers can go. */
static bool check_nesting(ds__stage_parser *p, ds_value spec, ds_error *err) {
    int levels = 10;
    while (!ds__value_depth_within(spec, levels)) {
        levels++;
    }
    p->nesting += levels - 10;
    if (p->nesting > DS_MAX_PIPELINE_NESTING) {
        return ds__error_set(
            err, DS_OVERFLOW,
            "the stages of the pipeline are nested too deeply: %d levels in all, at "
            "most %d",
            p->nesting, DS_MAX_PIPELINE_NESTING);
    }
    return true;
}

static ds_next head_next(ds__stage *stage, ds_value *doc, ds_error *err) {
    if (!ds__stage_tick(stage, err)) {
        return DS_NEXT_ERROR;
    }
    ds__pipeline *p = stage->pipeline;
    ds__source *source = p->source;
    ds_next next = source ? source->next(source, doc, err) : DS_NEXT_END;
    if (p->has_meta && next == DS_NEXT_ROW) {
        if (source->meta) {
            p->meta = *source->meta;
        } else {
            ds__meta_clear(&p->meta);
        }
        if (!p->keeps_rids) {
            p->meta.values[DS_META_RECORD_ID] = ds__missing();
        }
    }
    return next;
}

static const ds__stage_ops head_ops = {.name = "", .next = head_next};

bool ds__pipeline_compile(ds__env *env, ds_value stages, const ds__pipeline_options *options,
                          ds__pipeline **out, ds_error *err) {
    static const ds__pipeline_options defaults = {.allow_disk_use = true};
    *out = NULL;
    const ds__pipeline_options *o = options ? options : &defaults;
    ds__pipeline *pipeline = ds_arena_zalloc(env->arena, sizeof *pipeline);
    ds_value copy;
    if (!pipeline || !ds__value_copy(env->arena, stages, &copy)) {
        return ds__error_oom(err);
    }
    pipeline->env = env;
    pipeline->scope = o->scope ? o->scope : env->let;
    pipeline->allow_disk = o->allow_disk_use;
    pipeline->memory = o->memory ? o->memory : DS_MAX_GROUP_BYTES;
    pipeline->head = (ds__stage){.ops = &head_ops, .pipeline = pipeline, .env = env};
    pipeline->last = &pipeline->head;
    ds__stage_parser p = {.env = env, .options = o, .scope = pipeline->scope, .pipeline = pipeline};
    ds__iter it;
    ds__iter_init(&it, copy);
    while (ds__iter_next(&it)) {
        if (it.value.type != DS_DOCUMENT) {
            return ds__error_set(err, DS_TYPE_MISMATCH,
                                 "Each element of the 'pipeline' array must be an object");
        }
        if (p.position >= DS_MAX_PIPELINE_STAGES) {
            return ds__error_set(err, DS_FAILED_TO_PARSE,
                                 "Pipeline length must be no longer than %d stages",
                                 DS_MAX_PIPELINE_STAGES);
        }
        p.is_last = it.at >= it.end;
        if (!check_nesting(&p, it.value, err) || !parse_stage(&p, it.value, err)) {
            return false;
        }
        p.position++;
    }
    if (!o->from_update && !ds__pipeline_optimize(pipeline, err)) {
        return false;
    }
    *out = pipeline;
    return true;
}

bool ds__stage_compile_sub(ds__stage_parser *p, ds_value stages, const ds__var_scope *scope,
                           bool in_facet, ds__pipeline **out, ds_error *err) {
    if (p->options->depth >= DS_MAX_PIPELINE_DEPTH) {
        return ds__error_set(err, 232,
                             "Maximum number of nested sub-pipelines exceeded. Limit is %d",
                             DS_MAX_PIPELINE_DEPTH);
    }
    ds__pipeline_options options = {
        .allow_disk_use = p->options->allow_disk_use,
        .in_lookup = !in_facet || p->options->in_lookup,
        .in_facet = in_facet,
        .scope = scope,
        .memory = p->options->memory,
        .depth = p->options->depth + 1,
    };
    return ds__pipeline_compile(p->env, stages, &options, out, err);
}
