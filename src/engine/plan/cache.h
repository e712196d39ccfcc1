/* SPDX-License-Identifier: Apache-2.0 */
/* The winners of races, by the shape of their queries. They stand beside a collection and go with
 * it: a change of its definition or indexes, made or undone, is another one. Threads: any. */
#ifndef DS_ENGINE_PLAN_CACHE_H
#define DS_ENGINE_PLAN_CACHE_H

#include "engine/plan/candidate.h"

enum {
    DS_CACHE_ENTRIES = 200,          /* of one collection: who was used longest ago goes */
    DS_CACHE_BYTES = 1 << 20,        /* the same */
    DS_CACHE_ALL_BYTES = 16 << 20,   /* of all collections: past it all is forgotten */
    DS_CACHE_DETAIL_BYTES = 64 << 10 /* what $planCacheStats tells of one; more is left out */
};

/* The plan the last race of the query's shape was won by has cost too much. */
void ds__plan_forget(const ds__query *query);
/* Keeps rival `winner` of a race. */
void ds__plan_remember(ds__txn *txn, ds__chooser *c, size_t winner, const struct ds__exec *exec);

/* {planCacheClear}: of one shape, or all of the collection's (`query` NULL). */
void ds__plan_cache_clear(const ds__coll *coll, const ds__query *query);
/* {$planCacheStats: {}}: a document for each, as elements of an array. */
bool ds__plan_cache_print(const ds__coll *coll, ds_buf *out, ds_error *err);

/* The eight digits explain calls queryHash and planCacheKey. */
enum { DS_HASH_TEXT = 9 };
bool ds__plan_hashes(const ds__query *query, char *query_hash, char *cache_key, ds_error *err);

#endif
