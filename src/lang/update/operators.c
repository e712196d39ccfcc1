/* SPDX-License-Identifier: Apache-2.0 */
/* Applies a compiled update to one document, by its kind. */
#include "lang/update/internal.h"

static uint8_t type_of(const ds__change *c) {
    if (c->kind == DS_CHANGE_SET) {
        return c->value.type;
    }
    return c->kind == DS_CHANGE_NEST ? DS_DOCUMENT : DS_ARRAY;
}

/* New top-level fields may not begin with `$`; an upsert's may. They come last, so that they never
 * make a DBRef. */
static bool check_changes(const ds__update_run *run, const ds__change *root, ds_error *err) {
    for (size_t i = 0; i < root->child_count; i++) {
        const ds__change *c = &root->children[i];
        bool made = c->kind != DS_CHANGE_REMOVE && (c->kind != DS_CHANGE_NEST || !c->element);
        if (!made || !c->name_size || c->name[0] != '$') {
            continue;
        }
        char *name = ds_arena_strndup(run->arena, c->name, c->name_size);
        if (!name) {
            return ds__error_oom(err);
        }
        if (!ds__update_check_dollar(name, type_of(c), NULL, NULL, err)) {
            return false;
        }
    }
    return true;
}

bool ds__update_run_operators(const ds__update *update, ds__update_run *run, ds_buf *out,
                              bool *modified, ds_error *err) {
    ds__change change = {0};
    ds__update_frame top = {0};
    if (!ds__update_visit(update->root, run, &top, run->root, &change, err)) {
        return false;
    }
    *modified = change.kind != DS_CHANGE_KEEP;
    if (!*modified) {
        return true;
    }
    return (run->insert || check_changes(run, &change, err)) &&
           ds__update_write(run->root, &change, out, err) && ds__update_check_size(out, err);
}

static bool apply_operators(const ds__update *update, ds_value doc, const ds__match_info *match,
                            ds__eval *eval, ds_buf *out, bool *modified, ds_error *err) {
    ds__update_run run = {.eval = eval, .arena = eval->scratch, .root = doc};
    if (match && match->has_position) {
        run.has_position = true;
        run.position_index = (int64_t)match->position;
        run.position_size = (uint32_t)ds__index_text(match->position, run.position);
    }
    return ds__update_run_operators(update, &run, out, modified, err);
}

bool ds__update_apply(const ds__update *update, ds_value doc, const ds__match_info *match,
                      ds__eval *eval, ds_buf *out, bool *modified, ds_error *err) {
    bool ok = false;
    *modified = false;
    switch (update->kind) {
    case DS_UPDATE_REPLACE:
        ok = ds__update_apply_replace(update, doc, eval, out, modified, err);
        break;
    case DS_UPDATE_OPERATORS:
        ok = apply_operators(update, doc, match, eval, out, modified, err);
        break;
    case DS_UPDATE_PIPELINE:
        ok = ds__update_apply_pipeline(update, doc, eval, out, modified, err);
        break;
    }
    if (!ok) {
        *modified = false;
    }
    if (!*modified) {
        ds_buf_reset(out);
    }
    return ok;
}
