/* SPDX-License-Identifier: Apache-2.0 */
/* Every limit in one place, MongoDB's own where it has one. */
#ifndef DS_BASE_LIMITS_H
#define DS_BASE_LIMITS_H

enum {
    DS_MAX_DOC_SIZE = 16 * 1024 * 1024, /* a user document */
    DS_MAX_INTERNAL_SIZE = 16 * 1024 * 1024 + 16 * 1024,
    DS_MAX_MESSAGE_SIZE = 48000000, /* a command or reply on the wire */
    DS_MAX_WRITE_BATCH = 100000,
    DS_MAX_DEPTH = 180, /* nesting of a stored document */
    DS_MAX_COMMAND_DEPTH = 200,
    DS_MAX_COMPUTED_DEPTH = 200, /* nesting of a value $reduce has built */
    DS_MAX_EXPR_DEPTH = 200,     /* nesting of a filter or an expression */
    DS_MAX_NAMESPACE = 255,
    DS_MAX_INDEXES = 64,
    DS_MAX_INDEX_FIELDS = 32,
    DS_MAX_PIPELINE_STAGES = 1000,
    DS_MAX_PIPELINE_NESTING = 2000,         /* levels all stages together may add, beside 10 each */
    DS_MAX_PIPELINE_DEPTH = 20,             /* sub-pipelines in sub-pipelines */
    DS_MAX_GROUP_BYTES = 100 * 1024 * 1024, /* memory of one $group or $sort */
    DS_MAX_WORK_BYTES = 100 * 1024 * 1024,  /* of one operation, beside what stages keep … */
    DS_WORK_PER_COMMAND_BYTE = 16,          /* … and what its compiled command takes */
    DS_MAX_KEPT_BYTES = 256 * 1024 * 1024,  /* of all stages of one operation together */
    DS_LEAST_SPILLED_BYTES = 8 * 1024 * 1024, /* less is not put on the disk for others' sake */
    DS_CURSOR_MEMORY_MB = 256,                /* of all idle cursors and sessions together */
    DS_DEFAULT_FIRST_BATCH = 101,
    DS_MAX_BATCH_BYTES = 16 * 1024 * 1024,
    DS_MAX_QUOTED = 120 /* bytes of a user's value in a message */
};

#endif
