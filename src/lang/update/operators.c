/* SPDX-License-Identifier: Apache-2.0 */
/* Applies a compiled update to one document, by its kind. */
#include "lang/update/internal.h"

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
    return ds__update_write(run->root, &change, out, err) && ds__update_check_size(out, err);
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
