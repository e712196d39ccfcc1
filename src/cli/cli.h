/* SPDX-License-Identifier: Apache-2.0 */
/* The docstore program: one verb per file, each a row of main.c's table. */
#ifndef DS_CLI_CLI_H
#define DS_CLI_CLI_H

#include "base/buf.h"

/* Exit codes. */
enum { DS_EXIT_OK = 0, DS_EXIT_FAILED = 1, DS_EXIT_USAGE = 2 };

/* A verb gets the arguments after its name and returns an exit code. */
typedef struct ds__verb {
    const char *name;
    const char *summary; /* a line of `docstore help` */
    const char *help;    /* what `docstore help <name>` prints */
    int (*run)(const struct ds__verb *verb, int argc, char **argv);
} ds__verb;

extern const ds__verb ds__verb_serve;
extern const ds__verb ds__verb_check;

/* Prints "docstore: <message>" to stderr; returns DS_EXIT_FAILED. */
int ds__cli_fail(const char *fmt, ...) DS_PRINTF(1, 2);
/* The same with a hint at the verb's help; returns DS_EXIT_USAGE. */
int ds__cli_usage(const ds__verb *verb, const char *fmt, ...) DS_PRINTF(2, 3);
/* Whether argv[*at] is the option; its value ("--port 1" or "--port=1") goes to *value and *at is
 * moved on. *value is NULL when the value is missing. */
bool ds__cli_option(int argc, char **argv, int *at, const char *name, const char **value);
/* Opens the store in a file named on the command line. NULL: a message was printed. */
ds_client *ds__cli_open(const char *path, const bson_t *options);

#endif
