/* SPDX-License-Identifier: Apache-2.0 */
/* Pipeline updates: stages that make the new document from the old, and the constants of `c`. */
#include "lang/update/internal.h"

#include "base/limits.h"
#include "bson/validate.h"

static bool bind_constants(ds__env *env, ds_value constants, ds__update *update,
                           const ds__var_scope **scope, ds_error *err) {
    ds__iter it;
    *scope = env->let;
    if (constants.type == DS_MISSING) {
        return true;
    }
    if (constants.type != DS_DOCUMENT) {
        return ds__error_set(err, DS_TYPE_MISMATCH,
                             "BSON field 'update.updates.c' is the wrong type '%s', expected type "
                             "'object'",
                             ds__type_name(constants.type));
    }
    size_t count = ds__doc_count(constants);
    update->constants = ds_arena_alloc(env->arena, (count + 1) * sizeof *update->constants);
    update->constant_slots =
        ds_arena_alloc(env->arena, (count + 1) * sizeof *update->constant_slots);
    if (!update->constants || !update->constant_slots) {
        return ds__error_oom(err);
    }
    ds__iter_init(&it, constants);
    while (ds__iter_next(&it)) {
        ds__var_scope *s = ds_arena_zalloc(env->arena, sizeof *s);
        if (!s) {
            return ds__error_oom(err);
        }
        s->parent = *scope;
        s->name = it.key;
        s->name_size = (uint32_t)it.key_size;
        s->slot = ds__env_new_slot(env);
        update->constants[update->constant_count] = it.value;
        update->constant_slots[update->constant_count++] = s->slot;
        *scope = s;
    }
    return true;
}

bool ds__update_compile_pipeline(ds__env *env, const ds__update_spec *spec, ds__update *update,
                                 ds_error *err) {
    ds__pipeline_options options = {.from_update = true};
    update->kind = DS_UPDATE_PIPELINE;
    if (spec->array_filters.type == DS_ARRAY && !ds__doc_empty(spec->array_filters)) {
        return ds__error_set(err, DS_FAILED_TO_PARSE,
                             "arrayFilters may not be specified for pipeline-style updates");
    }
    return bind_constants(env, spec->constants, update, &options.scope, err) &&
           ds__pipeline_compile(env, spec->update, &options, &update->pipeline, err);
}

bool ds__update_run_pipeline(const ds__update *update, ds_value doc, ds__eval *eval, ds_buf *out,
                             ds_error *err) {
    for (size_t i = 0; i < update->constant_count; i++) {
        eval->slots[update->constant_slots[i]] = update->constants[i];
    }
    if (!ds__pipeline_apply(update->pipeline, doc, eval, out, err) || !ds_buf_ok(out, err)) {
        return false;
    }
    if (!ds__value_depth_within(ds__document(out->data), DS_MAX_DEPTH)) {
        return ds__error_set(err, DS_OVERFLOW, "Document exceeds maximum nesting depth of %d",
                             DS_MAX_DEPTH);
    }
    return true;
}

bool ds__update_apply_pipeline(const ds__update *update, ds_value doc, ds__eval *eval, ds_buf *out,
                               bool *modified, ds_error *err) {
    ds_buf made = {0};
    bool ok = false;
    ds_value old_id = ds__doc_field(doc, "_id");
    if (!ds__update_run_pipeline(update, doc, eval, &made, err)) {
        goto done;
    }
    ds_value id = ds__doc_field(ds__document(made.data), "_id");
    if (id.type == DS_MISSING) {
        id = old_id;
    } else if (!ds__update_check_id(id, err) || !ds__update_check_altered(old_id, id, err)) {
        goto done;
    }
    ds__update_write_id_first(ds__document(made.data), id, NULL, out);
    /* a result without _id counts as a change, though _id is put back (pipeline_id_is_kept) */
    *modified = !ds__update_same(ds__document(made.data), doc);
    ok = ds__update_check_size(out, err);
done:
    ds_buf_clear(&made);
    return ok;
}
