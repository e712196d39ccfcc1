/* SPDX-License-Identifier: Apache-2.0 */
/* Filters of the catalog (validators, partial indexes), compiled once per transaction: compiled
 * trees are not shared between threads. */
#include "base/clock.h"
#include "base/limits.h"
#include "engine/records/filters.h"
#include "engine/records/internal.h"

struct ds__compiled_filter {
    ds__compiled_filter *next;
    const uint8_t *spec;
    const ds__filter *filter;
    ds__env env;
    ds__eval eval;
};

static ds__compiled_filter *compile(ds__txn *txn, ds_value spec, ds_error *err) {
    ds_arena *arena = &ds__records_of(txn)->filter_arena;
    ds__records_of(txn)->filter_meter.limit = DS_MAX_WORK_BYTES;
    arena->meter = &ds__records_of(txn)->filter_meter;
    ds__compiled_filter *made = ds_arena_zalloc(arena, sizeof *made);
    if (!made) {
        ds__error_oom(err);
        return NULL;
    }
    made->spec = spec.as.bytes;
    made->env.arena = arena;
    made->env.now_ms = ds__clock_now_ms();
    made->env.slot_count = DS_VAR_FIRST_USER;
    made->env.meter = made->env.kept = arena->meter;
    ds__filter *filter = NULL;
    if (!ds__filter_compile(&made->env, spec, NULL, &filter, err) ||
        !ds__eval_init(&made->eval, &made->env, arena, NULL, err)) {
        return NULL;
    }
    made->filter = filter;
    made->next = ds__records_of(txn)->filters;
    ds__records_of(txn)->filters = made;
    return made;
}

void ds__txn_filter_once(ds__txn *txn, ds_value spec, ds_value doc, bool *matched) {
    ds_meter *meter = ds__txn_meter(txn) ? ds__txn_meter(txn) : &ds__records_of(txn)->filter_meter;
    ds_arena arena = {.meter = meter};
    ds_arena scratch = {.meter = meter};
    ds__env env = {.arena = &arena,
                   .meter = meter,
                   .kept = meter,
                   .now_ms = ds__clock_now_ms(),
                   .slot_count = DS_VAR_FIRST_USER};
    ds__eval eval;
    ds__filter *filter = NULL;
    ds_error err = {0};
    bool found;
    if (ds__filter_compile(&env, spec, NULL, &filter, &err) &&
        ds__eval_init(&eval, &env, &arena, &scratch, &err)) {
        eval.slots[DS_VAR_ROOT] = doc;
        if (ds__filter_match(filter, doc, &eval, &found, NULL, &err)) {
            *matched = found;
        }
    }
    ds_arena_clear(&arena);
    ds_arena_clear(&scratch);
}

static ds__compiled_filter *find(ds__txn *txn, ds_value spec, ds_error *err) {
    for (ds__compiled_filter *f = ds__records_of(txn)->filters; f; f = f->next) {
        if (f->spec == spec.as.bytes) {
            return f;
        }
    }
    return compile(txn, spec, err);
}

bool ds__txn_filter(ds__txn *txn, ds_value spec, const ds__filter **out, ds_error *err) {
    ds__compiled_filter *found = find(txn, spec, err);
    *out = found ? found->filter : NULL;
    return found != NULL;
}

bool ds__txn_filter_match(ds__txn *txn, ds_value spec, ds_value doc, bool *matched, ds_error *err) {
    ds__compiled_filter *found = find(txn, spec, err);
    *matched = false;
    if (!found) {
        return false;
    }
    ds_meter *meter = ds__txn_meter(txn) ? ds__txn_meter(txn) : &ds__records_of(txn)->filter_meter;
    ds_arena scratch = {.meter = meter};
    found->env.meter = found->env.kept = meter;
    found->eval.scratch = &scratch;
    found->eval.slots[DS_VAR_ROOT] = doc;
    bool ok = ds__filter_match(found->filter, doc, &found->eval, matched, NULL, err) ||
              ds__env_explain(&found->env, "a validator or partial index", err);
    ds_arena_clear(&scratch);
    return ok;
}

void ds__txn_filters_clear(ds__txn *txn) {
    if (ds__records_of(txn)->filters) {
        ds__records_of(txn)->filters = NULL;
        ds_arena_reset(&ds__records_of(txn)->filter_arena);
    }
}
