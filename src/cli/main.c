/* SPDX-License-Identifier: Apache-2.0 */
/* The docstore program: finds the verb, prints help. */
#include "cli/cli.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "client/uri.h"

static const ds__verb *const verbs[] = {&ds__verb_check, &ds__verb_serve};
enum { VERBS = sizeof verbs / sizeof verbs[0] };

int ds__cli_fail(const char *fmt, ...) {
    va_list args;
    va_start(args, fmt);
    fputs("docstore: ", stderr);
    vfprintf(stderr, fmt, args);
    fputc('\n', stderr);
    va_end(args);
    return DS_EXIT_FAILED;
}

int ds__cli_usage(const ds__verb *verb, const char *fmt, ...) {
    va_list args;
    va_start(args, fmt);
    fprintf(stderr, "docstore %s: ", verb->name);
    vfprintf(stderr, fmt, args);
    fprintf(stderr, "\nSee: docstore help %s\n", verb->name);
    va_end(args);
    return DS_EXIT_USAGE;
}

bool ds__cli_option(int argc, char **argv, int *at, const char *name, const char **value) {
    size_t size = strlen(name);
    const char *given = argv[*at];
    if (strncmp(given, name, size) != 0) {
        return false;
    }
    if (given[size] == '=') {
        *value = given + size + 1;
        return true;
    }
    if (given[size] != 0) {
        return false;
    }
    *value = *at + 1 < argc ? argv[++*at] : NULL;
    return true;
}

ds_client *ds__cli_open(const char *path, const bson_t *options) {
    ds_buf uri = {0};
    ds_error err = {0};
    ds_client *client = NULL;
    ds_buf_printf(&uri, "docstore://");
    for (const char *p = path; *p; p++) {
        if (*p == '/' || *p == ':') {
            ds_buf_add_byte(&uri, (uint8_t)*p);
        } else {
            ds__uri_encode(&uri, p, 1);
        }
    }
    ds_buf_add_byte(&uri, 0);
    if (ds_buf_ok(&uri, &err)) {
        client = ds_client_open((const char *)uri.data, options, &err);
    }
    if (!client) {
        ds__cli_fail("%s", err.message);
    }
    ds_buf_clear(&uri);
    return client;
}

static const ds__verb *find(const char *name) {
    for (size_t i = 0; i < VERBS; i++) {
        if (strcmp(verbs[i]->name, name) == 0) {
            return verbs[i];
        }
    }
    return NULL;
}

static int help(const char *name) {
    if (!name) {
        printf("docstore %s: a MongoDB-compatible document store in one file\n\n", ds_version());
        for (size_t i = 0; i < VERBS; i++) {
            printf("  docstore %-8s %s\n", verbs[i]->name, verbs[i]->summary);
        }
        printf("  docstore %-8s %s\n", "help", "explain a verb: docstore help serve");
        return DS_EXIT_OK;
    }
    const ds__verb *verb = find(name);
    if (!verb) {
        ds__cli_fail("there is no verb '%s'; see: docstore help", name);
        return DS_EXIT_USAGE;
    }
    fputs(verb->help, stdout);
    return DS_EXIT_OK;
}

static bool is_one_of(const char *s, const char *a, const char *b, const char *c) {
    return strcmp(s, a) == 0 || strcmp(s, b) == 0 || strcmp(s, c) == 0;
}

int main(int argc, char **argv) {
    if (argc < 2) {
        help(NULL);
        return DS_EXIT_USAGE;
    }
    if (is_one_of(argv[1], "help", "--help", "-h")) {
        return help(argc > 2 ? argv[2] : NULL);
    }
    if (is_one_of(argv[1], "version", "--version", "-V")) {
        printf("docstore %s\n", ds_version());
        return DS_EXIT_OK;
    }
    const ds__verb *verb = find(argv[1]);
    if (!verb) {
        ds__cli_fail("there is no verb '%s'; see: docstore help", argv[1]);
        return DS_EXIT_USAGE;
    }
    for (int i = 2; i < argc; i++) {
        if (strcmp(argv[i], "--help") == 0 || strcmp(argv[i], "-h") == 0) {
            return help(verb->name);
        }
    }
    return verb->run(verb, argc - 2, argv + 2);
}
