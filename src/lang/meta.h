/* SPDX-License-Identifier: Apache-2.0 */
/* What travels beside a document and `$meta` asks for. Sources fill it in, plans keep it through a
 * sort or a union, stages pass it on with the document; a stage that makes documents of its own
 * forgets it. What a new search gives (a score, a distance) is a row of the table in meta.c, a
 * value here, and a source that fills it. */
#ifndef DS_LANG_META_H
#define DS_LANG_META_H

#include "base/buf.h"
#include "base/error.h"
#include "bson/value.h"

typedef enum ds__meta_kind {
    DS_META_RECORD_ID,
    DS_META_SORT_KEY,  /* an array: a value for each part of the sort */
    DS_META_INDEX_KEY, /* a document: the values of the entry a document was found by */
    DS_META_RAND_VAL,  /* of $sample */
    DS_META_TEXT_SCORE,
    DS_META_GEO_DISTANCE,
    DS_META_GEO_POINT,
    DS_META_SEARCH_SCORE,
    DS_META_SEARCH_HIGHLIGHTS,
    DS_META_SEARCH_DETAILS,
    DS_META_COUNT
} ds__meta_kind;

/* A set of kinds. */
#define DS_META_BIT(kind) (1u << (kind))

typedef struct ds__meta {
    ds_value values[DS_META_COUNT]; /* DS_MISSING where there is none */
} ds__meta;

typedef struct ds__meta_def {
    const char *name; /* "textScore" */
    const char *noun; /* "text score", in "query requires text score metadata" */
    bool needed;      /* refused where no source can give it; else missing */
    bool in_match;    /* $match may ask for it */
    int sort_code;    /* of the error when it is sorted by; 0: it may be, the greatest first */
} ds__meta_def;

/* By ds__meta_kind. */
extern const ds__meta_def ds__meta_defs[DS_META_COUNT];

/* The kind a string names. */
bool ds__meta_find(ds_value name, ds__meta_kind *out);

/* 40218: nothing here can give it. Always false. */
bool ds__meta_refuse(ds__meta_kind kind, ds_error *err);

/* Nothing beside a document. */
void ds__meta_clear(ds__meta *meta);
/* Appends what there is as one document, to be kept with a row. */
void ds__meta_pack(const ds__meta *meta, ds_buf *out);
/* Views of a packed document; DS_MISSING: nothing. */
void ds__meta_unpack(ds_value packed, ds__meta *out);

#endif
