/* SPDX-License-Identifier: Apache-2.0 */
/* docstore serve: the store in a file for PyMongo, mongosh, Compass and every other driver. */
#include "cli/cli.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "wire/wire.h"

typedef struct wanted {
    const char *file;
    const char *host;
    const char *socket;
    const char *durability;
    int port;
    bool read_only;
} wanted;

/* One argument; a usage error's exit code or 0. */
static int take(const ds__verb *verb, int argc, char **argv, int *at, wanted *out) {
    const char *value = NULL;
    const char *name = argv[*at];
    const char **text = NULL;
    if (strcmp(name, "--read-only") == 0) {
        out->read_only = true;
        return 0;
    }
    if (ds__cli_option(argc, argv, at, "--port", &value)) {
        char *end = NULL;
        long port = value && *value ? strtol(value, &end, 10) : -1;
        if (port < 0 || port > 65535 || *end) {
            return ds__cli_usage(verb, "--port wants a number from 0 to 65535");
        }
        out->port = (int)port;
        return 0;
    }
    if (ds__cli_option(argc, argv, at, "--host", &value)) {
        text = &out->host;
    } else if (ds__cli_option(argc, argv, at, "--socket", &value)) {
        text = &out->socket;
    } else if (ds__cli_option(argc, argv, at, "--durability", &value)) {
        text = &out->durability;
    } else if (name[0] == '-' && name[1]) {
        return ds__cli_usage(verb, "there is no option '%s'", name);
    } else if (out->file) {
        return ds__cli_usage(verb, "one file at a time: '%s' and '%s'", out->file, name);
    } else {
        out->file = name;
        return 0;
    }
    if (!value || !*value) {
        return ds__cli_usage(verb, "%s wants a value", name);
    }
    *text = value;
    return 0;
}

static int serve(const wanted *w, const sigset_t *signals) {
    bson_t options = BSON_INITIALIZER;
    if (w->read_only) {
        BSON_APPEND_BOOL(&options, "readOnly", true);
    }
    if (w->durability) {
        BSON_APPEND_UTF8(&options, "durability", w->durability);
    }
    ds_client *client = ds__cli_open(w->file, &options);
    bson_destroy(&options);
    if (!client) {
        return DS_EXIT_FAILED;
    }
    ds_error err = {0};
    ds__wire_options wire = {
        .host = w->socket ? NULL : w->host, .port = (uint16_t)w->port, .socket = w->socket};
    ds__wire_server *server = ds__wire_start(client, &wire, &err);
    int code = DS_EXIT_OK;
    if (server) {
        printf("docstore %s serves %s on %s\nConnect to: %s\nCtrl-C stops it.\n", ds_version(),
               w->file, ds__wire_address(server), ds__wire_uri(server));
        fflush(stdout);
        int signal = 0;
        sigwait(signals, &signal);
        printf("docstore: stopping (%s)\n", sigdescr_np(signal));
        ds__wire_stop(server);
    } else {
        code = ds__cli_fail("%s", err.message);
    }
    ds_client_close(client);
    return code;
}

static int run(const ds__verb *verb, int argc, char **argv) {
    wanted w = {.host = "127.0.0.1", .port = 27017};
    for (int i = 0; i < argc; i++) {
        int code = take(verb, argc, argv, &i, &w);
        if (code) {
            return code;
        }
    }
    if (!w.file) {
        return ds__cli_usage(verb, "name a file: docstore serve shop.docstore");
    }
    /* blocked before any thread starts, so that only sigwait sees them */
    sigset_t signals;
    sigemptyset(&signals);
    sigaddset(&signals, SIGINT);
    sigaddset(&signals, SIGTERM);
    sigaddset(&signals, SIGHUP);
    pthread_sigmask(SIG_BLOCK, &signals, NULL);
    return serve(&w, &signals);
}

const ds__verb ds__verb_serve = {
    .name = "serve",
    .summary = "serve a store's file over MongoDB's wire protocol",
    .help = "docstore serve FILE [--host ADDRESS] [--port PORT] [--socket PATH]\n"
            "               [--durability normal|full] [--read-only]\n"
            "\n"
            "Serves the store in FILE to any MongoDB driver or shell, until Ctrl-C. The file is\n"
            "made when it is not there; \":memory:\" serves an empty store that is gone at the\n"
            "end. Other programs may use the file at the same time.\n"
            "\n"
            "  --host ADDRESS   what to listen on (127.0.0.1). There is no password and no TLS\n"
            "                   yet: keep it on this machine.\n"
            "  --port PORT      27017; 0 takes any free one\n"
            "  --socket PATH    a Unix socket instead of TCP, for this user only\n"
            "  --durability     full: every commit reaches the disk before it is acknowledged\n"
            "  --read-only      refuse writes\n",
    .run = run,
};
